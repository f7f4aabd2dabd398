"""What scons does for people, tried with scons itself."""

import pathlib
import shutil
import subprocess
import sys

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / 'tools' / 'scons'))

import settings  # noqa: E402


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
    (('sysconfdir=etc',), 'sysconfdir=etc: give an absolute path'),
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


# --- where things are installed -------------------------------------------------------------------

def environment(**chosen):
    return {**dict.fromkeys(settings.PLACES, ''), 'prefix': '/usr/local', **chosen}


@pytest.mark.parametrize('chosen, expected', [
    ({}, {'sbin': '/usr/local/sbin', 'libexec': '/usr/local/libexec/wsgid', 'sysconf': '/etc',
          'man': '/usr/local/share/man'}),
    ({'prefix': '/opt/x/'}, {'sbin': '/opt/x/sbin', 'sysconf': '/opt/x/etc'}),
    ({'prefix': '/opt/x', 'sysconfdir': '/etc/', 'mandir': '/usr/share/man'},
     {'sysconf': '/etc', 'man': '/usr/share/man'}),
    ({'prefix': '/usr', 'sbindir': '/usr/bin', 'libexecdir': '/usr/lib'},
     {'sbin': '/usr/bin', 'libexec': '/usr/lib/wsgid'}),
])
def test_packages_choose_places(chosen, expected):
    found = settings.places(environment(**chosen))
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize('mode, installed', [(0o700, 0o755), (0o775, 0o755), (0o600, 0o644),
                                             (0o664, 0o644)])
def test_what_is_installed_is_for_everybody(tmp_path, mode, installed):
    source, target = tmp_path / 'source', tmp_path / 'target'
    source.write_text('x')
    source.chmod(mode)
    assert settings.install_file(str(target), str(source), None) == 0
    assert target.stat().st_mode & 0o777 == installed
    assert target.read_text() == 'x'


class Node(str):
    def get_abspath(self):
        return str(self)


@pytest.mark.parametrize('name', ['src/wsgid/wsgid.8', 'etc/completion/_wsgictl',
                                  'etc/systemd/wsgid.service', 'etc/logrotate.conf'])
def test_installed_texts_name_what_is_installed(tmp_path, capsys, name):
    target = tmp_path / 'target'
    env = environment(prefix='/opt/x', sysconfdir='/srv/etc', sbindir='/opt/x/bin')
    assert settings.fit_paths([Node(target)], [Node(TOP / name)], env) == 0
    text = target.read_text()
    for elsewhere in '/usr/sbin/', '/usr/bin/', '/etc/wsgid/':
        assert elsewhere not in text.replace('/srv/etc/', '')
    assert ('/srv/etc/wsgid/' in text) == ('/etc/wsgid/' in (TOP / name).read_text())
