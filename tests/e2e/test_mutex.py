"""Mutex: children take turns at accepting, by any of Apache's mechanisms."""

import math
import os
import re
import signal
import time

import pytest

from client import Connection, get
from server import (PATIENCE, SANITIZED, free_port, is_alive, remove_semaphore, run_wsgid,
                    wait_until)
from waiting import fastest

MECHANISMS = ['default', 'none', 'pthread', 'fcntl', 'flock', 'sysvsem', 'posixsem']
REAL = MECHANISMS[2:]

either_way = pytest.mark.usefixtures('preload')


@pytest.fixture
def start(serve):
    def start(mechanism, *options):
        ports = [free_port(), free_port()]
        server = serve('probe', '-w', '3', '--mutex', mechanism, *options,
                       '-b', f'127.0.0.1:{ports[0]}', '-b', f'127.0.0.1:{ports[1]}')
        server.addresses = [server.address] + [('127.0.0.1', port) for port in ports]
        server.wait_for_ready(3)
        return server
    return start


# Which engine waits and who has made the child have nothing to do with each other.
@pytest.mark.parametrize('engine, preload', [('io_uring', 'Off'), ('epoll', 'On')])
@pytest.mark.parametrize('mechanism', MECHANISMS)
def test_every_listener_is_served(start, mechanism, engine, preload):
    server = start(mechanism, '--io-engine', engine, '--preload', preload)
    for _ in range(20):
        for address in server.addresses:
            assert get(address, '/hello').status == 200
    assert server.board()['board']['accept'].endswith(
        'mutex ' + ('none' if mechanism == 'default' else mechanism))
    shown = 'none' if mechanism == 'default' else mechanism
    assert re.search(rf'prefork with 3 children.*, accept mutex {shown}$', server.log.text(), re.M)


def accepting(server, children: int) -> int:
    """How many of so many wait for a client at the same time."""
    rows = server.wait_for_ready(children)
    return sum(bool(row['page']['accepting']) for row in rows.values())


@pytest.mark.parametrize('mechanism, preload', [('fcntl', 'Off'), ('sysvsem', 'On')])
def test_one_listener_needs_no_mutex_until_a_reload_adds_another(
        new_server, directory, apps, mechanism, preload):
    """As in Apache: with one, all children wait for a client at the same time."""
    def write(*ports):
        (directory / 'c.conf').write_text(
            f'Mutex {mechanism}\nProcesses 3\nWSGIPreloadApplication {preload}\n'
            f'WSGIApplication probe\nChDir {apps}\n'
            + ''.join(f'Listen 127.0.0.1:{port}\n' for port in ports))
    ports = free_port(), free_port()
    write(ports[0])
    server = new_server('-c', directory / 'c.conf', bind=None).start()
    server.log.wait_for(f'accept mutex {mechanism}, not needed with one listener$')
    assert server.board()['board']['accept'] == 'one listener, mutex not needed'
    wait_until(lambda: accepting(server, 3) == 3, 'three that wait for a client')
    for many, expected in (True, f'shared set, mutex {mechanism}'), (
            False, 'one listener, mutex not needed'):
        write(*ports[:1 + many])
        assert 'reload done' in server.reload()
        assert server.board()['board']['accept'] == expected
        wait_until(lambda: accepting(server, 3) == (1 if many else 3), expected)  # noqa: B023
        for port in ports[:1 + many]:
            for _ in range(5):
                assert get(('127.0.0.1', port), '/hello').status == 200
    server.stop()


def without_the_lock(server):
    """Children that wait for their turn, while the one that has it waits for a client."""
    def settled():
        rows = server.wait_for_ready(3)
        waiting = [pid for pid, row in rows.items() if not row['page']['accepting']]
        return waiting if len(waiting) == 2 else None
    return wait_until(settled, 'one child that has the lock')


def one_each(server, pids):
    """A parked connection of each of these children; whom one comes to is not ours to say."""
    found = {}
    while not set(pids) <= set(found):
        connection = Connection(server.addresses[0])
        pid = int(connection.get('/pid').body)
        if pid in found:
            connection.close()
        else:
            found[pid] = connection
    return found


