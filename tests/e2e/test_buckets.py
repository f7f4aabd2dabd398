"""ListenCoresBucketsRatio: a socket and children for each bucket, and nobody is stranded."""

import contextlib
import os
import re
import signal
import socket
import threading
import time
from collections import Counter

import pytest

from client import Closed, Connection, get
from server import wait_until
from tcp import listeners_at

CPUS = len(os.sched_getaffinity(0))
pytestmark = pytest.mark.skipif(CPUS < 2, reason='buckets need two CPUs')

# What is left to a busy machine; who is stranded waits for the whole of a slow import.
SOON = 3
SLOW = 12


def two_buckets(serve, app='probe', *words, **more):
    ratio = CPUS // 2
    server = serve(app, '--listen-cores-buckets-ratio', ratio, *words, **more)
    assert f'ListenCoresBucketsRatio {ratio}: 2 buckets' in server.log.text()
    return server


def slots(server) -> dict:
    """slot -> pid of the children that serve."""
    return {row['slot']: row['pid'] for row in server.board()['processes']
            if row['pid'] and row['lifecycle'] == 'ready'}


def test_each_bucket_has_a_socket_and_children_of_its_own(serve):
    server = two_buckets(serve, 'probe', '-w', '4')
    server.wait_for_ready(4)
    assert len(listeners_at(server.port)) == 2
    assert len(server.addresses) == 1
    assert Counter(slot % 2 for slot in slots(server)) == {0: 2, 1: 2}
    seen = {int(get(server.address, '/pid').body) for _ in range(60)}
    # One of two sockets gets none of 60 clients once in 2^59 times.
    assert {slot % 2 for slot, pid in slots(server).items() if pid in seen} == {0, 1}
    server.stop()


@pytest.fixture
def slow_app(directory):
    """An application whose import takes a while as soon as the file slow is there."""
    (directory / 'slow_app.py').write_text(f'''
import os, time
if os.path.exists('slow'):
    time.sleep({SLOW})
def application(environ, start_response):
    start_response('200 OK', [('Content-Length', '2')])
    return [b'ok']
''')
    return directory


def test_a_bucket_whose_children_have_died_strands_nobody(serve, slow_app):
    server = two_buckets(serve, 'slow_app', '-w', '2', cwd=slow_app)
    server.wait_for_ready(2)
    (slow_app / 'slow').touch()
    dead = slots(server)[1]
    os.kill(dead, signal.SIGKILL)
    server.log.wait_for(rf'child pid {dead} .*Killed')
    began = time.monotonic()
    for _ in range(60):
        assert get(server.address, timeout=SOON).status == 200
    assert time.monotonic() - began < SLOW / 2
    assert len(server.ready()) == 1


def keep_busy(server, connection):
    """One child, until the end of the test."""
    connection.send(f'GET /sleep?s={2 * SLOW} HTTP/1.1\r\nHost: t\r\n\r\n')
    wait_until(lambda: 'W' in server.board()['scoreboard'], 'a busy child')


def test_a_bucket_whose_children_are_all_busy_strands_nobody(serve):
    server = two_buckets(serve, 'probe', '-w', '2')
    server.wait_for_ready(2)
    with Connection(server.address) as busy:
        keep_busy(server, busy)
        began = time.monotonic()
        for _ in range(600):
            assert get(server.address, '/hello', timeout=SOON).status == 200
        assert time.monotonic() - began < SLOW
        assert 'W' in server.board()['scoreboard']


