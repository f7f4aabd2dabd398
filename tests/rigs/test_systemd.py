"""wsgid as a service of a real systemd, with the units that are installed: 252 and 257.

What can be had without one is in tests/e2e/test_systemd.py, too.
"""

import json
import re
import subprocess
import time

import pytest

from client import Connection, get
from loop import Loop, Visitors
from machine import ROOT, Machine
from service import APP, Service, wait_until


@pytest.fixture(scope='module', params=['bookworm', 'trixie'])
def booted(rig, request):
    """A machine of each suite, for all tests of this file."""
    with Machine(rig('systemd-rig'), request.param, ROOT / 'build' / 'rigs' / request.param) as m:
        yield m


@pytest.fixture
def machine(booted):
    """The test's clients are on the machine's network."""
    with booted.network():
        yield booted


@pytest.fixture
def wsgid(machine):
    """wsgid.service as it is installed, with an application in /srv/site, not started."""
    with Service(machine, 'wsgid') as service:
        yield service


# --- sockets --------------------------------------------------------------------------------

HTTP = ('127.0.0.1', 8000)  # wsgid.socket's
SIX = ('::1', 8006)
LOCAL = '/run/local.sock'
ADMIN = ('127.0.0.1', 8001)

MANY = '''[Socket]
ListenStream=
ListenStream=127.0.0.1:8000
ListenStream=[::1]:8006
ListenStream=/run/local.sock
SocketMode=0666
'''

ADMIN_SOCKET = '''[Socket]
ListenStream=127.0.0.1:8001
FileDescriptorName=admin
Service=wsgid.service
'''


@pytest.fixture
def admin_socket(machine, wsgid):
    """A second socket unit of the same service."""
    path = machine.path('/etc/systemd/system/wsgid-admin.socket')
    path.write_text(ADMIN_SOCKET)
    wsgid.systemctl('daemon-reload')
    yield 'wsgid-admin.socket'
    wsgid.systemctl('stop', 'wsgid-admin.socket', 'wsgid.service', 'wsgid.socket')
    path.unlink()


def test_the_first_client_starts_the_server(wsgid):
    wsgid.systemctl('start', 'wsgid.socket')
    assert wsgid.show('ActiveState') == 'inactive'
    assert get(HTTP).body == b'hello'
    wsgid.wait_for('ActiveState', 'active')
    assert wsgid.show('User') == 'wsgid'


def test_several_sockets_of_tcp_ipv6_and_unix_are_all_served(machine, wsgid):
    wsgid.drop_in(MANY, 'wsgid.socket')
    wsgid.systemctl('start', 'wsgid.socket')
    for address in (machine.path(LOCAL), SIX, HTTP):
        assert get(address).body == b'hello'
    wsgid.systemctl('stop', 'wsgid')
    # They are systemd's, and the first client starts the server again.
    assert get(SIX).body == b'hello'


def test_listen_lines_match_sockets_by_name_and_by_address(wsgid, admin_socket):
    wsgid.configure('Listen fd:http\nListen 127.0.0.1:8001')
    wsgid.systemctl('start', 'wsgid.socket', admin_socket)
    assert get(ADMIN).body == b'hello'
    assert get(HTTP).body == b'hello'


def failed_for_good(service) -> str:
    """The service has failed for a mistake in its configuration, and is not tried again: its
    journal."""
    service.wait_for('ActiveState', 'failed')
    assert service.show('ExecMainStatus') == '78'
    assert service.show('NRestarts') == '0'
    return service.journal()


def test_a_socket_that_nobody_asked_for_gets_a_sentence(wsgid, admin_socket):
    wsgid.configure('Listen fd:http')
    wsgid.systemctl('start', 'wsgid.socket', admin_socket)
    assert wsgid.systemctl('start', 'wsgid', check=False).returncode == 1
    assert ('systemd passes a socket that no Listen asks for, 127.0.0.1:8001 (admin)'
            in failed_for_good(wsgid))


def test_a_socket_that_is_missing_gets_a_sentence(wsgid):
    wsgid.configure('Listen fd:http\nListen fd:admin')
    wsgid.systemctl('start', 'wsgid.socket')
    assert wsgid.systemctl('start', 'wsgid', check=False).returncode == 1
    assert ('Listen fd:admin: systemd passes no such socket, but 127.0.0.1:8000 (http)'
            in failed_for_good(wsgid))