@either_way
@pytest.mark.parametrize('mechanism', REAL)
def test_the_death_of_any_child_lets_the_others_go_on(start, mechanism):
    """First of the one that has the lock, then of one that waits for it."""
    server = start(mechanism)

    def seconds_without(holder: bool) -> float:
        waiting = without_the_lock(server)
        pid = (set(server.ready()) - set(waiting)).pop() if holder else waiting[0]
        os.kill(pid, signal.SIGKILL)
        since = time.monotonic()
        wait_until(lambda: pid not in server.ready(), 'the death of the child')
        for address in server.addresses:
            assert get(address, '/hello').status == 200
        return time.monotonic() - since
    fastest(lambda: seconds_without(holder=True), 1)
    fastest(lambda: seconds_without(holder=False), 1)
    server.wait_for_ready(3)


def retired(server, waiting) -> float:
    """How many ms the first of them has lived on that a reload tells to go."""
    slots = [row['slot'] for pid, row in server.ready().items() if pid in waiting]
    assert 'reload done' in server.reload()
    wait_until(lambda: not any(map(is_alive, waiting)), 'their end')
    server.wait_for_ready(3)
    rows = [server.board()['processes'][slot] for slot in slots]
    return min((row['died_us'] - row['told_us'] for row in rows if row['told_us']),
               default=math.inf) / 1000


@pytest.mark.parametrize('mechanism, engine, preload', [
    ('pthread', 'io_uring', 'Off'), ('pthread', 'epoll', 'On'), ('fcntl', 'io_uring', 'On'),
    ('flock', 'io_uring', 'Off'), ('sysvsem', 'io_uring', 'Off'), ('posixsem', 'io_uring', 'On')])
@pytest.mark.alone
def test_who_waits_for_its_turn_answers_within_5_ms_and_retires_within_100(
        start, mechanism, engine, preload):
    """Each the fastest of several: one that waited for the lock would never be."""
    server = start(mechanism, '--io-engine', engine, '--preload', preload)
    connections = one_each(server, server.ready())

    def answer(pid) -> float:
        begin = time.monotonic()
        assert connections[pid].get('/pid').body == str(pid).encode()
        return 1000 * (time.monotonic() - begin)
    for pid in without_the_lock(server):
        fastest(lambda: answer(pid), 5)  # noqa: B023
    # A sanitizer looks for leaks before its process ends.
    fastest(lambda: retired(server, without_the_lock(server)), 1000 if SANITIZED else 100)
    for connection in connections.values():
        assert connection.get('/hello').status == 200
    for address in server.addresses:
        assert get(address, '/hello').status == 200
    server.stop()


def test_a_removed_semaphore_is_explained_and_made_anew(start):
    """Nobody loses a connection by it, and nobody need do anything."""
    server = start('sysvsem')
    clients = [Connection(address) for address in server.addresses for _ in range(2)]
    for client in clients:
        assert client.get('/hello').status == 200
    before = set(server.ready())
    note, = server.run_directory.glob('*.sem.*')
    remove_semaphore(note)
    server.log.wait_for(r':error\] .*Mutex sysvsem: the semaphore has been removed, by ipcrm')
    server.log.wait_for('accept mutex: sysvsem, made anew')

    def replaced():
        for client in clients:
            assert client.get('/hello').status == 200
        assert get(server.addresses[0], '/hello').status == 200
        return before.isdisjoint(server.ready())
    wait_until(replaced, 'children that have the new one')
    server.wait_for_ready(3)
    again, = server.run_directory.glob('*.sem.*')
    assert again != note
    assert server.log.text().count('sysvsem, made anew') == 1
    assert server.board()['board']['children_crashed'] == 0
    server.stop()
    assert 'fail one after the other' not in server.log.text()


def semaphores() -> set:
    """Their keys, as they are noted."""
    with open('/proc/sysvipc/sem') as file:
        return {f'{int(line.split()[0]) & 0xffffffff:08x}' for line in file.readlines()[1:]}


@pytest.mark.parametrize('mechanism', ['flock', 'sysvsem'])
def test_what_the_death_of_all_has_left_the_next_start_removes(start, new_server, mechanism):
    first = start(mechanism)
    noted = [note.suffix[1:] for note in first.run_directory.glob('*.sem.*')]
    assert len(noted) == (mechanism == 'sysvsem') and set(noted) <= semaphores()
    children = list(first.children())
    for pid in (first.pid, *children):
        os.kill(pid, signal.SIGKILL)
    first.process.wait(PATIENCE)
    wait_until(lambda: not any(map(is_alive, children)), 'their end')
    second = new_server('probe', '-w', '1', bind=f'127.0.0.1:{first.addresses[0][1]}')
    second.run_directory = first.run_directory
    second.start()
    assert not list(second.run_directory.glob('*.sem.*'))
    assert semaphores().isdisjoint(noted)
    second.stop()


