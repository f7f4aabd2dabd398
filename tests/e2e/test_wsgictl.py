"""wsgictl as a person types it: every verb, on servers alive, stopped, dead and absent."""

import contextlib
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pytest

from client import Connection, get
from server import (BUILD, IS_ROOT, PATIENCE, clean_environment, free_port, freeze, is_alive,
                    run_wsgid, wait_until)

ROOT = pathlib.Path(__file__).resolve().parents[2]
WSGICTL = BUILD / 'wsgictl'
VERBS = ['start', 'stop', 'restart', 'reload', 'graceful-stop', 'upgrade', 'scale', 'status',
         'fullstatus', 'configtest', 'doctor', 'reopen-logs', 'log-level', 'version']
APPLICATION = """\
import time

def application(environ, start_response):
    if environ['PATH_INFO'] == '/slow':
        time.sleep(1.5)
    if environ['PATH_INFO'] == '/slower':
        time.sleep(8)
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'%s']
"""


def ctl(*words, env=None, timeout=PATIENCE):
    """wsgictl to its end."""
    return subprocess.run([str(WSGICTL), *map(str, words)], text=True, timeout=timeout,
                          env={**clean_environment(), **(env or {})},
                          stdin=subprocess.DEVNULL, capture_output=True)


def of(server, *words, **more):
    """The same, for one server."""
    return ctl('--run-directory', server.run_directory, *words, **more)


def succeeds(run, *patterns):
    assert (run.returncode, run.stderr) == (0, ''), run
    for pattern in patterns:
        assert re.search(pattern, run.stdout, re.M), run.stdout
    return run


def fails(run, status, *patterns):
    assert run.returncode == status, run
    for pattern in patterns:
        assert re.search(pattern, run.stderr, re.M), run.stderr
    assert run.stderr.startswith('wsgictl: ') or '\nwsgictl: ' in run.stderr, run.stderr
    return run


@pytest.fixture
def site(directory):
    """A directory with an application that a test may change: write('text')."""
    place = directory / 'site'
    place.mkdir()
    place.chmod(0o755)

    class Site:
        path = place

        def write(self, text, whole=False):
            # Its time stamp may stay: no child has left a .pyc, it may not write here.
            file = place / 'shop.py'
            file.write_text(text if whole else APPLICATION % text)
            file.chmod(0o644)
    made = Site()
    made.write('one')
    return made


@pytest.fixture
def shop(new_server, site):
    """A server of that application with a configuration file of its own."""
    def start(*words, error_log=None):
        config = site.path / 'shop.conf'
        config.write_text('StartServers 2\nMinSpareServers 1\nMaxSpareServers 2\n'
                          'MaxRequestWorkers 4\nWSGIApplication shop:application\n'
                          f'ChDir {site.path}\n')
        server = new_server('-c', config, *words)
        server.config = config
        if error_log is None:
            server.start()
        else:
            start_with(server, error_log)
        server.wait_for_ready(2)
        return server
    return start


def start_with(server, error_log):
    """Its start line goes to a file."""
    server.spawn()
    wait_until(lambda: error_log.exists() and ' serves ' in error_log.read_text(), 'the start')
    found = re.search(r' serves \S+ at (.+)$', error_log.read_text(), re.M)
    server.addresses = found[1].split()


class Daemon:
    """What "wsgictl start" has left running; it goes with the test."""

    def __init__(self, directory):
        self.directory = directory
        self.run_directory = directory / 'run'
        self.error_log = directory / 'error.log'
        self.words = ['--run-directory', str(self.run_directory)]

    def pids(self):
        return [int(file.read_text()) for file in self.run_directory.glob('*.pid')]

    def discard(self):
        for pid in self.pids() if self.run_directory.exists() else []:
            try:
                os.kill(pid, signal.SIGCONT)
                os.kill(pid, signal.SIGQUIT)
            except ProcessLookupError:
                continue
            wait_until(lambda: not is_alive(pid), 'the end of the daemon')  # noqa: B023


@pytest.fixture
def daemon(directory):
    made = Daemon(directory)
    yield made
    made.discard()


def start_words(daemon, site, *words):
    return ['start', *daemon.words, '--error-log', daemon.error_log, '--chdir', site.path,
            '-w', '2', *words]


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


def test_a_process_that_was_alone_knows_when_there_are_more(serve, site):
    site.write("""\
def application(environ, start_response):
    start_response('200 OK', [])
    return [b'%a' % environ['wsgi.multiprocess']]
""", whole=True)
    server = serve('shop', '-w', '1', cwd=site.path)
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


# --- the command line -----------------------------------------------------------------------

def test_no_word_at_all_lists_the_verbs():
    run = fails(ctl(), 2, 'what shall be done')
    for verb in VERBS:
        assert verb in run.stderr


def test_an_unknown_verb_lists_the_known_ones():
    run = fails(ctl('dance', '4'), 2, 'unknown verb "dance"')
    for verb in VERBS:
        assert verb in run.stderr


@pytest.mark.parametrize('words, sentence', [
    (['stop', 'now'], 'stop: "now" is one word too many'),
    (['stop', 'start'], 'one word too many'),
    (['-k', 'stop', '-k', 'start'], 'one verb at a time'),
    (['status', '--name'], '--name needs a value'),
    (['status', '--name='], '--name needs a value'),
    (['status', '--name', 'a/b'], 'a name has no "/"'),
    (['status', '--frobnicate'], 'unknown option --frobnicate'),
    (['reload', '--json'], '--json is for status'),
    (['reload', '--now'], '--now is for stop'),
    (['status', '--query'], '--query is for fullstatus'),
    (['reload', '--ready'], '--ready is for status and fullstatus'),
    (['status', '--json=yes'], '--json takes no value'),
    (['stop', '--wait', 'long'], '--wait long: give seconds'),
    (['stop', '--wait', '-1'], '--wait -1: give seconds'),
    (['stop', '--wait', 'nan'], 'give seconds'),
    (['scale'], 'scale needs a number of processes'),
    (['scale', 'many'], 'scale many: a number of processes is expected'),
    (['scale', '-1'], 'scale -1: a number of processes is expected'),
    (['log-level', 'loud'], 'log-level loud: a level is one of'),
    (['-k', 'dance'], 'unknown verb "dance"'),
])
def test_mistakes_get_a_sentence(words, sentence):
    run = fails(ctl(*words), 2, re.escape(sentence))
    assert run.stdout == ''


