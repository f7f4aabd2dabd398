"""Nobody waits for a worker that is busy while another one is idle."""

import array
import concurrent.futures
import contextlib
import os
import pathlib
import re
import select
import signal
import socket
import statistics
import threading
import time

import pytest

from client import PATIENCE, Connection
from server import cpu_seconds, freeze, own_by_children, wait_until
from waiting import fastest

SPINNING = '''
import time

class Closing(list):
    def close(self):
        pass

def application(environ, start_response):
    end = time.monotonic() + 0.0006
    while time.monotonic() < end:
        pass
    start_response('200 OK', [('Content-Length', '4')])
    return (Closing if environ['PATH_INFO'] == '/closing' else list)([b'done'])
'''
NUMBERS = 2 << 20  # of eight bytes: more than the sockets between hold


@pytest.fixture(params=['io_uring', 'epoll'])
def two(request, serve):
    """A server with two idle children."""
    server = serve('probe', '-w', '2', '--io-engine', request.param)
    server.wait_for_ready(2)
    return server


def served(connection, target='/hello'):
    """Its answer, also while a long request lasts, which ends only when the test lets it."""
    response = connection.get(target)
    assert response.status == 200
    return response


def all_in_one(server, number):
    """A child that is stopped, and connections that it holds."""
    connections = [Connection(server.address) for _ in range(2 * number)]
    held = {}
    for connection in connections:
        held.setdefault(int(connection.get('/pid').body), []).append(connection)
    pid = max(held, key=lambda pid: len(held[pid]))
    for other in held:
        if other != pid:
            for connection in held[other]:
                connection.close()
    freeze(pid)
    return pid, held[pid][:number]


def test_answers_before_a_long_request_are_sent_once_and_the_next_are_served(two, gate):
    pid, (*before, stuck) = all_in_one(two, 5)
    for connection in before:
        connection.send('GET /hello HTTP/1.1\r\nHost: t\r\n\r\n')
    stuck.send(gate.request)
    os.kill(pid, signal.SIGCONT)
    for connection in before:
        assert connection.response().body == b'hello\n'
    for connection in before:
        assert served(connection).body == b'hello\n'
    gate.open()
    assert stuck.response().body == b'awake'
    for connection in before:
        connection.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            connection.socket.recv(1)
        assert not connection.buffer


def test_a_crowd_behind_a_long_request_is_served_meanwhile(two, gate):
    """More than fit into a small queue of submissions."""
    _, (stuck, *others) = all_in_one(two, 300)
    for pid in two.children():
        os.kill(pid, signal.SIGCONT)
    stuck.send(gate.request)
    for connection in others:
        connection.send('GET /hello HTTP/1.1\r\nHost: t\r\n\r\n')
    for connection in others:
        assert connection.response().body == b'hello\n'
    gate.open()
    assert stuck.response().body == b'awake'


@pytest.mark.parametrize('engine', ['io_uring', 'epoll'])
@pytest.mark.parametrize('how', ['list', 'closing'])
def test_the_first_of_many_answers_does_not_wait_for_the_last(serve, directory, how, engine):
    """No request is long enough to be seen by the watcher."""
    (directory / 'spinning.py').write_text(SPINNING)
    server = serve('spinning', '-w', '1', '--io-engine', engine, cwd=directory)
    connections = [Connection(server.address) for _ in range(30)]
    for connection in connections:
        connection.get('/')

    def share():
        """Of the time for all: that for the first."""
        poll, arrivals = select.poll(), []
        freeze(server.children()[0])
        for connection in connections:
            connection.send(f'GET /{how} HTTP/1.1\r\nHost: t\r\n\r\n')
            poll.register(connection.socket, select.POLLIN)
        os.kill(server.children()[0], signal.SIGCONT)
        begin = time.monotonic()
        while len(arrivals) < len(connections):
            for fd, _ in poll.poll(PATIENCE * 1000):
                poll.unregister(fd)
                arrivals.append(time.monotonic() - begin)
        for connection in connections:
            assert connection.response().body == b'done'
        return arrivals[0] / arrivals[-1]
    fastest(share, 0.5)
    for connection in connections:
        connection.close()


