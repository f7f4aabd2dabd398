"""Somebody sets the clock: only what is shown changes, and nothing that is waited for."""

import email.utils
import json
import os
import re
import signal
import subprocess
import time

import pytest

from client import Connection, get
from server import BUILD, IS_ROOT, PATIENCE, children_of, is_alive, wait_until

DAY = 24 * 3600
JUMPS = [DAY, -DAY, 20 * 365 * DAY]  # the last one beyond 2038


@pytest.fixture
def start(serve, trouble, directory):
    """A server that writes an access log, and whose clock trouble.set_clock sets."""
    conf = directory / 'clock.conf'
    conf.write_text('CustomLog - "%t %D %U"\nLogLevel info\n')

    def start(*words):
        return serve('probe', '-c', conf, *words, env={**trouble.environment, 'TZ': 'UTC'})
    return start


def date_of(response) -> float:
    return email.utils.parsedate_to_datetime(response.header('Date')).timestamp()


def fullstatus(server) -> dict:
    run = subprocess.run([str(BUILD / 'wsgictl'), '--run-directory', str(server.run_directory),
                          'fullstatus', '--json'], text=True, capture_output=True, timeout=PATIENCE,
                         env={**os.environ, **server.environment})
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.parametrize('jump', JUMPS)
def test_connections_requests_and_children_do_not_notice(start, trouble, gate, jump):
    server = start('-w', '2', '--request-timeout', '30s')
    children = server.wait_for_ready(2)
    for pid in children:
        server.log.wait_for(rf'child pid {pid} .* is ready')
    said = len(server.log.text())
    with Connection(server.address) as parked, Connection(server.address) as slow:
        assert parked.get('/hello').status == 200
        slow.send(gate.request)
        server.log.wait_for('sleeping')
        trouble.set_clock(jump)
        response = parked.get('/hello')
        assert response.status == 200
        assert abs(date_of(response) - time.time() - jump) < 60
        time.sleep(1.1)  # one maintenance of the pool, which is due each second
        gate.open()
        assert slow.response().body == b'awake'
        assert parked.get('/hello').status == 200
    assert server.ready().keys() == children.keys()
    since = server.log.text()[said:]
    assert ':warn]' not in since and ':error]' not in since
    assert ' is ready' not in since and ' ended' not in since


@pytest.mark.parametrize('jump', JUMPS)
def test_logs_have_the_new_time_and_the_true_durations(start, trouble, jump):
    server = start('-w', '1')
    with Connection(server.address) as connection:
        connection.send('GET /sleep?s=0.5 HTTP/1.1\r\nHost: t\r\n\r\n')
        server.log.wait_for('sleeping')
        trouble.set_clock(jump)
        assert connection.response().body == b'awake'
        assert connection.get('/hello').status == 200
    line = server.output.wait_for(r'^\[(.*)\] (\d+) /sleep$')
    assert 450_000 < int(line[2]) < 450_000 + PATIENCE * 1_000_000
    line = server.output.wait_for(r'^\[(.*)\] (\d+) /hello$')
    logged = time.mktime(time.strptime(line[1], '%d/%b/%Y:%H:%M:%S +0000')) - time.timezone
    assert abs(logged - time.time() - jump) < 60
    server.kill(signal.SIGHUP)
    done = server.log.wait_for(r'^\[(.*)\.\d+ (\d+)\].*reload done')
    logged = time.mktime(time.strptime(f'{done[1]} {done[2]}', '%a %b %d %H:%M:%S %Y'))
    assert abs(logged - time.timezone - time.time() - jump) < 60


@pytest.mark.parametrize('jump, preload', zip(JUMPS, ['On', 'Off', 'On']))
def test_the_master_goes_on(start, trouble, jump, preload):
    """It replaces the dead, reloads and stops as soon as ever."""
    server = start('-w', '2', '--preload', preload)
    first, _ = server.wait_for_ready(2)
    trouble.set_clock(jump)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: first not in server.ready(), 'the news of its death')
    server.wait_for_ready(2)
    assert 'reload done' in server.reload()
    assert get(server.address, '/hello').status == 200
    server.stop()


@pytest.mark.parametrize('jump', JUMPS[:2])
def test_keep_alive_timeout_is_true_time(start, trouble, jump):
    server = start('-w', '1', '--keep-alive-timeout', '2s')
    with Connection(server.address) as connection:
        assert connection.get('/hello').status == 200
        begin = time.monotonic()
        trouble.set_clock(jump)
        # The loop turns, and looks at the time, for somebody else.
        assert get(server.address, '/hello').status == 200
        assert connection.is_closed()
        assert 1.5 < time.monotonic() - begin


@pytest.mark.parametrize('jump', [DAY, -DAY])
def test_the_scoreboard_shows_who_is_busy(start, trouble, gate, jump):
    server = start('-w', '1')
    assert get(server.address, '/hello').status == 200
    trouble.set_clock(jump)
    with Connection(server.address) as slow:
        slow.send(gate.request)
        server.log.wait_for('sleeping')
        begin = time.monotonic()
        row, = fullstatus(server)['rows']
        assert row['state'] == 'W' and row['begin_us'] > (row['end_us'] or 0)
        trouble.set_clock(0)
        least = 1_000_000 * (time.monotonic() - begin)
        gate.open()
        assert slow.response().body == b'awake'
    row = wait_until(lambda: next((row for row in fullstatus(server)['rows']
                                   if row['state'] == '_'), None), 'an idle worker')
    assert least < row['end_us'] - row['begin_us'] < PATIENCE * 1_000_000


@pytest.mark.skipif(not IS_ROOT, reason='a new time namespace takes root')
def test_a_machine_may_be_up_for_thirty_years(serve):
    """The monotonic clock has any value."""
    launcher = ['unshare', '--time', '--monotonic', str(30 * 365 * DAY), '--fork',
                '--kill-child']
    tried = subprocess.run([*launcher, 'true'], capture_output=True, text=True)
    if tried.returncode != 0:
        pytest.skip(tried.stderr.strip())
    server = serve('probe', '-w', '2', '--keep-alive-timeout', '2s', launcher=launcher)
    server.wait_for_ready(2)
    with Connection(server.address) as busy, Connection(server.address) as connection:
        assert connection.get('/hello').status == 200
        busy.send('GET /sleep?s=1 HTTP/1.1\r\nHost: t\r\n\r\n')
        assert connection.get('/hello').status == 200
        assert busy.response().body == b'awake'
        begin = time.monotonic()
        assert connection.is_closed()
        assert 0.5 < time.monotonic() - begin < PATIENCE
    master, = children_of(server.process.pid)
    since = len(server.log.text())
    os.kill(master, signal.SIGHUP)
    assert re.search('reload done', server.log.wait_for('reload (done|failed)', since=since)[0])
    os.kill(master, signal.SIGTERM)
    wait_until(lambda: not is_alive(master), 'the end of the server')
