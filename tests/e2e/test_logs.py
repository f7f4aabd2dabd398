"""The access log, by Apache's formats, and the files of both logs."""

import json
import os
import re
import signal
import subprocess

import pytest

from client import Connection, get
from server import (BUILD, IS_ROOT, PATIENCE, is_alive, own_by_children, run_wsgid,
                    wait_until)

COMBINED = re.compile(
    r'^127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] '
    r'"GET /big\?n=5 HTTP/1\.1" 200 (\d+|-) "http://from/" "agent \\"x\\""$')


def lines_of(path, number: int) -> list:
    wait_until(lambda: path.exists() and path.read_text().count('\n') >= number,
               f'{number} lines in {path}')
    return path.read_text().splitlines()


def test_the_combined_format_of_a_real_request(serve, directory):
    path = directory / 'access.log'
    server = serve('probe', '-w', '1', '--access-log', path)
    get(server.address, '/big?n=5', [('Referer', 'http://from/'), ('User-Agent', 'agent "x"')])
    line, = lines_of(path, 1)
    found = COMBINED.match(line)
    assert found and found[1] == '5', line
    assert path.stat().st_mode & 0o777 == 0o640
    if IS_ROOT:
        assert path.stat().st_uid == 0


def test_fields_of_one_name_are_a_list_and_a_host_is_a_name(serve, directory):
    path = directory / 'access.log'
    server = serve('probe', '-w', '1', '--custom-log',
                   f'{path} "%v %{{X-In}}i %{{Set-Cookie}}o %{{b}}C"')
    with Connection(server.address) as c:
        c.send('GET /headers HTTP/1.1\r\nHost: Shop.Example:81\r\nX-In: 1\r\nX-IN: 2\r\n'
               'Cookie: a=1\r\nCookie: b=2\r\n\r\n')
        assert c.response().status == 200
    assert lines_of(path, 1) == ['shop.example 1, 2 a=1, b=2 2']


def test_a_user_is_named_and_his_password_is_not(serve, directory):
    path = directory / 'access.log'
    server = serve('probe', '-w', '1', '--access-log', path)
    get(server.address, '/hello', [('Authorization', 'Basic ZnJhbms6c2VjcmV0')])
    line, = lines_of(path, 1)
    assert line.startswith('127.0.0.1 - frank [') and 'secret' not in line


def test_a_line_of_the_nickname_json_is_json(serve, directory):
    path = directory / 'access.log'
    server = serve('probe', '-w', '1', '--custom-log', f'{path} json')
    agent = b'caf\xc3\xa9 "\\x41" \xff\t'
    with Connection(server.address) as c:
        c.send(b'GET /hello?a=b HTTP/1.1\r\nHost: Shop:81\r\nUser-Agent: x' + agent
               + b'x\r\n\r\n')
        assert c.response().status == 200
    said = json.loads(lines_of(path, 1)[0])
    assert said['user_agent'] == 'xcaf\xe9 "\\x41" \xff\tx'
    assert (said['host'], said['method'], said['path'], said['query']) == (
        'shop', 'GET', '/hello', '?a=b')
    assert (said['status'], said['bytes'], said['referer']) == (200, 6, '-')
    assert re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d', said['time'])


def test_formats_of_a_configuration(serve, directory, apps):
    conf = directory / 'wsgid.conf'
    conf.write_text(f'''
WSGIApplication probe
ChDir {apps}
Processes 1
LogFormat "%a %m %U %q %>s %B %{{X-In}}i %{{Content-Type}}o %H %p %P %D" all
CustomLog {directory}/all.log all
CustomLog {directory}/common.log common
CustomLog {directory}/own.log "%s %r"
''')
    server = serve('-c', conf)
    with Connection(server.address) as c:
        c.get('/hello?a=b', [('X-In', 'in\there')])
        c.request('HEAD', '/hello')
        c.get('/fail')
        c.send('BAD\r\n\r\n')
        c.response()
    child, = server.wait_for_ready(1)
    first, head, fail, bad = lines_of(directory / 'all.log', 4)
    words = (r'127\.0\.0\.1 GET /hello \?a=b 200 6 in\\there text/plain HTTP/1\.1 '
             rf'{server.port} {child} \d+')
    assert re.fullmatch(words, first), first
    assert ' HEAD /hello  200 0 ' in head and ' 500 ' in fail and ' 400 ' in bad
    assert lines_of(directory / 'own.log', 4)[0] == '200 GET /hello?a=b HTTP/1.1'
    common = lines_of(directory / 'common.log', 4)
    assert re.search(r'"GET /hello\?a=b HTTP/1\.1" 200 6$', common[0])
    assert re.search(r' 400 \d+$', common[3])


