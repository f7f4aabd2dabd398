"""PEP 3333 as an application sees it, its mistakes, and its violent ends."""

import json
import os
import re
import signal

import pytest

from client import Connection, exchange, get
from server import SANITIZED, wait_until


@pytest.fixture
def probe(serve):
    return serve('probe', '-w', '1', env={'PROBE_LOGGING': '1'})


def show(server, target='/show', headers=()):
    return json.loads(get(server.address, target, headers).body)


# --- environ --------------------------------------------------------------------------------

def test_environ_is_that_of_pep_3333(probe):
    host, port = probe.address
    with Connection(probe.address) as c:
        own = c.socket.getsockname()
        environ = json.loads(c.request('POST', '/show?a=b%20c&d', [
            ('Content-Type', 'text/x; q=1'), ('X-Two', 'a'), ('X-Two', 'b'),
            ('Cookie', 'a=1'), ('Cookie', 'b=2'), ('Accept', 'caf\xe9'),
            ('X_Under', 'score'), ('Proxy', 'evil')], b'12345').body)
    expected = {
        'REQUEST_METHOD': 'POST', 'SCRIPT_NAME': '', 'PATH_INFO': '/show',
        'QUERY_STRING': 'a=b%20c&d', 'CONTENT_TYPE': 'text/x; q=1', 'CONTENT_LENGTH': '5',
        'SERVER_NAME': 'test', 'SERVER_PORT': str(port), 'SERVER_PROTOCOL': 'HTTP/1.1',
        'REMOTE_ADDR': own[0], 'REMOTE_PORT': str(own[1]), 'HTTP_HOST': 'test',
        'HTTP_X_TWO': 'a, b', 'HTTP_COOKIE': 'a=1; b=2', 'HTTP_ACCEPT': 'caf\xe9',
        'wsgi.version': [1, 0], 'wsgi.url_scheme': 'http', 'wsgi.multithread': False,
        'wsgi.multiprocess': False, 'wsgi.run_once': False,
        'REQUEST_URI': '/show?a=b%20c&d',
    }
    assert {key: environ.get(key) for key in expected} == expected
    assert environ['SERVER_SOFTWARE'].startswith('wsgid/')
    for key in ('wsgi.input', 'wsgi.errors', 'wsgi.file_wrapper'):
        assert key in environ
    for key in ('HTTP_X_UNDER', 'HTTP_PROXY', 'HTTP_CONTENT_TYPE', 'HTTP_CONTENT_LENGTH'):
        assert key not in environ


def test_several_children_are_multiprocess(serve):
    assert show(serve('probe', '-w', '2'))['wsgi.multiprocess'] is True
    assert show(serve('probe'))['wsgi.multiprocess'] is True


def test_a_get_has_no_body_keys_and_no_words_of_the_last_request(probe):
    with Connection(probe.address) as c:
        c.request('POST', '/echo', [('X-Once', 'a')], b'body')
        environ = json.loads(c.get('/show').body)
    assert environ.get('CONTENT_LENGTH', '') == ''
    assert environ.get('CONTENT_TYPE', '') == ''
    assert 'HTTP_X_ONCE' not in environ


def test_a_path_is_percent_decoded_once(probe):
    environ = show(probe, '/sh%6Fw?x=%C3%A9&y=%2541')
    assert environ['PATH_INFO'] == '/show'
    assert environ['QUERY_STRING'] == 'x=%C3%A9&y=%2541'
    assert environ['REQUEST_URI'] == '/sh%6Fw?x=%C3%A9&y=%2541'


def test_the_id_of_a_request_is_in_environ_and_in_both_logs(serve, directory):
    access = directory / 'access.log'
    access.touch()
    access.chmod(0o666)
    server = serve('environ', '-w', '1', '--log-format', '"%L" id', '--custom-log', f'{access} id')
    ids = [show(server, '/')['UNIQUE_ID'] for _ in range(2)]
    assert ids[0] != ids[1] and all(re.fullmatch(r'[\w-]{24}', word) for word in ids)
    for word in ids:
        for said in ('seen', 'seen by a thread'):
            server.log.wait_for(rf'\[app:info\] \[pid \d+\] \[id {word}\] {said}$')
    wait_until(lambda: access.read_text().split() == ids, 'the access log')


def test_input_reads_like_a_file(probe):
    with Connection(probe.address) as c:
        answer = c.request('POST', '/lines', body=b'one\ntwo and\nthree\nfour')
        assert json.loads(answer.body) == ['one\n', 'two', [' and\n', 'three\n', 'four'], '']


