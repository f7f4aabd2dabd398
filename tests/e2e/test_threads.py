"""What threads of one child, and what they start, could do to each other."""

import concurrent.futures
import json
import os
import signal
import time

import pytest

from client import Connection, get
from server import is_alive, own_by_children, wait_until

APP = '''
import ctypes, multiprocessing, os, signal, subprocess, threading, time, urllib.parse

barrier = threading.Barrier(4)

def together():
    """Returns when as many requests are here as there are threads."""
    barrier.wait(20)
    return threading.get_native_id()

def mask(query):
    together()
    return f'{len(signal.pthread_sigmask(signal.SIG_BLOCK, []))}'

def terminate(query):
    """How a copy and a program end that are told to, by each thread at once."""
    together()
    copy = multiprocessing.Process(target=time.sleep, args=(300,))
    copy.start()
    copy.terminate()
    copy.join()
    program = subprocess.Popen(['sleep', '300'])
    program.terminate()
    return f'{copy.exitcode} {program.wait()}'

def end(query):
    """How a copy ends by itself that each thread makes at once."""
    together()
    copy = multiprocessing.Process(target=int)
    copy.start()
    copy.join()
    return f'{copy.exitcode}'

def sleep(query):
    time.sleep(float(query['s']))
    return str(os.getpid())

def until(query):
    while not os.path.exists(query['file']):
        time.sleep(0.005)
    return str(os.getpid())

def hold(query):
    """Nobody else has the GIL until somebody writes to the pipe of that name, as with an
    extension that does not release it."""
    pipe = os.open(query['pipe'], os.O_RDWR)
    print('holding', flush=True)
    ctypes.PyDLL(None).read(pipe, ctypes.create_string_buffer(1), 1)
    os.close(pipe)
    print('let go', flush=True)
    return str(os.getpid())

def hold_behind(query):
    """The same, by a thread of the application: the request is over at once."""
    threading.Timer(0.05, hold, [query]).start()
    return str(os.getpid())

def flood(query):
    return (b'x' * 1000000 for _ in range(1000))

def begin(query):
    """Something that is finished behind the request, and behind an order to go."""
    together()
    rest = threading.Thread(target=finish, args=(query['pipe'],))
    rest.start()
    return f'{threading.current_thread().name} {rest.daemon}'

def finish(pipe):
    order = os.open(pipe, os.O_RDONLY)
    os.read(order, 1)
    os.close(order)
    print('finished', flush=True)

def pid(query):
    return str(os.getpid())

def application(environ, start_response):
    query = dict(urllib.parse.parse_qsl(environ['QUERY_STRING']))
    body = globals()[environ['PATH_INFO'][1:]](query)
    if not isinstance(body, str):
        start_response('200 OK', [('Content-Type', 'text/plain')])
        return body
    body = body.encode()
    start_response('200 OK', [('Content-Type', 'text/plain'),
                              ('Content-Length', str(len(body)))])
    return [body]
'''


@pytest.fixture(params=['io_uring', 'epoll'])
def start(serve, directory, request):
    (directory / 'threads.py').write_text(APP)

    def start(*words):
        return serve('threads', *words, '--io-engine', request.param, cwd=directory)
    return start


def at_once(number: int, *args) -> list:
    """number answers to get(*args), asked for at the same time."""
    with concurrent.futures.ThreadPoolExecutor(number) as pool:
        return [answer.result().body.decode()
                for answer in [pool.submit(get, *args) for _ in range(number)]]


def test_what_a_thread_starts_can_be_terminated(start):
    server = start('-w', '1', '--threads', '4')
    assert at_once(4, server.address, '/mask') == ['0'] * 4
    assert at_once(4, server.address, '/terminate') == ['-15 -15'] * 4


def test_a_copy_that_any_thread_makes_ends_well(start):
    server = start('-w', '1', '--threads', '4')
    assert at_once(4, server.address, '/end') == ['0'] * 4


def test_what_a_thread_starts_is_finished_before_the_child_ends(start, directory):
    """Whichever thread it was: for Python those that C has started are daemons."""
    server = start('-w', '1', '--threads', '4')
    pipe = directory / 'pipe'
    os.mkfifo(pipe)
    pipe.chmod(0o644)
    orders = os.open(pipe, os.O_RDWR)
    begun = at_once(4, server.address, f'/begin?pipe={pipe}')
    assert sorted(begun) == ['MainThread False', 'wsgid-worker-2 False',
                             'wsgid-worker-3 False', 'wsgid-worker-4 False']
    server.reload()
    os.write(orders, b'1234')
    server.log.wait_for('(?s)' + '.*'.join(['finished'] * 4))
    os.close(orders)