def test_standard_output_is_an_access_log(serve):
    server = serve('probe', '-w', '1', '--access-log', '-')
    get(server.address, '/hello')
    server.output.wait_for(r'"GET /hello HTTP/1\.1" 200')


def test_no_client_can_forge_a_line(serve, directory):
    path = directory / 'access.log'
    server = serve('probe', '-w', '1', '--access-log', path)
    with Connection(server.address) as c:
        c.get('/hello', [('User-Agent', 'a"\\ \xff')])
        c.get('/%0a%0dfake')
    lines = lines_of(path, 2)
    assert len(lines) == 2
    assert lines[0].endswith(r'"a\"\\ \xff"'), lines[0]


def test_what_a_refused_client_was_sent_is_counted(serve, directory):
    path = directory / 'access.log'
    server = serve('probe', '-w', '1', '--timeout', '300ms', '--accept-filter', 'none',
                   '--limit-request-body', '10', '--log-format', '"%>s %O %I %S %X" sizes',
                   '--custom-log', f'{path} sizes')
    counted = server.board()['totals']['bytes_out']
    sent = []
    for status, data in ((400, 'BAD\r\n\r\n'), (408, 'GET / HTTP/1.1\r\nHo'),
                         (413, 'POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 11\r\n\r\n'),
                         (414, f'GET /{"x" * 9000} HTTP/1.1\r\nHost: t\r\n\r\n'),
                         (431, f'GET / HTTP/1.1\r\nA: {"x" * 9000}\r\n\r\n')):
        with Connection(server.address) as c:
            assert c.get('/hello').status == 200
            c.send(data)
            answer = c.rest()
            assert answer.startswith(f'HTTP/1.1 {status} '.encode())
            sent.append([str(status), len(answer), '-'])
    lines = [line.split() for line in lines_of(path, 10)]
    assert [[status, int(out), kept] for status, out, _, _, kept in lines[1::2]] == sent
    assert all(int(both) == int(got) + int(out) for _, out, got, both, _ in lines)
    assert server.board()['totals']['bytes_out'] == counted + sum(int(line[1]) for line in lines)


def test_the_password_of_a_target_is_in_no_item(serve, directory):
    path = directory / 'access.log'
    server = serve('probe', '-w', '1', '--log-format', '"%r %m %U %q %H %V" target',
                   '--custom-log', f'{path} target')
    for target in ('http://joe:secret@example.org/x?y', 'ftp://joe:secret@example.org/x?y'):
        with Connection(server.address) as c:
            c.send(f'GET {target} HTTP/1.1\r\nHost: t\r\n\r\n')
            assert c.response().status == 400
    lines = lines_of(path, 2)
    assert all(line.count('//joe:XXXXXXXX@example.org/x') == 2 for line in lines), lines
    assert 'secret' not in path.read_text()


def test_lines_of_all_children_are_whole(serve, directory):
    path = directory / 'access.log'
    server = serve('probe', '-w', '3', '--access-log', path)
    connections = [Connection(server.address) for _ in range(30)]
    for i in range(20):
        for c in connections:
            c.send(f'GET /hello?{"x" * 200}{i} HTTP/1.1\r\nHost: t\r\n\r\n')
        for c in connections:
            assert c.response().status == 200
    lines = lines_of(path, 600)
    assert len(lines) == 600
    assert all(re.search(r'"GET /hello\?x{200}\d+ HTTP/1\.1" 200 6 ', line) for line in lines)


def need_pipes_that_know_nowait():
    read_end, write_end = os.pipe()
    try:
        os.pwritev(write_end, [b'x'], -1, os.RWF_NOWAIT)
    except OSError as e:
        pytest.skip(f'this kernel cannot be asked whether a pipe would wait: {e}')
    finally:
        os.close(read_end)
        os.close(write_end)


