"""Clients that are slow cost nobody but themselves, and not for ever."""

import concurrent.futures
import contextlib
import hashlib
import os
import pathlib
import random
import select
import socket
import time

import pytest

from client import PATIENCE, Connection
from server import SANITIZED, cpu_seconds, wait_until

LONG = '60s'
ENGINES = ['io_uring', 'epoll']


def dribble(connection, data: bytes, pause: float = 0.02):
    """Send byte by byte, until all is sent or the server has answered."""
    connection.socket.settimeout(pause)
    for byte in data:
        connection.send(bytes([byte]))
        try:
            if connection._more():
                break
        except TimeoutError:
            pass
    connection.socket.settimeout(20)


POST = b'POST /echo HTTP/1.1\r\nHost: t\r\n'


@pytest.mark.parametrize('engine, what, begin', [
    ('io_uring', 'header', b''),
    ('epoll', 'body', POST + b'Content-Length: 1000\r\n\r\n'),
    ('io_uring', 'body', POST + b'Transfer-Encoding: chunked\r\n\r\n3e8\r\n'),
], ids=['header', 'body', 'chunked body'])
def test_who_sends_a_byte_now_and_then_is_answered_408(serve, engine, what, begin):
    """Every byte comes within Timeout; meanwhile the only worker serves others."""
    server = serve('probe', '-w', '1', '--io-engine', engine, '--timeout', LONG,
                   '--request-read-timeout', f'{what}=500ms', '--log-level', 'info')
    began = time.monotonic()
    with Connection(server.address) as slow, Connection(server.address) as other:
        slow.send(begin)
        dribble(slow, b'G' * 10)
        assert other.get('/hello').body == b'hello\n'
        dribble(slow, b'G' * 990)
        answer = slow.response()
        assert (answer.status, answer.header('Connection')) == (408, 'close')
        # 1,000 bytes would have taken 20 s.
        assert 0.5 <= time.monotonic() - began < 15
    server.log.wait_for(f'127.0.0.1: refused with 408: Request {what} read timeout')
    server.stop()


def test_who_sends_as_fast_as_minrate_asks_gets_more_time(serve):
    server = serve('probe', '-w', '1', '--request-read-timeout',
                   'header=800ms-60s,MinRate=10 body=800ms,MinRate=10')
    with Connection(server.address) as connection:
        # 300 bytes are half a minute.
        connection.send(b'POST /echo HTTP/1.1\r\nHost: t\r\nX-Long: ' + b'x' * 300)
        time.sleep(1)
        connection.send(b'\r\nContent-Length: 301\r\n\r\n' + b'y' * 100)
        time.sleep(0.1)
        connection.send(b'y' * 200)
        time.sleep(1)
        connection.send(b'y')
        assert connection.response().body == b'y' * 301
    server.stop()


def test_the_time_of_a_request_begins_with_its_first_byte(serve):
    """An idle connection is KeepAliveTimeout's business."""
    server = serve('probe', '-w', '1', '--request-read-timeout', 'header=1')
    with Connection(server.address) as connection:
        assert connection.get('/hello').status == 200
        time.sleep(1.2)
        assert connection.get('/hello').status == 200
    server.stop()


def test_a_body_that_an_application_reads_by_itself_has_the_same_time(serve):
    """The time in which it does not read is not the client's."""
    server = serve('probe', '-w', '1', '--request-read-timeout', 'body=700ms',
                   '--request-body-buffer', '1')
    with Connection(server.address) as connection:
        connection.send(b'POST /body_error HTTP/1.1\r\nHost: t\r\nContent-Length: 1000\r\n\r\n')
        dribble(connection, b'y' * 999)
        answer = connection.response()
        assert (answer.status, answer.header('Connection')) == (200, 'close')  # its own
    server.log.wait_for('body: TimeoutError: ')
    server.stop()


