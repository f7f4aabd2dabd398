"""A child that the kernel ends for want of memory is named as such, another SIGKILL is not."""

import os
import pathlib
import signal

import pytest

from client import Connection, get
from server import IS_ROOT, wait_until

LIMIT = 200 << 20
FILES = {2: 'memory.max', 1: 'memory.limit_in_bytes'}

pytestmark = pytest.mark.usefixtures('preload')


def own_group(version: int):
    """The directory of our own control group for memory."""
    for line in pathlib.Path('/proc/self/cgroup').read_text().splitlines():
        _, controllers, path = line.split(':', 2)
        if controllers == ('memory' if version == 1 else ''):
            root = '/sys/fs/cgroup/memory' if version == 1 else '/sys/fs/cgroup'
            return pathlib.Path(root + path.rstrip('/'))
    return None


@pytest.fixture
def small_group():
    """A control group with little memory, gone after the test."""
    reasons = []
    for version, file in FILES.items():
        above = own_group(version)
        group = above / f'wsgid-test-{os.getpid()}' if above else None
        try:
            if group is None or not (above / 'cgroup.procs').exists():
                raise OSError('there is none')
            group.mkdir()
        except OSError as e:
            reasons.append(f'version {version}: {e}')
            continue
        try:
            with open(group / file, 'r+') as limit:
                limit.write(str(LIMIT))
        except OSError as e:
            group.rmdir()
            reasons.append(f'version {version}: {e}')
            continue
        yield group

        def removed():
            try:
                group.rmdir()
            except OSError:
                return False
            return True
        wait_until(removed, 'the end of the control group')
        return
    pytest.skip('no control group can be given a limit of memory: ' + '; '.join(reasons))


def below(group) -> list:
    """A launcher that starts a server in a control group."""
    return ['sh', '-c', f'echo $$ > {group}/cgroup.procs; exec "$@"', 'sh']


def test_too_little_memory_for_all_children_is_said_at_the_start(new_server, small_group, preload):
    server = new_server('hello', '--start-servers', '1', '--max-spare-servers', '2',
                        '--max-request-workers', '150', launcher=below(small_group)).start()
    if preload == 'Off':
        server.log.wait_for(rf'the control group allows {LIMIT // 1000000} MB of memory, and 150 '
                            r'children of \d+ MB, which the first one has, would need \d+ MB: '
                            'lower MaxRequestWorkers')
    server.stop()
    # Children of a template share most of theirs; and it is said once.
    assert server.log.text().count('of memory, and') == (preload == 'Off')


def test_an_out_of_memory_kill_is_named_as_such(new_server, small_group):
    server = new_server('probe', '-w', '1', launcher=below(small_group))
    server.start()
    with Connection(server.address) as c:
        c.send(f'GET /eat?bytes={4 * LIMIT} HTTP/1.1\r\nHost: t\r\n\r\n')
        assert c.rest() == b''
    server.log.wait_for(r"child pid \d+ \(slot 0\) exit signal Killed \(9\), "
                        r"by the kernel's out-of-memory killer")
    assert get(server.address, '/hello').status == 200
    # What has been told of one is not told of another.
    kill_and_see(server)
    server.stop()


def kill_and_see(server):
    child, = server.wait_for_ready(1)
    os.kill(child, signal.SIGKILL)
    said = server.log.wait_for(rf'child pid {child} \(slot \d+\) exit signal Killed \(9\)(.*)')
    assert 'by the kernel' not in said[1]
    assert 'neither wsgid nor the kernel' in said[1] or 'perhaps the kernel' in said[1]


@pytest.mark.skipif(not IS_ROOT, reason='the children may be of another user')
def test_a_kill_by_somebody_else_is_not_called_one(serve):
    kill_and_see(serve('probe', '-w', '1'))
