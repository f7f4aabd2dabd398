"""What signals do: stop, now or gracefully, and reload."""

import datetime
import os
import pathlib
import re
import signal
import threading
import time

import pytest

from client import Closed, Connection, get, refused
from server import PATIENCE, SANITIZED, is_alive, wait_until

SLOW = 'GET /sleep?s=0.8 HTTP/1.1\r\nHost: t\r\n\r\n'

either_way = pytest.mark.usefixtures('preload')
any_children = pytest.mark.usefixtures('any_children')
both_mpms = pytest.mark.usefixtures('mpm')


@pytest.fixture
def probe(serve):
    return serve('probe', '-w', '2', '--log-level', 'info')


@both_mpms
@pytest.mark.parametrize('signum', [signal.SIGTERM, signal.SIGWINCH])
def test_a_graceful_stop_lets_requests_finish(probe, signum):
    with Connection(probe.address) as slow, Connection(probe.address) as parked:
        assert parked.get('/hello').status == 200
        slow.send(SLOW)
        probe.log.wait_for('sleeping')
        since = time.monotonic()
        probe.kill(signum)
        wait_until(lambda: refused(probe.address), 'closed listeners')
        assert parked.is_closed()
        assert slow.response().body == b'awake'
        assert slow.is_closed()
        slow.close()
        parked.close()
        assert probe.ended() == 0
        assert time.monotonic() - since < 5
    assert 'stopped' in probe.log.text()


@pytest.mark.parametrize('threads, engine', [('1', 'io_uring'), ('2', 'epoll')])
def test_idle_clients_of_a_busy_child_are_not_kept_until_it_is_done(serve, gate, threads, engine):
    """Those that it serves are, and who has asked meanwhile is answered next, though the others
    do not close their ends, for which they have 2 s and more."""
    server = serve('probe', '-w', '1', '--threads', threads, '--io-engine', engine)
    child, = server.wait_for_ready(1)
    parked = [Connection(server.address) for _ in range(3)]
    for client in parked:
        assert client.get('/hello').status == 200
    slow = [Connection(server.address) for _ in server.ready()[child]['workers']]
    for client in slow:
        since = len(server.log.text())
        client.send(gate.request)
        server.log.wait_for('sleeping', since=since)
    server.kill(signal.SIGTERM)
    server.log.wait_for('gracefully')
    parked[0].send('GET /hello HTTP/1.1\r\nHost: t\r\n\r\n')
    for client in parked[1:]:
        assert client.is_closed()
    gate.open()
    for client in slow:
        assert client.response().body == b'awake'
    since = time.monotonic()
    assert parked[0].response().status == 200
    assert time.monotonic() - since < 1.9
    for client in parked + slow:
        client.close()
    assert server.ended() == 0


@both_mpms
@pytest.mark.parametrize('number', [1, 2])
def test_nobody_is_let_in_while_the_last_requests_finish(serve, directory, gate, number):
    """Not even into the queue of a listener that a busy child still holds."""
    path = directory / 'socket'
    options = ['-b', f'unix:{path}'] if number == 2 else []
    server = serve('probe', '-w', '1', *options)
    with Connection(server.address) as slow:
        slow.send(gate.request)
        server.log.wait_for('sleeping')
        server.kill(signal.SIGTERM)
        server.log.wait_for('gracefully')
        wait_until(lambda: refused(server.address), 'refused connections')
        wait_until(lambda: not path.exists(), 'the other one to be gone')
        gate.open()
        assert slow.response().body == b'awake'
    assert server.ended() == 0
    assert ':warn]' not in server.log.text()


@both_mpms
@pytest.mark.parametrize('more', [
    [], ['-b', '[::1]:0'], ['--listen-cores-buckets-ratio', '1'], ['--proxy-protocol', 'on', '--trusted-proxies', '127.0.0.1'],
    ['--io-engine', 'epoll']], ids=' '.join)
