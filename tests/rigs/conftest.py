"""What the tests on rigs share: where the rigs are, or why there are none.

A rig is a program that gives a test what a machine may not have by itself: a systemd as PID 1,
or a container engine.  Rigs stand beside the project, are Debian's and want root; without them
these tests are left out, and say so.
"""

import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
RIGS = pathlib.Path(os.environ.get('WSGID_RIGS') or ROOT.parent / 'shared' / 'rigs')
sys.path.insert(0, str(ROOT / 'tests' / 'support'))
sys.dont_write_bytecode = True

import waiting  # noqa: E402

TEST_TIMEOUT = 180  # of one test; what a rig takes to be there is bounded by the rig


def pytest_report_header():
    return f'rigs: {RIGS}'


def pytest_terminal_summary(terminalreporter):
    for report in terminalreporter.getreports('passed'):
        for name, value in report.user_properties:
            if report.when == 'call':
                terminalreporter.write_line(f'{name} of {value}')


@pytest.fixture(scope='session')
def rig():
    """rig(NAME) is the path of the rig's program."""
    def find(name: str) -> pathlib.Path:
        if not (RIGS / name).is_file():
            pytest.skip(f'there is no {name} in {RIGS} (WSGID_RIGS names the folder of the rigs)')
        if os.geteuid() != 0:
            pytest.skip(f'{name} needs root')
        return RIGS / name
    return find


@pytest.fixture(autouse=True)
def no_test_hangs():
    with waiting.no_longer_than(TEST_TIMEOUT):
        yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """What a machine has in its journal of a failed test belongs to the report."""
    outcome = yield
    report = outcome.get_result()
    machine = getattr(item, 'funcargs', {}).get('machine')
    if report.failed and machine is not None:
        report.sections.append(('journal', machine.run(
            'journalctl', '--no-pager', '-o', 'short-precise', '-t', 'systemd', '-t', 'wsgid',
            f'--since=@{call.start:.6f}', check=False).stdout[-10000:]))