def test_a_child_with_threads_that_is_terminated_finishes_and_leaves(start):
    """By hand; the master does not do that."""
    server = start('-w', '1', '--threads', '4')
    child = int(get(server.address, '/pid').body)
    os.kill(child, signal.SIGTERM)
    wait_until(lambda: not is_alive(child), 'the end of the child')
    assert int(get(server.address, '/pid').body) != child


SLEEP = 'GET /sleep?s={} HTTP/1.1\r\nHost: test\r\n\r\n'


class Child:
    """Two clients that are kept alive in one child of two threads."""

    def __init__(self, server, gate, other=None):
        """Not that one: its threads are busy meanwhile."""
        self.server, self.gate, self.clients, self.pid = server, gate, [], None
        if other:
            other.be_busy()
        self.find_clients()
        assert not other or (other.pid != self.pid and other.answers())

    def find_clients(self):
        elsewhere = []
        while len(self.clients) < 2:
            connection = Connection(self.server.address)
            pid = int(connection.get('/pid').body)
            if self.pid is None:
                self.pid = pid
            (self.clients if pid == self.pid else elsewhere).append(connection)
            assert len(elsewhere) < 200  # with a mutex it may be one of them for long
        for connection in elsewhere:
            connection.close()

    def letters(self, pid) -> str:
        return self.server.ready()[pid]['letters']

    def be_busy(self):
        """In both threads; returns when they are.

        A thread that still is on its way back from its last request is not idle, and the other
        child gets its request, and keeps the client: then it is tried again."""
        while True:
            for client in self.clients:
                client.send(self.gate.request)
            wait_until(lambda: ''.join(map(self.letters, self.server.ready())).count('W') == 2,
                       'two busy threads')
            if self.letters(self.pid) == 'WW':
                return
            self.answers()
            for client in self.clients:
                client.close()
            self.clients = []
            self.find_clients()

    def answers(self) -> bool:
        """Those to the requests that they were busy with."""
        self.gate.open()
        found = [int(client.response().body) for client in self.clients]
        self.gate.shut()
        return found == [self.pid] * 2


@pytest.mark.parametrize('mutex', ['pthread', 'flock', 'sysvsem'])
def test_a_thread_that_comes_back_does_not_give_up_the_turn_of_another(start, gate, mutex):
    """Who leads next has asked for the mutex, and waits for it; otherwise nobody of the child
    would accept any more."""
    server = start('-w', '2', '--threads', '2', '--mutex', mutex, '-b', '127.0.0.2:0')
    server.wait_for_ready(2)
    one = Child(server, gate)
    two = Child(server, gate, other=one)
    for busy, idle in (one, two), (two, one):
        for _ in range(5):
            at_once(2, server.address, '/sleep?s=0.05')
        busy.be_busy()
        for _ in range(4):
            assert int(get(server.address, '/pid').body) == idle.pid
        assert busy.answers()


# --- orders -----------------------------------------------------------------------------------

@pytest.mark.parametrize('threads', ['1', '2'])
def test_a_child_that_waits_for_its_client_hears_every_order(start, threads):
    """First that it shall retire, and then that all shall stop."""
    # A child has three quarters of it, and the rest before it is killed.
    server = start('-w', '1', '--threads', threads, '--graceful-shutdown-timeout', '2s')
    with Connection(server.address) as client:
        client.send('GET /flood HTTP/1.1\r\nHost: test\r\n\r\n')
        assert client.socket.recv(10)
        server.reload()
        server.stop(status=75)
    # It has heard of both; on a busy machine it may be too late to end by itself, too.
    assert '1 request was cut off' in server.log.text()


# --- connections that are idle ---------------------------------------------------------------

def sockets_of(pid: int) -> set:
    """(descriptor, socket) of each."""
    found = set()
    for name in os.listdir(f'/proc/{pid}/fd'):
        try:
            link = os.readlink(f'/proc/{pid}/fd/{name}')
        except FileNotFoundError:
            continue
        if link.startswith('socket:'):
            found.add((name, link))
    return found


def test_who_is_idle_does_not_move_with_every_request_that_is_a_bit_long(start):
    server = start('-w', '1', '--threads', '3', '--keep-alive-timeout', '60s')
    idle = [Connection(server.address) for _ in range(200)]
    for connection in idle:
        connection.get('/pid')
    child, = server.ready()
    before = sockets_of(child)
    assert len(before) >= 200
    with Connection(server.address) as busy:
        for _ in range(6):
            busy.get('/sleep?s=0.05')
    # Another thread that leads would have them with other descriptors.
    assert len(before - sockets_of(child)) < 20
    # And each is served as before, wherever it is.
    for connection in idle:
        assert int(connection.get('/pid').body) == child


