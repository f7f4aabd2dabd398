"""Which Python serves: by version, by interpreter, by environment; and what does not fit."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from client import get
from server import (BUILD, IS_ROOT, PATIENCE, PYTHON, SANITIZED, WSGID,
                    child_user, clean_environment, need, open_directory, run_wsgid)

SHOW = '''
import json, os, site, sys

def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'application/json')])
    return [json.dumps({
        'prefix': sys.prefix, 'base_prefix': sys.base_prefix, 'executable': sys.executable,
        'site-packages': site.getsitepackages(), 'flags': [
            sys.flags.optimize, sys.flags.dont_write_bytecode, sys.flags.utf8_mode,
            sys.flags.dev_mode, sys.flags.hash_randomization],
        'hash': hash('wsgid'), 'warnings': sys.warnoptions, 'xoptions': sys._xoptions,
        'encoding': sys.getfilesystemencoding(),
        'environ': {k: v for k, v in os.environ.items() if k.startswith(('APP_', 'LC_'))},
        'libpython': [line.split()[-1] for line in open('/proc/self/maps')
                      if 'libpython' in line],
    }).encode()]
'''


@pytest.fixture
def show(directory):
    """The directory of an application that tells about its Python."""
    (directory / 'show.py').write_text(SHOW)
    (directory / 'show.py').chmod(0o644)
    return directory


def facts_of(program) -> str:
    """What the build has written into a child."""
    done = subprocess.run([program, '-V'], env={}, capture_output=True, text=True)
    return done.stdout.partition('\n')[2]


def fact(program, key: str) -> str:
    return re.search(rf'^{key} (.*)$', facts_of(program), re.M)[1]


def standard() -> pathlib.Path:
    """The child that serves when nothing is asked for, or what all tests are to run with."""
    if 'WSGID_TEST_PYTHON' in os.environ:
        return BUILD / ('wsgid-python' + os.environ['WSGID_TEST_PYTHON'])
    done = run_wsgid('-V')
    return BUILD / re.search(r'child program +(\S+)', done.stdout)[1]


def shared() -> pathlib.Path:
    """The one of the same Python with the shared library."""
    program = standard()
    twin = program.with_name(program.name + '-shared')
    return twin if twin.exists() else program


@pytest.fixture
def installed(directory):
    """installed(CHILD...) is a wsgid with copies of these children alone."""
    def make(*children):
        place = directory / 'installed'
        place.mkdir()
        place.chmod(0o755)
        for program in (WSGID, *children):
            for file in files_of(program):
                shutil.copy(file, place)
        return place
    return make


def files_of(program) -> list:
    """One that runs inside the interpreter has a second, which is the child."""
    second = program.with_name(program.name + '.so')
    return [program, second] if second.exists() else [program]


def is_inside(program) -> bool:
    return fact(program, 'linkage') == 'interpreter'


def rewrite(program, **changes):
    """Change what a child says it was built with: the next best to building another one."""
    text = facts_of(program)
    for key, value in changes.items():
        text, n = re.subn(rf'^({key} ).*$', rf'\g<1>{value}', text, flags=re.M)
        assert n, key
    file = program.with_name('facts')
    file.write_text(text + '\0')
    subprocess.run([need('objcopy'), '--update-section', f'.wsgid.python={file}', program],
                   check=True)
    file.unlink()


def checked(place, *words):
    """The exit status and the words of "wsgid -t"."""
    done = subprocess.run([place / 'wsgid', '-t', *words, 'show'], env=clean_environment(),
                          stdin=subprocess.DEVNULL, text=True, capture_output=True)
    return done.returncode, done.stderr


# --- environments -----------------------------------------------------------------------------

# Of the workers of xdist one alone gets the tools.
with_tools = pytest.mark.xdist_group('tools')


def get_from_pypi(what: str, *command):
    """The test is left out where PyPI is not to be reached, or takes its time."""
    limit = PATIENCE * 1.5
    try:
        done = subprocess.run(command, env=clean_environment(), timeout=limit, text=True,
                              capture_output=True)
        if done.returncode == 0:
            return
        said = (done.stderr.strip().splitlines() or ['without a reason'])[-1]
    except subprocess.TimeoutExpired:
        said = f'it takes more than {limit:.0f} s'
    pytest.skip(f'{what} cannot be got from PyPI: {said}')


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


def make_environment(tool: str, place, request):
    python = fact(standard(), 'executable')
    if tool == 'venv':
        command, more = [python, '-m', 'venv', '--without-pip', place], {}
    else:
        tools = request.getfixturevalue('tools')
        # virtualenv gives an interpreter 15 s to answer, too few on a machine at work.
        more = {'PYTHONPATH': str(tools), 'PY_DISCOVERY_TIMEOUT': str(PATIENCE * 2)}
        command = ([tools / 'bin' / 'uv', 'venv', '-q', '--python', python, place]
                   if tool == 'uv' else
                   [PYTHON, '-m', 'virtualenv', '-q', '--no-download', '-p', python, place])
    done = subprocess.run(command, env={**clean_environment(), **more}, text=True,
                          capture_output=True)
    if done.returncode != 0 and tool == 'venv':
        pytest.skip('python3-venv is not installed')
    assert done.returncode == 0, done.stderr


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


# --- the library ------------------------------------------------------------------------------

@pytest.fixture
def twins():
    """Both children of a Python that has both libraries."""
    if shared() == standard():
        pytest.skip('this Python was built with one library alone')
    if 'WSGID_TEST_LIB_PYTHON' in os.environ:
        pytest.skip('which library serves is given')
    return standard(), shared()


def serving(server) -> str:
    """The name of the program, which of one inside the interpreter is not the executable."""
    child, = server.wait_for_ready(1)
    found = re.search(r'/(wsgid-python[^/]*)\.so$',
                      pathlib.Path(f'/proc/{child}/maps').read_text(), re.M)
    return found[1] if found else os.path.basename(os.readlink(f'/proc/{child}/exe'))


@pytest.fixture
def old_static(twins, installed):
    """A wsgid whose first child was built with the static library of an older Python, or says so,
    and its twin."""
    place = installed(*twins)
    first = place / twins[0].name
    if is_inside(first):
        shutil.copy(twins[1], first)
    changed = {'linkage': 'static', 'file': 'build-id:0123 ' + fact(first, 'executable')}
    rewrite(first, **changed)
    return place


def test_the_library_is_chosen(serve, show, twins):
    for words, program in (((), twins[0]), (('--lib-python', 'shared'), twins[1])):
        server = serve('show', '-w', '1', *words, cwd=show)
        assert serving(server) == program.name
        mapped = json.loads(get(server.address).body)['libpython']
        assert bool(mapped) == (program is twins[1])


def test_after_an_upgrade_of_python_the_shared_library_serves_and_it_is_said_once(
        new_server, show, twins, old_static):
    place = old_static
    server = new_server('show', '-w', '1', cwd=show, program=place / 'wsgid').start()
    assert serving(server) == twins[1].name
    server.reload()
    said = re.findall(r'Python \S+ was upgraded since wsgid was built \(\S+ is another one\); '
                      r'using the shared library until "scons install" is run again',
                      server.log.text())
    assert len(said) == 1
    server = new_server('show', '-w', '1', '--lib-python', 'static', cwd=show,
                        program=place / 'wsgid').start()
    assert serving(server) == twins[0].name
    server.log.wait_for('LibPython static goes on with the old one')


def test_after_an_upgrade_without_a_shared_library_it_is_refused(new_server, show, twins,
                                                                  old_static):
    place = old_static
    (place / twins[1].name).unlink()
    server = new_server('show', cwd=show, program=place / 'wsgid')
    assert server.fails() == 78
    server.log.wait_for('was upgraded since wsgid was built .* run "scons install" again, or write '
                        '"LibPython static"')
    server = new_server('show', '--lib-python', 'shared', cwd=show, program=place / 'wsgid')
    assert server.fails() == 78
    server.log.wait_for('LibPython.* there is no program of this kind for Python')


def test_an_interpreter_that_was_upgraded_serves_and_one_that_is_gone_is_said(
        new_server, show, twins, installed):
    if not is_inside(twins[0]):
        pytest.skip('the children of this Python do not run inside the interpreter')
    place, own = installed(*twins), fact(twins[0], 'executable')
    rewrite(place / twins[0].name, file='build-id:0123 ' + own)
    server = new_server('show', '-w', '1', cwd=show, program=place / 'wsgid').start()
    assert serving(server) == twins[0].name and 'was upgraded' not in server.log.text()
    rewrite(place / twins[0].name, executable='/usr/bin/gone3.1')
    for words in (('--lib-python', 'interpreter'), ('--lib-python', 'static')):
        status, said = checked(place, *words)
        assert status == 78
        assert (f'/usr/bin/gone3.1 is gone, and {twins[0].name} runs inside it; mend that, '
                f'install Python {fact(twins[0], "abi")} again') in said
    server = new_server('show', '-w', '1', cwd=show, program=place / 'wsgid').start()
    assert serving(server) == twins[1].name
    server.log.wait_for('/usr/bin/gone3.1 is gone: using the shared library until')


@pytest.mark.parametrize('what, said', [
    ('script', 'another one, which does not have all of Python in it'),
    ('junk', 'another one, which does not have all of Python in it'),
    ('no right', 'not executable'),
    ('set-id', 'one with rights of its own'),
])
def test_an_interpreter_that_takes_no_child_is_replaced_by_the_shared_library(
        new_server, show, twins, installed, what, said):
    """And named where that is not there."""
    if not is_inside(twins[0]):
        pytest.skip('the children of this Python do not run inside the interpreter')
    place, other = installed(*twins), show / 'python3'
    if what == 'script':
        other.write_text(f'#!/bin/sh\nexec {fact(twins[0], "executable")} "$@"\n')
    elif what == 'junk':
        other.write_bytes(b'\x7fELF' + bytes(range(200)))
    else:
        shutil.copy(fact(twins[0], 'executable'), other)
    other.chmod({'no right': 0o644, 'set-id': 0o4755}.get(what, 0o755))
    rewrite(place / twins[0].name, executable=other)
    server = new_server('show', '-w', '1', cwd=show, program=place / 'wsgid').start()
    assert serving(server) == twins[1].name
    server.log.wait_for(rf'{other} is {said}.*: using the shared library until that is mended')
    (place / twins[1].name).unlink()
    server = new_server('show', '-w', '1', cwd=show, program=place / 'wsgid')
    assert server.fails() == 78
    server.log.wait_for(rf'{other} is {said}.*, and {twins[0].name} runs inside it; mend that, install')


@pytest.mark.skipif(not IS_ROOT, reason='only root gives capabilities to files')
def test_an_interpreter_with_capabilities_takes_no_child_of_who_has_none(show, twins, installed):
    """The loader leaves out what is to be preloaded."""
    if not is_inside(twins[0]):
        pytest.skip('the children of this Python do not run inside the interpreter')
    place, other = installed(*twins), show / 'python3'
    shutil.copy(fact(twins[0], 'executable'), other)
    subprocess.run([need('setcap'), 'cap_net_bind_service+ep', other], check=True)
    rewrite(place / twins[0].name, executable=other)
    done = subprocess.run([need('setpriv'), '--reuid=54321', '--regid=54321', '--clear-groups',
                           place / 'wsgid', '--check', 'show'], cwd=show, text=True,
                          env=clean_environment(), capture_output=True)
    assert done.returncode == 0, done.stderr
    assert f'{other} is one with rights of its own' in done.stderr


def test_a_child_inside_the_interpreter_is_seen_as_itself_and_leaves_no_trace(
        serve, show, twins, directory):
    """The application and what it runs see the environment that the server was given."""
    if not is_inside(twins[0]):
        pytest.skip('the children of this Python do not run inside the interpreter')
    library = make_library(show, 'harmless.so')
    (show / 'sees.py').write_text("""