def test_a_body_that_comes_too_slowly_while_it_is_read_is_answered_408(serve):
    """Where the application leaves it at that, and its head has not gone out."""
    server = serve('probe', '-w', '1', '--timeout', '300ms', '--request-body-buffer', '1')
    with Connection(server.address) as connection:
        connection.send(b'POST /body_error?raise=1 HTTP/1.1\r\nHost: t\r\n'
                        b'Content-Length: 1000\r\n\r\nbody')
        answer = connection.response()
        assert (answer.status, answer.header('Connection')) == (408, 'close')
        assert connection.is_closed()
    server.log.wait_for(r'POST /body_error\?raise=1 HTTP/1\.1: TimeoutError: .*wsgi\.input: '
                        'the client was too slow')
    server.stop()


# --- who does not take what he has asked for -------------------------------------------------

class Steady(Connection):
    """Has asked for something and reads a little of it at a time, until it wants all."""

    def __init__(self, address, target: str):
        super().__init__(address)
        self.close()
        self.socket = socket.socket()
        self.socket.settimeout(PATIENCE)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self.socket.connect(address)
        self.send(f'GET {target} HTTP/1.1\r\nHost: t\r\n\r\n')

    def _more(self) -> bool:
        data = self.socket.recv(8000)
        self.buffer += data
        return bool(data)


WAYS = ['big?', 'large?how=django&', 'large?how=flask&', 'large?how=blocks&', 'large?how=four&',
        'large?how=short&', 'large?how=write&']


def ask_and_take_nothing(clients, address, ways):
    """Each has the beginning of its response, and then nobody reads on."""
    for way in ways:
        stuck = clients.enter_context(Connection(address))
        stuck.send(f'GET /{way}n=20000000 HTTP/1.1\r\nHost: t\r\n\r\n')
        assert stuck._more()
        yield stuck


@pytest.mark.parametrize('engine', ENGINES)
def test_who_takes_nothing_costs_no_worker(serve, engine):
    server = serve('probe', '-w', '1', '--timeout', LONG, '--io-engine', engine)
    with contextlib.ExitStack() as clients:
        other = clients.enter_context(Connection(server.address))
        for _ in ask_and_take_nothing(clients, server.address, WAYS):
            # The application is done, and the ring has the rest.
            assert other.get('/hello').body == b'hello\n'
        assert other.get('/show-closed').body == b'["django", "flask"]'
    server.stop()


@pytest.mark.parametrize('engine', ENGINES)
def test_who_takes_nothing_is_cut_at_timeout(serve, engine):
    server = serve('probe', '-w', '1', '--timeout', '500ms', '--keep-alive-timeout', '60s',
                   '--io-engine', engine)

    def connections():
        return sum(row['page']['connections'] for row in server.board()['processes'] if row['pid'])
    with contextlib.ExitStack() as clients:
        other = clients.enter_context(Connection(server.address))
        assert other.get('/hello').body == b'hello\n'  # Timeout is none of its own any more
        stuck = list(ask_and_take_nothing(clients, server.address, WAYS))
        wait_until(lambda: connections() == 1, 'the end of the connections')
        assert not any(connection.response().complete for connection in stuck)
        assert other.get('/hello').body == b'hello\n'
    server.stop()


def take_steadily(clients, seconds: float) -> float:
    """A little at a time, each of them: the longest time in which one has taken nothing."""
    now = time.monotonic()
    end, longest = now + seconds, 0
    while now < end:
        for client in clients:
            with contextlib.suppress(ConnectionError):
                client._more()
        time.sleep(0.02)
        before, now = now, time.monotonic()
        longest = max(longest, now - before)
    return longest


@pytest.mark.parametrize('engine', ENGINES)
def test_who_reads_slowly_and_steadily_is_not_cut_at_timeout(serve, directory, engine):
    """Although the kernel, whose buffer grows, takes no more of it for longer than Timeout."""
    n = 12_000_000
    with open(directory / 'file', 'wb') as file:
        file.truncate(n)
    targets = [f'/big?n={n}', f'/file?path={directory}/file', f'/stream?n={n // 1000}']
    for timeout in 1, 5:
        server = serve('probe', '-w', '3', '--timeout', f'{timeout}s', '--io-engine', engine)
        with contextlib.ExitStack() as clients:
            slow = [clients.enter_context(Steady(server.address, target)) for target in targets]
            # On a busy machine they may stand still themselves, and are cut with right.
            if take_steadily(slow, 2 * timeout) > timeout / 2:
                continue
            for connection in slow:
                response = connection.response()
                assert response.complete and len(response.body) == n
        server.stop()
        return
    pytest.fail('the clients were never steady')


