"""A machine with a real systemd as PID 1, in a rig, on which wsgid is built and installed.

It is built there because that machine has a Python and libraries of its own.  A test stays
outside, runs commands in the machine, reaches its files below /proc/PID/root, and is a client on
its network: Machine.network() moves the calling thread there, and what it starts.
"""

import contextlib
import ctypes
import os
import pathlib
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tools' / 'scons'))

import packages  # noqa: E402

# What builds it, as in tools/quickstart, and what its tests use there.
PACKAGES = ['compiler', 'pkg-config', 'scons', 'python', 'zlib', 'expat', 'liburing',
            'libsystemd', 'jansson']
TOOLS = ['logrotate', 'tcpdump']

RIG_TIMEOUT = 1500    # the whole life of the machine
BOOT_TIMEOUT = 600    # with making it from packages, the first time
BUILD_TIMEOUT = 600
COMMAND_TIMEOUT = 120

CLONE_NEWNET = 0x40000000

# Holds the machine up as long as somebody has the other end open, whoever dies.
HOLD = '''#!/bin/sh
: >"$FOLDER/up"
exec cat "$FOLDER/hold"
'''

INSTALL = '''
set -e
cd "$1"
scons -Q -j2 install prefix=/usr
systemd-sysusers
systemd-tmpfiles --create
systemctl daemon-reload
'''


class RigFailed(Exception):
    pass


class Machine:
    """with Machine(path of systemd-rig, 'bookworm', folder) as m: m.run('systemctl', ...)."""

    def __init__(self, rig: pathlib.Path, suite: str, folder: pathlib.Path):
        self.rig, self.suite, self.folder = rig, suite, folder
        self.pid = None

    def __enter__(self):
        self._boot()
        try:
            self._install()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_):
        self._end()

    # --- its life -----------------------------------------------------------------------

    def _boot(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in ('up', 'hold'):
            (self.folder / name).unlink(missing_ok=True)
        os.mkfifo(self.folder / 'hold')
        script = self.folder / 'hold.sh'
        script.write_text(HOLD)
        script.chmod(0o755)
        self._hold = os.open(self.folder / 'hold', os.O_RDWR | os.O_CLOEXEC)
        words = [package for what in PACKAGES for package in packages.packages(what, 'apt')]
        with open(self.folder / 'rig.log', 'wb') as log:
            self._process = subprocess.Popen(
                [str(self.rig), '-q', '-s', self.suite, '-i', ','.join(words + TOOLS),
                 '-t', str(RIG_TIMEOUT), '-b', str(self.folder), '-e', f'FOLDER={self.folder}',
                 '--', str(script)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + BOOT_TIMEOUT
        while not (self.folder / 'up').exists():
            if self._process.poll() is not None or time.monotonic() > end:
                os.close(self._hold)
                raise RigFailed((self.folder / 'rig.log').read_text()[-2000:])
            time.sleep(0.05)
        self.pid = self._find_systemd(self._process.pid)

    def _find_systemd(self, pid: int) -> int:
        """Of the descendants the one that is PID 1 in the innermost of its namespaces, and called
        systemd."""
        for child in pathlib.Path(f'/proc/{pid}/task/{pid}/children').read_text().split():
            status = pathlib.Path(f'/proc/{child}/status').read_text().splitlines()
            fields = dict(line.split(':\t', 1) for line in status if ':\t' in line)
            if fields['Name'] == 'systemd' and fields['NSpid'].split()[-1] == '1':
                return int(child)
            found = self._find_systemd(int(child))
            if found:
                return found
        return 0

    def _install(self):
        """From a copy of the sources, beside what was built of it before."""
        source = self.folder / 'source'
        source.mkdir(exist_ok=True)
        for name in ('src', 'include', 'etc', 'tools', 'tests'):
            shutil.rmtree(source / name, ignore_errors=True)
        for name in ('src', 'include', 'etc', 'tools'):
            shutil.copytree(ROOT / name, source / name)
        (source / 'tests' / 'support').mkdir(parents=True)
        for name in ('SConstruct', 'tests/SConscript', 'tests/support/load.c'):
            shutil.copy(ROOT / name, source / name)
        self.run('/bin/sh', '-c', INSTALL, 'sh', str(source), timeout=BUILD_TIMEOUT)

    def install_into(self, name: str) -> pathlib.Path:
        """What was installed once more, as a tree in the folder: for another machine."""
        tree = self.folder / name
        shutil.rmtree(tree, ignore_errors=True)
        self.run('scons', '-Q', '-C', self.folder / 'source', 'prefix=/usr', f'DESTDIR={tree}',
                 'install', timeout=BUILD_TIMEOUT)
        return tree

    def _end(self):
        os.close(self._hold)
        self._process.wait(COMMAND_TIMEOUT)

    # --- what is done with it -------------------------------------------------------------

    def command(self, *words) -> list:
        return ['nsenter', '-t', str(self.pid), '-a', '/usr/bin/env', '-i', 'LANG=C.UTF-8',
                'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
                'SYSTEMD_PAGER=', *map(str, words)]

    def run(self, *words, check: bool = True, timeout: float = COMMAND_TIMEOUT):
        """A command to its end: a CompletedProcess, with its errors in its output."""
        done = subprocess.run(self.command(*words), stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout)
        if check and done.returncode != 0:
            raise AssertionError(f'{" ".join(map(str, words))}: status {done.returncode}\n'
                                 f'{done.stdout[-4000:]}')
        return done

    def systemd(self) -> int:
        """Its version."""
        return int(self.run('systemctl', '--version').stdout.split()[1])

    def path(self, path: str) -> pathlib.Path:
        """One of its files, as it is to be opened from here."""
        return pathlib.Path(f'/proc/{self.pid}/root{path}')

    def write(self, path: str, text: str):
        file = self.path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    @contextlib.contextmanager
    def network(self):
        """The calling thread, and the threads that it starts, are on its network."""
        libc = ctypes.CDLL(None, use_errno=True)

        def enter(fd: int):
            if libc.setns(fd, CLONE_NEWNET) < 0:
                raise OSError(ctypes.get_errno(), 'setns')
        with open('/proc/thread-self/ns/net') as ours, open(f'/proc/{self.pid}/ns/net') as theirs:
            enter(theirs.fileno())
            try:
                yield self
            finally:
                enter(ours.fileno())
