"""The children that a build has, and applications that tell about their Python."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from server import BUILD, PATIENCE, PYTHON, WSGID, clean_environment, need, run_wsgid

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


def make_library(place, name, source='int nothing_of_python;'):
    compiler = need('cc')
    (place / 'library.c').write_text(source + '\n')
    subprocess.run([compiler, '-shared', '-fPIC', '-o', place / name, place / 'library.c',
                    f'-Wl,-soname,{name}'], check=True)
    (place / name).chmod(0o755)
    return place / name


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


def doctor(*words, cwd):
    done = subprocess.run([BUILD / 'wsgictl', 'doctor', '--json', *map(str, words)], cwd=cwd,
                          env=clean_environment(), text=True, capture_output=True)
    return done.returncode, json.loads(done.stdout)