@pytest.mark.parametrize('n', [10, 20000000])
def test_a_client_that_takes_its_response_does_not_wait_for_close(serve, directory, n):
    """The small one would have gone out together with the answers to others."""
    server = serve('probe', '-w', '1')
    done = directory / 'done'
    with Connection(server.address) as connection:
        answer = connection.get(f'/slow-close?n={n}&file={done}')
        assert len(answer.body) == n
        done.touch()
        assert connection.get('/show-closed').body == b'["slow"]'
    server.stop()


BIG = 20_000_000
EXPECT = 'POST /echo HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n'


@contextlib.contextmanager
def behind(server, *fields):
    """A client that has begun to take a large response, and one that came then to the same worker
    and was asked for its body, for which the application waits."""
    with Connection(server.address) as taker, Connection(server.address) as waited_for:
        taker.send(f'GET /big?n={BIG} HTTP/1.1\r\n' + '\r\n'.join(['Host: t', *fields, '', '']))
        assert taker._more()
        waited_for.send(EXPECT)
        assert waited_for.response().status == 100
        yield taker, waited_for


@pytest.mark.parametrize('engine', ENGINES)
def test_a_response_that_ends_behind_somebodys_body_ends_at_once(serve, engine):
    server = serve('probe', '-w', '1', '--io-engine', engine,
                   '--request-read-timeout', 'body=60')
    with behind(server, 'Connection: close') as (taker, _waited_for):
        answer = taker.response()  # a client's patience is half of that time
        assert len(answer.body) == BIG
        assert not taker._more()
    server.stop()


@pytest.mark.parametrize('engine', ENGINES)
def test_who_has_a_response_behind_somebodys_body_is_served_by_another_thread(serve, engine):
    server = serve('probe', '-w', '1', '--threads', '4', '--io-engine', engine,
                   '--request-read-timeout', 'body=60')
    with behind(server) as (taker, _waited_for):
        assert len(taker.response().body) == BIG
        assert taker.get('/hello').status == 200
    server.stop()


def resident(pid: int) -> int:
    """Bytes, without asking the process, which would wake it."""
    pages = int(pathlib.Path(f'/proc/{pid}/statm').read_text().split()[1])
    return pages * os.sysconf('SC_PAGESIZE')


@pytest.mark.skipif(SANITIZED, reason='sanitizers keep what is freed')
@pytest.mark.parametrize('engine', ENGINES)
def test_of_a_response_that_ends_behind_somebodys_body_nothing_is_kept(serve, engine):
    """Nothing happens after that: the worker would sleep with it."""
    server = serve('probe', '-w', '1', '--io-engine', engine, '--keep-alive-timeout', '60')
    [child] = server.children()
    with behind(server) as (taker, waited_for):
        with_it = resident(child)
        assert len(taker.response().body) == BIG
        waited_for.close()
        wait_until(lambda: resident(child) < with_it - BIG / 2, 'the memory of the response')
    server.stop()


# --- ResponseBufferSize -----------------------------------------------------------------------

class Reluctant(Connection):
    """Has asked for something, has the beginning of it, and reads no further yet."""

    def __init__(self, address, target: str):
        super().__init__(address)
        self.send(f'GET {target} HTTP/1.1\r\nHost: t\r\n\r\n')
        self.read_to(1)

    def read_to(self, size: int):
        while len(self.buffer) < size:
            self.buffer += self.socket.recv(size - len(self.buffer))


def lines(n: int) -> bytes:
    return b''.join(b'%999d\n' % i for i in range(n))


@pytest.fixture
def start(serve, directory):
    """One worker, and a socket of which it is known how much it holds at most."""
    def start_with(*words):
        server = serve('probe', '-w', '1', '-b', f'unix:{directory}/s', *words)
        return server, directory / 's'
    return start_with