@pytest.mark.parametrize('engine', ['io_uring', 'epoll'])
def test_new_clients_come_in_while_others_never_stop_asking(serve, directory, engine):
    (directory / 'spinning.py').write_text(SPINNING)
    server = serve('spinning', '-w', '1', '--io-engine', engine, cwd=directory)
    request = b'GET /list HTTP/1.1\r\nHost: t\r\n\r\n'
    others = [Connection(server.address) for _ in range(40)]
    enough = threading.Event()

    def ask_on():
        poll, found = select.poll(), {other.socket.fileno(): other for other in others}
        for fd, other in found.items():
            poll.register(fd, select.POLLIN)
            other.socket.sendall(request)
        while not enough.is_set():
            for fd, _ in poll.poll(1000):
                found[fd].socket.recv(1000)
                found[fd].socket.sendall(request)
    asking = threading.Thread(target=ask_on)
    asking.start()
    try:
        for _ in range(5):
            with Connection(server.address) as new:
                assert new.get('/list').body == b'done'
            assert asking.is_alive()
    finally:
        enough.set()
        asking.join()
    for other in others:
        other.close()


MUTEX = ['--mutex', 'flock', '-b', 'unix:other.sock']  # it needs two listeners


@contextlib.contextmanager
def asking(server, clients: int, target: str):
    """So many ask for it all the time; how often they were answered."""
    enough, answered = threading.Event(), [0] * clients

    def ask_on(i: int):
        with Connection(server.address) as connection:
            while not enough.is_set():
                assert connection.get(target).status == 200
                answered[i] += 1
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        done = [pool.submit(ask_on, i) for i in range(clients)]
        try:
            wait_until(lambda: all(n > 10 for n in answered), 'all of them')
            yield lambda: list(answered)
        finally:
            enough.set()
    for one in done:
        one.result()


@pytest.mark.parametrize('engine', ['io_uring', 'epoll'])
@pytest.mark.parametrize('words', [['-w', '1'], ['-w', '2'], ['-w', '1', '--threads', '2'],
                                   ['-w', '2', *MUTEX], ['-w', '1', '--threads', '2', *MUTEX]],
                         ids=['child', 'children', 'threads', 'mutex', 'threads-and-mutex'])
@pytest.mark.parametrize('target', ['/hello', '/sleep?s=0.0005', '/sleep?s=0.002',
                                    '/sleep?s=0.02'])
def test_new_clients_come_in_however_long_the_requests_of_others_take(serve, words, target, engine):
    server = serve('probe', *words, '--io-engine', engine)
    with asking(server, 6, target) as answered:
        for _ in range(4):
            before = sum(answered())
            with Connection(server.address) as new:
                assert new.get('/hello').body == b'hello\n'
            assert target == '/hello' or sum(answered()) - before < 100
    server.stop()


@pytest.mark.parametrize('engine', ['io_uring', 'epoll'])
@pytest.mark.parametrize('words', [['-w', '1'], ['-w', '2'], ['-w', '1', '--threads', '2'],
                                   ['-w', '2', *MUTEX], ['-w', '1', '--threads', '2', *MUTEX]],
                         ids=['child', 'children', 'threads', 'mutex', 'threads-and-mutex'])
def test_a_crowd_of_new_clients_is_served_beside_those_that_never_stop_asking(
        serve, words, engine):
    """Each is one of many for whom a worker is there in turn: whoever had come before is
    not answered again and again before the next one comes in."""
    server = serve('probe', *words, '--io-engine', engine)
    with asking(server, 12, '/sleep?s=0.003') as answered:
        before = sum(answered())
        crowd = [Connection(server.address) for _ in range(50)]
        for new in crowd:
            new.send('GET /sleep?s=0.003 HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n')
        for new in crowd:
            assert new.response().status == 200
            new.close()
        assert sum(answered()) - before < 3 * len(crowd)
    server.stop()


