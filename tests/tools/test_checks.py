"""When the build believes what an earlier run of its checks has found."""

import pathlib
import sys
import types

import pytest

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


class Conf:
    """A compiler that takes everything."""

    def TryFlags(self, name, ccflags, linkflags):
        return True


class Environment(dict):
    def Append(self, **flags):
        for name, words in flags.items():
            self[name] = self.get(name, []) + words


@pytest.mark.parametrize('cflags, named, added', [
    ([], 'pie relro stack-protector-strong fortify-source',
     ['-fstack-protector-strong', '-U_FORTIFY_SOURCE', '-D_FORTIFY_SOURCE=2']),
    (['-Wp,-U_FORTIFY_SOURCE,-D_FORTIFY_SOURCE=3'],
     'pie relro stack-protector-strong fortify-source', ['-fstack-protector-strong']),
    (['-O1', '-D_FORTIFY_SOURCE=0', '-fno-stack-protector'], 'pie relro', []),
    (['-fstack-protector-all', '-U_FORTIFY_SOURCE'], 'pie relro stack-protector-all', []),
    (['-D_FORTIFY_SOURCE=0', '-D_FORTIFY_SOURCE=3', '-fstack-protector-strong'],
     'pie relro stack-protector-strong fortify-source', []),
])
def test_hardening_is_left_to_who_has_chosen_it(cflags, named, added):
    env = Environment(hardening=True, sanitize=[], USERS_CFLAGS=cflags)
    assert checks.hardening(env, Conf()) == named
    assert env.get('CCFLAGS', []) == added