@pytest.mark.parametrize('engine', ENGINES)
def test_a_generator_whose_pieces_fit_the_buffer_costs_no_worker(start, engine):
    server, address = start('--io-engine', engine, '--timeout', LONG,
                            '--response-buffer-size', '2m')
    with contextlib.ExitStack() as clients:
        other = clients.enter_context(Connection(server.address))
        slow = []
        for i in range(3):
            slow.append(clients.enter_context(Reluctant(address, '/stream?n=1000')))
            assert other.get('/hello').body == b'hello\n'
            assert other.get('/show-closed').body == b'[%s]' % b', '.join([b'"stream"'] * (i + 1))
        for connection in slow:
            assert connection.response().body == lines(1000)
            assert connection.get('/hello').body == b'hello\n'  # it is kept alive
    server.stop()


@pytest.mark.parametrize('size', ['64k', '0'])
def test_a_generator_that_makes_more_waits_only_until_the_rest_fits(start, size):
    server, address = start('--timeout', LONG, '--response-buffer-size', size)
    socket_holds = int(pathlib.Path('/proc/sys/net/core/wmem_default').read_text())
    n = (socket_holds + 500_000) // 1000
    whole = n * len(b'3e8\r\n\r\n' + lines(1))
    with Reluctant(address, f'/stream?n={n}') as slow, Connection(server.address) as other:
        other.send('GET /hello HTTP/1.1\r\nHost: t\r\n\r\n')
        slow.read_to(whole - socket_holds - 200_000)
        assert 'all is made' not in server.log.text()  # some of it has no place yet
        if size == '0':
            assert slow.response().body == lines(n)
        else:
            slow.read_to(whole - 50_000)
        assert other.response().body == b'hello\n'
        if size != '0':
            assert slow.response().body == lines(n)
    server.stop()


@pytest.mark.parametrize('engine', ENGINES)
def test_what_is_kept_goes_on_while_the_application_makes_the_next_piece(
        start, directory, engine):
    """PEP 3333, Buffering and Streaming."""
    server, address = start('--io-engine', engine, '--response-buffer-size', '2m')
    go_on = directory / 'go-on'
    with Reluctant(address, f'/two-pieces?n=1000000&file={go_on}') as slow:
        while slow.buffer.count(b'a') < 1_000_000:
            assert slow._more()
        go_on.touch()
        assert slow.response().body == b'a' * 1_000_000 + b'b' * 1_000_000
    server.stop()


@pytest.mark.parametrize('engine', ENGINES)
@pytest.mark.parametrize('rest', [0, 60_000])
@pytest.mark.parametrize('before', ['', 'quick ones before'])
def test_pieces_at_once_do_not_wait_for_the_next_one(start, directory, rest, before, engine):
    server, address = start('--io-engine', engine)
    go_on = directory / 'go-on'
    for n in (1, 2, 3, 20, 500):
        with Connection(address) as client:
            if before:
                client.send('GET /burst?n=3&rest=0&file=/ HTTP/1.1\r\nHost: t\r\n\r\n' * 20)
                for _ in range(20):
                    assert client.response().body == b'0\n1\n2\nend\n'
            client.send(f'GET /burst?n={n}&rest={rest}&file={go_on} HTTP/1.1\r\nHost: t\r\n\r\n')
            last = b'.' * min(rest, 9) + b'%d\n' % (n - 1)
            while last not in client.buffer[-100_000:]:
                assert client._more()
            go_on.touch()
            assert client.response().body == b''.join(
                b'.' * rest + b'%d\n' % i for i in range(n)) + b'end\n'
        go_on.unlink()
    server.stop()


def test_the_last_of_a_content_length_is_not_waited_for_whatever_came_before(start):
    server, address = start('--timeout', LONG)
    with Reluctant(address, '/large-end') as slow, Connection(server.address) as other:
        assert other.get('/hello').body == b'hello\n'
        assert slow.response().body == b'x' * 10_040_100
    server.stop()


