"""What a service manager hears, and the sockets that it hands over, without a systemd.

tests/rigs/test_systemd.py has the same and more with a real one.
"""

import os
import re
import select
import signal
import socket
import subprocess
import time

import pytest

from client import Connection, get, refused
from loop import Loop
from manager import Manager
from server import BUILD, PATIENCE, ROOT, has_gil, is_alive, need, stat_fields, wait_until


@pytest.fixture
def manager(directory):
    with Manager(directory) as m:
        yield m


@pytest.fixture
def start(new_server, manager):
    """A server as the manager's service; waits until it serves."""
    def make(*words, watchdog=0, **more):
        options = manager.options(watchdog)
        options['env'].update(more.pop('env', {}))
        server = new_server(*words, **options, **more)
        return server.spawn(manager.fds()).start()
    return make


def write_app(directory, text: str):
    """An application app:application in the directory."""
    (directory / 'app.py').write_text(text)
    return {'cwd': directory}


HELLO = '''
def application(environ, start_response):
    start_response('200 OK', [('Content-Length', '5')])
    return [b'hello']
'''


# --- ready, reloading, stopping -----------------------------------------------------------------

def test_ready_comes_only_when_a_child_is_ready(new_server, manager, directory):
    place = write_app(directory, 'import os, time\n'
                                 'while not os.path.exists("go"): time.sleep(0.01)\n' + HELLO)
    server = new_server('app', '-w', '1', '--log-level', 'info', **place, **manager.options())
    server.spawn()
    server.log.wait_for('child pid .* started')
    manager.wait_for('STATUS', 'starting')
    assert not manager.values('READY')
    (directory / 'go').touch()
    manager.wait_for('READY')
    assert server.ready()
    server.start().stop()


def test_the_status_tells_workers_rate_and_the_last_reload(start, manager):
    server = start('hello:application', '-w', '2')
    server.wait_for_ready(2)
    with Connection(server.address) as client:
        for _ in range(50):
            assert client.get('/').status == 200
    # Looked at every five seconds.
    wait_until(lambda: any(re.fullmatch(r'2 workers: 0 busy, 2 idle; (?!0 )[\d.]+ requests/s', text)
                           for text in manager.values('STATUS')), 'a rate above 0')
    server.reload()
    manager.wait_for('STATUS', 'last reload at ')
    server.stop()


def test_an_unchanged_status_is_not_repeated(start, manager):
    start('hello:application', '-w', '1')
    manager.wait_for('STATUS', '1 worker: 0 busy, 1 idle; 0 requests/s')
    since = time.monotonic()
    time.sleep(6)  # longer than from one look to the next
    assert not manager.values('STATUS', since)


def test_a_reload_begins_and_ends_with_a_word(start, manager):
    server = start('hello:application', '-w', '2')
    server.wait_for_ready(2)
    before = time.monotonic()
    server.reload()
    begun = manager.wait_for('RELOADING')
    assert before * 1e6 <= int(begun.fields['MONOTONIC_USEC']) <= time.monotonic() * 1e6
    ready = manager.wait_for('READY', since=begun.time)
    assert re.search(r'; last reload at \d\d:\d\d:\d\d$', ready.fields['STATUS'])
    server.stop()


def test_a_reload_that_fails_is_ready_again_and_says_why(start, manager, directory):
    place = write_app(directory, HELLO)
    server = start('app', '-w', '1', **place)
    write_app(directory, 'raise RuntimeError("not today")\n')
    server.kill(signal.SIGHUP)
    begun = manager.wait_for('RELOADING')
    ready = manager.wait_for('READY', since=begun.time)
    assert re.search(r'last reload at \d\d:\d\d:\d\d failed: .*not today',
                     ready.fields['STATUS'])
    assert get(server.address).body == b'hello'
    server.stop()


def test_a_restart_is_over_when_a_child_serves_again(start, manager, directory):
    """Apache's, of which the old children do not live to see the end."""
    place = write_app(directory, HELLO)
    server = start('app', '-w', '1', '--signal-style', 'apache', '--log-level', 'info',
                   **place)
    gate = directory / 'gate'
    write_app(directory, f'import os, time\nwhile not os.path.exists({str(gate)!r}):\n'
                         f'    time.sleep(0.01)\n{HELLO}')
    server.kill(signal.SIGHUP)
    begun = manager.wait_for('RELOADING')
    server.log.wait_for('restarted: generation 2')
    server.log.wait_for(r'slot \d+, generation 2\) started')
    assert len(manager.values('READY')) == 1  # that of the start
    gate.touch()
    manager.wait_for('READY', since=begun.time)
    assert server.ready()
    server.stop()


def test_a_restart_that_fails_says_why(start, manager, directory):
    place = write_app(directory, HELLO)
    server = start('app', '-w', '1', '--signal-style', 'apache', '--log-level', 'info',
                   **place)
    write_app(directory, 'raise RuntimeError("not today")\n')
    server.kill(signal.SIGHUP)
    begun = manager.wait_for('RELOADING')
    ready = manager.wait_for('READY', since=begun.time)
    assert re.search(r'last reload at \d\d:\d\d:\d\d failed: .*not today',
                     ready.fields['STATUS'])
    board = server.board()['board']
    assert board['reload_result'] == 'failed' and 'not today' in board['reload_reason']
    server.stop()