def test_a_start_on_another_port_removes_what_the_dead_have_left(start, new_server):
    """Stopped first, so that no child can do it when its master dies."""
    first = start('sysvsem')
    noted = [note.suffix[1:] for note in first.run_directory.glob('*.sem.*')]
    assert noted and set(noted) <= semaphores()
    children = list(first.children())
    for signum in (signal.SIGSTOP, signal.SIGKILL):
        for pid in (first.pid, *children):
            os.kill(pid, signum)
    first.process.wait(PATIENCE)
    wait_until(lambda: not any(map(is_alive, children)), 'their end')
    assert set(noted) <= semaphores()
    second = new_server('probe', '-w', '1', bind='127.0.0.1:0')
    second.run_directory = first.run_directory
    second.start()
    assert semaphores().isdisjoint(noted)
    assert not list(second.run_directory.glob('*.sem.*'))
    second.process.terminate()
    second.process.wait(PATIENCE)


def test_the_file_of_a_mutex_is_tried(apps, tmp_path):
    for mechanism in ('fcntl', 'flock'):
        for file in (tmp_path / 'nowhere' / 'lock', '/proc/lock'):
            result = run_wsgid('-t', '--mutex', f'{mechanism}:{file}', 'probe', cwd=apps)
            assert result.returncode == 78
            assert re.fullmatch(rf'wsgid: --mutex: Mutex: .*{file} cannot be made: .*\n',
                                result.stderr)
        result = run_wsgid('-t', '--mutex', f'{mechanism}:{tmp_path}/lock', 'probe', cwd=apps)
        assert result.returncode == 0, result.stderr
    assert not list(tmp_path.iterdir())


def test_an_unknown_word_lists_those_that_there_are_as_version_does(apps):
    said = run_wsgid('-V').stdout
    assert re.search('default, ' + ', '.join(MECHANISMS[1:]), said), said
    result = run_wsgid('-t', '--mutex', 'spinlock', 'probe', cwd=apps)
    assert result.returncode == 78
    for word in ('spinlock', *MECHANISMS):
        assert word in result.stderr


@pytest.mark.parametrize('word, trusts', [
    ('yes', False), ('file', False), ('sem', True)])
def test_apaches_other_words_are_taken(apps, word, trusts):
    result = run_wsgid('-t', '--mutex', word, 'probe', cwd=apps)
    assert result.returncode == 0, result.stderr
    assert ('an application can write to it' in result.stderr) == trusts


def test_the_file_may_be_a_word_of_its_own(apps, tmp_path):
    (tmp_path / 'two.conf').write_text(f'Mutex fcntl {tmp_path}/lock mpm-accept\n')
    result = run_wsgid('-t', '-c', tmp_path / 'two.conf', 'probe', cwd=apps)
    assert result.returncode == 0, result.stderr
    (tmp_path / 'two.conf').write_text(f'Mutex fcntl {tmp_path}/nowhere/lock\n')
    result = run_wsgid('-t', '-c', tmp_path / 'two.conf', 'probe', cwd=apps)
    assert result.returncode == 78
    assert f'{tmp_path}/nowhere/lock cannot be made' in result.stderr


@pytest.mark.parametrize('word, said', [
    ('default:/x', 'Mutex: default:/x: only fcntl and flock lock a file'),
    ('sem:/x', 'Mutex: posixsem /x: only fcntl and flock lock a file'),
    ('fcntl:', 'Mutex: "fcntl:": there is no file behind the colon'),
    ('fcntl:x', 'Mutex: fcntl:x: the file must be an absolute path'),
    ('spin', 'Mutex: spin: there is no such mechanism')])
def test_what_is_wrong_is_told_as_it_was_written(apps, word, said):
    result = run_wsgid('-t', '--mutex', word, 'probe', cwd=apps)
    assert result.returncode == 78
    assert said in result.stderr


@pytest.mark.parametrize('mechanism', MECHANISMS)
def test_a_mechanism_that_trusts_the_application_is_said_to(apps, mechanism):
    result = run_wsgid('-t', '--mutex', mechanism, 'probe', cwd=apps)
    assert result.returncode == 0
    said = 'Mutex: an application can write to it, or remove it' in result.stderr
    assert said == (mechanism in ('pthread', 'sysvsem', 'posixsem'))