@pytest.mark.parametrize('engine', ['io_uring', 'epoll'])
def test_clients_of_busy_threads_are_served_equally_often(serve, engine):
    server = serve('probe', '-w', '1', '--threads', '3', '--io-engine', engine)
    with asking(server, 12, '/sleep?s=0.005') as answered:

        def least():
            """Of the answers to the one who had most: those to the one who had fewest."""
            before = answered()
            wait_until(lambda: sum(answered()) - sum(before) > 300, '300 answers')
            got = [now - then for now, then in zip(answered(), before)]
            return min(got) / max(got)
        assert statistics.median(least() for _ in range(5)) > 0.6
    server.stop()


@pytest.mark.parametrize('engine', ['io_uring', 'epoll'])
def test_a_large_response_goes_on_beside_requests_that_usually_take_long(serve, engine):
    """And there is nobody to whom anything else could be given.  From one turn of the worker's
    to the next, each behind three of those requests, it would take over 200 ms."""
    server = serve('probe', '-w', '1', '--io-engine', engine)
    with asking(server, 3, '/sleep?s=0.02'), Connection(server.address) as client:
        assert client.get('/hello').status == 200

        def takes() -> float:
            client.send('GET /big?n=30000000 HTTP/1.1\r\nHost: t\r\n\r\n')
            assert client._more()
            began = time.monotonic()
            assert len(client.response().body) == 30_000_000
            return (time.monotonic() - began) * 1000
        fastest(takes, 150)
    server.stop()


def test_new_clients_one_by_one_find_the_idle_child(two, gate):
    with Connection(two.address) as stuck:
        stuck.send(gate.request)
        two.log.wait_for('sleeping')
        for _ in range(6):
            with Connection(two.address) as connection:
                served(connection)
            time.sleep(0.05)
        gate.open()
        assert stuck.response().body == b'awake'


def keep_with(server, connection, number):
    """Connections of the child that holds this one."""
    pid = connection.get('/pid').body
    found = []
    while len(found) < number:
        other = Connection(server.address)
        if other.get('/pid').body == pid:
            found.append(other)
        else:
            other.close()
    return found


def test_a_client_that_takes_its_response_slowly_holds_nobody_up(two):
    with Connection(two.address) as slow:
        beside = keep_with(two, slow, 2)
        slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.send('GET /expect_close HTTP/1.1\r\nHost: t\r\n\r\n')
        time.sleep(0.2)
        for connection in beside:
            served(connection)
            served(connection)


def test_a_client_that_sends_its_body_slowly_holds_nobody_up(two):
    with Connection(two.address) as slow:
        beside = keep_with(two, slow, 2)
        slow.send('POST /digest HTTP/1.1\r\nHost: t\r\nContent-Length: 90000000\r\n\r\nbegun')
        time.sleep(0.2)
        for connection in beside:
            served(connection)
        for _ in range(6):
            with Connection(two.address) as connection:
                served(connection)


@pytest.fixture(params=['of bytes', 'of a file'])
def large(request, directory):
    """The target of a large response, and its body."""
    body = array.array('Q', range(NUMBERS)).tobytes()
    if request.param == 'of bytes':
        return f'/numbers?n={NUMBERS}', body
    path = directory / 'large'
    path.write_bytes(body)
    own_by_children(path)
    return f'/file?path={path}', body


@pytest.mark.parametrize('engine', ['io_uring', 'epoll'])
def test_a_large_response_goes_on_while_its_worker_is_in_another_request(serve, gate, engine,
                                                                         large):
    """There is no other: it is the watcher who sends."""
    target, body = large
    server = serve('probe', '-w', '1', '--io-engine', engine)
    kept, closed, halved, stuck = (Connection(server.address) for _ in range(4))
    for connection, word in (kept, 'keep-alive'), (closed, 'close'), (halved, 'keep-alive'):
        connection.send(f'GET {target} HTTP/1.1\r\nHost: t\r\nConnection: {word}\r\n\r\n')
        assert connection.socket.recv(1, socket.MSG_PEEK)
    stuck.send(gate.request)
    server.log.wait_for('sleeping')
    assert kept.response().body == body
    assert closed.response().body == body and closed.is_closed()
    while len(halved.buffer) < len(body) // 3:
        halved.buffer += halved.socket.recv(1 << 16)
    gate.open()
    assert stuck.response().body == b'awake'
    assert halved.response().body == body
    for connection in (kept, halved, stuck):
        assert connection.get('/hello').body == b'hello\n'
        connection.close()
    server.stop()


