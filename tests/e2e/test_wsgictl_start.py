"""wsgictl start, restart of what does not run, and configtest."""

import concurrent.futures
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess

import pytest

from client import Connection, get
from server import BUILD, PATIENCE, clean_environment, free_port, is_alive, wait_until
from wsgictl import APPLICATION, WSGICTL, ctl, fails, start_words, succeeds, write_config


def test_start_returns_when_it_serves(daemon, site):
    port = free_port()
    words = start_words(daemon, site, '-b', f'127.0.0.1:{port}', 'shop:application')
    run = succeeds(ctl(*words), rf'^{port} has started, pid (\d+): shop:application at '
                   rf'http://127\.0\.0\.1:{port}$')
    assert get(('127.0.0.1', port), '/').body == b'one'
    pid, = daemon.pids()
    assert str(pid) in run.stdout
    succeeds(ctl(*words), rf'^{port} runs already, pid {pid}$')
    succeeds(ctl('stop', *daemon.words), 'has stopped')
    assert not is_alive(pid)
    assert ctl('status', *daemon.words).returncode == 3


def test_of_several_that_start_the_same_at_once_one_does(daemon, site):
    """And the others wait for it, after their wsgid has said what is in its way, or without one."""
    site.write('import time\ntime.sleep(0.5)\n' + APPLICATION % 'one', whole=True)
    words = start_words(daemon, site, '-b', f'127.0.0.1:{free_port()}', 'shop:application')
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda _: ctl(*words), range(4)))
    pid, = daemon.pids()
    for run in runs:
        assert run.returncode == 0, run
        assert re.search(rf'^\d+ (has started|runs already|runs by now), pid {pid}\b', run.stdout,
                         re.M), run
    assert sum('has started' in run.stdout for run in runs) == 1


def test_a_start_that_fails_says_why(daemon, site):
    site.write('import no_such_module\n', whole=True)
    run = ctl(*start_words(daemon, site, '-b', '127.0.0.1:0', 'shop:application'))
    assert run.returncode == 1
    assert "No module named 'no_such_module'" in run.stderr
    assert ctl('status', *daemon.words).returncode == 3


def fails_to_start(run):
    assert run.returncode == 1, run
    assert re.search("[Nn]o module (named )?'nosuch'", run.stderr), run
    return run