def test_help_fits_a_terminal():
    run = succeeds(ctl('--help'))
    for verb in [*VERBS, 'graceful']:
        assert re.search(rf'\b{verb}\b', run.stdout)
    assert max(map(len, run.stdout.splitlines())) <= 80


@pytest.mark.parametrize('name', ['wsgictl.bash', '_wsgictl', 'wsgictl.fish'])
def test_completions_know_every_verb(name):
    text = (ROOT / 'etc/completion' / name).read_text()
    for verb in [*VERBS, 'graceful']:
        assert re.search(rf"[\s']{verb}[\s:']", text), verb


def test_it_needs_neither_python_nor_liburing():
    """So it works where the loader finds no library for a child."""
    run = subprocess.run(['readelf', '-d', str(WSGICTL)], text=True, capture_output=True, check=True)
    needed = re.findall(r'\(NEEDED\).*\[(.+)\]', run.stdout)
    assert any(name.startswith('libc.so') for name in needed)
    assert not [name for name in needed if re.match('libpython|liburing', name)]


def test_version_needs_no_server(directory):
    run = succeeds(ctl('version', '--run-directory', directory))
    assert run.stdout == 'wsgictl/' + run_wsgid('-v').stdout.split('/')[1]


# --- which server ---------------------------------------------------------------------------

READING = ['status', 'fullstatus']
DOING = ['stop', 'graceful-stop', 'reload', 'graceful', 'upgrade', 'reopen-logs', 'log-level']


@pytest.mark.parametrize('verb', READING + DOING)
def test_where_none_is_found_it_is_said_where_was_looked(directory, verb):
    run = fails(ctl(verb, '--run-directory', directory / 'no'), 3, 'no server was found',
                rf'\*\.pid, \.ctl and \.scoreboard in {directory}/no \(there is none\)')
    assert run.stdout == ''
    fails(ctl(verb, '--run-directory', directory, '--name', 'shop'), 3,
          rf'looked for shop\.pid, \.ctl and \.scoreboard in {directory}$')


def test_the_usual_places_are_searched(directory):
    env = {'RUNTIME_DIRECTORY': f'{directory}:/other', 'XDG_RUNTIME_DIR': str(directory / 'x')}
    run = ctl('status', '--name', 'no-such-server', env=env)
    fails(run, 3, rf'in {directory}, /run/wsgid( \(there is none\))? and {directory}/x/wsgid')


def test_a_server_is_found_by_each_of_its_names(shop):
    server = shop()
    head = rf'^wsgid/\S+ \[shop\] is running, pid {server.pid}, up '
    run = server.run_directory
    for words in (['--run-directory', run], ['--run-directory', run, '--name', 'shop'],
                  ['-n', 'shop', '--run-directory', f'{run}/'],
                  ['--pid-file', run / 'shop.pid', '--run-directory', run],
                  ['-c', server.config, '--run-directory', run]):
        succeeds(ctl('status', *words), head)
    # As a container is configured, and as a unit of systemd is.
    succeeds(ctl('status', env={'WSGID_RUN_DIRECTORY': str(run)}), head)
    succeeds(ctl('status', '-n', 'shop', env={'RUNTIME_DIRECTORY': str(run)}), head)


def test_a_configuration_names_directory_and_pid_file(serve, site, directory):
    config = site.path / 'site.conf'
    run, pid_file = directory / 'run-site', directory / 'site-a.pid'
    config.write_text(f'WSGIApplication shop:application\nChDir {site.path}\n'
                      f'RunDirectory {run}\nPidFile {pid_file}\n')
    server = serve('-c', config)
    # The option was stronger than the file; here it is as well.
    succeeds(ctl('status', '-c', config, '--run-directory', server.run_directory), 'is running')
    # Without it the pid file leads to the master, but not to its socket.
    fails(ctl('stop', '-c', config), 1,
          rf'site \(pid {server.pid}\) runs, but nobody answers at .* {run}/site\.ctl')
    server.stop()
    fails(ctl('stop', '-c', config), 3,
          rf'looked for the pid file {pid_file} and site\.pid, \.ctl and \.scoreboard in {run} ')


def test_the_file_with_mistakes_still_finds_its_server(shop):
    server = shop()
    server.config.write_text('Nonsense here\nMaxRequestWorkers many\n')
    succeeds(ctl('status', '-c', server.config, '--run-directory', server.run_directory),
             r'\[shop\] is running')


def test_a_missing_configuration_is_named(directory):
    fails(ctl('stop', '-c', directory / 'no.conf'), 5,
          rf'configuration {directory}/no\.conf: No such file')


def test_a_configuration_that_cannot_be_read_gets_a_sentence(directory):
    fails(ctl('stop', '-c', '/dev/zero'), 5, 'configuration /dev/zero: it is not a regular file$')
    fails(ctl('stop', '-c', directory), 5, f'configuration {directory}: it is not a regular file$')


def test_several_servers_are_listed(serve, new_server):
    one = serve('hello', '-w', '1')
    words = ['-w', '1', '--pid-file', one.run_directory / 'other.pid']
    other = new_server('hello', *words)
    other.run_directory = one.run_directory
    other.start()
    for verb, status in (('status', 4), ('stop', 2), ('reload', 2)):
        run = fails(of(one, verb), status, 'several servers run; choose one with --name',
                    rf'^  {one.port} +pid {one.pid} +running, in',
                    rf'^  {other.port} +pid {other.pid} +running, in')
        assert run.stdout == ''
    succeeds(of(one, 'stop', '--name', other.port), rf'{other.port} has stopped')
    assert other.process.wait(PATIENCE) == 0
    succeeds(of(one, 'status'), rf'\[{one.port}\] is running')


def test_a_pid_file_elsewhere_finds_the_files_of_its_server(serve, directory):
    pid_file = directory / 'elsewhere.pid'
    server = serve('hello', '-w', '1', '--pid-file', pid_file)
    succeeds(of(server, 'status', '--pid-file', pid_file),
             rf'\[{server.port}\] is running, pid {server.pid}')
    # And without it the one in the run directory, which is there all the same.
    succeeds(of(server, 'status'), rf'\[{server.port}\] is running, pid {server.pid}')
    server.kill(signal.SIGKILL)
    server.process.wait(PATIENCE)
    assert of(server, 'status', '--pid-file', pid_file).returncode == 1
    assert of(server, 'status').returncode == 1


