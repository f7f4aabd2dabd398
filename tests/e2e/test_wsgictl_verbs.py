"""What wsgictl has a server do: stop, reload, restart, scale, and open its logs anew."""

import json
import os
import re
import signal
import subprocess
import threading

import pytest

from client import Connection, get
from server import PATIENCE, freeze, is_alive, wait_until
from wsgictl import APPLICATION, WSGICTL, ctl, fails, of, succeeds

# --- the number of processes -----------------------------------------------------------------

def test_scale_changes_the_number_of_processes_until_the_next_reload(shop):
    server = shop()
    succeeds(of(server, 'scale', '3'), r'^shop has 3 processes, where 2 served before; that lasts '
             'until the next reload, Processes in the configuration for good$')
    assert len(server.ready()) == 3
    succeeds(of(server, 'scale', '1'), '^shop has 1 process,')
    assert len(server.ready()) == 1
    assert json.loads(of(server, 'status', '--json').stdout)['server']['max_request_workers'] == 1
    succeeds(of(server, 'reload'))
    server.wait_for_ready(2)


def test_scale_finishes_the_requests_of_those_that_are_too_many(shop):
    server = shop()
    succeeds(of(server, 'scale', '2'))
    with Connection(server.address) as one, Connection(server.address) as other:
        for c in (one, other):
            c.send('GET /slow HTTP/1.1\r\nHost: t\r\n\r\n')
        wait_until(lambda: 'workers      2 busy' in of(server, 'status').stdout, 'two requests')
        succeeds(of(server, 'scale', '1'))
        assert [c.response().status for c in (one, other)] == [200, 200]
    assert len(server.ready()) == 1


@pytest.mark.parametrize('options', [[], ['--preload']], ids=['', 'preload'])
def test_a_process_that_was_alone_knows_when_there_are_more(serve, site, options):
    site.write("""\
def application(environ, start_response):
    start_response('200 OK', [])
    return [b'%a' % environ['wsgi.multiprocess']]
""", whole=True)
    server = serve('shop', '-w', '1', *options, cwd=site.path)
    assert get(server.address).body == b'False'
    succeeds(of(server, 'scale', '2'))
    assert {get(server.address).body for _ in range(8)} == {b'True'}


def test_a_scale_that_cannot_be_says_why(shop, site):
    server = shop()
    fails(of(server, 'scale', '1000'), 1, 'from 1 to ServerLimit of 256 processes')
    site.write('import no_such_module\n', whole=True)
    fails(of(server, 'scale', '4'), 1, 'new children fail, and the error log says why')


def test_a_scale_that_takes_longer_than_one_would_wait_is_said(shop, site):
    server = shop()
    site.write('import time\ntime.sleep(20)\n', whole=True)
    fails(of(server, 'scale', '5', '--wait', '0.1'), 6, 'there are not yet 5 processes')


# --- stop -----------------------------------------------------------------------------------

def test_a_server_that_is_stopping_is_shown_as_that(shop):
    """By the scoreboard alone: while its master is stopped, too."""
    server = shop()
    with Connection(server.address) as c:
        c.send('GET /slower HTTP/1.1\r\nHost: t\r\n\r\n')
        wait_until(lambda: ' 1 busy' in of(server, 'status').stdout, 'the request')
        server.kill(signal.SIGTERM)
        server.log.wait_for('gracefully')
        run = succeeds(of(server, 'status'), rf'\[shop\] is stopping, pid {server.pid}, up ',
                       r'^it has been told to stop .* ago: what runs is finished$')
        assert 'no child serves' not in run.stdout
        assert json.loads(of(server, 'status', '--json').stdout)['state'] == 'stopping'
        freeze(server.pid)
        succeeds(of(server, 'status'), rf'\[shop\] is stopping, pid {server.pid}',
                 '^the master is stopped by a signal')
        server.kill(signal.SIGCONT)
        server.kill(signal.SIGQUIT)
    assert server.ended() == 75


@pytest.mark.parametrize('verb', ['stop', 'graceful-stop'])
def test_stop_finishes_what_runs_and_says_so(shop, verb):
    server = shop()
    answers = []
    thread = threading.Thread(target=lambda: answers.append(get(server.address, '/slow')))
    thread.start()
    wait_until(lambda: ' 1 busy' in of(server, 'status').stdout, 'the request')
    run = succeeds(of(server, verb),
                   rf'^stopping shop \(pid {server.pid}\): 1 request is being finished, by '
                   r'\d\d:\d\d:\d\d at the latest \(30 s\)$', r'^shop has stopped \(1?\.?\d+ m?s\)$')
    thread.join(PATIENCE)
    assert answers[0].body == b'one'
    assert not is_alive(server.pid), run
    assert server.ended() == 0
    fails(of(server, verb), 3, 'no server was found')


