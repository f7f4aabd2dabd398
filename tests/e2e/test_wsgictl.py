"""wsgictl as a person types it: its command line, which server it finds, and its status."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import pytest

from client import Connection, get
from server import PATIENCE, is_alive, run_wsgid, wait_until
from wsgictl import APPLICATION, WSGICTL, ctl, fails, of, succeeds, write_config

ROOT = pathlib.Path(__file__).resolve().parents[2]
VERBS = ['start', 'stop', 'restart', 'reload', 'graceful-stop', 'upgrade', 'scale', 'status',
         'fullstatus', 'configtest', 'doctor', 'reopen-logs', 'log-level', 'stacks', 'version']


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
    (['status', '8000'], '"8000" is one word too many; "-n 8000" means the server of that name'),
    (['try-restart'], 'unknown verb "try-restart"; did you mean restart? There are start,'),
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
DOING = ['stop', 'graceful-stop', 'reload', 'graceful', 'upgrade', 'reopen-logs', 'log-level',
         'stacks']


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


def test_the_variable_of_the_pid_file_names_a_server(serve, directory):
    """Also where nobody says in which run directory the rest of it is."""
    pid_file = directory / 'second.pid'
    server = serve('hello', '-w', '1', '--pid-file', pid_file)
    named = {'WSGID_PID_FILE': str(pid_file)}
    succeeds(ctl('status', env=named), rf'pid {server.pid}\b')
    run = ['--run-directory', server.run_directory]
    succeeds(ctl('status', '--ready', *run, env=named), rf'is running, pid {server.pid}')
    fails(ctl('status', '--ready', env=named), 4, 'runs, but whether a child serves is not known')
    assert json.loads(ctl('status', '--json', env=named).stdout)['ready'] is None
    server.stop()
    fails(ctl('status', env=named), 3, f'no server was found; looked for the pid file {pid_file}')


def test_another_configuration_of_the_same_name_is_another_server(serve, site, directory):
    """Also where a link leads to the configuration of the next release by now."""
    releases = [directory / 'one', directory / 'two']
    for release in releases:
        release.mkdir(mode=0o755)
        (release / 'site.conf').write_text('WSGIApplication shop:application\n'
                                           f'ChDir {site.path}\nListen 127.0.0.1:0\n')
    current = directory / 'current'
    current.symlink_to('one')
    server = serve('-c', current / 'site.conf', bind=None)
    run = ['--run-directory', server.run_directory]
    here, other = releases[0] / 'site.conf', releases[1] / 'site.conf'
    for path in (current / 'site.conf', here):
        succeeds(ctl('status', '-c', path, *run), 'is running')
    was = rf'site \(pid {server.pid}\) was started with {current}/site\.conf; --name site'
    for verb in (*READING, *DOING, 'restart'):
        fails(ctl(verb, '-c', other, *run), 3, rf'no server runs with {other}: {was}')
    fails(ctl('start', '-c', other, *run), 1,
          rf'site \(pid {server.pid}\) runs already, and was started with {current}/site\.conf')
    succeeds(ctl('status', '-c', other, '-n', 'site', *run), 'is running')
    current.unlink()
    current.symlink_to('two')
    succeeds(ctl('reload', '-c', current / 'site.conf', *run), 'reload done')
    succeeds(ctl('start', '-c', other, *run), 'site runs already')
    fails(ctl('stop', '-c', here, *run), 3, 'no server runs with')
    # One that was moved is the same, for all that can be told.
    moved = releases[0] / 'moved'
    moved.mkdir(mode=0o755)
    other.rename(moved / 'site.conf')
    succeeds(ctl('stop', '-c', moved / 'site.conf', *run))


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
    assert state['workers'] == {
        'busy': 0, 'idle': 2, 'starting': 0, 'graceful': 0, 'unknown': 0}
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
