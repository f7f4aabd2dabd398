"""wsgi.file_wrapper: files go from the page cache to the client, and no worker waits for it."""

import os

import pytest

from client import Connection, get
from server import wait_until

SIZE = 20_000_000


@pytest.fixture(scope='module', params=['io_uring', 'epoll'])
def server(request, serve_all):
    return serve_all('probe', '-w', '1', '--io-engine', request.param, '--timeout', '10s')


@pytest.fixture
def path(directory):
    path = directory / 'file'
    path.write_bytes(os.urandom(SIZE))
    path.chmod(0o644)
    return path


def descriptors(pid):
    return len(os.listdir(f'/proc/{pid}/fd'))


def test_a_client_that_does_not_take_its_file_costs_no_worker(server, path):
    with Connection(server.address) as slow:
        slow.send(f'GET /file?path={path} HTTP/1.1\r\nHost: t\r\n\r\n'
                  'GET /hello HTTP/1.1\r\nHost: t\r\n\r\n')
        wait_until(lambda: slow.far_queues()[0] > 0, 'an answer that is not taken')
        assert get(server.address, '/hello').status == 200
        answer = slow.response()
        assert answer.header('Content-Length') == str(SIZE)
        assert answer.body == path.read_bytes()
        assert slow.response().body == b'hello\n'


def test_a_client_that_leaves_in_the_middle_leaves_no_descriptor_behind(server, path):
    child, = server.ready()
    before = descriptors(child)
    for _ in range(5):
        with Connection(server.address) as c:
            c.send(f'GET /file?path={path} HTTP/1.1\r\nHost: t\r\n\r\n')
            c.socket.recv(1000)
    wait_until(lambda: server.board()['counts']['connections'] == 0, 'no open connection')
    assert descriptors(child) <= before


def test_a_file_that_shrinks_while_it_is_sent_is_not_passed_off_as_whole(server, path):
    with Connection(server.address) as c:
        c.send(f'GET /file?path={path} HTTP/1.1\r\nHost: t\r\n\r\n')
        wait_until(lambda: c.far_queues()[0] > 0, 'an answer that is not taken')
        os.truncate(path, 1000)
        assert not c.response().complete
    server.log.wait_for('a file has become shorter while it was sent')
    assert get(server.address, '/hello').status == 200


def test_a_client_that_takes_nothing_is_cut_at_timeout(serve, path):
    server = serve('probe', '-w', '1', '--timeout', '300ms')
    with Connection(server.address) as c:
        c.send(f'GET /file?path={path} HTTP/1.1\r\nHost: t\r\n\r\n')
        wait_until(lambda: c.far_queues()[0] > 0, 'an answer that is not taken')
        wait_until(lambda: server.board()['counts']['connections'] == 0, 'the cut')
        assert not c.response().complete
