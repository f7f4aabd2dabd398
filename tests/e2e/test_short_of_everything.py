"""Processes, descriptors and memory run short: what there is goes on, and it is said once."""

import errno
import os
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest

from client import Connection, get
from server import (BUILD, IS_ROOT, PATIENCE, SANITIZED, compile_support, cpu_seconds, need,
                    status_of, wait_until)

NOBODY = 40000 + os.getpid() % 20000  # a user whose processes are this server's alone


def become(user, group) -> list:
    return [need('setpriv'), f'--reuid={user}', f'--regid={group}', '--clear-groups']


def limit(pid: int, what: str, soft: int):
    """Set a soft limit, as its own user: others may not where a privilege is missing."""
    ids = status_of(pid)
    launcher = become(ids['Uid'].split()[0], ids['Gid'].split()[0]) if IS_ROOT else []
    subprocess.run([*launcher, need('prlimit'), f'--pid={pid}', f'--{what}={soft}:'], check=True)


# --- fork -----------------------------------------------------------------------------------

@pytest.fixture
def unprivileged(new_server, directory):
    """A server of a user who may have as many processes as allow() says.  Its programs are
    where that user may run them, which the build's folder need not be."""
    if not IS_ROOT:
        pytest.skip('to become another user takes root')
    for name in [BUILD / 'wsgid', *BUILD.glob('wsgid-python3*')]:
        shutil.copy2(name, directory)

    def make(*words, limits=()):
        server = new_server('probe', '--log-level', 'info', *words,
                            launcher=[*become(NOBODY, NOBODY), *limits])
        server.program = directory / 'wsgid'
        os.chown(server.directory, NOBODY, NOBODY)
        return server
    return make


def allow(server, processes: int):
    """The limit counts the user's threads, and holds where one more is wanted."""
    limit(server.pid, 'nproc', processes)


def wsgictl(server, *words):
    return subprocess.run([str(BUILD / 'wsgictl'), '--run-directory', str(server.run_directory),
                           *words], text=True, capture_output=True, timeout=PATIENCE)


def test_a_fork_that_fails_is_tried_again_and_the_loop_goes_on(unprivileged):
    server = unprivileged('-w', '3').start()
    first, *others = server.wait_for_ready(3)
    allow(server, 1)
    os.kill(first, signal.SIGKILL)
    server.log.wait_for('fork of a child: Resource temporarily unavailable; trying again later')
    # The others serve, the master hears, and there is no second line of it.
    for _ in range(5):
        assert get(server.address, '/hello').status == 200
        assert wsgictl(server, 'status').returncode == 0
    server.log.wait_for('fork of a child')
    assert server.log.text().count('trying again later') == 1
    assert set(server.ready()) == set(others)
    allow(server, 1000)
    server.wait_for_ready(3)
    server.stop()


def test_a_reload_that_cannot_fork_fails_and_the_next_one_succeeds(unprivileged):
    server = unprivileged('-w', '2').start()
    children = server.wait_for_ready(2)
    allow(server, 1)
    assert re.search('reload failed.*: fork of a child: Resource temporarily', server.reload())
    assert server.ready().keys() == children.keys()
    allow(server, 1000)
    assert 'reload done' in server.reload()
    server.stop()


def test_an_upgrade_that_cannot_fork_fails_and_the_next_one_succeeds(unprivileged):
    server = unprivileged('-w', '2').start()
    children = server.wait_for_ready(2)
    allow(server, 1)
    assert re.search('upgrade failed.*: fork of the new master: Resource temporarily',
                     server.upgrade())
    assert server.ready().keys() == children.keys()
    allow(server, 1000)
    assert 'has taken over' in server.upgrade()
    server.stop()


def test_a_start_that_cannot_fork_ends_with_the_reason(unprivileged):
    server = unprivileged(limits=[need('prlimit'), '--nproc=1'])
    assert server.fails() == 1
    assert 'fork of a child: Resource temporarily unavailable' in server.log.text()


# --- timers ---------------------------------------------------------------------------------

@pytest.mark.skipif(SANITIZED, reason='a sanitizer must be the first library that is loaded')
def test_who_may_have_no_shared_memory_is_told_that(new_server, directory):
    need('cc')
    library = compile_support(directory, 'no_memfd', '-shared', '-fPIC')
    server = new_server('hello', launcher=['env', f'LD_PRELOAD={library}'])
    assert server.fails() == 1
    assert 'memory that the children share: memfd_create: Operation not permitted' \
        in server.log.text()