def test_a_pid_file_alone_finds_what_lies_beside_it(serve):
    server = serve('hello', '-w', '1')
    pid_file, = server.run_directory.glob('*.pid')
    succeeds(ctl('status', '--pid-file', pid_file), rf'is running, pid {server.pid}', '^ *workers ')
    succeeds(ctl('reload', '--pid-file', pid_file), 'reload done')
    succeeds(ctl('stop', '--pid-file', pid_file), 'has stopped')


def test_two_configurations_of_one_name_do_not_share_a_directory(serve, new_server, site,
                                                                 directory):
    configs = []
    for folder in ('a', 'b'):
        (directory / folder).mkdir()
        config = directory / folder / 'shop.conf'
        config.write_text(f'WSGIApplication shop:application\nChDir {site.path}\n'
                          f'PidFile {directory}/{folder}.pid\n')
        configs.append(config)
    one = serve('-c', configs[0])
    run = one.run_directory
    other = new_server('-c', configs[1])
    other.run_directory = run
    other.spawn()
    assert other.process.wait(PATIENCE) == 1
    other.log.wait_for(rf'already runs with pid file {run}/shop\.pid \(pid {one.pid}\); '
                       'stop it or choose another RunDirectory')
    # The first one is neither shown nor stopped in the place of the second.
    words = ['-c', configs[1], '--run-directory', run]
    assert ctl('status', *words).returncode == 3
    assert ctl('stop', *words).returncode == 3
    succeeds(ctl('status', '-c', configs[0], '--run-directory', run),
             rf'\[shop\] is running, pid {one.pid}')
    one.stop()
    assert not list(run.glob('shop.*'))
    assert not (directory / 'a.pid').exists()


def test_a_pid_file_that_is_new_in_the_configuration_hides_no_server(daemon, site, directory):
    """Its change needs a stop and a start, and a stop needs the server."""
    config = write_config(directory / 'site.conf', daemon, site, 'shop:application')
    lines = config.read_text()
    started = succeeds(ctl('start', '-c', config), r'^site has started, pid \d+')
    pid, = daemon.pids()
    assert str(pid) in started.stdout
    for folder in 'a', 'b':
        new = directory / folder / 'new.pid'
        config.write_text(f'{lines}PidFile {new}\n')
        said = f'PidFile {new} is new in the configuration, and the running server does not have'
        for verb, status, shows in (('status', 0, f'is running, pid {pid}'),
                                    ('start', 0, f'site runs already, pid {pid}'),
                                    ('stop', 0, 'site has stopped')):
            run = ctl(verb, '-c', config)
            assert run.returncode == status and shows in run.stdout and said in run.stderr, run
        if folder == 'a':
            # As one that was another before.
            new.parent.mkdir()
            succeeds(ctl('start', '-c', config), 'site has started')
            pid = int(new.read_text())


# --- status ---------------------------------------------------------------------------------

def test_status_is_one_screen(shop):
    server = shop()
    for _ in range(3):
        assert get(server.address, '/').status == 200
    run = succeeds(of(server, 'status'), r'^  application  shop:application$',
                   rf'^  listeners    http://127\.0\.0\.1:{server.port}$',
                   r'^  Python       Python 3\.\d+',
                   r'^  MPM          prefork, at most 4 workers$',
                   r'^  accept       (io_uring|epoll), one listener, mutex none$',
                   r'^  generation   1, never reloaded$', r'^  workers      0 busy, 2 idle$',
                   r'^               __\.\.$', r'^  requests     3 requests on 3 connections, ',
                   r'^  traffic      \d+ B in, \d+ B out, ', r'^  children     2 now, 2 started, 0')
    assert len(run.stdout.splitlines()) <= 24
    assert max(map(len, run.stdout.splitlines())) <= 80


def test_fullstatus_has_a_row_a_worker_and_query_strings_for_who_asks(serve):
    server = serve('probe', '-w', '2')
    rows = server.wait_for_ready(2)
    with Connection(server.address) as c:
        c.send('GET /sleep?s=1&secret=42 HTTP/1.1\r\nHost: t\r\n\r\n')
        wait_until(lambda: ' 1 busy' in of(server, 'status').stdout, 'a busy worker')
        run = succeeds(of(server, 'fullstatus'), r'^Srv +PID +Life +M +Acc +CPU ')
        for pid in rows:
            assert re.search(rf'^\d-1 +{pid} ready ', run.stdout, re.M)
        assert re.search(r' ready +W .* 127\.0\.0\.1 +GET /sleep$', run.stdout, re.M)
        assert 'secret' not in run.stdout
        assert 'secret' not in of(server, 'fullstatus', '--json').stdout
        succeeds(of(server, 'fullstatus', '--query'), r' GET /sleep\?s=1&secret=42$')
        asked = json.loads(of(server, 'fullstatus', '--json', '--query').stdout)
        assert {row['query'] for row in asked['rows']} == {'s=1&secret=42', ''}
        assert c.response().status == 200


def test_no_password_of_a_refused_uri_is_shown(serve):
    server = serve('hello', '-w', '1')
    for target in ('http://joe:secret@example.org/x', 'ftp://joe:secret@example.org/x',
                   'joe:secret@example.org'):
        with Connection(server.address) as c:
            c.send(f'GET {target} HTTP/1.1\r\nHost: t\r\n\r\n')
            assert c.response().status == 400
        run = succeeds(of(server, 'fullstatus', '--query'), r' GET (http://|ftp://)?example\.org(/x)?$')
        assert 'secret' not in run.stdout and 'joe' not in run.stdout


def test_json_says_the_same(serve):
    server = serve('probe', '-w', '2')
    rows = server.wait_for_ready(2)
    for _ in range(3):
        get(server.address, '/hello')
    state = json.loads(succeeds(of(server, 'status', '--json')).stdout)
    assert (state['name'], state['state'], state['pid']) == \
        (str(server.port), 'running', server.pid)
    assert state['server']['application'] == 'probe'
    assert state['server']['reload'] == \
        {'result': 'none', 'begin_us': None, 'end_us': None, 'reason': None, 'log': None}
    assert state['totals']['requests'] == 3
    assert state['workers'] == {'busy': 0, 'idle': 2, 'starting': 0, 'graceful': 0}
    assert state['scoreboard'] == '__'
    assert 'rows' not in state
    full = json.loads(succeeds(of(server, 'fullstatus', '--json')).stdout)
    assert {row['pid'] for row in full['rows']} == set(rows)
    assert sum(row['requests'] for row in full['rows']) == 3
    assert {row['method'] + row['target'] for row in full['rows']} <= {'GET/hello', ''}
    assert all(row['rss_bytes'] > 1 << 20 for row in full['rows'])