def test_stop_says_what_it_has_cut_off(shop):
    """The server has stopped, which was asked for."""
    server = shop('--graceful-shutdown-timeout', '500ms')
    with Connection(server.address) as c:
        c.send('GET /slower HTTP/1.1\r\nHost: t\r\n\r\n')
        wait_until(lambda: ' 1 busy' in of(server, 'status').stdout, 'the request')
        succeeds(of(server, 'stop'), ': 1 request is being finished, by ',
                 r'^shop has stopped \(.*s\); 1 request was cut off$')
    assert server.ended() == 75


def test_stop_now_waits_for_nobody(shop):
    server = shop()
    with Connection(server.address) as c:
        c.send('GET /slower HTTP/1.1\r\nHost: t\r\n\r\n')
        wait_until(lambda: ' 1 busy' in of(server, 'status').stdout, 'the request')
        succeeds(of(server, 'stop', '--now'), r'^stopping shop \(pid \d+\) at once$',
                 '^shop has stopped')
        assert b'one' not in c.rest()
    assert server.ended() == 0


def test_apaches_stop_is_at_once(shop):
    server = shop('--signal-style', 'apache')
    succeeds(of(server, 'stop'), 'at once$')
    assert server.ended() == 0


def test_waiting_may_have_an_end(shop):
    server = shop()
    with Connection(server.address) as c:
        c.send('GET /slow HTTP/1.1\r\nHost: t\r\n\r\n')
        wait_until(lambda: ' 1 busy' in of(server, 'status').stdout, 'the request')
        fails(of(server, 'stop', '--wait', '0.2'), 6, 'has not ended within 0.2 s; it goes on')
        # A second one joins, and does not hurry it.
        succeeds(of(server, 'stop'), 'has stopped')
        assert c.response().body == b'one'
    assert server.ended() == 0


def test_not_to_wait_is_to_tell(shop):
    server = shop()
    run = succeeds(of(server, 'stop', '--wait=0'))
    assert 'has stopped' not in run.stdout
    assert server.ended() == 0


def test_a_start_that_is_not_waited_for_is_told(daemon, site):
    succeeds(ctl('--wait', '0', 'start', *daemon.words, '-b', '127.0.0.1:0', '-w', '1',
                 '--error-log', daemon.error_log, '--chdir', site.path, 'shop'),
             '^wsgid has been started; whether it serves is not waited for$')
    wait_until(lambda: daemon.error_log.exists() and ' serves ' in daemon.error_log.read_text(),
               'the start')


# --- reload and restart ---------------------------------------------------------------------

def test_a_reload_whose_import_says_very_much_ends_as_any_other(shop, site):
    """More than wsgictl keeps, and than it may be able to read in time: the end matters."""
    server = shop()
    chatter = 'for i in range(130000):\n    print(f"{i:06} " + "x" * 70)\n'
    site.write(chatter + 'def application(environ, start_response):\n'
               '    start_response("200 OK", [])\n    return [b"much"]\n', whole=True)
    succeeds(of(server, 'reload'), '^reload done in .*: generation 2 serves')
    assert get(server.address, '/').body == b'much'
    site.write(chatter + 'raise RuntimeError("in vain")\n', whole=True)
    fails(of(server, 'reload'), 1, '^RuntimeError: in vain$',
          r'^\((what was said before is in the error log|lines are missing here)\)$')


@pytest.mark.parametrize('words', [['reload'], ['graceful'], ['-k', 'graceful']])
def test_reload_shows_the_children_turning_over(shop, site, words):
    server = shop()
    old = sorted(server.ready())
    site.write('two')
    run = succeeds(of(server, *words), rf'^reloading shop \(pid {server.pid}\)$',
                   '^generation 2 is ready: its first child serves$',
                   r'^reload done in .*: generation 2 serves')
    turned = re.findall(r'^child (\d+) is replaced by (\d+), (\d) left$', run.stdout, re.M)
    assert sorted(int(pid) for pid, _, _ in turned) == old
    assert [left for _, _, left in turned] == ['1', '0']
    assert get(server.address, '/').body == b'two'
    succeeds(of(server, 'status'), r'^  generation   2; last reload .*, done in ')


