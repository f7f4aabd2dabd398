"""The kernel's table of TCP connections, with the process at the server's end of each."""

import os
import pathlib
from typing import NamedTuple

LISTENS = '0A'


class End(NamedTuple):
    """One end of one: ports, and the bytes that were not sent and not read yet."""
    port: int
    peer: int
    state: str
    unsent: int
    unread: int
    inode: str


def ends() -> list:
    """Those of IPv4 on this machine."""
    lines = pathlib.Path('/proc/net/tcp').read_text().splitlines()[1:]
    return [End(*(int(word.split(':')[1], 16) for word in words[1:3]), words[3],
                *(int(part, 16) for part in words[4].split(':')), words[9])
            for words in map(str.split, lines)]


def listeners_at(port: int) -> set:
    """The inodes of the sockets that listen there."""
    return {end.inode for end in ends() if end.port == port and end.state == LISTENS}


def peers_of(pid: int) -> set:
    """The ports of the clients whose connections this process has."""
    own = {os.readlink(f'/proc/{pid}/fd/{name}') for name in os.listdir(f'/proc/{pid}/fd')}
    return {end.peer for end in ends() if f'socket:[{end.inode}]' in own and end.peer}