def test_the_schema_of_the_manual_has_every_key(serve):
    server = serve('hello', '-w', '1')
    manual = (ROOT / 'src/wsgictl/wsgictl.8').read_text()
    section = re.search(r'^\.Sh JSON\n(.*?)^\.Sh ', manual, re.M | re.S)[1]
    documented = {word for line in re.findall(r'^\.(?:It )?Va (.+)$', section, re.M)
                  for word in re.findall(r'\w+', line)} - {'Va'}

    def keys(value):
        if isinstance(value, dict):
            for key, inner in value.items():
                yield key
                yield from keys(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from keys(inner)
    found = set(keys(json.loads(of(server, 'fullstatus', '--json', '--query').stdout)))
    # Why there is nothing else to read; test_a_scoreboard_that_is_none_gets_a_sentence has it.
    assert 'reason' in found
    assert found == documented


def test_a_server_is_ready_when_a_child_serves(new_server, site, directory):
    """That it runs is not enough for who would send it clients."""
    site.write(f'import os, time\nwhile not os.path.exists({str(directory / "go")!r}):\n'
               '    time.sleep(0.01)\n' + APPLICATION % 'one', whole=True)
    server = new_server('shop', '-w', '1', cwd=site.path)
    server.spawn()
    wait_until(lambda: 'no child serves yet' in of(server, 'status').stdout, 'a scoreboard')
    succeeds(of(server, 'status'), r'\] is running', '^no child serves yet: the first one is starting$')
    run = fails(of(server, 'status', '--ready'), 1, r'^wsgictl: \d+ runs, but no child serves$')
    assert 'is running' in run.stdout
    assert json.loads(of(server, 'status', '--json').stdout)['ready'] is False
    (directory / 'go').touch()
    wait_until(lambda: of(server, 'status', '--ready').returncode == 0, 'a child')
    assert 'no child' not in of(server, 'status').stdout
    assert json.loads(of(server, 'status', '--json').stdout)['ready'] is True
    server.start().stop()
    assert of(server, 'status', '--ready').returncode == 3


def test_a_stopped_master_is_read_and_not_asked(serve):
    server = serve('hello', '-w', '1')
    server.kill(signal.SIGSTOP)
    try:
        begin = time.monotonic()
        wait_until(lambda: 'stopped by a signal' in of(server, 'status').stdout, 'the stop')
        succeeds(of(server, 'status'), 'is running', f'kill -CONT {server.pid}', '1 idle')
        state = json.loads(succeeds(of(server, 'status', '--json')).stdout)
        assert state['state'] == 'stopped by a signal'
        assert state['workers']['idle'] == 1
        for verb in ('stop', 'reload', 'reopen-logs', 'log-level', 'restart'):
            fails(of(server, verb), 6, f'pid {server.pid}.* is stopped by a signal',
                  f'kill -CONT {server.pid}')
        assert time.monotonic() - begin < PATIENCE / 2
    finally:
        server.kill(signal.SIGCONT)
    succeeds(of(server, 'log-level'), '^LogLevel notice$')
    server.stop()


def test_a_dead_server_is_shown_as_it_was(serve):
    server = serve('hello', '-w', '1')
    for _ in range(4):
        get(server.address, '/')
    children = server.children()
    server.kill(signal.SIGKILL)
    server.process.wait(PATIENCE)
    wait_until(lambda: not any(map(is_alive, children)), 'the end of the children')
    run = of(server, 'status')
    assert (run.returncode, run.stderr) == (1, '')
    assert re.search(rf'is dead: its pid file {server.run_directory}/{server.port}.pid was left',
                     run.stdout)
    assert 'this is the last that it wrote' in run.stdout
    assert '4 requests' in run.stdout
    run = of(server, 'fullstatus', '--json')
    assert run.returncode == 1
    state = json.loads(run.stdout)
    assert (state['state'], state['pid']) == ('dead', None)
    assert all(row['rss_bytes'] is None for row in state['rows'])
    for verb in DOING:
        fails(of(server, verb), 3, rf'{server.port} does not run: what is in')
    # And a new one takes its place.
    shutil.rmtree(server.run_directory)


def test_a_scoreboard_that_is_none_gets_a_sentence(serve):
    server = serve('hello', '-w', '1')
    board, = server.run_directory.glob('*.scoreboard')
    data = board.read_bytes()
    board.with_suffix('.new').write_bytes(b'nonsense')
    os.rename(board.with_suffix('.new'), board)
    run = succeeds(of(server, 'status'), 'is running', f'{board} is not a scoreboard of wsgid')
    assert len(run.stdout.splitlines()) == 2
    state = json.loads(of(server, 'status', '--json').stdout)
    assert 'is not a scoreboard' in state['reason']
    board.write_bytes(data)


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
    run = succeeds(of(server, 'reload'), 'reload done')
    for directive in ('PidFile', 'ControlGroup', 'ScoreBoardFile', 'Mutex'):
        assert (f'warning: {directive} changes only when wsgid is stopped and started\n'
                in run.stdout), run


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


# --- start and configtest -------------------------------------------------------------------

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


def test_a_start_that_fails_says_why(daemon, site):
    site.write('import no_such_module\n', whole=True)
    run = ctl(*start_words(daemon, site, '-b', '127.0.0.1:0', 'shop:application'))
    assert run.returncode == 1
    assert "No module named 'no_such_module'" in run.stderr
    assert ctl('status', *daemon.words).returncode == 3


def write_config(config, daemon, site, application):
    config.write_text(f'Listen 127.0.0.1:{free_port()}\nWSGIApplication {application}\n'
                      f'ChDir {site.path}\nErrorLog {daemon.error_log}\nProcesses 2\n'
                      f'RunDirectory {daemon.run_directory}\n')
    return config


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


def start_two(daemon, site):
    """Two that are told to start the same; the second when the first imports."""
    config = write_config(site.path / 'shop.conf', daemon, site, 'shop:application')
    words = [str(WSGICTL), 'start', '-c', str(config)]
    more = {'env': clean_environment(), 'stdin': subprocess.DEVNULL, 'text': True,
            'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE}
    first = subprocess.Popen(words, **more)
    wait_until(lambda: 'the first one is starting' in ctl('status', '-c', config).stdout,
               'the first start')
    second = subprocess.Popen(words, **more)
    return first, second


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
                '^wsgictl: shop is dead: restart it with -n shop or -c FILE$')
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


# --- other users, terminals, hostile masters --------------------------------------------------

need_root = pytest.mark.skipif(not IS_ROOT, reason='needs another user')
NOBODY = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups']


@pytest.fixture
def for_others():
    """The program where any user may run it; a checkout may be private."""
    place = pathlib.Path(tempfile.mkdtemp(prefix='wsgictl-'))
    place.chmod(0o755)
    shutil.copy(WSGICTL, place / 'wsgictl')
    yield place / 'wsgictl'
    shutil.rmtree(place)


@need_root
def test_a_user_without_rights_gets_a_sentence(serve, for_others):
    server = serve('hello', '-w', '1')

    def as_nobody(*words):
        return subprocess.run([*NOBODY, str(for_others), '--run-directory',
                               str(server.run_directory), *words], text=True,
                              env=clean_environment(), capture_output=True, timeout=PATIENCE)
    for words in (['stop'], ['graceful-stop'], ['reload'], ['restart'], ['upgrade'],
                  ['scale', '2'], ['reopen-logs'], ['log-level', 'debug']):
        fails(as_nobody(*words), 4, rf'^wsgictl: {server.port} is the server of user root, and you '
              'are (nobody|#65534): only root may control it; try sudo$')
    shutil.copy(BUILD / 'wsgid', for_others.parent)
    fails(as_nobody('start', '-b', '127.0.0.1:0', 'hello'), 4,
          rf"^wsgictl: RunDirectory {server.run_directory} is user root's, and you are "
          r'(nobody|#65534): you may not start a server there; try sudo$')
    run = as_nobody('status')
    assert run.returncode == 4
    assert re.search(rf'\[{server.port}\] may or may not run$', run.stdout, re.M)
    assert re.search(r'you may not read its scoreboard .*; try sudo', run.stdout)
    assert is_alive(server.pid)


def test_a_pid_file_that_is_a_link_is_no_lack_of_rights(directory):
    run = directory / 'run'
    run.mkdir()
    (run / 'shop.pid').symlink_to('/etc/hostname')
    (run / 'shop.ctl').touch()
    fails(ctl('stop', '--run-directory', run, '-n', 'shop'), 1,
          rf'^wsgictl: whether shop runs cannot be told by its pid file {run}/shop\.pid: '
          'Too many levels of symbolic links$')


@need_root
def test_a_directory_that_one_may_not_look_into_is_no_sign_of_absence(serve, for_others):
    server = serve('hello', '-w', '1')
    server.run_directory.chmod(0o700)
    for words in (['status'], ['fullstatus', '--json'], ['stop'], ['reload'], ['restart']):
        run = subprocess.run([*NOBODY, str(for_others), '--run-directory',
                              str(server.run_directory), *words], text=True,
                             env=clean_environment(), capture_output=True, timeout=PATIENCE)
        fails(run, 4, r'no server was found; .* \(you may not look there\); try sudo$')
        assert run.stdout == ''


def test_several_dead_servers_are_listed_and_none_is_shown(directory):
    run = directory / 'run'
    run.mkdir()
    for name in ('one.pid', 'two.pid', 'one.ctl', 'two.ctl'):
        (run / name).touch()
    for words in (['status'], ['status', '--json']):
        result = fails(ctl('--run-directory', run, *words), 4,
                       'no server runs, but several have left files', '^  one .* dead', '^  two ')
        assert result.stdout == ''


@need_root
def test_a_configuration_that_one_may_not_read_gets_a_sentence(for_others, directory):
    config = directory / 'secret.conf'
    config.touch(0o600)
    directory.chmod(0o755)
    fails(subprocess.run([*NOBODY, str(for_others), 'reload', '-c', str(config)], text=True,
                         env=clean_environment(), capture_output=True, timeout=PATIENCE), 4,
          f'^wsgictl: you may not read the configuration {config}; try sudo$')


@need_root
def test_the_servers_own_user_may(new_server, for_others, directory):
    own = new_server('hello', '-w', '1', launcher=NOBODY)
    own.directory.chmod(0o777)
    if subprocess.run([*NOBODY, 'test', '-x', str(BUILD / 'wsgid')]).returncode != 0:
        pytest.skip('another user may not enter the build folder')
    own.start()

    def as_nobody(*words):
        return subprocess.run([*NOBODY, str(for_others), '--run-directory',
                               str(own.run_directory), *words], text=True,
                              capture_output=True, timeout=PATIENCE)
    for words in (['status'], ['fullstatus'], ['reload'], ['restart'], ['scale', '2'],
                  ['log-level', 'info'], ['reopen-logs']):
        succeeds(as_nobody(*words))
    old = own.pid
    succeeds(as_nobody('upgrade'), 'upgrade done')
    pid_file, = own.run_directory.glob('*.pid')
    own.master = int(pid_file.read_text())
    assert own.master != old
    succeeds(as_nobody('stop'), 'has stopped')
    assert own.ended() == 0


@need_root
def test_a_lock_by_who_only_reads_the_pid_file_keeps_no_server_from_starting(serve, directory):
    """Queued for while the server lives, it is had when that is killed."""
    directory.chmod(0o755)
    pid_file = directory / 'site.pid'
    server = serve('hello', '-w', '1', '--pid-file', pid_file)
    reader = subprocess.Popen(
        [*NOBODY, '/usr/bin/python3', '-c', f"""if True:
            import fcntl, sys
            file = open({str(pid_file)!r})
            print('open', flush=True)
            fcntl.lockf(file, fcntl.LOCK_SH)
            print('locked', flush=True)
            sys.stdin.read()"""],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with reader:
        assert reader.stdout.readline() == 'open\n'
        server.kill(signal.SIGKILL)
        server.process.wait(PATIENCE)
        assert reader.stdout.readline() == 'locked\n'
        again = serve('hello', '-w', '1', '--pid-file', pid_file)
        assert pid_file.read_text() == f'{again.pid}\n'
        assert pid_file.stat().st_mode & 0o777 == 0o644
        again.stop()
        assert not pid_file.exists()
        reader.communicate()


@need_root
@pytest.mark.parametrize('has_directory', [True, False])
def test_another_user_starts_one_of_their_own(for_others, directory, has_directory):
    """In $XDG_RUNTIME_DIR; without it nothing else finds the server, which is said."""
    for path in BUILD.glob('wsgid*'):
        if path.is_file():
            shutil.copy(path, for_others.parent)
    directory.chmod(0o777)
    (directory / 'own.py').write_text(APPLICATION % 'own')
    (directory / 'own.py').chmod(0o644)
    env = clean_environment()
    if has_directory:
        env['XDG_RUNTIME_DIR'] = str(directory)

    def as_nobody(*words):
        return subprocess.run([*NOBODY, str(for_others), *words], text=True, env=env, cwd='/',
                              capture_output=True, timeout=PATIENCE)
    log = directory / 'error.log'
    run = as_nobody('start', '--error-log', str(log), '--chdir', str(directory), '-w', '1',
                    '-b', '127.0.0.1:0', 'own')
    pid, port = map(int, re.search(r'\[pid (\d+)\] wsgid/\S+ serves own at http://127.0.0.1:(\d+)',
                                   log.read_text()).groups())
    try:
        assert get(('127.0.0.1', port)).body == b'own'
        if has_directory:
            succeeds(run, f'^{port} has started, pid {pid}: own at ')
            succeeds(as_nobody('reload', '-n', str(port)), 'reload done')
            succeeds(as_nobody('stop', '-n', str(port)), 'no request is running', 'has stopped')
        else:
            assert 'name one with RunDirectory' in run.stderr
            assert (run.returncode, run.stdout) == (
                0, 'wsgid has started, but in no run directory that it may write to, so the other '
                'verbs will not find it: start it with --run-directory DIRECTORY\n')
    finally:
        if is_alive(pid):
            os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not is_alive(pid), 'the end of the server')


@need_root
def test_silent_callers_of_the_servers_user_keep_nobody_out(new_server, for_others):
    server = new_server('hello', '-w', '1', launcher=NOBODY)
    server.directory.chmod(0o777)
    if subprocess.run([*NOBODY, 'test', '-x', str(BUILD / 'wsgid')]).returncode != 0:
        pytest.skip('another user may not enter the build folder')
    server.start()
    path, = server.run_directory.glob('*.ctl')
    silent = subprocess.Popen([*NOBODY, shutil.which('python3', path='/usr/bin'), '-c', f"""\
import socket, sys
callers = []
for i in range(40):
    callers.append(socket.socket(socket.AF_UNIX))
    callers[-1].connect({str(path)!r})
print('here', flush=True)
sys.stdin.read()
"""], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert silent.stdout.readline() == 'here\n'
        succeeds(of(server, 'log-level'), '^LogLevel notice$')
        run = subprocess.run([*NOBODY, str(for_others), '--run-directory',
                              str(server.run_directory), 'log-level'], text=True,
                             capture_output=True, timeout=PATIENCE)
        succeeds(run, '^LogLevel notice$')
    finally:
        silent.communicate('')
    server.stop()


@need_root
def test_members_of_control_group_may_and_others_may_not(serve, for_others):
    server = serve('hello', '-w', '1', '--control-group', 'mail')
    path, = server.run_directory.glob('*.ctl')
    assert (path.stat().st_mode & 0o777, path.group()) == (0o660, 'mail')
    for read in server.run_directory.glob('*.[ps][ic]*'):
        assert (read.stat().st_mode & 0o777, read.group()) == (0o640, 'mail'), read

    def as_user(groups, *words):
        return subprocess.run(['setpriv', '--reuid', '65534', '--regid', *groups,
                               str(for_others), '--run-directory', str(server.run_directory),
                               *words], text=True, env=clean_environment(),
                              capture_output=True, timeout=PATIENCE)
    outside = ['65534', '--clear-groups']
    fails(as_user(outside, 'reload'), 4,
          'only root and members of group mail may control it; try sudo$')
    for member in (['65534', '--groups', 'games,mail'], ['mail', '--clear-groups']):
        succeeds(as_user(member, 'reload'), 'reload done')
        succeeds(as_user(member, 'fullstatus'), 'generation')
    # Who is behind a connection is asked, too, whatever became of the files.
    for file in server.run_directory.iterdir():
        file.chmod(0o666)
    fails(as_user(outside, 'reload'), 1, 'closed the connection')


def test_an_unknown_control_group_is_a_mistake(new_server):
    server = new_server('hello', '--control-group', 'no-such-group')
    assert server.fails() == 78
    assert 'ControlGroup' in server.log.text() and 'no-such-group' in server.log.text()


@need_root
def test_a_control_group_of_others_is_named(new_server, directory):
    server = new_server('hello', '--control-group', 'daemon', launcher=NOBODY)
    server.directory.chmod(0o777)
    if subprocess.run([*NOBODY, 'test', '-x', str(BUILD / 'wsgid')]).returncode != 0:
        pytest.skip('another user may not enter the build folder')
    assert server.fails() == 1
    assert re.search(r'ControlGroup daemon: (nobody|#65534) is no member of it, and only root may '
                     'give files to groups of others', server.log.text())


def on_terminal(*words):
    """Its status and all that a terminal of 80 columns was sent."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.clear()
        os.environ.update(clean_environment())
        os.execv(WSGICTL, [str(WSGICTL), *map(str, words)])
    output, end = b'', time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if not select.select([fd], [], [], 0.1)[0]:
            continue
        try:
            data = os.read(fd, 65536)
        except OSError:
            break
        if not data:
            break
        output += data
    _, status = os.waitpid(pid, 0)
    os.close(fd)
    return os.waitstatus_to_exitcode(status), output.decode()


def test_a_terminal_gets_one_line_that_changes(shop, site):
    server = shop()
    site.write('import time\ntime.sleep(.7)\n' + APPLICATION % 'two', whole=True)
    status, output = on_terminal('reload', '--run-directory', server.run_directory)
    assert status == 0
    assert re.search(r'waiting for the first child, [\d.]+ m?s', output)
    # Every step in place of the one before, and the result stays.
    assert output.count('\n') == 1
    assert re.search(r'\r\x1b\[Kreload done in [^\r\n]*\r\n$', output)
    status, output = on_terminal('status', '--run-directory', server.run_directory)
    assert (status, '\x1b' in output) == (0, False)
    with Connection(server.address) as client:
        client.send('GET /slow HTTP/1.1\r\nHost: t\r\n\r\n')
        wait_until(lambda: ' 1 busy' in of(server, 'status').stdout, 'the request')
        status, output = on_terminal('stop', '--run-directory', server.run_directory)
    assert status == 0
    assert re.search(r'\): 1 request is being finished, by [\d:]+ at the latest \(30 s\)\r\n', output)
    assert re.search(r'\r\x1b\[K1 request, [12] child(ren)? left after [\d.]+ m?s', output)
    assert re.search(r'\r\x1b\[Kshop has stopped \([^\r\n]*\)\r\n$', output)
    assert server.ended() == 0


def test_a_failed_reload_on_a_terminal_leaves_the_traceback_in_whole_lines(shop, site):
    server = shop()
    site.write('import no_such_module\n', whole=True)
    status, output = on_terminal('reload', '--run-directory', server.run_directory)
    assert status == 1
    stays = re.sub(r'\r[^\r\n]*\r\x1b\[K|\r\x1b\[K', '', output)
    assert stays.startswith('Traceback (most recent call last):\r\n') and '\x1b' not in stays
    assert re.search(r"\r\nwsgictl: reload failed: [^\n]*No module named 'no_such_module'[^\n]*\r\n"
                     r'the old generation \(1\) goes on\r\n$', stays)


def test_every_verb_on_a_terminal_ends_with_a_whole_line(daemon, site):
    def do(*words):
        status, output = on_terminal(*words, *daemon.words)
        assert status == 0, output
        # What was shown in place of a line is wiped out; all that stays is whole lines.
        stays = re.sub(r'\r[^\r\n]*\r\x1b\[K|\r\x1b\[K', '', output)
        assert stays.endswith('\r\n') and '\x1b' not in stays, output
        return stays
    do('start', '--error-log', daemon.error_log, '--chdir', site.path, '-b', '127.0.0.1:0',
       '-w', '1', 'shop:application')
    do('configtest', 'shop:application')
    for words in (['version'], ['status'], ['fullstatus'], ['log-level'], ['log-level', 'info'],
                  ['reopen-logs'], ['scale', '2'], ['restart'], ['upgrade'], ['graceful-stop']):
        do(*words)


def waits_at_a_socket(pid):
    process = pathlib.Path('/proc', str(pid))
    try:
        return (process / 'stat').read_text().rpartition(')')[2].split()[0] == 'S' and any(
            os.readlink(fd).startswith('socket:') for fd in (process / 'fd').iterdir())
    except FileNotFoundError:
        return False  # a descriptor that was closed meanwhile


@pytest.fixture
def impostor(directory):
    """A control socket behind which a test says what it likes: impostor(answer)."""
    listeners, threads, listening = [], [], []

    def listens(path):
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex(str(path)) == 0

    def start(answer, backlog=4, owner=None):
        run = directory / 'fake'
        run.mkdir()
        pid_file = run / 'fake.pid'
        pid_file.write_text(f'{os.getpid()}\n')
        lock = os.open(pid_file, os.O_RDWR)
        fcntl.lockf(lock, fcntl.LOCK_EX)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(run / 'fake.ctl'))
        if owner is None:
            listener.listen(backlog)
        else:
            # Who listens is what the other side sees.
            pid = os.fork()
            if pid == 0:
                os.setuid(owner)
                listener.listen(backlog)
                while True:
                    listener.accept()
            listening.append(pid)
            wait_until(lambda: listens(run / 'fake.ctl'), 'a listener')
        listeners.append((listener, lock))

        def serve():
            while True:
                try:
                    s, _ = listener.accept()
                except OSError:
                    return
                with s:
                    s.recv(4096)
                    if callable(answer):
                        answer(s)
                    else:
                        s.sendall(answer)
        if answer is not None and owner is None:
            threads.append(threading.Thread(target=serve, daemon=True))
            threads[-1].start()
        return run
    yield start
    for pid in listening:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    for listener, lock in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        os.close(lock)
    for thread in threads:
        thread.join(PATIENCE)


def test_no_caller_that_is_stuck_or_hostile_holds_the_master(serve):
    """Their deadline, and what becomes of the seventeenth, are in unit/master/test_control.c."""
    server = serve('hello', '-w', '1')
    path, = server.run_directory.glob('*.ctl')
    callers = []
    try:
        for said in [b'', b'rel', b'status\n' * 500, b'\0' * 5000, b'%zz\n'] * 3:
            callers.append(socket.socket(socket.AF_UNIX))
            callers[-1].connect(str(path))
            try:
                callers[-1].sendall(said)
            except (BrokenPipeError, ConnectionResetError):
                pass  # it was turned away already
        assert get(server.address).status == 200
        assert 'busy:' not in succeeds(of(server, 'status'), 'is running').stdout
        succeeds(of(server, 'reload'), 'reload done')
    finally:
        for caller in callers:
            caller.close()
    server.stop()


def ask_all(server, verb):
    """Sixteen callers who wait for what it says."""
    path, = server.run_directory.glob('*.ctl')
    callers = []
    for _ in range(16):
        callers.append(socket.socket(socket.AF_UNIX))
        callers[-1].connect(str(path))
        callers[-1].sendall(verb + b'\n')
        assert callers[-1].recv(1024).startswith(b'+ ')
    return callers


def test_where_all_places_are_taken_it_is_said(shop, site):
    server = shop()
    site.write('import time\ntime.sleep(5)\n', whole=True)
    callers = ask_all(server, b'reload')
    for words in (['log-level'], ['reload'], ['stop'], ['scale', '3'], ['reopen-logs']):
        fails(of(server, *words), 6, rf'^wsgictl: the master of shop \(pid {server.pid}\) takes no '
              'more callers, and has been told nothing: too many are waiting')
    for caller in callers:
        caller.close()


def test_who_waits_for_the_end_keeps_nobody_out(shop):
    server = shop()
    callers = ask_all(server, b'await-stop')
    succeeds(of(server, 'log-level'))
    succeeds(of(server, 'reload'))
    succeeds(of(server, 'stop'), 'has stopped')
    assert callers[-1].recv(1024) == b'+ cut-off 0\nok\n'
    for caller in callers:
        caller.close()
    assert server.ended() == 0


def dribble(line, every=0.01):
    """Lines without end, until nobody listens."""
    def answer(s):
        try:
            while True:
                s.sendall(line)
                time.sleep(every)
        except OSError:
            pass
    return answer


@pytest.mark.parametrize('words', [
    ['reopen-logs'], ['log-level', 'debug'], ['stop'], ['stop', '--now'], ['graceful-stop'],
    ['reload'], ['restart'], ['upgrade'], ['scale', '2']], ids=' '.join)
def test_whoever_never_comes_to_an_end_is_not_listened_to_for_ever(impostor, words):
    run = impostor(dribble(b'+ log again\n'))
    begin = time.monotonic()
    fails(ctl(*words, '--wait', '0.3', '--run-directory', run), 6,
          'has said [0-9]+ lines within 0.3 s, and is not done|'
          'is not done within 0.3 s|there are not yet 2 processes after 0.3 s')
    assert time.monotonic() - begin < PATIENCE / 3


def test_a_flood_and_nonsense_have_an_end_without_a_time(impostor):
    run = impostor(dribble(b'+ log again\n' * 5000, every=0))
    fails(ctl('reload', '--run-directory', run), 1, 'has said [0-9]+ lines and does not come to an end')


@need_root
def test_a_socket_that_somebody_else_has_put_there_is_told_nothing(impostor):
    """Where the directory is everybody's."""
    run = impostor(b'ok\n', owner=65534)
    for words in (['reload'], ['reopen-logs'], ['stop'], ['scale', '2'], ['upgrade']):
        fails(ctl(*words, '--run-directory', run), 1,
              rf'behind the control socket {run}/fake\.ctl is process \d+ of user \S+, and not the '
              rf'master of fake \(pid {os.getpid()}\): it is told nothing')


STEERING = '\x1b[31m\x07\x9b2J\x85\u202e\u2066'


def test_nothing_that_steers_a_terminal_comes_out(shop, site, directory):
    """Not from names of files, nor from what an application says; letters stay."""
    server = shop()
    evil = [server.run_directory / name for name in (
        f'evil{STEERING}.pid', 'evil\nline.pid', 'evil\u202eline.pid', 'evil\x9b.pid')]
    for file in evil:
        file.touch()
    site.write(f'raise RuntimeError({STEERING + "café שלום"!r} * 40)', whole=True)
    runs = [of(server, 'reload'), of(server, 'status'), of(server, 'fullstatus'),
            of(server, 'status', '--json'), of(server, 'version')]
    for file in evil:
        file.unlink()
    server.stop()
    for file in evil:
        file.touch()
    runs += [of(server, 'status'), of(server, 'stop')]
    for run in runs:
        for text in (run.stdout, run.stderr):
            assert not re.search('[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]',
                                 text), text
    assert 'café שלום' in runs[0].stderr
    assert 'café שלום' in runs[1].stdout and 'café שלום' in runs[2].stdout
    assert runs[3].stdout.isascii()
    reload = json.loads(runs[3].stdout)['server']['reload']
    assert 'café שלום' in reload['reason'] and 'café שלום' in reload['log']
    assert '\ufffd' not in reload['reason'] + reload['log']
    # One line each, whatever they are called.
    assert 'evil?line' in runs[-1].stderr and '\nline' not in runs[-1].stderr
    for file in evil:
        file.unlink()


@pytest.mark.parametrize('words, status', [
    (['version'], 1), (['--help'], 1), (['status'], 4), (['fullstatus', '--json'], 4),
    (['log-level'], 1), (['reload'], 1)], ids=lambda value: ' '.join(value) if isinstance(value, list) else '')
def test_output_that_cannot_be_written_is_a_failure(shop, words, status):
    server = shop()
    with open('/dev/full', 'w') as full:
        run = subprocess.run([str(WSGICTL), '--run-directory', str(server.run_directory), *words],
                             stdout=full, stderr=subprocess.PIPE, text=True, timeout=PATIENCE)
    assert run.returncode == status
    assert run.stderr.startswith('wsgictl: standard output: ')


@pytest.mark.parametrize('answer, sentence', [
    (b'', 'has closed the connection without an answer'),
    (b'+ reloading\n', 'has closed the connection without an answer'),
    (b'+ reloading\nok', 'has closed the connection without an answer'),
    (b'\n', 'does not answer as this wsgictl expects'),
    (b'+ %zz\n', 'does not answer as this wsgictl expects'),
    (b'+ anything\n' * 9, 'does not answer as this wsgictl expects'),
    (b'x' * 5000, 'does not answer as this wsgictl expects'),
    (b'error all%20is%20lost\n', 'reload failed: all is lost'),
    (b'error %1B[31mred\n', r'reload failed: \?\[31mred'),
])
def test_answers_that_are_none_get_a_sentence(impostor, answer, sentence):
    run = impostor(answer)
    fails(ctl('reload', '--run-directory', run), 1, sentence)


def test_a_master_that_takes_no_callers_is_busy(impostor):
    run = impostor(None, backlog=0)
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(run / 'fake.ctl'))
        fails(ctl('reload', '--wait', '0.5', '--run-directory', run), 6, 'takes no more callers')
        succeeds(ctl('status', '--run-directory', run), 'the master is busy')


def test_a_place_in_the_masters_queue_is_waited_for(impostor):
    go_on = threading.Event()

    def answer(caller):
        go_on.wait(PATIENCE)
        caller.sendall(b'+ log-level debug\nok\n')
    run = impostor(answer, backlog=0)
    served, queued = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    with served, queued:
        for caller in (served, queued):  # the second one has a place when the first is served
            caller.connect(str(run / 'fake.ctl'))
            caller.sendall(b'log-level\n')
        asks = subprocess.Popen([str(WSGICTL), 'log-level', '--run-directory', str(run)],
                                env=clean_environment(), text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wait_until(lambda: waits_at_a_socket(asks.pid), 'wsgictl to wait')
        go_on.set()
        assert asks.communicate(timeout=PATIENCE) == ('LogLevel debug\n', '')


def test_a_master_that_says_nothing_is_busy(impostor):
    run = impostor(None)
    succeeds(ctl('status', '--run-directory', run),
             'the master is busy: it has not answered within a second')
    state = json.loads(ctl('status', '--json', '--run-directory', run).stdout)
    assert (state['state'], state['pid']) == ('busy', os.getpid())