def test_who_waits_to_be_let_in_is_served_before_a_graceful_stop(serve, more):
    server = serve('probe', '-w', '2', *more)
    children = server.wait_for_ready(2)
    for pid in children:
        os.kill(pid, signal.SIGSTOP)
    waiting = [Connection(server.address) for _ in range(40)]
    hello = 'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n' if '--proxy-protocol' in more else ''
    for c in waiting:
        c.send(f'{hello}GET /hello HTTP/1.1\r\nHost: t\r\n\r\n')
    server.kill(signal.SIGTERM)
    server.log.wait_for('stopping gracefully')
    wait_until(lambda: refused(server.address), 'refused connections')
    for pid in children:
        os.kill(pid, signal.SIGCONT)
    for c in waiting:
        assert c.response().status == 200
        c.close()
    assert server.ended() == 0


@both_mpms
def test_a_graceful_stop_ends_with_its_timeout(serve):
    server = serve('probe', '-w', '1', '--graceful-shutdown-timeout', '500ms')
    with Connection(server.address) as slow:
        slow.send('GET /sleep?s=60 HTTP/1.1\r\nHost: t\r\n\r\n')
        server.log.wait_for('sleeping')
        since = time.monotonic()
        server.stop(signal.SIGTERM, status=75)
        assert 0.4 < time.monotonic() - since < 0.5 + 2
        with pytest.raises((Closed, ConnectionResetError)):
            slow.response()


@pytest.mark.parametrize('sends', ['nothing', 'half a head', 'on and on'])
def test_who_has_no_request_is_not_cut_off(serve, sends):
    """A client that is not answered, or all of whose answer is out: it does not close, either."""
    server = serve('hello', '-w', '1', '--graceful-shutdown-timeout', '5s')
    with Connection(server.address) as client:
        assert client.get('/').status == 200
        if sends == 'half a head':
            client.send('GET / HTTP/1.1\r\nHo')
        since = time.monotonic()
        server.kill(signal.SIGTERM)
        while sends == 'on and on' and server.process.poll() is None:
            # The server's end of the stream: it has no more to say, and waits for ours.
            try:
                client.socket.send(b'x')
            except OSError:
                break
            time.sleep(0.1)
        assert server.ended() == 0
        # Of an idle one a second, and of one that lingers two are waited for.
        if sends != 'half a head':
            assert time.monotonic() - since < 4.5
    assert 'cut off' not in server.log.text()


def test_a_child_that_is_killed_in_its_last_request_has_cut_it_off(serve):
    server = serve('probe', '-w', '1')
    with Connection(server.address) as slow:
        slow.send('GET /sleep?s=60 HTTP/1.1\r\nHost: t\r\n\r\n')
        server.log.wait_for('sleeping')
        child, = server.children()
        server.kill(signal.SIGTERM)
        server.log.wait_for('gracefully')
        os.kill(child, signal.SIGKILL)
        assert server.ended() == 75
    assert '1 request that was to be finished was cut off' in server.log.text()


def test_one_deadline_is_for_the_requests_and_for_what_python_does_at_the_end(serve, directory):
    """Which comes last: nobody is in a request any more."""
    (directory / 'clings.py').write_text(
        'import atexit, time\n'
        'begun = []\n'
        'def linger():\n'
        '    print("at the end", len(begun), flush=True)\n'
        '    time.sleep(600)\n'
        'atexit.register(linger)\n'
        'def application(environ, start_response):\n'
        '    begun.append(1)\n'
        '    print("sleeping", flush=True)\n'
        '    time.sleep(0.5)\n'
        '    begun.pop()\n'
        '    start_response("200 OK", [("Content-Length", "5")])\n'
        '    return [b"awake"]\n')
    server = serve('clings', '-w', '1', '--graceful-shutdown-timeout', '2s', cwd=directory)
    with Connection(server.address) as slow:
        slow.send('GET / HTTP/1.1\r\nHost: t\r\n\r\n')
        server.log.wait_for('sleeping')
        since = time.monotonic()
        server.kill(signal.SIGTERM)
        assert slow.response().body == b'awake'
    server.log.wait_for('at the end 0')
    assert server.ended() == 0
    assert 1.5 < time.monotonic() - since < 2 + 2
    assert 'its Python does not end' in server.log.text()
    assert 'set a longer GracefulShutdownTimeout' in server.log.text()


