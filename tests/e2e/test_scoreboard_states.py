"""The letters of the scoreboard are Apache's and come when they should; totals never go back.

A connection that is kept alive, or lingers before it is closed, has no worker here: an idle
one, which serves the next request as any other does, stands for them with K and C.
"""

import concurrent.futures
import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import threading

import pytest

from client import Connection, get
from server import (APPS, BUILD, PATIENCE, clean_environment, freeze, is_alive, own_by_children,
                    wait_until)

ENGINES = ['io_uring', 'epoll']


def status(server) -> dict:
    done = subprocess.run([BUILD / 'wsgictl', '--run-directory', server.run_directory,
                           'fullstatus', '--json'], capture_output=True, text=True,
                          timeout=PATIENCE, env=clean_environment())
    assert (done.returncode, done.stderr) == (0, '')
    return json.loads(done.stdout)


def letters(server) -> str:
    """Of the first slots, as tools/scoreboard.py shows them."""
    return server.board()['scoreboard'][:3]


def shows(server, expected):
    """Both programs say so, once it is so."""
    wait_until(lambda: letters(server) == expected, f'{expected}, now {letters(server)}')
    wait_until(lambda: status(server)['scoreboard'][:3].ljust(3, '.') == expected, expected)


def accepts(server, pid, expected):
    """How many of a child's threads wait for new clients, once it is so."""
    def found():
        row, = [row for row in server.board()['processes'] if row['pid'] == pid]
        return row['page']['accepting']
    wait_until(lambda: found() == expected, f'{expected} that wait for clients, now {found()}')


@pytest.fixture
def fifo(directory):
    """A pipe with a name that stands for a log on a slow disk: (path, our end)."""
    path = directory / 'access.log'
    os.mkfifo(path)
    own_by_children(path)
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, 4096)
    yield path, fd
    os.close(fd)


def test_a_child_that_imports_is_starting_and_a_vacant_slot_is_a_dot(new_server, directory):
    ready = directory / 'ready'
    (directory / 'late.py').write_text(
        'import os, time\n'
        f'while not os.path.exists({str(ready)!r}):\n'
        '    time.sleep(0.01)\n'
        'def application(environ, start_response):\n'
        '    start_response("200 OK", [("Content-Length", "0")])\n'
        '    return []\n')
    server = new_server('late', '-w', '2', cwd=directory).spawn()
    wait_until(lambda: any(server.run_directory.glob('*.scoreboard')), 'a scoreboard')
    shows(server, 'S..')
    ready.touch()
    server.start()
    shows(server, '__.')
    child, = [row['pid'] for row in server.board()['processes'] if row['slot'] == 1]
    ready.unlink()
    os.kill(child, signal.SIGKILL)
    shows(server, '_S.')
    ready.touch()
    shows(server, '__.')
    server.stop()


@pytest.mark.parametrize('engine', ENGINES)
def test_reading_working_and_finishing(serve, gate, engine):
    server = serve('probe', '-w', '1', '--io-engine', engine, '--request-body-buffer', '1k')
    child, = server.wait_for_ready(1)
    with Connection(server.address) as client:
        shows(server, '_..')
        accepts(server, child, 1)
        client.send('POST /digest HTTP/1.1\r\nHost: t\r\nContent-Length: 9000\r\n\r\nbegun')
        shows(server, 'R..')
        client.send(b'x' * 8995)
        assert client.response().body.startswith(b'9000 ')
        shows(server, 'K..')

        client.send(gate.request)
        shows(server, 'W..')
        accepts(server, child, 0)
        assert server.ready()[child]['workers'][0]['target'] == '/until'
        server.kill(signal.SIGHUP)
        shows(server, 'G_.')
        accepts(server, child, 0)
        gate.open()
        assert client.response().body == b'awake'
        shows(server, '.K.')
        assert client.get('/hello').status == 200
    server.stop()


@pytest.mark.parametrize('engine', ENGINES)
def test_each_thread_of_a_child_has_a_letter_of_its_own(serve, gate, engine):
    server = serve('probe', '--mpm', 'worker', '-w', '1', '--threads', '3', '--io-engine',
                   engine, '--request-body-buffer', '1k')
    child, = server.wait_for_ready(1)
    shows(server, '___')

    def has(count):
        """Which thread does what is not ours to say."""
        wait_until(lambda: sorted(letters(server)) == sorted(count),
                   f'{count}, now {letters(server)}')
        wait_until(lambda: sorted(status(server)['scoreboard'][:3]) == sorted(count), count)
    with Connection(server.address) as reading, Connection(server.address) as working:
        reading.send('POST /digest HTTP/1.1\r\nHost: t\r\nContent-Length: 9000\r\n\r\nbegun')
        has('R__')
        working.send(gate.request)
        has('RW_')
        reading.send(b'x' * 8995)
        assert reading.response().body.startswith(b'9000 ')
        has('WK_')
        accepts(server, child, 1)
        server.kill(signal.SIGHUP)
        has('GII')
        accepts(server, child, 0)
        gate.open()
        assert working.response().body == b'awake'
    server.stop()