import os, subprocess, sys

def application(environ, start_response):
    start_response('200 OK', [])
    said = subprocess.run(['env'], capture_output=True, text=True).stdout
    return [repr((os.environ.get('LD_PRELOAD'), 'wsgid-python' in said, sys.argv, sys.orig_argv
                  if hasattr(sys, 'orig_argv') else [], open('/proc/self/comm').read(),
                  open('/proc/self/cmdline').read().rstrip(chr(0)))).encode()]
""")
    for given in {}, {'LD_PRELOAD': str(library)}, {'LD_PRELOAD': f'{library} {library}'}:
        server = serve('sees', '-w', '1', cwd=show, env=given)
        seen = eval(get(server.address).body)
        assert seen[0] == given.get('LD_PRELOAD') and not seen[1]
        assert seen[2] == ['wsgid'] and seen[3] in (['wsgid'], [])
        assert seen[4] == twins[0].name[:15] + '\n' and seen[5].startswith('wsgid: child 0 [')


def test_a_child_inside_the_interpreter_may_be_anywhere(new_server, show, twins):
    """The loader's own words end at a space and a colon."""
    if not is_inside(twins[0]):
        pytest.skip('the children of this Python do not run inside the interpreter')
    place = show / 'a $LIB: with words'
    place.mkdir()
    place.chmod(0o755)
    for program in (WSGID, *files_of(twins[0])):
        shutil.copy(program, place)
    server = new_server('show', '-w', '1', cwd=show, program=place / 'wsgid').start()
    assert serving(server) == twins[0].name
    child, = server.wait_for_ready(1)
    assert not [fd for fd in os.listdir(f'/proc/{child}/fd')
                if os.readlink(f'/proc/{child}/fd/{fd}').endswith('.so')]


