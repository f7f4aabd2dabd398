"""A child that turns on its server harms nobody but itself.

What it can write it fills with random bytes, what it can send to it sends junk, and it tries
to open everything anew for writing.  This holds where children are another user than the
master, and with the default accept mutex; an application that kills its siblings, which are
its own user, is not stopped by anything.  What all of them must hold it can break, and then
it is mended or made anew; new clients may be refused for a moment, or wait for one.
"""

import json
import os
import re
import signal
import subprocess
import time

import pytest

from client import Closed, Connection, get, refused
from crowd import Crowd
from server import (BUILD, IS_ROOT, PATIENCE, PYTHON, ROOT, clean_environment, free_port,
                    is_alive, stat_fields, wait_until)

pytestmark = pytest.mark.skipif(not IS_ROOT, reason='only root can make children another user')

# What the master has written once; the rest of the board goes with what happens.
STABLE = ['magic', 'major', 'minor', 'board_size', 'process_offset', 'process_size',
          'process_count', 'page_size', 'worker_offset', 'worker_size', 'worker_count',
          'master_pid', 'generation', 'reload_result', 'reload_reason', 'start_us', 'name',
          'restart_us', 'version', 'mpm', 'accept', 'python', 'application', 'listeners',
          'max_request_workers', 'throttled']


# The ring of a child that a template has forked is the user's, that of another one root's.
@pytest.fixture(params=[('io_uring', 'Off', 1), ('io_uring', 'On', 1), ('epoll', 'On', 1),
                        ('io_uring', 'On', 3), ('epoll', 'Off', 3)],
                ids=['io_uring', 'io_uring preloaded', 'epoll preloaded',
                     'io_uring preloaded threads', 'epoll threads'])
def start(request, serve):
    engine, preload, threads = request.param

    def start(*words):
        server = serve('hostile', '-w', '3', '--user', 'nobody', '--io-engine', engine,
                       '--threads', threads, '--preload', preload, '--worker-drain-timeout',
                       '300ms', '--keep-alive-timeout', '60s', *words)
        server.wait_for_ready(3)
        return server
    return start


@pytest.fixture
def server(start):
    return start()


# What a terminal obeys, and what turns the direction of a line (src/base/printable.h).
STEERING = re.compile('[\x00-\x09\x0b-\x1f\x7f-\x9f'
                      '\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]')


def stable(server) -> dict:
    board = server.board()['board']
    return {name: board[name] for name in STABLE}


def is_readable(server):
    """By tools/scoreboard.py and by wsgictl, in characters that harm no terminal."""
    for words in ([PYTHON, ROOT / 'tools' / 'scoreboard.py', server.run_directory],
                  [BUILD / 'wsgictl', '--run-directory', server.run_directory, 'fullstatus']):
        done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE,
                              env=clean_environment())
        assert (done.returncode, done.stderr) == (0, ''), done
        assert not STEERING.search(done.stdout), done.stdout
    json.dumps(server.board())


def serves_as_before(server, before, gone):
    """Three good children, none of them that one; everything the master shows is right."""
    rows = wait_until(lambda: gone not in server.ready() and server.wait_for_ready(3),
                      'a sibling in its place')
    assert [row['trouble'] for row in rows.values()] == [''] * 3
    assert all(row['page']['pid'] == pid for pid, row in rows.items())
    assert stable(server) == before and is_alive(server.pid)
    for _ in range(6):
        assert int(get(server.address, '/pid').body) in rows
    is_readable(server)