def test_accept_yes_gets_a_sentence(machine, wsgid):
    wsgid.drop_in('[Socket]\nAccept=yes\n', 'wsgid.socket')
    wsgid.systemctl('start', 'wsgid.socket')
    with Connection(HTTP) as client:
        client.rest()
        wait_until(lambda: 'use Accept=no in the socket unit' in wsgid.journal('-u', 'wsgid@*'),
                   'the sentence')
    wsgid.systemctl('stop', 'wsgid.socket')
    wsgid.systemctl('reset-failed', 'wsgid@*', check=False)


# --- Type=notify ------------------------------------------------------------------------------

WAITING = '''
import os, time
while not os.path.exists('/srv/site/go'):
    time.sleep(0.02)
''' + APP


@pytest.fixture
def go(machine):
    """Until go() is called an application WAITING is not imported."""
    path = machine.path('/srv/site/go')
    yield path.touch
    path.unlink(missing_ok=True)


def test_the_start_is_over_when_a_child_is_ready(wsgid, go):
    wsgid.write_app(WAITING)
    wsgid.systemctl('start', '--no-block', 'wsgid')
    wait_until(lambda: wsgid.show('StatusText').startswith('starting: '), 'the status')
    assert wsgid.show('ActiveState') == 'activating'
    go()
    wsgid.wait_for('ActiveState', 'active')
    wait_until(lambda: re.match(r'\d+ workers?: 0 busy, \d+ idle; [\d.]+ requests/s',
                                wsgid.show('StatusText')), 'the workers')
    assert get(HTTP).body == b'hello'


def test_a_start_that_fails_has_its_reason_in_the_status(wsgid):
    wsgid.drop_in('[Service]\nRestart=no\n')
    wsgid.write_app('raise RuntimeError("not today")')
    assert wsgid.systemctl('start', 'wsgid', check=False).returncode == 1
    assert wsgid.show('ActiveState') == 'failed'
    assert 'not today' in wsgid.show('StatusText')
    assert 'not today' in wsgid.systemctl('status', 'wsgid', check=False).stdout


def test_a_reload_is_seen_and_over_when_it_is(wsgid, go):
    wsgid.start()
    wsgid.write_app(WAITING.replace('hello', 'HELLO'))
    wsgid.systemctl('reload', '--no-block', 'wsgid')
    wsgid.wait_for('ActiveState', 'reloading')
    wait_until(lambda: wsgid.show('StatusText').startswith('reloading since '), 'the status')
    assert get(HTTP).body == b'hello'
    go()
    wsgid.wait_for('ActiveState', 'active')
    assert get(HTTP).body == b'HELLO'
    assert re.search(r'; last reload at \d\d:\d\d:\d\d$', wsgid.show('StatusText'))


def test_systemctl_reload_waits_for_the_new_code(wsgid):
    wsgid.start()
    wsgid.write_app('import time\ntime.sleep(0.5)\n' + APP.replace('hello', 'HELLO'))
    wsgid.systemctl('reload', 'wsgid')
    assert {get(HTTP).body for _ in range(10)} == {b'HELLO'}


def test_a_reload_that_fails_says_why_and_the_service_goes_on(wsgid):
    wsgid.start()
    wsgid.write_app('raise RuntimeError("not today")')
    failed = wsgid.systemctl('reload', 'wsgid', check=False)
    assert failed.returncode == 1
    wsgid.wait_for('ActiveState', 'active')
    assert re.search(r'last reload at \d\d:\d\d:\d\d failed: .*not today',
                     wsgid.show('StatusText'))
    assert get(HTTP).body == b'hello'
    assert 'not today' in wsgid.journal()
    wsgid.write_app(APP)
    wsgid.systemctl('reload', 'wsgid')
    assert 'failed' not in wsgid.show('StatusText')


