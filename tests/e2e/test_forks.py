"""Applications that fork: the copy of a child holds nothing that is the server's."""

import os
import pathlib
import re
import signal

import pytest

from client import Connection, get
from conftest import THREADS
from server import is_alive, stat_fields, wait_until

pytestmark = pytest.mark.usefixtures('any_children')

APP = '''
import multiprocessing, os, time

def work(queue):
    queue.put(os.getpid())

def stay():
    """The copy lives in a session of its own, from before it is spoken of."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.close(reader)
        os.close(writer)
        time.sleep(30)
        os._exit(0)
    os.close(writer)
    os.read(reader, 1)
    os.close(reader)
    return pid

def come_back():
    """The copy runs on, out of the application."""
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
    return 'parent' if pid else 'copy'

def other_process():
    queue = multiprocessing.Queue()
    process = multiprocessing.Process(target=work, args=(queue,))
    process.start()
    pid = queue.get()
    process.join()
    return pid

def terminated():
    process = multiprocessing.Process(target=time.sleep, args=(30,))
    process.start()
    process.terminate()
    process.join()
    return process.exitcode

def fork_again():
    """The copy opens files, with numbers that were the server's, and is copied itself, twice."""
    def see(pid):
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    pid = os.fork()
    if pid:
        return see(pid)
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(40)]
    for _ in range(2):
        pid = os.fork()
        if pid == 0:
            for file in files:
                os.fstat(file)
            os._exit(7)
        if see(pid) != 7:
            os._exit(1)
    os._exit(0)

def application(environ, start_response):
    answer = globals()[environ['PATH_INFO'][1:]]()
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [str(answer).encode()]
'''


@pytest.fixture(params=['io_uring', 'epoll'])
def forking(serve, directory, request):
    (directory / 'forking.py').write_text(APP)
    return serve('forking', '-w', '2', '--io-engine', request.param, cwd=directory)


def test_a_copy_of_a_copy_keeps_what_the_copy_has_opened(forking):
    assert get(forking.address, '/fork_again').body == b'0'


def rings_of(pid: int) -> list:
    """The mappings of its rings, each with the flags of its memory (proc_pid_smaps(5))."""
    text = pathlib.Path(f'/proc/{pid}/smaps').read_text()
    return re.findall(r'\[io_uring\]\n(?:\w+:.*\n)*?VmFlags:(.*)', text)


def test_a_copy_holds_no_descriptor_and_no_ring_of_the_server(forking):
    """A ring is not copied at all (MADV_DONTFORK): the copy could take what is the child's."""
    copy = int(get(forking.address, '/stay').body)
    child = int(stat_fields(copy)[1])
    try:
        uring = forking.board()['processes'][0]['page']['io_engine'] == 'io_uring'
        assert bool(rings_of(child)) == uring
        assert all('dc' in flags.split() for flags in rings_of(child))
        assert not rings_of(copy)
        wait_until(lambda: set(os.listdir(f'/proc/{copy}/fd')) <= {'0', '1', '2'},
                   'the closing of what is the server\'s')
    finally:
        os.kill(copy, signal.SIGKILL)


def test_the_port_is_free_although_a_copy_lives_on(forking, serve, directory):
    copy = int(get(forking.address, '/stay').body)
    try:
        forking.kill(signal.SIGTERM)
        assert forking.ended() == 0
        assert is_alive(copy)
        second = serve('forking', '-w', '1', bind='%s:%d' % forking.address, cwd=directory)
        assert get(second.address, '/come_back').body == b'parent'
    finally:
        os.kill(copy, signal.SIGKILL)


def test_a_copy_that_comes_back_ends_and_the_parent_answers(forking):
    with Connection(forking.address) as c:
        for _ in range(5):
            assert c.get('/come_back').body == b'parent'
    assert get(forking.address, '/come_back').body == b'parent'


def helpers_of(pid: int) -> set:
    """Names of its threads that are no workers."""
    names = {path.read_text().strip() for path in pathlib.Path('/proc').glob(f'{pid}/task/*/comm')}
    return names & {'wsgid-pulse', 'wsgid-watcher'}


def test_python_warns_of_no_thread_of_ours_when_an_application_forks(
        serve, directory, any_children):
    """As 3.12 and later do of each other thread; and ours are there again afterwards.  The
    workers of MPM worker are threads that go on: of them it does warn."""
    (directory / 'forking.py').write_text(APP)
    server = serve('forking', '-w', '1', cwd=directory, env={'PYTHONWARNINGS': 'always'})
    child, = server.wait_for_ready(1)
    for _ in range(5):
        assert get(server.address, '/come_back').body == b'parent'
        wait_until(lambda: len(helpers_of(child)) == 2, 'the helpers')
    if not THREADS.items() <= any_children.items():
        assert 'multi-threaded' not in server.log.text()
    server.stop()