def test_a_start_that_fails_says_why(new_server, manager, directory):
    place = write_app(directory, 'raise RuntimeError("not today")\n')
    server = new_server('app', '-w', '1', **place, **manager.options())
    assert server.fails() == 1
    assert 'not today' in manager.wait_for('STATUS', 'failed: ').fields['STATUS']
    # People see what was said last.
    manager.wait_for('STOPPING')
    assert 'not today' in manager.values('STATUS')[-1]
    assert not manager.values('READY')


def test_a_systemd_that_does_not_listen_holds_nothing_up(new_server, directory):
    """All services share its queue of messages.  What it should know it hears when it does."""
    path = str(directory / 'busy')
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as queue:
        queue.bind(path)
        with pytest.raises(BlockingIOError):
            while True:  # each from a socket of its own, whose buffer is not what is full
                with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
                    other.setblocking(False)
                    other.sendto(b'STATUS=of another service', path)
        server = new_server('hello', '-w', '1', env={'NOTIFY_SOCKET': path}).start()
        assert get(server.address).status == 200
        server.reload()
        assert get(server.address).status == 200

        queue.settimeout(PATIENCE)
        heard = []
        while heard.count('READY') < 2:
            heard.append(queue.recv(4096).decode().split('=')[0])
        assert [word for word in heard if word in ('READY', 'RELOADING')] == [
            'READY', 'RELOADING', 'READY']
        server.stop()


def test_stopping_is_said_with_what_is_being_finished(start, manager):
    server = start('probe', '-w', '1')
    with Connection(server.address) as slow:
        slow.send('GET /sleep?s=0.8 HTTP/1.1\r\nHost: t\r\n\r\n')
        server.log.wait_for('sleeping')
        server.kill(signal.SIGTERM)
        status = manager.wait_for('STOPPING').fields['STATUS']
        assert status == 'stopping: 1 request is being finished, within 30 s'
        assert slow.response().body == b'awake'
    assert server.ended() == 0


def test_patience_is_asked_for_while_it_starts_and_while_it_drains(new_server, manager,
                                                                  directory):
    place = write_app(directory, 'import os, time\n'
                                 'while not os.path.exists("go"): time.sleep(0.01)\n' + HELLO)
    server = new_server('app', '-w', '1', **place, **manager.options()).spawn()
    asked = manager.wait_for('EXTEND_TIMEOUT_USEC')
    # Again, before that is over.
    manager.wait_for('EXTEND_TIMEOUT_USEC', since=asked.time + 0.001)
    assert int(asked.fields['EXTEND_TIMEOUT_USEC']) > 5e6
    assert not manager.values('READY')
    (directory / 'go').touch()
    server.start()
    served = time.monotonic()
    server.stop()
    manager.wait_for('EXTEND_TIMEOUT_USEC', since=served)


# --- the journal ----------------------------------------------------------------------------------

# As systemd tells a program that its standard error is the journal.
TO_JOURNAL = ['/bin/sh', '-c',
              'JOURNAL_STREAM=$(stat -L -c %d:%i /dev/stderr) exec "$@"', 'sh']


def test_lines_have_priorities_and_no_time_where_the_journal_reads_them(new_server, directory):
    place = write_app(directory, 'import sys\nprint("from the app", file=sys.stderr)\n' + HELLO)
    server = new_server('app', '-w', '1', '--log-level', 'info', launcher=TO_JOURNAL, **place)
    server.spawn()
    server.start()
    pid, = server.children()
    server.stop()
    text = server.log.text()
    assert re.search(r'^<5>\[master:notice\] \[pid \d+\] wsgid/\S+ serves app', text, re.M)
    assert f'<6>[app:info] [pid {pid}] from the app\n' in text
    assert all(re.match('<[3-7]>\\[', line) for line in text.splitlines())


def test_lines_are_as_ever_where_somebody_else_reads_them(new_server):
    server = new_server('hello:application', '-w', '1', env={'JOURNAL_STREAM': '8:1'}).start()
    server.stop()
    assert not re.search(r'^<\d>', server.log.text(), re.M)


def test_a_mistake_in_the_configuration_has_a_priority_too(new_server, directory):
    (directory / 'bad.conf').write_text('Listn 80\n')
    server = new_server('-c', directory / 'bad.conf', bind=None, launcher=TO_JOURNAL)
    assert server.fails() == 78
    assert re.match('<3>wsgid: .*Listn', server.log.text())


# --- the watchdog -----------------------------------------------------------------------------

WATCHDOG = 1.2  # seconds; the server speaks three times in them

# A worker can be stuck in two ways: /hold waits in C for a lock that it has itself, and for ever,
# with the GIL, which PyDLL does not let go of; /sleep lets go of it.
STUCK = '''
import ctypes, os, time

def application(environ, start_response):
    path = environ['PATH_INFO']
    print('begun', path, os.getpid(), flush=True)
    if path == '/hold':
        c = ctypes.PyDLL(None)
        mutex = ctypes.create_string_buffer(128)
        c.pthread_mutex_init(mutex, None)
        c.pthread_mutex_lock(mutex)
        c.pthread_mutex_lock(mutex)
    if path == '/sleep':
        time.sleep(60)
    start_response('200 OK', [('Content-Length', '5')])
    return [b'hello']
'''


def stick(server, path: str, number: int = 2) -> list:
    """A request to each of the children that makes it stick."""
    clients = []
    for i in range(number):
        client = Connection(server.address)
        client.send(f'GET {path} HTTP/1.1\r\nHost: t\r\n\r\n')
        clients.append(client)
        wait_until(lambda: server.log.text().count(f'begun {path}') > i, 'the next one')
    return clients