@pytest.mark.skipif(not IS_ROOT, reason='only root unmounts')
def test_without_proc_it_is_said_that_it_is_missing(show):
    words = [need('unshare'), '-m', 'sh', '-c', 'umount -l /proc && exec "$@"', 'sh']
    if subprocess.run([*words, 'true'], capture_output=True).returncode != 0:
        pytest.skip('nothing can be unmounted here')
    done = subprocess.run([*words, WSGID, '-b', '127.0.0.1:0', '--run-directory', show / 'run',
                           'show'], cwd=show, text=True, env=clean_environment(),
                          capture_output=True, timeout=PATIENCE)
    assert done.returncode == 1 and '/proc is not mounted' in done.stderr, done


def test_half_a_program_is_said(new_server, show, twins, installed):
    if not is_inside(twins[0]):
        pytest.skip('the children of this Python do not run inside the interpreter')
    place = installed(twins[0])
    second = place / (twins[0].name + '.so')
    second.write_bytes(b'no library')
    server = new_server('show', cwd=show, program=place / 'wsgid')
    assert server.fails() == 78
    server.log.wait_for(rf'the loader refuses to put {second} into {fact(twins[0], "executable")}')
    second.unlink()
    server = new_server('show', cwd=show, program=place / 'wsgid')
    assert server.fails() == 78
    said = f'{second} is gone, which is half of {twins[0].name}; install wsgid again'
    server.log.wait_for(re.escape(said))
    done = subprocess.run([place / 'wsgid', '--check', 'show'], cwd=show, text=True,
                          env=clean_environment(), capture_output=True)
    assert done.returncode == 78 and said in done.stderr
    shutil.copy(BUILD / 'wsgictl', place)
    done = subprocess.run([place / 'wsgictl', 'doctor', '--json', 'show'], cwd=show, text=True,
                          env=clean_environment(), capture_output=True)
    found = json.loads(done.stdout)
    assert found['well'] is False and said in found['problem'][0]
    shutil.copy(twins[1], place)
    server = new_server('show', '-w', '1', cwd=show, program=place / 'wsgid').start()
    assert serving(server) == twins[1].name
    server.log.wait_for(re.escape(f'{second} is gone: using the shared library until that is '))