def test_blocks_that_were_written_before_an_exception_are_sent(start):
    server, address = start()
    for _ in range(3):
        with Connection(address) as client:
            client.send('GET /write-and-fail HTTP/1.0\r\n\r\n')
            assert client.rest().count(b'w' * 100_000) == 8
    server.stop()


@pytest.mark.parametrize('engine', ENGINES)
def test_a_client_may_want_the_pieces_before_it_sends_its_body(start, engine):
    server, address = start('--io-engine', engine, '--request-body-buffer', '0')
    with Connection(address) as client:
        client.send('POST /burst?n=3 HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\n')
        while client.buffer.count(b'\r\n2\n') == 0:
            assert client._more()
        client.send('body\n')
        assert client.response().body == b'0\n1\n2\nbody\nend\n'
    server.stop()


def test_who_takes_no_more_than_the_buffer_holds_is_cut_at_timeout(start):
    server, address = start('--timeout', '300ms')
    with Reluctant(address, '/stream?n=3000') as slow, Connection(server.address) as other:
        assert other.get('/hello').body == b'hello\n'  # when it has been cut
        assert other.get('/show-closed').body == b'["stream"]'
        assert not slow.response().complete
    server.stop()


# --- RequestBodySpool -----------------------------------------------------------------------

SIZE = 300_000
BODY = bytes(range(256)) * (SIZE // 256 + 1)
FRAMINGS = {
    'plain': (b'Content-Length: %d' % SIZE, BODY[:SIZE]),
    'chunked': (b'Transfer-Encoding: chunked',
                b''.join(b'%x\r\n%s\r\n' % (len(BODY[i:i + 1000][:SIZE - i]),
                                            BODY[i:i + 1000][:SIZE - i])
                         for i in range(0, SIZE, 1000)) + b'0\r\n\r\n'),
}
SPOOLING = ['--request-body-buffer', '1000', '--request-body-spool', '1m']


def spools_of(pid: int) -> int:
    """How many files without a name it has open that are bodies."""
    targets = []
    for entry in pathlib.Path(f'/proc/{pid}/fd').iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            targets.append(os.readlink(entry))
    return sum('/#' in target or 'wsgid-body' in target for target in targets)


@pytest.mark.parametrize('framing', FRAMINGS)
def test_a_large_body_waits_in_a_file_and_costs_no_worker(serve, mpm, framing):
    server = serve('probe', '-w', '1', *SPOOLING)
    field, body = FRAMINGS[framing]
    pid, = server.children()
    with Connection(server.address) as slow, Connection(server.address) as other:
        slow.send(b'POST /digest HTTP/1.1\r\nHost: t\r\n' + field + b'\r\n\r\n' + body[:200_000])
        wait_until(lambda: spools_of(pid) == 1, 'the file')
        # With a worker for each of them these would wait.
        for _ in range(3):
            assert other.get('/hello').body == b'hello\n'
        # The next request comes with the last bytes of this one.
        slow.send(body[200_000:] + b'GET /hello HTTP/1.1\r\nHost: t\r\n\r\n')
        assert hashlib.sha256(BODY[:SIZE]).hexdigest().encode() in slow.response().body
        assert slow.response().body == b'hello\n'
        wait_until(lambda: spools_of(pid) == 0, 'the end of the file')
        # One that nobody reads.
        slow.send(b'POST /unread HTTP/1.1\r\nHost: t\r\n' + field + b'\r\n\r\n' + body)
        assert slow.response().body == b'not read'
        assert slow.get('/hello').body == b'hello\n'
    server.stop()


@pytest.mark.parametrize('framing', FRAMINGS)
def test_a_body_in_a_file_goes_with_its_connection(serve, framing):
    """To the child that comes after a reload, however long that takes."""
    server = serve('probe', '-w', '1', *SPOOLING, '--request-read-timeout', 'body=0')
    field, body = FRAMINGS[framing]
    old, = server.children()
    with Connection(server.address) as slow:
        slow.send(b'POST /digest HTTP/1.1\r\nHost: t\r\n' + field + b'\r\n\r\n' + body[:200_000])
        wait_until(lambda: spools_of(old) == 1, 'the file')
        server.reload()
        wait_until(lambda: old not in server.children(), 'the end of the old child')
        new, = server.children()
        wait_until(lambda: spools_of(new) == 1, 'the file in the new child')
        slow.send(body[200_000:])
        assert hashlib.sha256(BODY[:SIZE]).hexdigest().encode() in slow.response().body
    server.stop()


@pytest.mark.parametrize('moves', [False, True], ids=['stays', 'moves'])
def test_a_chunk_whose_size_comes_in_pieces_is_read_once(serve, moves):
    """Of a file with nothing but framing in it: where in it we are is known, or looked for."""
    server = serve('probe', '-w', '1', '--request-body-buffer', '0',
                   '--request-body-spool', '1m')
    pid, = server.wait_for_ready(1)
    with Connection(server.address) as connection:
        connection.send(POST + b'Transfer-Encoding: chunked\r\n\r\n')
        dribble(connection, b'5;ext')
        wait_until(lambda: spools_of(pid) == 1, 'the file')
        if moves:
            server.reload()
            wait_until(lambda: pid not in server.children(), 'the end of the old child')
            new, = server.children()
            wait_until(lambda: spools_of(new) == 1, 'the file in the new child')
        dribble(connection, b'\r\nhel')
        dribble(connection, b'lo\r\n0\r\n\r\n')
        assert connection.response().body == b'hello'
        assert connection.get('/hello').body == b'hello\n'
    server.stop()


def test_a_body_that_is_too_large_for_the_file_is_read_by_the_application(serve):
    server = serve('probe', '-w', '1', '--request-body-buffer', '1000',
                   '--request-body-spool', '100k')
    for field, body in FRAMINGS.values():
        with Connection(server.address) as connection:
            connection.send(b'POST /digest HTTP/1.1\r\nHost: t\r\n' + field + b'\r\n\r\n' + body)
            assert (hashlib.sha256(BODY[:SIZE]).hexdigest().encode()
                    in connection.response().body)
            assert connection.get('/hello').body == b'hello\n'
    server.stop()


@pytest.mark.parametrize('engine', ENGINES)
def test_a_child_that_has_never_been_without_a_client_waits_for_him(serve, engine):
    server = serve('probe', '-w', '1', '--io-engine', engine)
    with Connection(server.address) as slow:
        slow.send(b'GET /hello HTTP/1.1\r\n')
        server.wait_for_ready(1)
        child, = server.children()
        time.sleep(0.5)  # in which it has started
        used = cpu_seconds(child)
        time.sleep(1)
        assert cpu_seconds(child) - used < 0.3
        slow.send(b'Host: t\r\n\r\n')
        assert slow.response().body == b'hello\n'
    server.stop()


# --- more of them than there are buffers to receive with -------------------------------------

CROWD = 300  # of 256


@pytest.fixture
def crowd(serve, engine):
    """So many connections with the one child, and its server."""
    server = serve('probe', '-w', '1', '--io-engine', engine, '--timeout', LONG,
                   '--send-buffer-size', '16K')
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Connection(server.address)) for _ in range(CROWD)]
        for one in clients:
            one.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        yield server, clients
    server.stop()