def test_what_takes_python_long_to_end_is_said(serve, directory):
    (directory / 'lingers.py').write_text(
        'import atexit, time\n'
        'atexit.register(time.sleep, 1.1)\n'
        'def application(environ, start_response):\n'
        '    start_response("200 OK", [("Content-Length", "0")])\n'
        '    return []\n')
    server = serve('lingers', '-w', '1', '--log-level', 'info', cwd=directory)
    child, = server.children()
    server.stop()
    assert re.search(rf'\[child:info\] \[pid {child}\] Python took \d+\.\d s to end',
                     server.log.text())


@any_children
def test_a_second_term_stops_at_once(probe):
    with Connection(probe.address) as slow:
        slow.send('GET /sleep?s=60 HTTP/1.1\r\nHost: t\r\n\r\n')
        probe.log.wait_for('sleeping')
        probe.kill(signal.SIGTERM)
        probe.log.wait_for('gracefully')
        probe.kill(signal.SIGTERM)
        assert probe.ended() == 75
    assert '1 request that was to be finished was cut off' in probe.log.text()
    # INT gives Python two seconds to come to its end; who asks twice gives nothing.
    asked, killed = (datetime.datetime.strptime(text, '%H:%M:%S.%f') for text in re.search(
        r' (\d\d:\d\d:\S+) .* stopping at once\n(?:.*\n)*?.* (\d\d:\d\d:\S+) .* sending SIGKILL\n',
        probe.log.text()).groups())
    assert (killed - asked).total_seconds() % 86400 < 1


def test_a_second_term_that_cuts_nothing_off_is_a_stop(serve, directory):
    """It is Python that does not come to its end."""
    (directory / 'clings.py').write_text(
        'import atexit, time\n'
        'atexit.register(lambda: (print("at the end", flush=True), time.sleep(600)))\n'
        'def application(environ, start_response):\n'
        '    start_response("200 OK", [("Content-Length", "0")])\n'
        '    return []\n')
    server = serve('clings', '-w', '1', cwd=directory)
    server.kill(signal.SIGTERM)
    server.log.wait_for('at the end')
    server.stop(signal.SIGTERM)


@any_children
def test_int_stops_at_once(probe):
    stops_at_once(probe, signal.SIGINT)


@pytest.mark.parametrize('signum', [signal.SIGTTIN, signal.SIGTTOU])
def test_the_signals_by_which_gunicorn_scales_stop_nothing(probe, signum):
    probe.kill(signum)
    probe.log.wait_for(f'{signum.name} is ignored: "wsgictl scale N" sets the number of processes')
    assert get(probe.address, '/hello').status == 200
    probe.kill(signal.SIGTERM)
    assert probe.ended() == 0


def test_quit_stops_at_once(probe):
    stops_at_once(probe, signal.SIGQUIT)


def stops_at_once(probe, signum):
    with Connection(probe.address) as slow:
        slow.send('GET /sleep?s=60 HTTP/1.1\r\nHost: t\r\n\r\n')
        probe.log.wait_for('sleeping')
        since = time.monotonic()
        probe.kill(signum)
        assert probe.ended() == 0
        assert time.monotonic() - since < 5


@any_children
def test_an_idle_server_stops_without_a_pause(probe):
    probe.wait_for_ready(2)
    since = time.monotonic()
    probe.stop()
    # A sanitizer looks for leaks behind each of its processes.
    assert time.monotonic() - since < (15 if SANITIZED else 2)


def test_signals_that_whoever_starts_it_ignores_are_heard(serve):
    """An ignored SIGCHLD is inherited, and the kernel would tell nobody of a child's end."""
    ignoring = ('sh', '-c', 'trap "" CHLD TERM HUP USR1; exec "$@"', 'sh')
    server = serve('probe', '-w', '1', launcher=ignoring)
    child, = server.children()
    os.kill(child, signal.SIGKILL)
    server.log.wait_for(rf'child pid {child} .*exit signal Killed')
    wait_until(lambda: server.children() not in ([], [child]), 'a child in its place')
    assert get(server.address, '/hello').status == 200
    server.stop()
    assert 'SIGKILL' not in server.log.text()


@both_mpms
def test_children_leave_when_the_master_is_killed(probe):
    children = list(probe.wait_for_ready(2))
    probe.kill(signal.SIGKILL)
    probe.process.wait(PATIENCE)
    wait_until(lambda: not any(map(is_alive, children)), 'the end of the children')
    probe.log.wait_for_end()