def test_another_patch_level_is_said(new_server, show, installed):
    program = shared()
    if fact(program, 'linkage') != 'shared':
        pytest.skip('this Python has no shared library')
    place = installed(program)
    abi = fact(program, 'abi')
    rewrite(place / program.name, version=f'{abi}.99')
    server = new_server('show', '-w', '1', '--lib-python', 'shared', cwd=show,
                        program=place / 'wsgid').start()
    server.log.wait_for(rf'compiled for Python/{abi}\.99, running Python/{abi}\.\d+')


@pytest.mark.skipif(SANITIZED, reason='the sanitizer wants to be the first library')
def test_a_library_from_elsewhere_is_refused_unless_its_patch_level_is_that_of_the_build(
        show, installed):
    """It would run with the extension modules of the other one, which fail one by one."""
    program = shared()
    if fact(program, 'linkage') != 'shared':
        pytest.skip('this Python has no shared library')
    library, abi = fact(program, 'library'), fact(program, 'abi')
    place = installed(program)
    other = pathlib.Path(shutil.copy(library, show))

    def check(**environment):
        return subprocess.run([place / 'wsgid', '--check', '--lib-python', 'shared', 'show'],
                              cwd=show, env={**clean_environment(), **environment}, text=True,
                              capture_output=True)

    assert check(LD_PRELOAD=str(other)).returncode == 0
    rewrite(place / program.name, version=f'{abi}.99')
    assert check().returncode == 0
    for environment, said in (
            ({'LD_LIBRARY_PATH': f'/nowhere:{show}'},
             f'take its directory out of LD_LIBRARY_PATH, which is /nowhere:{show}'),
            ({'LD_PRELOAD': str(other)}, 'take it out of LD_PRELOAD')):
        done = check(**environment)
        assert done.returncode == 78
        assert re.search(rf'Python {abi}\.\d+ was loaded from {other}, and this program was built '
                         rf'for Python {abi}\.99 in {library}, whose modules need their own: ',
                         done.stderr), done.stderr
        assert said in done.stderr