def threads_of(pid: int) -> set:
    return {path.read_text().strip() for path in pathlib.Path('/proc').glob(f'{pid}/task/*/comm')}


@pytest.mark.parametrize('engine', ['io_uring', 'epoll'])
def test_who_has_closed_his_half_is_sent_a_large_response_once(serve, gate, engine, large):
    """By the worker, then by the watcher, and by no thread of the kernel's; nor is it what is
    waited for that he has closed it."""
    target, body = large
    server = serve('probe', '-w', '1', '--io-engine', engine)
    child, = server.wait_for_ready(1)
    halves, stuck = [Connection(server.address) for _ in range(3)], Connection(server.address)
    for connection in halves:
        connection.send(f'GET {target} HTTP/1.1\r\nHost: t\r\n\r\n')
        assert connection.socket.recv(1, socket.MSG_PEEK)
        connection.socket.shutdown(socket.SHUT_WR)
    before = cpu_seconds(child)
    time.sleep(0.5)
    assert cpu_seconds(child) - before < 0.2
    assert not {name for name in threads_of(child) if name.startswith('iou-wrk')}
    stuck.send(gate.request)
    server.log.wait_for('sleeping')
    while len(halves[0].buffer) < len(body) // 3:
        halves[0].buffer += halves[0].socket.recv(1 << 16)
    assert halves[1].response().body == body
    gate.open()
    assert stuck.response().body == b'awake'
    for connection in (halves[0], halves[2]):
        assert connection.response().body == body
        connection.close()
    server.stop()


@pytest.mark.parametrize('engine', ['io_uring', 'epoll'])
def test_clients_of_an_only_child_go_to_the_one_that_replaces_it(serve, gate, engine):
    server = serve('probe', '-w', '1', '--io-engine', engine)
    stuck, kept = Connection(server.address), Connection(server.address)
    assert stuck.get('/hello').status == kept.get('/hello').status == 200
    stuck.send(gate.request)
    server.log.wait_for('sleeping')
    server.kill(signal.SIGHUP)
    server.log.wait_for('reload done')
    served(kept)
    with Connection(server.address) as new:
        served(new)
    gate.open()
    assert stuck.response().body == b'awake'


# --- who waits for the GIL ---------------------------------------------------------------------

HOLDING = '''
import ctypes
import os
import time
library = ctypes.PyDLL(None)  # its functions keep the GIL
def application(environ, start_response):
    if environ['PATH_INFO'] == '/hold':
        library.usleep(3000000)
    if environ['PATH_INFO'] == '/sleep':
        time.sleep(0.3)
    body = str(os.getpid()).encode()
    start_response('200 OK', [('Content-Length', str(len(body)))])
    return [body]
'''


@pytest.fixture(params=['io_uring', 'epoll'])
def holding(request, serve, directory):
    """Serves HOLDING as the words say, which come after the application."""
    (directory / 'holding.py').write_text(HOLDING)

    def begin(*words):
        server = serve('holding', *words, '--io-engine', request.param, cwd=directory)
        server.wait_for_ready(int(words[words.index('-w') + 1]))
        return server
    return begin


def is_answered(connection) -> bool:
    return select.select([connection.socket], [], [], 0)[0] != []


def test_clients_of_several_workers_do_not_wait_for_one_that_keeps_the_gil(holding):
    """The leader waits for it as well, and what other workers of the child held comes to it."""
    server = holding('-w', '2', '--threads', '2')
    pid, (first, holds, *others) = all_in_one(server, 6)
    os.kill(pid, signal.SIGCONT)
    first.get('/sleep')
    holds.send('GET /hold HTTP/1.1\r\nHost: t\r\n\r\n')
    time.sleep(0.2)  # it has the GIL; should that come later, nothing is tried
    for connection in first, *others:
        assert served(connection, '/pid').body
        assert not is_answered(holds)
    assert holds.response().body == str(pid).encode()