def test_a_server_that_is_well_says_so_in_time(start, manager):
    server = start('hello:application', '-w', '2', watchdog=WATCHDOG)
    server.wait_for_ready(2)
    wait_until(lambda: len(manager.values('WATCHDOG')) >= 8, 'signs of life')
    times = [m.time for m in manager.messages() if 'WATCHDOG' in m.fields]
    # On a loaded machine one may be late, but not most of them.
    gaps = sorted(b - a for a, b in zip(times, times[1:]))
    assert gaps[len(gaps) // 2] < WATCHDOG / 2
    server.stop()


def test_a_server_says_nothing_of_a_watchdog_that_nobody_asked_for(start, manager):
    server = start('hello:application', '-w', '1')
    server.stop()
    assert not manager.values('WATCHDOG')


@pytest.mark.skipif(not has_gil(), reason='there is no GIL to hold')
def test_an_extension_that_holds_the_gil_in_all_children_ends_the_signs_of_life(
        start, manager, directory):
    server = start('app', '-w', '2', '--deadlock-timeout', '1s', watchdog=WATCHDOG,
                   **write_app(directory, STUCK))
    server.wait_for_ready(2)
    one = stick(server, '/hold', 1)
    time.sleep(1.5)  # longer than DeadlockTimeout: the other child is enough
    since = time.monotonic()
    manager.wait_for('WATCHDOG', since=since)
    two = stick(server, '/hold', 1)
    server.log.wait_for(r'master:error.* no child makes progress: of 2, 2 have not taken the '
                        r'GIL for 1 s \(DeadlockTimeout\)')
    # Where they are, in Python's words.
    wait_until(lambda: len(re.findall(r'app\.py", line \d+ in application',
                                      server.log.text())) >= 2, 'tracebacks')
    since = time.monotonic()
    time.sleep(WATCHDOG)
    assert not manager.values('WATCHDOG', since)
    # As systemd does now.
    server.seen_children.update(server.children())
    server.kill(signal.SIGABRT)
    server.process.wait(PATIENCE)
    for client in one + two:
        client.close()


def test_all_workers_in_a_long_sleep_are_no_deadlock(start, manager, directory):
    server = start('app', '-w', '2', '--deadlock-timeout', '1s', watchdog=WATCHDOG,
                   **write_app(directory, STUCK))
    server.wait_for_ready(2)
    clients = stick(server, '/sleep')
    time.sleep(1.5)  # longer than DeadlockTimeout
    manager.wait_for('WATCHDOG', since=time.monotonic())
    assert 'no child makes progress' not in server.log.text()
    for client in clients:
        client.close()
    server.kill(signal.SIGINT)
    assert server.ended() == 0


def test_all_workers_longer_in_their_requests_than_watchdog_request_time(
        start, manager, directory):
    server = start('app', '-w', '2', '--threads', '2', '--watchdog-request-time', '1s',
                   watchdog=WATCHDOG, **write_app(directory, STUCK))
    server.wait_for_ready(2)
    clients = stick(server, '/sleep', 3)
    time.sleep(1.5)  # longer than WatchdogRequestTime: the fourth worker is enough
    manager.wait_for('WATCHDOG', since=time.monotonic())
    clients += stick(server, '/sleep', 1)
    server.log.wait_for(r'no child makes progress: .* the workers of 2 are in requests of more '
                        r'than 1 s')
    since = time.monotonic()
    time.sleep(WATCHDOG)
    assert not manager.values('WATCHDOG', since)
    for client in clients:
        client.close()
    server.kill(signal.SIGINT)
    assert server.ended() == 0


@pytest.mark.parametrize('application', ['raise SystemExit(3)', 'import time; time.sleep(60)'],
                         ids=['crash', 'hang'])
def test_children_that_only_crash_or_hang_in_their_import_make_no_progress(
        start, manager, directory, application):
    server = start('app', '-w', '1', '--watchdog-request-time', '1s', watchdog=WATCHDOG,
                   **write_app(directory, HELLO))
    child, = server.wait_for_ready(1)
    good = directory / 'app.py'
    good.write_text(application)
    os.kill(child, signal.SIGKILL)
    server.log.wait_for(r'master:error.* no child has been ready for 1 s \(WatchdogRequestTime\)')
    since = time.monotonic()
    time.sleep(WATCHDOG)
    assert not manager.values('WATCHDOG', since)
    good.write_text(HELLO + '# mended')
    if 'sleep' in application:
        for pid in server.children():
            os.kill(pid, signal.SIGKILL)
    since = time.monotonic()
    server.log.wait_for('children make progress again')
    manager.wait_for('WATCHDOG', since=since)
    server.kill(signal.SIGINT)
    assert server.ended() == 0


def test_stopped_children_make_no_progress_until_they_go_on(start, manager):
    server = start('hello:application', '-w', '1', '--deadlock-timeout', '1s',
                   watchdog=WATCHDOG)
    child, = server.wait_for_ready(1)
    os.kill(child, signal.SIGSTOP)
    server.log.wait_for('no child makes progress')
    os.kill(child, signal.SIGCONT)
    since = time.monotonic()
    server.log.wait_for('children make progress again')
    manager.wait_for('WATCHDOG', since=since)
    server.stop()


def test_a_master_that_is_stopped_gives_no_sign(start, manager):
    server = start('hello:application', '-w', '1', watchdog=WATCHDOG)
    manager.wait_for('WATCHDOG')
    server.kill(signal.SIGSTOP)
    wait_until(lambda: stat_fields(server.pid)[0] == 'T', 'a stopped master')
    since = time.monotonic()
    time.sleep(WATCHDOG)
    assert not manager.values('WATCHDOG', since)
    server.kill(signal.SIGCONT)
    manager.wait_for('WATCHDOG', since=since)
    server.stop()


def test_the_new_master_of_an_upgrade_gives_the_signs(start, manager):
    server = start('hello:application', '-w', '1', watchdog=WATCHDOG)
    server.upgrade()
    since = time.monotonic()
    assert manager.wait_for('WATCHDOG', since=since).pid == server.master
    manager.wait_for('STATUS', '1 worker', since=since)
    server.stop()


UNTIL_GO = HELLO + """
import os, time
def application(environ, start_response, hello=application):
    print('begun', environ['PATH_INFO'], flush=True)
    while environ['PATH_INFO'] != '/' and not os.path.exists('go'):
        time.sleep(0.01)
    return hello(environ, start_response)
"""


@pytest.fixture
def two_masters(start, directory):
    """two_masters(OPTION...) gives a server whose old master waits for a request, the client of
    that, and the old master's pid; the file go lets the requests end."""
    clients = []

    def make(*words):
        server = start('app', '-w', '1', *words, **write_app(directory, UNTIL_GO))
        old = server.pid
        clients.append(Connection(server.address))
        clients[0].send('GET /old HTTP/1.1\r\nHost: t\r\n\r\n')
        server.log.wait_for('begun /old')
        server.kill(signal.SIGUSR2)
        server.master = int(server.log.wait_for(
            r'the new master, pid (\d+), has taken over')[1])
        return server, clients[0], old
    yield make
    for client in clients:
        client.close()


def test_the_new_master_of_an_upgrade_is_systemds_own_child_from_the_start(two_masters, manager,
                                                                         directory):
    """What is not its child systemd does not wait for at a stop."""
    server, client, old = two_masters()
    parent = stat_fields(old)[1]
    assert stat_fields(server.master)[1] == parent == str(os.getpid())
    # By both, whoever is heard; and once is enough.
    wait_until(lambda: manager.values('MAINPID') == [str(server.master)] * 2, 'the new pid')
    (directory / 'go').touch()
    assert client.response().body == b'hello'
    assert server.process.wait(PATIENCE) == 0
    server.stop()
    assert len(manager.values('MAINPID')) == 2


def test_a_stop_during_an_upgrade_finishes_what_both_masters_have(two_masters, directory):
    server, old_client, old = two_masters()
    with Connection(server.address) as client:
        client.send('GET /new HTTP/1.1\r\nHost: t\r\n\r\n')
        server.log.wait_for('begun /new')
        server.kill(signal.SIGTERM)
        server.log.wait_for(f'the old master, pid {old}, is waited for')
        (directory / 'go').touch()
        assert client.response().body == b'hello'
        assert old_client.response().body == b'hello'
    server.ended()
    assert server.process.returncode == 0


def test_a_stop_ends_the_old_master_too_when_its_time_is_over(two_masters):
    server, client, old = two_masters('--graceful-shutdown-timeout', '300ms')
    server.kill(signal.SIGTERM)
    assert client.is_closed()
    server.ended()
    assert not is_alive(old)


def test_a_second_stop_ends_both_masters_at_once(two_masters):
    server, client, old = two_masters('--graceful-shutdown-timeout', '300s')
    server.kill(signal.SIGTERM)
    server.log.wait_for('is waited for')
    server.kill(signal.SIGTERM)
    assert client.is_closed()
    server.ended()
    assert not is_alive(old)


def test_a_new_master_that_is_killed_leaves_the_old_one_to_go_on(start, directory):
    """Its end is seen though its parent is another process."""
    place = write_app(directory, HELLO + 'import os, time\n'
                      'while os.path.exists("wait"): time.sleep(0.01)\n')
    server = start('app', '-w', '1', '--log-level', 'info', **place)
    (directory / 'wait').touch()
    since = len(server.log.text())
    server.kill(signal.SIGUSR2)
    new, child = map(int, server.log.wait_for(
        r'\[pid (\d+)\] child pid (\d+) .* started', since=since).groups())
    os.kill(new, signal.SIGKILL)
    server.log.wait_for('upgrade failed, this master goes on: the new master ended before it was '
                        'ready$')
    (directory / 'wait').unlink()
    wait_until(lambda: not is_alive(child), 'the end of its child')
    assert get(server.address).body == b'hello'
    server.stop()


# --- sockets that are passed ------------------------------------------------------------------

@pytest.fixture
def activated(new_server, manager):
    """A server that has been started with the manager's sockets, and maybe does not serve."""
    def make(*words, **more):
        options = manager.options()
        options['env'].update(more.pop('env', {}))
        server = new_server('probe', '-w', '1', *words, bind=None, **options, **more)
        return server.spawn(manager.fds())
    return make


def test_without_a_listen_all_sockets_are_served(activated, manager, directory):
    one = manager.listen(('127.0.0.1', 0), 'http')
    two = manager.listen(('127.0.0.1', 0), 'admin')
    six = manager.listen(('::1', 0), 'six', socket.AF_INET6)
    path = directory / 'socket'
    manager.listen(str(path), 'local', socket.AF_UNIX)
    path.chmod(0o666)
    server = activated().start()
    for address in (one.getsockname(), two.getsockname(), six.getsockname()[:2], path):
        assert get(address, '/hello').body == b'hello\n'
    server.stop()
    assert path.exists()


def names_in(server) -> set:
    return {path.name for path in server.run_directory.iterdir()}


@pytest.mark.parametrize('place', ['port', 'path'])
def test_a_server_is_named_after_its_first_socket(activated, manager, directory, place):
    """Two of one user, neither with a configuration file, are not in each other's way."""
    if place == 'port':
        name = str(manager.listen(('127.0.0.1', 0), 'http').getsockname()[1])
    else:
        name = 'shop'
        manager.listen(str(directory / 'shop.sock'), 'http', socket.AF_UNIX)
    manager.listen(('127.0.0.1', 0), 'admin')
    server = activated().start()
    assert f'{name}.pid' in names_in(server) and '8000.pid' not in names_in(server)
    server.reload()
    done = subprocess.run([BUILD / 'wsgictl', '--run-directory', server.run_directory, '-n', name,
                           'status', '--json'], capture_output=True, text=True)
    assert done.returncode == 0 and f'"{name}"' in done.stdout, done.stderr
    server.stop()


def test_listen_lines_are_matched_by_address_and_by_name(activated, manager, directory):
    one = manager.listen(('127.0.0.1', 0), 'http')
    six = manager.listen(('::1', 0), 'six', socket.AF_INET6)
    manager.listen('\0wsgid-test-%d' % os.getpid(), 'abstract', socket.AF_UNIX)
    path = directory / 'socket'
    manager.listen(str(path), 'local', socket.AF_UNIX)
    server = activated('-b', '127.0.0.1:%d' % one.getsockname()[1],
                       '-b', '[::1]:%d' % six.getsockname()[1],
                       '-b', f'unix:{path}', '-b', 'fd:abstract').start()
    assert get(one.getsockname(), '/hello').body == b'hello\n'
    assert get(six.getsockname()[:2], '/hello').body == b'hello\n'
    server.stop()


def test_one_name_may_stand_for_several_sockets(activated, manager):
    sockets = [manager.listen(('127.0.0.1', 0), 'http') for _ in range(3)]
    server = activated('-b', 'fd:http').start()
    for s in sockets:
        assert get(s.getsockname(), '/hello').status == 200
    server.reload()
    assert get(sockets[2].getsockname(), '/hello').status == 200
    server.stop()


def test_a_socket_that_nobody_asked_for_gets_a_sentence(activated, manager):
    manager.listen(('127.0.0.1', 0), 'http')
    other = manager.listen(('127.0.0.1', 0), 'admin')
    server = activated('-b', 'fd:http')
    assert server.ended() == 78
    assert ('systemd passes a socket that no Listen asks for, 127.0.0.1:%d (admin)'
            % other.getsockname()[1]) in server.log.text()


def test_a_socket_that_is_missing_gets_a_sentence(activated, manager):
    there = manager.listen(('127.0.0.1', 0), 'http')
    server = activated('-b', 'fd:http', '-b', '127.0.0.1:9')
    assert server.ended() == 78
    assert ('Listen 127.0.0.1:9: systemd passes no such socket, but 127.0.0.1:%d (http)'
            % there.getsockname()[1]) in server.log.text()


def test_a_name_without_any_socket_gets_a_sentence(activated):
    server = activated('-b', 'fd:http')
    assert server.ended() == 78
    assert '-b: Listen fd:http: systemd passes no socket at all' in server.log.text()


def test_a_name_that_is_none_is_a_mistake(new_server):
    server = new_server('probe', bind='fd:')
    assert server.fails() == 2
    assert 'Listen fd:: a name is missing' in server.log.text()


def test_accept_yes_gets_a_sentence(activated, manager):
    with socket.create_server(('127.0.0.1', 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        manager.sockets.append((listener.accept()[0], 'connection'))
        server = activated()
        assert server.ended() == 78
        # Whatever the configuration is, which its instance does not have.
        server = activated('-c', '/nonexistent.conf')
        assert server.ended() == 78
        client.close()
    assert 'systemd passes "connection":' in server.log.text()
    assert 'use Accept=no in the socket unit' in server.log.text()


def test_a_port_of_the_environment_is_nothing_to_who_has_sockets(activated, manager):
    one = manager.listen(('127.0.0.1', 0), 'http')
    server = activated(env={'PORT': 'tcp://10.0.0.1:80'}).start()
    assert 'reload done: generation 2' in server.reload()
    server.upgrade()
    assert get(one.getsockname(), '/hello').status == 200
    server.stop()


def test_a_datagram_socket_gets_a_sentence(activated, manager):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(('127.0.0.1', 0))
    manager.sockets.append((s, 'udp'))
    server = activated()
    assert server.ended() == 78
    assert 'use ListenStream= in the socket unit' in server.log.text()


@pytest.mark.parametrize('fds, names, error', [
    ('abc', '', 'Invalid argument'), ('-1', '', 'Numerical result out of range|Invalid argument'),
    ('1', 'a:b', 'Invalid argument'), ('99999', '', 'Bad file descriptor')])
def test_words_that_describe_no_sockets_get_a_sentence(new_server, fds, names, error):
    server = new_server('hello:application', launcher=(
        '/bin/sh', '-c', f'LISTEN_PID=$$ LISTEN_FDS={fds} LISTEN_FDNAMES={names} exec "$@"', 'sh'))
    assert server.fails() == 78
    assert re.search(rf'LISTEN_FDS={fds} LISTEN_FDNAMES={names}: no sockets of a service manager '
                     rf'are described so \(({error})\); .* have to be unset', server.log.text())


def test_a_process_that_is_none_gets_a_sentence(new_server):
    server = new_server('hello:application', env={'LISTEN_PID': 'abc', 'LISTEN_FDS': '1'})
    assert server.fails() == 78
    assert ('LISTEN_PID=abc LISTEN_FDS=1 LISTEN_FDNAMES=(unset): no sockets of a service manager '
            'are described so (Invalid argument)') in server.log.text()


def test_no_word_of_the_environment_steers_a_terminal(new_server):
    server = new_server('hello:application', env={
        'LISTEN_FDS': '1', 'LISTEN_FDNAMES': 'a:\x1b[2J\u202eb'},
        launcher=('/bin/sh', '-c', 'LISTEN_PID=$$ exec "$@"', 'sh'))
    assert server.fails() == 78
    assert 'LISTEN_FDNAMES=a:?[2J?b: no sockets' in server.log.text()


def test_sockets_of_another_process_are_not_taken(new_server):
    with socket.create_server(('127.0.0.1', 0)) as listener:
        launcher = ['/bin/sh', '-c', 'LISTEN_PID=1 LISTEN_FDS=1 exec "$@" 3<&0', 'sh']
        server = new_server('probe', '-w', '1', launcher=launcher, stdin=listener).start()
        assert server.address != listener.getsockname()
        assert re.search(r'warn\].* LISTEN_PID is 1, and this is process \d+: the sockets that '
                         r'systemd passes are not taken', server.log.text())
        server.stop()


def test_a_reload_that_asks_for_a_socket_that_is_not_there_fails(activated, manager, directory):
    one = manager.listen(('127.0.0.1', 0), 'http')
    config = directory / 'shop.conf'
    config.write_text('Listen fd:http\n')
    server = activated('-c', config).start()
    config.write_text('Listen fd:http\nListen fd:more\n')
    assert f'{config}:2: Listen fd:more: systemd passes no such socket' in server.reload()
    assert get(one.getsockname(), '/hello').status == 200
    server.stop()


def test_an_upgrade_keeps_the_names(activated, manager):
    one = manager.listen(('127.0.0.1', 0), 'http')
    server = activated('-b', 'fd:http').start()
    server.upgrade()
    assert get(one.getsockname(), '/hello').status == 200
    server.reload()
    assert get(one.getsockname(), '/hello').status == 200
    server.stop()


# --- what systemd keeps for the next start ----------------------------------------------------

@pytest.fixture
def kept(new_server, manager):
    """kept(server) starts it again, as systemd does, with what it has given to keep; without one
    it starts the first."""
    def make(*words, server=None, **more):
        options = manager.options()
        if server is None:
            server = new_server(*words, **options, **more)
        else:
            server.launcher, server.master = options['launcher'], None
            server.words = [str(word) for word in words] or server.words
        server.spawn(manager.fds()).start()
        # The last thing that is given away.
        wait_until(lambda: 'wsgid.canary' in names_kept(manager), 'a full store')
        return server
    return make


def names_kept(manager) -> list:
    manager.forget_hung_up()
    return sorted(name for _fd, name in manager.store)


def end(server, signum, status: int):
    server.seen_children.update(server.children())
    server.kill(signum)
    assert server.process.wait(PATIENCE) == status
    server.log.wait_for_end()


def test_the_backlog_survives_a_restart(kept, manager):
    server = kept('hello:application', '-w', '1')
    address = server.address
    end(server, signal.SIGTERM, 0)
    # Nobody is there, and nobody is turned away.
    with Connection(address) as early:
        early.send('GET / HTTP/1.1\r\nHost: t\r\n\r\n')
        again = kept(server=server)
        assert early.response().status == 200
    assert again.address == address
    again.stop()


def test_clients_that_come_while_it_drains_wait_for_the_next(kept, manager):
    server = kept('probe', '-w', '1')
    address = server.address
    with Connection(address) as slow:
        slow.send('GET /sleep?s=0.8 HTTP/1.1\r\nHost: t\r\n\r\n')
        server.log.wait_for('sleeping')
        server.kill(signal.SIGTERM)
        server.log.wait_for('stopping gracefully')
        early = Connection(address)
        early.send('GET /hello HTTP/1.1\r\nHost: t\r\n\r\n')
        assert slow.response().body == b'awake'
    assert server.process.wait(PATIENCE) == 0
    again = kept(server=server)
    assert early.response().body == b'hello\n'
    early.close()
    again.stop()


def test_counters_survive_a_restart(kept, manager):
    server = kept('hello:application', '-w', '2')
    for _ in range(5):
        assert get(server.address).status == 200
    begun = server.board()['board']['start_us']
    end(server, signal.SIGTERM, 0)
    kept(server=server)
    assert get(server.address).status == 200
    totals = server.board()['totals']
    assert (totals['requests'], totals['connections']) == (6, 6)
    assert server.board()['board']['counted_us'] == begun
    assert server.board()['durations']['total']['count'] == 6
    end(server, signal.SIGTERM, 0)
    kept(server=server)
    assert server.board()['totals']['requests'] == 6
    server.stop()


def test_backlog_and_counters_survive_a_crash_of_the_master(kept, manager):
    server = kept('hello:application', '-w', '2')
    address = server.address
    for _ in range(5):
        assert get(address).status == 200
    wait_until(lambda: server.board()['totals']['requests'] == 5, 'the count')
    end(server, signal.SIGKILL, -signal.SIGKILL)
    with Connection(address) as early:
        early.send('GET / HTTP/1.1\r\nHost: t\r\n\r\n')
        kept(server=server)
        assert early.response().status == 200
    assert server.address == address
    wait_until(lambda: server.board()['totals']['requests'] == 6, 'all that was counted')
    server.stop()


def test_a_socket_file_survives_a_restart(kept, manager, directory):
    path = directory / 'socket'
    server = kept('probe', '-w', '1', bind=f'unix:{path}')
    end(server, signal.SIGTERM, 0)
    with Connection(path) as early:
        early.send('GET /hello HTTP/1.1\r\nHost: t\r\n\r\n')
        kept(server=server)
        assert early.response().body == b'hello\n'
    server.stop()


def test_a_listen_that_has_changed_gets_its_port(kept, manager):
    server = kept('hello:application', '-w', '1')
    port = server.port
    end(server, signal.SIGTERM, 0)
    server.bind = f'0.0.0.0:{port}'
    kept(server=server)
    assert get(('127.0.0.1', port)).status == 200
    assert names_kept(manager) == ['wsgid.board', 'wsgid.canary',
                                   f'wsgid.listen.-1.0.0.0.0%3a{port}']
    server.stop()


def test_what_is_kept_follows_a_reload(kept, manager, directory):
    config = directory / 'shop.conf'
    config.write_text('Listen 127.0.0.1:0\n')
    server = kept('-c', config, 'hello:application', '-w', '1', bind=None)
    assert 'wsgid.listen.-1.127.0.0.1%3a0' in names_kept(manager)
    path = directory / 'socket'
    config.write_text(f'Listen unix:{path}\n')
    server.reload()
    wait_until(lambda: names_kept(manager) == [
        'wsgid.board', 'wsgid.canary', f'wsgid.listen.-1.unix%3a{path}'], 'another store')
    server.stop()


def test_what_is_kept_follows_an_upgrade(kept, manager):
    server = kept('hello:application', '-w', '1')
    assert get(server.address).status == 200
    since = time.monotonic()
    server.upgrade()
    manager.wait_for('FDNAME', 'wsgid.canary', since=since)
    wait_until(lambda: len(names_kept(manager)) == 3, 'one of each')
    with Connection(server.address) as parked:
        assert parked.get('/').status == 200
        server.stop()
    kept(server=server)
    assert get(server.address).status == 200
    server.stop()


def test_each_bucket_has_its_socket_kept(kept, manager):
    if os.cpu_count() < 2:
        pytest.skip('one CPU is one bucket')
    server = kept('hello:application', '--start-servers', '4', '--listen-cores-buckets-ratio', '1',
                  '--max-request-workers', '8')
    sockets = [name for name in names_kept(manager) if 'listen' in name]
    assert len(sockets) == os.cpu_count()
    port = server.port
    end(server, signal.SIGTERM, 0)
    kept(server=server)
    assert server.port == port
    for _ in range(20):
        assert get(server.address).status == 200
    server.stop()


def test_where_nothing_is_kept_nobody_is_let_in_while_it_drains(new_server, directory):
    place = directory / 'manager'
    place.mkdir()
    with Manager(place, keeps=False) as manager:
        server = new_server('probe', '-w', '1', '--log-level', 'info', **manager.options())
        server.spawn().start()
        server.log.wait_for('systemd keeps no descriptors .* FileDescriptorStoreMax=3')
        with Connection(server.address) as slow:
            slow.send('GET /sleep?s=0.8 HTTP/1.1\r\nHost: t\r\n\r\n')
            server.log.wait_for('sleeping')
            server.kill(signal.SIGTERM)
            wait_until(lambda: refused(server.address), 'refused connections')
            assert slow.response().body == b'awake'
        assert server.ended() == 0


def test_the_application_hears_nothing_of_it(start, directory):
    server = start('app', '-w', '1', env={'FDSTORE': '64'}, **write_app(directory, '''
import os

def application(environ, start_response):
    body = '\\n'.join(sorted(os.environ)).encode()
    start_response('200 OK', [('Content-Length', str(len(body)))])
    return [body]
'''))
    names = get(server.address).body.decode().split('\n')
    assert not [name for name in names if name.startswith(
        ('NOTIFY_', 'LISTEN_', 'WATCHDOG_', 'FDSTORE'))]
    server.stop()


# --- clients of a restart ---------------------------------------------------------------------

@pytest.mark.parametrize('workers', [('-w', '2'), ('-w', '1', '--threads', '2')],
                         ids=['prefork', 'worker'])
def test_keep_alive_clients_of_a_restart_lose_nothing(new_server, manager, workers):
    listener = manager.listen(('127.0.0.1', 0), 'http', backlog=128)
    clients = [Loop(listener.getsockname()) for _ in range(8)]
    for _ in range(3):
        server = new_server('probe', *workers, bind=None, **manager.options())
        server.spawn(manager.fds()).start()
        before = [client.answers for client in clients]
        wait_until(lambda: all(client.answers > n + 3 or client.wrong
                               for client, n in zip(clients, before)), 'answers to all')
        server.kill(signal.SIGTERM)
        assert server.ended() == 0
    for client in clients:
        client.stopping = True
    server = new_server('probe', '-w', '1', bind=None, **manager.options())
    server.spawn(manager.fds()).start()
    for client in clients:
        client.join(PATIENCE)
    server.stop()
    assert [client.wrong for client in clients] == [[]] * len(clients)
    assert all(client.ends >= 3 for client in clients)


def test_who_has_long_been_idle_does_not_delay_a_stop(start):
    server = start('probe', '-w', '1', '--accept-filter', 'none')
    with Connection(server.address) as client, Connection(server.address) as silent:
        assert client.get('/hello').status == 200
        time.sleep(1.1)  # longer than one who may not have heard of the stop is waited for
        since = time.monotonic()
        server.kill(signal.SIGTERM)
        assert client.is_closed() and silent.is_closed()
        assert time.monotonic() - since < 0.8
    assert server.ended() == 0


# --- IdleExit -----------------------------------------------------------------------------------

def test_idle_exit_ends_and_the_next_connection_starts_it_again(activated, manager):
    listener = manager.listen(('127.0.0.1', 0), 'http')
    server = activated('--idle-exit', '1s').start()
    with Connection(listener.getsockname()) as parked:
        assert parked.get('/hello').status == 200
        # A connection that is only kept is no reason to stay, and is closed as by its timeout.
        assert server.ended() == 0
        assert parked.is_closed()
    assert 'nothing to do for 1 s (IdleExit): stopping gracefully' in server.log.text()
    assert manager.wait_for('STOPPING')
    with Connection(listener.getsockname()) as early:
        early.send('GET /hello HTTP/1.1\r\nHost: t\r\n\r\n')
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        assert poll.poll(PATIENCE * 1000)  # what systemd starts it for
        again = activated('--idle-exit', '60s').start()
        assert early.response().body == b'hello\n'
    again.stop()


def test_idle_exit_waits_for_requests_and_for_clients_that_send_one(activated, manager):
    listener = manager.listen(('127.0.0.1', 0), 'http')
    server = activated('--idle-exit', '1s').start()
    with Connection(listener.getsockname()) as slow, Connection(listener.getsockname()) as half:
        slow.send('GET /sleep?s=2.5 HTTP/1.1\r\nHost: t\r\n\r\n')
        assert slow.response().body == b'awake'
        half.send('GET /hello HTTP/1.1\r\n')
        time.sleep(2)
        half.send('Host: t\r\n\r\n')
        assert half.response().status == 200
        assert 'IdleExit' not in server.log.text()
    assert server.ended() == 0


def test_idle_exit_is_ignored_where_nobody_would_start_it_again(serve):
    server = serve('hello:application', '-w', '1', '--idle-exit', '200ms')
    assert re.search(r'warn\].* IdleExit is for sockets that systemd passes', server.log.text())
    time.sleep(1)
    assert get(server.address).status == 200
    server.stop()


# --- ErrorLog journald ------------------------------------------------------------------------

def with_journal(directory) -> list:
    """A launcher for which directory is /run/systemd/journal; skips where that cannot be."""
    launcher = ['unshare', '--mount', '--propagation', 'private', '/bin/sh', '-c',
                'mount -t tmpfs none /run && mkdir -p /run/systemd/journal && '
                f'mount --bind {directory} /run/systemd/journal && exec "$@"', 'sh']
    if subprocess.run([*launcher, 'true'], capture_output=True).returncode != 0:
        pytest.skip('a mount namespace of its own is not permitted here')
    return launcher


def records(journal) -> list:
    found = []
    while True:
        try:
            text = journal.recv(65536).decode()
        except BlockingIOError:
            return found
        found.append(dict(line.split('=', 1) for line in text.splitlines()))


def test_error_log_journald_writes_records_with_fields(new_server, directory):
    journal_directory = directory / 'journal'
    journal_directory.mkdir()
    launcher = with_journal(journal_directory)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        journal.bind(str(journal_directory / 'socket'))
        journal.setblocking(False)
        server = new_server('probe', '-w', '1', '--error-log', 'journald', launcher=launcher)
        server.spawn()
        seen = []
        wait_until(lambda: seen.extend(records(journal)) or len(seen) >= 2, 'two records')
        child, = wait_until(server.ready, 'a child')
        server.kill(signal.SIGTERM)
        assert server.ended() == 0
        seen += records(journal)
    first = seen[0]
    assert 'serves probe at' in first['MESSAGE']
    assert (first['PRIORITY'], first['SYSLOG_IDENTIFIER']) == ('5', 'wsgid')
    assert (first['WSGID_PART'], first['OBJECT_PID']) == ('master', str(server.process.pid))
    assert child and seen[-1]['MESSAGE'] == 'stopped'
    assert 'CODE_FILE' not in first
    assert 'serves' not in server.log.text()


def test_error_log_journald_without_a_journal_gets_a_sentence(new_server, directory):
    empty = directory / 'empty'
    empty.mkdir()
    server = new_server('probe', '-w', '1', '--error-log', 'journald',
                        launcher=with_journal(empty))
    assert server.fails() == 78
    assert 'ErrorLog journald: there is no journal at /run/systemd/journal/socket' \
        in server.log.text()


# --- the units ----------------------------------------------------------------------------------

def calls_of(word: str) -> set:
    """What systemd understands by a word of SystemCallFilter=."""
    if not word.startswith('@'):
        return {word}
    lines = subprocess.run([need('systemd-analyze'), 'syscall-filter', word], check=True,
                           capture_output=True, text=True).stdout.splitlines()[1:]
    words = [line.strip() for line in lines if line.strip() and line.strip()[0] != '#']
    return set().union(*map(calls_of, words))


@pytest.mark.parametrize('unit', ['wsgid.service', 'wsgid@.service'])
def test_the_units_allow_files_to_be_given_to_groups_and_no_more(unit):
    allowed = set()
    for line in (ROOT / 'etc' / 'systemd' / unit).read_text().splitlines():
        name, _, words = line.partition('=')
        if name != 'SystemCallFilter':
            continue
        calls = set().union(*map(calls_of, words.lstrip('~').split()))
        allowed = allowed - calls if words.startswith('~') else allowed | calls
    assert {'lchown', 'fchown', 'fchownat', 'io_uring_setup'} <= allowed
    assert not allowed & {'setuid', 'capset', 'setpriority', 'mount'}
