"""io_uring, and epoll where it is asked for or io_uring is refused: the same answers."""

import hashlib
import os
import re
import signal
import subprocess

import pytest

from client import Connection, get
from server import PATIENCE, SANITIZED, has_uring, need, wait_until


@pytest.fixture(params=['io_uring', 'EPERM', 'ENOSYS'])
def engine(request, serve, no_uring):
    """A server on each engine, by some way to it: (server, name of the engine)."""
    if request.param in ('auto', 'io_uring'):
        if not has_uring():
            pytest.skip('io_uring is not to be had here')
        return serve('probe', '-w', '2', '--io-engine', request.param), 'io_uring'
    if request.param == 'epoll':
        return serve('probe', '-w', '2', '--io-engine', 'epoll'), 'epoll'
    return serve('probe', '-w', '2', launcher=(no_uring, request.param)), 'epoll'


every_way = pytest.mark.parametrize(
    'engine', ['auto', 'io_uring', 'epoll', 'EPERM', 'ENOSYS'], indirect=True)


@every_way
def test_the_log_and_the_scoreboard_name_the_engine(engine):
    server, name = engine
    assert re.search(rf'Python 3\.[\d.]+, {name},', server.log.text())
    assert {row['page']['io_engine'] for row in server.wait_for_ready(2).values()} == {name}
    refused = bool(server.launcher)
    notices = re.findall(r'^.*using epoll.*$', server.log.text(), re.M)
    assert len(notices) == refused
    if refused:
        error = {'EPERM': 'Operation not permitted', 'ENOSYS': 'Function not implemented'}
        assert 'io_uring' in notices[0] and error[server.launcher[1]] in notices[0]
        assert ':notice]' in notices[0]
    server.stop()


def test_requests_of_every_kind(engine):
    server, _ = engine
    body = bytes(range(256)) * 8000
    with Connection(server.address) as c:
        for _ in range(3):
            assert c.get('/hello').body == b'hello\n'
            assert c.get('/chunks?n=50').body.endswith(b'49,')
            assert c.request('POST', '/digest', body=body).body.decode() == \
                f'{len(body)} {hashlib.sha256(body).hexdigest()}'
            assert len(c.get('/big?n=5000000').body) == 5000000
            assert len(c.get('/file?path=/etc/passwd').body) in (
                0, os.stat('/etc/passwd').st_size)
        c.send('POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n')
        for word in (b'one', b'two'):
            c.send(b'%x\r\n%s\r\n' % (len(word), word))
        c.send('0\r\n\r\n' + 'GET /hello HTTP/1.1\r\nHost: t\r\n\r\n' * 50)
        assert c.response().body == b'onetwo'
        assert [c.response().status for _ in range(50)] == [200] * 50
    server.stop()


def test_a_body_that_comes_while_the_application_runs(engine):
    server, _ = engine
    with Connection(server.address) as c:
        c.send('POST /digest HTTP/1.1\r\nHost: t\r\nContent-Length: 3000000\r\n'
               'Expect: 100-continue\r\n\r\n')
        assert c.response().status == 100
        for _ in range(30):
            c.send(b'x' * 100000)
        assert c.response().body.startswith(b'3000000 ')


def test_timeouts_of_each_kind(serve, no_uring):
    options = ('probe', '-w', '1', '--timeout', '300ms', '--keep-alive-timeout', '300ms')
    for server in (serve(*options, '--io-engine', 'epoll'),
                   serve(*options, launcher=(no_uring, 'EPERM')), serve(*options)):
        with Connection(server.address) as slow, Connection(server.address) as parked:
            assert parked.get('/hello').status == 200
            slow.send('POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\nabc')
            assert slow.response().status == 408
            assert parked.is_closed()
        server.stop()


def test_stop_and_reload(engine):
    server, _ = engine
    server.wait_for_ready(2)
    with Connection(server.address) as slow:
        slow.send('GET /sleep?s=0.5 HTTP/1.1\r\nHost: t\r\n\r\n')
        server.log.wait_for('sleeping')
        assert 'reload done' in server.reload()
        assert slow.response().body == b'awake'
    assert server.log.text().count('using epoll') <= 2
    assert get(server.address, '/hello').status == 200
    server.stop(signal.SIGINT)


def test_io_uring_that_is_insisted_on_and_refused_is_an_error(new_server, no_uring):
    server = new_server('probe', '--io-engine', 'io_uring', launcher=(no_uring, 'EPERM'))
    assert server.fails() in (1, 78)
    assert re.search(r'io_uring.*Operation not permitted', server.log.text())


# --- system calls ---------------------------------------------------------------------------

def calls_under_strace(server, child: int, out, requests: int) -> dict:
    """How often the child made which system call during so many kept-alive requests."""
    tracer = subprocess.Popen([need('strace'), '-f', '-c', '-p', str(child), '-o', str(out)],
                              stderr=subprocess.PIPE, text=True)
    try:
        said = tracer.stderr.readline()
        if 'attached' not in said:
            pytest.skip(f'strace cannot attach: {said.strip()}')
        connections = [Connection(server.address) for _ in range(20)]
        for _ in range(requests // 200):
            for c in connections:
                c.send('GET /hello HTTP/1.1\r\nHost: t\r\n\r\n' * 10)
            for c in connections:
                for _ in range(10):
                    assert c.response().status == 200
        for c in connections:
            c.close()
        wait_until(lambda: server.board()['counts']['connections'] == 0, 'closed connections')
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(PATIENCE)
    rows = re.findall(r'^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)(?:\s+\d+)?\s+(\w+)$', out.read_text(),
                      re.M)
    return {name: int(number) for number, name in rows if name != 'total'}


@pytest.mark.alone
@pytest.mark.skipif(SANITIZED, reason='the sanitizer makes calls of its own')
def test_with_io_uring_no_call_reads_writes_or_waits_for_a_socket(serve, directory):
    need('strace')
    server = serve('probe', '-w', '1', '--io-engine', 'io_uring')
    child, = server.wait_for_ready(1)
    forbidden = {'accept', 'accept4', 'recvfrom', 'recvmsg', 'recvmmsg', 'sendto', 'sendmsg',
                 'sendmmsg', 'read', 'readv', 'write', 'writev', 'epoll_wait', 'epoll_pwait',
                 'epoll_pwait2', 'epoll_ctl', 'poll', 'ppoll', 'select', 'pselect6'}
    tries = []
    for _ in range(5):
        calls = calls_under_strace(server, child, directory / 'calls', 10000)
        assert calls['io_uring_enter'] > 100
        # A child that a busy machine leaves in the midst of a request looks stuck, and others
        # look after its clients.  Such calls are few; what a request needs would be 10,000.
        tries.append((sum(calls.pop(name, 0) for name in forbidden), calls))
        if tries[-1][0] == 0:
            break
    met, calls = min(tries, key=lambda found: found[0])
    assert met < 50, calls
    # The watcher sleeps when there is nothing to do, and is waked.
    assert calls.pop('futex', 0) < 2 * calls.pop('io_uring_enter'), calls
    # Whatever else there is does not grow with the requests.
    assert sum(calls.values()) < 500, calls