KEEPS_GIL = '''
import re


def application(environ, start_response):
    if environ['PATH_INFO'] == '/keep':
        print('keeping it', flush=True)
        re.match('(a+)+$', 'a' * 40 + 'b')  # for years
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'']
'''


def test_a_worker_that_waits_for_the_gil_with_a_request_is_not_idle(serve, directory):
    (directory / 'keeps.py').write_text(KEEPS_GIL)
    server = serve('keeps', '-w', '1', '--threads', '3', cwd=directory)
    child, = server.wait_for_ready(1)
    with Connection(server.address) as keeping, Connection(server.address) as waiting:
        keeping.send('GET /keep HTTP/1.1\r\nHost: t\r\n\r\n')
        server.log.wait_for('keeping it')
        waiting.send('GET / HTTP/1.1\r\nHost: t\r\n\r\n')
        wait_until(lambda: sorted(letters(server)) == ['R', 'W', '_'], 'one that waits')
        assert status(server)['workers'] == {
            'busy': 2, 'idle': 1, 'starting': 0, 'graceful': 0, 'unknown': 0}
        os.kill(child, signal.SIGKILL)
        server.log.wait_for(rf'child pid {child} \(slot 0\) was in "GET /keep"')
        server.log.wait_for(rf'child pid {child} \(slot 0\) had a request that waited for the GIL')
    server.wait_for_ready(1)
    server.stop()


def ready(server) -> int:
    return subprocess.run([BUILD / 'wsgictl', '--run-directory', server.run_directory, 'status',
                           '--ready'], capture_output=True, env=clean_environment()).returncode


def test_a_server_whose_python_runs_in_no_child_is_not_ready(serve, directory):
    """One that is busy is."""
    (directory / 'keeps.py').write_text(KEEPS_GIL)
    server = serve('keeps', '-w', '1', '--threads', '3', '--deadlock-timeout', '200ms',
                   cwd=directory)
    child, = server.wait_for_ready(1)
    with Connection(server.address) as keeping:
        keeping.send('GET /keep HTTP/1.1\r\nHost: t\r\n\r\n')
        wait_until(lambda: ready(server) == 1, 'it to be not ready')
        assert status(server)['ready'] is False
        os.kill(child, signal.SIGKILL)
    wait_until(lambda: ready(server) == 0, 'another child')
    server.stop()


@pytest.mark.parametrize('engine', ENGINES)
def test_logging(serve, fifo, engine):
    path, fd = fifo
    server = serve('probe', '-w', '1', '--io-engine', engine, '--custom-log', path)
    requests = 100  # of more lines than the pipe takes
    with Connection(server.address) as client:
        client.send('GET /hello HTTP/1.1\r\nHost: t\r\n\r\n' * requests)
        shows(server, 'L..')

        def read_all():
            try:
                os.read(fd, 65536)
            except BlockingIOError:
                return letters(server)[0] == 'K'
        wait_until(read_all, 'the end of the lines')
        for _ in range(requests):
            assert client.response().status == 200
        shows(server, 'K..')
    server.stop()


TICKING = '''
import os, threading, time
def tick():
    while True:
        os.utime('ticks')
        time.sleep(0.01)
open('ticks', 'w').close()
threading.Thread(target=tick, daemon=True).start()
def application(environ, start_response):
    start_response('200 OK', [('Content-Length', '6')])
    return [b'hello\\n']
'''


@pytest.mark.parametrize('engine', ENGINES)
def test_neither_an_answer_nor_the_application_waits_for_a_slow_log(
        serve, directory, fifo, engine):
    """One turn has more lines than are gathered, and nobody reads them."""
    path, fd = fifo
    own_by_children(directory)
    (directory / 'ticking.py').write_text(TICKING)
    server = serve('ticking', '-w', '1', '--io-engine', engine, '--custom-log', path,
                   '--keep-alive-timeout', '60s', cwd=directory)
    child, = server.wait_for_ready(1)
    request = f'GET /{"x" * 2000} HTTP/1.1\r\nHost: t\r\n\r\n'
    with contextlib.ExitStack() as clients:
        waiting = [clients.enter_context(Connection(server.address)) for _ in range(40)]
        for client in waiting:
            assert client.get('/').status == 200
        freeze(child)
        for client in waiting:
            client.send(request)
        os.kill(child, signal.SIGCONT)
        shows(server, 'L..')
        assert waiting[0].response().body == b'hello\n'
        before = (directory / 'ticks').stat().st_mtime_ns
        wait_until(lambda: (directory / 'ticks').stat().st_mtime_ns > before, 'a thread')
        assert letters(server)[0] == 'L'

        def read_all():
            try:
                os.read(fd, 65536)
            except BlockingIOError:
                return letters(server)[0] == 'K'
        wait_until(read_all, 'the end of the lines')
        for client in waiting[1:]:
            assert client.response().body == b'hello\n'
    server.stop()