def test_type_notify_reload_waits_without_an_exec_reload(machine, wsgid):
    if machine.systemd() < 253:
        pytest.skip(f'systemd {machine.systemd()} has no Type=notify-reload, 253 is the first')
    wsgid.drop_in('[Service]\nType=notify-reload\nExecReload=\n')
    wsgid.start()
    wsgid.write_app('import time\ntime.sleep(0.5)\n' + APP.replace('hello', 'HELLO'))
    wsgid.systemctl('reload', 'wsgid')
    assert {get(HTTP).body for _ in range(10)} == {b'HELLO'}
    wsgid.write_app('raise RuntimeError("not today")')
    wsgid.systemctl('reload', 'wsgid')
    assert 'not today' in wsgid.show('StatusText')
    assert get(HTTP).body == b'HELLO'


def test_an_upgrade_is_the_same_service_with_another_main_pid(machine, wsgid):
    wsgid.start()
    old = wsgid.show('MainPID')
    with Connection(HTTP) as client:
        assert client.get('/').status == 200
        machine.run('wsgictl', 'upgrade', '-c', wsgid.config)
        assert client.get('/').status == 200
    wait_until(lambda: wsgid.show('MainPID') not in ('0', old), 'another MainPID')
    wait_until(lambda: not machine.path(f'/proc/{old}').exists(), 'the end of the old master')
    assert wsgid.show('ActiveState') == 'active'
    assert wsgid.show('NRestarts') == '0'
    wsgid.systemctl('reload', 'wsgid')
    # It is waited for at a stop, and looked after, as the first was.
    wsgid.systemctl('restart', 'wsgid')
    assert 'SIGKILL' not in wsgid.journal()
    old = wsgid.show('MainPID')
    machine.run('wsgictl', 'upgrade', '-c', wsgid.config)
    wait_until(lambda: wsgid.show('MainPID') not in ('0', old), 'another MainPID')
    wsgid.systemctl('kill', '--kill-who=main', '-s', 'KILL', 'wsgid')
    wait_until(lambda: wsgid.show('NRestarts') == '1', 'a restart')
    wsgid.wait_for('ActiveState', 'active')
    assert get(HTTP).body == b'hello'


UNTIL_GO = """
import os, time

def application(environ, start_response):
    print('begun', environ['PATH_INFO'], flush=True)
    while not os.path.exists('/srv/site/go'):
        time.sleep(0.02)
    start_response('200 OK', [('Content-Length', '5')])
    return [b'hello']
"""


def test_a_stop_while_an_upgrade_still_finishes_requests_finishes_them_all(machine, wsgid, go):
    wsgid.configure('Processes 1')
    wsgid.write_app(UNTIL_GO)
    wsgid.start()
    old = wsgid.show('MainPID')
    with Connection(HTTP) as of_the_old, Connection(HTTP) as of_the_new:
        of_the_old.send('GET /old HTTP/1.1\r\nHost: t\r\n\r\n')
        wait_until(lambda: 'begun /old' in wsgid.journal(), 'the request')
        machine.run('wsgictl', 'upgrade', '-c', wsgid.config)
        wait_until(lambda: wsgid.show('MainPID') not in ('0', old), 'another MainPID')
        of_the_new.send('GET /new HTTP/1.1\r\nHost: t\r\n\r\n')
        wait_until(lambda: 'begun /new' in wsgid.journal(), 'the request')
        wsgid.systemctl('stop', '--no-block', 'wsgid')
        wait_until(lambda: f'the old master, pid {old}, is waited for' in wsgid.journal(),
                   'the stop')
        assert machine.path(f'/proc/{old}').exists()
        go()
        assert of_the_old.response().body == b'hello'
        assert of_the_new.response().body == b'hello'
    wsgid.wait_for('ActiveState', 'inactive')
    assert wsgid.show('Result') == 'success'
    assert 'SIGKILL' not in wsgid.journal()


SLOW = '''
import time
time.sleep(4)

def application(environ, start_response):
    print('begun', flush=True)
    time.sleep(4)
    start_response('200 OK', [('Content-Length', '5')])
    return [b'hello']
'''