def watcher_of(pid: int):
    """Its files below /proc, or None."""
    for task in pathlib.Path(f'/proc/{pid}/task').iterdir():
        if (task / 'comm').read_text() == 'wsgid-watcher\n':
            return task
    return None


def watcher_cpu(pid: int) -> float:
    """Seconds."""
    task = watcher_of(pid)
    return int((task / 'schedstat').read_text().split()[0]) / 1e9 if task else 0.0


def waits_of(task) -> int:
    return int(re.search(r'^voluntary_ctxt_switches:\s*(\d+)', (task / 'status').read_text(),
                         re.M)[1])


@pytest.mark.usefixtures('any_children')
def test_requests_that_are_short_do_not_wake_the_watcher(serve):
    """Each wake-up costs the worker more than such a request."""
    server = serve('probe', '-w', '1')
    pid, = server.wait_for_ready(1)
    with Connection(server.address) as c:
        c.get('/hello')
        wait_until(lambda: watcher_of(pid), 'the watcher')
        task = watcher_of(pid)
        before, since, n = waits_of(task), time.monotonic(), 0
        while time.monotonic() < since + 1.5:
            c.get('/hello')
            n += 1
        woken = waits_of(task) - before
        # It is not so idle while something is long.
        before = waits_of(task)
        assert c.get('/sleep?s=0.2').body == b'awake'
        assert waits_of(task) - before > 5
    assert n > 200
    # At the end of each second, and when others had the processor for long.
    assert woken < 100


def test_a_client_that_shuts_its_side_in_a_long_request_costs_no_processor(two, gate):
    """Its connection was watched in the long request of another one."""
    pid, (watched, other) = all_in_one(two, 2)
    os.kill(pid, signal.SIGCONT)
    other.get('/sleep?s=0.1')
    other.close()
    since = len(two.log.text())
    watched.send(gate.request)
    two.log.wait_for('sleeping', since=since)
    watched.socket.shutdown(socket.SHUT_WR)
    time.sleep(0.1)
    before = watcher_cpu(pid)
    time.sleep(0.5)
    assert watcher_cpu(pid) - before < 0.1
    gate.open()
    assert watched.response().body == b'awake'


def test_who_waits_for_the_gil_costs_no_processor_where_nobody_is_idle(holding):
    server = holding('-w', '1', '--threads', '2')
    pid, = server.children()
    slow, first, *others = (Connection(server.address) for _ in range(6))
    for connection in slow, first, *others:
        connection.get('/pid')
    slow.get('/sleep')  # meanwhile the others are watched
    for _ in range(80):
        slow.get('/pid')  # who leads serves them all, once they have been short for a while
    holds = Connection(server.address)
    holds.get('/pid')
    holds.send('GET /hold HTTP/1.1\r\nHost: t\r\n\r\n')
    time.sleep(0.1)
    for connection in first, *others:
        connection.send('GET /pid HTTP/1.1\r\nHost: t\r\n\r\n')
        time.sleep(0.05)  # the first has the worker wait
    before = watcher_cpu(pid)
    time.sleep(0.5)
    assert watcher_cpu(pid) - before < 0.1
    for connection in holds, first, *others:
        assert connection.response().status == 200


# --- how often the watcher looks -------------------------------------------------------------

PIECES = '''
import time
def application(environ, start_response):
    start_response('200 OK', [])
    if environ['PATH_INFO'] == '/spin':
        end = time.monotonic() + 0.003
        while time.monotonic() < end:
            pass
    if environ['PATH_INFO'] == '/pieces':
        yield b'first'
        yield b'second'
        time.sleep(0.03)
    yield b'last'
'''


def looks(pid: int) -> int:
    """Of the child's watcher, until now."""
    for task in pathlib.Path(f'/proc/{pid}/task').iterdir():
        if (task / 'comm').read_text() == 'wsgid-watcher\n':
            status = (task / 'status').read_text()
            return int(re.search(r'^voluntary_ctxt_switches:\s*(\d+)', status, re.M)[1])
    return 0