def test_a_failed_reload_shows_the_traceback_and_changes_nothing(shop, site):
    server = shop()
    site.write('def application(:\n', whole=True)
    run = fails(of(server, 'reload'), 1, '^  File ".*shop.py", line 1', 'SyntaxError',
                '^wsgictl: reload failed: ', r'^the old generation \(1\) goes on$')
    assert run.stdout == f'reloading shop (pid {server.pid})\n'
    assert get(server.address, '/').body == b'one'
    succeeds(of(server, 'status'), 'FAILED, the old generation went on:', 'SyntaxError')
    state = json.loads(of(server, 'status', '--json').stdout)
    assert state['server']['reload']['result'] == 'failed'
    log = state['server']['reload']['log'].splitlines()
    # 3.13 leaves "Traceback" out where nothing ran.
    assert any('shop.py' in line for line in log) and log[-1].startswith('SyntaxError')
    succeeds(of(server, 'fullstatus'), '^    File ".*shop.py", line 1',
             '^  SyntaxError')
    site.write('two')
    succeeds(of(server, 'reload'), 'reload done')


def test_all_mistakes_of_a_configuration_are_shown(shop):
    server = shop()
    text = server.config.read_text()
    server.config.write_text(text + 'MaxRequestWorkers many\nTimeuot 3\n')
    fails(of(server, 'reload'), 1, r'shop\.conf:7: MaxRequestWorkers: ',
          r'shop\.conf:8: Timeuot: .*did you mean Timeout', '^wsgictl: reload failed: 2 mistakes',
          r'^the old generation \(1\) goes on$')
    log = json.loads(of(server, 'status', '--json').stdout)['server']['reload']['log']
    assert re.fullmatch(r'.*shop\.conf:7: .*\n.*shop\.conf:8: .*\n', log)
    server.config.write_text(text + 'ServerLimit 9\nStartServers 0\n')
    succeeds(of(server, 'reload'),
             r'^warning: .*ServerLimit: changes only when wsgid is stopped and started',
             r'^warning: .*StartServers: 0 is not allowed', 'reload done')


def test_what_a_reload_cannot_change_is_said(shop, directory):
    server = shop()
    config = server.config.read_text()
    server.config.write_text(f'{config}PidFile {directory}/second.pid\nControlGroup daemon\n'
                             f'ScoreBoardFile {directory}/board\nMutex flock\n')
    # Of each reload, as what runs has not changed.
    for _ in range(2):
        run = succeeds(of(server, 'reload'), 'reload done')
        for directive in ('PidFile', 'ControlGroup', 'ScoreBoardFile', 'Mutex'):
            assert (f'warning: {directive} changes only when wsgid is stopped and started\n'
                    in run.stdout), run
    server.config.write_text(config)
    assert 'warning' not in succeeds(of(server, 'reload'), 'reload done').stdout


def test_a_reload_that_takes_long_need_not_be_awaited(shop, site):
    server = shop()
    site.write('import time\ntime.sleep(1)\n' + APPLICATION % 'two', whole=True)
    fails(of(server, 'reload', '--wait', '0.2'), 6, 'the reload is not done within 0.2 s')
    assert json.loads(of(server, 'status', '--json').stdout)['server']['reload']['result'] == \
        'running'
    # Another one waits for its turn.
    succeeds(of(server, 'reload'), 'generation 3 serves')
    assert get(server.address, '/').body == b'two'


def test_a_reload_may_only_be_told(shop, site):
    server = shop()
    site.write('two')
    run = succeeds(of(server, 'reload', '--wait', '0'))
    assert run.stdout == f'reloading shop (pid {server.pid})\n'
    server.log.wait_for('reload done: generation 2')
    assert get(server.address, '/').body == b'two'


def test_restart_is_ungraceful_and_answers_when_a_child_serves(shop, site):
    server = shop()
    old = sorted(server.ready())
    site.write('two')
    with Connection(server.address) as c:
        c.send('GET /slower HTTP/1.1\r\nHost: t\r\n\r\n')
        wait_until(lambda: ' 1 busy' in of(server, 'status').stdout, 'the request')
        succeeds(of(server, 'restart'), rf'^restarting shop \(pid {server.pid}\)$',
                 r'^restart done in .*: generation 2 serves')
        assert get(server.address, '/').body == b'two'
        assert b'one' not in c.rest()
    wait_until(lambda: not any(map(is_alive, old)), 'the end of the old children')
    succeeds(of(server, 'status'), 'restarted 20')