def test_patience_is_asked_for_while_it_starts_and_while_it_drains(wsgid):
    """Import and request take longer than the unit allows for start and stop."""
    wsgid.drop_in('[Service]\nTimeoutStartSec=2\nTimeoutStopSec=2\n')
    wsgid.write_app(SLOW)
    wsgid.start()
    with Connection(HTTP) as client:
        client.send('GET / HTTP/1.1\r\nHost: t\r\n\r\n')
        wait_until(lambda: 'begun' in wsgid.journal(), 'the request')
        wsgid.systemctl('stop', '--no-block', 'wsgid')
        wsgid.wait_for('ActiveState', 'deactivating')
        assert wsgid.show('StatusText') == 'stopping: 1 request is being finished, within 30 s'
        assert client.response().body == b'hello'
    wsgid.wait_for('ActiveState', 'inactive')
    assert wsgid.show('Result') == 'success'


# --- the watchdog --------------------------------------------------------------------------------

# PyDLL does not let go of the GIL, and the second lock of a mutex waits for ever.
STUCK = '''
import ctypes, os, time

def application(environ, start_response):
    path = environ['PATH_INFO']
    print('begun', path, os.getpid(), flush=True)
    if path == '/hold':
        c = ctypes.PyDLL(None)
        mutex = ctypes.create_string_buffer(128)
        c.pthread_mutex_lock(mutex)
        c.pthread_mutex_lock(mutex)
    if path == '/sleep':
        time.sleep(60)
    start_response('200 OK', [('Content-Length', '5')])
    return [b'hello']
'''


def stick(service, path: str, number: int) -> list:
    clients = []
    for i in range(number):
        clients.append(Connection(HTTP))
        clients[-1].send(f'GET {path} HTTP/1.1\r\nHost: t\r\n\r\n')
        wait_until(lambda: service.journal().count(f'begun {path}') > i, 'the next one')
    return clients


def test_an_extension_that_holds_the_gil_in_all_children_gets_the_service_restarted(wsgid):
    wsgid.drop_in('[Service]\nWatchdogSec=2\n')
    wsgid.configure('Processes 2\nDeadlockTimeout 1s')
    wsgid.write_app(STUCK)
    wsgid.start()
    clients = stick(wsgid, '/hold', 2)
    wait_until(lambda: wsgid.show('NRestarts') == '1', 'a restart', timeout=60)
    assert get(HTTP).body == b'hello'
    text = wsgid.journal()
    assert '2 have not taken the GIL for 1 s (DeadlockTimeout)' in text
    assert len(re.findall(r'app\.py", line \d+ in application', text)) >= 2
    for client in clients:
        client.close()


def test_all_workers_in_requests_above_watchdog_request_time_get_it_restarted(wsgid):
    wsgid.drop_in('[Service]\nWatchdogSec=2\n')
    wsgid.configure('Processes 2\nWatchdogRequestTime 1s')
    wsgid.write_app(STUCK)
    wsgid.start()
    clients = stick(wsgid, '/sleep', 2)
    wait_until(lambda: wsgid.show('NRestarts') == '1', 'a restart', timeout=60)
    assert get(HTTP).body == b'hello'
    assert 'WatchdogRequestTime' in wsgid.journal()
    for client in clients:
        client.close()


def test_children_that_only_hang_in_their_import_get_it_restarted(machine, wsgid):
    wsgid.drop_in('[Service]\nWatchdogSec=2\n')
    wsgid.configure('Processes 1\nWatchdogRequestTime 1s')
    wsgid.write_app(APP)
    wsgid.start()
    pid = wsgid.show('MainPID')
    # Only those of this master do.
    wsgid.write_app(f'import os, time\nif os.getppid() == {pid}:\n    time.sleep(600)\n' + APP)
    machine.run('pkill', '-KILL', '-P', pid)
    wait_until(lambda: wsgid.show('NRestarts') == '1', 'a restart', timeout=60)
    assert get(HTTP).body == b'hello'
    assert 'no child has been ready for 1 s (WatchdogRequestTime)' in wsgid.journal()


def test_all_workers_in_a_long_sleep_are_left_alone(wsgid):
    wsgid.drop_in('[Service]\nWatchdogSec=2\n')
    wsgid.configure('Processes 2\nDeadlockTimeout 1s\nGracefulShutdownTimeout 100ms')
    wsgid.write_app(STUCK)
    wsgid.start()
    clients = stick(wsgid, '/sleep', 2)
    pid = wsgid.show('MainPID')
    time.sleep(5)  # more than twice what systemd waits for a sign of life
    assert (wsgid.show('ActiveState'), wsgid.show('NRestarts')) == ('active', '0')
    assert wsgid.show('MainPID') == pid
    for client in clients:
        client.close()


