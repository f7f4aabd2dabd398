"""What Python meets when it starts: what others have put into its way, and what it then says."""

import zipfile

import pytest

from client import get
from server import IS_ROOT, child_user, run_wsgid

HELLO = '''
def application(environ, start_response):
    start_response('200 OK', [])
    return [b'hello']
'''


@pytest.fixture
def site(directory):
    """A directory with an application, and one that comes first on Python's path."""
    (directory / 'hello.py').write_text(HELLO)
    (directory / 'first').mkdir()
    return directory


def first(site) -> dict:
    return {'PYTHONPATH': str(site / 'first')}


@pytest.mark.parametrize('stream', [
    'codecs.getwriter("utf-8")(sys.stdout.buffer)',
    'io.StringIO()',
    'type("Stubborn", (io.StringIO,), {"reconfigure": lambda self: None})()',
])
def test_streams_that_sitecustomize_has_replaced_are_left_alone(serve, site, stream):
    (site / 'first' / 'sitecustomize.py').write_text(
        f'import codecs, io, sys\nsys.stdout = sys.stderr = {stream}\n')
    server = serve('hello', '-w', '1', cwd=site, env=first(site))
    assert get(server.address).body == b'hello'


def test_the_exception_that_ends_the_start_is_told(site):
    """Python's own status names the step alone."""
    file = site / 'first' / 'sitecustomize.py'
    file.write_text('import sys\nsys.exit(4)\n')
    done = run_wsgid('--check', 'hello', cwd=site, env=first(site))
    assert done.returncode == 78
    assert (f'does not start: Failed to import the site module: SystemExit: 4 ({file}, line 2)\n'
            in done.stderr)
    assert 'Traceback (most recent call last):\n' in done.stderr
    assert f'File "{file}", line 2, in <module>\n' in done.stderr


def test_the_path_takes_directories_and_zip_files(site):
    with zipfile.ZipFile(site / 'all.egg', 'w') as egg:
        egg.writestr('outer.py', '')
        egg.writestr('deep/inner.py', '')
    (site / 'asks.py').write_text('import inner, outer\n' + HELLO)
    path = f'{site}/first:{site}/all.egg:{site}/all.egg/deep'
    done = run_wsgid('--check', '--python-path', path, 'asks', cwd=site)
    assert done.returncode == 0 and done.stderr == ''


def test_what_is_of_no_use_on_the_path_is_told(site):
    cases = [(site / 'nothing', 'does not exist'),
             (site / 'hello.py', 'is neither a directory nor a zip file')]
    if IS_ROOT:
        (site / 'closed' / 'lib').mkdir(parents=True)
        (site / 'closed').chmod(0o700)
        cases.append((site / 'closed' / 'lib', f'cannot be read by user {child_user()}: '
                                               f'{site}/closed has mode 0700'))
    path = ':'.join(str(case[0]) for case in cases)
    done = run_wsgid('--check', '--python-path', path, 'hello', cwd=site)
    assert done.returncode == 0
    said = done.stderr.splitlines()
    assert len(said) == len(cases)
    for line, case in zip(said, cases):
        assert line.startswith(f'WSGIPythonPath: {case[0]} {case[1]}')


def test_another_encodings_on_the_path_is_asked_for(site):
    (site / 'first' / 'encodings.py').touch()
    done = run_wsgid('--check', 'hello', cwd=site, env=first(site))
    assert done.returncode == 78
    assert (f'is there another "encodings" in PYTHONPATH, which is {site}/first?\n'
            in done.stderr)
