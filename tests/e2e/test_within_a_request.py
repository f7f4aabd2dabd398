"""What befalls others while a request runs, or waits for its client: orders, the ends of their
connections, and new ones."""

import contextlib
import os
import signal
import time

import pytest

from client import Connection
from server import PATIENCE, freeze

APP = '''
import os, threading, time

def until(path):
    while not os.path.exists(path):
        time.sleep(0.005)

def pieces(gate):
    yield b'piece0'
    for i in (1, 2):
        until(f'{gate}{i}')
        yield b'piece%d' % i

def read(stream):
    print('reading', flush=True)
    n = 0
    while data := stream.read(16384):
        n += len(data)
        time.sleep(0.0003)
    return b'%d' % n

def application(environ, start_response):
    path, query = environ['PATH_INFO'], environ['QUERY_STRING']
    fields = [('Content-Type', 'text/plain')]
    if path == '/pieces':
        body = pieces(query)
    elif path == '/until':
        print('sleeping', os.getpid(), flush=True)
        until(query)
        body = [b'awake']
    elif path == '/generate':
        body = (b'x' * 30 for _ in range(1))
    elif path == '/read':
        body = [read(environ['wsgi.input'])]
    else:
        body = [b'%d' % os.getpid()]
    if isinstance(body, list):
        fields.append(('Content-Length', str(len(body[0]))))
    start_response('200 OK', fields)
    return body
'''
ENGINES = ['io_uring', 'epoll']


@pytest.fixture
def app(directory):
    (directory / 'within.py').write_text(APP)
    return directory


@contextlib.contextmanager
def gates(app, *names):
    """Files for which the application waits; there at the end, whatever has failed."""
    try:
        yield [app / name for name in names]
    finally:
        for name in names:
            (app / name).touch()


def read_until(connection, what: bytes):
    while what not in connection.buffer:
        assert connection._more()


def begin_pieces(taker, app):
    """The others wait for gate1 and gate2."""
    taker.send(f'GET /pieces?{app}/gate HTTP/1.1\r\nHost: t\r\n\r\n')
    read_until(taker, b'piece0')


@pytest.mark.parametrize('engine', ENGINES)
@pytest.mark.parametrize('words', [[], ['--threads', '2']], ids=['prefork', 'threads'])
def test_who_is_told_to_retire_between_two_pieces_lets_its_clients_go(serve, app, engine, words):
    """The order is heard with a piece, and the next one may be far away."""
    server = serve('within', '-w', '1', *words, '--io-engine', engine, cwd=app)
    with gates(app, 'gate1', 'gate2') as (first, _second), \
            Connection(server.address, PATIENCE / 2) as kept, Connection(server.address) as taker:
        old = kept.get('/').body
        begin_pieces(taker, app)
        server.kill(signal.SIGHUP)
        server.log.wait_for('reload done')
        first.touch()
        read_until(taker, b'piece1')
        assert kept.get('/').body != old
    server.stop()


@pytest.mark.parametrize('engine', ENGINES)
def test_a_large_body_behind_somebodys_body_goes_to_the_new_child(serve, app, engine):
    server = serve('within', '-w', '1', '--io-engine', engine, cwd=app)
    with Connection(server.address, PATIENCE / 2) as large, Connection(server.address) as slow:
        assert large.get('/').status == 200
        slow.send('POST /read HTTP/1.1\r\nHost: t\r\nContent-Length: 2000000\r\n\r\n')
        server.log.wait_for('reading')
        large.send('POST /read HTTP/1.1\r\nHost: t\r\nContent-Length: 60000\r\n\r\n')
        large.send(b'x' * 60000)
        server.kill(signal.SIGHUP)
        server.log.wait_for('reload done')
        assert large.response().body == b'60000'
    server.stop()


@pytest.mark.parametrize('engine', ENGINES)
def test_who_is_told_to_stop_between_two_pieces_closes_what_is_idle(serve, app, engine):
    server = serve('within', '-w', '1', '--io-engine', engine, cwd=app)
    with gates(app, 'gate1', 'gate2') as (first, _second), Connection(server.address) as kept, \
            Connection(server.address) as taker:
        began = time.monotonic()
        assert kept.get('/').status == 200
        begin_pieces(taker, app)
        server.kill(signal.SIGTERM)
        server.log.wait_for('stopping gracefully')
        first.touch()
        read_until(taker, b'piece1')
        assert kept.is_closed(PATIENCE / 2)
        # Its next request might have been under way.
        assert time.monotonic() - began > 0.9
    assert server.ended() == 0


@pytest.mark.parametrize('engine', ENGINES)
def test_who_reads_a_body_that_is_there_holds_up_nobody(serve, app, engine):
    """Each step is short, and no step waits for anything."""
    size = 64 << 20
    server = serve('within', '-w', '1', '--threads', '2', '--io-engine', engine,
                   '--request-body-spool', '100m', cwd=app)
    with Connection(server.address) as kept, Connection(server.address) as sender:
        waits = []
        while not waits or (min(waits) > 0.15 and len(waits) < 10):
            since = len(server.log.text())
            assert kept.get('/').status == 200
            sender.send(f'POST /read HTTP/1.1\r\nHost: t\r\nContent-Length: {size}\r\n\r\n')
            sender.send(bytes(size))
            server.log.wait_for('reading', since=since)
            began = time.monotonic()
            assert kept.get('/').status == 200
            waits.append(time.monotonic() - began)
            assert sender.response().body == b'%d' % size
        assert min(waits) <= 0.15
    server.stop()


@pytest.mark.parametrize('engine', ENGINES)
def test_the_end_of_a_response_is_not_behind_the_next_long_request(serve, app, engine):
    """The client of HTTP/1.0 knows by it that it has all."""
    server = serve('within', '-w', '1', '--io-engine', engine, cwd=app)
    [pid] = server.children()

    def ended_first(turn) -> bool:
        """Whether its request was served first, and then that it ended before the long one."""
        gate = app / f'gate{turn}'
        since = len(server.log.text())
        with gates(app, gate.name), Connection(server.address) as old, \
                Connection(server.address) as long:
            assert old.get('/').status == long.get('/').status == 200
            freeze(pid)
            both = [(old, 'GET /generate HTTP/1.0\r\n\r\n'),
                    (long, f'GET /until?{gate} HTTP/1.1\r\nHost: t\r\n\r\n')]
            for connection, request in both if turn % 2 == 0 else reversed(both):
                connection.send(request)
            os.kill(pid, signal.SIGCONT)
            server.log.wait_for('sleeping', since=since)
            old.socket.settimeout(0.3)
            with contextlib.suppress(TimeoutError):
                assert old._more()
                old.socket.settimeout(PATIENCE / 2)
                assert old.response().body == b'x' * 30
                return True
            gate.touch()
            old.socket.settimeout(PATIENCE)
            assert old.response().body == b'x' * 30
            assert not old.buffer
            return False
    assert any(map(ended_first, range(40)))
    server.stop()
