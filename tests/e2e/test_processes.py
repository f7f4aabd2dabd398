"""Children: how many, as whom, under which name, and what their death costs."""

import os
import pathlib
import pwd
import re
import signal
import subprocess
import threading

import pytest

from client import Closed, Connection, get
from server import (IS_ROOT, PATIENCE, PYTHON, ROOT, child_user, children_of, free_port, freeze,
                    is_alive, need, status_of, title_of, wait_until)
from tcp import peers_of

either_way = pytest.mark.usefixtures('preload')
any_children = pytest.mark.usefixtures('any_children')
as_root = pytest.mark.skipif(not IS_ROOT, reason='only root can choose users')


def test_the_pool_has_the_size_it_was_given(serve):
    server = serve('probe', '-w', '3')
    server.wait_for_ready(3)
    assert 'prefork with 3 children' in server.log.text()
    assert len(server.children()) == 3


@pytest.mark.parametrize('port', [free_port, int], ids=['asked for', 'chosen'])
def test_titles_tell_master_and_children_apart(serve, port):
    server = serve('probe', '-w', '2', bind=f'127.0.0.1:{port()}')
    children = server.wait_for_ready(2)
    name = server.port
    assert title_of(server.pid) == f'wsgid: master [{name}]'
    assert {title_of(pid) for pid in children} == {f'wsgid: child {i} [{name}]' for i in (0, 1)}


FINDS = '''
import ctypes, sys
def application(environ, start_response):
    """As setproctitle does: Python knows no command line, so that /proc's counts, and what it
    shows ends where the environment begins."""
    argc, argv = ctypes.c_int(-1), ctypes.c_void_p()
    ctypes.pythonapi.Py_GetArgcArgv(ctypes.byref(argc), ctypes.byref(argv))
    strings = ctypes.POINTER(ctypes.c_void_p).in_dll(ctypes.CDLL(None), 'environ')
    end_of_arguments = int(open('/proc/self/stat').read().rpartition(')')[2].split()[46])
    start_response('200 OK', [])
    return [repr((argc.value, strings[0] == end_of_arguments, sys.argv)).encode()]
'''


def test_an_application_finds_the_memory_of_its_title(serve, directory, preload):
    (directory / 'finds.py').write_text(FINDS)
    server = serve('finds', '-w', '1', '--preload-application', preload, cwd=directory)
    assert get(server.address).body == b"(0, True, ['wsgid'])"


@either_way
def test_spare_children_come_and_go(serve, gate):
    server = serve('probe', '--start-servers', '1', '--min-spare-servers', '2',
                   '--max-spare-servers', '3', '--max-request-workers', '6')
    wait_until(lambda: server.board()['counts']['idle'] >= 2, 'spare children')
    busy = []
    for _ in range(2):
        since = len(server.log.text())
        busy.append(Connection(server.address))
        busy[-1].send(gate.request)
        server.log.wait_for('sleeping', since=since)

    def enough():
        counts = server.board()['counts']
        return counts['busy'] == 2 and counts['idle'] >= 2
    wait_until(enough, 'spare children beside those that are busy')
    gate.open()
    for c in busy:
        assert c.response().body == b'awake'
        c.close()
    wait_until(lambda: len(server.ready()) == 3, 'the end of those too many')


@any_children
def test_a_child_is_replaced_after_its_connections(serve):
    """Connections, whatever the name says that Apache once had for it; not requests."""
    server = serve('probe', '-w', '1', '--max-requests-per-child', '20')
    with Connection(server.address) as client:
        assert len({client.get('/pid').body for _ in range(50)}) == 1
    pids = set()

    def several():
        pids.add(get(server.address, '/pid').body)
        return len(pids) == 4
    wait_until(several, 'four children, one after the other')
    assert server.board()['board']['children_crashed'] == 0


def test_children_inherit_no_descriptor_but_their_own(new_server, directory):
    server = new_server('probe', '-w', '2')
    with open(directory / 'ours', 'w') as file:
        server.spawn(pass_fds=[file.fileno()])
    for child in server.start().wait_for_ready(2):
        for name in os.listdir(f'/proc/{child}/fd'):
            target = os.readlink(f'/proc/{child}/fd/{name}')
            assert 'ours' not in target and '.ctl' not in target, (name, target)


# 32 and 33 are the C library's, whose posix_spawn, as Python 3.13 uses it, ignores them.
LIBC_SIGNALS = 1 << 31 | 1 << 32


