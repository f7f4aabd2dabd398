"""A terminal to start a program on, and somebody who types there."""

import os
import pty
import re
import select
import time

from server import PATIENCE, PYTHON

# The terminal named first becomes that of the program behind it, whose group is in the
# foreground there.
ON_TERMINAL = ('import os, sys; os.close(os.open(sys.argv[1], os.O_RDWR)); '
               'os.execv(sys.argv[2], sys.argv[2:])')


class Terminal:
    def __init__(self):
        self._fd, self._program_end = pty.openpty()
        self.launcher = [PYTHON, '-c', ON_TERMINAL, os.ttyname(self._program_end)]
        self._unseen = ''

    def close(self):
        os.close(self._fd)
        os.close(self._program_end)

    def type(self, text: str):
        os.write(self._fd, text.encode())

    def shown(self) -> str:
        """What has come, and was not waited for."""
        while select.select([self._fd], [], [], 0)[0]:
            self._unseen += os.read(self._fd, 65536).decode()
        return self._unseen

    def wait_for(self, pattern: str) -> str:
        """What comes until there is this, with it."""
        end = time.monotonic() + PATIENCE
        while not (match := re.search(pattern, self.shown())):
            left = end - time.monotonic()
            assert left > 0, f'no /{pattern}/ on the terminal: {self._unseen!r}'
            select.select([self._fd], [], [], left)
        seen, self._unseen = self._unseen[:match.end()], self._unseen[match.end():]
        return seen