# --- responses ------------------------------------------------------------------------------

def test_write_and_iterable_are_joined(probe):
    assert get(probe.address, '/write').body == b'first second third'


def test_headers_arrive_as_they_were_given(probe):
    answer = get(probe.address, '/headers')
    cookies = [value for name, value in answer.headers if name == 'Set-Cookie']
    assert cookies == ['a=1', 'b=2']
    assert answer.header('X-Latin') == 'caf\xe9'


@pytest.mark.parametrize('size', [0, 1, 8192, 3000001])
def test_file_wrapper_sends_the_file(probe, directory, size):
    path = directory / 'file'
    path.write_bytes(os.urandom(size))
    path.chmod(0o644)
    with Connection(probe.address) as c:
        for _ in range(2):
            answer = c.get(f'/file?path={path}')
            assert answer.complete and answer.body == path.read_bytes()


def test_close_is_called_once_a_request(probe):
    get(probe.address, '/with-close')
    get(probe.address, '/with-close')
    assert json.loads(get(probe.address, '/show-closed').body) == ['normal', 'normal']


def test_exc_info_replaces_a_head_that_was_not_sent(probe):
    answer = get(probe.address, '/exc-info')
    assert (answer.status, answer.body) == (503, b'instead')


def test_a_short_body_is_not_passed_off_as_whole(probe):
    with Connection(probe.address) as c:
        answer = c.get('/short')
        assert (answer.status, answer.header('Content-Length'), answer.complete) \
            == (200, '10', False)
    probe.log.wait_for('sent 5 bytes of the 10 that its Content-Length promised')


def test_a_long_body_is_cut_at_content_length(probe):
    with Connection(probe.address) as c:
        assert c.get('/long').body == b'12345'
        assert c.get('/hello').body == b'hello\n'
    probe.log.wait_for('sent more than its Content-Length of 5')


# --- mistakes -------------------------------------------------------------------------------

@pytest.mark.parametrize('target, said', [
    ('/fail', r'ValueError: deliberate: on the way in'),
    ('/fail-between', r'ValueError: deliberate: after start_response'),
    ('/no-start', r'start_response'),
    ('/text-body', r'bytes'),
    ('/bad-header', r'X-Split'),
    ('/hop-header', r'Transfer-Encoding'),
    ('/twice', r'start_response'),
    ('/leave', r'SystemExit'),
])
def test_a_mistake_is_a_500_a_word_in_the_log_and_a_living_server(probe, target, said):
    with Connection(probe.address) as c:
        before = c.get('/pid').body
        answer = c.get(target)
        assert answer.status == 500
        assert b'deliberate' not in answer.body and b'Traceback' not in answer.body
        assert answer.header('X-Injected') == ''
        probe.log.wait_for(said)
        assert get(probe.address, '/pid').body == before


def test_the_traceback_names_the_line_in_the_application(probe):
    get(probe.address, '/fail')
    probe.log.wait_for('deliberate: on the way in')
    text = probe.log.text()
    assert text.count('Traceback (most recent call last)') == 1
    assert re.search(r'probe\.py", line \d+, in fail', text)
    assert "raise ValueError('deliberate: on the way in')" in text
    assert 'GET /fail' in text


def test_a_chunked_response_that_breaks_off_has_no_last_chunk(probe):
    with Connection(probe.address) as c:
        c.send('GET /fail-late HTTP/1.1\r\nHost: t\r\n\r\n')
        head, _, body = c.rest().partition(b'\r\n\r\n')
        assert b'Transfer-Encoding: chunked' in head and body == b'5\r\nbegun\r\n'
    probe.log.wait_for('deliberate: on the way out')
    assert get(probe.address, '/hello').status == 200


@pytest.mark.parametrize('what', ['SystemExit', 'KeyboardInterrupt', 'BaseException',
                                  'GeneratorExit', 'RecursionError'])
def test_no_exception_ends_a_child(probe, what):
    """Wherever it is raised; what had been sent stays sent."""
    before, = probe.ready()
    with Connection(probe.address) as c:
        assert c.get(f'/throw?what={what}').status == 500
        assert not c.get(f'/throw?what={what}&where=iterating').complete
    get(probe.address, f'/throw?what={what}&where=closing')
    assert get(probe.address, '/pid').body.decode() == str(before)
    for where in ('', '&where=iterating', '&where=closing'):
        probe.log.wait_for(rf'GET /throw\?what={what}{where} .*exception')
    assert f'{what}: deliberate' in probe.log.text()


