"""A directory that is deployed by a link, which leads to another one at each release."""

import shutil

import pytest

from client import get

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
        (place / 'shop.py').write_text(APP % name)
        (directory / 'new').symlink_to(name)
        (directory / 'new').rename(directory / 'current')
    return release


@pytest.mark.parametrize('named', [False, True], ids=['cd', 'chdir'])
def test_a_reload_goes_where_the_link_leads_by_then(serve, directory, release, named):
    current = directory / 'current'
    release('one')
    words = ['--chdir', current] if named else []
    server = serve('shop', '-w', '1', *words, cwd=current,
                   env={'PWD': str(current)})
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


def test_a_directory_that_is_gone_is_named_as_the_reason(serve, directory, release):
    """What PWD says is no name for where it was started."""
    release('one')
    server = serve('shop', '-w', '1', cwd=directory / 'one',
                   env={'PWD': str(directory)})
    shutil.rmtree(directory / 'one')
    said = server.reload()
    assert 'reload failed' in said
    assert 'goes on: the directory that wsgid was started in is gone: ' in said