@pytest.mark.parametrize('engine', ['io_uring', 'epoll'])
@pytest.mark.parametrize('target', ['a file', 'a pipe'])
def test_lines_do_not_wait_for_the_end_of_the_next_request(serve, directory, engine, target):
    """Not even if there is none, as the child is killed in it."""
    if target == 'a pipe':
        need_pipes_that_know_nowait()
    (directory / 'stuck.py').write_text('''
import pathlib, time
others = 0
def application(environ, start_response):
    global others
    if environ['PATH_INFO'] == '/others_may_send':
        print('others may send', flush=True)
        while not pathlib.Path('have_sent').exists():
            time.sleep(.01)
    elif environ['PATH_INFO'] != '/hello':
        others += 1
        if others == 20:
            time.sleep(3600)
    start_response('200 OK', [('Content-Length', '0')])
    return []
''')
    path = directory / 'access.log'
    server = serve('stuck', '-w', '1', '--access-log', '-' if target == 'a pipe' else path,
                   '--io-engine', engine, cwd=directory)
    child, = server.wait_for_ready(1)
    connections = [Connection(server.address) for _ in range(21)]
    for c in connections:
        assert c.get('/hello').status == 200
    connections[0].send('GET /others_may_send HTTP/1.1\r\nHost: t\r\n\r\n')
    server.log.wait_for('others may send')
    for c in connections[1:]:
        c.send(f'GET /{"x" * 300} HTTP/1.1\r\nHost: t\r\n\r\n')
    (directory / 'have_sent').touch()

    def lines() -> int:
        text = server.output.text() if target == 'a pipe' else path.read_text()
        return len(re.findall('GET /x{300} HTTP/1.1" 200', text))
    try:
        wait_until(lambda: lines() == 19, 'the lines of those that are answered')
        assert list(server.ready()) == [child]
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_reload_opens_the_logs_again(serve, directory):
    access, error = directory / 'access.log', directory / 'error.log'
    server = serve('probe', '-w', '1', '--access-log', access)
    get(server.address, '/hello')
    lines_of(access, 1)
    access.rename(directory / 'access.log.1')
    assert 'reload done' in server.reload()
    get(server.address, '/hello')
    assert len(lines_of(access, 1)) == 1
    assert len(lines_of(directory / 'access.log.1', 1)) == 1
    assert not error.exists()


def test_an_error_log_in_a_file_has_everything(new_server, directory):
    path = directory / 'error.log'
    server = new_server('probe', '-w', '1', '--error-log', path).spawn()
    wait_until(lambda: path.exists() and 'serves probe' in path.read_text(), 'the start line')
    port = int(re.search(r'at http://127\.0\.0\.1:(\d+)', path.read_text())[1])
    get(('127.0.0.1', port), '/fail')
    wait_until(lambda: 'ValueError' in path.read_text(), 'the traceback')
    os.kill(server.pid, signal.SIGTERM)
    assert server.ended() == 0
    assert path.read_text().splitlines()[-1].endswith('stopped')


@pytest.mark.parametrize('option', ['--error-log', '--access-log'])
def test_a_log_that_cannot_be_opened_is_named(new_server, option):
    server = new_server('probe', option, '/nowhere/file.log')
    assert server.fails() in (1, 78)
    assert '/nowhere/file.log' in server.log.text()
    assert 'there is no directory /nowhere: create it first' in server.log.text()


def test_a_level_chooses_what_is_said(serve):
    quiet = serve('probe', '-w', '1')
    loud = serve('probe', '-w', '1', '--log-level', 'debug')
    for server in (quiet, loud):
        with Connection(server.address) as c:
            c.send('BAD\r\n\r\n')
            assert c.response().status == 400
        server.stop()
    assert 'refused with 400' in loud.log.text()
    assert 'refused with 400' not in quiet.log.text()


FAULTY = '''
import sys

def unfinished(start_response):
    start_response('200 OK', [('Content-Length', '9')])
    return [b'short']

def application(environ, start_response):
    print('a word of the application', file=sys.stderr, flush=True)
    environ['wsgi.errors'].write('another of its words\\n')
    if environ['PATH_INFO'] == '/unfinished':
        return unfinished(start_response)
    raise ValueError('of two\\nlines')
'''


def test_what_the_application_does_wrong_is_an_error_and_what_it_says_is_not(serve, directory):
    (directory / 'faulty.py').write_text(FAULTY)
    server = serve('faulty', '-w', '1', cwd=directory)
    for path in ('/', '/unfinished'):
        with Connection(server.address) as c:
            c.send(f'GET {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n')
            c.rest()
    server.stop()
    levels = {'info': [], 'error': []}
    line = re.compile(r'\[app:(\w+)\] \[pid \d+\] (?:\[id [^]]+\] )?(.*)')
    for level, text in line.findall(server.log.text()):
        levels[level].append(text)
    assert set(levels['info']) == {'a word of the application', 'another of its words'}
    assert levels['error'][0] == 'GET / HTTP/1.1: the application raised an exception'
    assert levels['error'][1] == 'Traceback (most recent call last):'
    assert levels['error'][-3:-1] == ['ValueError: of two', 'lines']
    assert 'the application sent 5 bytes of the 9' in levels['error'][-1]


