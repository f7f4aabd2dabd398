"""Start the real wsgid, watch what it says, and see that nothing of it is left.

A Server lives in a directory of its own, listens on a port that the kernel chooses, and
says in its start line where.  Waiting is for lines of the log or, where nothing is said,
for a condition looked at often; everything has an end.
"""

import atexit
import contextlib
import ctypes
import functools
import os
import pathlib
import pwd
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get('WSGID_BUILD') or ROOT / 'build' / 'release')
WSGID = BUILD / 'wsgid'
APPS = ROOT / 'tests' / 'apps'
PYTHON = '/usr/bin/python3'
# The interpreter of what serves: another one where tools/matrix.py says so.
SERVED_PYTHON = os.environ.get('MATRIX_PYTHON', PYTHON)
SANITIZED = 'address' in BUILD.name or 'thread' in BUILD.name
IS_ROOT = os.geteuid() == 0

# Of valgrind 3.19, whose kernel is older than openat2; who calls it has another way.
UNKNOWN_CALL = (r'--\d+-- WARNING: unhandled amd64-linux syscall: 437\n'
                r'(--\d+-- (You may|Read the|Nevertheless|it at http).*\n)*')

# tools/test --sanitize: every server and its children run under valgrind's memcheck.
VALGRIND = bool(os.environ.get('WSGID_UNDER_VALGRIND'))

# How long anything may take that should be at once: generous, for a loaded machine.
PATIENCE = 240 if VALGRIND else 60 if SANITIZED else 30

sys.path.insert(0, str(ROOT / 'tools'))
import scoreboard as scoreboard_tool  # noqa: E402
import waiting  # noqa: E402


wait_until = functools.partial(waiting.wait_until, timeout=PATIENCE)


class Log:
    """What comes out of a pipe, gathered by a thread of its own."""

    def __init__(self):
        self._bytes = bytearray()
        self._changed = threading.Condition()
        self.ended = False
        self._read_end, self.write_end = os.pipe()
        self._thread = threading.Thread(target=self._gather, daemon=True)
        self._thread.start()

    def _gather(self):
        while not self.ended:
            self._wait(None)
            with self._changed:
                self._take()
        os.close(self._read_end)

    def _wait(self, milliseconds) -> bool:
        poll = select.poll()
        poll.register(self._read_end, select.POLLIN)
        return bool(poll.poll(milliseconds))

    def _take(self):
        """What is there now."""
        while not self.ended and self._wait(0):
            data = os.read(self._read_end, 65536)
            self._bytes += data
            self.ended = not data
            self._changed.notify_all()

    @contextlib.contextmanager
    def unread(self):
        """Nobody reads it meanwhile."""
        with self._changed:
            yield

    def is_full(self) -> bool:
        """Is there no room for another line?"""
        write_end = os.open(f'/proc/self/fd/{self._read_end}', os.O_WRONLY | os.O_NONBLOCK)
        poll = select.poll()
        poll.register(write_end, select.POLLOUT)
        full = not poll.poll(0)
        os.close(write_end)
        return full

    def let_go(self):
        """Only the started processes keep the pipe open from now on."""
        os.close(self.write_end)

    def text(self) -> str:
        """All that was written before this call."""
        with self._changed:
            self._take()
            return self._bytes.decode(errors='replace')

    def wait_for(self, pattern: str, timeout: float = PATIENCE, since: int = 0) -> re.Match:
        """The first match of pattern in what comes, or came after since characters."""
        end = time.monotonic() + timeout
        with self._changed:
            while True:
                text = self._bytes.decode(errors='replace')
                match = re.compile(pattern, re.MULTILINE).search(text, since)
                if match:
                    return match
                left = end - time.monotonic()
                if left <= 0 or self.ended:
                    why = 'it ended' if self.ended else f'{timeout} s have passed'
                    raise TimeoutError(f'no /{pattern}/ in the log, and {why}:\n{text}')
                self._changed.wait(left)

    def wait_for_end(self, timeout: float = PATIENCE):
        end = time.monotonic() + timeout
        with self._changed:
            while not self.ended:
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError('somebody keeps standard error open')
                self._changed.wait(left)


def stat_fields(pid: int) -> list:
    """Of /proc/PID/stat: [state, ppid, pgrp, session, ...]; empty when it is gone."""
    try:
        text = pathlib.Path(f'/proc/{pid}/stat').read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text[text.rindex(')') + 2:].split()


def is_alive(pid: int) -> bool:
    fields = stat_fields(pid)
    return bool(fields) and fields[0] not in 'ZX'