class Clients(threading.Thread):
    """Ask again and again, each time on a connection of its own, and count what fails."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.address, self.ending = address, threading.Event()
        self.answers, self.failures = 0, []

    def run(self):
        while not self.ending.is_set():
            try:
                assert get(self.address, '/hello').status == 200
                self.answers += 1
            except (OSError, AssertionError, Closed) as e:
                self.failures.append(e)

    def end(self):
        self.ending.set()
        self.join()


@pytest.mark.parametrize('engine', ['io_uring', 'epoll'])
@pytest.mark.parametrize('words, busy', [(['-w', '2'], 1), (['-w', '2', '--threads', '2'], 3)],
                         ids=['prefork', 'threads'])
def test_a_bucket_whose_children_wait_for_bodies_strands_nobody(serve, engine, words, busy):
    """In a request that waits for its client a worker could let others in, but not serve them."""
    server = two_buckets(serve, 'probe', *words, '--io-engine', engine,
                         '--request-read-timeout', 'body=60')
    server.wait_for_ready(2)
    with contextlib.ExitStack() as stack:
        senders = [stack.enter_context(Connection(server.address)) for _ in range(busy)]
        for sender in senders:
            sender.send('POST /echo HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\n'
                        'Content-Length: 5\r\n\r\n')
            assert sender.response().status == 100
        # One of two sockets gets none of 40 clients once in 2^39 times.
        for _ in range(40):
            assert get(server.address, '/hello', timeout=SOON).status == 200
        for sender in senders:
            sender.send('12345')
            assert sender.response().body == b'12345'
    server.stop()


def test_reloads_keep_the_sockets_and_lose_nobody(serve, directory, apps):
    conf = directory / 'wsgid.conf'
    conf.write_text(f'WSGIApplication probe\nChDir {apps}\nProcesses 2\nListen 127.0.0.1:0\n'
                    f'ListenCoresBucketsRatio {CPUS // 2}\n')
    server = serve('-c', conf, bind=None)
    server.wait_for_ready(2)
    before = listeners_at(server.port)
    clients = [Clients(server.address) for _ in range(3)]
    for client in clients:
        client.start()
    for _ in range(5):
        assert 'reload done' in server.reload()
        server.wait_for_ready(2)
        assert {slot % 2 for slot in slots(server)} == {0, 1}
    for client in clients:
        client.end()
        assert client.failures == [] and client.answers > 0
    assert listeners_at(server.port) == before and len(before) == 2

    conf.write_text(conf.read_text().replace('Ratio ', 'Ratio 1'))
    assert 'ListenCoresBucketsRatio: changes only when wsgid is stopped' in server.reload()
    assert listeners_at(server.port) == before
    server.stop()


def test_a_second_server_does_not_slip_in_beside_the_first(serve, new_server):
    first = two_buckets(serve, 'probe', '-w', '2')
    second = new_server('probe', '--listen-cores-buckets-ratio', CPUS // 2,
                        bind=f'127.0.0.1:{first.port}')
    assert second.fails() == 1
    assert f'pid {first.pid}' in second.log.text()
    assert len(listeners_at(first.port)) == 2


def test_it_does_not_apply_to_unix_sockets_and_says_so(serve, directory):
    server = serve('probe', '--listen-cores-buckets-ratio', '1', '-w', '2',
                   bind=f'unix:{directory}/s')
    text = server.log.text()
    assert len(re.findall('ListenCoresBucketsRatio', text)) == 1
    assert 'ignored, it does not apply to unix: sockets' in text
    assert get(directory / 's', '/hello').status == 200
    server.stop()


def test_a_unix_socket_beside_is_served_by_all_buckets(serve, directory):
    server = two_buckets(serve, 'probe', '-w', '2', '-b', f'unix:{directory}/s')
    server.wait_for_ready(2)
    with Connection(directory / 's') as busy:
        keep_busy(server, busy)
        for _ in range(20):
            assert get(directory / 's', '/hello', timeout=SOON).status == 200


def test_it_does_not_apply_to_sockets_of_systemd_and_says_so(serve):
    with socket.create_server(('127.0.0.1', 0)) as passed:
        server = serve('probe', '--listen-cores-buckets-ratio', '1', '-w', '2', bind=None,
                       launcher=['sh', '-c', 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3<&0', 'sh'],
                       stdin=passed)
        text = server.log.text()
        assert len(re.findall('ListenCoresBucketsRatio', text)) == 1
        assert 'ListenCoresBucketsRatio does not apply to sockets that systemd passes' in text
        server.wait_for_ready(2)
        assert get(passed.getsockname(), '/hello').status == 200
        server.stop()


def test_it_does_not_apply_with_a_mutex_and_says_so(serve):
    server = serve('probe', '--listen-cores-buckets-ratio', '1', '-w', '2', '--mutex', 'flock')
    text = server.log.text()
    assert len(re.findall('ListenCoresBucketsRatio', text)) == 1
    assert 'ignored with Mutex flock' in text
    assert len(listeners_at(server.port)) == 1
    assert get(server.address, '/hello').status == 200


def test_children_of_several_threads_are_in_buckets_too(serve):
    server = two_buckets(serve, 'probe', '--mpm', 'worker', '-w', '2', '--threads', '2')
    server.wait_for_ready(2)
    with Connection(server.address) as one, Connection(server.address) as other, \
            Connection(server.address) as third:
        for connection in (one, other, third):
            connection.send(f'GET /sleep?s={2 * SLOW} HTTP/1.1\r\nHost: t\r\n\r\n')
        wait_until(lambda: server.board()['scoreboard'].count('W') == 3, 'three busy threads')
        # One thread of one child is left, and clients are dealt to both buckets.
        began = time.monotonic()
        for _ in range(40):
            assert get(server.address, '/hello', timeout=SOON).status == 200
        assert time.monotonic() - began < SLOW / 2


def test_with_a_template_children_are_in_buckets_too(serve):
    server = two_buckets(serve, 'probe', '-w', '2', '--preload-application')
    server.wait_for_ready(2)
    assert {slot % 2 for slot in slots(server)} == {0, 1}
    seen = {get(server.address, '/pid').body for _ in range(60)}
    assert len(seen) == 2
    server.stop()
