"""A child that a signal stops keeps its own clients waiting, and nobody else."""

import os
import signal
import subprocess
import re
import time

import pytest

from client import Connection, get
from server import (BUILD, PATIENCE, clean_environment, freeze, is_alive, wait_until)

pytestmark = pytest.mark.usefixtures('preload')

SOON = 2  # by far less than a client would wait for the stopped child, which is for ever


@pytest.fixture
def start(serve):
    def start(*options):
        server = serve('probe', '-w', '3', *options)
        server.wait_for_ready(3)
        return server
    return start


def stop(pid):
    freeze(pid)


def held_by(server, pid, number):
    """Connections that are with this child."""
    found, others = [], []
    while len(found) < number:
        connection = Connection(server.address)
        mine = int(connection.get('/pid').body) == pid
        (found if mine else others).append(connection)
    for connection in others:
        connection.close()
    return found


def is_sending(server, pid):
    row, = (row for row in server.board()['processes'] if row['pid'] == pid)
    return row['page']['writing'] > 0 or 'W' in row['letters']


def everybody_is_served_soon(server):
    for _ in range(9):
        assert get(server.address, '/hello', timeout=SOON).body == b'hello\n'


@pytest.mark.parametrize('engine', ['io_uring', 'epoll'])
def test_siblings_serve_and_the_master_answers_and_nothing_is_lost(start, engine):
    three = start('--io-engine', engine)
    pid, *siblings = three.ready()
    clients = held_by(three, pid, 4)
    stop(pid)
    three.log.wait_for(rf'child pid {pid} .* is stopped by SIGSTOP')
    for client in clients:
        client.send('GET /pid HTTP/1.1\r\nHost: t\r\n\r\n')
    everybody_is_served_soon(three)
    begin = time.monotonic()
    done = subprocess.run([BUILD / 'wsgictl', '--run-directory', three.run_directory, 'status'],
                          capture_output=True, text=True, timeout=PATIENCE,
                          env=clean_environment())
    assert (done.returncode, done.stderr) == (0, '') and 'probe' in done.stdout
    assert time.monotonic() - begin < SOON

    # A reload waits for nobody who is stopped.
    three.kill(signal.SIGHUP)
    three.log.wait_for('reload done')
    wait_until(lambda: {pid, *siblings}.isdisjoint(three.ready()), 'the new generation')
    everybody_is_served_soon(three)
    assert is_alive(pid)

    # It may have ended before the master hears that it has gone on.
    os.kill(pid, signal.SIGCONT)
    for client in clients:
        assert client.response().status == 200
        assert client.get('/hello').body == b'hello\n'
    wait_until(lambda: not is_alive(pid), 'its end')
    three.stop()
    assert three.log.text().count('exit signal') == 0


def test_it_is_said_that_a_child_goes_on(start):
    three = start()
    pid, *_ = three.ready()
    stop(pid)
    three.log.wait_for(rf'child pid {pid} .* is stopped by SIGSTOP')
    os.kill(pid, signal.SIGCONT)
    three.log.wait_for(rf'child pid {pid} .* goes on')
    three.stop()


def test_a_stop_of_the_server_ends_in_its_time(start):
    three = start('--graceful-shutdown-timeout', '1s')
    pid, *_ = three.ready()
    client, = held_by(three, pid, 1)
    # It may have sent a response and not have said so yet: that would be cut off.
    wait_until(lambda: not is_sending(three, pid), 'the end of its requests')
    stop(pid)
    client.send('GET /pid HTTP/1.1\r\nHost: t\r\n\r\n')
    begin = time.monotonic()
    three.stop()
    # With room for a machine that has more to do.
    assert 1 <= time.monotonic() - begin < 1 + 2
    assert re.search(rf'child pid {pid} .* as a signal has stopped it; sending SIGKILL',
                     three.log.text())
    client.close()
