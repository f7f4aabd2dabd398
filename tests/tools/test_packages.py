"""The table of packages means the same to the build and to the shell."""

import os
import subprocess
import sys

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, 'tools', 'scons'))

import packages  # noqa: E402

MANAGERS = ('apt', 'dnf', 'zypper', 'apk', 'pacman')


def shell(command):
    """What a function of tools/packages.sh prints."""
    run = subprocess.run(['sh', '-euc', f'. "$top/tools/packages.sh"; {command}'],
                         env=dict(os.environ, top=TOP, log='/dev/null'), check=True, text=True,
                         capture_output=True)
    return run.stdout.split()


@pytest.mark.parametrize('manager', MANAGERS)
def test_shell_and_python_read_the_same_names(manager):
    for what, row in packages.rows().items():
        assert shell(f'packages {manager} {what}') == row[manager], what


@pytest.mark.parametrize('manager', MANAGERS)
def test_every_manager_can_install(manager):
    assert manager in packages.INSTALL
    assert manager in packages.MANAGERS.values()


@pytest.mark.parametrize('text, manager', [
    ('ID=debian\n', 'apt'),
    ('ID=ubuntu\nID_LIKE=debian\n', 'apt'),
    ('ID=linuxmint\nID_LIKE="ubuntu debian"\n', 'apt'),
    ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', 'dnf'),
    ('ID="opensuse-leap"\nID_LIKE="suse opensuse"\n', 'zypper'),
    ("ID='sles'\n", 'zypper'),
    ('ID=alpine\n', 'apk'),
    ('ID=endeavouros\nID_LIKE=arch\n', 'pacman'),
    ('NAME=Something\nID=plan9\n', None),
    ('', None),
])
def test_a_distribution_is_known_by_itself_or_its_likes(tmp_path, text, manager):
    release = tmp_path / 'os-release'
    release.write_text(text)
    assert packages.manager(str(release)) == manager


def test_shell_and_python_know_this_distribution_alike():
    assert shell('package_manager') == ([packages.manager()] if packages.manager() else [])
