"""Descriptors that run short, and an application that closes those of the server."""

import contextlib
import subprocess
import time

import pytest

from client import Connection, get
from server import BUILD, need, wait_until

APP = '''
import os
import socket
import sys
import threading
import time

found = []


def close_all():
    os.closerange(3, 4096)


def replace_all():
    os.closerange(3, 4096)
    for _ in range(64):
        os.open('/dev/null', os.O_RDONLY)


def sleep_and_replace_all():
    time.sleep(0.05)
    replace_all()


def replace(wanted):
    null = os.open('/dev/null', os.O_RDWR)
    for fd in map(int, os.listdir('/proc/self/fd')):
        if os.path.lexists(f'/proc/self/fd/{fd}') and wanted(fd):
            os.dup2(null, fd, inheritable=False)
    os.close(null)


def replace_eventfds():
    replace(lambda fd: 'eventfd' in os.readlink(f'/proc/self/fd/{fd}'))


def is_listener(fd):
    try:
        s = socket.socket(fileno=os.dup(fd))
    except OSError:
        return False
    with s:
        return s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1


def replace_listener():
    replace(is_listener)


def find_listener():
    found[:] = [os.open('/dev/null', os.O_RDWR)]
    found.extend(fd for fd in map(int, os.listdir('/proc/self/fd')) if is_listener(fd))


def replace_access_log():
    replace(lambda fd: os.readlink(f'/proc/self/fd/{fd}').endswith('access.log'))


def stay_and_close_all():
    threading.Thread(target=threading.Event().wait).start()
    os.closerange(3, 4096)


def replace_found():
    null, *listeners = found
    for fd in listeners:
        os.dup2(null, fd, inheritable=False)


def replace_all_soon():
    threading.Thread(target=sleep_and_replace_all).start()


def replace_listener_and_say_so():
    replace_listener()
    print('the listener is away', file=sys.stderr, flush=True)


def replace_listener_later():
    threading.Timer(0.4, replace_listener_and_say_so).start()


def open_some():
    for fd in [os.open('/dev/null', os.O_RDONLY) for _ in range(8)]:
        os.close(fd)


def hello():
    pass


def application(environ, start_response):
    globals()[environ['PATH_INFO'][1:]]()
    start_response('200 OK', [('Content-Type', 'text/plain')])
    if 'large' in environ['QUERY_STRING']:
        return [b'x' * 20000000]
    if 'two' in environ['QUERY_STRING']:
        return iter([b'x' * 10000000] * 2)
    return [str(os.getpid()).encode()]
'''

ENGINES = ['io_uring', 'epoll']


@pytest.fixture
def closing(serve, directory):
    """A server of one child, whose pid is what /hello answers."""
    (directory / 'closing.py').write_text(APP)

    def start(engine, *options, threads=1, **how):
        return serve('closing', '-w', '1', '--threads', threads, '--io-engine', engine, *options,
                     cwd=directory, **how)
    return start


@pytest.mark.parametrize('how, threads', [
    ('/close_all', 1), ('/close_all', 3), ('/replace_all', 1), ('/replace_all', 3),
    ('/sleep_and_replace_all', 3), ('/stay_and_close_all', 1), ('/stay_and_close_all', 3)])
@pytest.mark.parametrize('listeners', [1, 2])
@pytest.mark.parametrize('engine', ENGINES)
def test_a_child_whose_descriptors_are_closed_is_replaced(
        closing, engine, listeners, how, threads):
    more = ['-b', '127.0.0.2:0'] * (listeners - 1)
    server = closing(engine, *more, threads=threads)
    before = int(get(server.address, '/hello').body)
    with Connection(server.address) as c:
        c.send(f'GET {how} HTTP/1.1\r\nHost: t\r\n\r\n')
        c.rest()
    # One more connection may be with it already, in an accept that was under way.
    for _ in range(2):
        with Connection(server.address) as c:
            c.send('GET /hello HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n')
            c.rest()
    wait_until(lambda: before not in server.children(), 'the end of the broken child')
    after, = server.wait_for_ready(1)
    assert int(get(server.address, '/hello').body) == after
    assert 'os._exit' not in server.log.text()


@pytest.mark.parametrize('how', ['/replace_eventfds', '/replace_listener'])
@pytest.mark.parametrize('threads', [1, 3])
@pytest.mark.parametrize('engine', ENGINES)
def test_a_child_that_lacks_one_descriptor_is_replaced_and_says_why(
        closing, engine, threads, how):
    server = closing(engine, threads=threads)
    before = int(get(server.address, '/hello').body)
    with Connection(server.address) as c:
        c.send(f'GET {how} HTTP/1.1\r\nHost: t\r\n\r\n')
        wait_until(lambda: before not in server.children(), 'the end of the broken child')
    after, = server.wait_for_ready(1)
    assert int(get(server.address, '/hello').body) == after
    server.log.wait_for('has the application closed our descriptors')
    assert 'os._exit' not in server.log.text()


