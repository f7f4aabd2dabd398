"""What the tabulator key offers behind wsgictl, in three shells."""

import os
import pty
import select
import subprocess
import time

import pytest

from server import BUILD, PATIENCE, ROOT, need

FILES = ROOT / 'etc' / 'completion'
ENVIRONMENT = {'PATH': f'{BUILD}:/usr/bin:/bin', 'TERM': 'dumb', 'LANG': 'C.UTF-8'}
LEVELS = {'error', 'warn', 'notice', 'info', 'debug'}

WORDS = [
    ('wsgictl re', {'restart', 'reload', 'reopen-logs'}),
    ('wsgictl -k gracef', {'graceful', 'graceful-stop'}),
    ('wsgictl log-level ', LEVELS),
    ('wsgictl -c x log-level ', LEVELS),
]
OPTIONS = [
    ('wsgictl status --j', {'--json'}),
    ('wsgictl stop --n', {'--now', '--name'}),
    ('wsgictl fullstatus --q', {'--query'}),
]


@pytest.fixture
def names(tmp_path) -> tuple[dict, list]:
    """A folder with the pid file of a server, and others that only have names; the environment
    that leads there, and what none of these may have made."""
    run = tmp_path / 'wsgid'
    run.mkdir()
    made = [tmp_path / name for name in ('made-by-dollar', 'made-by-backtick')]
    for name in ('shop', 'shop-test', 'shop$(touch made-by-dollar)', 'shop`touch made-by-backtick`',
                 'shop;touch made-by-dollar', '$(touch made-by-dollar)'):
        (run / f'{name}.pid').touch()
    return {**ENVIRONMENT, 'XDG_RUNTIME_DIR': str(tmp_path), 'HOME': str(tmp_path)}, made


@pytest.mark.parametrize('option', ['-n', '--name'])
def test_bash_completes_names_and_runs_none(tmp_path, names, option):
    environment, made = names
    script = f'''source '{FILES}/wsgictl.bash'
        COMP_WORDS=(wsgictl {option} sh)
        COMP_CWORD=2
        _wsgictl
        printf '%s\\n' "${{COMPREPLY[@]}}"
        COMP_WORDS=(wsgictl {option} '')
        _wsgictl'''
    run = subprocess.run(['bash', '-c', script], text=True, capture_output=True, check=True,
                         env=environment, cwd=tmp_path)
    assert (set(run.stdout.split()), run.stderr) == ({'shop', 'shop-test'}, '')
    assert not any(file.exists() for file in made)


def test_fish_completes_names_and_runs_none(tmp_path, names):
    environment, made = names
    script = f"source '{FILES}/wsgictl.fish'; complete -C 'wsgictl -n sh'; complete -C 'wsgictl -n '"
    run = subprocess.run([need('fish'), '--no-config', '-c', script], text=True,
                         capture_output=True, check=True, cwd=tmp_path, env=environment)
    offers = {offer.split('\t')[0] for offer in run.stdout.splitlines()}
    assert {offer for offer in offers if offer.startswith('shop')} == {'shop', 'shop-test'}
    assert not any(file.exists() for file in made)


@pytest.mark.parametrize('line, words', [
    *WORDS, *OPTIONS, ('wsgictl start --max-request-w', {'--max-request-workers'})])
def test_bash_completes(line, words):
    script = f'''source '{FILES}/wsgictl.bash'
        COMP_WORDS=({line}{' ""' if line.endswith(' ') else ''})
        COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
        _wsgictl
        printf '%s\\n' "${{COMPREPLY[@]}}"'''
    run = subprocess.run(['bash', '-c', script], text=True, capture_output=True, check=True,
                         env=ENVIRONMENT, cwd='/')
    assert set(run.stdout.split()) == words


@pytest.mark.parametrize('line, words', [*WORDS, *OPTIONS])
def test_fish_completes(tmp_path, line, words):
    script = f"source '{FILES}/wsgictl.fish'; complete -C '{line}'"
    run = subprocess.run([need('fish'), '--no-config', '-c', script], text=True,
                         capture_output=True, check=True, cwd='/',
                         env={**ENVIRONMENT, 'HOME': str(tmp_path)})
    offers = {offer.split('\t')[0] for offer in run.stdout.splitlines()}
    # Version 4 tells what only contains the letters, too.
    assert {offer for offer in offers if offer.startswith(line.split(' ')[-1])} == words


class Zsh:
    """One on a terminal, which alone makes it complete."""

    BEGIN = ("fpath=('{files}' $fpath); autoload -U compinit; compinit -u -D; LISTMAX=1000\n"
             "PS1=; PROMPT_EOL_MARK=; setopt no_beep; bindkey '^T' list-choices; echo rea''dy\n")

    def __init__(self, home, folder='/'):
        program = need('zsh')
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            os.chdir(folder)
            os.execve(program, ['zsh', '-f', '-i'], {
                **ENVIRONMENT, 'HOME': str(home), 'XDG_RUNTIME_DIR': str(home)})
        self.type(self.BEGIN.format(files=FILES))
        self.read_until({'ready\r\n'})

    def type(self, text: str):
        os.write(self._fd, text.encode())

    def read_until(self, words) -> str:
        """What it shows until all words were there."""
        text, end = '', time.monotonic() + PATIENCE
        while not all(word in text for word in words):
            if not select.select([self._fd], [], [], max(0, end - time.monotonic()))[0]:
                raise TimeoutError(f'no {words} in {text!r}')
            text += os.read(self._fd, 4096).decode()
        return text

    def close(self):
        os.close(self._fd)
        os.waitpid(self._pid, 0)


@pytest.fixture
def zsh(tmp_path):
    shell = Zsh(tmp_path)
    yield shell
    shell.close()


@pytest.mark.parametrize('line, words', [
    *WORDS, ('wsgictl stop --', {'--now', '--name'}), ('wsgictl start /etc/host', {'hosts'})])
def test_zsh_completes(zsh, line, words):
    zsh.type(line + '\x14')
    shown = zsh.read_until(words)
    assert 'upgrade' not in shown


def test_zsh_completes_names_and_runs_none(tmp_path, names):
    shell = Zsh(tmp_path, tmp_path)
    try:
        # What they have in common is put in; the list is asked for behind it.
        shell.type('wsgictl -n sh\x14')
        shown = shell.read_until({'shop', 'shop-test'})
        shell.type('op-t\t')
        shown += shell.read_until({'est'})
    finally:
        shell.close()
    assert 'touch' not in shown
    assert not any(file.exists() for file in names[1])
