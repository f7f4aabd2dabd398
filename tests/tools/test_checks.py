"""When the build believes what an earlier run of its checks has found."""

import pathlib
import sys
import types

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / 'tools' / 'scons'))

import checks  # noqa: E402


def entry(result=0):
    """Of SCons: what it remembers of a file, with 1 for one that could not be made."""
    return types.SimpleNamespace(binfo=types.SimpleNamespace(result=result))


def test_programs_that_are_gone_are_not_believed_in(tmp_path):
    (tmp_path / 'conftest_1').touch()
    remembered = {'conftest_1': entry()}
    assert checks.has_all(tmp_path, {})
    assert checks.has_all(tmp_path, remembered)
    remembered['conftest_2'] = entry()
    assert not checks.has_all(tmp_path, remembered)
    (tmp_path / 'conftest_2').touch()
    assert checks.has_all(tmp_path, remembered)


def test_what_could_not_be_made_need_not_be_there(tmp_path):
    assert checks.has_all(tmp_path, {'conftest_1': entry(1)})
