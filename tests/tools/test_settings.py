"""What scons does for people, tried with scons itself."""

import pathlib
import shutil
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]


def checkout(directory):
    """The build's files alone: enough for what fails before anything is built."""
    shutil.copy(TOP / 'SConstruct', directory)
    shutil.copytree(TOP / 'tools' / 'scons', directory / 'tools' / 'scons')
    return directory


def scons(top, *words, **more):
    return subprocess.run(['scons', '-Q', '-C', top, *words], text=True, capture_output=True,
                          stdin=subprocess.DEVNULL, **more)


@pytest.mark.parametrize('words, said', [
    (('prefx=/usr',), 'unknown variable prefx; did you mean prefix?'),
    (('prefix=usr',), 'prefix=usr: give an absolute path'),
    (('prefix=/opt/a b',), 'prefix=/opt/a b: systemd units and others name it'),
    (('prefix=/opt/%h',), 'letters, digits and _.+- alone'),
    (('prefix=/',), 'letters, digits and _.+- alone'),
    (('-c', 'folder=..'), 'folder=..: give a name'),
    (('-c', 'folder=a/../../b'), 'give a name of letters'),
    (('-c', 'folder=x/'), 'give a name of letters'),
    (('-c', 'folder=/tmp'), 'give a name of letters'),
    (('python=,',), 'python=,: give the path of an interpreter'),
    (('python=/usr/bin/python3,3.13',), '3.13 is a version; give the path of its interpreter, as '
                                        'in python=/usr/bin/python3.13'),
    (('sanitize=adress',), 'adress is none of address, undefined, thread, leak'),
    (('-c', 'install'), 'scons uninstall'),
])
def test_a_mistake_is_a_sentence(tmp_path, words, said):
    done = scons(checkout(tmp_path), *words)
    assert done.returncode == 2
    assert said in done.stderr and 'Traceback' not in done.stderr + done.stdout


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path):
    top = checkout(tmp_path)
    (top / 'build').mkdir()
    (top / 'build' / '.lock').mkdir()           # an obstacle for root too
    done = scons(top)
    assert done.returncode == 2
    assert 'cannot be written' in done.stderr
    assert len(done.stderr.splitlines()) == 1
