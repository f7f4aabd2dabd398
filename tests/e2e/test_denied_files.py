"""What is said of a file that was not opened for an application: its user, its directory."""

import pytest

from client import get
from server import IS_ROOT, child_user, run_wsgid

SERVES = '''
def application(environ, start_response):
    start_response('200 OK', [])
    return []
'''

LOGS = '''
import logging.config
logging.config.dictConfig({'version': 1, 'handlers': {
    'file': {'class': 'logging.FileHandler', 'filename': 'shop.log'}}})
'''

OPENS = '''
def application(environ, start_response):
    open('templates' + environ['PATH_INFO'])
'''

needs_root = pytest.mark.skipif(not IS_ROOT,
                                reason='only root runs children as somebody else')


def check(directory, source: str) -> str:
    """What is said of an application that begins so."""
    (directory / 'app.py').write_text(source + SERVES)
    done = run_wsgid('--check', 'app', cwd=directory)
    assert done.returncode == 1, done.stderr
    return done.stderr.splitlines()[-1]


@needs_root
@pytest.mark.parametrize('source', ['open("shop.log", "a")', LOGS], ids=['open', 'logging'])
def test_who_may_not_write_a_file_and_why(directory, source):
    """Also where logging.config makes another exception of it."""
    said = check(directory, source)
    assert (f'shop.log cannot be written by user {child_user()}: {directory} has mode 0755 '
            f'(owner root, group root): give it to that user (chown), write elsewhere, or '
            f'choose another User)' in said)


@needs_root
def test_who_may_not_read_a_file_and_why(directory):
    (directory / 'secret').write_text('key')
    (directory / 'secret').chmod(0o600)
    said = check(directory, f'open({str(directory / "secret")!r})')
    assert f'{directory}/secret cannot be read by user {child_user()}: ' in said
    assert f'chmod o+r {directory}/secret, or choose another User)' in said


def test_where_a_file_was_looked_for(directory):
    said = check(directory, 'open("templates/shop.html")')
    assert (f'(templates/shop.html is not in {directory}, the current directory: write the '
            f'whole path, or choose another ChDir)' in said)


@pytest.mark.parametrize('source', [
    'import subprocess\nsubprocess.run(["no-such-program"])',
    'open("/no/such/file")',
    'raise FileNotFoundError(2, "gone")',
    'raise PermissionError(1, "no", "shop.log")',
])
def test_nothing_is_said_of_what_is_no_such_file(directory, source):
    said = check(directory, source)
    assert 'current directory' not in said and 'by user' not in said


def test_a_request_is_told_of_it_as_well(serve, directory):
    (directory / 'opens.py').write_text(OPENS)
    server = serve('opens', '-w', '1', cwd=directory)
    assert get(server.address, '/shop.html').status == 500
    server.log.wait_for(f'templates/shop.html is not in {directory}, the current directory')
