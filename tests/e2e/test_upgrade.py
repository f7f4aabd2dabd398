"""A binary upgrade: another master takes over, or fails and changes nothing."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from client import Closed, Connection, get, refused
from server import (BUILD, IS_ROOT, PATIENCE, WSGID, children_of, free_port, is_alive, need,
                    run_wsgid, title_of, wait_until)

APP = '''
import os, time
if os.path.exists('slow'):
    print('importing', flush=True)
    time.sleep(3)
def application(environ, start_response):
    if environ['PATH_INFO'] == '/sleep':
        print('begun', flush=True)
        time.sleep(2)
    body = {'/pid': str(os.getpid()), '/master': str(os.getppid())}.get(
        environ['PATH_INFO'], '%s').encode()
    start_response('200 OK', [('Content-Length', str(len(body)))])
    return [body]
'''


@pytest.fixture
def program(directory):
    """wsgid as it is installed: a place of its own, where it can be replaced."""
    place = directory / 'bin'
    place.mkdir()
    for child in BUILD.glob('wsgid-python3*'):
        (place / child.name).symlink_to(child)
    shutil.copy2(WSGID, place / 'wsgid')
    return place / 'wsgid'


def install(program: pathlib.Path, text: str):
    """Something else in its place, as a package manager does it."""
    new = program.with_name('new')
    new.write_text(text)
    new.chmod(0o755)
    new.rename(program)


def install_wsgid(program: pathlib.Path):
    new = program.with_name('new')
    shutil.copy2(WSGID, new)
    new.rename(program)


def write_app(directory, text='old'):
    new = directory / 'changing.py.new'
    new.write_text(APP % text)
    new.chmod(0o644)
    new.rename(directory / 'changing.py')


@pytest.fixture
def make(new_server, directory, program):
    write_app(directory)

    def make(*words, **more):
        more.setdefault('cwd', directory)
        return new_server('changing', '--log-level', 'info', *words, program=program, **more)
    return make


@pytest.fixture
def start(make):
    return lambda *words, **more: make(*words, **more).start()


@pytest.fixture
def start_shop(start, directory):
    """Its name is that of its configuration."""
    (directory / 'shop.conf').touch()
    return lambda *words: start('-c', directory / 'shop.conf', *words)


def begin(server) -> int:
    """Ask for an upgrade and wait for nothing: the pid of the new master."""
    before = children_of(server.pid)
    server.seen_children.update(before)
    server.kill(signal.SIGUSR2)

    def new():
        found = set(children_of(server.pid)) - set(before)
        return next((pid for pid in found if title_of(pid).startswith('wsgid: new master')), None)
    return wait_until(new, 'a new master')


def assert_goes_on(server, children):
    """The old master is what it was, and can still be reloaded."""
    assert server.wait_for_ready(len(children)).keys() == children.keys()
    pid_file, = server.run_directory.glob('*.pid')
    assert int(pid_file.read_text()) == server.pid
    assert get(server.address).body == b'old'
    assert len(list(server.run_directory.glob('.*'))) == 0
    assert 'reload done' in server.reload()
    assert get(server.address).body == b'old'
    server.stop()


# --- it succeeds ----------------------------------------------------------------------------

class Client(threading.Thread):
    """Keep-alive connections in a closed loop; none may fail or be closed."""

    def __init__(self, address, connections):
        super().__init__()
        self.address, self.number = address, connections
        self.errors, self.requests, self.stopped = [], 0, threading.Event()

    def run(self):
        connections = [Connection(self.address) for _ in range(self.number)]
        while not self.stopped.is_set():
            for connection in connections:
                try:
                    assert connection.get('/').status == 200
                    self.requests += 1
                except (OSError, AssertionError, Closed) as e:
                    self.errors.append(repr(e))
                    return
        for connection in connections:
            connection.close()


class Newcomers(Client):
    """The same, each request on a connection of its own."""

    def run(self):
        while not self.stopped.is_set():
            try:
                assert get(self.address).status == 200
                self.requests += 1
            except (OSError, AssertionError, Closed) as e:
                self.errors.append(repr(e))
                return


@pytest.mark.parametrize('options', [
    ['--io-engine', 'io_uring'], ['--io-engine', 'epoll'], ['--mpm', 'worker', '--threads', '3'],
    ['--preload'], ['--listen-cores-buckets-ratio', '1'], ['-b', '127.0.0.2:0']])
def test_five_upgrades_under_load_fail_no_request_and_close_no_connection(start, options):
    server = start('-w', '3', *options)
    server.wait_for_ready(3)
    clients = [Client(server.address, 10) for _ in range(3)] + [Newcomers(server.address, 1)]
    masters = {server.pid}
    for client in clients:
        client.start()
    try:
        for _ in range(5):
            before = [client.requests for client in clients]
            assert 'has taken over' in server.upgrade()
            masters.add(server.pid)
            wait_until(lambda: all(c.requests > n or c.errors for c, n in zip(clients, before)),
                       'requests of each client')
    finally:
        for client in clients:
            client.stopped.set()
        for client in clients:
            client.join()
    assert not sum((client.errors for client in clients), [])
    assert len(masters) == 6
    server.stop()


@pytest.mark.usefixtures('preload')
def test_idle_keep_alive_connections_go_on_with_the_new_masters_children(start):
    server = start('-w', '2')
    server.wait_for_ready(2)
    connections = [Connection(server.address) for _ in range(20)]
    for connection in connections:
        assert int(connection.get('/master').body) == server.pid
    server.upgrade()
    for connection in connections:
        assert int(connection.get('/master').body) == server.pid
        connection.close()
    server.stop()


def test_pid_file_socket_and_scoreboard_belong_to_the_new_master(start_shop, directory):
    named = directory / 'named.pid'
    server = start_shop('-w', '2', '--pid-file', named)
    server.wait_for_ready(2)
    generation = server.board()['board']['generation']
    names = sorted(os.listdir(server.run_directory))
    old = server.pid
    assert 'has taken over' in server.upgrade()
    server.wait_for_ready(2)
    assert server.pid != old
    wait_until(lambda: sorted(os.listdir(server.run_directory)) == names, 'the same files')
    for path in (named, server.run_directory / 'shop.pid'):
        assert int(path.read_text()) == server.pid
    board = server.board()['board']
    assert board['master_pid'] == server.pid and board['generation'] == generation + 1
    assert title_of(server.pid) == 'wsgid: master [shop]'
    server.stop()
    assert not named.exists()


@pytest.mark.usefixtures('preload')
def test_a_long_request_is_finished_and_the_old_master_waits_for_it(start):
    server = start('-w', '1')
    old = server.pid
    with Connection(server.address) as slow:
        slow.send('GET /sleep HTTP/1.1\r\nHost: t\r\n\r\n')
        server.log.wait_for('begun')
        server.kill(signal.SIGUSR2)
        server.log.wait_for('has taken over; 1 child is finishing')
        assert title_of(old).startswith('wsgid: old master')
        assert slow.response().body == b'old'
        master = int(slow.get('/master').body)
        assert master != old and is_alive(master)
    server.master = master
    server.process.wait(PATIENCE)
    server.log.wait_for('the old master ends')
    server.stop()


def test_one_upgrade_may_follow_the_other_while_old_masters_still_wait(start):
    server = start('-w', '1')
    with Connection(server.address) as first, Connection(server.address) as second:
        for number, connection in enumerate((first, second)):
            connection.send('GET /sleep HTTP/1.1\r\nHost: t\r\n\r\n')
            wait_until(lambda: server.log.text().count('begun') == number + 1, 'a slow request')
            since = len(server.log.text())
            server.kill(signal.SIGUSR2)
            taken = server.log.wait_for(r'the new master, pid (\d+), has taken over', since=since)
            server.master = int(taken[1])
        assert first.response().body == second.response().body == b'old'
    server.process.wait(PATIENCE)
    wait_until(lambda: server.log.text().count('the old master ends') == 2, 'their ends')
    assert get(server.address).body == b'old'
    server.stop()


def test_after_the_death_of_the_new_master_another_one_can_start_at_once(start_shop, make):
    """Although the old one still waits for a request."""
    server = start_shop('-w', '1')
    with Connection(server.address) as slow:
        slow.send('GET /sleep HTTP/1.1\r\nHost: t\r\n\r\n')
        server.log.wait_for('begun')
        server.kill(signal.SIGUSR2)
        new = int(server.log.wait_for(r'the new master, pid (\d+), has taken over')[1])
        os.kill(new, signal.SIGKILL)
        wait_until(lambda: not is_alive(new), 'its end')
        third = make('-c', server.cwd / 'shop.conf', '-w', '1', bind='%s:%d' % server.address)
        third.run_directory = server.run_directory
        third.start()
        assert get(third.address).body == b'old'
        assert slow.response().body == b'old'
    server.process.wait(PATIENCE)
    third.stop()


def test_without_a_run_directory_it_works_too(new_server, directory, program):
    """There is no pid file, no control socket and no scoreboard file then."""
    if not IS_ROOT:
        pytest.skip('to become a user who may not write anywhere takes root')
    write_app(directory)
    for child in program.parent.glob('wsgid-python3*'):
        child.unlink()  # a link may lead to where only root can look
        shutil.copy2(BUILD / child.name, child)
    launcher = [need('setpriv'), '--reuid=54321', '--regid=54321', '--clear-groups', need('env'),
                '-u', 'XDG_RUNTIME_DIR']
    server = new_server('changing', '-w', '2', cwd=directory, program=program, launcher=launcher)
    server.command = lambda: [*launcher, str(program), '-b', '127.0.0.1:0', 'changing', '-w', '2']
    server.start()
    assert 'no directory for the control socket' in server.log.text()
    with Connection(server.address) as connection:
        for _ in range(2):
            assert connection.get('/').body == b'old'
            assert 'has taken over' in server.upgrade()
        assert connection.get('/').body == b'old'
    server.stop()


def test_no_third_master_can_start_at_any_moment(start_shop, directory):
    """The lock on the pid file goes over without a gap."""
    server = start_shop('-w', '1')
    (directory / 'slow').touch()
    new = begin(server)
    tries, ended = [], threading.Event()

    def try_to_start():
        while not ended.is_set():
            tries.append(run_wsgid('--run-directory', server.run_directory,
                                   '-c', directory / 'shop.conf', '-b', '127.0.0.1:0',
                                   'changing', cwd=directory))
    thread = threading.Thread(target=try_to_start)
    thread.start()
    try:
        server.log.wait_for('the old master ends')
        number = len(tries)
        wait_until(lambda: len(tries) > number + 2, 'more tries')
    finally:
        ended.set()
        thread.join()
    assert all(run.returncode == 1 and 'already runs' in run.stderr for run in tries)
    server.master = new
    server.process.wait(PATIENCE)
    server.stop()


def test_capacity_is_never_less_than_before(start):
    """One child of the old master goes for each that is ready."""
    server = start('-w', '4')
    server.wait_for_ready(4)
    since = len(server.log.text())
    server.upgrade()
    serving = most = 4
    for line in server.log.text()[since:].splitlines():
        if re.search(r'child pid \d+ \(slot \d+\) is ready', line):
            serving += 1
        elif re.search(r'child pid \d+ \(slot \d+\) ended', line):
            serving -= 1
        assert serving >= 4, line
        most = max(most, serving)
    assert serving == 4
    server.stop()


def test_as_many_children_are_started_as_there_were(start):
    """Although the policy would begin with fewer."""
    server = start('--mpm', 'prefork', '--start-servers', '1', '--min-spare-servers', '3',
                   '--max-spare-servers', '5', '--max-request-workers', '6')
    # By Apache's rate: one more, then two at once.
    number = len(server.wait_for_ready(4))
    server.upgrade()
    assert len(server.ready()) >= number
    server.stop()


def test_the_program_is_found_again_after_its_file_was_replaced(start, program):
    server = start('-w', '1')
    install_wsgid(program)
    assert os.readlink(f'/proc/{server.pid}/exe').endswith(' (deleted)')
    assert 'has taken over' in server.upgrade()
    assert os.path.samefile(f'/proc/{server.pid}/exe', program)
    server.stop()


def test_a_symbolic_link_is_followed_anew(make, program):
    """As where each version has a directory of its own."""
    other = program.parent.parent / 'bin-2'
    shutil.copytree(program.parent, other, symlinks=True)
    link = program.parent.parent / 'current'
    link.symlink_to('bin')
    server = make('-w', '1')
    server.program = link / 'wsgid'
    server.start()
    link.unlink()
    link.symlink_to('bin-2')
    assert 'has taken over' in server.upgrade()
    assert os.path.samefile(f'/proc/{server.pid}/exe', other / 'wsgid')
    server.stop()


def test_new_code_and_configuration_come_with_it(start, directory):
    conf = directory / 'shop.conf'
    path = directory / 'socket'
    conf.write_text(f'Listen unix:{path}\nProcesses 1\n')
    server = start('-c', conf, bind=None)
    server.wait_for_ready(1)
    write_app(directory, 'new')
    other = directory / 'other'
    conf.write_text(f'Listen unix:{other}\nProcesses 3\n')
    assert 'has taken over' in server.upgrade()
    server.wait_for_ready(3)
    assert get(other).body == b'new'
    assert not path.exists()
    server.stop()
    assert not other.exists()


def test_a_unix_socket_stays_until_the_new_master_stops(start, directory):
    path = directory / 'socket'
    server = start('-w', '2', '-b', f'unix:{path}')
    inode = path.stat().st_ino
    with Connection(path) as connection:
        assert connection.get('/').body == b'old'
        for _ in range(2):
            server.upgrade()
            assert path.stat().st_ino == inode
            assert get(path).body == b'old'
            assert connection.get('/').body == b'old'
    server.stop()
    assert not path.exists()


def test_systemd_is_told_the_new_main_pid(start, directory):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(directory / 'notify'))
        systemd.settimeout(PATIENCE)
        server = start('-w', '1', env={'NOTIFY_SOCKET': str(directory / 'notify')})
        old = server.pid
        said = []

        def hear():
            """Not at the end only: ten messages are all that the kernel keeps."""
            systemd.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    said.extend(systemd.recv(4096).decode().splitlines())
        hear()
        server.upgrade()
        hear()
        server.stop()
        hear()
    new = f'MAINPID={server.master}'
    assert new in said and f'MAINPID={old}' not in said
    assert said.index('READY=1') < said.index(new) < said.index('STOPPING=1')
    assert said.count('STOPPING=1') == 1


def test_the_new_master_is_the_one_that_feeds_the_watchdog(start, program):
    launcher = ['/bin/sh', '-c', 'WATCHDOG_PID=$$ WATCHDOG_USEC=30000000 exec "$@"', 'sh']
    server = start('-w', '1', launcher=launcher)
    install(program, '#!/bin/sh\necho "fed by $WATCHDOG_PID, this is $$" >&2\n')
    found = re.search(r'fed by (\d+), this is (\d+)', server.upgrade())
    assert found[1] == found[2] != str(server.pid)
    server.stop()


def test_sockets_that_systemd_passes_go_on(start):
    with socket.create_server(('127.0.0.1', 0)) as listener:
        launcher = ['/bin/sh', '-c', 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3<&0', 'sh']
        server = start('-w', '1', bind=None, launcher=launcher, stdin=listener)
        for _ in range(2):
            server.upgrade()
            assert get(listener.getsockname()).body == b'old'
        server.stop()
        assert not refused(listener.getsockname())


def test_a_daemon_stays_one(make, directory):
    (directory / 'shop.conf').touch()
    server = make('-w', '1', '--daemon', '--error-log', directory / 'error.log',
                  '-c', directory / 'shop.conf')
    assert server.spawn().process.wait(PATIENCE) == 0
    pid_file = server.run_directory / 'shop.pid'
    old = int(pid_file.read_text())
    try:
        os.kill(old, signal.SIGUSR2)
        wait_until(lambda: not is_alive(old), 'the end of the old master')
        new = int(pid_file.read_text())
        assert new != old and is_alive(new)
        os.kill(new, signal.SIGTERM)
        wait_until(lambda: not is_alive(new), 'the end of the new master')
    finally:
        for line in re.findall(r'pid (\d+)\]', (directory / 'error.log').read_text()):
            if is_alive(int(line)):
                os.kill(int(line), signal.SIGKILL)
    assert 'stopped' in (directory / 'error.log').read_text()
    assert os.listdir(server.run_directory) == []


# --- it fails, and the old one goes on ------------------------------------------------------

@pytest.mark.parametrize('text, why', [
    ('this is no program', 'cannot be executed: Exec format error'),
    ('#!/bin/false\n', r'the new master ended before it was ready, exit status 1'),
    ('#!/no/such/interpreter\n', 'cannot be executed: No such file or directory'),
])
def test_a_bad_program_changes_nothing(start, program, text, why):
    server = start('-w', '2')
    children = server.wait_for_ready(2)
    install(program, text)
    assert re.search(f'upgrade failed, this master goes on: .*{why}', server.upgrade())
    assert_goes_on(server, children)


def test_a_program_that_was_removed_changes_nothing(start, program):
    server = start('-w', '1')
    children = server.wait_for_ready(1)
    program.unlink()
    assert re.search(rf'upgrade failed.*{program} cannot be executed: No such file',
                     server.upgrade())
    assert_goes_on(server, children)


def test_a_program_that_says_nothing_is_given_up(start, program):
    server = start('-w', '1', '--startup-timeout', '4')
    children = server.wait_for_ready(1)
    install(program, '#!/bin/sh\nexec sleep 1000\n')
    server.kill(signal.SIGUSR2)
    server.log.wait_for('upgrade failed.* did not become ready in time')
    assert_goes_on(server, children)


@pytest.mark.usefixtures('preload')
def test_an_application_that_does_not_import_changes_nothing(start, directory):
    server = start('-w', '2')
    children = server.wait_for_ready(2)
    (directory / 'changing.py').write_text('import no_such_module\n')
    said = server.upgrade()
    assert re.search('upgrade failed, this master goes on: .*no_such_module', said)
    assert 'Traceback' in said
    write_app(directory)
    assert_goes_on(server, children)


def test_a_bad_configuration_changes_nothing_and_all_of_it_is_said(start, directory):
    conf = directory / 'shop.conf'
    conf.write_text('Processes 2\n')
    server = start('-c', conf)
    children = server.wait_for_ready(2)
    conf.write_text('Proceses 2\nTimeout never\n')
    assert re.search(r'upgrade failed.*: 2 mistakes, the first: .*shop\.conf:1: Proceses',
                     server.upgrade())
    conf.write_text('Processes 2\n')
    assert_goes_on(server, children)


def test_a_port_that_is_taken_changes_nothing(start, directory):
    conf = directory / 'shop.conf'
    own = '127.0.0.1:%d' % free_port()
    conf.write_text(f'Processes 1\nListen {own}\n')
    server = start('-c', conf, bind=None)
    children = server.wait_for_ready(1)
    with socket.create_server(('127.0.0.1', 0)) as other:
        conf.write_text(f'Processes 1\nListen {own}\n'
                        'Listen 127.0.0.1:%d\n' % other.getsockname()[1])
        assert re.search('upgrade failed.*in use by', server.upgrade())
    conf.write_text(f'Processes 1\nListen {own}\n')
    assert_goes_on(server, children)


@pytest.mark.usefixtures('preload')
def test_a_new_master_that_is_killed_changes_nothing(start, directory):
    server = start('-w', '1')
    children = server.wait_for_ready(1)
    (directory / 'slow').touch()
    new = begin(server)
    server.log.wait_for('importing')
    left, = children_of(new)
    os.kill(new, signal.SIGKILL)
    (directory / 'slow').unlink()
    server.log.wait_for('upgrade failed.* exit signal Killed')
    wait_until(lambda: not is_alive(left), 'the end of its child')
    assert_goes_on(server, children)


def test_children_that_have_given_way_come_back_when_it_fails(start, directory):
    """One child of the new master has come up; the second one does not."""
    server = start('-w', '3')
    server.wait_for_ready(3)
    begin(server)
    server.log.wait_for(r'generation 2\) started(.*\n)*.*is ready')
    (directory / 'changing.py').write_text('import no_such_module\n')
    match = server.log.wait_for('has taken over|upgrade failed.*no_such_module')
    write_app(directory)
    assert match[0] != 'has taken over'
    server.wait_for_ready(3)
    assert get(server.address).body == b'old'
    server.stop()


# --- and something else happens meanwhile ---------------------------------------------------

@pytest.mark.parametrize('signum', [signal.SIGTERM, signal.SIGINT])
def test_a_stop_ends_both(start, directory, signum):
    server = start('-w', '1')
    (directory / 'slow').touch()
    new = begin(server)
    server.log.wait_for('importing')
    server.stop(signum)
    assert not is_alive(new)


def test_when_the_old_master_is_killed_the_new_one_takes_over_alone(start, directory):
    server = start('-w', '1')
    (directory / 'slow').touch()
    new = begin(server)
    server.log.wait_for('importing')
    server.kill(signal.SIGKILL)
    server.process.wait(PATIENCE)
    server.log.wait_for('taking over')
    server.master = new
    assert get(server.address).body == b'old'
    assert server.board()['board']['master_pid'] == new
    os.kill(new, signal.SIGTERM)
    wait_until(lambda: not is_alive(new), 'the end of the new master')


def test_a_reload_waits_for_the_end_of_a_failing_upgrade(start, directory, program):
    server = start('-w', '1')
    (directory / 'slow').touch()
    new = begin(server)
    server.log.wait_for('importing')
    server.kill(signal.SIGHUP)
    os.kill(new, signal.SIGTERM)
    (directory / 'slow').unlink()
    server.log.wait_for('upgrade failed')
    server.log.wait_for('reload done')
    server.stop()


def test_an_upgrade_waits_for_the_end_of_a_reload(start, directory):
    server = start('-w', '2')
    since = len(server.log.text())
    server.kill(signal.SIGHUP)
    server.log.wait_for('reloading', since=since)
    assert 'reload done' in server.upgrade()
    server.stop()


# --- wsgictl --------------------------------------------------------------------------------

def wsgictl(server, *words):
    return subprocess.run([str(BUILD / 'wsgictl'), '--run-directory', str(server.run_directory),
                           *words], text=True, capture_output=True, timeout=PATIENCE)


def test_wsgictl_upgrade_returns_when_the_new_master_serves(start_shop):
    server = start_shop('-w', '2')
    server.wait_for_ready(2)
    server.seen_children.update(server.children())
    run = wsgictl(server, 'upgrade')
    assert run.returncode == 0, run.stderr
    server.master = int((server.run_directory / 'shop.pid').read_text())
    assert re.fullmatch(rf'upgrading shop \(pid {server.process.pid}\)\n'
                        r'(child \d+ has given way to one of the new master, \d left\n)+'
                        r'upgrade done in .*: generation 2 serves.*\n', run.stdout)
    assert server.master != server.process.pid
    status = wsgictl(server, 'status')
    assert status.returncode == 0
    assert '  generation   2; not reloaded since the last upgrade\n' in status.stdout
    server.process.wait(PATIENCE)
    server.stop()


@pytest.mark.parametrize('verb, said', [('reload', 'reloading'), ('restart', 'restarting')])
def test_what_an_upgrade_has_overtaken_is_asked_of_the_new_master(start_shop, directory,
                                                                  verb, said):
    server = start_shop('-w', '1')
    server.wait_for_ready(1)
    server.seen_children.update(server.children())
    go = directory / 'go'
    (directory / 'changing.py').write_text(
        f'import os, time\nprint("importing", flush=True)\n'
        f'while not os.path.exists({str(go)!r}):\n    time.sleep(0.01)\n{APP % "new"}')
    since = len(server.log.text())
    server.kill(signal.SIGUSR2)
    server.log.wait_for('importing', since=since)
    control = subprocess.Popen(
        [BUILD / 'wsgictl', '--run-directory', server.run_directory, verb], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    server.log.wait_for(rf'a {verb} follows what is under way')
    go.touch()
    out, err = control.communicate(timeout=PATIENCE)
    server.master = int((server.run_directory / 'shop.pid').read_text())
    assert (control.returncode, err) == (0, '')
    assert f'{said} shop (pid {server.process.pid})\n' in out
    assert f'{said} shop (pid {server.master})\n' in out
    assert re.search(f'^{verb} done in .*: generation 3 serves', out, re.M)
    server.process.wait(PATIENCE)
    server.stop()


def test_wsgictl_upgrade_fails_with_the_reason(start_shop, directory):
    server = start_shop('-w', '1')
    children = server.wait_for_ready(1)
    (directory / 'changing.py').write_text('import no_such_module\n')
    run = wsgictl(server, 'upgrade')
    assert run.returncode == 1
    assert re.search(r'^wsgictl: upgrade failed: .*no_such_module', run.stderr, re.M)
    assert run.stderr.startswith('Traceback (most recent call last):\n')
    assert re.search(r'^  File ".*changing.py", line 1', run.stderr, re.M)
    board = server.board()['board']
    assert board['reload_result'] == 'failed'
    assert re.match('upgrade: .*no_such_module', board['reload_reason'])
    assert board['reload_log'][-1] == "ModuleNotFoundError: No module named 'no_such_module'"
    assert f'the old master (pid {server.pid}) goes on' in run.stderr
    write_app(directory)
    assert_goes_on(server, children)
