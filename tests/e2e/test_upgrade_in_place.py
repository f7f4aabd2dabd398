"""An upgrade of process 1 of a container: it cannot leave its place, so it becomes the new one."""

import os
import re
import shutil
import signal
import subprocess
import threading

import pytest

from client import Connection, get
from server import BUILD, IS_ROOT, PATIENCE, children_of, is_alive, status_of, wait_until
from test_upgrade import APP, Client, install, install_wsgid, program, write_app

__all__ = ['program']  # a fixture
LAUNCHER = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc']


def why_not() -> str:
    if not IS_ROOT or not shutil.which('unshare'):
        return 'a new pid namespace takes root and unshare(1)'
    tried = subprocess.run([*LAUNCHER, 'true'], capture_output=True, text=True)
    return tried.stderr.strip() if tried.returncode != 0 else ''


pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or 'possible')


@pytest.fixture
def start(new_server, directory, program):
    """A server that is process 1; its pid as it is seen from here is server.pid."""
    write_app(directory)
    (directory / 'shop.conf').touch()

    def start(*words):
        server = new_server('changing', '--log-level', 'info', '-c', directory / 'shop.conf',
                            *words, cwd=directory, program=program, launcher=LAUNCHER).start()
        server.master, = children_of(server.process.pid)
        server.log.wait_for(r'\[pid 1\]')
        return server
    return start


def upgrade(server, words='reload done') -> str:
    since = len(server.log.text())
    server.kill(signal.SIGUSR2)
    server.log.wait_for(rf'{words}|upgrade failed.*', since=since)
    return server.log.text()[since:]


def namespace_pids(pid: int) -> list:
    """Its number in each namespace, ours first."""
    return [int(word) for word in status_of(pid)['NSpid'].split()]


def serving(server) -> set:
    """The children that serve, by their pids in the namespace."""
    return set(server.ready())


def test_the_pid_stays_and_the_children_of_before_are_still_its_own(start, program, directory):
    path = directory / 'socket'
    server = start('-w', '2', '-b', f'unix:{path}')
    server.wait_for_ready(2)
    master = server.pid
    before = children_of(master)
    generation = server.board()['board']['generation']
    with Connection(server.address) as slow, Connection(server.address) as parked:
        assert parked.get('/').body == b'old'
        slow.send('GET /sleep HTTP/1.1\r\nHost: t\r\n\r\n')
        server.log.wait_for('begun')
        install_wsgid(program)
        said = upgrade(server, 'serves alone')
        assert 'which is tried first' in said and 'this process becomes it' in said
        assert is_alive(master) and namespace_pids(master)[-1] == 1
        assert os.path.samefile(f'/proc/{master}/exe', program)
        # One of them is in its request, and is waited for by nobody else.
        wait_until(lambda: len(set(before) & set(children_of(master))) <= 1,
                   'the end of the other one')
        draining = set(before) & set(children_of(master))
        assert slow.response().body == b'old'
        assert parked.get('/').body == b'old'
    wait_until(lambda: not draining & set(children_of(master)), 'the end of the old child')
    server.log.wait_for(r'\[pid 1\] child pid \d+ \(slot \d+\) ended, exit status 0')
    server.wait_for_ready(2)
    assert server.board()['board']['generation'] > generation
    assert int((server.run_directory / 'shop.pid').read_text()) == 1
    server.master = None
    os.kill(master, signal.SIGTERM)
    server.process.wait(PATIENCE)
    assert os.listdir(server.run_directory) == [] and not path.exists()


def test_a_pid_file_of_another_name_is_not_left_behind(start, directory):
    before, after, conf = directory / 'a.pid', directory / 'b.pid', directory / 'shop.conf'
    conf.write_text(f'PidFile {before}\n')
    server = start('-w', '1')
    assert before.read_text() == '1\n'
    conf.write_text(f'PidFile {after}\n')
    assert 'reload done' in upgrade(server)
    assert after.read_text() == '1\n' and not before.exists()


@pytest.mark.parametrize('options', [
    [], ['--mpm', 'worker', '--threads', '3'], ['--preload'],
    ['--listen-cores-buckets-ratio', '1']])
def test_upgrades_in_place_under_load_fail_no_request_and_close_no_connection(start, options):
    server = start('-w', '2', *options)
    server.wait_for_ready(2)
    clients = [Client(server.address, 10) for _ in range(2)]
    for client in clients:
        client.start()
    try:
        for _ in range(3):
            before = serving(server)
            assert 'reload done' in upgrade(server)
            wait_until(lambda: len(serving(server)) == 2, 'two children')
            assert not before & serving(server)
    finally:
        for client in clients:
            client.stopped.set()
        for client in clients:
            client.join()
    assert not sum((client.errors for client in clients), [])


def test_what_nobody_has_read_of_the_log_is_said_by_the_new_program(start, program, directory):
    (directory / 'changing.py').write_text('''
import sys
def application(environ, start_response):
    if environ['PATH_INFO'] == '/noise':
        for i in range(10_000):
            sys.stderr.write(f'noise {i:05} {"n" * 90}\\n')
    start_response('200 OK', [('Content-Length', '0')])
    return []
''')
    server = start('-w', '2')
    server.wait_for_ready(2)
    with Connection(server.address) as c:
        with server.log.unread():
            c.send('GET /noise HTTP/1.1\r\nHost: t\r\n\r\n')
            wait_until(server.log.is_full, 'a log that takes no more')
            install_wsgid(program)
            server.kill(signal.SIGUSR2)
            wait_until(lambda: os.path.samefile(f'/proc/{server.pid}/exe', program),
                       'the new program')
        assert c.response().status == 200
    server.log.wait_for('reload done')
    server.log.wait_for('noise 09999')
    lines = server.log.text().splitlines()
    said = [re.fullmatch(r'\[[^]]+\] \[app:info\] \[pid \d+\] noise (\d+) n{90}', line)[1]
            for line in lines if 'noise ' in line]
    assert said == [f'{i:05}' for i in range(10_000)]
    assert any('this process becomes it' in line for line in lines)


