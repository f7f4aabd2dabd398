"""What is told of a large response is told when it is out, or when its client has it no more."""

import os
import re
import signal
import socket
import time

import pytest

from client import Connection, get
from server import freeze, wait_until

SIZE = 8 << 20
SOME = 100_000
APP = '''
import os, time

def application(environ, start_response):
    path, gate = environ['PATH_INFO'], environ['QUERY_STRING']
    size = SOME if path == '/some' else SIZE
    if gate:
        print('sleeping', flush=True)
    while gate and not os.path.exists(gate):
        time.sleep(.005)
    start_response('200 OK', [('Content-Length', str(size))])
    if path == '/file':
        return environ['wsgi.file_wrapper'](open('large', 'rb'))
    return [b'x' * size]
'''
FORMAT = '%r|%>s|%B|%O|%X|%{ms}T|%S|%I'


def far_from_large(address) -> Connection:
    """Of the response most is with the server for as long as nothing is read."""
    c = Connection(address)
    c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
    return c


@pytest.fixture(params=['/list', '/file'])
def target(request):
    return request.param


@pytest.fixture(params=['io_uring', 'epoll'])
def served(request, serve, directory):
    """served(TEXT) serves what is large, with TEXT in its configuration."""
    def start(text=''):
        (directory / 'large.py').write_text(f'SIZE, SOME = {SIZE}, {SOME}\n{APP}')
        (directory / 'large').write_bytes(b'x' * SIZE)
        (directory / 'wsgid.conf').write_text(f'''
WSGIApplication large
ChDir {directory}
Processes 1
LogFormat "{FORMAT}" ends
CustomLog {directory}/access.log ends
CustomLog {directory}/common.log common
{text}
''')
        return serve('-c', directory / 'wsgid.conf', '--io-engine', request.param,
                     '--log-level', 'info')
    return start


@pytest.fixture
def lines(directory):
    """lines(NUMBER) are so many lines of the access log, as lists, once they are there."""
    path = directory / 'access.log'

    def take(number: int) -> list:
        wait_until(lambda: path.read_text().count('\n') >= number, f'{number} lines in {path}')
        found = [line.split('|') for line in path.read_text().splitlines()]
        assert len(found) == number
        return found
    return take


def begin(server, target: str) -> Connection:
    """A client that has asked for it, and takes nothing so far."""
    c = far_from_large(server.address)
    c.send(f'GET {target} HTTP/1.1\r\nHost: t\r\n\r\n')
    wait_until(lambda: [row['writing'] for row in server.ready().values()] == [1],
               'the end of the request')
    return c


def test_its_line_is_written_when_it_is_out(served, lines, directory, target):
    server = served()
    with begin(server, target) as c:
        assert get(server.address, '/small').status == 200
        small, = lines(1)
        time.sleep(.3)
        answer = c.response()
        assert len(answer.body) == SIZE
        c.send(f'GET {target} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n')
        assert len(c.response().body) == SIZE
    _, first, second = lines(3)
    line, status, body, out, end, took, both, came = first
    assert (line, status, body, end) == (f'GET {target} HTTP/1.1', '200', str(SIZE), '+')
    assert SIZE < int(out) < SIZE + 1000 and int(both) == int(out) + int(came)
    assert int(took) >= 300
    assert int(second[3]) - int(out) in range(0, 30) and second[4] == '-'  # Connection: close
    common = (directory / 'common.log').read_text().splitlines()
    assert len(common) == 3 and re.search(rf'] "GET {target} HTTP/1.1" 200 {SIZE}$', common[1])


def test_a_client_that_leaves_in_it_is_said_to_have(served, lines, target):
    server = served()
    c = begin(server, target)
    c.socket.recv(1000)
    c.close()
    (_, _, body, out, end, *_), = lines(1)
    assert end == 'X' and body == str(SIZE) and 0 < int(out) < SIZE
    found = server.log.wait_for(r'127\.0\.0\.1: (\d+) bytes of a response were not sent: (.*)')
    assert int(out) + int(found[1]) in range(SIZE, SIZE + 1000)
    assert found[2] in ('Connection reset by peer', 'Broken pipe')
    child, = server.ready().values()
    assert child['page']['aborted'] == 1


def test_a_client_that_takes_none_of_it_is_said_to(served, lines, target):
    server = served('Timeout 1')
    with begin(server, target):
        (_, _, _, out, end, took, *_), = lines(1)
    assert end == 'X' and int(out) < SIZE and int(took) >= 1000
    server.log.wait_for('were not sent: the client has taken none of it for Timeout')


def test_a_stop_that_cuts_it_off_is_said_to(served, lines, target):
    server = served('GracefulShutdownTimeout 1')
    with begin(server, target):
        server.stop(status=75)
    (_, _, _, out, end, *_), = lines(1)
    assert end == 'X' and int(out) < SIZE
    server.log.wait_for('were not sent: this child ends')


def test_its_line_does_not_wait_for_the_end_of_the_next_request(served, lines, directory):
    """Of two requests in one turn, the second of which is long; the kernel chooses the order."""
    server = served()

    def requests() -> int:
        page, = (row['page'] for row in server.ready().values())
        return page['requests']
    with Connection(server.address) as c, Connection(server.address) as slow:
        for connection in c, slow:
            assert connection.get('/some').status == 200
        child, = server.ready()
        for i in range(50):
            gate, before = directory / f'gate{i}', requests()
            freeze(child)
            c.send('GET /some HTTP/1.1\r\nHost: t\r\n\r\n')
            slow.send(f'GET /some?{gate} HTTP/1.1\r\nHost: t\r\n\r\n')
            os.kill(child, signal.SIGCONT)
            server.log.wait_for('(?s)' + 'sleeping.*' * (i + 1))
            in_order = requests() > before
            if in_order:
                assert len(c.response().body) == SOME
                assert {line[4] for line in lines(before + 1)} == {'+'}
            gate.touch()
            assert len(slow.response().body) == SOME
            if in_order:
                break
            assert len(c.response().body) == SOME
        assert in_order


def test_the_last_responses_of_a_child_are_told_to_be_whole(served, lines, gate):
    server = served('MPM worker\nThreadsPerChild 2')
    with Connection(server.address) as a, Connection(server.address) as b:
        for i, c in enumerate((a, b)):
            c.send(f'GET /some?{gate.path} HTTP/1.1\r\nHost: t\r\n\r\n')
            server.log.wait_for('(?s)' + 'sleeping.*' * (i + 1))
        server.kill(signal.SIGINT)
        gate.open()
        for c in a, b:
            assert len(c.response().body) == SOME
        server.ended()
    for _, _, _, out, end, *_ in lines(2):
        assert end != 'X' and int(out) > SOME
    assert 'were not sent' not in server.log.text()


def test_bytes_are_counted_as_they_go_out(served, lines, target):
    server = served()
    with begin(server, target) as c:
        counted = server.board()['totals']['bytes_out']
        assert counted < SIZE
        assert len(c.response().body) == SIZE
        (_, _, _, out, *_), = lines(1)
        assert server.board()['totals']['bytes_out'] == int(out)