def test_random_bytes_and_junk_reach_neither_master_nor_siblings(server):
    before, siblings = stable(server), set(server.ready())
    crowd = Crowd(server.address, 16, '/pid', check=bytes.isdigit, pause=0.02)
    crowd.start()
    wait_until(crowd.connected, 'an answer for everybody')
    with Connection(server.address) as hostile:
        hostile.send(f'GET /attack?seed=4&s=1.5&directory={server.run_directory} HTTP/1.1\r\n'
                     'Host: t\r\n\r\n')
        least, end = crowd.least(), time.monotonic() + 1
        while time.monotonic() < end:
            is_readable(server)
        assert crowd.least() > least, 'somebody waits for the hostile child'
        said = json.loads(hostile.response().body)
    crowd.stop()
    assert (crowd.ends, crowd.wrong) == ([], [])

    # It did what it wanted to, and found nothing but its page and what siblings share.
    page, = [row['slot'] for row in server.board()['processes'] if row['pid'] == said['pid']]
    own = f'{server.run_directory}/{server.port}.scoreboard.{page}'
    shared = '/memfd:wsgid-siblings (deleted)'
    assert sorted(said['written']) == sorted([own, shared])
    assert sorted(said['changed']) == sorted([own, shared])
    assert said['changed'][own] == ['ftruncate', 'mmap', 'pwrite'], 'and not by its name'
    assert not [way for way in said['changed'][shared] if 'ftruncate' in way]
    assert said['files'] == []
    assert 'WSGIApplication hostile\n' in said['config']

    # Nobody has died, and of what it threw the log has some words and no flood.
    assert set(server.ready()) == siblings and stable(server) == before
    text = server.log.text()
    assert 'sent a message that makes no sense' in text
    assert 'a message in the pool was no connection' in text
    assert text.count('\n') < 200 and not re.search(r'[\x00-\x08\x0b-\x1f\x7f]', text)

    # The next in its slot begins with a clean page, and with the same configuration.
    os.kill(said['pid'], signal.SIGKILL)
    wait_until(lambda: not is_alive(said['pid']), 'its death')
    serves_as_before(server, before, said['pid'])
    again = json.loads(get(server.address, '/attack?seed=5&s=0&directory=/nowhere').body)
    assert again['config'] == said['config']
    server.stop()


def test_connections_that_a_child_forges_harm_nobody(server):
    """Records that look right, with times, lengths and files in them that are lies."""
    before, siblings = stable(server), set(server.ready())
    crowd = Crowd(server.address, 8, '/pid', check=bytes.isdigit, pause=0.02)
    crowd.start()
    wait_until(crowd.connected, 'an answer for everybody')
    answered = int(get(server.address, '/forge?seed=7').body)
    least = crowd.least()
    wait_until(lambda: crowd.least() > least, 'answers for all after the attack')
    crowd.stop()
    assert (crowd.ends, crowd.wrong) == ([], [])
    assert answered > 0, 'none of them was a connection to anybody'
    assert set(server.ready()) == siblings and stable(server) == before
    server.stop()


def test_a_child_that_destroys_its_page_and_its_ring_is_replaced(server):
    before = stable(server)
    with Connection(server.address) as hostile:
        pid = int(hostile.get('/pid').body)
        try:
            hostile.get('/destroy?seed=6')
        except (Closed, ConnectionResetError):
            pass
    is_readable(server)
    if is_alive(pid):
        os.kill(pid, signal.SIGKILL)  # it waits, for a ring that tells it nothing any more
    serves_as_before(server, before, pid)
    assert 'reload done' in server.reload()
    server.stop()


def test_the_pids_that_the_master_kills_are_its_own(server):
    """The page of a child that does not stop has the number of an innocent process."""
    innocent = subprocess.Popen(['sleep', '600'])
    try:
        with Connection(server.address) as hostile:
            pid = int(hostile.get('/pid').body)
            hostile.send(f'GET /pretend?pid={innocent.pid} HTTP/1.1\r\nHost: t\r\n\r\n')
            server.log.wait_for('pretending')
            row, = [row for row in server.board()['processes'] if row['pid'] == pid]
            assert row['trouble'] == f'page says it is of pid {innocent.pid}'
            since = len(server.log.text())
            server.reload()
            server.log.wait_for(rf'child pid {pid} .* in time, sending SIGKILL',
                                since=since)
            wait_until(lambda: not is_alive(pid), 'the end of the child')
        assert innocent.poll() is None
        assert str(innocent.pid) not in re.findall(r'child pid (\d+)', server.log.text())
        assert pid not in server.wait_for_ready(3)
        assert server.process.poll() is None
    finally:
        innocent.kill()
        innocent.wait()
    server.stop()


def test_a_listener_that_a_child_shuts_listens_again_at_once(server):
    before, children = stable(server), set(server.ready())
    with Connection(server.address) as hostile:
        for _ in range(3):
            assert hostile.get('/shut').status == 200
            wait_until(lambda: not refused(server.address), 'a listener')
            for _ in range(6):
                assert int(get(server.address, '/pid').body) in children
    assert set(server.ready()) == children and stable(server) == before
    assert server.log.text().count('a child has shut this socket') == 1
    server.stop()