# --- what systemd keeps ----------------------------------------------------------------------------

def totals(machine, service) -> dict:
    text = machine.run('wsgictl', 'status', '--json', '-c', service.config).stdout
    return json.loads(text)


def test_counters_and_backlog_survive_a_restart(machine, wsgid):
    wsgid.write_app('import time\ntime.sleep(1)\n' + APP)
    wsgid.start()
    for _ in range(5):
        assert get(HTTP).body == b'hello'
    old = wsgid.show('MainPID')
    wsgid.systemctl('restart', '--no-block', 'wsgid')
    wait_until(lambda: wsgid.show('MainPID') not in ('0', old), 'the next one')
    assert wsgid.show('ActiveState') == 'activating'
    # Nobody serves, and nobody is turned away.
    assert get(HTTP).body == b'hello'
    assert totals(machine, wsgid)['totals']['requests'] == 6
    assert int(wsgid.show('NFileDescriptorStore')) >= 2


def test_counters_and_backlog_survive_a_crash_of_the_master(machine, wsgid):
    wsgid.start()
    for _ in range(5):
        assert get(HTTP).body == b'hello'
    wait_until(lambda: totals(machine, wsgid)['totals']['requests'] == 5, 'the count')
    wsgid.systemctl('kill', '--kill-who=main', '-s', 'KILL', 'wsgid')
    for _ in range(5):
        assert get(HTTP).body == b'hello'
    assert wsgid.show('NRestarts') == '1'
    wait_until(lambda: totals(machine, wsgid)['totals']['requests'] == 10, 'both counts')


# --- the units ---------------------------------------------------------------------------------------

def test_a_template_reads_the_configuration_of_its_name(machine):
    with Service(machine, 'wsgid@shop', '/srv/shop') as shop, \
            Service(machine, 'wsgid@blog', '/srv/blog') as blog:
        shop.write_app(APP.replace('hello', 'shop!'))
        blog.write_app(APP.replace('hello', 'blog!'))
        for service in (shop, blog):
            service.systemctl('start', f'{service.name}.socket')
        assert get(machine.path('/run/wsgid/shop.sock')).body == b'shop!'
        assert get(machine.path('/run/wsgid/blog.sock')).body == b'blog!'
        assert 'shop' in shop.show('Description')
        shop.systemctl('reload', shop.name)
        shop.systemctl('stop', shop.name)
        assert blog.show('ActiveState') == 'active'
        assert get(machine.path('/run/wsgid/blog.sock')).body == b'blog!'


def test_a_mistake_in_the_configuration_is_not_tried_again(wsgid):
    wsgid.configure('Listn 80')
    assert wsgid.systemctl('start', 'wsgid', check=False).returncode == 1
    assert 'Listn' in failed_for_good(wsgid)


def test_another_failure_is_tried_again(machine, wsgid):
    wsgid.write_app('raise RuntimeError("not today")')
    assert wsgid.systemctl('start', 'wsgid', check=False).returncode == 1
    wait_until(lambda: int(wsgid.show('NRestarts')) > 0, 'a restart')
    wsgid.write_app(APP)
    wsgid.systemctl('reset-failed', 'wsgid', check=False)
    wsgid.start()
    assert get(HTTP).body == b'hello'


def test_idle_exit_ends_the_service_and_the_next_client_starts_it(wsgid):
    wsgid.configure('IdleExit 1s')
    wsgid.systemctl('start', 'wsgid.socket')
    for _ in range(2):
        assert get(HTTP).body == b'hello'
        wsgid.wait_for('ActiveState', 'inactive')
        assert wsgid.show('Result') == 'success'
    assert 'nothing to do for 1 s (IdleExit)' in wsgid.journal()


@pytest.mark.parametrize('unit', ['wsgid.service', 'wsgid@shop.service'])
def test_the_exposure_is_ok_and_at_most_2(machine, unit):
    text = machine.run('systemd-analyze', 'security', '--no-pager', unit).stdout
    exposure, verdict = re.search(rf'exposure level for {unit}: ([\d.]+) (\w+)', text).groups()
    assert float(exposure) <= 2.0
    assert verdict == 'OK'