LEAVING = '''
import os, sys

def copy(environ, start_response):
    """What a copy of the process does with the request."""
    what = environ['PATH_INFO']
    body = environ['wsgi.input'].read()
    if what == '/exit':
        sys.exit(int(body))
    if what == '/raise':
        raise ValueError(body)
    start_response('200 OK', [])
    return [body]

def application(environ, start_response):
    if os.fork() == 0:
        return copy(environ, start_response)
    status = os.waitstatus_to_exitcode(os.wait()[1])
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'%d' % status]
'''


@pytest.fixture
def leaving(serve, directory, any_children):
    (directory / 'leaving.py').write_text(LEAVING)
    return serve('leaving', '-w', '1', cwd=directory, env=any_children)


@pytest.mark.parametrize('target, status', [('/return', 0), ('/exit', 7), ('/raise', 1)])
def test_a_copy_has_the_request_and_ends_as_it_says(leaving, target, status):
    """The lines of it and a small body, which lie in what is received into."""
    with Connection(leaving.address) as c:
        for _ in range(3):
            c.send(f'POST {target} HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\n\r\n7')
            assert c.response().body == b'%d' % status
    leaving.stop()
    assert leaving.log.text().count("ValueError: b'7'") == (3 if target == '/raise' else 0)
    assert not re.search('SystemExit|exit signal|egmentation', leaving.log.text())


def test_a_copy_that_leaves_from_close_or_an_import_ends_as_it_says(serve, directory):
    (directory / 'leaving.py').write_text(
        'import os, sys\n'
        'if os.fork() == 0:\n'
        '    sys.exit(6)\n'
        'early = os.waitstatus_to_exitcode(os.wait()[1])\n'
        'class Body(list):\n'
        '    def close(self):\n'
        '        if os.getpid() != parent:\n'
        '            sys.exit(7)\n'
        'def application(environ, start_response):\n'
        '    global parent\n'
        '    parent = os.getpid()\n'
        '    if os.fork() == 0:\n'
        '        start_response("200 OK", [])\n'
        '        return Body([b""])\n'
        '    status = os.waitstatus_to_exitcode(os.wait()[1])\n'
        '    start_response("200 OK", [])\n'
        '    return Body([b"%d %d" % (early, status)])\n')
    server = serve('leaving', '-w', '1', cwd=directory)
    assert get(server.address, '/').body == b'6 7'
    server.stop()


def test_the_helpers_are_back_after_a_fork_in_the_first_request(serve, directory):
    """While other threads are idle for the first time, and import for that."""
    (directory / 'forking.py').write_text(APP)
    for _ in range(6):
        server = serve('forking', '-w', '1', '--threads', '16', cwd=directory)
        assert get(server.address, '/come_back').body == b'parent'
        child, = server.wait_for_ready(1)
        wait_until(lambda: len(helpers_of(child)) == 2, 'the helpers')
        server.stop()


def test_a_copy_cannot_read_what_comes_later_and_is_told_why(leaving):
    with Connection(leaving.address) as c:
        c.send('POST /return HTTP/1.1\r\nHost: t\r\nContent-Length: 5000000\r\n\r\n')
        assert c.response().body == b'1'
    leaving.log.wait_for('wsgi.input: the client is that of the process that has forked this one')
    leaving.stop()


def test_a_copy_made_by_the_import_is_no_child(serve, directory):
    (directory / 'forks_early.py').write_text(
        'import os\n'
        'pid = os.fork()\n'
        'if pid:\n'
        '    os.waitpid(pid, 0)\n'
        'def application(environ, start_response):\n'
        "    start_response('200 OK', [('Content-Type', 'text/plain')])\n"
        "    return [b'parent' if pid else b'copy']\n")
    server = serve('forks_early', '-w', '1', cwd=directory)
    assert get(server.address, '/').body == b'parent'
    assert not re.search('error', server.log.text())


def test_multiprocessing_works_and_leaves_nothing(forking):
    for _ in range(3):
        pid = int(get(forking.address, '/other_process').body)
        wait_until(lambda: not is_alive(pid), 'the end of the process')
    assert not re.search('exit signal|Traceback', forking.log.text())


def test_a_process_of_the_application_can_be_terminated(forking):
    """The server's own handler of SIGTERM is none of a copy's, from its first moment."""
    with Connection(forking.address) as c:
        for _ in range(20):
            assert c.get('/terminated').body == b'-15'