def cpu_seconds(pid: int) -> float:
    """Of the process and all its threads: what it has used."""
    user, system = stat_fields(pid)[11:13]
    return (int(user) + int(system)) / os.sysconf('SC_CLK_TCK')


def children_of(pid: int) -> list:
    try:
        text = pathlib.Path(f'/proc/{pid}/task/{pid}/children').read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(word) for word in text.split()]


def session_of(leader: int) -> list:
    """Processes of the session that leader began, dead ones left out."""
    found = []
    for name in os.listdir('/proc'):
        if name.isdigit():
            fields = stat_fields(int(name))
            if fields and int(fields[3]) == leader and fields[0] not in 'ZX':
                found.append(int(name))
    return found


def clean_environment() -> dict:
    """Ours, without anything that a server would obey but what all tests are to run with:
    WSGID_TEST_PYTHON is WSGID_PYTHON for it."""
    prefixes = ('WSGI', 'LISTEN_', 'SUDO_', 'PYTEST_', 'XDG_', 'DJANGO_', 'FLASK_')
    names = ('PORT', 'WEB_CONCURRENCY', 'RUNTIME_DIRECTORY', 'NOTIFY_SOCKET', 'WATCHDOG_USEC',
             'WATCHDOG_PID', 'PYTHONPATH', 'PYTHONHOME')
    kept = {name: value for name, value in os.environ.items()
            if name not in names and not name.startswith(prefixes)}
    asked = {name.replace('_TEST', '', 1): value for name, value in os.environ.items()
             if name.startswith('WSGID_TEST_')}
    return {**kept, **asked}


def open_directory(prefix: str = 'wsgid-test-') -> pathlib.Path:
    """A directory that every user may enter: children do not run as root."""
    path = pathlib.Path(tempfile.mkdtemp(prefix=prefix))
    path.chmod(0o755)
    return path


def child_user() -> str:
    """As whom children run when nothing is said."""
    if not IS_ROOT:
        return pwd.getpwuid(os.geteuid()).pw_name
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ('www-data', 'nobody') if name in known)


def own_by_children(path: pathlib.Path):
    """Let the children write there."""
    if IS_ROOT:
        entry = pwd.getpwnam(child_user())
        os.chown(path, entry.pw_uid, entry.pw_gid)


def remove_semaphore(note: pathlib.Path):
    """The one of System V that a file of the run directory is named after."""
    libc = ctypes.CDLL(None, use_errno=True)
    number = libc.semget(ctypes.c_int(int(note.suffix[1:], 16)), 0, 0)
    if number >= 0:
        libc.semctl(number, 0, 0)  # IPC_RMID


def compiler():
    return shutil.which('cc') or shutil.which('gcc')


def compile_support(directory: pathlib.Path, name: str, *options) -> pathlib.Path:
    """A program or library from its source here."""
    source = ROOT / 'tests' / 'support' / f'{name}.c'
    subprocess.run([compiler(), '-O1', '-Wall', '-Werror', '-o', directory / name, source,
                    *options], check=True)
    return directory / name


@functools.cache
def wait_aside() -> pathlib.Path:
    """The library without which a thread that waits has all others of its process wait."""
    directory = open_directory('wsgid-valgrind-')
    atexit.register(shutil.rmtree, directory)
    return compile_support(directory, 'wait_aside', '-shared', '-fPIC', '-luring')


def under_valgrind(directory: pathlib.Path) -> list:
    """What it finds goes to a file for each process.

    What Python's own code does with bytes that nobody has written (its string functions look
    at whole words) is none of ours, and can be told by its library.
    """
    return ['valgrind', '-q', '--trace-children=yes', '--trace-children-skip=/bin/*,/usr/*',
            '--vgdb=no', '--num-callers=20', f'--log-file={directory}/valgrind.%p',
            f'--suppressions={ROOT}/tests/support/valgrind.supp']


