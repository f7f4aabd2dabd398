"""tools/fuzz says what it can do, and what it was told that it cannot."""

import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGETS = sorted(path.stem.removeprefix('fuzz_') for path in (ROOT / 'tests/fuzz').glob('fuzz_*.c'))


def fuzz(*words):
    return subprocess.run([ROOT / 'tools' / 'fuzz', *words], text=True, capture_output=True,
                          timeout=30)


def test_help_is_on_standard_output():
    run = fuzz('--help')
    assert run.returncode == 0 and 'tools/fuzz [SECONDS] [TARGET...]' in run.stdout


@pytest.mark.parametrize('words, status, said', [
    (['--fast'], 2, '--fast is unknown'),
    (['5', 'nothing'], 1, 'there is no target nothing'),
    (['keep', 'nothing'], 1, 'there is no target nothing'),
])
def test_what_makes_no_sense_is_refused(words, status, said):
    run = fuzz(*words)
    assert run.returncode == status and said in run.stderr


@pytest.mark.parametrize('target', TARGETS)
def test_every_target_has_inputs_to_begin_with(target):
    assert any((ROOT / 'tests/fuzz/corpus' / target).iterdir())
