"""wsgictl by other users than the server's, and of servers of others."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile

import pytest

from client import get
from server import BUILD, IS_ROOT, PATIENCE, clean_environment, is_alive, wait_until
from wsgictl import APPLICATION, WSGICTL, ctl, fails, of, succeeds

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


@need_root
def test_several_that_one_may_not_look_at_are_not_said_to_be_dead(serve, for_others):
    run = serve('hello', '-w', '1').run_directory
    second = run / 'second.pid'
    second.touch(0o600)
    for verb in ('status', 'stop', 'reload'):
        result = subprocess.run([*NOBODY, str(for_others), '--run-directory', str(run), verb],
                                text=True, env=clean_environment(), capture_output=True,
                                timeout=PATIENCE)
        fails(result, 4, 'no server is seen to run, but some may; choose one with --name:$',
              r'^  \d+ .* unknown: you may not look, in ', '^  second .* unknown')
    second.unlink()


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


@need_root
def test_members_reach_the_socket_whatever_the_umask(serve, for_others):
    server = serve('hello', '-w', '1', '--control-group', 'mail',
                   launcher=['sh', '-c', 'umask 077; exec "$0" "$@"'])
    succeeds(subprocess.run(['setpriv', '--reuid', '65534', '--regid', 'mail', '--clear-groups',
                             str(for_others), '--run-directory', str(server.run_directory),
                             'reload'], text=True, env=clean_environment(), capture_output=True,
                            timeout=PATIENCE), 'reload done')


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