def test_another_abi_of_extension_modules_is_refused(new_server, show, installed):
    program = shared()
    place = installed(program)
    soabi = fact(program, 'soabi')
    rewrite(place / program.name, soabi='cpython-3d-' + soabi)
    server = new_server('show', cwd=show, program=place / 'wsgid')
    assert server.fails() == 78
    server.log.wait_for(rf'loads extension modules of the ABI {soabi}, and this program was built '
                        rf'for those of cpython-3d-{soabi}')


def make_library(place, name, source='int nothing_of_python;'):
    compiler = need('cc')
    (place / 'library.c').write_text(source + '\n')
    subprocess.run([compiler, '-shared', '-fPIC', '-o', place / name, place / 'library.c',
                    f'-Wl,-soname,{name}'], check=True)
    (place / name).chmod(0o755)
    return place / name


@pytest.mark.skipif(SANITIZED, reason='the sanitizer wants to be the first library')
def test_two_pythons_in_a_process_are_refused(new_server, show):
    # Of another version, and of ours with other ABI flags.
    for name in ('libpython3.1.so.1.0', f'libpython{fact(standard(), "abi")}d.so.1.0'):
        library = make_library(show, name)
        server = new_server('show', cwd=show, env={'LD_PRELOAD': str(library)})
        assert server.fails() == 78
        server.log.wait_for(rf'there are two Pythons in this process: Python \S+, which runs, and '
                            rf'{library}; take it out of LD_PRELOAD')


def test_an_extension_of_another_python_is_refused(show):
    """What is linked with a library brings it along, as dlopen does it here."""
    library = make_library(show, 'libpython3.1.so.1.0')
    (show / 'old.py').write_text(f'import ctypes\nctypes.CDLL("{library}")\n' + SHOW)
    done = run_wsgid('--check', 'old', cwd=show)
    assert done.returncode == 78
    assert f'which runs, and {library};' in done.stderr
    assert 'build the extension module that is linked with it for this Python' in done.stderr


@pytest.mark.skipif(SANITIZED, reason='the sanitizer wants to be the first library')
def test_a_library_of_another_version_is_refused_before_it_is_started(new_server, show):
    """What a link of the wrong name leads to."""
    if fact(shared(), 'linkage') != 'shared':
        pytest.skip('this Python has no shared library')
    library = make_library(show, 'another.so', 'const char *Py_GetVersion(void)\n'
                           '{ return "3.2.1 (another one)"; }')
    server = new_server('show', '--lib-python', 'shared', cwd=show,
                        env={'LD_PRELOAD': str(library)})
    assert server.fails() == 78
    version = '.'.join(fact(shared(), 'version').split('.')[:2])
    server.log.wait_for(rf'this program was built for Python {version} but found '
                        r'Python 3\.2\.1; run "scons install" again; of a library, "ldd"')


def test_an_extension_that_needs_the_shared_library_gets_it_the_next_time(new_server, show, twins):
    name = pathlib.Path(fact(twins[1], 'library')).resolve().name
    (show / 'needs.py').write_text(f'import ctypes\nctypes.CDLL("{name}")\n' + SHOW)
    status, found = doctor('needs', cwd=show)
    notice, = found['notice']
    assert status == 0 and f'{name} was loaded beside the children\'s own Python' in notice
    server = new_server('needs', '-w', '1', cwd=show).start()
    assert serving(server) == twins[0].name
    server.log.wait_for(rf'{name} was loaded beside the children\'s own Python: '
                        'the next ones have the shared library')
    server.reload()
    assert serving(server) == twins[1].name
    assert server.log.text().count('was loaded beside') == 1


LATE = '''
def application(environ, start_response):
    if environ['PATH_INFO'] == '/load':
        import ctypes
        ctypes.CDLL("%s")
    start_response('200 OK', [])
    return [b'served']
'''


@pytest.mark.parametrize('words', [(), ('--threads', '2')])
def test_an_extension_of_another_python_that_a_request_loads_is_said(serve, show, words):
    library = make_library(show, 'libpython3.1.so.1.0')
    (show / 'late.py').write_text(LATE % library)
    server = serve('late', '-w', '1', *words, cwd=show)
    for _ in range(2):
        assert get(server.address, '/load').body == b'served'
    server.log.wait_for(r'since a request has imported it, there are two Pythons in this process: '
                        rf'Python \S+, which runs, and {library}; take it out')
    assert get(server.address).body == b'served'
    assert server.log.text().count('there are two Pythons') == 1


def test_the_shared_library_that_a_request_loads_serves_the_next_time(serve, show, twins):
    name = pathlib.Path(fact(twins[1], 'library')).resolve().name
    (show / 'late.py').write_text(LATE % name)
    server = serve('late', '-w', '1', cwd=show)
    assert get(server.address, '/load').body == b'served'
    server.log.wait_for(rf'{name} was loaded beside the children\'s own Python: '
                        'the next ones have the shared library')
    server.reload()
    assert serving(server) == twins[1].name