def test_idle_clients_that_nobody_had_time_for_do_not_hold_up_the_stop(start, gate):
    """They lie in the pool: one child has given them away, the other one is busy."""
    server = start('-w', '1')
    idle = [Connection(server.address) for _ in range(8)]
    for connection in idle:
        old = int(connection.get('/pid').body)
    with Connection(server.address) as one, Connection(server.address) as two:
        one.send(gate.request)
        wait_until(lambda: server.ready()[old]['letters'] == 'W', 'a busy child')
        server.kill(signal.SIGHUP)
        server.log.wait_for('reload done')
        two.send(SLEEP.format(1.5))
        wait_until(lambda: [row['letters'] for pid, row in server.ready().items()
                            if pid != old] == ['W'], 'the other one to be busy')
        gate.open()
        assert int(one.response().body) == old
        wait_until(lambda: not is_alive(old), 'the end of the old child')
        begun = time.monotonic()
        server.stop()
        assert time.monotonic() - begun < 11
        assert int(two.response().body) != old


# --- the GIL ------------------------------------------------------------------------------

def several_of_each(server, number: int) -> dict:
    """pid -> connections that are kept alive there, of two children."""
    server.wait_for_ready(2)
    found = {}
    while len(found) < 2 or min(map(len, found.values())) < number:
        connection = Connection(server.address)
        found.setdefault(int(connection.get('/pid').body), []).append(connection)
        assert sum(map(len, found.values())) < 100
    return found


@pytest.mark.parametrize('target', ['/hold', '/hold_behind'])
@pytest.mark.parametrize('words', [('--threads', '2'), ()], ids=['worker', 'prefork'])
def test_nobody_waits_for_the_gil_of_one_child_while_another_is_idle(start, directory, words,
                                                                     target):
    """Clients of it, and new ones, are served by the sibling until it is free again."""
    pipe = directory / 'pipe'
    os.mkfifo(pipe)
    own_by_children(pipe)
    server = start('-w', '2', *words)
    found = several_of_each(server, 4)
    for connections in found.values():
        since = len(server.log.text())
        connections[0].send(f'GET {target}?pipe={pipe} HTTP/1.1\r\nHost: test\r\n\r\n')
        server.log.wait_for('holding', since=since)
        for connection in connections[1:]:
            connection.send('GET /pid HTTP/1.1\r\nHost: test\r\n\r\n')
        for connection in connections[1:]:
            assert connection.response().status == 200
        for _ in range(4):
            assert get(server.address, '/pid').status == 200
        assert 'let go' not in server.log.text()[since:]
        pipe.write_bytes(b'.')
        assert connections[0].response().status == 200
        server.log.wait_for('let go', since=since)


# --- without a GIL ----------------------------------------------------------------------------

PARALLEL = '''
import json, sys, threading, time

# With a GIL, whoever computes would keep it for longer than the test lasts.
sys.setswitchinterval(3600)
running, lock = [], threading.Lock()

def application(environ, start_response):
    start_response('200 OK', [])
    if environ['PATH_INFO'] == '/gil':
        return [json.dumps(getattr(sys, '_is_gil_enabled', lambda: True)()).encode()]
    with lock:
        running.append(threading.get_native_id())
    end = time.monotonic() + 20
    while len(running) < 2 and time.monotonic() < end:
        pass
    return [json.dumps(len(set(running))).encode()]
'''


def test_threads_compute_at_once_where_there_is_no_gil(serve, directory):
    """Each of two requests computes until the other does, too, and lets nobody in."""
    (directory / 'parallel.py').write_text(PARALLEL)
    server = serve('parallel', '-w', '1', '--mpm', 'worker', '--threads', '4', cwd=directory)
    if json.loads(get(server.address, '/gil').body):
        pytest.skip('this Python has a GIL: tools/test --matrix brings one that has none')
    assert at_once(2, server.address) == ['2', '2']


@pytest.fixture
def raw_threads(serve, directory):
    """Whose threads are of _thread, and meet threading themselves."""
    (directory / 'raw.py').write_text('''
import _thread, sys, time
main = []
def meet():
    import threading
    main.append(threading.main_thread() is threading.current_thread())
    while True:
        time.sleep(1)
def application(environ, start_response):
    body = str('threading' in sys.modules)
    if environ['PATH_INFO'] == '/meet':
        _thread.start_new_thread(meet, ())
        while not main:
            time.sleep(0.01)
        body = str(main)
    start_response('200 OK', [('Content-Length', str(len(body)))])
    return [body.encode()]
''')
    return serve('raw', '-w', '1', cwd=directory)


def test_no_thread_of_the_application_takes_itself_for_the_main_one(raw_threads):
    """A child that meets threading in another thread cannot end while that lives."""
    wait_until(lambda: get(raw_threads.address).body == b'True', 'a moment without a request')
    assert get(raw_threads.address, '/meet').body == b'[False]'
    raw_threads.stop()
    assert 'SIGKILL' not in raw_threads.log.text()