@any_children
def test_a_subprocess_of_the_application_has_a_clean_world(serve, directory, apps):
    """No blocked signals, no descriptors, no words of the server's own."""
    (directory / 'spawns.py').write_text('''
import os, subprocess
def application(environ, start_response):
    script = "ls -l /proc/self/fd; grep -E 'SigBlk|SigIgn' /proc/self/status; env"
    body = subprocess.run(['/bin/sh', '-c', script], stdout=subprocess.PIPE).stdout
    start_response('200 OK', [])
    return [body]
''')
    server = serve('spawns', '-w', '1', cwd=directory, env={
        'KEPT': 'yes', 'WSGID_TIMEOUT': '50s', 'LISTEN_PID': '1', 'LISTEN_FDS': '1',
        'NOTIFY_SOCKET': '/nowhere'})
    text = get(server.address).body.decode()
    assert 'KEPT=yes' in text
    assert not re.search(r'^(WSGID_|LISTEN_|NOTIFY_SOCKET)', text, re.M)
    assert re.search(r'SigBlk:\t0+$', text, re.M)
    ignored = int(re.search(r'SigIgn:\t(\w+)$', text, re.M)[1], 16)
    assert ignored & ~LIBC_SIGNALS == 0
    fds = set(re.findall(r' (\d+) ->', text))
    assert fds <= {'0', '1', '2', '3'}, text


# --- as whom --------------------------------------------------------------------------------

def ids(pid: int) -> tuple:
    status = status_of(pid)
    return (set(status['Uid'].split()), set(status['Gid'].split()),
            set(status['Groups'].split()))


@as_root
def test_root_without_a_user_serves_as_one_without_rights(serve):
    server = serve('probe', '-w', '1')
    entry = pwd.getpwnam(child_user())
    child, = server.wait_for_ready(1)
    uids, gids, groups = ids(child)
    assert (uids, gids) == ({str(entry.pw_uid)}, {str(entry.pw_gid)})
    assert '0' not in groups
    assert f'user {child_user()}' in server.log.text()
    assert status_of(child)['CapEff'] == '0' * 16
    assert ids(server.pid)[0] == {'0'}


@either_way
@as_root
def test_children_have_the_supplementary_groups_of_their_user(serve, directory):
    user = pwd.getpwnam(child_user())
    groups = directory / 'group'
    groups.write_text(pathlib.Path('/etc/group').read_text() +
                      f'wsgid-one:x:54321:{user.pw_name}\nwsgid-two:x:54322:root,{user.pw_name}\n'
                      'wsgid-three:x:54323:root\n')
    bind = ['unshare', '--mount',
            'sh', '-c', f'mount --bind {groups} /etc/group && exec "$@"', 'sh']
    if subprocess.run([*bind, 'true'], capture_output=True).returncode != 0:
        pytest.skip('no mount namespace can be had to give a user more groups')
    server = serve('probe', '-w', '1', '--user', user.pw_name, launcher=bind)
    child, = server.wait_for_ready(1)
    expected = {*os.getgrouplist(user.pw_name, user.pw_gid), 54321, 54322}
    assert ids(child)[2] == {str(gid) for gid in expected}


@as_root
def test_user_and_group_are_obeyed(serve):
    server = serve('probe', '-w', '1', '--user', 'nobody', '--group', 'daemon')
    child, = server.wait_for_ready(1)
    uids, gids, groups = ids(child)
    assert (uids, gids) == ({str(pwd.getpwnam('nobody').pw_uid)}, {'1'})
    assert '0' not in groups


@as_root
def test_sudo_serves_as_the_person_behind_it(serve):
    server = serve('probe', '-w', '1', env={'SUDO_USER': 'daemon'})
    child, = server.wait_for_ready(1)
    assert ids(child)[0] == {str(pwd.getpwnam('daemon').pw_uid)}


FIRST = ('unshare', '--pid', '--fork', '--kill-child', '--mount-proc')


@as_root
@pytest.mark.skipif(subprocess.run([*FIRST, 'true'], capture_output=True).returncode != 0,
                    reason='a new pid namespace is not to be had')
@pytest.mark.parametrize('words', [(), ('--user', 'root')])
def test_process_1_of_a_container_may_run_the_application_as_root(new_server, words):
    server = new_server('probe', '-w', '1', *words, launcher=FIRST).start()
    assert server.log.text().count("runs as root, as this is a container's first process") == 1
    assert get(server.address, '/hello').status == 200
    server.discard()


@as_root
def test_root_as_the_user_must_be_allowed(new_server):
    server = new_server('probe', '--user', 'root')
    assert server.fails() == 78
    assert 'AllowRoot' in server.log.text()
    server = new_server('probe', '-w', '1', '--user', 'root', '--allow-root', 'on').start()
    child, = server.wait_for_ready(1)
    assert ids(child)[0] == {'0'}


