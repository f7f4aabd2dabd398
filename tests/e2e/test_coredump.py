"""CoreDumpDirectory: a child that crashes leaves its coredump there, and the log says so."""

import pathlib
import resource

import pytest

from client import Connection, get
from server import SANITIZED, child_user, own_by_children

PATTERN = pathlib.Path('/proc/sys/kernel/core_pattern').read_text().strip()

pytestmark = [
    pytest.mark.skipif(SANITIZED, reason='the sanitizer takes the signal'),
    pytest.mark.skipif(resource.getrlimit(resource.RLIMIT_CORE)[1] == 0,
                       reason='the hard limit of coredumps is 0'),
]
needs_relative_pattern = pytest.mark.skipif(
    '/' in PATTERN or PATTERN.startswith('|'),
    reason=f'kernel.core_pattern is "{PATTERN}", which leaves no place to the process')


def crash(server):
    with Connection(server.address) as c:
        c.send('GET /segv HTTP/1.1\r\nHost: t\r\n\r\n')
        assert c.rest() == b''
    return server.log.wait_for(r'child pid (\d+) .*exit signal Segmentation fault \(11\)(.*)')


@pytest.fixture
def dumps(directory):
    path = directory / 'dumps'
    path.mkdir()
    own_by_children(path)
    return path


@needs_relative_pattern
@pytest.mark.parametrize('options', [
    [], ['--preload-application'], ['--mpm', 'worker', '--threads', '3']], ids=lambda o: ' '.join(o))
def test_a_crash_leaves_a_coredump_in_coredumpdirectory(serve, dumps, options):
    server = serve('probe', '-w', '1', '--core-dump-directory', dumps, *options)
    said = crash(server)
    assert said[2] == f', possible coredump in {dumps}'
    core, = dumps.iterdir()
    assert core.name.startswith('core') and core.owner() == child_user()
    assert core.open('rb').read(4) == b'\x7fELF'
    # Python's traceback comes first, as without it.
    assert 'Fatal Python error: Segmentation fault' in server.log.text()
    assert get(server.address, '/hello').status == 200
    server.stop()


@needs_relative_pattern
def test_a_reload_sets_coredumpdirectory(serve, dumps, directory, apps):
    conf = directory / 'wsgid.conf'
    text = f'WSGIApplication probe\nChDir {apps}\nProcesses 1\nListen 127.0.0.1:0\n'
    conf.write_text(text)
    server = serve('-c', conf, bind=None)
    conf.write_text(f'{text}CoreDumpDirectory {dumps}\n')
    assert 'reload done' in server.reload()
    crash(server)
    assert len(list(dumps.iterdir())) == 1


def test_a_coredumpdirectory_that_children_cannot_write_is_said(serve, directory):
    closed = directory / 'closed'
    closed.mkdir(mode=0o500)
    if child_user() != closed.owner():
        said = rf'there will be no coredumps: CoreDumpDirectory {closed}.*Permission denied'
    else:
        pytest.skip('children are of the same user, who can write everywhere or nowhere here')
    server = serve('probe', '-w', '1', '--core-dump-directory', closed)
    server.log.wait_for(said)
    assert get(server.address, '/hello').status == 200


def test_a_coredumpdirectory_that_is_none_is_a_mistake(new_server, directory):
    server = new_server('probe', '-w', '1', '--core-dump-directory', directory / 'none')
    assert server.fails() == 78
    assert f'CoreDumpDirectory: {directory}/none: No such file' in server.log.text()
