"""The two commands, with a build that is not one: whom they serve as, and what they leave.

Only scons is not the real one, and what it builds: a program that prints its arguments.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]

SCONS = """#!/bin/sh
while [ "$1" != -C ]; do shift; done
mkdir -p "$2/build/release"
printf '#!/bin/sh\\nfor word; do printf "<%%s>\\\\n" "$word"; done\\n' >"$2/build/release/wsgid"
chmod +x "$2/build/release/wsgid"
"""

HANGING = SCONS + """
echo "  compile  something.c"
echo started >"$2/build/started"
exec sleep 60
"""

as_root = pytest.mark.skipif(os.getuid() != 0, reason='only root has something to give back')


@pytest.fixture
def checkout(tmp_path):
    """What the commands need of a checkout, in a path with a space."""
    top = tmp_path / 'a check out'
    for name in ('tools/quickstart', 'tools/test', 'tools/packages.sh', 'tools/scons/packages.py',
                 'etc/welcome.wsgi'):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(TOP / name, top / name)
    (tmp_path / 'bin').mkdir()
    return top


def restore_signals():
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def start(checkout, *command, scons=SCONS, **env):
    program = checkout.parent / 'bin' / 'scons'
    program.write_text(scons)
    program.chmod(0o755)
    environ = {name: value for name, value in os.environ.items() if not name.startswith('SUDO_')}
    environ.update(env, PATH=f'{program.parent}:{os.environ["PATH"]}')
    # As a shell does it for a command in the foreground: a group of its own, and an
    # interrupt or a hangup that ends it, wherever the tests are run.
    return subprocess.Popen([checkout / 'tools' / command[0], *command[1:]], env=environ,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, start_new_session=True,
                            preexec_fn=restore_signals)


def run(checkout, *command, **keywords):
    process = start(checkout, *command, **keywords)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    return output


def served(output):
    return [line[1:-1] for line in output.splitlines() if line.startswith('<')]


def owners(folder):
    return {path.stat().st_uid for path in (folder, *folder.rglob('*'))}


def test_quickstart_serves_what_it_was_given(checkout):
    assert served(run(checkout, 'quickstart', 'site:app', '--chdir', 'a b')) == [
        'site:app', '--chdir', 'a b']


def test_quickstart_serves_a_welcome_page_by_itself(checkout):
    *options, page = served(run(checkout, 'quickstart', SUDO_UID='1'))
    assert options == ['--bind', '127.0.0.1:8000']
    assert page == str(checkout / 'etc' / 'welcome.wsgi')


@as_root
@pytest.mark.parametrize('env', [{}, {'SUDO_UID': '0', 'SUDO_GID': '0', 'SUDO_USER': 'root'}])
def test_root_s_welcome_page_is_where_anybody_may_read_it(checkout, env):
    """Whether root typed sudo or not: the page is served by another user."""
    page = pathlib.Path(served(run(checkout, 'quickstart', **env))[-1])
    assert page.read_bytes() == (checkout / 'etc' / 'welcome.wsgi').read_bytes()
    assert checkout not in page.parents
    for part in page.parents:
        assert part.stat().st_mode & 0o001, part
    assert page.stat().st_mode & 0o004


@as_root
def test_what_sudo_built_belongs_to_who_called_it(checkout):
    run(checkout, 'quickstart', 'site:app', SUDO_UID='12345', SUDO_GID='12345')
    assert owners(checkout / 'build') == {12345}


@as_root
def test_what_root_built_with_sudo_is_root_s(checkout):
    run(checkout, 'quickstart', 'site:app', SUDO_UID='0', SUDO_GID='0')
    assert owners(checkout / 'build') == {0}


@as_root
@pytest.mark.parametrize('command', [('quickstart',), ('test', '--unit')])
@pytest.mark.parametrize('stop', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_build_that_is_interrupted_ends_at_once_and_is_given_back(checkout, command, stop):
    process = start(checkout, *command, scons=HANGING, SUDO_UID='12345', SUDO_GID='12345')
    deadline = time.monotonic() + 30
    while not (checkout / 'build' / 'started').exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, stop)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 130, output
    assert owners(checkout / 'build') == {12345}


def test_a_build_folder_that_cannot_be_written_is_a_sentence(checkout):
    (checkout / 'build').write_text('in the way')
    process = start(checkout, 'quickstart')
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert 'build cannot be written: run it as the owner' in output


def test_the_commands_work_by_a_symbolic_link(checkout):
    link = checkout.parent / 'serve'
    link.symlink_to(checkout / 'tools' / 'quickstart')
    process = subprocess.run([link, '--help'], text=True, capture_output=True, check=True)
    assert process.stdout.startswith('Usage: tools/quickstart')