# --- reload ---------------------------------------------------------------------------------

APP = '''
import time
def application(environ, start_response):
    if environ['PATH_INFO'] == '/slow':
        print('sleeping', flush=True)
        time.sleep(0.8)
    body = b'%s'
    start_response('200 OK', [('Content-Length', str(len(body)))])
    return [body]
'''


def write(path: pathlib.Path, text: str):
    """As an editor does; and no stale bytecode, whatever the clock's grain."""
    new = path.with_name(path.name + '.new')
    new.write_text(text)
    new.chmod(0o644)
    new.rename(path)


LEAVES = '''
import os
import signal
import sys

if os.path.exists('handles'):
    signal.signal(signal.SIGINT, lambda *_: print('its own handler', file=sys.stderr))


def application(environ, start_response):
    name = environ['QUERY_STRING']
    if name:
        os.kill(os.getpid(), getattr(signal, name))
    body = b'%d' % os.getpid()
    start_response('200 OK', [('Content-Length', str(len(body)))])
    return [body]
'''


@any_children
@pytest.mark.parametrize('name', ['SIGTERM', 'SIGINT'])
def test_an_application_may_have_its_process_replaced(serve, directory, name):
    """As with mod_wsgi, by SIGINT; and as often as it likes, for that is no failure."""
    write(directory / 'leaves.py', LEAVES)
    server = serve('leaves', '-w', '1', '--log-level', 'info', cwd=directory)
    for _ in range(3):
        child = int(get(server.address, f'/?{name}').body)
        server.log.wait_for(rf'child pid {child} \(slot \d\) ended, exit status 0')
        assert int(get(server.address).body) != child
    assert 'one after the other' not in server.log.text()
    server.stop()


@either_way
def test_an_application_that_handles_sigint_keeps_it(serve, directory):
    write(directory / 'leaves.py', LEAVES)
    (directory / 'handles').touch()
    server = serve('leaves', '-w', '1', cwd=directory)
    child = int(get(server.address, '/?SIGINT').body)
    server.log.wait_for('its own handler')
    assert int(get(server.address).body) == child
    server.stop()


STAYS = LEAVES + '''

import atexit
import threading
import time

leave = application


def application(environ, start_response):
    if os.environ['HELD_BY'] == 'thread':
        threading.Thread(target=time.sleep, args=(600,)).start()
    else:
        atexit.register(time.sleep, 600)
    return leave(environ, start_response)
'''


@any_children
@pytest.mark.parametrize('held_by, sender', [('thread', 'itself'), ('atexit', 'another')])
def test_a_child_that_ends_by_itself_is_replaced_before_its_python_is_through(
        serve, directory, held_by, sender):
    """Which may take for ever; it has WorkerDrainTimeout, as if the master had told it to go."""
    write(directory / 'stays.py', STAYS)
    server = serve('stays', '-w', '1', '--log-level', 'info', '--worker-drain-timeout', '1s',
                   cwd=directory, env={'HELD_BY': held_by})
    first = int(get(server.address).body)
    if sender == 'itself':
        assert int(get(server.address, '/?SIGTERM').body) == first
    else:
        os.kill(first, signal.SIGTERM)
    server.log.wait_for(rf'child pid {first} \(slot 0\) ends by itself')
    assert int(get(server.address).body) != first
    server.log.wait_for(rf'child pid {first} \(slot 0\) has finished its requests, but its Python '
                        r'does not end: threads .* atexit, .* longer WorkerDrainTimeout; sending '
                        'SIGKILL')
    wait_until(lambda: not is_alive(first), 'its end')
    assert 'one after the other' not in server.log.text()
    server.kill(signal.SIGQUIT)
    assert server.ended() == 0


def test_who_crashes_while_it_ends_by_itself_is_said_to_have(serve, directory):
    """It was told to go, but not to die."""
    write(directory / 'crashes.py', LEAVES + (
        '\nimport atexit\n'
        'atexit.register(os.kill, os.getpid(), signal.SIGABRT)\n'))
    server = serve('crashes', '-w', '1', cwd=directory)
    first = int(get(server.address, '/?SIGTERM').body)
    server.log.wait_for(rf':error\] .*child pid {first} \(slot 0\) exit signal Aborted')
    assert server.board()['board']['children_crashed'] == 1
    server.stop()


