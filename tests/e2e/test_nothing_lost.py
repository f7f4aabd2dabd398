"""Clients in a closed loop notice no reload, no recycled child, and no death but their own's."""

import os
import re
import signal
import subprocess
import time

import pytest

from client import refused
from crowd import Crowd
from server import (PATIENCE, SANITIZED, free_port, freeze, is_alive, need, stat_fields,
                    wait_until)

CLIENTS = 200
RELOADS = 4 if SANITIZED else 20  # its children start slowly
KILLS = RELOADS // 2


def stop_idle(server):
    """(pid, its connections) of a child that is stopped, and serves nobody; or None."""
    for pid in server.ready():
        try:
            freeze(pid)
        except ProcessLookupError:
            continue  # it was to be replaced
        row = server.ready().get(pid)
        if stat_fields(pid)[:1] == ['T'] and row is not None and row['letters'] in '_KC':
            return pid, row['connections']
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass
    return None


def kill_idle(server) -> int:
    """SIGKILL a child that serves nobody at this moment: how many connections it held."""
    pid, held = wait_until(lambda: stop_idle(server), 'an idle child')
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(pid), 'its death')
    return held


@pytest.mark.parametrize('engine, preload', [('io_uring', 'Off'), ('epoll', 'On')])
def test_200_clients_through_20_reloads_and_recycling_and_10_kills(serve, engine, preload):
    """Nobody is refused, cut off or hung up on, but by the death of a child."""
    server = serve('probe', '-w', '3', '--io-engine', engine, '--preload', preload,
                   '--max-requests', '500', '--keep-alive-timeout', '60s', '--log-level', 'info')
    server.wait_for_ready(3)
    crowd = Crowd(server.address, CLIENTS, '/pid', check=bytes.isdigit, pause=0.3)
    crowd.start()
    begin = time.monotonic()
    wait_until(crowd.connected, 'an answer for everybody')
    allowed, kills = 0, 0
    for i in range(RELOADS):
        assert 'reload done' in server.reload()
        assert len(crowd.ends) <= allowed and not crowd.wrong, (i, crowd.ends, crowd.wrong)
        if i % 2 == 0:
            # One that is under way from a sibling, or to one, may be in no count.
            allowed += kill_idle(server) + 1
            kills += 1
    before = crowd.least()
    server.log.wait_for('MaxRequests is reached')
    wait_until(lambda: crowd.least() > before + 2, 'everybody to go on')
    wait_until(lambda: crowd.answers >= CLIENTS * RELOADS, 'an answer a client and reload')
    crowd.stop()
    print(f'{crowd.answers} answers in {time.monotonic() - begin:.1f} s, {len(crowd.ends)} '
          f'connections ended, {allowed - kills} were held by killed children')
    assert crowd.wrong == []
    assert kills == KILLS and len(crowd.ends) <= allowed
    # Of these some may just have been told to go; and a template that was slow to stop is none.
    killed = re.findall(r'child pid \d+ .*exit signal Killed \(9\)', server.log.text())
    assert len(killed) == KILLS, killed
    server.stop()


# --- behind nginx ---------------------------------------------------------------------------

NGINX = '''
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log {directory}/nginx.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    upstream wsgid {{
        server 127.0.0.1:{upstream};
        keepalive 256;
        keepalive_requests 1000000;
    }}
    server {{
        listen 127.0.0.1:{port};
        keepalive_requests 1000000;
        location / {{
            proxy_pass http://wsgid;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_next_upstream off;
        }}
    }}
}}
'''


@pytest.fixture
def nginx(directory):
    """nginx(server): the address of one before it that keeps its connections.

    It tries nothing twice, so whatever the server does to one of them is seen.
    """
    program = need('nginx')
    processes = []

    def start(server):
        place = directory / 'nginx'
        place.mkdir()
        port = free_port()
        (place / 'nginx.conf').write_text(NGINX.format(directory=place, port=port,
                                                       upstream=server.port))
        processes.append(subprocess.Popen(
            [program, '-p', place, '-e', place / 'nginx.log', '-c', place / 'nginx.conf'],
            stdin=subprocess.DEVNULL))

        def listens():
            assert processes[0].poll() is None, (place / 'nginx.log').read_text()
            return not refused(('127.0.0.1', port))
        wait_until(listens, 'nginx')
        return '127.0.0.1', port
    yield start
    for process in processes:
        process.kill()
        process.wait(PATIENCE)


def test_nginx_with_kept_connections_has_no_502_through_reloads_and_recycling(serve, nginx):
    server = serve('probe', '-w', '3', '--max-requests', '500', '--keep-alive-timeout', '60s',
                   '--log-level', 'info')
    server.wait_for_ready(3)
    crowd = Crowd(nginx(server), CLIENTS, '/pid', check=bytes.isdigit, pause=0.3)
    crowd.start()
    wait_until(crowd.connected, 'an answer for everybody')
    for i in range(RELOADS):
        assert 'reload done' in server.reload()
        assert not crowd.wrong and not crowd.ends, (i, crowd.ends, crowd.wrong)
    server.log.wait_for('MaxRequests is reached')
    before = crowd.least()
    wait_until(lambda: crowd.least() > before + 2, 'everybody to go on')
    wait_until(lambda: crowd.answers >= CLIENTS * RELOADS, 'an answer a client and reload')
    crowd.stop()
    totals = server.board()['totals']
    print(f'{crowd.answers} answers; nginx made {totals["connections"]} connections for them')
    assert (crowd.wrong, crowd.ends) == ([], [])
    # It had one for each client, and of those that were never idle no more.
    assert totals['connections'] <= 2 * CLIENTS
