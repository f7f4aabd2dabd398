"""Interim responses: early hints, and Expect: 100-continue as RFC 9110 section 10.1.1 and
mod_wsgi's applications have it."""

import pytest

from client import Connection, exchange
from server import wait_until

HEAD = 'POST %s HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n'
CHUNKED = ('POST %s HTTP/1.1\r\nHost: t\r\nExpect: 100-Continue\r\n'
           'Transfer-Encoding: chunked\r\n\r\n')


@pytest.fixture(scope='module')
def server(serve_all):
    return serve_all('expects', '-w', '1')


@pytest.mark.parametrize('path', ['/read', '/read-1', '/read-0', '/readline', '/readline-0',
                                  '/readlines', '/iterate'])
def test_the_first_operation_on_the_input_tells_the_client_to_go_on(server, path):
    with Connection(server.address) as c:
        for head, body in ((HEAD, 'body'), (CHUNKED, '4\r\nbody\r\n0\r\n\r\n')):
            c.send(head % path)
            assert c.response().status == 100
            c.send(body)
            answer = c.response()
            assert (answer.status, answer.body) == (200, b'body')
        assert not c.buffer


def test_read_0_is_a_way_to_say_go_on_and_never_waits(server):
    """The body is passed over then, and the connection goes on."""
    with Connection(server.address) as c:
        c.send(HEAD % '/go-on')
        assert c.response().status == 100
        assert c.response().status == 200
        c.send('body')
        c.send('POST /read HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\nok')
        assert c.response().body == b'ok'


@pytest.mark.parametrize('path', ['/yield', '/write'])
def test_nobody_is_told_to_go_on_within_or_after_an_answer(server, path):
    with Connection(server.address) as c:
        c.send(HEAD % path)
        while b'first,' not in c.buffer:
            assert c._more()
        c.send('body')
        answer = c.response()
        assert (answer.status, answer.body) == (200, b'first,body')
        assert not c.buffer


@pytest.mark.parametrize('path', ['/ends', '/short'])
def test_close_has_no_client_wait_and_tells_none_to_go_on(serve, directory, path):
    """Nor where the answer was shorter than its Content-Length."""
    server = serve('expects', '-w', '1')
    with Connection(server.address) as c:
        c.send(HEAD % f'{path}?{directory}/go-on')
        while not c.buffer.endswith(b'\r\n\r\nab'):
            assert c._more()
        (directory / 'go-on').touch()
        c.send('body')
        server.log.wait_for("close\\(\\) has read b'body'")
        head, _, body = c.rest().partition(b'\r\n\r\n')
        assert head.startswith(b'HTTP/1.1 200 OK\r\n')
        assert b'\r\nConnection: close' in head and body == b'ab'
    server.stop()


def test_an_answer_without_reading_needs_no_body(server):
    with Connection(server.address) as c:
        c.send(HEAD % '/ignore')
        assert c.response().status == 200
        assert c.is_closed()


@pytest.mark.parametrize('data', [
    HEAD % '/read' + 'body',
    HEAD.replace('1.1', '1.0') % '/read' + 'body',
    'POST /read HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n'],
    ids=['the body is there', 'HTTP/1.0', 'no body'])
def test_who_does_not_wait_is_not_told(server, data):
    assert exchange(server.address, data).status == 200


@pytest.mark.parametrize('engine', ['io_uring', 'epoll'])
def test_who_waits_no_longer_is_not_told(serve, directory, engine):
    """The body comes while the application does something else, and it reads then."""
    server = serve('expects', '-w', '1', '--io-engine', engine)
    with Connection(server.address) as c:
        c.send(HEAD % f'/later?{directory}/go-on')
        server.log.wait_for('something else comes first')
        c.send('body')
        wait_until(lambda: c.far_queues()[1] == 4, 'the body at the server')
        (directory / 'go-on').touch()
        answer = c.response()
        assert (answer.status, answer.body) == (200, b'body')
    server.stop()


def test_another_expectation_is_refused(server):
    answer = exchange(server.address, 'POST /read HTTP/1.1\r\nHost: t\r\nExpect: wonders\r\n'
                      'Content-Length: 4\r\n\r\nbody')
    assert (answer.status, answer.header('Connection')) == (417, 'close')


def test_early_hints_go_out_while_the_application_works(server):
    """103 (RFC 8297); a client that waits for 100 Continue is told to go on behind them."""
    with Connection(server.address) as c:
        c.send(HEAD % '/hints')
        hints = [c.response() for _ in range(2)]
        assert [hint.status for hint in hints] == [103, 103]
        assert [hint.headers for hint in hints] == [[('Link', '</a.css>; rel=preload')],
                                                    [('Link', '</b.js>; rel=preload')]]
        assert c.response().status == 100
        c.send('body')
        answer = c.response()
        assert (answer.status, answer.body, answer.header('Link')) == (200, b'body', '')
