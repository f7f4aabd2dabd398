"""The master is killed: its children leave the port at once, and finish what they have."""

import os
import signal
import socket
import subprocess
import time

import pytest

from client import Connection, get, refused
from server import PATIENCE, PYTHON, free_port, freeze, is_alive, wait_until

AT_ONCE = 0.1
TRIES = 5  # a loaded machine may delay any of them, but not all: the best one counts

either_way = pytest.mark.usefixtures('preload')

APP = '''
import os, time
if os.path.exists('slow'):
    print('importing', flush=True)
    time.sleep(8)
def application(environ, start_response):
    print('begun', flush=True)
    end = time.monotonic() + 1.5
    if environ['PATH_INFO'] == '/spin':
        while time.monotonic() < end:
            pass
    elif environ['PATH_INFO'] == '/sleep':
        time.sleep(1.5)
    elif environ['PATH_INFO'] == '/stuck':
        while True:
            time.sleep(60)
    start_response('200 OK', [('Content-Length', '4')])
    return [b'done']
'''


@pytest.fixture
def start(new_server, directory):
    (directory / 'busy.py').write_text(APP)

    def start(*words, **more):
        return new_server('busy', *words, cwd=directory, **more).start()
    return start


def can_listen(address) -> bool:
    """As every server tries it."""
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(address)
            s.listen()
        except OSError:
            return False
    return True


def kill_master(server):
    server.seen_children.update(server.children())
    server.kill(signal.SIGKILL)


def until_free(server) -> float:
    """Seconds from the death of the master until another one could listen."""
    assert not can_listen(server.address)
    begin = time.monotonic()
    kill_master(server)
    while not can_listen(server.address):
        assert time.monotonic() - begin < PATIENCE
    return time.monotonic() - begin


def wait_for_children(server):
    wait_until(lambda: not any(map(is_alive, server.seen_children)), 'the end of the children')


@pytest.mark.parametrize('path, engine, workers, preload', [
    ('/sleep', 'io_uring', 3, 'On'), ('/spin', 'io_uring', 1, 'Off'),
    ('/sleep', 'epoll', 1, 'Off'), ('/spin', 'epoll', 3, 'On')])
def test_busy_children_give_up_their_listener_within_100_ms(start, path, engine, workers, preload):
    """They finish their requests all the same, and leave."""
    took = []
    while not took or (min(took) > AT_ONCE and len(took) < TRIES):
        server = start('-w', workers, '--io-engine', engine, '--preload', preload)
        server.wait_for_ready(workers)
        clients = [Connection(server.address) for _ in range(workers)]
        for client in clients:
            client.send(f'GET {path} HTTP/1.1\r\nHost: t\r\n\r\n')
        wait_until(lambda: server.log.text().count('begun') == workers, 'busy children')
        took.append(until_free(server))
        for client in clients:
            assert client.response().body == b'done'
            assert client.is_closed()
            client.close()
        wait_for_children(server)
    assert min(took) <= AT_ONCE


@either_way
def test_who_never_finishes_is_gone_with_graceful_shutdown_timeout(start):
    server = start('-w', '2', '--graceful-shutdown-timeout', '1s')
    server.wait_for_ready(2)
    with Connection(server.address) as stuck:
        stuck.send('GET /stuck HTTP/1.1\r\nHost: t\r\n\r\n')
        server.log.wait_for('begun')
        begin = time.monotonic()
        kill_master(server)
        wait_for_children(server)
        assert time.monotonic() - begin > 1


@either_way
def test_idle_children_do_too_with_several_listeners(start):
    took = []
    while not took or (min(took) > AT_ONCE and len(took) < TRIES):
        server = start('-w', '2', '-b', '127.0.0.2:0')
        server.wait_for_ready(2)
        took.append(until_free(server))
        wait_for_children(server)
    assert min(took) <= AT_ONCE


@either_way
def test_a_process_that_imports_gives_up_its_listener_too(start, directory):
    """A child, or a template."""
    took = []
    while not took or (min(took) > AT_ONCE and len(took) < TRIES):
        server = start('-w', '1')
        child, = server.wait_for_ready(1)
        (directory / 'slow').touch()
        os.kill(server.board()['board']['template_pid'] or child, signal.SIGKILL)
        server.log.wait_for('importing')
        took.append(until_free(server))
        (directory / 'slow').unlink()
        server.discard()
    assert min(took) <= AT_ONCE


@either_way
def test_a_new_master_starts_at_once_on_the_same_pid_file_and_socket(start, directory):
    path, pid_file = directory / 'socket', directory / 'server.pid'
    server = start('-w', '1', '--pid-file', pid_file, '-b', f'unix:{path}')
    server.wait_for_ready(1)
    with Connection(server.address) as client:
        client.send('GET /sleep HTTP/1.1\r\nHost: t\r\n\r\n')
        server.log.wait_for('begun')
        kill_master(server)
        server.process.wait(PATIENCE)
        again = start('-w', '1', '--pid-file', pid_file, '-b', f'unix:{path}',
                      bind='%s:%d' % server.address)
        assert get(again.address).body == b'done'
        assert get(path).body == b'done'
        assert client.response().body == b'done'
    wait_for_children(server)
    assert int(pid_file.read_text()) == again.pid
    again.stop()
    assert not path.exists() and not pid_file.exists()


