"""The command line and the configuration file as a person types them."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import types

import pytest

from client import get
from server import (IS_ROOT, PATIENCE, SERVED_PYTHON, WSGID, clean_environment, free_port,
                    is_alive, run_wsgid, stat_fields, status_of, wait_until)

CONFIG, USAGE, APPLICATION = 78, 2, 1


# --- questions ------------------------------------------------------------------------------

def test_help_and_version():
    done = run_wsgid('--help')
    assert (done.returncode, done.stderr) == (0, '')
    assert done.stdout.startswith('usage: wsgid [options] APP\n')
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    assert re.fullmatch(r'wsgid/\d+\.\d+\.\d+\n', run_wsgid('-v').stdout)
    facts = run_wsgid('-V').stdout
    assert re.search(r'^  IoEngine +(io_uring, )?epoll$', facts, re.M)
    assert re.search(r'^  Python +3\.\d+', facts, re.M)


def test_the_list_names_every_spelling_of_a_directive():
    text = run_wsgid('-L').stdout
    block = text[text.index('WSGIPythonHome'):].split('\n\n')[0]
    assert '--python-home PATH' in block and 'WSGID_PYTHON_HOME' in block
    block = text[text.index('MaxRequestWorkers'):].split('\n\n')[0]
    assert '--max-request-workers' in block and 'WSGID_MAX_REQUEST_WORKERS' in block


@pytest.mark.parametrize('words, said', [
    ((), ['nothing to serve', 'wsgid package.module:app']),
    (('--max-request-worker', '3', 'probe'), ['--max-request-worker;',
                                              'did you mean --max-request-workers?']),
    (('--frobnicate', 'probe'), ['unknown option --frobnicate', 'wsgid -L']),
    (('-x', 'probe'), ['unknown option -x']),
    # gunicorn's and uWSGI's.
    (('-k', 'probe'), ['unknown option -k: there are two kinds, prefork and']),
    (('--graceful-timeout=20', 'probe'), ['--graceful-timeout=20: write GracefulShutdownTimeout']),
    (('--wsgi-file', 'probe'), ['--wsgi-file: write WSGIApplication; "wsgid -L" has']),
    (('--host=0.0.0.0', 'probe'), ['--host=0.0.0.0: write Listen HOST:PORT, which is -b HOST:PORT']),
    # httpd's and mod_wsgi-express's.
    (('-k', 'restart'), ['-k: "wsgictl restart" does that']),
    (('-kstop',), ['-kstop: "wsgictl stop" does that']),
    (('-X', 'probe'), ['-X: write Processes 1, which is -w 1']),
    (('--log-to-terminal', 'probe'), ['--log-to-terminal: without ErrorLog']),
    (('start-server', 'app.wsgi'), ['start-server is no verb of wsgid', 'leave it out']),
    (('probe', 'hello'), ['only one application', 'probe', 'hello']),
    (('--keep-alive', '5', 'probe'), ['5 is no application, and --keep-alive takes no value']),
    (('8000',), ['8000 is no application']),
    (('probe', '-c'), ['-c needs a value']),
    (('-D', 'a/b=c', 'probe'), ['-D: "a/b=c" is no name']),
    (('--test=yes', 'probe'), ['--test takes no value']),
    (('--daemon', 'probe'), ['--daemon needs an ErrorLog']),
    (('--deamon', 'probe'), ['did you mean --daemon?']),
    (('-w', 'four', 'probe'), ['-w: Processes: "four" is not a number']),
    (('probe', '--timeout'), ['--timeout: Timeout: the option needs a value']),
    (('',), ['empty']),
])
def test_a_mistake_on_the_command_line_is_usage(words, said, apps):
    done = run_wsgid(*words, cwd=apps)
    assert done.returncode == USAGE, done.stderr
    assert all(word in done.stderr for word in said), done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_all_mistakes_on_the_command_line_are_listed(apps):
    done = run_wsgid('--frobnicate', '3', '-x', '-w', 'four', '--deamon', 'probe', cwd=apps)
    assert done.returncode == USAGE
    said = done.stderr.splitlines()
    assert len(said) == 4 and all(line.startswith('wsgid: ') for line in said)
    for word in ('--frobnicate', '-x', '--deamon; did you mean --daemon?', '"four"'):
        assert sum(word in line for line in said) == 1


def test_a_file_without_an_application_is_named(directory):
    path = directory / 'bare.conf'
    path.write_text('Timeout 30s\n')
    done = run_wsgid('-c', path)
    assert done.returncode == CONFIG
    assert f'{path} has no WSGIApplication' in done.stderr
    # It may be named on the command line.
    tested = config_test(directory, 'Timeout 30s\n')
    assert tested.returncode == 0
    assert re.fullmatch('wsgid: warning: nothing to serve: .* has no WSGIApplication; write one, '
                        'or name an application on the command line\nSyntax OK\n', tested.stderr)
    assert config_test(directory, 'Timeout 30s\n', 'probe').stderr == 'Syntax OK\n'


@pytest.mark.parametrize('word', ['--help', '-v', '-V', '-L'])
def test_what_cannot_be_printed_is_no_success(word):
    with open('/dev/full', 'w') as full:
        run = subprocess.run([WSGID, word], stdout=full, stderr=subprocess.PIPE, text=True)
    assert run.returncode == 1
    assert re.fullmatch('wsgid: standard output: (No space left on device|not all of it could be '
                        'written)\n', run.stderr), run.stderr


# --- the configuration ----------------------------------------------------------------------

def config_test(directory, text: str, *words, env=None):
    path = directory / 'wsgid.conf'
    path.write_text(text)
    return run_wsgid('-t', '-c', path, *words, env=env)


def test_a_good_file_is_good(directory):
    done = config_test(directory, '''
# Everything that the syntax has.
Define PORT 8081
WSGIApplication "probe:application"
listen 127.0.0.1:${PORT}
Timeout 500ms
<IfDefine NEVER>
Nonsense here
</IfDefine>
LogFormat "%h \\"%r\\" %>s" mine
CustomLog /dev/null \\
    mine
''')
    assert (done.returncode, done.stderr) == (0, 'Syntax OK\n')


def test_every_mistake_is_listed_with_its_place_and_a_near_miss(directory):
    done = config_test(directory, '''Timeout soon
MaxRequestWorker 3

LimitRequestBody 12x
IoEngine kqueue
KeepAlive perhaps
Listen 127.0.0.1:99999
Entirely unknown
User nosuchuser
Listen 1:2:3
ErrorLog ${NOWHERE}/error.log
Group nosuchgroup
''')
    assert done.returncode == CONFIG
    lines = done.stderr.splitlines()
    path = directory / 'wsgid.conf'
    for number, said in ((1, 'Timeout'), (2, 'MaxRequestWorkers'), (4, 'LimitRequestBody'),
                         (5, 'io_uring'), (6, 'KeepAlive'), (7, 'Listen 127.0.0.1:99999: '), (8, 'Entirely'),
                         (9, 'User: '), (10, 'Listen 1:2:3: '), (11, 'ErrorLog: '), (12, 'Group: ')):
        assert any(f'{path}:{number}' in line and said in line for line in lines), \
            (number, done.stderr)
    assert 'did you mean MaxRequestWorkers?' in done.stderr
    assert 'Syntax OK' not in done.stderr


def test_files_that_cannot_be_made_are_mistakes(directory):
    """All at once, before anything is opened."""
    text = f'''ErrorLog {directory}/no/error.log
CustomLog {directory} common
CustomLog {directory}/wsgid.conf/access.log common
PidFile {directory}/no/wsgid.pid
RunDirectory {directory}/no/run
Listen unix:{directory}/no/s
Listen unix:{directory}/s owner=nosuchuser
Listen unix:{directory}/t group=nosuchgroup
ScoreBoardFile {directory}/no/board
'''
    done = config_test(directory, text)
    assert done.returncode == CONFIG, done.stderr
    missing = f'there is no directory {directory}/no: create it first'
    path = directory / 'wsgid.conf'
    for number, said in ((1, f'ErrorLog: {directory}/no/error.log: {missing}'),
                         (2, f'CustomLog: {directory} is a directory: name a file in it'),
                         (3, f'CustomLog: {path}/access.log: there is no directory {path}: '),
                         (4, f'PidFile: {directory}/no/wsgid.pid: {missing}'),
                         (5, f'RunDirectory: {directory}/no/run: {missing}'),
                         (6, f'Listen unix:{directory}/no/s: {directory}/no/s: {missing}'),
                         (7, f'Listen unix:{directory}/s: '), (8, f'Listen unix:{directory}/t: '),
                         (9, f'ScoreBoardFile: {directory}/no/board: {missing}')):
        assert f'{path}:{number}: {said}' in done.stderr, (number, done.stderr)
    assert len(done.stderr.splitlines()) == 9
    done = config_test(directory, f'ErrorLog {directory}\n')
    assert done.returncode == CONFIG and f'{path}:1: ErrorLog: ' in done.stderr


def test_a_socket_that_cannot_be_given_to_its_group_is_a_mistake(directory):
    """As with a unit that has User=: the start would say it, and so must a test before it."""
    path = directory / 'wsgid.conf'
    path.write_text(f'Listen unix:{directory}/s mode=0660 group=daemon\n')
    launcher = ['setpriv', '--reuid', 'nobody', '--regid', 'nogroup', '--clear-groups'
                ] if IS_ROOT else []
    done = subprocess.run([*launcher, WSGID, '-t', '-c', path], capture_output=True, text=True,
                          timeout=PATIENCE, env=clean_environment())
    assert done.returncode == CONFIG
    assert done.stderr == (f'wsgid: {path}:1: Listen unix:{directory}/s: the socket file cannot '
                           'be given to group daemon: only root gives files away, and others to '
                           'groups they are in\n')
    if IS_ROOT:
        assert config_test(directory, path.read_text()).returncode == 0


def test_what_the_server_makes_itself_need_not_be_there(directory):
    run = directory / 'run'
    done = config_test(directory, f'RunDirectory {run}\nPidFile {run}/second.pid\n'
                       f'Listen unix:{run}/s\nErrorLog {run}/error.log\n', 'probe')
    assert (done.returncode, done.stderr) == (0, 'Syntax OK\n')
    assert not run.exists()


@pytest.mark.parametrize('text, said', [
    ('Include nothing.conf\n', 'nothing.conf'),
    ('<IfDefine X>\nTimeout 1\n', 'IfDefine'),
    ('Timeout "1s\n', 'closing " is missing'),
    ('</IfDefine>\n', 'IfDefine'),
    ('Listen ${NOWHERE}\n', 'NOWHERE'),
    ('Timeout\n', 'Timeout'),
    ('Timeout 1 2\n', 'Timeout'),
    ('Timeout -1\n', 'Timeout'),
    ('Timeout 99999999999999999999\n', 'Timeout'),
    ('CustomLog - "%h %Q"\n', '1: CustomLog: .*%Q'),
    ('LogFormat "%h %Q" mine\nCustomLog - mine\n', '1: LogFormat: .*%Q'),
    ('LogFormat "%h %Q" unused\n', '1: LogFormat: .*%Q'),
])
def test_a_broken_file_is_one_clear_error(directory, text, said):
    done = config_test(directory, text)
    assert done.returncode == CONFIG
    assert re.search(rf'{said}', done.stderr) and 'wsgid.conf:' in done.stderr


def test_a_missing_file_is_named(directory):
    done = run_wsgid('-t', '-c', directory / 'none.conf')
    assert done.returncode == CONFIG
    assert 'none.conf' in done.stderr and 'No such file' in done.stderr


def test_bytes_that_are_no_text_do_no_harm(directory):
    path = directory / 'wsgid.conf'
    for data in (os.urandom(5000), b'\0' * 100, b'Timeout \xff\n', b'<' * 1000, b'\\\n' * 5000):
        path.write_bytes(data)
        done = subprocess.run([WSGID, '-t', '-c', path], capture_output=True, timeout=PATIENCE,
                              env=clean_environment())
        assert done.returncode in (0, CONFIG)


def test_included_files_are_relative_to_the_one_that_includes(directory):
    (directory / 'more').mkdir()
    (directory / 'more' / 'a.conf').write_text('Timeout never\n')
    (directory / 'more' / 'b.conf').write_text('KeepAlive never\n')
    done = config_test(directory, 'Include more/*.conf\n')
    assert 'more/a.conf:1' in done.stderr and 'more/b.conf:1' in done.stderr


def test_command_line_beats_environment_beats_file_beats_default(serve, directory, apps):
    conf = directory / 'wsgid.conf'
    conf.write_text(f'WSGIApplication probe\nChDir {apps}\nProcesses 1\nServerLimit 9\n'
                    'LimitRequestLine 300\nLimitRequestFields 7\n')
    server = serve('-c', conf, '--limit-request-line', '500',
                   env={'WSGID_LIMIT_REQUEST_LINE': '400', 'WSGID_LIMIT_REQUEST_FIELDS': '5'})

    def status(line: int, fields: int) -> int:
        return get(server.address, '/hello?' + 'x' * line, [('A', 'b')] * fields).status
    assert status(450, 0) == 200            # the command line's 500
    assert status(520, 0) == 414
    assert status(1, 3) == 200              # the environment's 5, with Host and Connection
    assert status(1, 4) == 431


def test_the_environment_is_checked_too(apps):
    done = run_wsgid('-t', 'probe', cwd=apps, env={'WSGID_TIMEOUT': 'soon'})
    assert done.returncode == CONFIG and 'WSGID_TIMEOUT' in done.stderr


@pytest.mark.parametrize('words, environment, number', [
    (('-w', '2'), {}, 2),
    (('--processes=2',), {}, 2),
    ((), {'WEB_CONCURRENCY': '3'}, 3),
    (('-w', '2'), {'WEB_CONCURRENCY': '3'}, 2),
    ((), {'WSGID_PROCESSES': '2'}, 2),
])
def test_the_pool_is_fixed_by_the_words_that_people_know(serve, words, environment, number):
    server = serve('hello', *words, env=environment)
    server.wait_for_ready(number)


def test_relative_paths_are_those_of_the_file(serve, directory):
    (directory / 'site').mkdir()
    (directory / 'site' / 'mine.py').write_text(
        'def application(environ, start_response):\n'
        '    start_response("200 OK", [])\n    return [b"found"]\n')
    (directory / 'site.conf').write_text('ChDir site\nWSGIApplication mine\nProcesses 1\n')
    server = serve('-c', directory / 'site.conf', cwd='/')
    assert get(server.address).body == b'found'


def test_a_definition_chooses_a_part(serve, directory, apps):
    conf = directory / 'wsgid.conf'
    conf.write_text(f'ChDir {apps}\n<IfDefine DEBUG>\nWSGIApplication ${{WHAT}}\n</IfDefine>\n'
                    '<IfDefine !DEBUG>\nWSGIApplication nothing\n</IfDefine>\nProcesses 1\n')
    server = serve('-c', conf, '-D', 'DEBUG', '-D', 'WHAT=hello')
    assert get(server.address).body == b'Hello world\n'


# --- the application ------------------------------------------------------------------------

SOURCE = '''
def application(environ, start_response):
    start_response('200 OK', [])
    return [%r]
other = application
def make():
    print('made', flush=True)
    return application
def make_nothing():
    make
class Site:
    app = staticmethod(application)
'''


@pytest.fixture
def site(directory):
    place = directory / 'site'
    (place / 'package').mkdir(parents=True)
    (place / 'package' / '__init__.py').write_text('')
    (place / 'package' / 'wsgi.py').write_text(SOURCE % b'package')
    (place / 'single.py').write_text(SOURCE % b'single')
    (place / 'app.wsgi').write_text(SOURCE % b'script')
    return place


@pytest.mark.parametrize('word, body', [
    ('single', b'single'), ('single:other', b'single'), ('package.wsgi', b'package'),
    ('package.wsgi:application', b'package'), ('single:make()', b'single'),
    ('single:Site.app', b'single'), ('./app.wsgi', b'script'), ('./single.py', b'single'),
])
def test_an_application_in_each_form(serve, site, word, body):
    server = serve(word, '-w', '1', cwd=site)
    assert get(server.address).body == body
    shown = word.replace('./', f'{site}/')
    assert f'serves {shown} at' in server.log.text()
    assert server.log.text().count('made') == ('()' in word)


def test_a_script_by_its_absolute_path_from_elsewhere(serve, site):
    server = serve(site / 'app.wsgi', '-w', '1', cwd='/')
    assert get(server.address).body == b'script'


def test_chdir_and_python_path_are_looked_into(serve, site):
    assert get(serve('single', '-w', '1', '--chdir', site, cwd='/').address).body == b'single'
    server = serve('single', '-w', '1', '--python-path', site, cwd='/')
    assert get(server.address).body == b'single'


def test_wsgi_app_in_the_environment(serve, site):
    server = serve('-w', '1', cwd=site, env={'WSGI_APP': 'package.wsgi'})
    assert get(server.address).body == b'package'


@pytest.mark.parametrize('word, said', [
    ('nothing', "there is no module 'nothing'"),
    ('package.nothing', "there is no module 'package.nothing'"),
    ('single:aplication', "'application'"),
    ('single:Site', 'Site'),
    ('./none.wsgi', 'none.wsgi does not exist'),
    ('single:make', 'make'),
    ("single:make('x')", 'no arguments can be given'),
    ("single:make('/etc/x')", 'no arguments can be given'),
    ('single:make_nothing()', 'has returned None: is a "return" missing?'),
    ('single:', 'application single:'),
    ('not/a module', 'not/a module'),
])
def test_an_application_that_is_not_there(new_server, site, word, said):
    server = new_server(word, '-w', '1', cwd=site)
    if word in ('single:Site', 'single:make'):
        # A class and a function can be called: only a request shows that they are none.
        server.start()
        assert get(server.address).status == 500
        return
    assert server.fails() == APPLICATION
    assert said in server.log.text(), server.log.text()
    assert 'Traceback' not in server.log.text()
    assert len(server.log.text().splitlines()) <= 3


def test_a_factory_without_parentheses_is_doubted(serve, site, preload):
    """Once, and it is served: who knows what it is to be."""
    server = serve('single:make', '-w', '3', cwd=site)
    server.wait_for_ready(3)
    said = "application single:make: 'make' cannot be called with two arguments"
    server.log.wait_for(rf':warn\].* {said}.*; a factory would be written with "\(\)" behind')
    assert server.log.text().count(said) == 1
    server.stop()
    run = run_wsgid('--check', 'single:make', cwd=site)
    assert run.returncode == APPLICATION and f'wsgid: {said}' in run.stderr
    assert 'can be served' not in run.stdout
    assert 'arguments' not in run_wsgid('--check', 'single:make()', cwd=site).stderr


@pytest.mark.parametrize('source, said', [
    ('raise RuntimeError("deliberate")', 'RuntimeError: deliberate'),
    ('import nothing_like_it', "No module named 'nothing_like_it'"),
    ('def broken(:', 'SyntaxError'),
    ('import sys; sys.exit(7)', r'sys\.exit'),
    ('application = 3', 'application'),
])
def test_an_application_that_cannot_be_imported(new_server, directory, source, said):
    (directory / 'broken.py').write_text(source + '\n')
    server = new_server('broken', '-w', '2', cwd=directory)
    assert server.fails() == APPLICATION
    text = server.log.text()
    assert re.search(said, text)
    # Once, however many children there were to be.
    assert text.count('Traceback (most recent call last)') <= 1
    errors = re.findall(r'^.*:error\].*application broken.*$', text, re.M)
    assert len(errors) == 1, text


def test_an_import_that_never_ends_is_given_up(new_server, directory):
    (directory / 'slow.py').write_text('import time\ntime.sleep(100)\n')
    server = new_server('slow', '--startup-timeout', '1s', cwd=directory)
    assert server.fails() == APPLICATION
    assert 'StartupTimeout' in server.log.text()


def test_a_person_may_lose_patience_while_it_is_imported(new_server, directory):
    (directory / 'slow.py').write_text('import time\nprint("importing", flush=True)\n'
                                       'time.sleep(100)\n')
    server = new_server('slow', cwd=directory).spawn()
    server.log.wait_for('importing')
    server.kill(signal.SIGINT)
    server.ended(5)


def test_a_check_that_is_ended_leaves_no_process(directory):
    """Nobody would hear what it finds."""
    (directory / 'slow.py').write_text('import os, time\nprint("pid", os.getpid(), flush=True)\n'
                                       'time.sleep(100)\n')
    check = subprocess.Popen([WSGID, '--check', 'slow'], cwd=directory, env=clean_environment(),
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    trial = int(check.stdout.readline().split()[1])
    check.terminate()
    check.wait(PATIENCE)
    wait_until(lambda: not is_alive(trial), 'the end of the trial')
    check.stdout.close()


def test_an_installation_may_be_moved(directory, apps):
    for place, programs in (('sbin', [WSGID]),
                            ('libexec/wsgid', WSGID.parent.glob('wsgid-python*'))):
        (directory / place).mkdir(parents=True)
        for program in programs:
            shutil.copy(program, directory / place)
    done = subprocess.run([directory / 'sbin' / 'wsgid', '-b', '127.0.0.1:0', 'nothing'],
                          cwd=apps, env=clean_environment(), text=True, capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=PATIENCE)
    # A child has looked for it.
    assert done.returncode == APPLICATION, done.stderr
    assert "there is no module 'nothing'" in done.stderr


def test_a_virtual_environment_is_named_by_its_directory(serve, directory, apps):
    venv = directory / 'venv'
    done = subprocess.run([SERVED_PYTHON, '-m', 'venv', '--without-pip', venv],
                          capture_output=True)
    if done.returncode != 0:
        pytest.skip('python3-venv is not installed')
    place, = venv.glob('lib/python3*/site-packages')
    (place / 'only_here.py').write_text(SOURCE % b'venv')
    server = serve('only_here', '-w', '1', '--python-home', venv)
    assert get(server.address).body == b'venv'
    server = serve('probe', '-w', '1', '--python-home', venv, env={'PATH': '/nowhere'})
    assert get(server.address, '/hello').status == 200


def test_a_python_home_without_python_is_an_error(new_server, directory):
    server = new_server('probe', '--python-home', directory)
    assert server.fails() in (APPLICATION, CONFIG)
    assert f'WSGIPythonHome: {directory} has neither a pyvenv.cfg' in server.log.text()


# --- the daemon -----------------------------------------------------------------------------

@pytest.fixture
def daemon(directory, apps):
    """daemon(OPTION...) runs wsgid --daemon to its end; what it left is stopped."""
    run = directory / 'run'
    log = directory / 'error.log'

    def start(*words, ended_by=None, launcher=(), bind=('-b', '127.0.0.1:0'), **more):
        command = subprocess.Popen(
            [*launcher, WSGID, '--daemon', '--run-directory', run, '--error-log', log, *bind,
             *words], cwd=apps, env=clean_environment(), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **{'stdin': subprocess.DEVNULL, **more},
            # A shell lets its background jobs ignore SIGINT, a test run among them.
            preexec_fn=lambda: ended_by and signal.signal(ended_by, signal.SIG_DFL))
        if ended_by:
            wait_until(lambda: list(run.glob('*.scoreboard.0')), 'the first child')
            command.send_signal(ended_by)
        out, err = command.communicate(timeout=PATIENCE)
        return types.SimpleNamespace(
            returncode=command.returncode, stdout=out, stderr=err, log=log, run=run)
    yield start
    for path in run.glob('*.pid'):
        os.kill(int(path.read_text()), signal.SIGKILL)


def test_a_daemon_serves_when_its_command_returns(daemon):
    done = daemon('probe', '-w', '2')
    assert (done.returncode, done.stderr) == (0, '')
    port = int(re.search(r'at http://127\.0\.0\.1:(\d+)', done.log.read_text())[1])
    assert get(('127.0.0.1', port), '/hello').status == 200
    path, = done.run.glob('*.pid')
    pid = int(path.read_text())
    assert int(stat_fields(pid)[3]) == pid          # a session of its own
    for fd in (0, 1, 2):
        assert os.readlink(f'/proc/{pid}/fd/{fd}') == '/dev/null'
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not is_alive(pid), 'its end')
    assert not list(done.run.iterdir())
    assert 'stopped' in done.log.read_text()


@pytest.mark.parametrize('words, status, said', [
    (('nothing',), APPLICATION, "there is no module 'nothing'"),
    (('probe', '--timeout', 'soon'), USAGE, 'Timeout'),
    (('probe', '--startup-timeout', '1', '--warm-up', '/sleep?s=1000'), APPLICATION,
     'StartupTimeout'),
])
def test_a_daemon_that_cannot_serve_says_why(daemon, words, status, said):
    done = daemon(*words)
    assert done.returncode == status
    assert said in done.stderr
    assert not done.run.exists() or not list(done.run.iterdir())


def test_a_daemon_keeps_nothing_open_of_who_started_it(daemon):
    reader, writer = os.pipe()
    done = daemon('probe', '-w', '1', pass_fds=[writer])
    os.close(writer)
    assert done.returncode == 0
    assert os.read(reader, 1) == b''        # else it would wait
    os.close(reader)


def test_a_daemon_takes_the_sockets_that_systemd_passes_to_its_command(daemon):
    with socket.create_server(('127.0.0.1', 0)) as listener:
        done = daemon('probe', '-w', '1', bind=(), stdin=listener, launcher=[
            '/bin/sh', '-c', 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3<&0', 'sh'])
        assert (done.returncode, done.stderr) == (0, '')
        assert get(listener.getsockname(), '/hello').status == 200


@pytest.mark.parametrize('signum', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_who_ends_the_command_ends_the_daemon_that_does_not_serve_yet(daemon, directory, signum):
    (directory / 'endless.py').write_text('import time\ntime.sleep(1000)\n')
    done = daemon('--chdir', directory, 'endless', ended_by=signum)
    assert (done.returncode, done.stderr) == (APPLICATION, 'wsgid: stopped before it served\n')
    assert not list(done.run.iterdir())


def test_what_cannot_be_opened_is_said_with_file_line_and_directive(directory, apps):
    notes, fifo, link = (directory / name for name in ('notes', 'fifo', 'link'))
    notes.write_text('my notes\n')
    os.mkfifo(fifo)
    link.symlink_to(notes)
    conf = directory / 'wsgid.conf'
    for line, said in (
            (f'RunDirectory {notes}', 'is no directory'),
            (f'RunDirectory {directory}/no/where', 'there is no directory .*/no: create it first'),
            (f'PidFile {directory}', 'is a directory: name a file in it'),
            (f'PidFile {directory}/no/pid', 'there is no directory .*/no: create it first'),
            (f'PidFile {link}', 'it is a symbolic link, name the file itself'),
            (f'PidFile {fifo}', 'it is not a regular file'),
            (f'PidFile {notes}', 'something else in it than a pid; remove it, or choose another'),
            (f'ErrorLog {directory}', 'is a directory: name a file in it'),
            (f'ErrorLog {fifo}', 'nobody reads from it'),
            (f'CustomLog {directory}/no/log common', 'there is no directory .*/no: create it'),
            (f'Listen unix:{notes}', 'is a file and not a socket'),
            ('Listen 192.0.2.1:80', 'no address of this machine')):
        conf.write_text(f'WSGIApplication probe\nChDir {apps}\n\n{line}\n'
                        + ('' if 'Listen' in line else 'Listen 127.0.0.1:0\n')
                        + ('' if 'RunDirectory' in line else f'RunDirectory {directory}/run\n'))
        done = run_wsgid('-c', conf)
        assert done.returncode in (CONFIG, APPLICATION), done.stderr
        assert re.fullmatch(rf'wsgid: {conf}:4: .*{said}.*\n', done.stderr), done.stderr
    assert notes.read_text() == 'my notes\n' and fifo.is_fifo() and link.is_symlink()


# --- two of them ----------------------------------------------------------------------------

def test_a_second_instance_in_the_same_run_directory_is_refused(new_server, serve):
    port = free_port()
    first = serve('probe', '-w', '1', bind=f'127.0.0.1:{port}')
    second = new_server('probe', '-w', '1', bind=f'127.0.0.2:{port}')
    second.run_directory = first.run_directory
    second.spawn()
    assert second.process.wait(PATIENCE) != 0
    second.log.wait_for(rf'/{port}\.pid \(pid {first.pid}\)')
    assert get(first.address, '/hello').status == 200
    first.stop()


def test_the_run_directory_holds_what_it_says_and_nobody_else_may_write(serve):
    server = serve('probe', '-w', '1')
    name = str(server.port)
    names = {path.name: path.stat() for path in server.run_directory.iterdir()}
    assert {f'{name}.pid', f'{name}.ctl', f'{name}.scoreboard', f'{name}.scoreboard.0'} \
        <= names.keys()
    assert int((server.run_directory / f'{name}.pid').read_text()) == server.pid
    for file, stat in names.items():
        assert stat.st_uid == os.geteuid()
        assert stat.st_mode & 0o777 == (0o600 if file.endswith('.ctl') else 0o640), file
    if IS_ROOT:
        child, = server.wait_for_ready(1)
        assert status_of(child)['Uid'].split()[0] != '0'


def test_no_run_directory_is_a_notice_and_no_obstacle(new_server, directory):
    if IS_ROOT:
        pytest.skip('root has /run/wsgid')
    server = new_server('probe', '-w', '1')
    server.command = lambda: [str(WSGID), '-b', '127.0.0.1:0', 'probe']
    server.start()
    assert 'RunDirectory' in server.log.text()


def test_a_run_directory_that_cannot_be_made_is_an_error(new_server):
    server = new_server('probe')
    server.run_directory = pathlib.Path('/proc/nowhere/run')
    assert server.fails() != 0
    assert 'RunDirectory: /proc/nowhere/run: there is no directory' in server.log.text()


# --- names that stand for nothing ------------------------------------------------------------

@pytest.mark.parametrize('directive, value', [
    ('ChDir', '/nonexistent'), ('ChDir', '/etc/passwd'),
    pytest.param('WSGIPythonHome', '/nonexistent', marks=pytest.mark.skipif(
        'WSGID_TEST_PYTHON_HOME' in os.environ, reason='the home is given'))])
def test_a_directory_that_is_none_is_found_before_anything_starts(apps, directory, directive,
                                                                  value):
    config = directory / 'shop.conf'
    config.write_text(f'WSGIApplication hello\n{directive} {value}\n')
    done = run_wsgid('-t', '-c', config, cwd=apps)
    assert done.returncode == 78
    assert f'{config}:2: {directive}: {value}' in done.stderr


@pytest.mark.parametrize('option', ['--error-log', '--pid-file', '--access-log'])
def test_a_file_that_cannot_be_made_is_a_wrong_configuration(new_server, option):
    server = new_server('hello', option, '/nonexistent/file')
    assert server.fails() == 78
    assert '/nonexistent/file' in server.log.text()
