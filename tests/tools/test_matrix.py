"""Which Pythons the matrix is made of."""

import pathlib
import sys

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / 'tools'))

import free_threaded  # noqa: E402
import matrix  # noqa: E402

OWN = '/usr/bin/python3'


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(free_threaded, 'home', lambda: str(tmp_path))
    return tmp_path


def test_of_each_version_there_is_the_first(tmp_path):
    again = tmp_path / 'python3'
    again.symlink_to(OWN)
    found = matrix.find([OWN, str(again), '/bin/false'])
    (abi, (path, version, prefix)), = found.items()
    assert path == OWN and version.startswith(abi) and pathlib.Path(prefix).is_dir()


def test_a_free_threaded_python_is_made_once(cache, monkeypatch):
    monkeypatch.setattr(free_threaded, 'make', lambda target: made.append(target))
    made = []
    program = cache / 'python3.13t' / 'bin' / 'python3.13t'
    assert free_threaded.interpreter() == str(program)
    assert made == [str(cache / 'python3.13t')]
    program.parent.mkdir(parents=True)
    program.touch()
    assert free_threaded.interpreter() == str(program)
    assert len(made) == 1


def test_where_it_cannot_be_made_the_matrix_goes_on_and_says_why(cache, monkeypatch, capsys):
    monkeypatch.setattr(free_threaded, 'NEEDED', ('make', 'nothing-of-this-name'))
    monkeypatch.setattr(matrix, 'installed', lambda: [OWN])
    assert list(matrix.find_all()) == list(matrix.find([OWN]))
    assert ('there is no free-threaded Python, and none can be made: these are missing: '
            'nothing-of-this-name') in capsys.readouterr().out
    assert not list(cache.iterdir())