@either_way
@as_root
def test_a_path_that_the_user_cannot_enter_is_named(new_server, directory):
    secret = directory / 'secret'
    (secret / 'site').mkdir(parents=True)
    (secret / 'site' / 'app.wsgi').write_text('def application(e, s):\n    pass\n')
    secret.chmod(0o700)
    server = new_server(secret / 'site' / 'app.wsgi', '--user', 'nobody')
    assert server.fails() == 1
    text = server.log.text()
    assert str(secret) in text and '0700' in text and 'nobody' in text
    assert 'Traceback' not in text


@as_root
@pytest.mark.parametrize('closed, mode', [('.', 0o700), ('site', 0o700), ('site', 0o711),
                                          ('site/mod.py', 0o600)])
def test_a_module_that_the_user_cannot_read_is_named(new_server, directory, closed, mode):
    (directory / 'top' / 'site').mkdir(parents=True)
    for path in ('top', 'top/site'):
        (directory / path).chmod(0o755)
    (directory / 'top' / 'site' / 'mod.py').write_text('def application(e, s):\n    pass\n')
    (directory / 'top' / closed).chmod(mode)
    server = new_server('mod:application', '--chdir', directory / 'top' / 'site',
                        '--user', 'nobody')
    server.fails()
    where = (directory / 'top' / closed).resolve()
    assert f'{where} has mode 0{mode:o}' in server.log.text()


# --- what a death costs ---------------------------------------------------------------------

class Client(threading.Thread):
    """One connection after the other, each used until it fails.

    Of every failure the client's port is kept, or None where nothing had been answered yet."""

    def __init__(self, address, stop, keep: bool = True):
        super().__init__()
        self.address, self.stop, self.keep = address, stop, keep
        self.answers = 0
        self.pid = None
        self.errors = []

    def run(self):
        while not self.stop.is_set():
            port = None
            try:
                with Connection(self.address) as c:
                    port = c.socket.getsockname()[1]
                    self.use(c)
            except Exception as e:
                self.errors.append((port if self.pid else None, repr(e)))
            self.pid = None

    def use(self, c):
        headers = [] if self.keep else [('Connection', 'close')]
        while not self.stop.is_set():
            answer = c.get('/pid', headers)
            assert answer.status == 200 and answer.complete
            self.pid = int(answer.body)
            self.answers += 1
            if not self.keep:
                return


def kill_counted(server, pid: int) -> tuple:
    """SIGKILL a child: how many connections it held by the scoreboard, and whose."""
    freeze(pid)
    clients = peers_of(pid)
    row, = [row for row in server.board()['processes'] if row['pid'] == pid]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: pid not in [row['pid'] for row in server.board()['processes']],
               'the master to hear of it')
    return row['connections'], clients


def kill_and_count(server):
    """Clients that keep their connections, and new ones, while three children are killed."""
    stop = threading.Event()
    kept = [Client(server.address, stop) for _ in range(12)]
    fresh = [Client(server.address, stop, keep=False) for _ in range(2)]
    for client in kept + fresh:
        client.start()
    held, kills, clients = 0, 3, set()
    try:
        for _ in range(kills):
            wait_until(lambda: all(client.pid for client in kept), 'every client to be served')
            rows = server.wait_for_ready(3)
            victim = max(rows, key=lambda pid: rows[pid]['connections'])
            count, whose = kill_counted(server, victim)
            held, clients = held + count, clients | whose
            answers = [client.answers for client in kept + fresh]
            wait_until(lambda: all(client.answers > before for client, before
                                   in zip(kept + fresh, answers)), 'everybody to go on')
    finally:
        stop.set()
        for client in kept + fresh:
            client.join()
    errors = [error for client in kept + fresh for error in client.errors]
    # One more of each, which the kernel had let in for it and it had not looked at yet.
    assert 0 < len(errors) <= held + kills, (held, errors)
    assert {port for port, _ in errors} <= clients | {None}, (clients, errors)
    wait_until(lambda: server.board()['board']['children_crashed'] == kills, 'the end of the last')
    server.wait_for_ready(3)


@any_children
def test_a_killed_child_costs_only_its_own_connections(serve):
    server = serve('probe', '-w', '3')
    server.wait_for_ready(3)
    kill_and_count(server)


def test_a_killed_child_costs_no_more_where_io_uring_is_refused(serve, no_uring):
    server = serve('probe', '-w', '3', launcher=(no_uring, 'ENOSYS'))
    server.wait_for_ready(3)
    assert 'using epoll' in server.log.text()
    kill_and_count(server)


