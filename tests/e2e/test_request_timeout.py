"""RequestTimeout: a request that takes too long is explained, and its child replaced."""

import concurrent.futures
import contextlib
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

import wsgictl
from client import Connection, get
from server import BUILD, has_gil, is_alive, wait_until

any_children = pytest.mark.usefixtures('any_children')

APP = '''
import re
import time

def backtrack(seconds):
    print('keeping it', flush=True)
    re.match('(a+)+$', 'a' * 40 + 'b')  # for years

def deep_inside(seconds):
    time.sleep(seconds)

def spin(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass

def chat(seconds, write):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        write(b'.')

def pieces(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield b'.'

def application(environ, start_response):
    if environ['PATH_INFO'] == '/pieces':
        start_response('200 OK', [('Content-Type', 'text/plain')])
        return pieces(float(environ['QUERY_STRING']))
    if environ['PATH_INFO'] == '/chat':
        chat(float(environ['QUERY_STRING']),
             start_response('200 OK', [('Content-Type', 'text/plain')]))
        return []
    seconds = float(environ['QUERY_STRING'] or 0)
    {'/sleep': deep_inside, '/spin': spin, '/gil': backtrack}.get(
        environ['PATH_INFO'], time.sleep)(seconds)
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'done']
'''


@pytest.fixture
def start(serve, directory):
    (directory / 'stuck.py').write_text(APP)
    return lambda *options: serve('stuck', '--log-level', 'info', *options, cwd=directory)


@any_children
@pytest.mark.parametrize('path, function, engine', [
    ('/sleep', 'deep_inside', 'io_uring'), ('/spin', 'spin', 'epoll')])
def test_the_log_says_what_takes_so_long_and_where_it_is(start, path, function, engine):
    server = start('-w', '2', '--request-timeout', '500ms', '--io-engine', engine)
    before = set(server.wait_for_ready(2))
    with Connection(server.address) as slow:
        slow.send(f'GET {path}?2 HTTP/1.1\r\nHost: t\r\n\r\n')
        server.log.wait_for(rf'"GET {path}\?2 HTTP/1\.1" from 127\.0\.0\.1 takes longer than '
                            'RequestTimeout')
        server.log.wait_for(rf'File ".*stuck\.py", line \d+ in {function}')
        # Others are served, the request may end, and then its child goes.
        assert get(server.address).body == b'done'
        assert slow.response().body == b'done'
    wait_until(lambda: set(server.wait_for_ready(2)) - before, 'the replacement')
    assert server.log.text().count('takes longer') == 1
    server.stop()


@pytest.mark.parametrize('path', ['chat', 'pieces'])
def test_a_request_that_sends_all_the_time_is_found_as_well(start, path):
    """It is with the application for less than a millisecond each time; the one that yields is
    nowhere in Python meanwhile, so its next piece says where."""
    server = start('-w', '1', '--request-timeout', '300ms')
    before = set(server.wait_for_ready(1))
    with Connection(server.address) as slow:
        slow.send(f'GET /{path}?2 HTTP/1.1\r\nHost: t\r\n\r\n')
        reading = threading.Thread(target=slow.response)
        reading.start()
        server.log.wait_for(rf'"GET /{path}\?2 HTTP/1\.1" from .* longer than RequestTimeout')
        server.log.wait_for(rf'File ".*stuck\.py", line \d+ in {path}')
        wait_until(lambda: set(server.ready()) - before, 'the replacement')
        reading.join()
    assert server.log.text().count('takes longer') == 1
    server.stop()


@any_children
def test_a_request_that_never_ends_is_ended(start):
    server = start('-w', '1', '--request-timeout', '300ms', '--worker-drain-timeout', '300ms')
    child, = server.wait_for_ready(1)
    with Connection(server.address) as stuck:
        stuck.send('GET /sleep?600 HTTP/1.1\r\nHost: t\r\n\r\n')
        since = time.monotonic()
        wait_until(lambda: not is_alive(child), 'the end of the child')
        assert time.monotonic() - since < 10
        assert stuck.rest() == b''
    assert get(server.address).body == b'done'
    server.stop()


