"""WSGIWarmUp: what a process asks its application for before it serves."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess

import pytest

from client import get
from server import BUILD, PATIENCE, clean_environment, own_by_children, wait_until

SITE = '''
import json, os, pathlib, time
from wsgiref.util import FileWrapper

HERE = pathlib.Path(__file__).parent
ASKED = []
CLOSED = []


class Pieces:
    def __init__(self, n):
        self.n = n
    def __iter__(self):
        for _ in range(self.n):
            yield b'x' * 100_000
    def close(self):
        CLOSED.append(self.n)


def application(environ, start_response):
    path = environ['PATH_INFO']
    if path == '/asked':
        start_response('200 OK', [])
        return [json.dumps([os.getpid(), ASKED, CLOSED]).encode()]
    kept = {key: value for key, value in environ.items() if isinstance(value, (str, bool))}
    kept['body'] = environ['wsgi.input'].read().decode()
    ASKED.append([os.getpid(), kept])
    if path == '/raises':
        raise RuntimeError('not in this life')
    if path == '/goes' and (HERE / 'exits').exists():
        os._exit(78)
    if path == '/hangs' or path == '/goes' and (HERE / 'hangs').exists():
        time.sleep(1000)
    if path == '/forks' and os.fork() == 0:
        return []
    if path == '/database' and (HERE / 'down').exists():
        raise RuntimeError('the database is down')
    status = path[1:4] if path[1:4].isdigit() else '200'
    head = [('Content-Length', '1000000')] if path == '/short' else []
    write = start_response(status + ' As Asked', head)
    if path == '/writes':
        write(b'x' * 100_000)
        write(b'y')
    if path == '/file':
        return environ['wsgi.file_wrapper'](open(__file__, 'rb'))
    if path == '/large':
        return [b'x' * 1_000_000, b'y' * 1_000_000]
    return Pieces(20) if path == '/pieces' else [path.encode()]
'''


@pytest.fixture
def site(directory):
    own_by_children(directory)
    (directory / 'site_app.py').write_text(SITE)
    return directory


@pytest.fixture
def warm(serve, site):
    """warm(OPTION...) serves the site above with one child."""
    def start(*words, **more):
        preload = ['--preload'] if more.pop('preload', 'Off') == 'On' else []
        return serve('site_app', '-w', more.pop('children', '1'), '--log-level', 'info', *preload,
                     *words, cwd=site)
    return start


def asked(server):
    """The pid of who answers, the requests that it has heard of, and what was closed."""
    return json.loads(get(server.address, '/asked').body)


def others_than(gone, server):
    """Two children, and none of them that one."""
    def ready():
        found = server.ready()
        return len(found) == 2 and gone not in found
    wait_until(ready, f'another child than {gone}')


preloads = pytest.mark.parametrize('preload', ['Off', 'On'])


@preloads
def test_each_process_asks_for_all_of_it_before_it_serves(warm, preload):
    server = warm('--warm-up', '/a?b=c,http://shop.example:81', '--warm-up',
                  'https://[::1]/%C3%A9/../x%2Cy?', children='3', preload=preload)
    children = set(server.wait_for_ready(3))
    heard = {}
    while set(heard) != children:
        pid, requests, _ = asked(server)
        heard[pid] = requests
    for pid, requests in heard.items():
        by = {who for who, _ in requests}
        if preload == 'On':
            assert by == {server.board()['board']['template_pid']}
        else:
            assert by == {pid}
        first, second, third = (environ for _, environ in requests)
        for environ in first, second, third:
            assert environ['REQUEST_METHOD'] == 'GET' and environ['body'] == ''
            assert environ['SERVER_PROTOCOL'] == 'HTTP/1.1' and environ['SCRIPT_NAME'] == ''
            assert environ['REMOTE_ADDR'] == environ['SERVER_ADDR'] == '127.0.0.1'
            assert environ['HTTP_USER_AGENT'].startswith('wsgid/')
            assert environ['HTTP_USER_AGENT'].endswith(' (WSGIWarmUp)')
            assert environ['wsgi.multiprocess'] is True and len(environ['UNIQUE_ID']) == 24
        names = ('PATH_INFO', 'QUERY_STRING', 'HTTP_HOST', 'SERVER_NAME', 'SERVER_PORT',
                 'wsgi.url_scheme')
        assert [first[name] for name in names] == ['/a', 'b=c', 'localhost', 'localhost', '80',
                                                   'http']
        assert [second[name] for name in names] == ['/', '', 'shop.example:81', 'shop.example',
                                                    '81', 'http']
        assert [third[name] for name in names] == ['/x,y', '', '[::1]', '[::1]', '443', 'https']
    said = server.log.text()
    assert said.count('WSGIWarmUp /a?b=c: answered 200 in ') == (1 if preload == 'On' else 3)
    assert ':warn]' not in said
    server.stop()


def test_what_is_answered_goes_nowhere_and_is_taken_to_its_end(warm, site):
    log = site / 'access.log'
    server = warm('--warm-up', '/writes,/file,/large,/pieces,/204,/301', '--access-log', log)
    _, requests, closed = asked(server)
    assert len(requests) == 6 and closed == [20]
    said = server.log.text()
    assert re.search(r'/301: answered 301 in [\d.]+ ms, which points to another place', said)
    assert re.search(r'/204: answered 204 in [\d.]+ ms$', said, re.M)
    assert sum(row['page']['requests'] for row in server.ready().values()) == 1
    server.stop()
    assert [line.split('"')[1] for line in log.read_text().splitlines()] == ['GET /asked HTTP/1.1']


@preloads
@pytest.mark.parametrize('url, sentence', [
    ('/raises', 'the application has failed, as the lines before say'),
    ('/short', 'the application has failed, as the lines before say'),
    ('/404', 'the application answers 404'),
    ('/503', 'the application answers 503'),
    ('/400', 'the application answers 400 to the host "localhost"; write the one that it serves, '
             'as in http://www.example.com/'),
    ('http://example.com/400', 'the application answers 400'),
])
def test_another_answer_than_a_good_one_ends_the_start(new_server, site, preload, url, sentence):
    server = new_server('site_app', '-w', '2', '--warm-up', f'/fine,{url}', cwd=site,
                        env={'WSGID_PRELOAD_APPLICATION': preload})
    assert server.fails() == 1
    server.log.wait_for(rf':error\].* WSGIWarmUp {url.replace("?", ".")}: {sentence}\n'
                        .replace('(', r'\('))
    assert ('not in this life' in server.log.text()) == (url == '/raises')


@pytest.mark.parametrize('mount, url, sentence', [
    ('/', '/a/../../b', 'the path leads out of the root'),
    ('/', '/%00', '"%00" in the path'),
    ('/shop', '/cart', 'the path is not below MountPoint; write it with that, as clients do'),
    ('/shop', '/shopping?/shop', 'the path is not below MountPoint'),
    ('/shop', 'http://example.com', 'the path is not below MountPoint')])
def test_a_path_that_no_client_could_ask_for_is_a_mistake_of_the_configuration(
        new_server, site, mount, url, sentence):
    (site / 'shop.conf').write_text(f'MountPoint {mount}\nWSGIWarmUp {url}\n')
    words = ['-c', site / 'shop.conf', 'site_app']
    run = subprocess.run([str(BUILD / 'wsgid'), '-t', *words], cwd=site, env=clean_environment(),
                         text=True, capture_output=True, timeout=PATIENCE)
    assert run.returncode == 78
    assert f'shop.conf:2: WSGIWarmUp: {url}: {sentence}' in run.stderr
    server = new_server(*words[2:], *words[:2], cwd=site)
    assert server.fails() == 78


@pytest.mark.parametrize('url', ['/shop', '/shop/x', '/%73hop/', 'http://example.com/shop?a=1',
                                 '/x/../shop', 'none'])
def test_a_path_below_the_mount_point_is_none_however_it_is_written(site, url):
    run = subprocess.run([str(BUILD / 'wsgid'), '-t', '--mount-point', '/shop', '--warm-up', url,
                          'site_app'], cwd=site, env=clean_environment(), text=True,
                         capture_output=True, timeout=PATIENCE)
    assert run.returncode == 0, run


@preloads
def test_a_version_that_answers_badly_does_not_replace_another(warm, site, preload):
    server = warm('--warm-up', '/database', children='2', preload=preload)
    children = set(server.wait_for_ready(2))
    (site / 'down').touch()
    said = server.reload()
    assert 'reload failed' in said and said.count('WSGIWarmUp /database: the application has') >= 1
    assert 'the database is down' in said
    assert set(server.ready()) == children
    (site / 'down').unlink()
    assert 'reload done' in server.reload()
    assert not set(server.wait_for_ready(2)) & children
    server.stop()


def test_a_child_of_a_version_that_serves_serves_whatever_is_answered(warm, site):
    """Or there would be none left when the database has gone for a while."""
    server = warm('--warm-up', '/database', children='2')
    first = min(server.wait_for_ready(2))
    (site / 'down').touch()
    os.kill(first, signal.SIGKILL)
    server.log.wait_for(r':warn\].* WSGIWarmUp /database: .*; serving all the same')
    others_than(first, server)
    assert get(server.address, '/fine').body == b'/fine'
    server.stop()


def test_so_does_a_template_that_comes_later(warm, site):
    server = warm('--warm-up', '/database', preload='On', children='2')
    template = server.board()['board']['template_pid']
    server.wait_for_ready(2)
    (site / 'down').touch()
    os.kill(template, signal.SIGKILL)
    server.log.wait_for(r':warn\].* WSGIWarmUp /database: .*; serving all the same')
    first = min(server.ready())
    os.kill(first, signal.SIGKILL)
    others_than(first, server)
    assert get(server.address, '/fine').body == b'/fine'
    server.stop()


@preloads
@pytest.mark.parametrize('how', ['hangs', 'exits'])
def test_who_does_not_come_out_of_it_is_followed_by_one_that_is_not_asked(warm, site, preload, how):
    server = warm('--warm-up', '/goes', '--startup-timeout', '3', children='2', preload=preload)
    first = min(server.wait_for_ready(2))
    (site / how).touch()
    if preload == 'On':
        template = server.board()['board']['template_pid']
        os.kill(template, signal.SIGKILL)
        wait_until(lambda: server.board()['board']['template_pid'] not in (0, template),
                   'another template')
    os.kill(first, signal.SIGKILL)
    others_than(first, server)
    assert ('was not ready within StartupTimeout' in server.log.text()) == (how == 'hangs')
    assert get(server.address, '/fine').body == b'/fine'
    assert re.search(':warn.* WSGIWarmUp is left out, as a process', server.log.text())
    server.stop()


def test_after_a_restart_that_has_failed_nobody_serves_before_it_is_warm(warm, site):
    server = warm('--warm-up', '/database', children='2')
    server.wait_for_ready(2)
    (site / 'down').touch()
    run = subprocess.run([str(BUILD / 'wsgictl'), '--run-directory', str(server.run_directory),
                          '--wait', '0', 'restart'], env=clean_environment(), text=True,
                         capture_output=True, timeout=PATIENCE)
    assert run.returncode == 0, run
    wait_until(lambda: server.log.text().count('the database is down') > 2, 'several to fail')
    assert not server.ready() and 'serving all the same' not in server.log.text()
    (site / 'down').unlink()
    server.wait_for_ready(2)
    server.stop()


def test_who_writes_it_sees_what_it_answers(serve, site):
    server = serve('site_app', '--reload', '--warm-up', '/raises,/b', '-w', '1', cwd=site)
    assert get(server.address, '/404').status == 404
    server.log.wait_for(r':warn\].* WSGIWarmUp /raises: .*; serving all the same')
    assert [environ['PATH_INFO'] for _, environ in asked(server)[1]] == ['/raises', '/b', '/404']
    server.stop()


@pytest.mark.parametrize('url, status, said', [
    ('/fine', 0, 'can be served'), ('/404', 1, 'WSGIWarmUp /404: the application answers 404')])
def test_check_asks_as_well(site, url, status, said):
    run = subprocess.run([str(BUILD / 'wsgid'), '--check', '--warm-up', url, 'site_app'], cwd=site,
                         env=clean_environment(), text=True, capture_output=True, timeout=PATIENCE)
    assert said in run.stdout + run.stderr and (run.returncode == 0) == (status == 0), run


def test_check_does_not_wait_for_ever(site):
    run = subprocess.run([str(BUILD / 'wsgid'), '--check', '--warm-up', '/hangs',
                          '--startup-timeout', '3', 'site_app'], cwd=site,
                         env=clean_environment(), text=True, capture_output=True, timeout=PATIENCE)
    assert run.returncode == 1
    assert re.search(r'File ".*site_app.py", line \d+ in application', run.stderr)
    assert 'the application was not ready within StartupTimeout' in run.stderr


@preloads
def test_startup_timeout_is_the_limit_on_it(new_server, site, preload):
    server = new_server('site_app', '-w', '2', '--warm-up', '/hangs', '--startup-timeout', '3',
                        cwd=site, env={'WSGID_PRELOAD_APPLICATION': preload})
    assert server.fails() == 1
    text = server.log.text()
    assert 'was not ready within StartupTimeout; SIGKILL follows, and it is here:' in text
    assert re.search(r'File ".*site_app.py", line \d+ in application', text)


@preloads
def test_a_copy_that_the_application_makes_serves_nobody(warm, preload):
    server = warm('--warm-up', '/forks,/behind', preload=preload)
    pid, requests, _ = asked(server)
    assert [environ['PATH_INFO'] for _, environ in requests] == ['/forks', '/behind']
    assert server.log.text().count('/behind: answered') == 1
    assert list(server.ready()) == [pid]
    server.stop()


def test_it_is_a_worker_s_application_as_well(warm):
    server = warm('--warm-up', '/pieces', '--mpm', 'worker', '--threads', '3')
    _, (request,), closed = asked(server)
    assert request[1]['wsgi.multithread'] is True and closed == [20]
    server.stop()


def test_an_application_that_is_only_shown_as_broken_is_not_asked(serve, directory):
    own_by_children(directory)
    (directory / 'broken_app.py').write_text('import nothing_of_that_name\n')
    server = serve('broken_app', '--reload', '--warm-up', '/x', '-w', '1', cwd=directory)
    assert get(server.address).status == 500
    assert 'WSGIWarmUp' not in server.log.text()
    server.stop()


def test_connections_that_a_template_leaves_open_are_named(serve, directory):
    own_by_children(directory)
    with socket.socket() as database, socket.socket(socket.AF_UNIX) as other:
        database.bind(('127.0.0.1', 0))
        other.bind(str(directory / 'other.sock'))
        (directory / 'other.sock').chmod(0o777)
        for s in database, other:
            s.listen()
        (directory / 'connected_app.py').write_text(f'''
import socket
KEPT = [socket.socketpair(), socket.socket(), socket.socket(type=socket.SOCK_DGRAM)]
KEPT[2].connect(('127.0.0.1', 9))
def application(environ, start_response):
    for _ in range(3):
        KEPT.append(socket.create_connection({database.getsockname()!r}))
    KEPT.append(socket.socket(socket.AF_UNIX))
    KEPT[-1].connect({str(directory / "other.sock")!r})
    with socket.create_connection({database.getsockname()!r}):
        pass
    start_response('200 OK', [])
    return []
''')
        for preload in 'On', 'Off':
            server = serve('connected_app', '-w', '1', '--warm-up', '/', cwd=directory,
                           env={'WSGID_PRELOAD_APPLICATION': preload})
            if preload == 'On':
                server.log.wait_for(
                    r':warn\].* has left connections open in .*: '
                    rf'127\.0\.0\.1:{database.getsockname()[1]}, unix:{directory}/other\.sock; ')
            assert server.log.text().count(':warn]') == (1 if preload == 'On' else 0)
            server.stop()


def test_what_is_made_at_the_first_request_is_shared(serve, directory):
    """64 MiB of it, of which children have none of their own."""
    own_by_children(directory)
    (directory / 'lazy_app.py').write_text('''
CACHE = []
def application(environ, start_response):
    if not CACHE:
        CACHE.append(b'x' * (64 << 20))
    start_response('200 OK', [])
    return [str(len(CACHE[0])).encode()]
''')
    server = serve('lazy_app', '--preload', '-w', '3', '--warm-up', '/', cwd=directory)
    for pid in server.wait_for_ready(3):
        rollup = pathlib.Path(f'/proc/{pid}/smaps_rollup').read_text()
        assert int(re.search(r'Private_Dirty: +(\d+)', rollup)[1]) < 32 << 10
    assert get(server.address).body == str(64 << 20).encode()
    server.stop()
