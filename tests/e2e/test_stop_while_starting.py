"""A stop while a server starts, or the one that is to take its place by an upgrade.

What is to come first is held: an import until a file is gone, and a master by SIGSTOP.  An order
that came before a child was ready is read first.
"""

import os
import signal
import socket
import subprocess

import pytest

from client import refused
from server import (BUILD, PATIENCE, children_of, freeze, is_alive, status_of, title_of,
                    wait_until)

APP = '''
import atexit, os, time
print('importing', flush=True)
atexit.register(time.sleep, 0.5)
while os.path.exists('hold'):
    time.sleep(0.01)
def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    while not os.path.exists('go'):
        time.sleep(0.01)
        yield b'.'
    yield b'done'
'''


@pytest.fixture
def hold(directory):
    """As long as the file exists imports last."""
    (directory / 'app.py').write_text(APP)
    return directory / 'hold'


@pytest.fixture
def new(new_server, directory, hold):
    def make(*words, **more):
        return new_server('app', '-w', '1', '--log-level', 'info', *words, cwd=directory, **more)
    return make


@pytest.fixture
def listener():
    """A socket as systemd passes it: others go on with it."""
    with socket.create_server(('127.0.0.1', 0)) as listener:
        yield listener


def passed(listener) -> dict:
    return {'bind': None, 'stdin': listener,
            'launcher': ['sh', '-c', 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3<&0', 'sh']}


def begin_upgrade(server, hold):
    """The wsgictl that asks for it, and the new master, whose child imports."""
    own, = server.wait_for_ready(1)
    hold.touch()
    since = len(server.log.text())
    control = subprocess.Popen(
        [BUILD / 'wsgictl', '--run-directory', server.run_directory, 'upgrade'], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    server.log.wait_for('importing', since=since)
    new, = set(children_of(server.pid)) - {own}
    server.seen_children.update({own, new, *children_of(new)})
    return control, new


# --- the new master takes over ------------------------------------------------------------------

@pytest.mark.parametrize('signum', [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize('first', ['order', 'new master'])
def test_a_new_master_that_has_taken_over_unheard_is_stopped_with_the_old_one(
        new, hold, signum, first):
    """Whichever was first.  Each waited for the other, until the time to finish requests was
    over; and what both were told once, each told the other once more."""
    server = new().start()
    control, successor = begin_upgrade(server, hold)
    freeze(server.pid)
    if first == 'order':
        server.kill(signum)
    hold.unlink()
    wait_until(lambda: title_of(successor).startswith('wsgid: master'), 'it to take over')
    if first != 'order':
        server.kill(signum)
    server.kill(signal.SIGCONT)
    out, err = control.communicate(timeout=PATIENCE)
    assert (control.returncode, err) == (0, '') and 'upgrade done' in out
    server.master = successor
    assert server.ended() == 0
    said = server.log.text()
    words = ['gracefully', 'at once'][:: 1 if signum == signal.SIGTERM else -1]
    assert [said.count(f'stopping {word}') for word in words] == [2, 0]
    assert 'SIGKILL' not in said and said.endswith('stopped\n')


@pytest.mark.parametrize('order', ['stop', 'stop now', 'graceful-stop'])
def test_who_asks_the_old_master_for_a_stop_is_told_to_ask_the_new_one(new, hold, order):
    server = new().start()
    control, successor = begin_upgrade(server, hold)
    path, = server.run_directory.glob('*.ctl')
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        freeze(server.pid)
        hold.unlink()
        wait_until(lambda: title_of(successor).startswith('wsgid: master'), 'it to take over')
        client.sendall(order.encode() + b'\n')
        server.kill(signal.SIGCONT)
        assert client.recv(1000).startswith(b'error a%20new%20master%20has%20taken%20over')
    assert control.wait(PATIENCE) == 0
    server.master = successor
    done = subprocess.run([BUILD / 'wsgictl', '--run-directory', server.run_directory,
                           *order.replace('now', '--now').split()], capture_output=True)
    assert done.returncode == 0, done
    server.assert_nothing_left()


def test_a_new_master_that_is_killed_in_a_stop_leaves_nothing(new, hold):
    server = new().start()
    control, successor = begin_upgrade(server, hold)
    freeze(successor)
    child, = children_of(successor)
    server.kill(signal.SIGTERM)
    server.log.wait_for('SIGTERM: stopping gracefully')
    os.kill(successor, signal.SIGKILL)
    hold.unlink()
    wait_until(lambda: not is_alive(child), 'the end of its child')
    assert server.ended() == 0
    assert 'the server is being stopped' in control.communicate(timeout=PATIENCE)[1]


# --- nobody knows yet that the child serves -----------------------------------------------------

class Client:
    """It has asked a child that is about to be ready, and is being answered."""

    def __init__(self, address):
        self.socket = socket.create_connection(address, PATIENCE)
        self.socket.sendall(b'GET / HTTP/1.0\r\n\r\n')
        self.answer = b''
        self.hear(1)

    def hear(self, pieces: int):
        """So many more: between one and the next the child looks what it is told."""
        end = self.answer.count(b'.') + pieces
        while self.answer.count(b'.') < end:
            more = self.socket.recv(1000)
            assert more, f'cut off behind {self.answer}'
            self.answer += more

    def assert_finished(self):
        while more := self.socket.recv(1000):
            self.answer += more
        assert self.answer.endswith(b'done')
        self.socket.close()


def has_pending(pid: int, signum) -> bool:
    return bool(int(status_of(pid)['ShdPnd'], 16) >> signum - 1 & 1)


def let_finish(server, client, directory, stops):
    """Who was told to stop hears it now, and does not cut off what has begun; not when the time
    is over, either, that a child has which imports."""
    wait_until(lambda: server.log.text().count(': stopping gracefully') == stops, 'the stop')
    client.hear(50)
    (directory / 'go').touch()
    client.assert_finished()
    assert server.ended() == 0
    assert 'stopping at once' not in server.log.text()


@pytest.mark.usefixtures('mpm')
def test_a_stop_at_the_end_of_the_start_lets_the_first_requests_finish(new, hold, listener,
                                                                      directory):
    hold.touch()
    server = new(**passed(listener)).spawn()
    server.log.wait_for('importing')
    freeze(server.pid)
    server.kill(signal.SIGTERM)
    hold.unlink()
    client = Client(listener.getsockname())
    server.kill(signal.SIGCONT)
    let_finish(server, client, directory, 1)
    assert not refused(listener.getsockname())


@pytest.mark.usefixtures('mpm')
@pytest.mark.parametrize('style, signum', [('wsgid', signal.SIGTERM), ('apache', signal.SIGWINCH)])
def test_a_stop_lets_the_first_requests_of_a_new_master_finish(
        new, hold, listener, directory, style, signum):
    server = new('--signal-style', style, **passed(listener)).start()
    control, successor = begin_upgrade(server, hold)
    freeze(successor)
    server.kill(signum)
    wait_until(lambda: has_pending(successor, signal.SIGTERM), 'the new master to be told')
    hold.unlink()
    client = Client(listener.getsockname())
    os.kill(successor, signal.SIGCONT)
    let_finish(server, client, directory, 2)
    assert 'the server is being stopped' in control.communicate(timeout=PATIENCE)[1]
    assert control.returncode == 1
