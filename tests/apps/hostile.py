"""An application that turns on its server with whatever its process has been given."""

import array
import ctypes
import json
import mmap
import os
import random
import re
import select
import socket
import stat
import struct
import tempfile
import time
import urllib.parse

RINGS = 'io_uring'
SET = 6  # that of the listeners: net/inherit.h

# A handoff as src/net/handoff.c writes it.  The test of /forge sees that it still is one.
HANDOFF_MAGIC = 0x57534805
RECORD = struct.Struct('=IIqq' '4B16s16sHH' 'qQQIIII')
CONNECTION_WITH_FILE = b'POST /pid HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n'


def descriptors() -> dict:
    """Ours by the server: number -> what it is.  No clients, and no directory listing."""
    found = {}
    for name in os.listdir('/proc/self/fd'):
        try:
            link = os.readlink(f'/proc/self/fd/{name}')
            client = link.startswith('socket:') and is_client(int(name))
        except OSError:
            continue
        if not client and not link.startswith('/proc/'):
            found[int(name)] = link
    return found


def is_client(fd: int) -> bool:
    with socket.socket(fileno=os.dup(fd)) as s:
        return (s.family in (socket.AF_INET, socket.AF_INET6)
                and not s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def attempt(what) -> bool:
    try:
        what()
    except (OSError, ValueError):
        return False
    return True


def can_change(fd: int) -> list:
    """Each way by which the bytes behind a descriptor can be changed, left as they are."""
    size = os.fstat(fd).st_size
    if not size:
        return []
    first = attempt(lambda: os.pread(fd, 1, 0)) and os.pread(fd, 1, 0) or b'x'
    ways = {
        'pwrite': lambda: os.pwrite(fd, first, 0),
        'ftruncate': lambda: (os.ftruncate(fd, size + 1), os.ftruncate(fd, size)),
        'mmap': lambda: mmap.mmap(fd, size, mmap.MAP_SHARED, mmap.PROT_WRITE).close(),
    }
    return [name for name, way in ways.items() if attempt(way)]


def reopen_all() -> dict:
    """What can be changed: by the descriptor itself, and by opening it anew for writing."""
    changed = {}
    for fd, link in descriptors().items():
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            continue
        ways = can_change(fd)
        for flags in (os.O_RDWR, os.O_WRONLY, os.O_WRONLY | os.O_APPEND):
            try:
                again = os.open(f'/proc/self/fd/{fd}', flags)
            except OSError:
                continue
            ways += [f'{way} after open' for way in can_change(again)]
            os.close(again)
        if ways:
            changed[link] = sorted(set(ways))
    return changed


def open_files(directory: str) -> list:
    """Names in the run directory that can be opened for writing, or removed."""
    found = []
    for name in os.listdir(directory) if os.path.isdir(directory) else ():
        path = os.path.join(directory, name)
        if attempt(lambda: os.close(os.open(path, os.O_WRONLY))):  # noqa: B023
            found.append(name)
        if attempt(lambda: os.rename(path, path + '.gone')):  # noqa: B023
            found.append(f'{name}, by renaming')
    return found


def mappings() -> list:
    """[(begin, end, name)] of the shared memory that can be written."""
    found = []
    with open('/proc/self/maps') as file:
        for line in file:
            match = re.match(r'(\w+)-(\w+) rw.s \S+ \S+ \S+ *(.*)', line)
            if match:
                found.append((int(match[1], 16), int(match[2], 16), match[3]))
    return found


def scribble(dice, rings: bool):
    """Random bytes over all of it; the rings are for the end, nothing works afterwards."""
    written = []
    for begin, end, name in mappings():
        if (RINGS in name) != rings:
            continue
        ctypes.memmove(begin, dice.randbytes(end - begin), end - begin)
        written.append(name)
    return written


def whole(dice, bits: int) -> int:
    """Any number of so many bits, those at the ends rather often."""
    return dice.choice([0, 1, (1 << bits - 1) - 1, 1 << bits - 1, (1 << bits) - 1,
                        dice.getrandbits(bits)])


def signed(dice) -> int:
    return whole(dice, 64) - (1 << 63)


def record(dice, length: int, spilled: int = 0, spool: int = 0) -> bytes:
    """One that is well-formed, and in which nothing else is so."""
    return RECORD.pack(HANDOFF_MAGIC, whole(dice, 32), signed(dice), signed(dice),
                       dice.randrange(3), whole(dice, 8), whole(dice, 8), 0,
                       dice.randbytes(16), dice.randbytes(16), whole(dice, 16), whole(dice, 16),
                       signed(dice), whole(dice, 64), spool, whole(dice, 32), 0, length, spilled)


def forgeries(dice):
    """(message, descriptors to go with it behind the connection)."""
    request = b'GET /pid HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n'
    for _ in range(8):
        yield record(dice, len(request)) + request, []
        half = request[:dice.randrange(len(request))]
        yield record(dice, len(half)) + half, []
        head = CONNECTION_WITH_FILE % dice.choice([2, 5000, 1 << 40])
        with tempfile.TemporaryFile() as file:
            file.write(b'x' * dice.choice([0, 5000]))
            file.flush()
            length = dice.choice([1, 5000, 1 << 40, (1 << 64) - 1])
            yield record(dice, len(head), spool=length) + head, [file.fileno()]
            yield record(dice, whole(dice, 32), spilled=1), [file.fileno()]
        with open('/dev/zero', 'rb') as zeroes:
            yield record(dice, 5, spilled=1), [zeroes.fileno()]


def messages(dice):
    """Junk of all lengths, and messages of our own protocols that say what is not so."""
    yield b''
    for size in (1, 7, 24, 500, 9000):
        yield dice.randbytes(size)
    for _ in range(20):
        payload = dice.randbytes(dice.randrange(2000))
        yield record(dice, len(payload)) + payload


def throw(dice, fd: int):
    """Junk into one descriptor, with descriptors of several kinds where it takes them."""
    if not stat.S_ISSOCK(os.fstat(fd).st_mode):
        attempt(lambda: os.write(fd, dice.randbytes(300)))
        return
    ends = os.pipe()
    pair = socket.socketpair()
    listener = socket.socket()
    listener.listen()
    gifts = [[], [ends[0]], [pair[0].fileno()], [listener.fileno()],
             [pair[0].fileno(), ends[0]], [pair[0].fileno(), listener.fileno()], [*ends] * 4]
    with socket.socket(fileno=os.dup(fd)) as s:
        for message in messages(dice):
            for gift in gifts:
                rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                           struct.pack(f'{len(gift)}i', *gift))] if gift else []
                attempt(lambda: s.sendmsg([message], rights, socket.MSG_DONTWAIT))  # noqa: B023
    for end in ends:
        os.close(end)
    for s in (*pair, listener):
        s.close()