def test_a_traceback_of_the_import_is_an_error_and_plain_where_a_person_looks(
        new_server, directory):
    (directory / 'faulty.py').write_text('1 / 0\n')
    server = new_server('faulty', '-w', '1', cwd=directory)
    server.fails()
    server.log.wait_for(r'\[app:error\] \[pid \d+\] ZeroDivisionError')
    done = run_wsgid('--check', 'faulty', cwd=directory)
    assert '\nZeroDivisionError' in done.stderr and '<3>' not in done.stdout + done.stderr


def test_a_healthy_request_leaves_no_word_in_the_error_log(serve):
    server = serve('probe', '-w', '1', '--log-level', 'info')
    get(server.address, '/hello')
    since = len(server.log.text())
    for _ in range(20):
        get(server.address, '/hello')
    assert server.log.text()[since:] == ''


# --- a log that nobody reads ---------------------------------------------------------------

LINES = 100_000


def wsgictl(server, *words):
    return subprocess.run([BUILD / 'wsgictl', '--run-directory', server.run_directory, *words],
                          text=True, capture_output=True, timeout=PATIENCE)


@pytest.fixture
def serve_noisy(serve, directory):
    """/noise writes 10 MB to standard error, which must not be read meanwhile."""
    (directory / 'noisy.py').write_text(f'''
import os, sys
def application(environ, start_response):
    if environ['PATH_INFO'] == '/noise':
        for i in range({LINES}):
            sys.stderr.write(f'noise {{i:06}} {{"n" * 86}}\\n')
    start_response('200 OK', [])
    return [b'%d' % os.getpid()]
''')
    return lambda *words: serve('noisy', *words, cwd=directory)


def begin_noise(server) -> Connection:
    c = Connection(server.address)
    c.send('GET /noise HTTP/1.1\r\nHost: t\r\n\r\n')
    wait_until(server.log.is_full, 'a log that takes no more')
    return c


def test_the_master_does_not_wait_for_who_reads_its_log(serve_noisy):
    server = serve_noisy('-w', '2', '--graceful-shutdown-timeout', '1s')
    old = server.wait_for_ready(2)
    with server.log.unread():
        begin_noise(server)
        assert wsgictl(server, 'status').returncode == 0
        reload = wsgictl(server, 'reload')
        assert reload.returncode == 0, reload.stderr
        assert int(get(server.address, '/').body) not in old
        os.kill(server.pid, signal.SIGTERM)
        # 75: a request was cut off.
        assert server.process.wait(PATIENCE / 3) == 75
    server.ended()


def test_nothing_that_is_said_is_lost_when_it_is_read_late(serve_noisy):
    server = serve_noisy('-w', '2')
    server.wait_for_ready(2)
    with server.log.unread():
        c = begin_noise(server)
        assert wsgictl(server, 'reload').returncode == 0
    assert c.response().status == 200
    server.stop()
    lines = server.log.text().splitlines()
    assert all(re.match(r'\[[^]]+\] \[\w+:\w+\] \[pid \d+\] ', line) for line in lines)
    said = [line.partition('] noise ')[2] for line in lines if '] noise ' in line]
    assert said == [f'{i:06} {"n" * 86}' for i in range(LINES)]
    ours = [i for i, line in enumerate(lines) if ': reloading gracefully' in line
            or 'reload done' in line]
    assert len(ours) == 2 and ours[0] < ours[1]


@pytest.mark.parametrize('signals', [[signal.SIGINT], [signal.SIGTERM, signal.SIGQUIT]])
def test_a_stop_at_once_does_not_wait_for_who_reads_the_log(serve_noisy, signals):
    server = serve_noisy('-w', '1')
    server.wait_for_ready(1)
    with server.log.unread():
        begin_noise(server)
        for signum in signals:
            os.kill(server.pid, signum)
        assert server.process.wait(PATIENCE / 3) in (0, 75)
    server.ended()


def test_a_new_master_takes_over_though_nobody_reads_the_log(serve_noisy):
    server = serve_noisy('-w', '2', '--worker-drain-timeout', '1s')
    old = server.wait_for_ready(2)
    with server.log.unread():
        begin_noise(server)
        upgrade = wsgictl(server, 'upgrade')
        assert upgrade.returncode == 0, upgrade.stderr
        path, = server.run_directory.glob('*.pid')
        server.master = int(path.read_text())
        assert server.master != server.process.pid
        assert int(get(server.address, '/').body) not in old
        assert server.process.wait(PATIENCE / 3) == 0
        os.kill(server.master, signal.SIGTERM)
        wait_until(lambda: not is_alive(server.master), 'the end of the new master')
    server.ended()