class Server:
    """One wsgid: Server(directory, 'hello:application', '-w', '2').start()."""

    def __init__(self, directory: pathlib.Path, *words, env=None, bind='127.0.0.1:0',
                 launcher=(), cwd=None, stdin=subprocess.DEVNULL, program=WSGID):
        self.directory = directory
        self.run_directory = directory / 'run'
        self.cwd = cwd or directory
        self.words = [str(word) for word in words]
        self.launcher = [str(word) for word in launcher]
        self.environment = {**clean_environment(), **(env or {})}
        if VALGRIND:
            self.launcher += under_valgrind(directory)
            self.environment.update(LD_PRELOAD=str(wait_aside()), PYTHONMALLOC='malloc',
                                    WSGID_LIB_PYTHON='shared',
                                    WSGID_STARTUP_TIMEOUT=f'{PATIENCE}s')
        self.bind = bind
        self.stdin = stdin
        self.program = program
        self.master = None  # after an upgrade: its pid
        self.process = None
        self.log = self.output = None
        self.addresses = []
        self.seen_children = set()

    # --- its life ---------------------------------------------------------------------

    def command(self) -> list:
        command = [*self.launcher, str(self.program), '--run-directory', str(self.run_directory)]
        if self.bind:
            command += ['-b', self.bind]
        return command + self.words

    def spawn(self, pass_fds=()):
        """Start it, and wait for nothing."""
        self.log, self.output = Log(), Log()
        self.process = subprocess.Popen(
            self.command(), cwd=self.cwd, env=self.environment, stdin=self.stdin,
            stdout=self.output.write_end, stderr=self.log.write_end, start_new_session=True,
            pass_fds=pass_fds)
        self.log.let_go()
        self.output.let_go()
        return self

    def start(self, timeout: float = PATIENCE):
        """Start it, where that was not done; returns when it serves."""
        if self.process is None:
            self.spawn()
        found = self.log.wait_for(r'\[master:notice\].* serves \S+ at (.+)\n'
                                  r'.*\[master:notice\].* (?:prefork|worker) with ', timeout)
        self.addresses = found[1].split()
        return self

    def fails(self, timeout: float = PATIENCE) -> int:
        """Start what cannot start: the exit status."""
        self.spawn()
        return self.ended(timeout)

    def ended(self, timeout: float = PATIENCE) -> int:
        """Wait for its end, see that nothing is left: the exit status."""
        status = self.process.wait(timeout)
        if self.master:
            wait_until(lambda: not is_alive(self.master), 'the end of the master', timeout=timeout)
            # Its exit status is somebody else's to see.
            assert 'Sanitizer' not in self.log.text()
        self.log.wait_for_end(timeout)
        self.assert_nothing_left()
        return status

    def stop(self, signum=signal.SIGTERM, status: int = 0, timeout: float = PATIENCE):
        self.seen_children.update(self.children())
        self.kill(signum)
        got = self.ended(timeout)
        assert got == status, f'exit status {got}, not {status}'

    def assert_nothing_left(self):
        left = session_of(self.process.pid)
        assert not left, f'processes are left: {left}'
        alive = [pid for pid in self.seen_children if is_alive(pid)]
        assert not alive, f'children are left: {alive}'
        if self.run_directory.exists():
            names = sorted(os.listdir(self.run_directory))
            assert not names, f'{self.run_directory} still holds {names}'

    def discard(self):
        """Whatever a test has left: end it, at once, without a word."""
        if self.process is None:
            return
        for pid in {self.process.pid, *session_of(self.process.pid)}:
            if pid != self.process.pid or self.process.poll() is None:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        self.process.wait(PATIENCE)
        # What outlives the sudden death of all: the next master would remove it.
        for note in self.run_directory.glob('*.sem.*'):
            remove_semaphore(note)
        found = ''.join(path.read_text() for path in self.directory.glob('valgrind.*'))
        found = re.sub(UNKNOWN_CALL, '', found)
        assert not found, f'valgrind has found something:\n{found}'

    def kill(self, signum):
        if self.master:
            os.kill(self.master, signum)
        else:
            self.process.send_signal(signum)

    def reload(self, signum=signal.SIGHUP) -> str:
        """Reload and wait for the end of it: what the log said meanwhile.

        A child that was told to retire may take one more connection before it hears it.
        """
        since = len(self.log.text())
        self.kill(signum)
        since = self.log.wait_for(r'^.*: reloading gracefully', since=since).start()
        self.log.wait_for(r'reload done|reload failed', since=since)
        wait_until(lambda: not any(row['page'] and row['page']['accepting']
                                   for row in self.board()['processes']
                                   if row['pid'] and row['lifecycle'] == 'draining'),
                   'the old children to accept no more')
        return self.log.text()[since:]

    def upgrade(self) -> str:
        """Upgrade and wait until the old master has ended: what the log said meanwhile."""
        since, old = len(self.log.text()), self.pid
        self.seen_children.update(self.children())
        self.kill(signal.SIGUSR2)
        match = self.log.wait_for(r'the new master, pid (\d+), has taken over|upgrade failed.*',
                                  since=since)
        if match[1]:
            self.master = int(match[1])
            if old == self.process.pid:
                self.process.wait(PATIENCE)
            else:
                wait_until(lambda: not is_alive(old), 'the end of the old master')
        return self.log.text()[since:]

    # --- what is known of it ------------------------------------------------------------

    @property
    def pid(self) -> int:
        return self.master or self.process.pid

    @property
    def url(self) -> str:
        return next(a for a in self.addresses if a.startswith('http://'))

    @property
    def address(self) -> tuple:
        """(host, port) of the first TCP listener."""
        host, port = self.url[len('http://'):].rsplit(':', 1)
        return host.strip('[]'), int(port)

    @property
    def port(self) -> int:
        return self.address[1]

    def children(self) -> list:
        return children_of(self.pid)

    def board(self) -> dict:
        """The scoreboard, by tools/scoreboard.py's own reader."""
        path, = self.run_directory.glob('*.scoreboard')
        return scoreboard_tool.gather(str(path))

    def ready(self) -> dict:
        """pid -> process record of the children that serve."""
        return {row['pid']: row for row in self.board()['processes']
                if row['pid'] and row['lifecycle'] == 'ready'}

    def wait_for_ready(self, number: int) -> dict:
        def ready():
            found = self.ready()
            return found if len(found) == number else None
        found = wait_until(ready, f'{number} ready children')
        self.seen_children.update(found)
        return found