@pytest.mark.parametrize('words, remedy', [
    (('--lib-python', 'static'), r'write "LibPython auto" to have the shared library alone'),
    ((), r'there is no program of the children with the shared library alone: "scons '
         r'libpython=auto install" builds one')])
def test_that_the_shared_library_stays_beside_the_static_one_is_said_once(
        serve, show, twins, installed, words, remedy):
    place = installed(*twins[:1 if not words else 2])
    name = pathlib.Path(fact(twins[1], 'library')).resolve().name
    (show / 'needs.py').write_text(f'import ctypes\nctypes.CDLL("{name}")\n' + SHOW)
    server = serve('needs', '-w', '1', *words, cwd=show, program=place / 'wsgid')
    server.log.wait_for(rf'{name} was loaded beside the children\'s own Python, '
                        rf'so that extension modules may meet two of them; {remedy}')
    server.reload()
    assert serving(server) == twins[0].name
    assert server.log.text().count('was loaded beside') == 1


def test_what_only_has_the_name_of_a_python_is_none(show):
    library = make_library(show, 'libpythonplugin.so')
    (show / 'plugin.py').write_text(f'import ctypes\nctypes.CDLL("{library}")\n' + SHOW)
    done = run_wsgid('--check', 'plugin', cwd=show)
    assert done.returncode == 0, done.stderr


def test_neither_master_nor_wsgictl_has_a_python_in_it(serve, show):
    for program in WSGID, BUILD / 'wsgictl':
        said = subprocess.run([need('readelf'), '-d', program], text=True, capture_output=True)
        assert 'NEEDED' in said.stdout and 'libpython' not in said.stdout
    linkage = fact(shared(), 'linkage')
    server = serve('show', '-w', '1', '--lib-python', linkage, cwd=show)
    child, = server.ready()
    maps = {pid: pathlib.Path(f'/proc/{pid}/maps').read_text() for pid in (server.pid, child)}
    assert ('libpython' if linkage == 'shared' else shared().name) in maps[child]
    assert 'libpython' not in maps[server.pid] and shared().name not in maps[server.pid]


def test_every_symbol_is_found_when_a_child_is_loaded():
    """Not when it is called first, which may be in the middle of the night."""
    for program in {*files_of(standard()), shared(), WSGID}:
        said = subprocess.run([need('readelf'), '-d', program], text=True, capture_output=True)
        assert re.search(r'\(FLAGS\) .*BIND_NOW|\(FLAGS_1\) .*NOW', said.stdout), program


# --- the loader -------------------------------------------------------------------------------

@pytest.mark.parametrize('library, remedy', [
    (None, r': tell the loader \("echo .* >/etc/ld\.so\.conf\.d/wsgid-python\.conf && ldconfig"\), '
           r'start wsgid with LD_LIBRARY_PATH=/\S+, or build with "scons rpath=yes install"'),
    # As where Python's own package is there alone: its upgrade must not end in a riddle.
    ('/usr/lib/gone', r', where it is not any more: install it, which is Debian\'s package '
                      r'libpython3\.\d+\w*, or run "scons install" again')])
def test_a_child_that_the_loader_refuses_is_explained(new_server, show, installed, library, remedy):
    program = shared()
    if fact(program, 'linkage') != 'shared':
        pytest.skip('this Python has no shared library')
    place = installed(program)
    name = pathlib.Path(fact(program, 'library')).resolve().name
    gone = name[:-3] + '9.9'
    if library:
        rewrite(place / program.name, library=library)
    data = (place / program.name).read_bytes()
    assert name.encode() in data
    (place / program.name).write_bytes(data.replace(name.encode() + b'\0', gone.encode() + b'\0'))
    words = ['--lib-python', 'shared']
    server = new_server('show', *words, cwd=show, program=place / 'wsgid')
    assert server.fails() == 78
    said = (rf'the loader refuses {place}/{program.name}: it needs {gone}, looked for in '
            r'.*/etc/ld\.so\.cache, /lib and /usr/lib; the build found it at [^:, ]*' + remedy)
    server.log.wait_for(said)
    done = subprocess.run([place / 'wsgid', '--check', *words, 'show'], cwd=show, text=True,
                          env=clean_environment(), capture_output=True)
    assert done.returncode == 78 and re.search(said, done.stderr)