@pytest.mark.parametrize('threads', [1, 3])
def test_an_access_log_is_missed_even_one_that_was_opened_anew(closing, directory, threads):
    """Its lines would be written into what the application has there, for ever."""
    server = closing('io_uring', '--access-log', directory / 'access.log', threads=threads)
    before = int(get(server.address, '/hello').body)
    (directory / 'access.log').rename(directory / 'access.log.1')
    subprocess.run([BUILD / 'wsgictl', '--run-directory', server.run_directory, 'reopen-logs'],
                   check=True)
    assert int(get(server.address, '/hello').body) == before
    get(server.address, '/replace_access_log')
    server.log.wait_for('has the application closed our descriptors')
    wait_until(lambda: before not in server.children(), 'the end of the broken child')
    assert get(server.address, '/hello?after').status == 200
    wait_until(lambda: '/hello?after' in (directory / 'access.log').read_text(), 'a line')


@pytest.mark.parametrize('how', ['/hello?large', '/hello?two'])
def test_a_single_worker_goes_on_until_it_is_replaced(closing, how):
    """Of its listener it has only lost the number.  What it makes for the second request of a
    connection, and waits for its client with, goes out as well."""
    server = closing('io_uring')
    before = int(get(server.address, '/hello').body)
    with Connection(server.address) as slow, Connection(server.address) as c:
        assert c.get('/replace_listener').status == 200
        assert slow.get('/hello').status == 200
        slow.send(f'GET {how} HTTP/1.1\r\nHost: t\r\n\r\n')
        assert slow._more()
        server.log.wait_for('has the application closed our descriptors')
        wait_until(lambda: len(server.wait_for_ready(1)) == 1 and
                   int(get(server.address, '/hello').body) != before, 'another child that serves')
        assert len(slow.response().body) == 20000000
    wait_until(lambda: before not in server.children(), 'the end of the broken child')
    assert 'cut off' not in server.log.text()


@pytest.mark.parametrize('threads', [1, 3])
@pytest.mark.parametrize('engine', ENGINES)
def test_a_listener_that_a_thread_closes_while_nothing_runs_is_missed(
        closing, engine, threads):
    """Nobody looks then, but the next client comes in vain."""
    server = closing(engine, threads=threads)
    before = int(get(server.address, '/replace_listener_later').body)
    server.log.wait_for('the listener is away')
    assert int(get(server.address, '/hello').body) != before
    wait_until(lambda: before not in server.children(), 'the end of the broken child')


@pytest.mark.parametrize('threads', [1, 3])
def test_a_listener_is_missed_under_short_requests_after_a_quiet_time(closing, threads):
    """Requests put the watcher's alarm off, and it had gone to sleep for good."""
    server = closing('io_uring', threads=threads)
    with Connection(server.address) as c:
        c.get('/find_listener')
        time.sleep(2.5)  # it does so after a second in which nothing begins
        load = subprocess.Popen([need('wrk'), '-t1', '-c4', '-d60s', f'{server.url}/hello'],
                                stdout=subprocess.DEVNULL)
        try:
            wait_until(lambda: server.board()['counts']['connections'] >= 5, 'the load')
            c.get('/replace_found')
            # It looks each second, and not only when the load pauses by chance.
            server.log.wait_for(r'has the application closed our descriptors\?', timeout=6)
        finally:
            load.terminate()
            load.wait()


@pytest.mark.parametrize('engine, threads, how', [
    ('io_uring', 3, '/replace_eventfds'), ('io_uring', 3, '/replace_listener'),
    ('epoll', 3, '/replace_eventfds'), ('epoll', 1, '/replace_listener')])
def test_where_the_child_cannot_wait_what_it_sends_is_cut_and_counted(
        closing, engine, threads, how):
    server = closing(engine, threads=threads)
    before = int(get(server.address, '/hello').body)
    with Connection(server.address) as slow, Connection(server.address) as c:
        slow.send('GET /hello?large HTTP/1.1\r\nHost: t\r\n\r\n')
        assert slow._more()
        c.send(f'GET {how} HTTP/1.1\r\nHost: t\r\n\r\n')
        wait_until(lambda: before not in server.children(), 'the end of the broken child')
    server.log.wait_for('1 request was cut off')


@pytest.mark.parametrize('engine', ENGINES)
def test_descriptors_are_closed_while_a_request_waits_for_its_client(closing, engine):
    server = closing(engine, '--timeout', '500ms', '--response-buffer-size', '64K')
    before = int(get(server.address, '/hello').body)
    with Connection(server.address) as c:
        c.send('GET /replace_all_soon?two HTTP/1.1\r\nHost: t\r\n\r\n')
        wait_until(lambda: before not in server.children(), 'the end of the broken child')
    server.wait_for_ready(1)
    assert 'signal' not in server.log.text()


