"""Children that have done their share are replaced, and no client sees it."""

import signal

import pytest

from client import Connection
from conftest import THREADS
from crowd import Crowd
from server import SANITIZED, VALGRIND, is_alive, wait_until


@pytest.mark.usefixtures('any_children')
@pytest.mark.parametrize('engine, options, reason', [
    ('io_uring', ('--max-requests', '40', '--max-requests-jitter', '20'),
     'MaxRequests is reached'),
    ('epoll', ('--max-connections-per-child', '2'), 'MaxConnectionsPerChild is reached'),
])
def test_a_replaced_child_costs_no_client_its_connection(serve, engine, options, reason):
    server = serve('probe', '-w', '2', '--io-engine', engine, '--log-level', 'info', *options)
    first = set(server.wait_for_ready(2))
    clients = [Connection(server.address) for _ in range(8)]
    seen = set()

    def round_of_requests():
        # Clients that are new, too: the others may all be with one child.
        for client in clients + [Connection(server.address)]:
            answer = client.get('/pid')
            assert answer.status == 200 and answer.header('Connection') == ''
            seen.add(int(answer.body))
        return seen - first
    wait_until(round_of_requests, 'an answer of a child that has taken a place')
    server.log.wait_for(reason)
    assert ':error]' not in server.log.text()
    for client in clients:
        client.close()  # a stop waits a moment for those who might ask for more
    server.stop()


def replaced(server, clients, gone):
    """Children that have ended, and their clients go on with others."""
    wait_until(lambda: not any(map(is_alive, gone)), 'the end of those that are replaced')
    for client in clients:
        answer = client.get('/pid')
        assert answer.status == 200 and answer.header('Connection') == ''
        assert int(answer.body) not in gone
        client.close()  # a stop waits a moment for those who might ask for more
    assert ':error]' not in server.log.text()


@pytest.mark.usefixtures('any_children')
@pytest.mark.parametrize('engine', ['io_uring', 'epoll'])
def test_a_child_goes_by_its_age_although_nobody_asks_it_for_anything(serve, engine):
    server = serve('probe', '-w', '2', '--io-engine', engine, '--log-level', 'info',
                   '--restart-interval', '500ms')
    clients = [Connection(server.address) for _ in range(8)]
    first = {int(client.get('/pid').body) for client in clients} | set(server.ready())
    replaced(server, clients, first)
    server.log.wait_for('wants to be replaced: RestartInterval has passed')
    server.stop()


GROWING = '''
import os, threading, time
kept = []
def grow(told, pieces):
    while not os.path.exists(told):
        time.sleep(0.01)
    for _ in range(pieces):
        kept.append(b'x' * 1000000)
def application(environ, start_response):
    told, _, pieces = environ['QUERY_STRING'].partition('&')
    if told:
        threading.Thread(target=grow, args=(told, int(pieces)), daemon=True).start()
    body = str(os.getpid()).encode()
    start_response('200 OK', [('Content-Length', str(len(body)))])
    return [body]
'''


@pytest.mark.parametrize('any_children', [THREADS, {'WSGID_PRELOAD_APPLICATION': 'On'}],
                         ids=['threads', 'preloaded'], indirect=True)
@pytest.mark.parametrize('engine', ['io_uring', 'epoll'])
def test_a_child_goes_by_its_memory_although_nobody_asks_it_for_anything(
        serve, directory, gate, any_children, engine):
    """What it has got in the meantime, in a thread of the application's."""
    (directory / 'growing.py').write_text(GROWING)
    most = 500 if SANITIZED or VALGRIND else 100
    server = serve('growing', '-w', '2', '--io-engine', engine,
                   '--max-memory-per-child', f'{most}m', cwd=directory)
    server.wait_for_ready(2)
    clients = [Connection(server.address) for _ in range(8)]
    grown = int(clients[0].get(f'/?{gate.path}&{most * 11 // 10}').body)
    others = {int(client.get('/').body) for client in clients} - {grown}
    assert 'to be replaced' not in server.log.text()
    gate.open()
    replaced(server, clients, {grown})
    server.log.wait_for(rf':notice\] .* child pid {grown} .* wants to be replaced: it has '
                        rf'\d+\.\d MiB of its own, and MaxMemoryPerChild is {most}')
    assert others <= set(server.ready())
    server.stop()


def test_a_limit_below_what_a_child_begins_with_is_told_and_replaces_nobody(serve):
    server = serve('probe', '-w', '1', '--max-memory-per-child', '1m', '--restart-interval',
                   '1500ms', '--log-level', 'info')
    server.log.wait_for(r'MaxMemoryPerChild is 1\.0 MiB, and a child has \d+\.\d MiB of its own '
                        'before its first request: none is replaced for that; set more')
    # Until then its memory would have been looked at, which is done once a second.
    server.log.wait_for('wants to be replaced: RestartInterval has passed')
    assert 'of its own, and MaxMemoryPerChild' not in server.log.text()
    server.stop()


TIRED = '''
import os, time
time.sleep(0.2)
def application(environ, start_response):
    body = str(os.getpid()).encode()
    start_response('200 OK', [('Content-Length', str(len(body)))])
    return [body]
'''


def test_a_reload_ends_although_children_tire_faster_than_they_start(serve, directory):
    """Each has done its share with its first request, so there always is one to be replaced."""
    (directory / 'tired.py').write_text(TIRED)
    server = serve('tired', '-w', '2', '--max-requests', '1', '--log-level', 'info',
                   cwd=directory)
    crowd = Crowd(server.address, 4, '/', check=bytes.isdigit, pause=0.02)
    crowd.start()
    wait_until(crowd.connected, 'an answer for everybody')
    for _ in range(2):
        since = len(server.log.text())
        server.kill(signal.SIGHUP)
        server.log.wait_for('reload done', since=since)
    assert server.log.text().count('wants to be replaced') > 2
    crowd.stop()
    assert (crowd.ends, crowd.wrong) == ([], [])
    server.stop()


def test_the_jitter_adds_to_the_share(serve):
    """By chance less than this one time in a million."""
    server = serve('probe', '-w', '1', '--max-requests', '1',
                   '--max-requests-jitter', '1000000000', '--log-level', 'info')
    with Connection(server.address) as client:
        for _ in range(50):
            assert client.get('/hello').status == 200
    server.stop()
    assert 'MaxRequests is reached' not in server.log.text()