@any_children
def test_a_request_of_a_child_that_ends_by_itself_has_worker_drain_timeout(serve):
    """It is stuck, and hears nothing; another child takes its place nevertheless."""
    server = serve('probe', '-w', '1', '--worker-drain-timeout', '1s', '--log-level', 'info')
    child, = server.ready()
    with Connection(server.address) as slow:
        slow.send('GET /sleep?s=60 HTTP/1.1\r\nHost: t\r\n\r\n')
        server.log.wait_for('sleeping')
        os.kill(child, signal.SIGTERM)
        server.log.wait_for(rf'child pid {child} \(slot 0\) ends by itself')
        server.log.wait_for(rf'child pid {child} \(slot 0\) has not finished its requests')
        server.log.wait_for(rf':warn\] .* child pid {child} \(slot 0\) was in "GET /sleep" from '
                            r'127\.0\.0\.1, for \d+\.\d s$')
        assert slow.rest() == b''
    server.log.wait_for(rf'child pid {child} \(slot 0\) ended')  # or the stop has cut it off
    assert int(get(server.address, '/pid').body) != child
    server.stop()


@pytest.fixture
def changing(serve, directory):
    path = directory / 'changing.py'
    write(path, APP % 'old')
    server = serve('changing', '-w', '2', '--log-level', 'info', cwd=directory)
    server.path = path
    return server


@both_mpms
@pytest.mark.parametrize('signum', [signal.SIGHUP, signal.SIGUSR1])
def test_a_reload_serves_the_new_code(changing, signum):
    old = changing.wait_for_ready(2)
    assert get(changing.address).body == b'old'
    write(changing.path, APP % 'brand new')
    assert 'reload done' in changing.reload(signum)
    assert get(changing.address).body == b'brand new'
    new = changing.wait_for_ready(2)
    assert not set(old) & set(new)
    board = changing.board()['board']
    assert (board['generation'], board['reload_result']) == (2, 'done')
    changing.stop()


@both_mpms
def test_a_reload_finishes_slow_requests_and_drops_none(changing):
    with Connection(changing.address) as slow:
        slow.send('GET /slow HTTP/1.1\r\nHost: t\r\n\r\n')
        changing.log.wait_for('sleeping')
        write(changing.path, APP % 'new')
        since = len(changing.log.text())
        changing.kill(signal.SIGHUP)
        seen = set()
        while 'reload done' not in changing.log.text()[since:]:
            seen.add(get(changing.address).body)
        assert seen <= {b'old', b'new'}
        assert slow.response().body == b'old'
    assert get(changing.address).body == b'new'


@any_children
def test_a_reload_replaces_one_by_one_and_never_undercuts_the_capacity(serve, gate):
    """However many of the old ones finish still, which take no place of the new ones."""
    server = serve('probe', '-w', '3', '--server-limit', '3')
    old = server.wait_for_ready(3)
    busy = []
    while not all('W' in row['letters'] for row in server.ready().values()):
        busy.append(Connection(server.address))
        busy[-1].send(gate.request)
        wait_until(lambda: server.log.text().count('sleeping') == len(busy), 'a busy thread')
    assert 'reload done' in server.reload()
    rows = [row for row in server.board()['processes'] if row['pid']]
    told = sorted(row['told_us'] for row in rows if row['pid'] in old)
    ready = sorted(row['ready_us'] for row in rows if row['pid'] not in old)
    assert len(told) == len(ready) == 3 and 0 not in told
    assert all(came <= went for came, went in zip(ready, told)), (ready, told)
    gate.open()
    for client in busy:
        assert client.response().body == b'awake'
        client.close()
    server.stop()


@either_way
def test_broken_new_code_leaves_the_old_serving(changing):
    old = changing.wait_for_ready(2)
    write(changing.path, 'this is no Python')
    said = changing.reload()
    assert 'reload failed' in said and 'SyntaxError' in said
    assert said.count('Traceback') <= 1
    for _ in range(4):
        assert get(changing.address).body == b'old'
    assert changing.wait_for_ready(2).keys() == old.keys()
    board = changing.board()['board']
    assert board['reload_result'] == 'failed' and 'SyntaxError' in board['reload_reason']
    # Where Python does not get to run anything, 3.13 shows the place without "Traceback".
    assert any('changing.py' in line for line in board['reload_log'])
    assert board['reload_log'][-1].startswith('SyntaxError')
    assert board['reload_log'][-1].startswith('SyntaxError')
    write(changing.path, APP % 'mended')
    assert 'reload done' in changing.reload()
    assert get(changing.address).body == b'mended'