def free_port(family=socket.AF_INET, host: str = '127.0.0.1') -> int:
    """A port that nobody listens on, for where it must be known before.  It is none of those
    that the kernel chooses, which somebody else's socket could get in the meantime."""
    chosen = pathlib.Path('/proc/sys/net/ipv4/ip_local_port_range').read_text()
    while True:
        port = random.randrange(10000, max(int(chosen.split()[0]), 11000))
        with contextlib.suppress(OSError), socket.socket(family) as s:
            s.bind((host, port))
            return port


def run_wsgid(*words, env=None, cwd=None, timeout: float = PATIENCE):
    """wsgid to its end: a CompletedProcess with text."""
    return subprocess.run([str(WSGID), *map(str, words)], cwd=cwd, timeout=timeout,
                          env={**clean_environment(), **(env or {})}, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True)


@functools.cache
def ask_served(expression: str) -> str:
    """What an expression of sys and sysconfig is in the Python that serves."""
    return subprocess.run([SERVED_PYTHON, '-I', '-c',
                           f'import sys, sysconfig; print({expression})'],
                          capture_output=True, text=True, check=True).stdout.strip()


def served_abi() -> str:
    """As in the name of its folder of modules: 3.11, 3.13t."""
    return ask_served('"%d.%d" % sys.version_info[:2] + sys.abiflags')


def has_gil() -> bool:
    return ask_served('sysconfig.get_config_var("Py_GIL_DISABLED")') != '1'


def need_module(name: str):
    """The Python that serves has a module; the test, or all of its file, is left out without."""
    import pytest
    if subprocess.run([SERVED_PYTHON, '-I', '-c', f'import {name}'], capture_output=True).returncode:
        pytest.skip(f'{SERVED_PYTHON} has no {name}', allow_module_level=True)


@functools.cache
def has_uring() -> bool:
    """Was it built in, and does this kernel, as we are allowed to use it, make a ring?"""
    if 'io_uring' not in run_wsgid('-V').stdout:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    io_uring_setup = 425
    fd = libc.syscall(io_uring_setup, 1, ctypes.create_string_buffer(120))
    if fd >= 0:
        os.close(fd)
    return fd >= 0


def status_of(pid: int) -> dict:
    """/proc/PID/status as a dictionary."""
    text = pathlib.Path(f'/proc/{pid}/status').read_text()
    return dict(line.split(':\t', 1) for line in text.splitlines() if ':\t' in line)


def freeze(pid: int):
    """SIGSTOP, and no thread of it runs any more when this returns; nor if it has ended."""
    os.kill(pid, signal.SIGSTOP)

    def still():
        states = []
        for path in pathlib.Path(f'/proc/{pid}/task').glob('*/stat'):
            with contextlib.suppress(OSError):
                states.append(path.read_text().rpartition(')')[2].split()[0])
        return set(states) <= set('TZX')
    wait_until(still, f'all threads of {pid} to stop')


def title_of(pid: int) -> str:
    data = pathlib.Path(f'/proc/{pid}/cmdline').read_bytes()
    return data.replace(b'\0', b' ').decode().strip()


def need(program: str) -> str:
    """The path of a program that a test drives; the test is left out without it."""
    import pytest
    path = shutil.which(program, path=os.environ.get('PATH', '') + ':/usr/sbin:/usr/bin')
    if path is None:
        pytest.skip(f'{program} is not installed')
    return path
