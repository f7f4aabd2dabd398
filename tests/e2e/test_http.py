"""HTTP/1.1 from the socket to the application and back."""

import email.utils
import hashlib
import json
import re
import signal
import socket
import struct
import subprocess
import time

import pytest

from client import Closed, Connection, exchange, get
from server import BUILD, PATIENCE, wait_until

GET = 'GET /hello HTTP/1.1\r\nHost: test\r\n\r\n'


@pytest.fixture(scope='module')
def probe(serve_all):
    return serve_all('probe', '-w', '1')


@pytest.fixture
def own_probe(serve):
    """For who counts what there was, or stops it."""
    return serve('probe', '-w', '1')


def test_connections_are_kept_alive(probe):
    with Connection(probe.address) as c:
        for _ in range(5):
            answer = c.get('/hello')
            assert (answer.version, answer.status, answer.body) == ('HTTP/1.1', 200, b'hello\n')
            assert answer.header('Connection') == ''
            assert answer.header('Server') == 'wsgid'
            assert answer.header('Date').endswith(' GMT')


def test_the_date_is_that_of_the_answer_however_long_it_took(probe):
    begin = time.time()
    answer = get(probe.address, f'/sleep?s={1.05 - begin % 1:.3f}')  # over the next second's begin
    date = email.utils.parsedate_to_datetime(answer.header('Date')).timestamp()
    assert int(begin) + 1 <= date <= time.time()


def test_pipelined_requests_are_answered_in_order(probe):
    with Connection(probe.address) as c:
        targets = [f'/big?n={n}' for n in (1, 100000, 3, 0, 70000)]
        c.send(''.join(f'GET {t} HTTP/1.1\r\nHost: test\r\n\r\n' for t in targets))
        assert [len(c.response().body) for _ in targets] == [1, 100000, 3, 0, 70000]


def test_a_hundred_pipelined_posts_keep_their_bodies(probe):
    with Connection(probe.address) as c:
        bodies = [f'body {i}'.encode() * i for i in range(100)]
        c.send(b''.join(b'POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n%s'
                        % (len(body), body) for body in bodies))
        for body in bodies:
            assert c.response().body == body


def test_a_request_may_come_byte_by_byte(probe):
    with Connection(probe.address) as c:
        for byte in 'POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\nbody':
            c.send(byte)
            time.sleep(0.001)
        assert c.response().body == b'body'


@pytest.mark.parametrize('head, version, closes', [
    ('GET /hello HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n', 'HTTP/1.1', True),
    ('GET /hello HTTP/1.1\r\nHost: t\r\nConnection: x, Close\r\n\r\n', 'HTTP/1.1', True),
    ('GET /hello HTTP/1.0\r\n\r\n', 'HTTP/1.1', True),
    ('GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n', 'HTTP/1.1', False),
    ('GET /hello HTTP/1.1\r\nHost: t\r\n\r\n', 'HTTP/1.1', False),
])
def test_who_closes(probe, head, version, closes):
    with Connection(probe.address) as c:
        c.send(head)
        answer = c.response()
        assert (answer.version, answer.body) == (version, b'hello\n')
        if closes:
            assert answer.header('Connection') == 'close'
            assert c.is_closed()
        else:
            assert c.get('/hello').status == 200


@pytest.mark.parametrize('says, closes', [('keep-alive', False), ('close', True)])
def test_what_an_application_says_of_the_connection(serve, says, closes):
    server = serve('probe', '-w', '1')
    with Connection(server.address) as c:
        answer = c.get(f'/of_connection?says={says}')
        assert (answer.status, answer.body) == (200, b'x')
        assert answer.header('Connection') == ('close' if closes else '')
        assert c.is_closed() if closes else c.get('/hello').status == 200
    get(server.address, f'/of_connection?says={says}')
    server.stop()
    lines = [line for line in server.log.text().splitlines() if 'header Connection' in line]
    if closes:  # as it has asked for
        assert not lines
    else:
        line, = lines
        assert f'GET /of_connection?says={says} HTTP/1.1: ' in line and 'app:warn' in line