def test_a_single_block_gets_a_content_length(serve):
    answer = get(serve('environ', '-w', '1').address)
    assert answer.header('Content-Length') == str(len(answer.body))


# --- words for the log ----------------------------------------------------------------------

SAID = ['print', 'sys.stderr', 'logging', 'descriptor 1', 'descriptor 2', 'printf',
        'wsgi.errors', 'writelines', 'a subprocess']


def test_whatever_an_application_says_is_a_line_of_the_log(probe):
    assert get(probe.address, '/talk?word=said').body == b'said'
    probe.log.wait_for('colour')
    lines = probe.log.text().splitlines()
    for how in SAID:
        found = [line for line in lines if line.endswith(f'said by {how}')]
        assert len(found) == 1, how
        assert re.match(r'\[\w{3} \w{3} \d\d [\d:.]+ \d{4}\] \[app:info\] \[pid \d+\] ', found[0])
    assert any(line.endswith('long end') and line.count('long ') == 1000 for line in lines)
    assert '\x1b' not in probe.log.text() and '\\x1b[31mcolour' in probe.log.text()


def test_lines_of_several_children_do_not_mix(serve):
    server = serve('probe', '-w', '3')
    connections = [Connection(server.address) for _ in range(6)]
    for round_ in range(20):
        for i, c in enumerate(connections):
            c.send(f'GET /talk?word=w{i}r{round_} HTTP/1.1\r\nHost: t\r\n\r\n')
        for c in connections:
            assert c.response().status == 200
    for c in connections:
        c.close()
    server.stop()
    text = server.log.text()
    for i in range(6):
        for round_ in range(20):
            for how in SAID:
                if how != 'logging':
                    assert len(re.findall(rf'\] w{i}r{round_} by {how}$', text, re.M)) == 1


def test_faulthandler_writes_into_the_log(probe):
    assert get(probe.address, '/dump').status == 200
    probe.log.wait_for(r'probe\.py", line \d+ in dump')


# --- violent ends ---------------------------------------------------------------------------

@pytest.mark.skipif(SANITIZED, reason='the sanitizer takes the signal')
def test_a_segmentation_fault_is_named_and_the_child_replaced(probe):
    before, = probe.ready()
    with Connection(probe.address) as c:
        c.send('GET /segv HTTP/1.1\r\nHost: t\r\n\r\n')
        assert c.rest() == b''
    probe.log.wait_for(rf'child pid {before} .*Segmentation fault \(11\)')
    assert get(probe.address, '/hello').status == 200
    after, = probe.wait_for_ready(1)
    assert after != before
    assert probe.board()['board']['children_crashed'] == 1


@pytest.mark.parametrize('target, said', [
    ('/kill', r'Killed \(9\)'),
    ('/exit-at-once?status=5', 'exit status 5'),
    ('/exit-at-once?status=0', 'exit status 0|ended'),
])
def test_a_child_that_goes_is_replaced(probe, target, said):
    before, = probe.ready()
    with Connection(probe.address) as c:
        c.send(f'GET {target} HTTP/1.1\r\nHost: t\r\n\r\n')
        assert c.rest() == b''
    assert get(probe.address, '/hello').status == 200
    assert before not in probe.wait_for_ready(1)
    if 'status=0' not in target:
        probe.log.wait_for(rf'child pid {before} .*({said})')


def test_what_a_dead_child_said_last_is_not_lost(probe):
    with Connection(probe.address) as c:
        c.send('GET /talk?word=last HTTP/1.1\r\nHost: t\r\n\r\n'
               'GET /exit-at-once HTTP/1.1\r\nHost: t\r\n\r\n')
        c.rest()
    probe.log.wait_for('last by a subprocess')
    probe.log.wait_for('exit status 5')


def test_a_child_obeys_no_signal_of_the_terminal(probe):
    child, = probe.ready()
    for signum in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGWINCH,
                   signal.SIGUSR1, signal.SIGPIPE):
        os.kill(child, signum)
    for _ in range(3):
        assert get(probe.address, '/pid').body.decode() == str(child)


def test_many_mistakes_do_not_leak_connections(probe):
    for _ in range(50):
        exchange(probe.address, 'GET /fail HTTP/1.1\r\nHost: t\r\n\r\n')
        exchange(probe.address, 'GET /fail-late HTTP/1.1\r\nHost: t\r\n\r\n')
    wait_until(lambda: probe.board()['counts']['connections'] == 0, 'no open connection')
