"""Which Python serves: by version, by interpreter, by environment; and its options."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from client import get
from pythons import SHOW, checked, fact, get_from_pypi, make_environment, rewrite, shared, standard
from server import (BUILD, IS_ROOT, PYTHON, WSGID, child_user, clean_environment, need,
                    open_directory, run_wsgid)

# --- environments -----------------------------------------------------------------------------

# Of the workers of xdist one alone gets the tools.
with_tools = pytest.mark.xdist_group('tools')


@pytest.fixture(scope='session')
def tools():
    """A directory with uv and virtualenv in it."""
    place = open_directory('wsgid-tools-')
    try:
        get_from_pypi('uv and virtualenv', PYTHON, '-m', 'pip', 'install', '-q', '--no-compile',
                      '--disable-pip-version-check', '--no-input', '--retries', '1', '--timeout',
                      '10', '--target', place, 'uv', 'virtualenv')
        yield place
    finally:
        shutil.rmtree(place)


@pytest.mark.parametrize('tool', [
    'venv', pytest.param('virtualenv', marks=with_tools), pytest.param('uv', marks=with_tools)])
def test_an_environment_is_what_its_own_interpreter_says(serve, show, tool, request):
    make_environment(tool, show / 'venv', request)
    said = subprocess.run(
        [show / 'venv' / 'bin' / 'python', '-c',
         'import json, site, sys; print(json.dumps([sys.prefix, sys.base_prefix, sys.executable,'
         'site.getsitepackages()]))'], text=True, capture_output=True, check=True,
        env=clean_environment())
    server = serve('show', '-w', '1', '--python-home', f'{show}/./venv/', cwd=show,
                   env={'PATH': '/nowhere'})
    found = json.loads(get(server.address).body)
    assert [found[key] for key in ('prefix', 'base_prefix', 'executable', 'site-packages')] \
        == json.loads(said.stdout)
    assert found['prefix'] == str(show / 'venv')
    server.log.wait_for(rf'Python 3\..* {show}/\./venv/ \((?:(static|shared) libpython|inside the interpreter)\)')


def test_the_interpreter_of_an_environment_means_the_environment(serve, show, request):
    make_environment('venv', show / 'venv', request)
    server = serve('show', '-w', '1', '--python', f'{show}/venv//bin/python3', cwd=show)
    found = json.loads(get(server.address).body)
    assert found['prefix'] == str(show / 'venv')
    assert found['executable'] == f'{show}/venv/bin/python3'


FRAMEWORKS = '''
import bottle, django, falcon, flask, lxml.etree, numpy, pyramid.config

def hello_pyramid(request):
    from pyramid.response import Response
    return Response('pyramid')

flask_app = flask.Flask('x')
flask_app.add_url_rule('/', view_func=lambda: 'flask')
bottle_app = bottle.Bottle()
bottle_app.route('/', callback=lambda: 'bottle')
falcon_app = falcon.App()
class Hello:
    def on_get(self, request, response):
        response.text = 'falcon'
falcon_app.add_route('/', Hello())
with pyramid.config.Configurator() as config:
    config.add_route('hello', '/')
    config.add_view(hello_pyramid, route_name='hello')
    pyramid_app = config.make_wsgi_app()
from django.conf import settings
from django.http import HttpResponse
from django.urls import path
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=['*'], SECRET_KEY='x')
urlpatterns = [path('', lambda request: HttpResponse('django'))]
from django.core.wsgi import get_wsgi_application
django_app = get_wsgi_application()

def sums(environ, start_response):
    tree = lxml.etree.fromstring(b'<a><b>3</b><b>4</b></a>')
    start_response('200 OK', [])
    return [str(numpy.dot([int(b.text) for b in tree], [1, 1])).encode()]

apps = {'flask': flask_app, 'bottle': bottle_app, 'falcon': falcon_app, 'pyramid': pyramid_app,
        'django': django_app, 'sums': sums}

def application(environ, start_response):
    return apps[environ.pop('QUERY_STRING')](environ, start_response)
'''


@with_tools
def test_frameworks_and_c_extensions_of_an_environment_serve(serve, show, tools, request):
    make_environment('uv', show / 'venv', request)
    get_from_pypi('the frameworks', tools / 'bin' / 'uv', 'pip', 'install', '-q', '--python',
                  show / 'venv', 'flask', 'django', 'pyramid', 'falcon', 'bottle', 'numpy', 'lxml',
                  'setuptools<80')
    (show / 'frameworks.py').write_text(FRAMEWORKS)
    server = serve('frameworks', '-w', '1', '--mpm', 'worker', '--threads', '4', '--python-home',
                   show / 'venv', cwd=show)
    for name in ('flask', 'bottle', 'falcon', 'pyramid', 'django'):
        assert get(server.address, f'/?{name}').body == name.encode()
    assert get(server.address, '/?sums').body == b'7'


# --- what does not fit ------------------------------------------------------------------------

def make_venv(place, version='3.2.1', home='/usr/bin'):
    (place / 'bin').mkdir(parents=True)
    (place / 'bin' / 'python').symlink_to(PYTHON)
    # That it is one without a GIL its version does not say.
    if 't.' in version:
        (place / 'lib' / f'python{version.rpartition(".")[0]}').mkdir(parents=True)
    (place / 'pyvenv.cfg').write_text(f'home = {home}\nversion = {version.replace("t", "")}\n')
    return place


def test_a_home_that_is_none_is_refused_with_what_to_write(directory):
    plain = directory / 'plain'
    plain.mkdir()
    cases = [
        (directory / 'nothing', 'No such file or directory'),
        (PYTHON, 'is no directory but a program; write "WSGIPythonHome /usr"'),
        (plain, 'has neither a pyvenv.cfg, as a virtual environment has, nor lib/python3.'),
        (make_venv(directory / 'moved', home='/nonexistent/bin'),
         'was made of the Python 3.2 in /nonexistent/bin, which is not there any more'),
        (make_venv(directory / 'odd', version='x'), 'does not say of which version it is'),
    ]
    if os.path.exists('/bin/python3'):
        cases.append(('/bin/python3', 'is no directory but a program; write "Python /bin/python3"'))
    for home, said in cases:
        status, words = checked(BUILD, '--python-home', home)
        assert status == 78 and f'{home}' in words and said in words, (home, words)


def test_an_environment_of_another_version_is_refused_with_both_paths(directory):
    other = directory / 'other' / 'python9.9'
    other.parent.mkdir()
    other.symlink_to('/bin/true')
    venv = make_venv(directory / 'venv', version='9.9.1', home=other.parent)
    status, words = checked(BUILD, '--python-home', venv)
    executable = fact(standard(), 'executable')
    assert status == 78
    assert f'{venv} is an environment of Python 9.9 ({other.parent})' in words
    assert 'wsgid was built for Python ' in words and f'({executable})' in words
    assert f'{executable},' in words and f',{other} install"' in words
    assert f' -m venv --clear {venv}"' in words


def test_the_same_version_at_another_prefix_is_refused_with_both_paths(directory):
    abi = fact(standard(), 'abi')
    other = directory / 'other'
    for path in (other / 'bin', other / 'lib' / f'python{abi}'):
        path.mkdir(parents=True)
    (other / 'lib' / f'python{abi}' / 'os.py').touch()
    (other / 'bin' / f'python{abi}').symlink_to('/bin/true')
    venv = make_venv(directory / 'venv', version=f'{abi}.1', home=f'{other}/bin')
    for home in (venv, other):
        status, words = checked(BUILD, '--python-home', home)
        assert status == 78
        assert f'{home} is of the Python {abi} in {other}/bin' in words
        assert f'built for the one in {fact(standard(), "base_prefix")} ' in words
        assert re.search(rf'"scons python=(\S+,)?{other}/bin/python{abi}(,\S+)? install"', words)


def test_a_python_that_wsgid_was_not_built_for_is_refused(directory):
    other = directory / 'bin' / 'python9'
    other.parent.mkdir()
    other.symlink_to('/bin/true')
    for python, said in (('9.9', '9.9: wsgid was built for Python '),
                         ('3', r'3 is not the whole of a version: write 3\.\d+t?, say, or the path'),
                         ('pypy', '"pypy" is neither a version, as in 3.11, nor the path'),
                         ('/nonexistent/python', '/nonexistent/python: No such file'),
                         (other, f'for this one run "scons python=.*{other} install"')):
        status, words = checked(BUILD, '--python', python)
        assert status != 0 and re.search(said, words), words


@pytest.mark.skipif(not IS_ROOT,
                    reason='only root runs children as somebody else')
def test_a_home_that_the_user_cannot_enter_is_refused(new_server, show, request):
    make_environment('venv', show / 'private' / 'venv', request)
    (show / 'private').chmod(0o700)
    home = show / 'private' / 'venv'
    said = (rf'WSGIPythonHome:? .*{home} cannot be read by user {child_user()}: {show}/private has '
            'mode 0700')
    server = new_server('show', '--python-home', home, cwd=show)
    assert server.fails() == 78
    server.log.wait_for(said)
    status, words = checked(BUILD, '--python-home', home)
    assert status == 78 and re.search(said, words)
    (show / 'private').chmod(0o711)
    home.chmod(0o711)
    status, words = checked(BUILD, '--python-home', home)
    assert status == 0, words
    (show / 'private').chmod(0o700)
    # And does not become an interpreter without an environment.
    status, words = checked(BUILD, '--python', home / 'bin' / 'python3')
    assert status == 78
    assert re.search(said.replace('WSGIPythonHome', 'Python').replace(
        f'{home} ', f'{home}/bin/python3 '), words)


def test_an_environment_without_its_interpreter_is_refused(show, request):
    """As where the Python that it was made of has been upgraded to another version."""
    make_environment('venv', show / 'venv', request)
    for path in (show / 'venv' / 'bin').glob('python*'):
        path.unlink()
    (show / 'venv' / 'bin' / 'python').symlink_to('/usr/bin/python3.1')
    status, words = checked(BUILD, '--python-home', show / 'venv')
    assert status == 78
    assert f'{show}/venv: there is no bin/python that this user can run' in words
    assert 'make the environment anew' in words


@pytest.mark.skipif(not IS_ROOT, reason='only root mounts')
def test_an_environment_where_nothing_may_be_executed_is_refused_with_the_reason(show):
    if not os.path.samefile(fact(standard(), 'executable'), PYTHON):
        pytest.skip(f'what is served is not {PYTHON}, of which this environment is')
    place = show / 'mounted'
    place.mkdir()
    words = [need('unshare'), '-m', 'sh', '-c', 'mount -t tmpfs -o noexec none "$0" && '
             'cp -a venv "$0" && exec "$@"', place]
    venv = make_venv(show / 'venv', version=fact(standard(), 'version'))
    (venv / 'bin' / 'python').unlink()
    shutil.copy(PYTHON, venv / 'bin' / 'python')
    if subprocess.run([*words, 'true'], cwd=show, capture_output=True).returncode != 0:
        pytest.skip('nothing can be mounted here')
    done = subprocess.run([*words, WSGID, '-t', '--python-home', place / 'venv', 'show'], cwd=show,
                          env=clean_environment(), text=True, capture_output=True)
    assert done.returncode == 78, done
    assert (f'{place}/venv: its bin/python is on a file system that is mounted noexec'
            in done.stderr)


def test_a_python_that_is_not_there_any_more_is_said(show, installed):
    place = installed(shared())
    rewrite(place / shared().name, stdlib='/usr/lib/gone')
    done = subprocess.run([place / 'wsgid', '--check', '--lib-python',
                           fact(shared(), 'linkage'), 'show'], cwd=show, text=True,
                          env=clean_environment(), capture_output=True)
    assert done.returncode == 78
    assert ('/usr/lib/gone, is not there any more: install this Python again, or run "scons '
            'install" for the one that is there now') in done.stderr


@pytest.mark.skipif(not IS_ROOT, reason='only root runs children as somebody else')
def test_a_python_that_the_user_cannot_enter_is_refused(new_server, show, installed):
    """As one of pyenv or uv in the home of somebody else, with an environment or without."""
    program = shared()
    place = installed(program)
    private = show / 'private'
    (private / 'bin').mkdir(parents=True)
    (private / 'lib').mkdir()
    private.chmod(0o700)
    # At once, and not longer than it was: what grows pushes other parts of the file about.
    rewrite(place / program.name, stdlib=private / 'lib', base_prefix=private, places='-')
    make_venv(show / 'venv', version=fact(program, 'abi') + '.1', home=private / 'bin')
    for words in (), ('--python-home', show / 'venv'):
        server = new_server('show', *words, cwd=show, program=place / 'wsgid')
        assert server.fails() == 78
        server.log.wait_for(rf'the standard library of Python .*: {private}/lib cannot be read by '
                            rf'user {child_user()}: {private} has mode 0700')


def test_a_pythonhome_that_leads_nowhere_is_named(show):
    done = run_wsgid('--check', 'show', cwd=show, env={'PYTHONHOME': '/nowhere'})
    assert done.returncode == 78
    assert 'take PYTHONHOME out of the environment, which is /nowhere' in done.stderr


def test_another_standard_library_than_that_of_the_build_is_refused(new_server, show):
    program = standard()
    stdlib = pathlib.Path(fact(program, 'stdlib'))
    other = show / 'other' / stdlib.parent.name / stdlib.name
    other.parent.mkdir(parents=True)
    shutil.copytree(stdlib, other, symlinks=True, ignore=shutil.ignore_patterns(
        '*-packages', 'test', '__pycache__', 'config-*', 'idlelib', 'lib2to3', 'tkinter'))
    server = new_server('show', '--lib-python', fact(program, 'linkage'), cwd=show,
                        env={'PYTHONHOME': str(show / 'other')})
    assert server.fails() == 78
    said = (f'found its standard library in {other}, and this program was built for the one in '
            f'{stdlib}: take ')
    server.log.wait_for(rf'{said}PYTHONHOME out of the environment, which is {show}/other')
    # What leads there may be something of the system's, and stays where it is.
    path = f'/nowhere:{other}'
    done = run_wsgid('--check', 'show', cwd=show, env={'PYTHONPATH': path})
    assert done.returncode == 78
    assert f'{said}{other} out of PYTHONPATH, which is {path}\n' in done.stderr


# --- options of Python ------------------------------------------------------------------------

def test_options_of_python_are_directives(serve, show):
    server = serve('show', '-w', '1', '--python-optimize', '2', '--python-dont-write-bytecode',
                   '--python-x-options', 'utf8,dev,mine=7', '--python-hash-seed', '5',
                   '--python-warnings', 'error::DeprecationWarning,ignore::ImportWarning',
                   '--python-warnings', 'always::BytesWarning',
                   '--locale', 'C.UTF-8', cwd=show, env={'LC_ALL': 'C'})
    found = json.loads(get(server.address).body)
    said = subprocess.run([fact(standard(), 'executable'), '-c', 'print(hash("wsgid"))'],
                          env={'PYTHONHASHSEED': '5'}, capture_output=True, text=True)
    assert found['flags'] == [2, 1, 1, True, 1]
    assert found['hash'] == int(said.stdout)
    assert found['xoptions'] == {'utf8': True, 'dev': True, 'mine': '7'}
    assert {'error::DeprecationWarning', 'ignore::ImportWarning', 'always::BytesWarning'} \
        <= set(found['warnings'])
    assert found['environ']['LC_ALL'] == 'C.UTF-8' and found['encoding'] == 'utf-8'


def test_a_random_hash_seed_is_random(serve, show):
    server = serve('show', '-w', '1', '--python-hash-seed', 'random', cwd=show,
                   env={'PYTHONHASHSEED': '0'})
    first = json.loads(get(server.address).body)
    server.reload()
    assert first['flags'][4] == 1
    assert json.loads(get(server.address).body)['hash'] != first['hash']


@pytest.mark.parametrize('option, value, said', [
    ('--python-hash-seed', '4294967296', 'is neither "random" nor a number from 0 to 4294967295'),
    ('--python-optimize', '3', '0 to 2'),
    ('--python-x-options', 'dev,utf8=3', '"dev,utf8=3": utf8 stands alone, or is utf8=1 or utf8=0'),
    ('--environment-file', '/nonexistent/.env', '/nonexistent/.env: No such file'),
])
def test_an_option_of_python_that_is_wrong_is_refused(option, value, said):
    status, words = checked(BUILD, option, value)
    assert status != 0 and said in words


@pytest.mark.parametrize('option, said', [
    ('tracemalloc=many', 'does not start: .*tracemalloc'),  # which is Python's own word
])
def test_an_x_option_that_python_would_refuse_is_refused(show, option, said):
    done = run_wsgid('--check', '--python-x-options', option, 'show', cwd=show)
    assert done.returncode == 78 and re.search(said, done.stderr)


def test_an_unknown_locale_is_refused(new_server, show):
    server = new_server('show', '--locale', 'xx_YY', cwd=show)
    assert server.fails() == 78
    server.log.wait_for('Locale:? xx_YY: there is no such locale on this machine')
    status, words = checked(BUILD, '--locale', 'xx_YY')
    assert status == 78 and 'there is no such locale on this machine' in words


def test_an_environment_file_is_the_applications_and_is_read_again_at_a_reload(serve, show):
    file = show / '.env'
    file.write_text('# of the application\nexport APP_ONE="a b"\nAPP_TWO=2 # two\n')
    file.chmod(0o600)
    server = serve('show', '-w', '1', '--environment-file', file, cwd=show,
                   env={'APP_TWO': 'weaker', 'APP_THREE': '3'})
    environ = json.loads(get(server.address).body)['environ']
    assert {name: value for name, value in environ.items() if name.startswith('APP_')} == {
        'APP_ONE': 'a b', 'APP_TWO': '2', 'APP_THREE': '3'}
    file.write_text('APP_ONE=new\n')
    server.reload()
    assert json.loads(get(server.address).body)['environ']['APP_ONE'] == 'new'
    (show / 'lib').mkdir()
    (show / 'lib' / 'show.py').write_text(SHOW.replace('200 OK', '203 From PYTHONPATH'))
    file.write_text(f'PYTHONPATH={show}/lib\n')
    (show / 'show.py').unlink()
    server.reload()
    assert get(server.address).status == 203
    file.write_text('no value\n')
    assert f'{file}:1: "=" is missing' in server.reload()
    assert get(server.address).status == 203