needs_root = pytest.mark.skipif(not IS_ROOT, reason='only root can make links of others')
OPTIONS = ['--error-log', '--access-log', '--environment-file']


@pytest.fixture
def theirs(directory):
    """A directory of the children's user."""
    path = directory / 'theirs'
    path.mkdir()
    own_by_children(path)
    return path


def link_by_children(link, target):
    link.symlink_to(target)
    os.chown(link, link.parent.stat().st_uid, -1, follow_symlinks=False)


def start(server):
    server.spawn()
    wait_until(lambda: any(server.run_directory.glob('*.scoreboard')) and server.ready(),
               'a child')


@needs_root
@pytest.mark.parametrize('option', OPTIONS)
def test_a_link_of_the_application_leads_to_what_is_its_own_alone(new_server, directory, theirs,
                                                                 option):
    secret, link = directory / 'secret', theirs / 'link'
    secret.write_text('A=1\n')
    secret.chmod(0o600)
    link_by_children(link, secret)
    server = new_server('hello', '-w', '1', option, link)
    assert server.fails() == 78
    assert (f'{link}: a symbolic link on its way is in or below {theirs} of user '
            in server.log.text())
    assert 'so it is opened as that user: Permission denied' in server.log.text()
    assert secret.read_text() == 'A=1\n'
    own_by_children(secret)
    start(new_server('hello', '-w', '1', option, link))


@needs_root
@pytest.mark.parametrize('option', OPTIONS)
def test_a_link_of_the_application_to_a_descriptor_of_its_own_leads_nowhere(
        new_server, directory, theirs, option):
    secret, link = directory / 'secret', theirs / 'link'
    secret.write_text('A=1\n')
    secret.chmod(0o600)
    script = ('import os, sys\n'
              'print(os.getpid(), os.open(sys.argv[1], os.O_PATH), flush=True)\n'
              'sys.stdin.read()\n')
    with subprocess.Popen(['/usr/bin/python3', '-c', script, secret], text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          user=theirs.stat().st_uid, group=theirs.stat().st_gid,
                          extra_groups=[]) as holder:
        pid, number = holder.stdout.readline().split()
        link_by_children(link, f'/proc/{pid}/fd/{number}')
        server = new_server('hello', '-w', '1', option, link)
        assert server.fails() == 78
        holder.stdin.close()
    assert f'{link}: a symbolic link on its way is in or below ' in server.log.text()
    assert secret.read_text() == 'A=1\n'


@needs_root
@pytest.mark.parametrize('owner', ['root', 'children'])
def test_a_link_to_standard_error_works_whoever_made_it(new_server, theirs, owner):
    link = theirs / 'error.log'
    link.symlink_to('/dev/stderr')
    if owner == 'children':
        os.chown(link, theirs.stat().st_uid, -1, follow_symlinks=False)
    server = new_server('hello', '-w', '1', '--error-log', link)
    start(server)
    wait_until(lambda: ' serves hello at ' in server.log.text(), 'a line of the log')


@needs_root
@pytest.mark.parametrize('target', ['releases/5', 'releases/5/'])
def test_files_of_a_release_are_found_by_the_link_to_it(new_server, theirs, target):
    release = theirs / 'releases' / '5'
    release.mkdir(parents=True)
    (release / '.env').write_text('A=1\n')
    for path in (release.parent, release, release / '.env'):
        own_by_children(path)
    current = theirs / 'current'
    link_by_children(current, target)
    start(new_server('hello', '-w', '1', '--environment-file', current / '.env',
                     '--error-log', current / 'error.log'))
    assert (release / 'error.log').stat().st_uid == theirs.stat().st_uid


@needs_root
def test_a_log_that_became_a_link_is_not_reopened_behind_it(new_server, directory, theirs):
    secret, log = directory / 'secret', theirs / 'error.log'
    secret.write_text('')
    secret.chmod(0o600)
    server = new_server('hello', '-w', '1', '--error-log', log)
    start(server)
    log.rename(theirs / 'error.log.1')
    link_by_children(log, secret)
    done = wsgictl(server, 'reopen-logs')
    assert done.returncode != 0 and f'{log}: a symbolic link on its way' in done.stderr, done
    assert secret.read_text() == ''
    log.unlink()
    link_by_children(log, 'error.log.2')
    done = wsgictl(server, 'reopen-logs')
    assert done.returncode == 0, done
    assert (theirs / 'error.log.2').stat().st_uid == theirs.stat().st_uid
