"""The build of this very tree."""

import pathlib
import subprocess

TOP = pathlib.Path(__file__).resolve().parents[2]


def scons(*words):
    return subprocess.run(['scons', '-Q', '-C', TOP, *words], capture_output=True, text=True)


def test_a_build_that_is_up_to_date_does_nothing():
    done = scons('build')
    assert done.returncode == 0, done.stderr
    assert "`build' is up to date" in scons('build').stdout