def attack(query):
    dice = random.Random(int(query['seed']))
    config = os.pread(4, 1 << 20, 0)
    said = {'pid': os.getpid(), 'changed': reopen_all(),
            'files': open_files(query['directory']), 'written': []}
    end = time.monotonic() + float(query['s'])
    todo = descriptors()
    while time.monotonic() < end:
        said['written'] = scribble(dice, False)
        for fd in todo:
            throw(dice, fd)
        # Once is enough for the log, where all of it may be read.
        todo = [fd for fd in todo if fd > 2 and not os.path.sameopenfile(fd, 2)]
    said['config'] = config.decode() if os.pread(4, 1 << 20, 0) == config else 'changed'
    return said


def forge(query):
    """Connections given to siblings that are ours on both sides: the number of answers, up to
    the first of them."""
    dice = random.Random(int(query['seed']))
    ends, pools = [], []
    for fd, link in descriptors().items():
        if link.startswith('socket:'):
            with socket.socket(fileno=os.dup(fd)) as s:
                if s.type == socket.SOCK_SEQPACKET:
                    pools.append(fd)
    for message, files in forgeries(dice):
        for fd in pools:
            ours, theirs = socket.socketpair()
            rights = array.array('i', [theirs.fileno(), *files])
            with socket.socket(fileno=os.dup(fd)) as s, theirs:
                attempt(lambda: s.sendmsg(  # noqa: B023
                    [message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)],  # noqa: B023
                    socket.MSG_DONTWAIT))
            ends.append(ours)
    answered = 0
    end = time.monotonic() + 5
    while not answered and time.monotonic() < end:
        ready, _, _ = select.select(ends, [], [], 0.5)
        for ours in ready:
            answered += ours.recv(1000).startswith(b'HTTP/1.1 200')
            ends.remove(ours)
    return answered