def test_who_may_have_no_timer_serves_without_a_watcher_and_says_so(new_server):
    server = new_server('probe', '-w', '1', launcher=[need('prlimit'), '--sigpending=0'])
    server.start().wait_for_ready(1)
    with Connection(server.address) as c:
        for path, body in ('/hello', b'hello\n'), ('/sleep?s=0.02', b'awake'):
            assert c.get(path).body == body
    server.log.wait_for('no timer to watch long requests with: this user may not have so many '
                        r'timers and pending signals; raise that limit \(ulimit -i, ')
    assert get(server.address, '/hello').status == 200
    server.stop()


# --- threads --------------------------------------------------------------------------------

@pytest.mark.parametrize('short, words, sentence', [
    ('--nproc=3', ['--threads', '4'],
     r'thread \d of ThreadsPerChild 4: this user may not have so many processes and threads; '
     r'raise that limit \(ulimit -u, .*\) or set fewer threads'),
    pytest.param('--as=2147483648', ['--threads', '4', '--thread-stack-size', '1g'],
                 r'thread \d of ThreadsPerChild 4: there is no memory for its stack of 1073741824 '
                 r'bytes; set a smaller ThreadStackSize',
                 marks=pytest.mark.skipif(SANITIZED, reason='a sanitizer needs the whole address '
                                                            'space')),
])
def test_who_cannot_have_all_of_its_threads_does_not_say_that_it_serves(
        unprivileged, short, words, sentence):
    server = unprivileged('-w', '1', *words, limits=[need('prlimit'), short])
    assert server.fails() == 1
    assert re.search(sentence, server.log.text())
    assert ' serves ' not in server.log.text() and 'is ready' not in server.log.text()


def test_children_that_cannot_have_their_threads_end_a_reload_and_the_old_ones_serve(
        unprivileged):
    server = unprivileged('-w', '1', '--threads', '4').start()
    children = server.wait_for_ready(1)
    used = sum(int(status_of(pid)['Threads']) for pid in [server.pid, *children])
    allow(server, used + 2)
    assert re.search(r'reload failed.*: thread \d of ThreadsPerChild 4: ', server.reload())
    assert server.ready().keys() == children.keys()
    assert get(server.address, '/hello').status == 200
    allow(server, 1000)
    assert 'reload done' in server.reload()
    server.stop()


# --- accept ---------------------------------------------------------------------------------

def descriptors(pid: int) -> list:
    return sorted(int(name) for name in os.listdir(f'/proc/{pid}/fd'))


def allow_no_descriptor_more(pid: int):
    """Those that it has stay: the limit is the lowest number that is free."""
    free = min(set(range(4096)) - set(descriptors(pid)))
    limit(pid, 'nofile', free)


def allow_descriptors(pid: int):
    limit(pid, 'nofile', 1024)


@pytest.fixture(params=[('io_uring', 'Off'), ('epoll', 'On')], ids=['io_uring', 'epoll preloaded'])
def kind(request):
    engine, preload = request.param
    return '--io-engine', engine, '--preload', preload


@pytest.mark.parametrize('listeners', [1, 2])
def test_without_descriptors_new_clients_wait_and_are_served_when_there_are_some(
        serve, kind, listeners):
    """EMFILE, and no idle connection that could give its own."""
    more = ['-b', '127.0.0.2:0'] * (listeners - 1)
    server = serve('probe', '-w', '1', *kind, *more)
    child, = server.wait_for_ready(1)
    allow_no_descriptor_more(child)
    with Connection(server.address) as waiting:
        waiting.send('GET /pid HTTP/1.1\r\nHost: t\r\n\r\n')
        server.log.wait_for(r'\[child:warn\] .*accept: .*descriptors or memory are short')
        used = cpu_seconds(child)
        waiting.socket.settimeout(1)
        with pytest.raises(TimeoutError):
            waiting.response()
        # It tries again ten times a second, and does not spin.
        assert cpu_seconds(child) - used < 0.5
        waiting.socket.settimeout(PATIENCE)
        allow_descriptors(child)
        assert int(waiting.response().body) == child
    assert server.log.text().count('descriptors or memory are short') == 1
    server.stop()


def test_without_descriptors_the_longest_idle_connection_makes_room(serve, kind):
    server = serve('probe', '-w', '1', *kind)
    child, = server.wait_for_ready(1)
    with Connection(server.address) as first, Connection(server.address) as second:
        for connection in (first, second):
            assert connection.get('/hello').status == 200
        allow_no_descriptor_more(child)
        assert int(get(server.address, '/pid').body) == child
        assert first.is_closed()
        assert second.get('/hello').status == 200
    assert 'are short' not in server.log.text()
    server.stop()