@pytest.mark.parametrize('engine', ENGINES)
def test_a_crowd_with_half_a_body_each_holds_up_nobody(crowd):
    server, clients = crowd
    for one in clients:
        one.send(POST + b'Content-Length: 1000\r\n\r\n' + b'x' * 10)
    with Connection(server.address) as other:
        assert other.get('/hello').body == b'hello\n'
    for one in clients:
        one.send(b'x' * 990)
    assert [one.response().body for one in clients] == [b'x' * 1000] * CROWD


@pytest.mark.parametrize('engine', ENGINES)
def test_a_crowd_that_asks_on_before_it_has_read_holds_up_nobody(crowd):
    """More than fits into the buffers of a socket is under way to each."""
    server, clients = crowd
    size = 500_000
    for one in clients:
        one.send(f'GET /big?n={size} HTTP/1.1\r\nHost: t\r\n\r\n')
    wait_until(lambda: all(one._more() for one in clients), 'the beginning of each answer')
    for one in clients:
        one.send(b'GET /hello HTTP/1.1\r\nHost: t\r\n\r\n')
    with Connection(server.address) as other:
        assert other.get('/hello').body == b'hello\n'
    for one in clients:
        assert len(one.response().body) == size
        assert one.response().body == b'hello\n'


SPINS = '''
import time
def application(environ, start_response):
    end = time.monotonic() + (0.001 if environ['PATH_INFO'] == '/spin' else 0)
    while time.monotonic() < end:
        pass
    start_response('200 OK', [('Content-Length', '4')])
    return [b'done']
'''