@both_mpms
def test_a_child_that_is_replaced_into_broken_code_leaves_its_siblings(changing):
    first, second = changing.wait_for_ready(2)
    write(changing.path, 'raise RuntimeError("broken meanwhile")')
    os.kill(first, signal.SIGKILL)
    changing.log.wait_for('broken meanwhile')
    for _ in range(5):
        assert get(changing.address).body == b'old'
    write(changing.path, APP % 'mended')
    changing.wait_for_ready(2)
    assert is_alive(second)


def test_a_reload_reads_the_configuration_again(serve, directory, apps):
    conf = directory / 'wsgid.conf'
    conf.write_text(f'WSGIApplication probe\nChDir {apps}\nProcesses 1\n')
    server = serve('-c', conf)
    server.wait_for_ready(1)
    conf.write_text(f'WSGIApplication probe\nChDir {apps}\nProcesses 3\nLimitRequestBody 3\n')
    assert 'reload done' in server.reload()
    server.wait_for_ready(3)
    with Connection(server.address) as c:
        assert c.request('POST', '/echo', body=b'four').status == 413


def test_a_reload_with_a_bad_configuration_changes_nothing(serve, directory, apps):
    conf = directory / 'wsgid.conf'
    conf.write_text(f'WSGIApplication probe\nChDir {apps}\nProcesses 1\n')
    server = serve('-c', conf)
    old = server.wait_for_ready(1)
    conf.write_text('WSGIApplication probe\nProceses 3\nTimeout never\n')
    said = server.reload()
    assert 'Proceses' in said and 'Timeout' in said and 'wsgid.conf' in said
    assert server.ready().keys() == old.keys()
    assert get(server.address, '/hello').status == 200


@any_children
def test_requests_go_on_through_many_reloads(changing):
    """Closed-loop clients with connections of their own see no error at all."""
    errors, counts, stop = [], [0] * 4, threading.Event()

    def client(i):
        while not stop.is_set():
            try:
                assert get(changing.address).body in (b'old', b'new')
                counts[i] += 1
            except Exception as e:
                errors.append(repr(e))
    threads = [threading.Thread(target=client, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    try:
        for text in ('new', 'old', 'new'):
            write(changing.path, APP % text)
            assert 'reload done' in changing.reload()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not errors and min(counts) > 0


# --- Apache's meaning -----------------------------------------------------------------------

def is_answered(connection) -> bool:
    try:
        return connection.response().body == b'awake'
    except (Closed, ConnectionResetError):
        return False


@both_mpms
@pytest.mark.parametrize('signum, finishes', [
    (signal.SIGTERM, False), (signal.SIGWINCH, True)])
def test_apache_term_is_at_once_and_winch_graceful(serve, gate, signum, finishes):
    server = serve('probe', '-w', '1', '--signal-style', 'apache')
    with Connection(server.address) as slow:
        slow.send(gate.request)
        server.log.wait_for('sleeping')
        server.kill(signum)
        if finishes:
            server.log.wait_for('gracefully')
            gate.open()
        assert is_answered(slow) == finishes
    assert server.ended() == 0


@either_way
def test_apache_hup_restarts_at_once_and_usr1_gracefully(serve, gate):
    server = serve('probe', '-w', '1', '--signal-style', 'apache', '--log-level', 'info')
    for signum, finishes in ((signal.SIGHUP, False), (signal.SIGUSR1, True)):
        server.wait_for_ready(1)
        with Connection(server.address) as slow:
            since = len(server.log.text())
            slow.send(gate.request.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'))
            server.log.wait_for('sleeping', since=since)
            server.kill(signum)
            if finishes:
                server.log.wait_for('reload done')
                gate.open()
            assert is_answered(slow) == finishes
        assert get(server.address, '/hello').status == 200
    server.stop()
