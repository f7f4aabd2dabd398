"""Children that have done their share are replaced, and no client sees it."""

import signal

import pytest

from client import Connection
from crowd import Crowd
from server import wait_until


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