def test_without_descriptors_the_idle_connection_of_another_thread_makes_room(serve, kind):
    """Who leads when they run short does not hold it."""
    server = serve('probe', '-w', '1', '--threads', '2', *kind)
    child, = server.wait_for_ready(1)
    idle = [Connection(server.address) for _ in range(6)]
    for connection in idle:
        assert connection.get('/hello').status == 200
    held = descriptors(child)
    # Meanwhile the other thread becomes the leader.
    assert get(server.address, '/sleep?s=0.2').body == b'awake'
    wait_until(lambda: descriptors(child) == held, 'the end of that connection')
    allow_no_descriptor_more(child)
    assert int(get(server.address, '/pid').body) == child
    assert idle[0].is_closed()
    # To pass one on to the other thread takes a second one for a moment.
    assert idle[-1].get('/hello').status == 200
    assert 'are short' not in server.log.text()
    for connection in idle:
        connection.close()
    server.stop()


def test_a_child_without_descriptors_leaves_new_clients_to_its_sibling(serve, kind):
    """The kernel has waked it, and nobody else, for some of them."""
    server = serve('probe', '-w', '2', *kind)
    short, other = server.wait_for_ready(2)
    allow_no_descriptor_more(short)
    begin = time.monotonic()
    for _ in range(20):
        assert int(get(server.address, '/pid').body) == other
    assert time.monotonic() - begin < 10
    server.stop()


def test_a_child_without_descriptors_loses_no_connection_of_its_siblings(serve, kind):
    """Those of one that is busy are in the pool, and the only idle one cannot take them."""
    server = serve('probe', '-w', '2', *kind)
    short, other = server.wait_for_ready(2)
    allow_no_descriptor_more(short)
    connections = [Connection(server.address) for _ in range(6)]
    for connection in connections:
        assert int(connection.get('/pid').body) == other
    connections[0].send('GET /sleep?s=1.5 HTTP/1.1\r\nHost: t\r\n\r\n')
    server.log.wait_for('sleeping')
    for connection in connections[1:]:
        connection.send('GET /pid HTTP/1.1\r\nHost: t\r\n\r\n')
    assert connections[0].response().body == b'awake'
    for connection in connections[1:]:
        assert int(connection.response().body) == other
        connection.close()
    connections[0].close()
    server.stop()


@pytest.mark.parametrize('number', [errno.ENFILE, errno.ENOMEM, errno.ENOBUFS])
@pytest.mark.parametrize('listeners', [1, 2])
def test_what_the_system_is_short_of_is_waited_for(serve, trouble, number, listeners):
    """By the engine whose accept can be made to fail."""
    more = ['-b', '127.0.0.2:0'] * (listeners - 1)
    server = serve('probe', '-w', '1', '--io-engine', 'epoll', *more, env=trouble.environment)
    assert get(server.address, '/hello').status == 200
    trouble.fail_accept(number)
    with Connection(server.address) as waiting:
        waiting.send('GET /hello HTTP/1.1\r\nHost: t\r\n\r\n')
        server.log.wait_for(re.escape(os.strerror(number)))
        wait_until(lambda: trouble.failed_accepts() >= 3, 'more tries')
        trouble.fail_accept(0)
        assert waiting.response().status == 200
    assert server.log.text().count('are short') == 1
    server.stop()


@pytest.mark.parametrize('number', [errno.ECONNABORTED, errno.EPROTO, errno.EPERM,
                                    errno.ENETUNREACH])
def test_a_failure_that_concerns_one_client_is_nobody_elses(serve, trouble, number):
    server = serve('probe', '-w', '1', '--io-engine', 'epoll', '--accept-filter', 'none',
                   env=trouble.environment)
    with Connection(server.address) as parked:
        assert parked.get('/hello').status == 200
        trouble.fail_accept(number)
        with Connection(server.address) as client:
            wait_until(lambda: trouble.failed_accepts() > 0, 'a failing accept')
            assert parked.get('/hello').status == 200
            trouble.fail_accept(0)
            assert client.get('/hello').status == 200
    assert ':warn]' not in server.log.text() and ':error]' not in server.log.text()
    server.stop()


def test_the_master_without_descriptors_goes_on(serve):
    """It can neither start a child nor let a client of its control socket in."""
    server = serve('probe', '-w', '2', '--log-level', 'info')
    first, other = server.wait_for_ready(2)
    allow_no_descriptor_more(server.pid)
    os.kill(first, signal.SIGKILL)
    server.log.wait_for('Too many open files .*LimitNOFILE=.*; trying again later')
    begin = cpu_seconds(server.pid)
    run = []
    thread = threading.Thread(target=lambda: run.append(wsgictl(server, 'status')))
    thread.start()
    for _ in range(5):
        assert int(get(server.address, '/pid').body) == other
    thread.join(1)
    assert cpu_seconds(server.pid) - begin < 0.5
    allow_descriptors(server.pid)
    server.wait_for_ready(2)
    thread.join()
    assert run[0].returncode == 0
    server.stop()
