"""What the children have of the environment where they run as another user."""

import json
import os
import pwd

import pytest

from client import get
from server import IS_ROOT, child_user, run_wsgid

pytestmark = pytest.mark.skipif(not IS_ROOT, reason='only root can make children another user')

AT_HOME = '''
import json, os, site

about = {name: os.environ.get(name) for name in ('HOME', 'USER', 'USERNAME', 'LOGNAME')}
about['~'] = os.path.expanduser('~')
about['packages'] = site.getusersitepackages()
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
