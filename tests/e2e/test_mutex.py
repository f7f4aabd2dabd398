"""Mutex: children take turns at accepting, by any of Apache's mechanisms."""

import os
import signal
import time

import pytest

from client import Connection, get
from server import free_port, is_alive, run_wsgid, wait_until

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


@either_way
@pytest.mark.parametrize('engine', ['io_uring', 'epoll'])
@pytest.mark.parametrize('mechanism', MECHANISMS)
def test_every_listener_is_served(start, mechanism, engine):
    server = start(mechanism, '--io-engine', engine)
    for _ in range(20):
        for address in server.addresses:
            assert get(address, '/hello').status == 200
    assert server.board()['board']['accept'].endswith(
        'mutex ' + ('none' if mechanism == 'default' else mechanism))
    assert (f'accept mutex: {mechanism}' in server.log.text()) == (mechanism in REAL)


@either_way
@pytest.mark.parametrize('mechanism', REAL)
def test_who_waits_for_its_turn_answers_its_clients(start, mechanism):
    """Parked connections of all children, most of which wait for the mutex."""
    server = start(mechanism)
    clients = [Connection(address) for address in server.addresses for _ in range(4)]
    for client in clients:
        assert client.get('/hello').status == 200
    since = time.monotonic()
    for _ in range(10):
        for client in clients:
            assert client.get('/hello').status == 200
    assert time.monotonic() - since < 2
    server.stop()


@either_way
@pytest.mark.parametrize('mechanism', REAL)
def test_the_death_of_any_child_lets_the_others_go_on(start, mechanism):
    server = start(mechanism)
    for pid in list(server.children()):
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not is_alive(pid), 'the death of the child')
        since = time.monotonic()
        for address in server.addresses:
            assert get(address, '/hello').status == 200
        assert time.monotonic() - since < 2
        server.wait_for_ready(3)


@either_way
@pytest.mark.parametrize('mechanism', REAL)
def test_a_reload_goes_through(start, mechanism):
    server = start(mechanism)
    for _ in range(2):
        assert 'reload done' in server.reload()
        for address in server.addresses:
            assert get(address, '/hello').status == 200


def test_an_unknown_word_lists_those_that_there_are(apps):
    result = run_wsgid('-t', '--mutex', 'spinlock', 'probe', cwd=apps)
    assert result.returncode == 78
    for word in ('spinlock', *MECHANISMS):
        assert word in result.stderr