@pytest.mark.parametrize('engine', ENGINES)
def test_a_crowd_that_asks_at_once_is_served_by_one_child(serve, directory, engine):
    """More than twice as many as there are buffers to receive their requests in."""
    (directory / 'spins.py').write_text(SPINS)
    server = serve('spins', '-w', '1', '--io-engine', engine, cwd=directory)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Connection(server.address)) for _ in range(2 * CROWD)]
        for one in clients:
            assert one.get('/').body == b'done'
        for one in clients:
            one.send(b'GET /spin HTTP/1.1\r\nHost: t\r\n\r\n')
        assert [one.response().body for one in clients] == [b'done'] * 2 * CROWD
    server.stop()


@pytest.fixture
def no_files(directory):
    """An application whose child may write nothing into files."""
    (directory / 'no_files.py').write_text('''
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
def application(environ, start_response):
    body = environ['PATH_INFO'] + ' ' + str(len(environ['wsgi.input'].read()))
    start_response('200 OK', [('Content-Length', str(len(body)))])
    return [body.encode()]
''')
    return directory


@pytest.mark.parametrize('engine', ENGINES)
def test_a_head_whose_body_cannot_be_filed_stays_what_it_was(serve, no_files, engine):
    """What comes next is written to where the head has been received."""
    server = serve('no_files', '-w', '1', '--io-engine', engine, '--access-log', '-',
                   '--request-body-spool', '2M', '--request-body-buffer', '1000', cwd=no_files)
    with Connection(server.address) as slow:
        slow.send(b'POST /right HTTP/1.1\r\nHost: t\r\nContent-Length: 300000\r\n\r\n' + b'x')
        server.log.wait_for('a body is not collected')
        slow.send(b'SECRET-' * 42857)
        assert slow.response().body == b'/right 300000'
    server.output.wait_for('"POST /right HTTP/1.1" 200')
    server.stop()


def break_off(address, rng):
    """Say something on a connection, begin an upload that nobody reads, and leave."""
    with Connection(address) as c:
        for _ in range(rng.randint(0, 3)):
            assert c.get(rng.choice(['/hello', '/sleep?s=0.005'])).status == 200
        c.send(b'POST /hello HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n'
               b'Expect: 100-continue\r\n\r\n2dc6c0\r\n')
        left, end = rng.choice([0, 100_000, 655_360, 1_500_000]), time.monotonic() + 1
        c.socket.setblocking(False)
        while left > 0 and time.monotonic() < end:
            try:
                left -= c.socket.send(b'v' * min(left, 65_536))
            except BlockingIOError:
                select.select([], [c.socket], [], 0.001)


@pytest.mark.parametrize('engine', ENGINES)
def test_uploads_that_are_broken_off_leave_no_connection_behind(serve, engine):
    """Also where the kernel does not tell one of some thousands of resets who receives on."""
    server = serve('probe', '-w', '1', '--threads', '8', '--timeout', LONG,
                   '--io-engine', engine)
    end = time.monotonic() + 3

    def leave(seed):
        rng = random.Random(seed)
        while time.monotonic() < end:
            with contextlib.suppress(ConnectionError):
                break_off(server.address, rng)

    def go_on(seed):
        while time.monotonic() < end:
            with Connection(server.address) as c:
                for _ in range(20):
                    assert c.get('/spin?s=0.01').status == 200

    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        list(pool.map(lambda n: (leave if n % 2 else go_on)(n), range(24)))
    wait_until(lambda: server.board()['counts']['connections'] == 0, 'the end of all of them')
    server.stop()
