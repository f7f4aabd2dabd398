"""What clients of a pool feel of requests that take long: of one nothing, of all a delay."""

import contextlib
import json
import os
import pathlib
import resource
import socket
import struct
import time

import pytest

import wsgictl
from client import Connection
from crowd import Crowd, best_of
from server import wait_until

ENGINES = ['io_uring', 'epoll']


# --- all children are busy ------------------------------------------------------------------

MANY = 2000
BUSY_S = 2


@pytest.fixture
def descriptors():
    """Enough of them for MANY clients here, and for their connections in one child."""
    need = 2 * MANY
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < need:
        pytest.skip(f'ulimit -Hn is {hard}, and {need} are needed')
    if soft != resource.RLIM_INFINITY and soft < need:
        resource.setrlimit(resource.RLIMIT_NOFILE, (need, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize('engine', ENGINES)
def test_2000_clients_wait_while_all_children_are_busy_for_2_s_and_none_is_lost(
        serve, descriptors, gate, engine):
    server = serve('probe', '-w', '2', '--io-engine', engine, '--keep-alive-timeout', '60s')
    server.wait_for_ready(2)
    crowd = Crowd(server.address, MANY, '/hello', check=b'hello\n'.__eq__, pause=0.3)
    crowd.start()
    wait_until(crowd.connected, 'an answer for everybody')
    slow = [Connection(server.address) for _ in range(2)]
    begin = time.monotonic()
    for connection in slow:
        connection.send(gate.request)
    wait_until(lambda: server.log.text().count('sleeping') == 2, 'two busy children')
    both = time.monotonic()
    wait_until(lambda: crowd.waiting() > 0.95 * MANY, 'everybody to wait')
    time.sleep(max(0, both + BUSY_S - time.monotonic()))
    waited, answers = crowd.waiting(), crowd.answers
    assert server.board()['counts']['idle'] == 0
    gate.open()
    for connection in slow:
        assert connection.response().body == b'awake'
        connection.close()
    least = crowd.least()
    wait_until(lambda: crowd.least() > least + 1, 'two answers more for everybody')
    crowd.stop()
    print(f'{waited} clients waited, both children were busy within {both - begin:.3f} s; '
          f'{crowd.answers - answers} answers since, the slowest took '
          f'{max(crowd.latencies):.2f} s')
    assert (crowd.ends, crowd.wrong) == ([], [])
    assert server.board()['board']['children_crashed'] == 0
    server.stop()


def test_status_tells_how_many_wait_in_the_listen_queues(serve, gate, directory):
    """All children are busy; whoever comes now is accepted by none of them."""
    path = directory / 'shop.sock'
    server = serve('probe', '-w', '1', '--listen', f'unix:{path}')
    server.wait_for_ready(1)

    def queues():
        return json.loads(wsgictl.of(server, 'status', '--json').stdout)['listen_queues']
    found = queues()
    if len(found) == 1:
        pytest.skip('the kernel tells nothing of unix: sockets (unix_diag)')
    tcp, unix = found
    limit = int(pathlib.Path('/proc/sys/net/core/somaxconn').read_text())
    assert tcp['listener'] == f'127.0.0.1:{server.address[1]}'
    assert unix['listener'] == f'unix:{path}'
    assert 0 < tcp['limit'] == unix['limit'] <= limit
    assert tcp['waiting'] == unix['waiting'] == 0
    busy = Connection(server.address)
    busy.send(gate.request)
    server.log.wait_for('sleeping')
    waiting = [Connection(server.address) for _ in range(3)]
    for connection in waiting:  # who sends nothing is not in the queue yet
        connection.send('GET /hello HTTP/1.1\r\nHost: t\r\n\r\n')
    with socket.socket(socket.AF_UNIX) as other:
        other.connect(str(path))
        wait_until(lambda: [q['waiting'] for q in queues()] == [3, 1], 'four to wait')
        wsgictl.succeeds(wsgictl.of(server, 'status'),
                         rf'^  listen queue 3 of {limit} at 127.*\n {{15}}1 of {limit} at unix:')
        gate.open()
        assert busy.response().body == b'awake'
        for connection in waiting:
            assert connection.response().body == b'hello\n'
            connection.close()
        tcp, unix = queues()
        assert (tcp['waiting'], unix['waiting']) == (0, 0)
    busy.close()
    server.stop()


@contextlib.contextmanager
def one_processor():
    """What is sent comes in that order: the kernel has a queue for each processor, and a reset
    that overtakes the bytes before it is none."""
    processors = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(processors)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, processors)


def reset(connection):
    """Leave as a client does that is killed with an answer unread, or with this option."""
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    connection.close()


def test_a_client_that_left_is_dropped_from_the_queue_of_the_pool(serve):
    """Who has only said all that he had to say is served."""
    server = serve('probe', '-w', '2')
    server.wait_for_ready(2)
    parked, half = Connection(server.address), Connection(server.address)
    for connection in (parked, half):
        assert connection.get('/hello').body == b'hello\n'
    busy = [Connection(server.address) for _ in range(2)]
    for connection in busy:
        connection.send('GET /sleep?s=1 HTTP/1.1\r\nHost: t\r\n\r\n')
    wait_until(lambda: server.log.text().count('sleeping') == 2, 'two busy children')
    with one_processor():
        parked.send('GET /sleep?s=0.01 HTTP/1.1\r\nHost: t\r\n\r\n')
        half.send('GET /hello HTTP/1.1\r\nHost: t\r\n\r\n')
        half.socket.shutdown(socket.SHUT_WR)
        reset(parked)
    assert half.response().body == b'hello\n'
    half.close()
    for connection in busy:
        assert connection.response().body == b'awake'
        assert connection.get('/hello').body == b'hello\n'
        connection.close()
    assert server.log.text().count('sleeping') == 2
    server.stop()


TIMES = '''
import os, time, urllib.parse
def application(environ, start_response):
    query = dict(urllib.parse.parse_qsl(environ['QUERY_STRING']))
    body = f'{time.monotonic_ns()} {os.getpid()}'.encode()
    if query:
        print('sleeping', flush=True)
        while not os.path.exists(query['file']):
            time.sleep(0.005)
    start_response('200 OK', [('Content-Length', str(len(body)))])
    return [body]
'''


@pytest.mark.parametrize('waiting', [4, 300])  # more than are given away at once
def test_who_waits_first_is_served_first_by_a_sibling_too(serve, directory, waiting):
    """All wait in one queue, also those whose own child is not the first to be free."""
    (directory / 'times.py').write_text(TIMES)
    server = serve('times', '-w', '2', cwd=directory)
    children = server.wait_for_ready(2)
    clients = {pid: [] for pid in children}
    while min(map(len, clients.values())) <= waiting:
        client = Connection(server.address)
        clients[int(client.get('/').body.split()[1])].append(client)
    for pid, (client, *_) in clients.items():
        client.send(f'GET /?file={directory}/{pid} HTTP/1.1\r\nHost: t\r\n\r\n')
    wait_until(lambda: server.log.text().count('sleeping') == 2, 'two busy children')
    first, other = children
    with one_processor():
        for client in clients[first][1:]:
            client.send('GET / HTTP/1.1\r\nHost: t\r\n\r\n')
    (directory / str(other)).touch()
    served = [client.response().body.split() for client in clients[first][1:]]
    assert {int(pid) for _, pid in served} == {other}
    assert served == sorted(served, key=lambda answer: int(answer[0]))
    (directory / str(first)).touch()
    for client, *_ in clients.values():
        assert client.response().status == 200
    for client in sum(clients.values(), []):
        client.close()
    server.stop()


@pytest.mark.parametrize('engine', ENGINES)
def test_what_is_sent_while_all_children_are_busy_has_come_in_time(serve, gate, engine):
    """However long it lies unread.  Who has sent nothing, or not all, has to be in time."""
    server = serve('probe', '-w', '2', '--io-engine', engine, '--keep-alive-timeout', '1s',
                   '--request-read-timeout', 'header=1')
    server.wait_for_ready(2)
    request = 'GET /hello HTTP/1.1\r\nHost: t\r\n\r\n'
    for _ in range(10):
        begin, seen = time.monotonic(), server.log.text().count('sleeping')
        clients = [Connection(server.address) for _ in range(7)]
        *busy, parked, new, halves, half, silent = clients
        for connection in (parked, half, silent):
            assert connection.get('/hello').status == 200
        for connection in busy:
            connection.send(gate.request)
        wait_until(lambda: server.log.text().count('sleeping') == seen + 2, 'two busy children')
        try:
            for connection in (parked, new):
                connection.send(request)
            for connection in (halves, half):
                connection.send(request[:9])
        except OSError:
            pass  # closed: too late already
        if time.monotonic() < begin + 0.9:
            break
        # On a machine that slow they were late themselves.  Once more.
        gate.open()
        for connection in busy:
            assert connection.response().body == b'awake'
        for connection in clients:
            connection.close()
        gate.shut()
    else:
        pytest.skip('this machine is too busy for clients to be in time')
    time.sleep(1.2)  # longer than each timeout: it is what must not count
    halves.send(request[9:])
    gate.open()
    for connection in (parked, new, halves):
        assert connection.response().body == b'hello\n'
    assert half.response().status == 408
    assert silent.is_closed()
    for connection in clients:
        connection.close()
    server.stop()


# --- one child is busy ----------------------------------------------------------------------

CLIENTS = 64
ROUNDS = 3


@pytest.mark.alone
@pytest.mark.parametrize('engine', ENGINES)
def test_64_clients_of_4_children_do_not_feel_that_one_computes_for_2_s(serve, engine):
    """p99 is below 10 ms and the slowest below 100; who waits for it waits a second on average."""
    server = serve('probe', '-w', '4', '--io-engine', engine)
    server.wait_for_ready(4)
    assert best_of(ROUNDS, server, CLIENTS, '/spin?s=2', 10, 100) <= 1
    server.stop()