@pytest.mark.parametrize('path', ['/fail_late', '/write_and_fail'])
def test_http_1_0_is_reset_where_a_response_breaks_off(probe, path):
    """Its end is that of the connection, and this one must not look like it."""
    with Connection(probe.address) as c:
        c.send(f'GET {path} HTTP/1.0\r\n\r\n')
        with pytest.raises(ConnectionResetError):
            while c._more():
                pass
        assert c.buffer.startswith(b'HTTP/1.1 200 OK\r\n')
    with Connection(probe.address) as c:
        c.send('GET /hello HTTP/1.0\r\n\r\n')
        while c._more():
            pass


@pytest.mark.parametrize('engine', ['io_uring', 'epoll'])
@pytest.mark.parametrize('why', ['Timeout', 'stop'])
def test_http_1_0_is_reset_where_the_client_does_not_take_all_of_it(serve, engine, why):
    limit = ('--timeout', '1s') if why == 'Timeout' else ('--graceful-shutdown-timeout', '1s')
    server = serve('probe', '-w', '1', '--log-level', 'info', '--io-engine', engine, *limit)
    with Connection(server.address) as c:
        c.send('GET /large?how=unsized&n=30000000 HTTP/1.0\r\n\r\n')
        assert c._more()
        if why == 'stop':
            server.kill(signal.SIGTERM)
        server.log.wait_for('bytes of a response were not sent')
        with pytest.raises(ConnectionResetError):
            while c._more():
                pass


def test_http_1_0_is_reset_by_a_child_that_does_not_come_to_its_end(serve, directory):
    """It is killed in the functions of atexit, and a kill ends a connection as if all were
    said."""
    (directory / 'stays.py').write_text('''
import atexit, time
atexit.register(time.sleep, 3600)
def application(environ, start_response):
    start_response('200 OK', [])
    yield b'x' * 1000000
''')
    server = serve('stays', '-w', '1', '--graceful-shutdown-timeout', '1s',
                   '--send-buffer-size', '32768', '--response-buffer-size', '4m', cwd=directory)
    with Connection(server.address) as c:
        c.send('GET / HTTP/1.0\r\n\r\n')
        assert c._more()
        server.kill(signal.SIGTERM)
        server.log.wait_for('sending SIGKILL')
        with pytest.raises(ConnectionResetError):
            while c._more():
                pass


