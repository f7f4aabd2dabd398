"""Which of the master's rights the application has: none."""

import subprocess

import pytest

from server import BUILD, IS_ROOT, need, status_of

SETS = 'CapInh', 'CapPrm', 'CapEff', 'CapAmb'
PORTS = 1 << 10  # CAP_NET_BIND_SERVICE


def capabilities(pid: int) -> dict:
    return {name: int(status_of(pid)[name], 16) for name in SETS}


@pytest.mark.skipif(not IS_ROOT, reason='only root has capabilities to give')
@pytest.mark.parametrize('options', [[], ['--preload']], ids=['', 'preload'])
def test_children_have_none_of_the_capabilities_that_the_master_was_given(
        new_server, options):
    become = [need('setpriv'), '--reuid', '65534', '--regid', '65534', '--clear-groups']
    if subprocess.run([*become, 'test', '-x', BUILD / 'wsgid']).returncode:
        pytest.skip('another user may not enter the build folder')
    server = new_server('hello', '-w', '1', *options, launcher=[
        *become, '--inh-caps', '+net_bind_service', '--ambient-caps', '+net_bind_service'])
    server.directory.chmod(0o777)
    server.start()
    child, = server.ready()
    assert capabilities(server.pid)['CapAmb'] == PORTS
    assert capabilities(child) == dict.fromkeys(SETS, 0)


@pytest.mark.skipif(not IS_ROOT, reason='only root has capabilities to lose')
def test_children_of_root_have_none_either(serve):
    server = serve('hello', '-w', '1', launcher=[need('setpriv'), '--inh-caps', '+chown'])
    child, = server.ready()
    assert capabilities(server.pid)['CapInh'] != 0
    assert capabilities(child) == dict.fromkeys(SETS, 0)


@pytest.mark.skipif(not IS_ROOT, reason='only root has capabilities to be without')
@pytest.mark.parametrize('options', [[], ['--preload']], ids=['', 'preload'])
def test_root_without_a_right_is_served_by_root(serve, options):
    """As in a container with --cap-drop=ALL: nothing has to change, and nothing can."""
    server = serve('hello', '-w', '1', '--user', 'root', '--allow-root', 'On', *options,
                   launcher=[need('setpriv'), '--bounding-set=-all', '--inh-caps=-all',
                             '--no-new-privs'])
    child, = server.ready()
    assert status_of(child)['Uid'].split() == ['0'] * 4
    assert capabilities(child) == dict.fromkeys(SETS, 0)