@contextlib.contextmanager
def sending(client):
    """It sends a little all the time, however long the rest takes."""
    ended = threading.Event()

    def send():
        while not ended.wait(0.1):
            client.send('more')
    with concurrent.futures.ThreadPoolExecutor(1) as sender:
        sent = sender.submit(send)
        try:
            yield
        finally:
            ended.set()
    sent.result()


@pytest.mark.parametrize('threads', [1, 2])
@pytest.mark.parametrize('engine', ENGINES)
def test_idle_workers_stand_for_connections_that_are_kept_alive_or_closing(
        serve, engine, threads):
    """And are counted as idle, and the connections as Apache's event MPM counts them."""
    server = serve('probe', '-w', '1', '--threads', threads, '--io-engine', engine)

    def shown(expected, **wanted):
        wanted_workers = {'idle': threads, 'busy': 0}

        def look():
            counts, state = server.board()['counts'], status(server)
            return (wanted.items() | wanted_workers.items() <= counts.items()
                    and wanted.items() <= state['connections'].items()
                    and wanted_workers.items() <= state['workers'].items()
                    and letters(server).rstrip('.') == expected[:threads]
                    and state['scoreboard'] == expected[:threads])
        wait_until(look, f'{expected} and {wanted}')
    with Connection(server.address) as idle, Connection(server.address) as slow:
        shown('__', parked=0, writing=0, closing=0)
        assert idle.get('/hello').status == 200
        shown('K_', parked=1, writing=0, closing=0)
        # Refused, and it does not close: the server has said all.
        slow.send('NONSENSE\r\n\r\n')
        assert slow.response().status == 400
        with sending(slow):  # it is closed when it has been silent for 2 s
            shown('KC', parked=1, writing=0, closing=1)
            idle.close()
            shown('C_', parked=0, writing=0, closing=1)
    shown('__', parked=0, writing=0, closing=0)
    with Connection(server.address) as slow:
        slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.send('GET /big?n=30000000 HTTP/1.1\r\nHost: t\r\n\r\n')
        shown('__', parked=0, writing=1, closing=0)
    shown('__', parked=0, writing=0, closing=0)
    server.stop()


@pytest.mark.parametrize('threads, kind', [(1, 'servers'), (2, 'threads')])
def test_a_child_too_many_is_idle_and_about_to_go(serve, directory, gate, threads, kind):
    """It serves nobody any more, and Python comes to its end, which takes a while here."""
    (directory / 'leaving.py').write_text(
        'import atexit, os, time\n'
        'from hello import application\n'
        'def wait():\n'
        f'    while not os.path.exists({str(gate.path)!r}):\n'
        '        time.sleep(0.01)\n'
        'atexit.register(wait)\n')
    (directory / 'hello.py').write_bytes((APPS / 'hello.py').read_bytes())
    server = serve('leaving', '--threads', threads, '--start-servers', '3',
                   '--max-request-workers', 3 * threads, f'--min-spare-{kind}', '1',
                   f'--max-spare-{kind}', 2 * threads, cwd=directory)
    idle, gone = '_' * 2 * threads, 'I' * threads
    wait_until(lambda: server.board()['scoreboard'][:3 * threads] == idle + gone, gone)
    found = status(server)
    assert found['scoreboard'] == idle + gone
    assert found['workers'] == {
        'idle': 2 * threads, 'busy': 0, 'starting': 0, 'graceful': threads, 'unknown': 0}
    gate.open()
    wait_until(lambda: server.board()['scoreboard'].rstrip('.') == idle, 'its end')
    server.stop()


def test_totals_survive_deaths_and_reloads(serve):
    server = serve('probe', '-w', '2')
    server.wait_for_ready(2)
    seen = []

    def some():
        """Seven requests, each on a connection of its own: totals grow by just that."""
        for _ in range(7):
            assert get(server.address, '/hello').status == 200
        wanted = 7 * (len(seen) + 1)

        def counted():
            now = server.board()['totals']
            return now if (now['requests'], now['connections']) == (wanted, wanted) else None
        seen.append(wait_until(counted, f'{wanted} requests, as many connections'))
    some()
    for pid in server.ready():
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not is_alive(pid), 'its death')  # noqa: B023
        server.wait_for_ready(2)
        some()
    assert 'reload done' in server.reload()
    some()
    for before, after in zip(seen, seen[1:]):
        assert all(before[name] <= after[name] for name in before), (before, after)
    assert seen[-1]['bytes_out'] >= len(seen) * seen[0]['bytes_out']
    server.stop()
