"""What the control group of wsgid.service grants, on machines that have all controllers of
version 2: Linux 6.1 and 6.12, emulated.

How the files are read is in tests/unit/base/test_machine.c; on this machine's own groups, as far
as it has any, tests/e2e/test_out_of_memory.py tries the same.
"""

import json
import re
import shutil
import subprocess

import pytest

from machine import ROOT, Machine

# A boot and seven starts under emulation, and before the first one of all an image.
BOUND = 900

# What children load that a machine need not have: its Python is another one than the builder's.
LIBRARIES = {'bookworm': 'libpython3.11', 'trixie': 'libpython3.13'}


@pytest.fixture(scope='module', params=['bookworm', 'trixie'])
def found(rig, request):
    """What tests/support/in_vm.py saw."""
    folder = ROOT / 'build' / 'rigs' / request.param
    vm = rig('vm-rig')
    with Machine(rig('systemd-rig'), request.param, folder) as machine:
        tree = machine.install_into('tree')
    site = folder / 'site'
    site.mkdir(exist_ok=True)
    shutil.copy(ROOT / 'tests' / 'apps' / 'probe.py', site)
    script = shutil.copy(ROOT / 'tests' / 'support' / 'in_vm.py', folder)
    run = subprocess.run(
        [str(vm), '-s', request.param, '-i', LIBRARIES[request.param], '-t', str(BOUND),
         '-d', str(tree), '-d', str(site), '-d', str(script), '--', 'python3', str(script), str(tree), str(site)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert run.returncode == 0, f'status {run.returncode}\n{run.stdout}\n{run.stderr}'
    facts, = [json.loads(line) for line in run.stdout.splitlines() if line.startswith('{')]
    return facts


def children(facts: dict) -> tuple:
    """From how many to how many there are, unless the configuration says so."""
    text = re.search(r'prefork with (\d+) to (\d+) children', facts['journal'])
    assert text, facts
    return int(text[1]), int(text[2])


def test_without_a_limit_the_cpus_decide_how_many_children_there_are(found):
    cpus = found['cpus']
    assert cpus > 1
    assert children(found['free']) == (cpus, 4 * cpus)


@pytest.mark.parametrize('kind', ['quota', 'boxed quota', 'cpuset'])
def test_a_quota_or_a_set_of_cpus_makes_fewer(found, kind):
    """Also in a namespace, where the group is at /sys/fs/cgroup itself: in a container."""
    assert children(found[kind]) == (1, 4)


@pytest.mark.parametrize('kind', ['memory', 'boxed memory'])
def test_a_limit_of_memory_that_is_too_low_for_all_children_is_said(found, kind):
    assert re.search(r'the control group allows 104 MB of memory, and 150 children of \d+ MB, '
                     r'which the first one has, would need \d+ MB: lower MaxRequestWorkers',
                     found[kind]['journal'])
    assert 'control group' not in found['free']['journal']


def test_a_child_that_takes_more_is_replaced_and_the_service_goes_on(found):
    """By default systemd stops all of a service of which the kernel has killed one."""
    eaten = found['eaten']
    assert re.search(r"exit signal Killed \(9\), by the kernel's out-of-memory killer",
                     eaten['journal'])
    assert eaten['ate'].startswith(('RemoteDisconnected', 'URLError', 'ConnectionReset'))
    assert eaten['hello'] == 'hello\n'
    for name in ('ActiveState', 'Result', 'NRestarts', 'MainPID'):
        assert eaten[name] == eaten['before'][name], eaten