def test_sockets_that_systemd_passes_stay_open_for_the_next_master(start, directory):
    with socket.create_server(('127.0.0.1', 0)) as listener:
        launcher = ['/bin/sh', '-c',
                    'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3<&0', 'sh']
        server = start('-w', '1', bind=None, launcher=launcher, stdin=listener)
        server.wait_for_ready(1)
        kill_master(server)
        wait_for_children(server)
        assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
        with Connection(listener.getsockname()) as early:
            early.send('GET / HTTP/1.1\r\nHost: t\r\n\r\n')
            again = start('-w', '1', bind=None, launcher=launcher, stdin=listener)
            assert early.response().body == b'done'
        again.stop()
        assert not refused(listener.getsockname())


# --- what a killed server has left ----------------------------------------------------------

@pytest.fixture
def leftover(start):
    """A server that was killed, and its child, which is stopped and so leaves nothing.  Any
    process beside it, a template too, would shut the listener that they share."""
    server = start('-w', '1')
    child, = server.wait_for_ready(1)
    freeze(child)
    kill_master(server)
    server.process.wait(PATIENCE)
    yield server, child
    if is_alive(child):
        os.kill(child, signal.SIGCONT)
        wait_for_children(server)


def test_a_new_master_waits_for_the_children_of_the_old_and_says_for_whom(new_server, leftover):
    old, child = leftover
    server = new_server('busy', '-w', '1', bind='%s:%d' % old.address, cwd=old.cwd).spawn()
    server.log.wait_for(rf'pid {child} \(wsgid: child 0 \[\S+\]\), left behind .* waiting')
    os.kill(child, signal.SIGCONT)
    server.start()
    assert get(server.address).body == b'done'
    server.stop()


def test_a_process_that_shows_nothing_of_itself_is_ending_and_waited_for(new_server, directory):
    """What a child is for a moment, when its memory has gone and its sockets have not."""
    (directory / 'busy.py').write_text(APP)
    port = free_port()
    with subprocess.Popen([''], executable=PYTHON, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True, cwd=directory) as ending:
        ending.stdin.write('import signal, socket\n'
                           f's = socket.create_server(("127.0.0.1", {port}))\n'
                           'print("listens", flush=True)\nsignal.pause()\n')
        ending.stdin.close()
        assert ending.stdout.readline() == 'listens\n'
        server = new_server('busy', '-w', '1', bind=f'127.0.0.1:{port}', cwd=directory).spawn()
        server.log.wait_for(rf'pid {ending.pid} \(ending\), left behind .* waiting')
        ending.kill()
    server.start()
    assert get(server.address).body == b'done'
    server.stop()


def test_it_gives_up_after_three_seconds_and_says_who_is_in_its_way(new_server, leftover):
    old, child = leftover
    begin = time.monotonic()
    server = new_server('busy', '-w', '1', bind='%s:%d' % old.address, cwd=old.cwd)
    assert server.fails() == 1
    assert time.monotonic() - begin > 2.9
    assert f'(pid {child})' in server.log.text().splitlines()[-1]


def test_it_can_be_stopped_while_it_waits(new_server, leftover):
    old, _ = leftover
    server = new_server('busy', '-w', '1', bind='%s:%d' % old.address, cwd=old.cwd).spawn()
    server.log.wait_for('waiting')
    begin = time.monotonic()
    server.kill(signal.SIGTERM)
    assert server.ended() == 1
    assert time.monotonic() - begin < 2


def test_nobody_waits_for_another_program(new_server, directory):
    with socket.create_server(('127.0.0.1', 0)) as other:
        server = new_server('busy', bind='127.0.0.1:%d' % other.getsockname()[1], cwd=directory)
        assert server.fails() == 1
    assert 'waiting' not in server.log.text() and 'in use by' in server.log.text()


def test_who_cannot_be_seen_is_waited_for_and_said_once(new_server, directory):
    # A socket that is on its way in a message is in no process's table.
    here, there = socket.socketpair()
    with here, there:
        with socket.create_server(('127.0.0.1', 0)) as hidden:
            address = '127.0.0.1:%d' % hidden.getsockname()[1]
            socket.send_fds(here, [b'x'], [hidden.fileno()])
        server = new_server('busy', bind=address, cwd=directory)
        assert server.fails() == 1
    waiting, last = server.log.text().splitlines()
    assert 'by whom cannot be seen' in waiting and 'trying for 3 s' in waiting
    assert f'Listen {address}: in use by another program' in last
    assert server.log.text().count('another program') == 1