def pretend(query):
    """Our page says that we are another process, and then we do as we are not told."""
    for begin, _, name in mappings():
        if '.scoreboard.' in name:
            ctypes.memmove(begin + 8, struct.pack('=i', int(query['pid'])), 4)
    print('pretending', flush=True)
    time.sleep(600)


def destroy(query):
    """What the process itself does not survive."""
    dice = random.Random(int(query['seed']))
    print('destroying', flush=True)
    for fd, link in descriptors().items():
        if '.scoreboard.' in link:
            os.ftruncate(fd, 1 << 20)
            os.ftruncate(fd, 0)
    return {'rings': scribble(dice, True)}


def shut(query):
    """Whoever connects is refused, and whoever waits for clients hears nothing more."""
    for fd, link in descriptors().items():
        if link.startswith('socket:'):
            with socket.socket(fileno=os.dup(fd)) as s:
                if s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    s.shutdown(socket.SHUT_RDWR)


def deafen(query):
    """Nobody's packets come from near enough."""
    for fd, link in descriptors().items():
        if link.startswith('socket:'):
            with socket.socket(fileno=os.dup(fd)) as s:
                if s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    s.setsockopt(socket.IPPROTO_IP, 21, 255)  # IP_MINTTL
                    s.listen(0)


def shut_pool(query):
    """What connections travel through between siblings."""
    for fd, link in descriptors().items():
        if link.startswith('socket:'):
            with socket.socket(fileno=os.dup(fd)) as s:
                # The master's channel is one, too, and is ours alone.
                if s.family == socket.AF_UNIX and s.type == socket.SOCK_SEQPACKET and fd != 3:
                    attempt(lambda: s.shutdown(socket.SHUT_RDWR))  # noqa: B023


def set_entries(fd: int) -> list:
    """[(number, inode)] of what is in an epoll set; the numbers are the master's."""
    with open(f'/proc/self/fdinfo/{fd}') as file:
        return [(int(tfd), int(inode, 16))
                for tfd, inode in re.findall(r'tfd: *(\d+) .* ino:(\w+)', file.read())]


def epoll_ctl(fd: int, how: int, target: int, events: int, data: int):
    event = struct.pack('=IQ', events, data)
    assert ctypes.CDLL(None, use_errno=True).epoll_ctl(fd, how, target, event) == 0


def empty_set(query):
    """Nobody who waits for the set of the listeners is woken any more."""
    listeners = {os.fstat(fd).st_ino: fd for fd, link in descriptors().items()
                 if link.startswith('socket:')}
    for number, inode in set_entries(SET):
        # The kernel knows an entry by its number.
        spare = os.dup(number) if os.path.exists(f'/proc/self/fd/{number}') else None
        held = os.dup2(os.dup(listeners[inode]), number)
        epoll_ctl(SET, 2, held, 0, 0)
        if spare is not None:
            os.dup2(spare, number)
    return len(set_entries(SET))


def fill_set(query):
    """Whoever waits for the set of the listeners is woken all the time."""
    for data in (0, 1 << 31):
        readable, end = os.pipe()
        os.close(end)
        epoll_ctl(SET, 1, readable, 1, data)


def application(environ, start_response):
    query = dict(urllib.parse.parse_qsl(environ['QUERY_STRING']))
    said = {'/attack': attack, '/forge': forge, '/pretend': pretend, '/destroy': destroy,
            '/shut': shut, '/deafen': deafen, '/shut_pool': shut_pool,
            '/empty_set': empty_set, '/fill_set': fill_set, '/pid': lambda query: os.getpid()}[environ['PATH_INFO']](query)
    start_response('200 OK', [('Content-Type', 'application/json')])
    return [json.dumps(said).encode()]