def test_a_library_that_is_missing_is_named_and_not_python_blamed(new_server, show, installed):
    program = standard()
    place = installed(program)
    child = place / files_of(program)[-1].name
    data = child.read_bytes()
    if b'liburing.so.2\0' not in data:
        pytest.skip('this wsgid was built without liburing')
    child.write_bytes(data.replace(b'liburing.so.2\0', b'liburing.so.9\0'))
    server = new_server('show', '--lib-python', 'auto', cwd=show, program=place / 'wsgid')
    assert server.fails() == 78
    server.log.wait_for(rf'the loader refuses {child}: it needs liburing\.so\.9, '
                        r'looked for in .*/usr/lib; it is none of Python\'s: install the package '
                        r'that has it, or run "scons install" again')


# --- asked before it serves -------------------------------------------------------------------

def doctor(*words, cwd):
    done = subprocess.run([BUILD / 'wsgictl', 'doctor', '--json', *map(str, words)], cwd=cwd,
                          env=clean_environment(), text=True, capture_output=True)
    return done.returncode, json.loads(done.stdout)


def test_an_application_can_be_checked_without_a_server(show):
    (show / 'broken.py').write_text('import nothing_of_this_name\n')
    done = run_wsgid('--check', 'show', cwd=show)
    assert done.returncode == 0
    assert (f'show can be served, with Python {fact(standard(), "version")} '
            f'({fact(standard(), "executable")})') in done.stdout
    done = run_wsgid('--check', './show.py:application', cwd=show)
    assert done.returncode == 0 and f'{show}/show.py:application can be served' in done.stdout
    done = run_wsgid('--check', 'broken', cwd=show)
    assert done.returncode == 1
    assert ("No module named 'nothing_of_this_name' (sys.prefix is "
            f'{fact(standard(), "base_prefix")}; WSGIPythonHome names the virtual environment to '
            'look in)') in done.stderr
    assert run_wsgid('--check', cwd=show).returncode == 2


def test_what_has_no_result_is_not_taken_for_a_good_one(show):
    """os._exit in a module would be the exit status of --check, and look like success."""
    (show / 'leaves.py').write_text('import os\nos._exit(0)\n')
    (show / 'closes.py').write_text('import os\nos.closerange(3, 1000)\n' + SHOW)
    done = run_wsgid('--check', 'closes', cwd=show)
    assert done.returncode == 1 and 'can be served' not in done.stdout
    assert 'its module closes descriptors that are not its own' in done.stderr
    done = run_wsgid('--check', 'leaves', cwd=show)
    assert done.returncode == 1
    assert ('the process of the trial ended before the application was imported, exit status 0'
            in done.stderr)
    status, found = doctor('leaves', cwd=show)
    assert status == 1 and found['well'] is False and found['application'] is None
    assert any('exit status 0' in problem for problem in found['problem'])


def test_what_an_application_writes_to_any_descriptor_is_no_result(show):
    writes = 'import os\nfor fd in range(3, 20):\n    try:\n        os.write(fd, b"p%s")\n' \
             '    except OSError:\n        pass\n'
    (show / 'writes.py').write_text(writes % 'p' + SHOW)
    (show / 'much.py').write_text(writes % ('wsgid verdict' * 100) + 'import nothing_of_this_name\n')
    done = run_wsgid('--check', 'writes', cwd=show)
    assert done.returncode == 0 and 'writes can be served' in done.stdout
    done = run_wsgid('--check', 'much', cwd=show)
    assert done.returncode == 1 and "No module named 'nothing_of_this_name'" in done.stderr


def test_an_application_is_checked_once_and_the_check_ends(show):
    """Whatever it has left behind: copies of the process, threads that go on."""
    (show / 'forks.py').write_text('import os\nos.fork()\n' + SHOW)
    done = run_wsgid('--check', 'forks', cwd=show)
    assert done.returncode == 0 and done.stdout.count('can be served') == 1
    (show / 'stays.py').write_text('import threading\n'
                                   'threading.Thread(target=threading.Event().wait).start()\n' +
                                   SHOW)
    done = run_wsgid('--check', 'stays', cwd=show)
    assert done.returncode == 0 and 'stays can be served' in done.stdout
    assert 'the application keeps its process from ending, with a thread' in done.stderr


def test_the_facts_of_the_build_name_each_program_with_its_library():
    said = run_wsgid('-V').stdout
    for program in {standard(), shared()}:
        linkage = fact(program, 'linkage')
        line = re.search(rf'^  Python +(.*): {program}$', said, re.M)[1]
        kind = 'inside the interpreter' if linkage == 'interpreter' else linkage + ' libpython'
        assert line == (f'{fact(program, "version")} ({fact(program, "executable")}), {kind}'
                        + (', not position independent for that' if linkage == 'static'
                                     else ''))