@any_children
def test_who_waits_behind_one_that_keeps_the_gil_is_served_by_the_replacement(start):
    """By a worker that has nothing but the wait for the GIL to do, or by one that is stuck."""
    server = start('-w', '1', '--request-timeout', '300ms', '--worker-drain-timeout', '1s')
    child, = server.wait_for_ready(1)
    with Connection(server.address) as stuck, Connection(server.address) as waiting:
        stuck.send('GET /gil HTTP/1.1\r\nHost: t\r\n\r\n')
        server.log.wait_for('keeping it')
        waiting.send('GET / HTTP/1.1\r\nHost: t\r\n\r\n')
        assert waiting.response().body == b'done'
        assert stuck.rest() == b''
    server.log.wait_for(rf'child pid {child} .* ended')  # or the stop has cut it off
    server.stop()


@any_children
def test_where_a_request_is_can_be_asked(start):
    """By who does not set a limit for all; of one child, and one that keeps the GIL as well."""
    server = start('-w', '2')
    children = server.wait_for_ready(2)

    def ask(*words):
        return subprocess.run([BUILD / 'wsgictl', '--run-directory', server.run_directory,
                               'stacks', *words], capture_output=True, text=True)
    with Connection(server.address) as stuck:
        stuck.send('GET /gil HTTP/1.1\r\nHost: t\r\n\r\n')
        pid = server.log.wait_for(r'\[pid (\d+)\] keeping it')[1]
        assert ask(pid).stdout == ('stacks are written to the error log, which is the server\'s '
                                   f'standard error:\nchild {pid}\n')
        server.log.wait_for(r':notice\] .* the stacks of child pid ' + pid)
        server.log.wait_for(rf'\[app:notice\] \[pid {pid}\]   File ".*stuck\.py", line \d+ in '
                            'backtrack')
        assert ask().stdout.count('child ') == len(children)
        assert 'there is no child of that pid' in ask(str(server.pid)).stderr
        server.kill(signal.SIGQUIT)
        assert server.ended() == 0


def test_without_it_requests_take_as_long_as_they_take(start):
    server = start('-w', '1')
    assert get(server.address, '/sleep?1').body == b'done'
    server.stop()
    assert 'takes longer' not in server.log.text()


DEEP = '''
import os
def deep(n):
    return deep(n - 1) + 1 if n else 0
def application(environ, start_response):
    for _ in range(10):
        deep(300)
    if environ['PATH_INFO'] == '/fork':
        copy = os.fork()
        if copy == 0:
            os._exit(0)
        os.waitpid(copy, 0)
    start_response('200 OK', [('Content-Length', '4')])
    return [b'done']
'''


@pytest.mark.parametrize('path', ['/', '/fork'])
def test_asking_where_requests_are_harms_none_that_runs(serve, directory, path):
    """Their frames come and go while others' are written; and the thread that sees to that ends
    with each fork."""
    (directory / 'deep.py').write_text(DEEP)
    server = serve('deep', '--mpm', 'worker', '-w', '1', '--threads', '8', cwd=directory)
    child, = server.wait_for_ready(1)
    asked = threading.Event()

    def keep_asking(path):
        with Connection(server.address) as connection:
            while not asked.is_set():
                assert connection.get(path).body == b'done'
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        clients = [pool.submit(keep_asking, path if n % 3 == 0 else '/') for n in range(12)]
        try:
            for n in range(1, 101):
                os.kill(child, signal.SIGRTMIN + 7)
                wait_until(lambda: server.log.text().count('Current thread') >= n, f'answer {n}')
        finally:
            asked.set()
        for client in clients:
            client.result()
    assert server.log.text().count('Current thread') == 100
    assert list(server.wait_for_ready(1)) == [child]
    server.stop()