def test_the_units_are_without_a_mistake(machine):
    text = machine.run('systemd-analyze', 'verify', '--man=no', 'wsgid.service', 'wsgid.socket',
                       'wsgid@shop.service', 'wsgid@shop.socket').stdout
    assert 'wsgid' not in text, text


def test_it_runs_as_its_own_user_without_a_right(machine, wsgid):
    entry = machine.run('getent', 'passwd', 'wsgid').stdout.strip().split(':')
    assert int(entry[2]) < 1000
    assert entry[5:] == ['/var/lib/wsgid', '/usr/sbin/nologin']
    wsgid.start()
    for pid in machine.run('pgrep', '-f', '-u', 'wsgid', 'wsgid').stdout.split():
        status = machine.path(f'/proc/{pid}/status').read_text()
        for name in ('CapEff', 'CapPrm', 'CapBnd'):
            assert re.search(rf'^{name}:\t0+$', status, re.M), status
        assert re.search(r'^Uid:\t(\d+)\t\1\t\1\t\1$', status, re.M)[1] == entry[2]
        assert re.search(r'^NoNewPrivs:\t1$', status, re.M)


@pytest.mark.parametrize('remove, left', [('yes', 0), ('no', 1)])
def test_remove_ipc_removes_the_semaphore_of_mutex_sysvsem_when_all_were_killed(
        machine, wsgid, remove, left):
    """The unit says yes.  Where it does not the next start does it."""
    user = machine.run('id', '-u', 'wsgid').stdout.strip()

    def semaphores() -> int:
        lines = machine.run('cat', '/proc/sysvipc/sem').stdout.splitlines()[1:]
        return [line.split()[4] for line in lines].count(user)
    wsgid.drop_in(f'[Service]\nRestart=no\nRemoveIPC={remove}\n')
    wsgid.configure('Mutex sysvsem')
    wsgid.start()
    assert semaphores() == 1
    wsgid.systemctl('kill', '--signal=KILL', 'wsgid.service')
    wsgid.wait_for('ActiveState', 'failed')
    assert semaphores() == left
    wsgid.start()
    assert semaphores() == 1
    wsgid.systemctl('stop', 'wsgid.service')
    assert semaphores() == 0


def test_folders_are_there_and_the_users(machine, wsgid):
    wsgid.start()
    for path in ('/run/wsgid', '/var/log/wsgid', '/var/lib/wsgid'):
        assert machine.run('stat', '-c', '%U:%G %A', path).stdout.strip() == \
            'wsgid:wsgid drwxr-xr-x'


def test_logrotate_has_the_logs_reopened_and_nothing_restarted(machine, wsgid):
    wsgid.configure('ErrorLog /var/log/wsgid/error.log\n'
                    'CustomLog /var/log/wsgid/access.log common')
    wsgid.start()
    pid = wsgid.show('MainPID')
    assert get(HTTP, '/before').status == 200
    log = machine.path('/var/log/wsgid/access.log')
    wait_until(lambda: '/before' in log.read_text(), 'the line')
    machine.run('logrotate', '-f', '/etc/logrotate.d/wsgid')
    assert get(HTTP, '/after').status == 200
    wait_until(lambda: log.exists() and '/after' in log.read_text(), 'the line in a new file')
    assert '/before' not in log.read_text()
    rotated = machine.path('/var/log/wsgid/access.log.1').read_text()
    assert '/before' in rotated and '/after' not in rotated
    assert wsgid.show('MainPID') == pid
    for name in ('access.log.1', 'access.log', 'error.log.1', 'error.log'):
        machine.path(f'/var/log/wsgid/{name}').unlink(missing_ok=True)


# --- the journal ----------------------------------------------------------------------------------------

LOUD = '''
import sys
print('out', flush=True)
print('err', file=sys.stderr, flush=True)
''' + APP


def records(service) -> list:
    return [json.loads(line) for line in service.journal('-o', 'json').splitlines()]