def without_pipes(program, *words, env=None):
    """Only its own end is waited for: not that of all who could write to our pipe."""
    return subprocess.run([str(program), *map(str, words)], timeout=PATIENCE,
                          env={**clean_environment(), **(env or {})}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode


def test_a_daemon_that_has_failed_is_gone(daemon, site, directory):
    """Who hears of it may start the next one.  Its end takes a moment here: it has last words for
    somebody who does not listen."""
    path = str(directory / 'notify')
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as others:
        deaf.bind(path)
        others.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                others.sendto(b'x', path)
        status = without_pipes(BUILD / 'wsgid', '--daemon',
                               *start_words(daemon, site, '-b', '127.0.0.1:0',
                                            'nosuch:application')[1:],
                               env={'NOTIFY_SOCKET': path})
        pid = int(re.search(r'\[pid (\d+)\]', daemon.error_log.read_text())[1])
        assert (status, is_alive(pid), daemon.pids()) == (1, False, [])


def test_a_start_after_one_that_failed_fails_as_well(daemon, site):
    config = write_config(site.path / 'shop.conf', daemon, site, 'nosuch:application')
    for _ in range(10):
        assert without_pipes(WSGICTL, 'start', '-c', config) == 1
        assert ctl('status', '-c', config).returncode == 3
    fails_to_start(ctl('start', '-c', config))


def test_a_start_waits_for_the_end_of_the_one_that_stops(daemon, site):
    config = write_config(site.path / 'shop.conf', daemon, site, 'shop:application')
    run = succeeds(ctl('start', '-c', config), '^shop has started')
    address = ('127.0.0.1', int(re.search(r':(\d+)$', run.stdout)[1]))
    old, = daemon.pids()
    with Connection(address) as c:
        c.send('GET /slow HTTP/1.1\r\nHost: t\r\n\r\n')
        wait_until(lambda: ' 1 busy' in ctl('status', '-c', config).stdout, 'the request')
        succeeds(ctl('--wait', '0', 'stop', '-c', config))
        fails(ctl('--wait', '0', 'start', '-c', config), 6,
              rf'^wsgictl: shop \(pid {old}\) is ending, .* nothing else has been started$')
        succeeds(ctl('start', '-c', config),
                 rf'^shop \(pid {old}\) is ending, which is waited for$', '^shop has started, pid ')
        assert c.response().body == b'one'
    pid, = daemon.pids()
    assert pid != old
    assert get(address).body == b'one'


STARTS_WHEN_TOLD = """\
import pathlib, time
while not pathlib.Path('go').exists():
    time.sleep(0.01)
"""


def start_with(program, config):
    return subprocess.Popen([str(program), 'start', '-c', str(config)], text=True,
                            env=clean_environment(), stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def start_two(daemon, site):
    """Two that are told to start the same; the second when the first imports."""
    config = write_config(site.path / 'shop.conf', daemon, site, 'shop:application')
    first = start_with(WSGICTL, config)
    wait_until(lambda: 'the first one is starting' in ctl('status', '-c', config).stdout,
               'the first start')
    return first, start_with(WSGICTL, config)


def ended(process):
    out, errors = process.communicate(timeout=PATIENCE)
    return subprocess.CompletedProcess(process.args, process.returncode, out, errors)


def test_a_start_waits_for_another_one_to_serve(daemon, site):
    site.write(STARTS_WHEN_TOLD + APPLICATION % 'one', whole=True)
    first, second = start_two(daemon, site)
    said = second.stdout.readline()
    pid, = daemon.pids()
    assert said == f'shop (pid {pid}) is being started already: its first child is waited for\n'
    fails(ctl('--wait', '0.2', 'start', '-c', site.path / 'shop.conf'), 6, 'is being started, and')
    succeeds(ctl('--wait', '0', 'start', '-c', site.path / 'shop.conf'),
             f'^shop is being started already, pid {pid}; whether it serves is not waited for$')
    (site.path / 'go').touch()
    succeeds(ended(second), rf'^shop runs by now, pid {pid}$')
    succeeds(ended(first), rf'^shop has started, pid {pid}')


def test_a_start_after_another_one_that_fails_tries_it_itself(daemon, site):
    site.write(STARTS_WHEN_TOLD + 'import nosuch\n', whole=True)
    first, second = start_two(daemon, site)
    assert 'is being started already' in second.stdout.readline()
    (site.path / 'go').touch()
    fails_to_start(ended(first))
    fails_to_start(ended(second))


def test_who_was_overtaken_says_how_that_one_ended(daemon, site, directory):
    """Which began after it was looked for another one, and before there was a pid file."""
    site.write(STARTS_WHEN_TOLD + 'import nosuch\n', whole=True)
    config = write_config(site.path / 'shop.conf', daemon, site, 'shop:application')
    place = directory / 'bin'
    place.mkdir()
    shutil.copy(WSGICTL, place)
    (place / 'wsgid').write_text(f"""\
#!/bin/sh
'{BUILD}/wsgid' "$@" >/dev/null 2>&1 &
while [ ! -s '{daemon.run_directory}/shop.pid' ]; do sleep 0.01; done
exec '{BUILD}/wsgid' "$@"
""")
    (place / 'wsgid').chmod(0o755)
    overtaken = start_with(place / 'wsgictl', config)
    said = overtaken.stdout.readline()
    pid, = daemon.pids()
    assert said.startswith(f'shop (pid {pid}) is being started already')
    (site.path / 'go').touch()
    fails(ended(overtaken), 1, f'already runs with pid file .*shop.pid .pid {pid}.',
          rf'^wsgictl: shop \(pid {pid}\), which was being started, has ended without serving; its '
          'error log says why$')


@pytest.mark.parametrize('words, status, sentence', [
    (['--max-request-workers', 'x', 'shop:application'], 2, 'MaxRequestWorkers'),
    (['--frobnicate', 'shop:application'], 2, 'unknown option --frobnicate'),
    ([], 2, 'nothing to serve|WSGIApplication|ErrorLog'),
    (['--name', 'no-such-site'], 5, 'a new server is called after its configuration'),
])
def test_mistakes_of_a_start_keep_their_status(daemon, site, words, status, sentence):
    run = ctl(*start_words(daemon, site, *words))
    assert (run.returncode, run.stdout) == (status, ''), run
    assert re.search(sentence, run.stderr), run.stderr


def test_restart_starts_what_does_not_run(daemon, site):
    config = site.path / 'shop.conf'
    config.write_text(f'Listen 127.0.0.1:{free_port()}\nWSGIApplication shop:application\n'
                      f'ChDir {site.path}\nErrorLog {daemon.error_log}\nProcesses 1\n'
                      f'RunDirectory {daemon.run_directory}\n')
    succeeds(ctl('restart', '-c', config), '^it does not run, so it is started$',
             '^shop has started, pid ')
    succeeds(ctl('restart', '-c', config), 'restart done')
    succeeds(ctl('-c', config, '-k', 'start'), '^shop runs already')
    succeeds(ctl('graceful', '-c', config), 'reload done')
    succeeds(ctl('-c', config, 'graceful-stop'), '^shop has stopped')
    fails(ctl('graceful', '-c', config), 3, 'no server was found; looked for shop')


def test_restart_starts_no_other_server_than_the_dead_one(daemon, site):
    """Without a name it is the default configuration that would be started."""
    config = write_config(site.path / 'shop.conf', daemon, site, 'shop:application')
    succeeds(ctl('start', '-c', config))
    old, = daemon.pids()
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: not is_alive(old), 'its end')
    run = fails(ctl('restart', *daemon.words), 3,
                f'^wsgictl: shop is dead: restart it with -c {config}$')
    assert run.stdout == ''
    shutil.copy(daemon.run_directory / 'shop.pid', daemon.run_directory / 'other.pid')
    run = fails(ctl('restart', *daemon.words), 3, 'no server runs, but several have left files')
    assert run.stdout == ''
    succeeds(ctl('restart', '-c', config), '^it does not run, so it is started$',
             '^shop has started')
    (daemon.run_directory / 'other.pid').unlink()


def test_configtest_is_wsgids_own(site):
    config = site.path / 'site.conf'
    config.write_text('WSGIApplication shop:application\n')
    for words in (['configtest', '-c', config], ['-c', config, 'configtest'],
                  ['--config', config, '-k', 'configtest']):
        run = ctl(*words)
        assert (run.returncode, run.stderr) == (0, 'Syntax OK\n')
    config.write_text('MaxRequestWorkers many\n')
    run = ctl('configtest', '-c', config)
    assert run.returncode == 5
    assert 'site.conf:1: MaxRequestWorkers' in run.stderr