def looks_in_a_second(pids, connection, target='/') -> float:
    """While there are such requests, for a quarter of it."""
    since, began = sum(map(looks, pids)), time.monotonic()
    while time.monotonic() < began + 0.25:
        connection.get(target)
    return (sum(map(looks, pids)) - since) / (time.monotonic() - began)


def until_the_watcher_dozes(pids, connection):
    wait_until(lambda: looks_in_a_second(pids, connection) < 300, 'looks that are seldom', pause=0)


def test_who_has_long_been_fast_is_missed_all_the_same(two, gate):
    pid, (stuck, *others) = all_in_one(two, 3)
    os.kill(pid, signal.SIGCONT)
    until_the_watcher_dozes([pid], others[0])
    stuck.send(gate.request)
    two.log.wait_for('sleeping')
    assert served(others[0], '/pid').body != str(pid).encode()
    assert served(others[1], '/pid').body != str(pid).encode()
    gate.open()
    assert stuck.response().body == b'awake'


def test_a_long_request_that_leaves_nothing_to_do_is_looked_at_seldom(two, gate):
    """And still nobody waits for it: neither who is idle meanwhile, nor who is new."""
    pid, (stuck, idle, later) = all_in_one(two, 3)
    os.kill(pid, signal.SIGCONT)
    stuck.send(gate.request)
    two.log.wait_for('sleeping')

    def looked() -> float:
        since, began = looks(pid), time.monotonic()
        time.sleep(0.25)
        return (looks(pid) - since) / (time.monotonic() - began)
    wait_until(lambda: looked() < 300, 'looks that are seldom', pause=0)
    assert served(idle, '/pid').body != str(pid).encode()
    wait_until(lambda: looked() < 300, 'looks that are seldom', pause=0)
    assert served(later, '/pid').body != str(pid).encode()
    with Connection(two.address) as new:
        served(new)
    gate.open()
    assert stuck.response().body == b'awake'


@pytest.mark.parametrize('engine', ['io_uring', 'epoll'])
def test_a_piece_that_is_kept_does_not_wait_for_a_look_that_is_far_away(serve, directory, engine):
    (directory / 'pieces.py').write_text(PIECES)
    server = serve('pieces', '-w', '1', '--io-engine', engine, cwd=directory)
    pid, = server.wait_for_ready(1)

    def wait():
        """Milliseconds between pieces that are made at once."""
        with Connection(server.address) as connection:
            until_the_watcher_dozes([pid], connection)
            connection.send('GET /pieces HTTP/1.1\r\nHost: t\r\n\r\n')
            while b'first' not in connection.buffer:
                assert connection._more()
            began = time.monotonic()
            while b'second' not in connection.buffer:
                assert connection._more()
            return (time.monotonic() - began) * 1000
    fastest(wait, 3.5, 10)


@pytest.mark.parametrize('words', [['-w', '2'], ['-w', '1', '--threads', '2']],
                         ids=['sibling', 'thread'])
def test_requests_of_some_milliseconds_keep_the_watcher_awake_while_somebody_is_idle(
        serve, directory, words):
    """Two of its long ticks would see none of them twice."""
    (directory / 'pieces.py').write_text(PIECES)
    server = serve('pieces', *words, cwd=directory)
    pids = server.wait_for_ready(int(words[1]))
    with Connection(server.address) as connection:
        until_the_watcher_dozes(pids, connection)
        wait_until(lambda: looks_in_a_second(pids, connection, '/spin') > 450, 'many looks',
                   pause=0)
    server.stop()


def test_who_could_give_to_nobody_is_looked_after_seldom(serve, directory):
    """A look costs the worker time, and where all are busy it finds nobody to serve others."""
    (directory / 'pieces.py').write_text(PIECES)
    server = serve('pieces', '-w', '1', cwd=directory)
    pids = server.wait_for_ready(1)
    with Connection(server.address) as connection:
        for _ in range(4):
            assert looks_in_a_second(pids, connection, '/spin') < 300
    server.stop()