def test_lines_have_their_priorities_in_the_journal(wsgid):
    wsgid.write_app(LOUD)
    wsgid.configure('KeepAliveTimeot 3s')
    wsgid.systemctl('start', 'wsgid', check=False)
    assert 'KeepAliveTimeot' in wsgid.journal('-p', 'err')
    wsgid.configure()
    wsgid.start()
    by_text = {r['MESSAGE']: r for r in records(wsgid) if isinstance(r['MESSAGE'], str)}
    serves, = [r for text, r in by_text.items() if ' serves app at ' in text]
    assert serves['PRIORITY'] == '5'
    # Of each child that has imported the application.
    assert {r['PRIORITY'] for text, r in by_text.items() if text.endswith('] err')} == {'6'}
    assert not [text for text in by_text if re.match(r'<\d>', text)]


def test_error_log_journald_writes_fields(wsgid):
    wsgid.configure('ErrorLog journald')
    wsgid.start()
    first, = [r for r in records(wsgid) if 'serves app at' in str(r['MESSAGE'])]
    assert (first['PRIORITY'], first['SYSLOG_IDENTIFIER']) == ('5', 'wsgid')
    assert first['WSGID_PART'] == 'master'
    assert first['_PID'] == first['OBJECT_PID'] == wsgid.show('MainPID')
    assert first['_SYSTEMD_UNIT'] == 'wsgid.service'
    assert first['_TRANSPORT'] == 'journal'


# --- clients of a restart --------------------------------------------------------------------------------

@pytest.fixture
def capture(machine):
    """capture() is every begin, end and reset of a connection to the server since the test began,
    as tcpdump prints them."""
    expression = 'tcp port 8000 and tcp[tcpflags] & (tcp-syn|tcp-fin|tcp-rst) != 0'
    path = machine.folder / 'capture'
    with open(path, 'wb') as out:
        dump = subprocess.Popen(
            machine.command('tcpdump', '-n', '-l', '--immediate-mode', '-s', '96', '-B', '8192',
                            '-i', 'lo', expression), stdout=out, stderr=subprocess.PIPE)
    while b'listening on' not in dump.stderr.readline():
        assert dump.poll() is None

    def stop():
        machine.run('pkill', '-INT', '-x', 'tcpdump')
        errors = dump.communicate()[1].decode()
        assert '\n0 packets dropped by kernel' in errors, errors
        return path.read_text()
    yield stop
    if dump.poll() is None:
        dump.kill()
        dump.communicate()


def resets(packets: str) -> list:
    """Of the packets those that reset a connection.

    A connection that both sides have ended is none any more.  Its last FIN may have been sent
    again by the server's kernel, when the client's took its time to acknowledge it, and then
    meets a client's kernel that has forgotten all, and says so.
    """
    found, ended = [], set()
    for line in filter(None, packets.splitlines()):
        source, target, flags = re.match(r'\S+ IP (\S+) > (\S+): Flags \[([^]]+)\]', line).groups()
        if 'S' in flags:
            ended -= {(source, target), (target, source)}
        if 'F' in flags:
            ended.add((source, target))
        both_ended = {(source, target), (target, source)} <= ended
        if 'R' in flags and not (both_ended and target.endswith('.8000')):
            found.append(line)
    return found


@pytest.mark.parametrize('threads', [1, 4], ids=['prefork', 'worker'])
def test_nobody_notices_twenty_restarts(machine, wsgid, capture, threads):
    """50 new connections a second, and 32 clients in closed loops on connections that they keep."""
    wsgid.configure(f'Processes 2\nThreadsPerChild {threads}')
    wsgid.systemctl('start', 'wsgid.socket', 'wsgid')
    visitors = Visitors(HTTP, 50)
    loops = [Loop(HTTP, '/') for _ in range(32)]

    def wait_for_answers():
        before = [client.answers for client in loops]
        wait_until(lambda: all(client.wrong or client.answers > n
                               for client, n in zip(loops, before)), 'an answer to each')
    for _ in range(20):
        wait_for_answers()
        wsgid.systemctl('restart', 'wsgid')
    wait_for_answers()
    for client in [visitors, *loops]:
        client.stopping = True
    for client in [visitors, *loops]:
        client.join(60)
    assert [client.wrong for client in [visitors, *loops]] == [[]] * 33
    assert all(client.ends >= 20 for client in loops)
    packets = capture()
    assert resets(packets) == []
    # What was looked for would have been seen: each connection has a SYN.
    assert packets.count('Flags [S]') >= visitors.answers + 32 * 21
    assert wsgid.show('NRestarts') == '0'
