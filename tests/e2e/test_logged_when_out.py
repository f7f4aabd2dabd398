"""What is told of a large response is told when it is out, or when its client has it no more."""

import re
import socket
import time

import pytest

from client import Connection, get
from server import wait_until

SIZE = 8 << 20
APP = '''
def application(environ, start_response):
    start_response('200 OK', [('Content-Length', str(SIZE))])
    if environ['PATH_INFO'] == '/file':
        return environ['wsgi.file_wrapper'](open('large', 'rb'))
    return [b'x' * SIZE]
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
        (directory / 'large.py').write_text(f'SIZE = {SIZE}\n{APP}')
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


def test_bytes_are_counted_as_they_go_out(served, lines, target):
    server = served()
    with begin(server, target) as c:
        counted = server.board()['totals']['bytes_out']
        assert counted < SIZE
        assert len(c.response().body) == SIZE
        (_, _, _, out, *_), = lines(1)
        assert server.board()['totals']['bytes_out'] == int(out)