def test_http_1_0_gets_no_chunks(probe):
    with Connection(probe.address) as c:
        c.send('GET /chunks HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
        answer = c.response()
        assert answer.header('Transfer-Encoding') == ''
        assert answer.body == b'0,1,2,'


def test_a_generator_is_sent_in_chunks(probe):
    with Connection(probe.address) as c:
        answer = c.get('/chunks?n=1000')
        assert answer.header('Transfer-Encoding') == 'chunked'
        assert answer.body == b''.join(b'%d,' % i for i in range(1000))
        assert c.get('/hello').status == 200


def test_head_has_the_head_and_no_body(probe):
    with Connection(probe.address) as c:
        for target in ('/hello', '/chunks', '/big', '/file?path=/etc/passwd'):
            assert c.request('HEAD', target).status == 200
        assert c.request('HEAD', '/hello').header('Content-Length') == '6'
        assert c.get('/hello').body == b'hello\n'


@pytest.mark.parametrize('target, status', [('/no-content', 204), ('/not-modified', 304)])
def test_a_status_without_a_body(probe, target, status):
    with Connection(probe.address) as c:
        answer = c.get(target)
        assert answer.status == status
        assert answer.header('Transfer-Encoding') == '' and answer.header('Content-Length') == ''
        assert c.get('/hello').status == 200


@pytest.mark.parametrize('method, query', [
    ('HEAD', ''), ('HEAD', 'length=3'), ('GET', 'length=3'), ('GET', 'length=0'),
    ('GET', 'status=204+No+Content'), ('GET', 'status=304+Not+Modified')])
def test_an_endless_body_that_can_go_nowhere_holds_no_worker(own_probe, method, query):
    with Connection(own_probe.address) as c:
        assert c.request(method, f'/endless?{query}').complete
        assert json.loads(c.get('/show-closed').body) == ['endless']
    if method == 'GET' and 'length' in query:
        own_probe.log.wait_for('sent more than its Content-Length of')


def test_what_an_application_does_behind_its_last_byte_is_done(own_probe):
    with Connection(own_probe.address) as c:
        assert c.get('/behind').body == b'ab'
        assert json.loads(c.get('/show-closed').body) == ['behind']


def test_a_client_that_expects_100_is_told_to_go_on(probe):
    with Connection(probe.address) as c:
        c.send('POST /echo HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\n'
               'Content-Length: 4\r\n\r\n')
        assert c.response().status == 100
        c.send('body')
        assert c.response().body == b'body'
        assert c.get('/hello').status == 200


def test_no_100_for_a_body_that_is_too_large(serve):
    server = serve('probe', '-w', '1', '--limit-request-body', '10')
    with Connection(server.address) as c:
        c.send('POST /echo HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\n'
               'Content-Length: 11\r\n\r\n')
        assert c.response().status == 413
        assert c.is_closed()


def test_a_chunked_body_comes_whole(probe):
    with Connection(probe.address) as c:
        c.send('POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n'
               '5\r\nhello\r\n1;ext=x\r\n \r\n5\r\nworld\r\n0\r\nX-Sum: 12\r\n\r\n')
        assert c.response().body == b'hello world'
        assert c.get('/hello').status == 200


@pytest.mark.parametrize('chunked', [False, True])
def test_a_large_body_is_the_same_at_the_other_end(probe, chunked):
    body = bytes(range(256)) * 20000
    with Connection(probe.address) as c:
        if chunked:
            c.send('POST /digest HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n')
            for at in range(0, len(body), 70000):
                piece = body[at:at + 70000]
                c.send(b'%x\r\n%s\r\n' % (len(piece), piece))
            c.send('0\r\n\r\n')
        else:
            c.send(f'POST /digest HTTP/1.1\r\nHost: t\r\nContent-Length: {len(body)}\r\n\r\n')
            c.send(body)
        expected = f'{len(body)} {hashlib.sha256(body).hexdigest()}'
        assert c.response().body.decode() == expected
        assert c.get('/hello').status == 200


def test_a_body_that_nobody_reads_is_no_request(probe):
    body = b'GET /exit-at-once HTTP/1.1\r\nHost: t\r\n\r\n'
    with Connection(probe.address) as c:
        assert c.request('POST', '/unread', body=body).body == b'not read'
        assert c.get('/hello').body == b'hello\n'


def test_the_rest_of_a_body_that_nobody_reads_is_passed_over(serve):
    server = serve('probe', '-w', '1', '--request-body-buffer', '0')
    with Connection(server.address) as c:
        for head, rest in (('Content-Length: 300000', b'x' * 300000),
                           ('Transfer-Encoding: chunked',
                            b'493e0\r\n%s\r\n0\r\n\r\n' % (b'x' * 300000))):
            c.send(f'POST /unread HTTP/1.1\r\nHost: t\r\n{head}\r\n\r\n')
            answer = c.response()
            assert (answer.body, answer.header('Connection')) == (b'not read', '')
            c.send(rest + GET.encode())
            assert c.response().body == b'hello\n'


def test_a_body_that_is_too_long_to_pass_over_does_not_cost_its_client_the_answer(probe):
    """Lingering: what still comes is read, so that no reset destroys what was sent."""
    with Connection(probe.address) as c:
        c.send('POST /unread HTTP/1.1\r\nHost: t\r\nContent-Length: 50000000\r\n\r\n')
        for _ in range(80):
            c.send(b'x' * 65536)
        assert c.response().body == b'not read'
        assert c.is_closed()


@pytest.mark.parametrize('before', [0, 1])
def test_who_says_close_and_sends_more_has_his_answer_and_no_reset(probe, gate, before):
    """Also where nobody receives any more, as his first request was to be the only one."""
    since = len(probe.log.text())
    with Connection(probe.address) as c:
        for _ in range(before):
            assert c.get('/hello').status == 200
        c.send(f'GET {gate.target} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n')
        probe.log.wait_for('sleeping', since=since)
        c.send(b'x' * 100_000)
        gate.open()
        assert c.response().body == b'awake'
        assert c.socket.recv(1) == b''


def body_of(size: int, version: str = '1.1', more: str = '') -> str:
    return f' HTTP/{version}\r\nHost: t\r\nContent-Length: {size}\r\n{more}\r\n'


@pytest.fixture(scope='module')
def unbuffered(serve_all):
    return serve_all('probe', '-w', '1', '--request-body-buffer', '0')


@pytest.mark.parametrize('request_head, said', [
    ('POST /unread' + body_of(5_000_000), 'close'),
    ('POST /unread' + body_of(1_000_000), ''),
    ('POST /unread' + body_of(5_000_000, '1.0', 'Connection: keep-alive\r\n'), 'close'),
    ('POST /unread' + body_of(4, '1.1', 'Expect: 100-continue\r\n'), 'close'),
    ('POST /write' + body_of(5_000_000), 'close'),
    ('POST /fail' + body_of(5_000_000), 'close'),
], ids=['too long', 'not too long', 'HTTP/1.0', 'waits for 100', 'write()', 'an exception'])
def test_a_body_that_will_not_be_passed_over_has_the_answer_say_close(unbuffered, request_head,
                                                                      said):
    with Connection(unbuffered.address) as c:
        c.send(request_head)
        assert c.response().header('Connection') == said


def test_a_body_that_is_read_while_it_is_answered_ends_no_connection(serve_all):
    server = serve_all('expects', '-w', '1', '--request-body-buffer', '0')
    with Connection(server.address) as c:
        c.send('POST /echo' + body_of(5_000_000))
        for sent in range(1_000_000, 6_000_000, 1_000_000):
            c.send(b'x' * 1_000_000)
            while len(c.buffer) < sent:  # neither need wait for the other
                assert c._more()
        answer = c.response()
        assert (answer.header('Connection'), len(answer.body)) == ('', 5_000_000)
        c.send('POST /read' + body_of(2) + 'ok')
        assert c.response().body == b'ok'


def test_bodies_that_are_collected_arrive_however_fast_they_come(probe):
    """More than enough of one may be there before its head has been looked at."""
    for size in [260_000, 400_000, 700_000, 1_000_000] * 8:
        body = hashlib.sha256(str(size).encode()).digest() * (size // 32)
        begin = time.monotonic()
        with Connection(probe.address) as c:
            c.send(b'POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n%s'
                   % (len(body), body))
            assert c.response().body == body
        assert time.monotonic() - begin < 5


@pytest.mark.parametrize('part', [
    'GET / HT', 'POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 20\r\n\r\nabc'])
def test_a_client_that_leaves_in_the_middle_is_not_waited_for(probe, part):
    """Its end may come with what it has sent."""
    for before in ['', 'GET /hello HTTP/1.1\r\nHost: t\r\n\r\n'] * 20:
        with Connection(probe.address) as c:
            c.send(before + part)
            c.socket.shutdown(socket.SHUT_WR)
            begin = time.monotonic()
            if before:
                assert c.response().status == 200
            with pytest.raises((Closed, ConnectionError)):
                c.response()
            assert time.monotonic() - begin < 5


def test_half_close_is_answered(probe):
    with Connection(probe.address) as c:
        c.send(GET)
        c.finish_sending()
        assert c.response().body == b'hello\n'
        assert c.is_closed()


def test_half_close_waits_for_a_slow_application(probe):
    with Connection(probe.address) as c:
        c.send('GET /sleep?s=0.3 HTTP/1.1\r\nHost: t\r\n\r\n')
        c.finish_sending()
        assert c.response().body == b'awake'


@pytest.mark.parametrize('engine', ['io_uring', 'epoll'])
def test_who_resets_his_connection_is_not_served_as_nobody(serve, directory, engine):
    """A socket that was reset has no address of its peer's."""
    (directory / 'telling.py').write_text(
        'def application(environ, start_response):\n'
        "    print('served %(REMOTE_ADDR)r' % environ, file=environ['wsgi.errors'])\n"
        "    start_response('200 OK', [('Content-Length', '4')])\n"
        "    return [b'done']\n")
    server = serve('telling', '-w', '1', '--io-engine', engine, cwd=directory)
    for _ in range(30):
        with Connection(server.address) as c:
            c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            c.send(GET)
    assert get(server.address, '/').body == b'done'
    server.stop()
    told = re.findall('served (.*)', server.log.text())
    assert told and set(told) == {"'127.0.0.1'"}


BAD = [
    ('no version', 'GET /\r\n\r\n', 400),
    ('no host', 'GET / HTTP/1.1\r\n\r\n', 400),
    ('two hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400),
    ('space before the colon', 'GET / HTTP/1.1\r\nHost: t\r\nA : b\r\n\r\n', 400),
    ('folded line', 'GET / HTTP/1.1\r\nHost: t\r\nA: b\r\n c\r\n\r\n', 400),
    ('NUL in a value', 'GET / HTTP/1.1\r\nHost: t\r\nA: b\0c\r\n\r\n', 400),
    ('length and chunked', 'POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n'
     'Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400),
    ('two lengths', 'POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n'
     'Content-Length: 4\r\n\r\nabcd', 400),
    ('length with a sign', 'POST / HTTP/1.1\r\nHost: t\r\nContent-Length: +3\r\n\r\nabc', 400),
    ('unknown coding', 'POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: gzip\r\n\r\n', 501),
    ('TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400),
    ('HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505),
    ('HTTP/3.0', 'GET / HTTP/3.0\r\nHost: t\r\n\r\n', 505),
    ('CONNECT', 'CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n', 501),
    ('line of 9000', 'GET /' + 'x' * 9000 + ' HTTP/1.1\r\nHost: t\r\n\r\n', 414),
    ('field of 9000', 'GET / HTTP/1.1\r\nHost: t\r\nA: ' + 'x' * 9000 + '\r\n\r\n', 431),
    ('101 fields', 'GET / HTTP/1.1\r\nHost: t\r\n' + 'A: b\r\n' * 100 + '\r\n', 431),
    ('bad chunk size', 'POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n'
     'zz\r\n', 400),
]


@pytest.mark.parametrize('data, status', [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_input_is_refused_and_the_connection_closed(probe, data, status):
    with Connection(probe.address) as c:
        # What follows a refused request is not another one.
        c.send(data + 'GET /exit-at-once HTTP/1.1\r\nHost: t\r\n\r\n')
        answer = c.response()
        assert (answer.status, answer.header('Connection')) == (status, 'close')
        assert answer.header('Date').endswith(' GMT') and answer.header('Server') == 'wsgid'
        assert c.rest() == b''
    assert get(probe.address, '/hello').status == 200
    assert 'exit status 5' not in probe.log.text()


HEADS = [
    ('NUL in the path', 'HEAD /%00 HTTP/1.1\r\nHost: t\r\n\r\n', 400),
    ('no host', 'HEAD /a HTTP/1.1\r\n\r\n', 400),
    ('fragment', 'HEAD /a#b HTTP/1.1\r\nHost: t\r\n\r\n', 400),
    ('line of 9000', 'HEAD /' + 'x' * 9000 + ' HTTP/1.1\r\nHost: t\r\n\r\n', 414),
    ('101 fields', 'HEAD / HTTP/1.1\r\nHost: t\r\n' + 'A: b\r\n' * 100 + '\r\n', 431),
    ('expectation', 'HEAD / HTTP/1.1\r\nHost: t\r\nExpect: all\r\n\r\n', 417),
    ('HTTP/3.0', 'HEAD / HTTP/3.0\r\nHost: t\r\n\r\n', 505),
]


@pytest.mark.parametrize('data, status', [row[1:] for row in HEADS],
                         ids=[row[0] for row in HEADS])
def test_head_is_refused_without_a_body(probe, data, status):
    """RFC 9110 9.3.2."""
    with Connection(probe.address) as c:
        c.send(data)
        answer = c.response(head_only=True)
        assert (answer.status, answer.header('Connection')) == (status, 'close')
        assert int(answer.header('Content-Length')) > 0
        assert c.rest() == b''


def test_limits_are_directives(serve):
    server = serve('probe', '-w', '1', '--limit-request-line', '300',
                   '--limit-request-fields', '3', '--limit-request-field-size', '256',
                   '--limit-request-body', '1k')
    rows = [
        ('GET /' + 'x' * 280 + ' HTTP/1.1\r\nHost: t\r\n\r\n', 404),
        ('GET /' + 'x' * 300 + ' HTTP/1.1\r\nHost: t\r\n\r\n', 414),
        ('GET / HTTP/1.1\r\nHost: t\r\nA: 1\r\nB: 2\r\n\r\n', 200),
        ('GET / HTTP/1.1\r\nHost: t\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n', 431),
        ('GET / HTTP/1.1\r\nHost: t\r\nA: ' + 'x' * 250 + '\r\n\r\n', 200),
        ('GET / HTTP/1.1\r\nHost: t\r\nA: ' + 'x' * 260 + '\r\n\r\n', 431),
        ('POST /digest HTTP/1.1\r\nHost: t\r\nContent-Length: 1024\r\n\r\n' + 'x' * 1024, 200),
        ('POST /digest HTTP/1.1\r\nHost: t\r\nContent-Length: 1025\r\n\r\n' + 'x' * 1025, 413),
        ('POST /digest HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n'
         '401\r\n' + 'x' * 1025 + '\r\n0\r\n\r\n', 413),
    ]
    assert [exchange(server.address, data).status for data, _ in rows] == [s for _, s in rows]


@pytest.mark.parametrize('engine', ['io_uring', 'epoll'])
def test_a_head_may_be_as_large_as_the_limits_say(serve, engine):
    """Which is more than is read ahead of a request."""
    server = serve('probe', '-w', '1', '--io-engine', engine)
    head = 'GET /hello HTTP/1.1\r\nHost: test\r\n' + ''.join(
        f'X-{i}: {"a" * 8000}\r\n' for i in range(98))
    with Connection(server.address) as c:
        for at in range(0, len(head), 16384):
            c.send(head[at:at + 16384])
            time.sleep(0.002)  # many pieces; it may be fewer on a busy machine
        c.send('\r\n')
        assert c.response().body == b'hello\n'
        c.send(head + f'X-98: {"a" * 8000}\r\n')
        c.send('X-99: one too many\r\n\r\n')
        assert c.response().status == 431


def test_a_slow_head_gets_408_and_an_idle_connection_nothing(serve):
    server = serve('probe', '-w', '1', '--timeout', '300ms', '--keep-alive-timeout', '300ms',
                   '--accept-filter', 'none')
    with Connection(server.address) as slow, Connection(server.address) as idle, \
            Connection(server.address) as parked, Connection(server.address) as body, \
            Connection(server.address) as head:
        slow.send('GET / HTTP/1.1\r\nHo')
        head.send('HEAD / HTTP/1.1\r\nHo')
        body.send('POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nabc')
        assert parked.get('/hello').status == 200
        assert slow.response().status == 408
        assert body.response().status == 408
        assert head.response(head_only=True).status == 408
        assert slow.is_closed() and body.is_closed() and head.is_closed()
        assert idle.is_closed()
        assert parked.is_closed()


def test_a_slow_client_costs_no_worker(probe):
    with Connection(probe.address) as slow:
        slow.send('POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nabc')
        wait_until(lambda: slow.far_queues() == (0, 0), 'the server to read all there is')
        assert get(probe.address, '/hello').status == 200
        slow.send('de')
        assert slow.response().body == b'abcde'


def test_a_client_that_does_not_read_costs_no_worker(probe):
    with Connection(probe.address) as slow:
        slow.send('GET /big?n=30000000 HTTP/1.1\r\nHost: t\r\n\r\n')
        wait_until(lambda: slow.far_queues()[0] > 0, 'an answer that is not taken')
        assert get(probe.address, '/hello').status == 200
        assert len(slow.response().body) == 30000000


def test_max_keep_alive_requests_closes(serve):
    server = serve('probe', '-w', '1', '--max-keep-alive-requests', '3')
    with Connection(server.address) as c:
        said = [c.get('/hello').header('Connection') for _ in range(3)]
        assert said == ['', '', 'close']
        assert c.is_closed()


def test_keep_alive_off_closes(serve):
    server = serve('probe', '-w', '1', '--keep-alive', 'off')
    with Connection(server.address) as c:
        assert c.get('/hello').header('Connection') == 'close'
        assert c.is_closed()


# A body that is not collected before the application runs, whose framing then breaks.
FRAMING = r'\[child:info\] .*127\.0\.0\.1: the framing of a request body is broken; closing'
BROKEN = 'POST /body-error%s HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n'


@pytest.mark.parametrize('query', ['', '?raise=1'])
def test_broken_framing_inside_a_body_raises_oserror_and_closes(serve, query):
    server = serve('probe', '-w', '1', '--request-body-buffer', '0', '--log-level', 'info')
    with Connection(server.address) as c:
        c.send(BROKEN % query + '5\r\nhello\r\n')
        server.log.wait_for('body began')
        c.send('XYZ\r\n'
               'GET /exit-at-once HTTP/1.1\r\nHost: t\r\n\r\n')
        answer = c.response()
        assert answer.status == (400 if query else 200)
        assert answer.header('Connection') == 'close'
        assert c.rest() == b''
    server.log.wait_for('body: .*Error')
    server.log.wait_for(FRAMING)
    assert get(server.address, '/hello').status == 200
    assert 'exit status' not in server.log.text()


def test_broken_framing_met_before_the_application_runs_is_a_400_with_its_reason(serve):
    server = serve('probe', '-w', '1', '--log-level', 'info')
    with Connection(server.address) as c:
        c.send(BROKEN % '' + '5\r\nhello\r\nXYZ\r\n')
        answer = c.response()
        assert (answer.status, answer.header('Connection')) == (400, 'close')
    server.log.wait_for('refused with 400: the framing of the body is broken')


def test_a_body_that_breaks_off_raises_oserror(serve):
    server = serve('probe', '-w', '1', '--request-body-buffer', '0')
    with Connection(server.address) as c:
        c.send('POST /body-error HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\n\r\nabc')
    server.log.wait_for('body: ConnectionResetError: .*the client has closed the connection')
    assert get(server.address, '/hello').status == 200


def test_broken_framing_of_a_body_that_nobody_reads_is_logged_and_closes(serve):
    server = serve('probe', '-w', '1', '--request-body-buffer', '0', '--log-level', 'info')
    with Connection(server.address) as c:
        c.send(BROKEN.replace('/body-error%s', '/hello') + '5\r\nhello\r\n')
        assert c.response().status == 200
        c.send('XYZ\r\nGET /exit-at-once HTTP/1.1\r\nHost: t\r\n\r\n')
        assert c.rest() == b''
    server.log.wait_for(FRAMING)
    assert get(server.address, '/hello').status == 200
    assert 'exit status' not in server.log.text()


def test_a_body_that_grows_over_the_limit_raises_and_is_413(serve):
    server = serve('probe', '-w', '1', '--request-body-buffer', '0',
                   '--limit-request-body', '1000')
    with Connection(server.address) as c:
        c.send(BROKEN % '?raise=1' + '3e9\r\n' + 'x' * 1001 + '\r\n0\r\n\r\n')
        answer = c.response()
        assert (answer.status, answer.header('Connection')) == (413, 'close')
    with Connection(server.address) as c:
        c.send(BROKEN % '?raise=1' + '3e7\r\n' + 'x' * 999 + '\r\n2\r\n')  # the data may come
        answer = c.response()
        assert (answer.status, answer.header('Connection')) == (413, 'close')


def test_a_client_that_leaves_has_its_iterable_closed(probe):
    with Connection(probe.address) as c:
        c.send('GET /expect-close HTTP/1.1\r\nHost: t\r\n\r\n')
        c.socket.recv(1000)
    wait_until(lambda: b'cut' in get(probe.address, '/show-closed').body, 'close()')


def test_a_generator_ends_in_the_thread_that_made_it(serve):
    """Also when its client has gone, and with other threads about."""
    server = serve('probe', '--threads', '4', '-w', '1')
    for pieces in (3, 100_000):
        with Connection(server.address) as c:
            c.send(f'GET /own-thread?n={pieces} HTTP/1.1\r\nHost: t\r\n\r\n')
            c.socket.recv(1000)
    answer = wait_until(lambda: len(json.loads(get(server.address, '/show-closed').body)) == 2
                        and get(server.address, '/show-closed').body, 'the ends')
    assert json.loads(answer) == ['own thread', 'own thread']
    server.stop()


def test_options_of_the_whole_server(serve):
    server = serve('environ', '-w', '1')
    answer = exchange(server.address, 'OPTIONS * HTTP/1.1\r\nHost: t\r\n\r\n')
    environ = json.loads(answer.body)
    assert (environ['REQUEST_METHOD'], environ['PATH_INFO'], environ['REQUEST_URI']) == (
        'OPTIONS', '', '*')
    server.stop()


def test_an_absolute_target_names_the_host(probe):
    with Connection(probe.address) as c:
        c.send('GET http://other:81/show?a=b HTTP/1.1\r\nHost: test\r\n\r\n')
        assert b'"HTTP_HOST": "other:81"' in c.response().body


def test_hundreds_of_connections_one_after_the_other(own_probe):
    for _ in range(400):
        assert get(own_probe.address, '/hello').status == 200
    totals = wait_until(lambda: own_probe.board()['totals']['connections'] >= 400
                        and own_probe.board()['totals'], 'the count')
    assert totals['requests'] == 400
    wait_until(lambda: own_probe.board()['counts']['connections'] == 0, 'no open connection')


def test_many_connections_at_once_on_one_child(own_probe):
    connections = [Connection(own_probe.address) for _ in range(300)]
    for c in connections:
        c.send(GET)
    for c in connections:
        assert c.response().body == b'hello\n'
    wait_until(lambda: own_probe.board()['counts']['parked'] == 300, '300 parked connections')
    for c in connections:
        assert c.get('/hello').status == 200
        c.close()


def test_a_stopped_server_answers_nobody(own_probe):
    own_probe.stop()
    with pytest.raises((ConnectionRefusedError, Closed)):
        get(own_probe.address, '/hello')


# --- paths ----------------------------------------------------------------------------------

def seen(server, target):
    """What the application finds: PATH_INFO; or the status of a refusal."""
    answer = exchange(server.address, f'GET {target} HTTP/1.1\r\nHost: t\r\n\r\n')
    if answer.header('Connection') == 'close':
        return answer.status
    environ = json.loads(answer.body)
    assert environ['REQUEST_URI'] == environ['RAW_URI'] == target
    return environ['PATH_INFO']


def test_dot_segments_are_resolved_before_anything_looks_at_the_path(serve):
    server = serve('environ', '-w', '1')
    assert {target: seen(server, target) for target in (
        '/a/../b', '/a/%2e%2e/b', '/a/./b//c', '/a%2Fb', '/a/..%2Fb', '/%C3%A9',
        '/..', '/%2e%2e/a', '/a/..%2f..%2fb', '/a%00b', '/%zz',
        'http://other/a/../b')} == {
            '/a/../b': '/b', '/a/%2e%2e/b': '/b', '/a/./b//c': '/a/b//c', '/a%2Fb': '/a/b',
            '/a/..%2Fb': '/b', '/%C3%A9': '/\xc3\xa9',
            '/..': 400, '/%2e%2e/a': 400, '/a/..%2f..%2fb': 400, '/a%00b': 400, '/%zz': 400,
            'http://other/a/../b': '/b'}


def test_bytes_outside_ascii_are_taken_as_typed(serve, directory):
    """As PEP 3333 has it: latin-1, byte for byte."""
    logs = [directory / 'common', directory / 'json']
    server = serve('environ', '-w', '1', '--custom-log', f'{logs[0]} common', '--custom-log',
                   f'{logs[1]} json')
    typed = '/é/\u009b\u202e'.encode() + b'\xff'
    target = typed.decode('latin-1') + '?\xe9\xff'
    for before in '', 'http://other':
        answer = exchange(server.address, f'GET {before}{target} HTTP/1.1\r\nHost: t\r\n\r\n')
        environ = json.loads(answer.body)
        assert environ['PATH_INFO'] == target.partition('?')[0]
        assert environ['QUERY_STRING'] == '\xe9\xff'
        assert environ['REQUEST_URI'] == before + target
    status = subprocess.run([BUILD / 'wsgictl', '--run-directory', server.run_directory,
                             'fullstatus'], capture_output=True, timeout=PATIENCE, check=True)
    assert 'GET /é/???' in status.stdout.decode()
    server.stop()
    assert r'"GET /\xc3\xa9/\xc2\x9b\xe2\x80\xae\xff?\xe9\xff HTTP/1.1"' in logs[0].read_text()
    line = logs[1].read_text().splitlines()[0]
    assert r'"/é/\u00c2\u009b\u00e2\u0080\u00ae\u00ff"' in line and json.loads(line)


def test_slashes_and_server_are_directives(serve):
    server = serve('environ', '-w', '1', '--allow-encoded-slashes', 'off', '--merge-slashes',
                   '--server-tokens', 'Minor')
    assert seen(server, '/a%2Fb') == 404
    assert seen(server, '//a///b/') == '/a/b/'
    assert re.fullmatch(r'wsgid/\d+\.\d+', get(server.address).header('Server'))
    server.stop()
    server = serve('environ', '-w', '1', '--allow-encoded-slashes', 'NoDecode',
                   '--server-tokens', 'Full')
    assert seen(server, '/a%2fb%20/..%2F..') == '/a%2fb /..%2F..'
    assert re.fullmatch(r'wsgid/[\d.]+ \(Linux\) Python/3\.\d+\.\d+',
                        get(server.address).header('Server'))