def test_doctor_tells_which_python_would_serve(show, request):
    make_environment('venv', show / 'venv', request)
    done = run_wsgid('--check', '--python-home', show / 'venv', 'show', cwd=show)
    assert f'with Python {fact(standard(), "version")} ({show}/venv)' in done.stdout
    status, found = doctor('--python-home', show / 'venv', 'show', cwd=show)
    assert status == 0 and found['well'] is True and found['problem'] == []
    assert found['prefix'] == str(show / 'venv')
    assert found['executable'] == f'{show}/venv/bin/python'
    assert found['base_prefix'] == fact(standard(), 'base_prefix')
    assert found['running'] == found['compiled_for'] == fact(standard(), 'version')
    assert str(show) in found['path'] and found['application'] == 'show'
    assert found['gil'] == ('off' if fact(standard(), 'abi').endswith('t') else 'on')
    assert int(found['memory_private_kib']) > 0
    assert found['bits'] == ('64' if sys.maxsize > 2 ** 32 else '32')
    assert found['soabi'] == fact(standard(), 'soabi') and 'libpython' in found['soname']
    if found['linkage'] == 'interpreter':
        assert found['library_of_the_build'] == fact(standard(), 'executable')
    else:
        assert (os.path.dirname(found['library_of_the_build'])
                in found['looked_for_in'].split(', '))
    for key in ('io_uring', 'limit_open_files', 'limit_processes', 'limit_core'):
        assert found[key], key
    assert found['user'] == child_user()
    text = subprocess.run([BUILD / 'wsgictl', 'doctor', 'show'], cwd=show, text=True,
                          env=clean_environment(), capture_output=True)
    assert text.returncode == 0
    assert re.search(r'^sys\.executable +/.*python', text.stdout, re.M)


def test_what_an_application_prints_is_no_finding_of_the_doctor(show):
    (show / 'talks.py').write_text(
        "print('prefix: /forged\\nproblem: none\\nan unfinished line', end='')\n" + SHOW)
    done = subprocess.run([BUILD / 'wsgictl', 'doctor', '--json', 'talks'], cwd=show, text=True,
                          env=clean_environment(), capture_output=True)
    found = json.loads(done.stdout)
    assert done.returncode == 0 and found['problem'] == []
    assert found['prefix'] == fact(standard(), 'base_prefix')
    assert found['gil'] and found['application'] == 'talks'
    assert 'prefix: /forged\nproblem: none\nan unfinished line' in done.stderr


def test_doctor_measures_the_children_of_the_server_that_runs(serve, show):
    assert doctor('show', '--run-directory', show / 'run', cwd=show)[1]['children'] == []
    server = serve('show', '-w', '2', cwd=show)
    ready = server.wait_for_ready(2)
    where = ('--run-directory', server.run_directory)
    status, found = doctor('show', *where, cwd=show)
    assert status == 0 and {child['pid'] for child in found['children']} == set(ready)
    for key in ('private_kib', 'shared_kib'):
        sizes = [child[key] for child in found['children']]
        assert min(sizes) > 0 and min(sizes) <= int(found[f'memory_{key}']) <= max(sizes)
    assert re.fullmatch(rf'each child of \S+, pid {server.pid}, on average', found['memory_of'])
    text = subprocess.run([BUILD / 'wsgictl', 'doctor', *where, 'show'], cwd=show, text=True,
                          env=clean_environment(), capture_output=True).stdout
    for child in ready:
        assert re.search(rf'^child +pid {child}: \d+ KiB private, \d+ KiB shared$', text, re.M)
    assert text.count('private memory, KiB') == 1


@pytest.mark.parametrize('words, code, said', [
    (('nothing',), 1, "there is no module 'nothing'"),
    (('--python', '9.9', 'show'), 5, '9.9: wsgid was built for Python'),
])
def test_doctor_says_what_is_wrong_and_its_status_too(show, words, code, said):
    status, found = doctor(*words, cwd=show)
    assert status == code and found['well'] is False
    assert any(said in problem for problem in found['problem'])


def test_doctor_repeats_that_python_was_upgraded(show, old_static):
    place = old_static
    shutil.copy(BUILD / 'wsgictl', place)
    done = subprocess.run([place / 'wsgictl', 'doctor', '--json'], env=clean_environment(),
                          cwd=show, text=True, capture_output=True)
    notice, = json.loads(done.stdout)['notice']
    assert 'was upgraded since wsgid was built' in notice and 'using the shared library' in notice


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
