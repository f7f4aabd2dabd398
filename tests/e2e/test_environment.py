"""What the children have of the environment where they run as another user."""

import json
import os
import pwd

import pytest

from client import get
from server import (IS_ROOT, SANITIZED, child_user, compile_support, need, run_wsgid,
                    status_of)

pytestmark = pytest.mark.skipif(not IS_ROOT, reason='only root can make children another user')

AT_HOME = '''
import json, os, site

about = {name: os.environ.get(name) for name in ('HOME', 'USER', 'USERNAME', 'LOGNAME')}
about['~'] = os.path.expanduser('~')
about['packages'] = site.getusersitepackages()
about['ours'] = [name for name in os.environ if name.startswith('WSGID_')]
print('at home:', json.dumps(about), flush=True)

def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'application/json')])
    return [json.dumps(about).encode()]
'''


@pytest.mark.parametrize('options', [[], ['--preload']], ids=['', 'preload'])
def test_children_of_another_user_are_at_home_there(serve, directory, options):
    (directory / 'athome.py').write_text(AT_HOME)
    user = pwd.getpwnam(child_user())
    starter = {'HOME': '/root', 'USER': 'root', 'LOGNAME': 'root'}
    server = serve('athome', '-w', '1', *options, cwd=directory, env=starter)
    found = json.loads(get(server.address).body)
    assert found.pop('packages').startswith(f'{user.pw_dir}/.local/')
    assert found.pop('ours') == []
    assert found == {'HOME': user.pw_dir, '~': user.pw_dir, 'USER': user.pw_name,
                     'LOGNAME': user.pw_name, 'USERNAME': os.environ.get('USERNAME') and
                     user.pw_name}
    done = run_wsgid('--check', 'athome', cwd=directory, env=starter)
    assert f'"HOME": "{user.pw_dir}"' in done.stdout + done.stderr


def test_who_sets_home_or_stays_who_he_is_has_the_home_that_was_set(serve, directory):
    (directory / 'athome.py').write_text(AT_HOME)
    (directory / '.env').write_text('HOME=/srv\nLOGNAME=me\n')
    starter = {'HOME': '/home/of/starter', 'LOGNAME': 'root'}
    server = serve('athome', '-w', '1', '--environment-file', directory / '.env', cwd=directory,
                   env=starter)
    found = json.loads(get(server.address).body)
    assert (found['HOME'], found['LOGNAME']) == ('/srv', 'me')
    server = serve('athome', '-w', '1', '--user', 'root', '--allow-root', 'On', cwd=directory,
                   env=starter)
    found = json.loads(get(server.address).body)
    assert (found['HOME'], found['LOGNAME']) == ('/home/of/starter', 'root')


@pytest.fixture
def loaded_as(directory):
    """An EnvironmentFile with which the loader loads what writes down as whom: its numbers."""
    need('cc')
    if SANITIZED:
        pytest.skip('a sanitizer must be the first library that is loaded')
    library = compile_support(directory, 'loaded_as', '-shared', '-fPIC')
    found = directory / 'found'
    found.touch()
    found.chmod(0o666)
    (directory / '.env').write_text(f'LD_PRELOAD={library}\nLOADED_AS={found}\n')

    def numbers():
        lines = found.read_text().split()
        os.truncate(found, 0)
        return set(map(int, lines))
    return numbers


@pytest.mark.parametrize('options', [[], ['--preload']], ids=['', 'preload'])
def test_what_the_file_has_loaded_is_loaded_as_the_user(serve, directory, loaded_as, options):
    user = {pwd.getpwnam(child_user()).pw_uid}
    words = ['--environment-file', directory / '.env', *options]
    server = serve('hello', '-w', '1', *words)
    assert loaded_as() == user
    assert 'reload done' in server.reload()
    assert loaded_as() == user
    for word in '--check', '--doctor':
        run_wsgid(word, 'hello', *words, cwd=server.cwd)
        assert loaded_as() == user


def test_into_a_child_that_was_the_user_from_the_start_no_other_process_looks(serve, directory):
    (directory / '.env').write_text('A=1\n')
    server = serve('hello', '-w', '1', '--environment-file', directory / '.env')
    child, = server.ready()
    assert os.stat(f'/proc/{child}/environ').st_uid == 0  # it is not "dumpable"
    assert status_of(child)['Groups'].split() == [
        str(number) for number in sorted(os.getgrouplist(child_user(),
                                                         pwd.getpwnam(child_user()).pw_gid))]


def test_a_user_that_cannot_be_had_is_named_with_a_file_as_without(new_server, directory):
    (directory / '.env').write_text('A=1\n')
    need('setpriv')
    server = new_server('hello', '--environment-file', directory / '.env',
                        launcher=['setpriv', '--bounding-set=-setuid,-setgid',
                                  '--inh-caps=-setuid,-setgid'])
    assert server.fails() == 1
    assert 'without CAP_SETUID and CAP_SETGID' in server.log.text()
