"""What Python meets when it starts: what others have put into its way, and what it then says."""

import pytest

from client import get
from server import run_wsgid

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
