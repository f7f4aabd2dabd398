"""Which Pythons the matrix is made of."""

import os
import pathlib
import subprocess
import sys

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / 'tools'))

import matrix  # noqa: E402
import more_pythons  # noqa: E402

OWN = '/usr/bin/python3'


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(more_pythons, 'home', lambda: str(tmp_path / 'cache'))
    return tmp_path / 'cache'


def test_each_installation_is_there_once(tmp_path):
    again = tmp_path / 'python3'
    again.symlink_to(OWN)
    python, = matrix.find([OWN, str(again), '/bin/false'])
    assert python.path == OWN and python.version.startswith(python.abi)
    assert pathlib.Path(python.prefix).is_dir()


def test_a_second_installation_of_a_version_is_built_for_in_a_folder_of_its_own():
    debian, new, pyenv, third = (
        matrix.Installation(f'{prefix}/bin/python3', abi + '.1', abi, prefix)
        for abi, prefix in (('3.11', '/usr'), ('3.12', '/a'), ('3.11', '/b'), ('3.11', '/c')))
    assert matrix.folders([debian, new, pyenv, third]) == {
        'matrix': [debian, new], 'matrix-2': [pyenv], 'matrix-3': [third]}


def test_the_whole_suite_runs_unless_the_short_one_is_asked_for():
    def names(*how):
        return {pathlib.Path(path).name for path in matrix.test_files(*how)}

    every = {path.name for path in (TOP / 'tests' / 'e2e').glob('test_*.py')}
    assert names('auto', False) == every
    assert names('auto', True) == set(matrix.CHOSEN) < every
    assert names('venv', False) == {name for name in every if not name.startswith('test_pythons')}


def test_a_python_is_served_from_an_environment_of_it_too(tmp_path, monkeypatch):
    monkeypatch.setattr(matrix, 'build_of', lambda folder: str(tmp_path))
    assert matrix.kinds('matrix', '3.11') == ['auto', 'venv']
    (tmp_path / 'wsgid-python3.11-shared').touch()
    assert matrix.kinds('matrix', '3.11') == ['auto', 'shared', 'venv']
    python, = matrix.find([OWN])
    around = matrix.environment(python, 'matrix', 'shared', tmp_path)
    assert around['WSGID_TEST_LIB_PYTHON'] == 'shared'
    around = matrix.environment(python, 'matrix', 'venv', tmp_path)
    assert 'WSGID_TEST_LIB_PYTHON' not in around
    assert (pathlib.Path(around['WSGID_TEST_PYTHON_HOME']) / 'pyvenv.cfg').exists()


def test_what_is_asked_for_has_to_be_a_python():
    assert list(matrix.find_asked([OWN])) == list(matrix.find([OWN]))
    for path in '/bin/false', '/nonexistent/python3':
        with pytest.raises(more_pythons.Unavailable, match=f'{path} is no Python 3.9 or newer'):
            matrix.find_asked([OWN, path])


def test_a_python_that_no_distribution_has_is_made_once(cache, monkeypatch):
    def make(target, suite, source, words):
        made.append((target, suite, source))
        assert '--disable-gil' in words
        program.parent.mkdir(parents=True)
        program.touch()

    monkeypatch.setattr(more_pythons, 'make', make)
    monkeypatch.setattr(more_pythons, 'NEEDED', ())
    made, program = [], cache / 'python3.13t' / 'bin' / 'python3.13t'
    left = cache / 'making-by-somebody-who-was-interrupted'
    left.mkdir(parents=True)
    for _ in range(2):
        assert more_pythons.interpreter('3.13t') == str(program)
    assert made == [(str(cache / 'python3.13t'), 'trixie', 'python3.13')]
    assert not left.exists()


def test_what_cannot_be_made_is_said_with_the_reason_and_the_matrix_goes_on(cache, monkeypatch,
                                                                            capsys):
    monkeypatch.setattr(more_pythons, 'NEEDED', ('sh', 'nothing-of-this-name'))
    monkeypatch.setattr(matrix, 'installed', lambda: [OWN])
    assert list(matrix.find_all()) == list(matrix.find([OWN]))
    said = capsys.readouterr().out
    for abi in more_pythons.KNOWN:
        if abi != matrix.ask(OWN).abi:
            assert (f'there is no Python {abi}, and none can be made: these are missing: '
                    'nothing-of-this-name') in said
    assert not cache.exists()


def test_a_python_that_nobody_can_make_is_refused_with_those_that_can_be(monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['more_pythons.py', '2.7'])
    assert more_pythons.main() == 2
    assert '2.7 is none of 3.13t' in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() != 0, reason='only root can make a mount namespace')
def test_a_private_installation_is_entered_by_everybody_in_the_tests_alone(tmp_path):
    inner = tmp_path / 'home' / 'own' / 'a prefix'
    inner.mkdir(parents=True)
    (inner / 'file').write_text('found')
    (tmp_path / 'home' / '..odd*').write_text(' too')
    (tmp_path / 'home' / 'link').symlink_to('own/a prefix/file')
    (tmp_path / 'other').symlink_to(inner)
    (tmp_path / 'home').chmod(0o700)
    (tmp_path / 'home' / 'own').chmod(0o700)
    python = matrix.Installation('', '', '', str(tmp_path / 'other'))
    for way in (inner, tmp_path / 'other'):
        assert matrix.private_folders(str(way))[-2:] == [str(tmp_path / 'home'),
                                                         str(tmp_path / 'home' / 'own')]
    command = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups',
               'cat', str(tmp_path / 'home' / 'link'), str(tmp_path / 'other' / 'file'),
               str(tmp_path / 'home' / '..odd*')]
    done = subprocess.run(matrix.opened(python, command), capture_output=True, text=True)
    if done.returncode != 0 and 'unshare failed' in done.stderr:
        pytest.skip(f'no mount namespace here: {done.stderr.strip()}')
    assert done.stdout == 'foundfound too', done.stderr
    assert subprocess.run(command, capture_output=True).returncode != 0
    assert matrix.opened(python._replace(prefix='/usr'), command) == command


@pytest.mark.parametrize('good', [True, False])
def test_the_table_ends_with_how_many_there_were_and_were_left_out(monkeypatch, capsys, good):
    one, other = (matrix.Installation(f'/{name}/bin/python3', '3.12.1', '3.12', f'/{name}')
                  for name in ('one', 'other'))
    monkeypatch.setattr(sys, 'argv', ['matrix.py'])
    monkeypatch.setattr(matrix, 'find_all', lambda: [one, other])
    monkeypatch.setattr(matrix, 'build', lambda *_: True)
    monkeypatch.setattr(matrix, 'can_be_entered', lambda python: python is one)
    monkeypatch.setattr(matrix, 'kinds', lambda *_: ['auto', 'venv'])
    monkeypatch.setattr(matrix, 'row_of', lambda python, _folder, kind, _short: (
        (python.version, kind, python.path, '5 passed', '1'), good))
    assert matrix.main() == (0 if good else 1)
    *table, last = capsys.readouterr().out.splitlines()
    assert last == ('matrix: 2 kinds of Python, 1 left out, '
                    + ('all passed' if good else 'not all passed'))
    assert [line.split()[1] for line in table if '/bin/python3' in line] == ['auto', 'venv', '-']