def test_what_a_child_says_all_the_time_is_not_lost(start, program, directory):
    (directory / 'changing.py').write_text('''
import pathlib, sys, time
def application(environ, start_response):
    said = 0
    while environ['PATH_INFO'] == '/noise' and not pathlib.Path('enough').exists():
        for said in range(said, said + 100):
            sys.stderr.write(f'noise {said:06}\\n')
        said += 1
        time.sleep(.001)
    start_response('200 OK', [])
    return [b'%d' % said]
''')
    server = start('-w', '2')
    server.wait_for_ready(2)
    with Connection(server.address) as c:
        c.send('GET /noise HTTP/1.1\r\nHost: t\r\n\r\n')
        server.log.wait_for('noise 001000')
        install_wsgid(program)
        upgrade(server)
        since = len(server.log.text())
        server.log.wait_for('noise ..1000', since=since)
        (directory / 'enough').touch()
        number = int(c.response().body)
    server.log.wait_for(f'noise {number - 1:06}')
    said = re.findall(r'^\[[^]]+\] \[app:info\] \[pid \d+\] noise (\d+)$', server.log.text(), re.M)
    assert said == [f'{i:06}' for i in range(number)]


def test_no_zombie_and_no_descriptor_is_left_of_it(start):
    server = start('-w', '2')
    server.wait_for_ready(2)

    def descriptors():
        return len(os.listdir(f'/proc/{server.pid}/fd'))

    def upgrade_and_settle():
        upgrade(server)
        wait_until(lambda: len(children_of(server.pid)) == 2, 'two children and no more')
    upgrade_and_settle()
    after_one = descriptors()
    for _ in range(3):
        upgrade_and_settle()
    # A child that has just ended may still have its channel here.
    wait_until(lambda: descriptors() <= after_one, f'{after_one} descriptors')


@pytest.mark.parametrize('then', ['', 'Mutex none\n'])
def test_semaphores_of_the_programs_before_go_with_their_children(start, directory, then):
    """Those of System V stay in the kernel until somebody removes them."""
    (directory / 'shop.conf').write_text('Mutex sysvsem\n')
    server = start('-w', '1')

    def noted():
        return [path.name for path in server.run_directory.glob('*.sem.*')]
    first, = noted()
    if then:
        (directory / 'shop.conf').write_text(then)
    upgrade(server)
    wait_until(lambda: len(noted()) == (0 if then else 1) and first not in noted(),
               'the end of the old one')
    assert get(server.address).body == b'old'
    assert ':error]' not in server.log.text()


@pytest.mark.parametrize('text, why', [
    ('this is no program', 'cannot be executed: Exec format error'),
    ('#!/bin/false\n', 'ended before it was ready, exit status 1'),
])
def test_a_program_that_fails_its_trial_changes_nothing(start, program, text, why):
    server = start('-w', '2')
    children = server.wait_for_ready(2)
    install(program, text)
    assert re.search(f'upgrade failed, this master goes on: .*{why}', upgrade(server))
    assert serving(server) == set(children)
    assert get(server.address).body == b'old'
    install_wsgid(program)
    assert 'reload done' in upgrade(server)


def test_an_application_that_fails_its_trial_changes_nothing(start, directory):
    server = start('-w', '1')
    children = server.wait_for_ready(1)
    (directory / 'changing.py').write_text('import no_such_module\n')
    assert re.search('upgrade failed, this master goes on: .*no_such_module', upgrade(server))
    assert serving(server) == set(children)
    write_app(directory, 'new')
    assert 'reload done' in upgrade(server)
    wait_until(lambda: get(server.address).body == b'new', 'the new application')


def test_the_trial_takes_root_for_what_process_1_takes_it_for(start, directory):
    """Root without a User, which no other process would run an application as."""
    (directory / 'changing.py').write_text('import os\nassert os.getuid() == 0\n' + APP % 'root')
    server = start('-w', '1')
    assert 'reload done' in upgrade(server)
    wait_until(lambda: get(server.address).body == b'root', 'the application')


def test_wsgictl_upgrade_waits_until_the_new_program_serves(start):
    server = start('-w', '2')
    server.wait_for_ready(2)
    run = subprocess.run(
        [str(BUILD / 'wsgictl'), '--run-directory', str(server.run_directory), 'upgrade'],
        text=True, capture_output=True, timeout=PATIENCE)
    assert run.returncode == 0, run.stderr
    assert re.search(r'^upgrade done in .*: generation \d+ serves', run.stdout, re.M), run.stdout
    server.log.wait_for('serves alone')


def test_a_child_that_dies_meanwhile_is_replaced(start):
    """Before the first child of the new program serves its death is nobody's failure."""
    server = start('-w', '2')
    server.wait_for_ready(2)
    master = server.pid
    done = threading.Event()

    def kill_children():
        while not done.is_set():
            for pid in children_of(master):
                if b'child' in open(f'/proc/{pid}/cmdline', 'rb').read():
                    os.kill(pid, signal.SIGKILL)
                    return
    thread = threading.Thread(target=kill_children)
    server.log.wait_for('serves')
    server.kill(signal.SIGUSR2)
    server.log.wait_for('this process becomes it')
    thread.start()
    thread.join()
    done.set()
    server.log.wait_for('serves alone')
    assert is_alive(master)
    server.wait_for_ready(2)
    assert get(server.address).body == b'old'