@any_children
def test_a_client_whose_child_dies_before_it_is_let_in_is_let_in_by_a_sibling(serve, directory):
    """The kernel wakes one child for a client, and the replacement takes its time."""
    slow = directory / 'slow'
    (directory / 'late.py').write_text(
        'import os, time\n'
        f'time.sleep(15 if os.path.exists({str(slow)!r}) else 0)\n'
        'def application(environ, start_response):\n'
        '    start_response("200 OK", [("Content-Length", "0")])\n'
        '    return []\n')
    server = serve('late', '-w', '2', '--chdir', directory)
    pid = min(server.wait_for_ready(2))
    slow.touch()
    freeze(pid)
    late = None
    for _ in range(3):
        client = Connection(server.address, 0.5)
        client.send('GET / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n')
        try:
            assert client.response().status == 200
        except TimeoutError:
            late = client
            break
    os.kill(pid, signal.SIGKILL)
    if late is not None:  # on epoll the kernel knows who waits
        late.socket.settimeout(5)
        try:
            assert late.response().status == 200
        except (ConnectionError, Closed):
            pass  # the dying ring had accepted it already


def kill_under_wrk(server):
    wrk = need('wrk')
    # Until it is told to end.
    load = subprocess.Popen([wrk, '-t1', '-c24', '-d60s', f'{server.url}/hello'],
                            stdout=subprocess.PIPE, text=True)

    def loaded(victim=None):
        board = server.board()
        return (board['counts']['connections'] >= 24
                and victim not in [row['pid'] for row in board['processes']])

    held = 0
    wait_until(loaded, 'the load')
    for _ in range(2):
        rows = server.wait_for_ready(3)
        victim = max(rows, key=lambda pid: rows[pid]['connections'])
        held += kill_counted(server, victim)[0]
        wait_until(lambda: loaded(victim), 'the load to go on')
    load.send_signal(signal.SIGINT)
    said = load.communicate(timeout=PATIENCE)[0]
    found = re.search(r'Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)', said)
    lost = sum(map(int, found.groups())) if found else 0
    assert lost <= held, (held, said)
    assert 'Non-2xx' not in said
    assert int(re.search(r'(\d+) requests in', said)[1]) > 1000
    assert get(server.address, '/hello').status == 200


@any_children
def test_a_killed_child_under_wrk_costs_no_more_than_it_held(serve):
    server = serve('probe', '-w', '3')
    server.wait_for_ready(3)
    kill_under_wrk(server)


def test_a_killed_child_under_wrk_costs_no_more_where_io_uring_is_refused(serve, no_uring):
    server = serve('probe', '-w', '3', launcher=(no_uring, 'EPERM'))
    server.wait_for_ready(3)
    assert 'using epoll' in server.log.text()
    kill_under_wrk(server)


@either_way
def test_the_scoreboard_is_readable_after_everything_was_killed(serve):
    server = serve('probe', '-w', '2')
    children = list(server.wait_for_ready(2))
    for _ in range(5):
        get(server.address, '/hello')
    os.kill(server.pid, signal.SIGKILL)
    for child in children:
        try:
            os.kill(child, signal.SIGKILL)
        except ProcessLookupError:
            pass
    server.process.wait(PATIENCE)
    wait_until(lambda: not any(map(is_alive, children)), 'their end')
    done = subprocess.run([PYTHON, ROOT / 'tools' / 'scoreboard.py', server.run_directory],
                          capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert f'master       pid {server.pid}, dead' in done.stdout
    assert 'probe' in done.stdout and f'127.0.0.1:{server.port}' in done.stdout
    assert re.search(r'totals +5 requests, 5 connections', done.stdout)


@any_children
def test_what_a_killed_server_left_does_not_hinder_the_next(new_server, serve):
    first = serve('probe', '-w', '1')
    child, = first.wait_for_ready(1)
    first.kill(signal.SIGKILL)
    first.process.wait(PATIENCE)
    wait_until(lambda: not is_alive(child), 'the end of its child')
    assert any(first.run_directory.iterdir())
    second = new_server('probe', '-w', '1', bind=f'127.0.0.1:{first.port}')
    second.run_directory = first.run_directory
    second.start()
    assert get(second.address, '/hello').status == 200
    assert second.board()['board']['master_pid'] == second.pid
    second.stop()


@any_children
def test_children_of_children_do_not_stay(serve, directory):
    (directory / 'forks.py').write_text('''
import subprocess
def application(environ, start_response):
    started = subprocess.Popen(['sleep', '0.2'])
    start_response('200 OK', [])
    return [str(started.pid).encode()]
''')
    server = serve('forks', '-w', '1', cwd=directory)
    child, = server.wait_for_ready(1)
    pid = int(get(server.address).body)
    assert pid in children_of(child)
    os.kill(child, signal.SIGKILL)
    # A connection that the dying child has accepted dies with it.
    wait_until(lambda: not is_alive(child), 'the death of the child')
    assert get(server.address).status == 200
    # Orphans come to the master, which buries them, and has nothing to say about them.
    wait_until(lambda: not os.path.exists(f'/proc/{pid}'), 'the burial')
    assert f'pid {pid} ' not in server.log.text()