def test_a_listener_that_a_child_makes_deaf_hears_again(server):
    before, children = stable(server), set(server.ready())
    assert get(server.address, '/deafen').status == 200

    def heard():
        os.kill(server.pid, signal.SIGCHLD)  # whatever wakes the master, which looks once a second
        return ('a child has made this socket deaf, as only the application could; it hears again'
                in server.log.text())
    wait_until(heard, 'the master to look')
    assert int(get(server.address, '/pid').body) in children
    assert stable(server) == before
    server.stop()


# --- what all of them share ----------------------------------------------------------------

both_engines = pytest.mark.parametrize('start', [('io_uring', 'On', 1), ('epoll', 'Off', 1)],
                                       ids=['io_uring preloaded', 'epoll'], indirect=True)
preloaded = pytest.mark.parametrize('start', [('io_uring', 'On', 1)], ids=['preloaded'],
                                    indirect=True)


def replaced(server, before: set) -> set:
    """All of them, by as many."""
    return wait_until(lambda: not before & set(server.ready()) and set(server.wait_for_ready(3)),
                      'children who hold nothing that is broken')


def all_sleep(pids) -> bool:
    return all(stat_fields(pid)[0] == 'S' for pid in pids)


@both_engines
def test_children_whose_pool_one_of_them_has_shut_serve_on_and_are_replaced(server):
    before, children = stable(server), set(server.ready())
    kept = [Connection(server.address) for _ in range(12)]
    for connection in kept:
        assert int(connection.get('/pid').body) in children
    # Until the master looks nobody is in its place, and nobody spins.
    os.kill(server.pid, signal.SIGSTOP)
    with Connection(server.address) as hostile:
        assert hostile.get('/shut_pool').status == 200
        wait_until(lambda: all_sleep(children), 'children that wait')
        for connection in [hostile, *kept]:
            assert int(connection.get('/pid').body) in children
    os.kill(server.pid, signal.SIGCONT)
    server.log.wait_for("the pool's socket: a child has broken it")
    new = replaced(server, children)
    assert stable(server) == before
    # A connection that nobody has time for goes to a sibling again.
    with Connection(server.address) as busy, Connection(server.address) as other:
        pid = int(busy.get('/pid').body)
        while int(other.get('/pid').body) != pid:
            other.close()
            other = Connection(server.address)
        busy.send('GET /pretend?pid=1 HTTP/1.1\r\nHost: t\r\n\r\n')
        server.log.wait_for('pretending')
        assert int(other.get('/pid').body) in new - {pid}
    for connection in kept:
        connection.close()


@preloaded
def test_a_set_of_listeners_that_a_child_has_emptied_is_mended(start):
    other = free_port()
    server = start('-b', f'127.0.0.1:{other}')
    before, children = stable(server), set(server.ready())
    with Connection(server.address) as hostile:
        assert int(hostile.get('/empty_set').body) == 0
    for address in (server.address, ('127.0.0.1', other)) * 3:
        assert int(get(address, '/pid').body) in children
    server.log.wait_for('a child has changed it')
    assert set(server.ready()) == children and stable(server) == before
    server.stop()


@both_engines
def test_a_set_of_listeners_that_a_child_has_filled_is_made_anew(start):
    other = free_port()
    server = start('-b', f'127.0.0.1:{other}')
    before, children = stable(server), set(server.ready())
    os.kill(server.pid, signal.SIGSTOP)
    with Connection(server.address) as hostile:
        assert hostile.get('/fill_set').status == 200
    wait_until(lambda: all_sleep(children), 'children that do not wake all the time')
    for address in (server.address, ('127.0.0.1', other)) * 3:
        assert int(get(address, '/pid').body) in children
    os.kill(server.pid, signal.SIGCONT)
    server.log.wait_for('the set of the listeners: a child has broken it')
    new = replaced(server, children)
    for address in (server.address, ('127.0.0.1', other)) * 3:
        assert int(get(address, '/pid').body) in new
    assert stable(server) == before
    server.stop()


@preloaded
def test_a_unix_listener_that_a_child_has_shut_is_made_anew(start, directory):
    path = directory / 'socket'
    server = start('-b', f'unix:{path}')
    children = set(server.ready())
    assert int(get(path, '/pid').body) in children
    with Connection(server.address) as hostile:
        assert hostile.get('/shut').status == 200
    server.log.wait_for('Listen unix:.*: a child has broken it')
    new = replaced(server, children)
    for address in (path, server.address) * 3:
        assert int(get(address, '/pid').body) in new
    server.stop()
    assert not path.exists()
