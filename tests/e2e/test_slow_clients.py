"""Clients that are slow cost nobody but themselves, and not for ever."""

import time

import pytest

from client import Connection
from server import wait_until

LONG = '60s'


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
        connection.response()
    server.log.wait_for('body: TimeoutError: ')
    server.stop()
