"""Which MPM serves, and with how many threads: as a person asks for it, and over reloads."""

import pathlib
import time

import pytest

from client import Connection, get
from server import wait_until


def write_site(directory, *lines):
    """A configuration of the hello application; its path."""
    path = directory / 'site.conf'
    path.write_text('\n'.join(('WSGIApplication hello', *lines)) + '\n')
    return path


def serve_site(serve, directory, apps, *lines):
    return serve('-c', write_site(directory, f'ChDir {apps}', *lines))


def threads_of(server):
    """How many each child that serves has."""
    return sorted(len(row['workers']) for row in server.board()['processes']
                  if row['pid'] and row['lifecycle'] == 'ready')


def test_prefork_ignores_threads_and_says_so(serve):
    server = serve('hello', '--mpm', 'prefork', '--threads', '4', '-w', '2')
    server.wait_for_ready(2)
    assert '--threads: ThreadsPerChild: ignored with MPM prefork' in server.log.text()
    assert 'prefork with 2 children' in server.log.text()
    assert get(server.address).status == 200


def test_the_mpm_changes_only_at_a_restart(serve, directory, apps):
    server = serve_site(serve, directory, apps, 'Processes 1')
    write_site(directory, f'ChDir {apps}', 'Processes 2', 'MPM worker')
    said = server.reload()
    assert 'MPM: changes only when wsgid is stopped and started; prefork stays' in said
    assert 'reload done' in said
    server.wait_for_ready(2)
    board = server.board()['board']
    assert (board['mpm'], board['worker_count']) == ('prefork', 1)
    assert get(server.address).status == 200


def test_threads_select_worker_as_users_of_gunicorn_expect(serve):
    server = serve('hello', '-w', '2', '--threads', '4')
    server.wait_for_ready(2)
    assert 'worker with 2 children of 4 threads' in server.log.text()
    all_ = server.board()
    assert all_['board']['mpm'] == 'worker'
    assert all_['board']['max_request_workers'] == 8
    assert threads_of(server) == [4, 4]
    assert get(server.address).status == 200


def test_worker_has_children_of_eight_threads_by_default(serve):
    server = serve('hello', '--mpm', 'worker', '-w', '1')
    server.wait_for_ready(1)
    assert 'worker with 1 child of 8 threads' in server.log.text()
    assert 'warn' not in server.log.text()


def test_a_reload_raises_threads_up_to_thread_limit(serve, directory, apps):
    first = [f'ChDir {apps}', 'MPM worker', 'Processes 1', 'ThreadLimit 6']
    server = serve('-c', write_site(directory, *first, 'ThreadsPerChild 2'))
    server.wait_for_ready(1)
    assert threads_of(server) == [2]
    write_site(directory, *first, 'ThreadsPerChild 5')
    assert 'ThreadLimit' not in server.reload()
    wait_until(lambda: threads_of(server) == [5], 'a child of five threads')
    write_site(directory, *first[:3], 'ThreadLimit 100', 'ThreadsPerChild 50')
    said = server.reload()
    assert 'ThreadLimit: changes only when wsgid is stopped and started; 6 stays' in said
    assert 'ThreadsPerChild: 50 exceeds ThreadLimit of 6, lowered to 6' in said
    wait_until(lambda: threads_of(server) == [6], 'a child of six threads')
    assert get(server.address).status == 200


def test_children_come_and_go_by_their_idle_threads(serve, gate):
    server = serve('probe', '--threads', '2', '--start-servers', '1',
                   '--min-spare-threads', '2', '--max-spare-threads', '5',
                   '--max-request-workers', '6')
    server.wait_for_ready(1)
    busy = []

    def one_more():
        since = len(server.log.text())
        busy.append(Connection(server.address))
        busy[-1].send(gate.request)
        server.log.wait_for('sleeping', since=since)
    one_more()  # one idle thread is left: too few
    server.wait_for_ready(2)
    one_more()
    one_more()
    server.wait_for_ready(3)
    gate.open()
    for c in busy:
        assert c.response().body == b'awake'
    # Six idle threads are more than five; four are not.
    wait_until(lambda: len(server.ready()) == 2, 'the third child to be retired')


def rows_of(server) -> dict:
    """slot -> process record of each child that is alive."""
    return {row['slot']: row for row in server.board()['processes'] if row['pid']}


def all_ready(server) -> dict:
    """The same, once none is on its way."""
    rows = rows_of(server)
    return rows if {row['lifecycle'] for row in rows.values()} == {'ready'} else {}


@pytest.mark.parametrize('options', [
    ('--min-spare-servers', '1', '--max-spare-servers', '20', '--max-request-workers', '24'),
    ('--threads', '2', '--min-spare-threads', '1', '--max-spare-threads', '40',
     '--max-request-workers', '48')], ids=['prefork', 'worker'])
def test_the_master_hears_at_once_that_the_last_idle_worker_is_busy(serve, gate, options):
    """It turns once a second, and the next one begins when a child has come: who had to wait for
    the turn would wait for most of a second each time."""
    server = serve('probe', '--preload', '--start-servers', '1', *options)
    threads = 2 if '--threads' in options else 1
    busy, waits = [], []

    def make_busy():
        since = len(server.log.text())
        busy.append(Connection(server.address))
        busy[-1].send(gate.request)
        server.log.wait_for('sleeping', since=since)
    for _ in range(5):
        rows = wait_until(lambda: all_ready(server), 'all that have been started')
        while len(busy) < len(rows) * threads - 1:
            make_busy()
        begin_us = time.time() * 1e6
        make_busy()
        wait_until(lambda: len(rows_of(server)) > len(rows), 'another child')  # noqa: B023
        forked_us = min(row['forked_us'] for slot, row in rows_of(server).items()
                        if slot not in rows)
        waits.append((forked_us - begin_us) / 1000)
    print('forked after ' + ', '.join(f'{wait:.0f}' for wait in waits) + ' ms')
    assert sorted(waits)[2] < 400, waits
    gate.open()
    for c in busy:
        assert c.response().body == b'awake'


def switches_of(pid):
    """How often the threads of a process have come to wait, or were made to."""
    return sum(int(line.split()[1]) for path in pathlib.Path(f'/proc/{pid}/task').glob('*/status')
               for line in path.read_text().splitlines() if 'ctxt_switches' in line)


@pytest.mark.parametrize('clients', [1, 2])
def test_a_long_request_is_dealt_once_however_many_threads_are_idle(serve, clients):
    """Dealt on by who was dealt it, it would go round among the idle threads for ever."""
    server = serve('probe', '-w', '1', '--threads', '8')
    pid, = server.wait_for_ready(1)
    rounds = 20
    connections = [Connection(server.address) for _ in range(clients)]
    before = switches_of(pid)
    for _ in range(rounds):
        for connection in connections:
            connection.send('GET /sleep?s=0.02 HTTP/1.1\r\nHost: t\r\n\r\n')
        for connection in connections:
            assert connection.response().body == b'awake'
    each = (switches_of(pid) - before) / (rounds * clients)
    for connection in connections:
        connection.close()
    # About 25 on an idle machine, most of them the watcher's, which ticks while it sleeps.
    assert each < 300
