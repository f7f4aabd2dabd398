"""A directory that is deployed by a link, which leads to another one at each release."""

import os
import shutil
import signal

import pytest

from client import get
from server import wait_until
from wsgictl import fails, of, succeeds

APP = '''
import os
def application(environ, start_response):
    start_response('200 OK', [])
    return [f'%s {os.path.basename(os.getcwd())}'.encode()]
'''


@pytest.fixture
def release(directory):
    """release(name): there is such a release, and the link leads to it."""
    def release(name):
        place = directory / name
        place.mkdir(mode=0o755)
        for file in 'shop.py', 'shop.wsgi':
            (place / file).write_text(APP % name)
        (place / 'shop.conf').write_text('WSGIApplication shop.wsgi\n')
        (directory / 'new').symlink_to(name)
        (directory / 'new').rename(directory / 'current')
    return release


@pytest.mark.parametrize('words', [['shop'], ['shop.wsgi'], ['-c', 'shop.conf'],
                                   ['shop', '--chdir', 'current']], ids=' '.join)
def test_a_reload_goes_where_the_link_leads_by_then(serve, directory, release, words):
    """It is the directory where the server is started, or one that is named."""
    release('one')
    where = directory if 'current' in words else directory / 'current'
    server = serve(*words, '-w', '1', cwd=where, env={'PWD': str(where)})
    assert get(server.address).body == b'one one'
    release('two')
    shutil.rmtree(directory / 'one')
    assert 'reload done' in server.reload()
    assert get(server.address).body == b'two two'
    release('three')
    shutil.rmtree(directory / 'two')
    server.upgrade()
    assert get(server.address).body == b'three three'
    release('four')
    assert 'reload done' in server.reload()
    assert get(server.address).body == b'four four'


def test_wsgictl_knows_the_configuration_by_the_link(serve, directory, release):
    """Of which it was started, and which leads to another file of the same name by then."""
    current = directory / 'current'
    release('one')
    server = serve('-c', 'shop.conf', '-w', '1', cwd=current, env={'PWD': str(current)})
    release('two')

    def here(verb):
        return of(server, verb, '-c', 'shop.conf', cwd=current)
    succeeds(here('reload'), 'reload done')
    assert get(server.address).body == b'two two'
    succeeds(of(server, 'status', '-c', current / 'shop.conf'), 'is running')
    fails(of(server, 'stop', '-c', directory / 'one' / 'shop.conf'), 3,
          f'was started with {current}/shop.conf')
    server.upgrade()
    release('three')
    succeeds(here('restart'), 'restart done')
    assert get(server.address).body == b'three three'
    succeeds(here('stop'), 'has stopped')


def test_who_is_started_before_a_reload_or_behind_one_that_failed_stays_where_it_was(
        serve, directory, release):
    release('one')
    current = directory / 'current'
    server = serve('shop', '-w', '1', cwd=current, env={'PWD': str(current)})

    def replaced():
        child, = server.wait_for_ready(1)
        os.kill(child, signal.SIGKILL)
        wait_until(lambda: child not in server.ready() and server.ready(), 'another child')
        return get(server.address).body
    release('two')
    (directory / 'two' / 'shop.py').write_text('this is no Python\n')
    assert replaced() == b'one one'
    assert 'reload failed' in server.reload()
    assert replaced() == b'one one'


def test_a_directory_that_is_gone_is_named_as_the_reason(serve, directory, release):
    """What PWD says is no name for where it was started."""
    release('one')
    server = serve('shop', '-w', '1', cwd=directory / 'one',
                   env={'PWD': str(directory)})
    shutil.rmtree(directory / 'one')
    said = server.reload()
    assert 'reload failed' in said
    assert 'goes on: the directory that wsgid was started in is gone: ' in said