def test_a_failed_restart_says_that_nobody_serves(shop, site):
    server = shop()
    site.write('import no_such_module\n', whole=True)
    fails(of(server, 'restart'), 1, "No module named 'no_such_module'",
          '^the old children are gone and no new one serves; the master goes on trying$')
    site.write('two')
    succeeds(of(server, 'restart'), 'restart done')
    assert get(server.address, '/').body == b'two'
    # A configuration that cannot be used touches nobody.
    server.config.write_text(server.config.read_text() + 'Timeout never\n')
    fails(of(server, 'restart'), 1, 'Timeout: ', r'^the old generation \(\d+\) goes on$')
    assert get(server.address, '/').body == b'two'


@pytest.mark.parametrize('verb', ['reload', 'upgrade'])
def test_a_server_that_stops_ends_the_wait_for_a_reload(shop, site, verb):
    server = shop()
    site.write('import time\nprint("importing", flush=True)\ntime.sleep(5)\n', whole=True)
    waiting = subprocess.Popen(
        [str(WSGICTL), verb, '--run-directory', str(server.run_directory)], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    server.log.wait_for('importing')
    succeeds(of(server, 'stop'), 'has stopped')
    output, error = waiting.communicate(timeout=PATIENCE)
    assert waiting.returncode == 1, output
    # Nobody goes on.
    assert error.endswith(f'wsgictl: {verb} failed: the server is being stopped\n')
    assert server.ended() == 0


# --- logs -----------------------------------------------------------------------------------

def test_reopened_logs_get_the_next_lines(shop, directory):
    error, access = directory / 'error.log', directory / 'access.log'
    server = shop('--error-log', error, '--access-log', access, error_log=error)
    get(server.address, '/before')
    wait_until(lambda: '/before' in access.read_text(), 'the line')
    for file in (error, access):
        file.rename(file.with_suffix('.1'))
    succeeds(of(server, 'reopen-logs'), rf'^error log reopened: {error}$',
             '^access logs reopened: 1$')
    assert 'logs reopened' in error.read_text()
    get(server.address, '/after')
    wait_until(lambda: '/after' in access.read_text(), 'the line in the new file')
    assert '/after' not in access.with_suffix('.1').read_text()
    # Where one cannot be opened nothing changes.
    access.rename(access.with_suffix('.2'))
    access.mkdir()
    fails(of(server, 'reopen-logs'), 1, rf'reopen-logs: --access-log: CustomLog {access}: Is a directory')
    get(server.address, '/still')
    wait_until(lambda: '/still' in access.with_suffix('.2').read_text(), 'the line')


def test_children_that_are_busy_for_longer_are_named(shop, directory):
    error, access = directory / 'error.log', directory / 'access.log'
    server = shop('--error-log', error, '--access-log', access, error_log=error)
    with Connection(server.address) as long:
        long.send('GET /slower HTTP/1.1\r\nHost: t\r\n\r\n')
        wait_until(lambda: ' 1 busy' in of(server, 'status').stdout, 'the request')
        run = succeeds(of(server, 'reopen-logs'), '^access logs reopened: 1$',
                       r'^child \d+ is in a request, and has the old access logs until that ends$')
        pid = int(re.search(r'^child (\d+)', run.stdout, re.M)[1])
        assert pid in server.ready()
        assert run.stdout.count('child ') == 1


def test_the_log_level_changes_until_the_next_reload(shop):
    server = shop()
    succeeds(of(server, 'log-level'), '^LogLevel notice$')
    succeeds(of(server, 'log-level', 'debug'), '^LogLevel debug$')
    server.log.wait_for('LogLevel debug until the next reload')
    child = server.children()[0]
    os.kill(child, signal.SIGKILL)
    server.log.wait_for(r'\[master:info\].* is ready')
    # Children are told too, those that come later as well.
    since = len(server.log.text())
    with Connection(server.address) as c:
        c.send('nonsense\r\n\r\n')
        c.rest()
    server.log.wait_for(r'\[child:info\].* refused', since=since)
    succeeds(of(server, 'reload'))
    succeeds(of(server, 'log-level'), '^LogLevel notice$')
