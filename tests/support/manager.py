"""A service manager for one server: what systemd does for a Type=notify service, as far as a
test needs it.

It hands sockets over, listens to what the server says, and keeps the descriptors that it is
given to keep for the server's next start.
"""

import array
import os
import pathlib
import select
import socket
import struct
import threading
import time

from server import PATIENCE

# Descriptors are put at 3, 4, ... and LISTEN_PID is the program's own, as systemd does it.
LAUNCHER = '''
import fcntl, os, sys
fds = [int(word) for word in sys.argv[1].split(',') if word]
high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 200) for fd in fds]
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i, inheritable=True)
os.closerange(3 + len(fds), 200)
if fds:
    os.environ['LISTEN_FDS'] = str(len(fds))
    os.environ['LISTEN_PID'] = str(os.getpid())
    os.environ['LISTEN_FDNAMES'] = sys.argv[2]
if 'WATCHDOG_USEC' in os.environ:
    os.environ['WATCHDOG_PID'] = str(os.getpid())
os.execv(sys.argv[3], sys.argv[3:])
'''


class Message:
    def __init__(self, text: str, pid: int, n_fds: int):
        self.time = time.monotonic()
        self.pid = pid
        self.n_fds = n_fds
        self.fields = dict(line.split('=', 1) for line in text.split('\n') if '=' in line)

    def __repr__(self):
        return repr(self.fields)


class Manager:
    """with Manager(directory) as m: new_server(..., **m.options()).spawn(m.fds())."""

    def __init__(self, directory: pathlib.Path, keeps: bool = True):
        self.path = directory / 'notify'
        self.keeps = keeps
        self.sockets = []  # (socket, name): what a socket unit holds
        self.store = []    # (descriptor, name): what the server has given us to keep
        self._messages = []
        self._changed = threading.Condition()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(str(self.path))
        self.path.chmod(0o777)
        self._thread = threading.Thread(target=self._gather, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.sendto(b'END=1', str(self.path))
        self._thread.join()
        self._socket.close()
        self.path.unlink()
        for fd, _name in self.store:
            os.close(fd)
        for s, _name in self.sockets:
            s.close()

    # --- what it hands over -------------------------------------------------------------

    def listen(self, address, name: str = 'unknown', family=socket.AF_INET, backlog: int = 128):
        """A socket of the socket unit; listens unless backlog is 0."""
        s = socket.socket(family)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(address)
        if backlog:
            s.listen(backlog)
        self.sockets.append((s, name))
        return s

    def _passed(self) -> list:
        return [(s.fileno(), name) for s, name in self.sockets] + self.store

    def options(self, watchdog: float = 0, python: str = '/usr/bin/python3') -> dict:
        """For Server: how it is to be started now."""
        env = {'NOTIFY_SOCKET': str(self.path)}
        if watchdog:
            env['WATCHDOG_USEC'] = str(int(watchdog * 1e6))
        passed = self._passed()
        return {'env': env, 'launcher': [python, '-c', LAUNCHER,
                                         ','.join(str(fd) for fd, _name in passed),
                                         ':'.join(name for _fd, name in passed)]}

    def fds(self) -> list:
        """For Server.spawn."""
        return [fd for fd, _name in self._passed()]

    # --- what it hears --------------------------------------------------------------------

    def _gather(self):
        while True:
            data, ancillary, _flags, _address = self._socket.recvmsg(65536, 4096)
            fds, pid = array.array('i'), 0
            for level, kind, content in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    fds.frombytes(content[:len(content) // fds.itemsize * fds.itemsize])
                elif (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
                    pid = struct.unpack('iii', content)[0]
            message = Message(data.decode(), pid, len(fds))
            if 'END' in message.fields:
                return
            self._keep(message.fields, list(fds))
            with self._changed:
                self._messages.append(message)
                self._changed.notify_all()

    def _keep(self, fields: dict, fds: list):
        name = fields.get('FDNAME', 'stored')
        for fd in fds:
            if fields.get('FDSTORE') == '1' and self.keeps and not self._is_stored(fd):
                self.store.append((fd, name))
            else:
                os.close(fd)
        if fields.get('FDSTOREREMOVE') == '1':
            for kept in [one for one in self.store if one[1] == name]:
                os.close(kept[0])
                self.store.remove(kept)

    def _is_stored(self, fd: int) -> bool:
        return any(os.path.sameopenfile(fd, kept) for kept, _name in self.store)

    def forget_hung_up(self):
        """As systemd does by itself: sockets whose other end is closed are kept no longer."""
        poll = select.poll()
        for fd, _name in self.store:
            poll.register(fd, 0)
        gone = [fd for fd, events in poll.poll(0) if events & select.POLLHUP]
        for kept in [one for one in self.store if one[0] in gone]:
            self.store.remove(kept)
            os.close(kept[0])

    def messages(self, since: float = 0) -> list:
        with self._changed:
            return [m for m in self._messages if m.time >= since]

    def values(self, field: str, since: float = 0) -> list:
        return [m.fields[field] for m in self.messages(since) if field in m.fields]

    def wait_for(self, field: str, value: str = None, since: float = 0,
                 timeout: float = PATIENCE) -> Message:
        """The first message that has the field, and value in its value."""
        end = time.monotonic() + timeout
        with self._changed:
            while True:
                for m in self._messages:
                    if m.time >= since and field in m.fields and (
                            value is None or value in m.fields[field]):
                        return m
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f'no {field}={value or ""} in {self._messages}')
                self._changed.wait(left)