@pytest.mark.parametrize('engine', ENGINES)
def test_idle_connections_leave_the_application_descriptors(closing, engine):
    server = closing(engine, launcher=('/bin/sh', '-c', 'ulimit -n 128; exec "$@"', 'sh'))
    kept = []
    try:
        for _ in range(150):
            kept.append(Connection(server.address))
            assert kept[-1].get('/hello').status == 200
        assert get(server.address, '/open_some').status == 200
        assert kept[-1].get('/hello').status == 200
        assert kept[0].is_closed()
    finally:
        for connection in kept:
            connection.close()


TELLTALE = '''
import os
import sys
import threading


def application(environ, start_response):
    what = environ['PATH_INFO'][1:]
    if what.startswith('close'):
        for number in what[len('close'):]:
            os.close(int(number))
    if what == 'tell':
        print('printed secret', flush=True)
        print('erring secret', file=sys.stderr, flush=True)
        environ['wsgi.errors'].write('secret of wsgi.errors\\n')
        raise ValueError('raised secret')
    if what == 'fds':
        found = [os.readlink(f'/proc/self/fd/{fd}') for fd in range(3)]
        start_response('200 OK', [('Content-Type', 'text/plain')])
        return [' '.join(found).encode()]
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'closed']
'''


def ask_alone(server, path):
    """What comes on a connection of its own, to its end."""
    with Connection(server.address) as c:
        c.send(f'GET /{path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n')
        return c.rest()


@pytest.mark.parametrize('options', [[], ['--threads', 3], ['--preload'], ['-b', '127.0.0.2:0']],
                         ids=['alone', 'threads', 'preload', 'two-listeners'])
@pytest.mark.parametrize('closed', ['1', '2', '012'])
@pytest.mark.parametrize('engine', ENGINES)
def test_no_client_becomes_the_standard_error_that_was_closed(
        serve, directory, engine, closed, options):
    (directory / 'telltale.py').write_text(TELLTALE)
    server = serve('telltale', '-w', '1', '--io-engine', engine, *options, cwd=directory)
    ask_alone(server, f'close{closed}')
    for _ in range(3):
        answer = ask_alone(server, 'tell')
        assert answer.startswith(b'HTTP/1.1 500 ')
        assert b'secret' not in answer
    null, *pipes = ask_alone(server, 'fds').rsplit(b'\r\n', 1)[1].split()
    assert null == b'/dev/null'
    assert len(set(pipes)) == 1 and pipes[0].startswith(b'pipe:')
    for secret in ['printed secret', 'erring secret', 'secret of wsgi.errors', 'raised secret']:
        server.log.wait_for(secret)
    for number, name in enumerate(['input', 'output', 'error']):
        told = (f'the application has closed its standard {name}, descriptor {number}: '
                'it is open again, so that no client gets that number')
        assert server.log.text().count(told) == (str(number) in closed)


@pytest.mark.parametrize('engine', ENGINES)
def test_nor_does_one_that_is_handed_over(serve, directory, engine):
    """Whose own child is busy, so that the one which has closed it gets it by a message."""
    go = directory / 'go'
    (directory / 'telltale.py').write_text(TELLTALE.replace('def application(', 'def tell(') + f'''
import time

def application(environ, start_response):
    while environ['PATH_INFO'] == '/stay' and not os.path.exists({str(go)!r}):
        time.sleep(0.01)
    if environ['PATH_INFO'] != '/pid':
        return tell(environ, start_response)
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [str(os.getpid()).encode()]
''')
    server = serve('telltale', '-w', '2', '--io-engine', engine, cwd=directory)
    server.wait_for_ready(2)
    with contextlib.ExitStack() as all_:
        of = {}

        def connect():
            c = all_.enter_context(Connection(server.address))
            of.setdefault(c.get('/pid').body, []).append(c)
            return len(of) == 2 and max(map(len, of.values())) > 1

        wait_until(connect, 'a child with two clients, and another')
        (closing, *_), (staying, handed, *_) = sorted(of.values(), key=len)
        assert closing.get('/close2').body == b'closed'
        staying.send('GET /stay HTTP/1.1\r\nHost: t\r\n\r\n')
        answer = handed.get('/tell')
        assert answer.status == 500 and b'secret' not in answer.body
        server.log.wait_for('closed its standard error, descriptor 2')
        server.log.wait_for('raised secret')
        go.touch()
        assert staying.response().body == b'closed'


@pytest.mark.parametrize('options', [[], ['--preload']], ids=['alone', 'preload'])
def test_what_a_module_closes_when_it_is_imported_is_open_again(serve, directory, options):
    (directory / 'telltale.py').write_text(TELLTALE + '\nos.closerange(0, 3)\n')
    server = serve('telltale', '-w', '1', *options, cwd=directory)
    assert b'secret' not in ask_alone(server, 'tell')
    server.log.wait_for('raised secret')
