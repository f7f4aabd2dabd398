"""A server in the foreground, on the terminal of whoever has started it."""

import os
import signal
import subprocess

import pytest

from client import get
from server import IS_ROOT, WSGID, clean_environment

APP = '''
import os

def has_terminal():
    try:
        os.close(os.open('/dev/tty', os.O_RDWR))
    except OSError as error:
        return os.strerror(error.errno)
    return 'yes'

print('terminal:', has_terminal(), flush=True)

def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [has_terminal().encode()]
'''


@pytest.fixture
def launcher(directory, terminal):
    """What gives a program a terminal of its own."""
    (directory / 'on.py').write_text(APP)
    return terminal.launcher


def checked(launcher, directory, *words) -> str:
    return subprocess.run([*launcher, WSGID, '--check', 'on', *words], cwd=directory, text=True,
                          env=clean_environment(), start_new_session=True, capture_output=True,
                          check=True).stdout


@pytest.mark.skipif(not IS_ROOT, reason='only root can make children another user')
@pytest.mark.parametrize('options', [[], ['--preload']], ids=['', 'preload'])
def test_another_users_children_have_no_terminal_to_type_into(serve, directory, launcher, options):
    server = serve('on', '-w', '1', *options, cwd=directory, launcher=launcher)
    assert get(server.address).body == b'No such device or address'
    child, = server.ready()
    assert os.getsid(child) == server.pid  # what ends the session ends it, too
    server.stop(signal.SIGINT)
    assert 'terminal: No such device' in checked(launcher, directory, *options)


def test_those_of_the_masters_own_user_keep_it(serve, directory, launcher):
    own = ['--user', 'root', '--allow-root', 'On'] if IS_ROOT else []
    server = serve('on', '-w', '1', *own, cwd=directory, launcher=launcher)
    assert get(server.address).body == b'yes'
    server.stop(signal.SIGINT)
    assert 'terminal: yes' in checked(launcher, directory, *own)
