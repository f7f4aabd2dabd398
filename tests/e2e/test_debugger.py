"""breakpoint() in an application that is developed on a terminal."""

import signal

import pytest

from client import Connection, get
from server import IS_ROOT, wait_until

APP = '''
WORD = 'one'

def application(environ, start_response):
    if environ['PATH_INFO'] != '/':
        print('about to stop', flush=True)
        breakpoint()
        environ['went on'] = True
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [WORD.encode()]
'''
PROMPT = r'\(Pdb\) $'
OWN = ['--user', 'root', '--allow-root', 'On'] if IS_ROOT else []


@pytest.fixture
def module(directory):
    path = directory / 'site_.py'
    path.write_text(APP)
    return path


@pytest.fixture
def developed(serve, directory, module, terminal):
    """A server that somebody has started on the terminal, to develop.  Bytecode would be taken
    for that of another text which has as many characters, in the same second."""
    def start(*options, launcher=terminal.launcher, env=None):
        return serve('site_', '-w', '1', '--reload', *OWN, *options, cwd=directory,
                     launcher=launcher, env={'PYTHONDONTWRITEBYTECODE': '1', **(env or {})})
    return start


class Asking(Connection):
    """A request whose answer can wait."""

    def __init__(self, server, target: str):
        super().__init__(server.address)
        self.send(f'GET {target} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n')


def where(terminal) -> str:
    """The path of the request that the debugger is in."""
    terminal.type("p environ['PATH_INFO']\n")
    return terminal.wait_for(PROMPT).splitlines()[-2]


def test_a_request_stops_on_the_terminal_and_goes_on(developed, terminal):
    server = developed()
    with Asking(server, '/here') as client:
        assert 'site_.py' in terminal.wait_for(PROMPT)
        assert where(terminal) == "'/here'"
        terminal.type('c\n')
        answer = client.response()
    assert (answer.status, answer.body) == (200, b'one')
    assert 'Pdb' not in server.log.text()
    server.stop(signal.SIGINT)


def test_who_quits_the_debugger_ends_the_request_alone(developed, terminal):
    server = developed()
    child, = server.ready()
    with Asking(server, '/here') as client:
        terminal.wait_for(PROMPT)
        terminal.type('q\n')
        assert client.response().status == 500
    server.log.wait_for(r'bdb\.BdbQuit')
    assert get(server.address).body == b'one'
    assert list(server.ready()) == [child]


def test_who_steps_out_of_the_application_is_not_asked_in_the_next_request(developed, terminal):
    server = developed()
    with Asking(server, '/here') as client:
        while '--Return--' not in terminal.wait_for(PROMPT):
            terminal.type('n\n')
        terminal.type('n\n')
        assert client.response().status == 200
    assert get(server.address).body == b'one'


def test_ctrl_c_in_the_debugger_stops_the_server(developed, terminal):
    server = developed('--threads', 2)
    clients = [Asking(server, '/here'), Asking(server, '/there')]
    terminal.wait_for(PROMPT)
    terminal.type('\x03')
    assert server.ended() == 0
    assert 'SIGKILL' not in server.log.text()
    for client in clients:
        client.close()


def test_two_threads_stop_one_after_the_other(developed, terminal):
    server = developed('--threads', 2)
    with Asking(server, '/1') as one, Asking(server, '/2') as two:
        server.log.wait_for('about to stop[^\0]*about to stop')
        terminal.wait_for(PROMPT)
        first = where(terminal)
        terminal.type('n\n')
        terminal.wait_for(PROMPT)
        assert where(terminal) == first
        terminal.type('c\n')
        terminal.wait_for(PROMPT)
        assert {first, where(terminal)} == {"'/1'", "'/2'"}
        terminal.type('c\n')
        assert [one.response().status, two.response().status] == [200, 200]


def test_a_change_does_not_interrupt_the_debugger(developed, module, terminal):
    server = developed()
    with Asking(server, '/here') as client:
        terminal.wait_for(PROMPT)
        module.write_text(APP.replace('one', 'two'))
        wait_until(lambda: get(server.address).body == b'two', 'the new module')
        terminal.type('c\n')
        assert client.response().body == b'one'


def test_an_import_stops_there_too(developed, module, terminal):
    server = developed()
    module.write_text('breakpoint()\n' + APP.replace('one', 'two'))
    assert 'site_.py' in terminal.wait_for(PROMPT)
    terminal.type('c\n')
    wait_until(lambda: get(server.address).body == b'two', 'the new module')


def assert_python_s_own(server, terminal):
    with Asking(server, '/here') as client:
        assert client.response().status == 500
    server.log.wait_for(r'bdb\.BdbQuit')
    assert terminal.shown() == ''


# Another group is in the foreground, of which nobody is left.
IN_BACKGROUND = '''
import os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
there, here = os.pipe()
pid = os.fork()
if pid == 0:
    os.close(here)
    os.read(there, 1)
    os._exit(0)
os.setpgid(pid, pid)
os.tcsetpgrp(fd, pid)
os.close(here)
os.waitpid(pid, 0)
os.close(there)
os.close(fd)
os.execv(sys.argv[2], sys.argv[2:])
'''


def test_in_the_background_it_is_python_s_own(developed, terminal):
    python, _, _, *name = terminal.launcher
    assert_python_s_own(developed(launcher=[python, '-c', IN_BACKGROUND, *name]), terminal)


def test_where_nobody_develops_it_is_python_s_own(developed, terminal):
    assert_python_s_own(developed('--reload=Off'), terminal)


@pytest.mark.skipif(not IS_ROOT, reason='only root can make children another user')
def test_for_another_user_s_children_it_is_python_s_own(serve, directory, module, terminal):
    assert_python_s_own(serve('site_', '-w', '1', '--reload', cwd=directory,
                              launcher=terminal.launcher), terminal)


def test_a_hook_that_is_there_stays(developed, directory):
    (directory / 'sitecustomize.py').write_text(
        "import sys\nsys.breakpointhook = lambda: print('a hook of its own', flush=True)\n")
    server = developed(env={'PYTHONPATH': str(directory)})
    assert get(server.address, '/here').status == 200
    server.log.wait_for('a hook of its own')


@pytest.mark.parametrize('early', [True, False], ids=['environment', 'module'])
def test_what_python_is_told_to_do_counts(developed, module, terminal, early):
    env = {'PYTHONBREAKPOINT': 'site_.instead'} if early else {}
    text = '' if early else "import os\nos.environ['PYTHONBREAKPOINT'] = 'site_.instead'\n"
    module.write_text(f'{text}import sys\ndef instead():\n    global WORD\n'
                      f"    WORD = sys._getframe().f_back.f_code.co_name\n{APP}")
    server = developed(env=env)
    assert get(server.address, '/here').body == b'application'
    assert terminal.shown() == ''