def test_asking_where_requests_are_harms_no_child_that_begins(serve):
    """From its first moment, before it is a program of its own."""
    server = serve('hello', '-w', '1')
    server.wait_for_ready(1)
    socket_path, = server.run_directory.glob('*.ctl')
    done = threading.Event()

    def keep_asking():
        while not done.wait(0.003):  # who is asked faster comes to nothing else
            with socket.socket(socket.AF_UNIX) as control:
                control.connect(str(socket_path))
                control.sendall(b'stacks\n')
                while control.recv(65536):
                    pass
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asking = pool.submit(keep_asking)
        try:
            for _ in range(20):
                wsgictl.succeeds(wsgictl.of(server, 'reload'))
        finally:
            done.set()
        asking.result()
    server.stop()
    assert 'exit signal' not in server.log.text()


KEEPER = '''
import re, threading
def keep():
    print('keeping it', flush=True)
    re.match('(a+)+$', 'a' * 40 + 'b')  # for years
def application(environ, start_response):
    threading.Thread(target=keep, daemon=True).start()
'''


@pytest.mark.skipif(not has_gil(), reason='there is no GIL')
def test_where_the_gil_is_kept_who_keeps_it_says_where_all_are(serve, directory):
    """He is the one beside whom nobody runs meanwhile; there may be many who hand it round."""
    (directory / 'keeper.py').write_text(KEEPER)
    server = serve('keeper', '-w', '1', cwd=directory)
    child, = server.wait_for_ready(1)
    with Connection(server.address) as c:
        c.send(b'GET / HTTP/1.1\r\nHost: t\r\n\r\n')
        server.log.wait_for('keeping it')
        for last in (False, False, True):  # it may be about to: then others answer
            os.kill(child, signal.SIGRTMIN + 7)
            try:
                server.log.wait_for(r'Current thread .*\n.*\n?.* in match\n'
                                    r'.*keeper\.py", line \d+ in keep\n', 30 if last else 5)
                break
            except TimeoutError:
                assert not last
        server.kill(signal.SIGQUIT)
        assert server.ended() == 0


SLEEPERS = '''
import ctypes, threading, time
def keep():
    ctypes.PyDLL(None).usleep(700000)  # with the GIL
def application(environ, start_response):
    exec(f"def sleeper{environ['QUERY_STRING']}(): time.sleep(2)", globals())
    if environ['QUERY_STRING'] == '5':
        threading.Timer(0.2, keep).start()
    globals()['sleeper' + environ['QUERY_STRING']]()
    start_response('200 OK', [('Content-Length', '4')])
    return [b'done']
'''


@pytest.mark.skipif(not has_gil(), reason='without a GIL none is marked')
def test_of_several_that_take_too_long_each_is_marked(serve, directory):
    """Also where there is no answer to the first before the others are seen."""
    (directory / 'sleepers.py').write_text(SLEEPERS)
    server = serve('sleepers', '--mpm', 'worker', '-w', '1', '--threads', '8',
                   '--request-timeout', '500ms', cwd=directory)
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(Connection(server.address)) for _ in range(6)]
        for n, connection in enumerate(slow):
            connection.send(f'GET /?{n} HTTP/1.1\r\nHost: t\r\n\r\n')
        for connection in slow:
            assert connection.response().body == b'done'
    marked = re.findall(r'Current thread .*\n.* in sleeper(\d)\n', server.log.text())
    assert sorted(marked) == ['0', '1', '2', '3', '4', '5']
    server.stop()


DEAF = '''
import signal, time
def application(environ, start_response):
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN + 7])
    print('hears nothing', flush=True)
    time.sleep(1.5)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGRTMIN + 7])
    start_response('200 OK', [('Content-Length', '4')])
    return [b'done']
'''


def test_who_hears_too_late_that_stacks_are_asked_for_writes_none(serve, directory):
    """Others run by then, and have been shown."""
    (directory / 'deaf.py').write_text(DEAF)
    server = serve('deaf', '-w', '1', cwd=directory)
    child, = server.wait_for_ready(1)
    with Connection(server.address) as c:
        c.send(b'GET / HTTP/1.1\r\nHost: t\r\n\r\n')
        server.log.wait_for('hears nothing')
        os.kill(child, signal.SIGRTMIN + 7)
        server.log.wait_for(r'line \d+ in application')
        assert c.response().body == b'done'
    server.stop()
    assert len(re.findall(r'line \d+ in application', server.log.text())) == 1
