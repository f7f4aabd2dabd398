"""What 50,000 requests of every kind leave behind in a child: nothing."""

import concurrent.futures
import contextlib
import json
import os

import tcp
from client import Connection, get
from server import SANITIZED, has_gil
from waiting import wait_until

REQUESTS = 50_000
KINDS = [
    *[b'GET / HTTP/1.1\r\nHost: t\r\nX-Seldom-%d: y\r\n\r\n' % i for i in range(40)],
    *[b'GET /%s HTTP/1.1\r\nHost: t\r\n\r\n' % path for path in (
        b'generate', b'write', b'again', b'hints', b'closing', b'file', b'%41/../%2f')] * 8,
    b'POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nhello',
    b'POST /lines HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n'
    b'5\r\nhello\r\n6\r\n\nworld\r\n0\r\n\r\n',
    # Over RequestBodyBuffer: read from a file, or not at all.
    b'POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 3000\r\n\r\n' + 3000 * b'x',
    b'POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 3000\r\n\r\n' + 3000 * b'x',
    b'POST /lines HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n'
    b'bb8\r\n' + 3000 * b'x' + b'\r\n0\r\n\r\n',
    b'POST /echo HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello',
    b'GET /thread HTTP/1.1\r\nHost: t\r\n\r\n',
    b'HEAD /generate HTTP/1.1\r\nHost: t\r\n\r\n',
    b'GET /large HTTP/1.1\r\nHost: t\r\n\r\n',
    b'GET /large-closing HTTP/1.1\r\nHost: t\r\n\r\n',
    b'GET /raise HTTP/1.1\r\nHost: t\r\n\r\n',
    b'GET /end HTTP/1.1\r\nHost: t\r\n\r\n',
]
# For each of them its client waits.
EXPECT = b'POST /echo HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n'
# Each of them ends its connection, or its client does that meanwhile.
LAST = [b'GET /huge HTTP/1.1\r\nHost: t\r\n\r\n',
        b'GET /huge-made HTTP/1.1\r\nHost: t\r\n\r\n',
        b'POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 3000\r\n\r\n' + 2000 * b'x',
        EXPECT,
        b'GET /late HTTP/1.1\r\nHost: t\r\n\r\n',
        b'GET /generate HTTP/1.0\r\n\r\n',
        b'GET / HTTP/1.1\r\n\r\n',
        b'POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe']
BATCH = b''.join(KINDS)


def run(server, batches):
    """Ten batches on a connection, whose last request ends it in one way or another."""
    for i in range(0, batches, 10):
        with Connection(server.address) as c:
            for _ in range(10):
                c.send(BATCH)
                while b'<end>' not in c.buffer:  # the last answer
                    del c.buffer[:-4]
                    assert c._more(), 'the server has closed'
                c.buffer.clear()
                c.send(EXPECT)
                assert c.response().status == 100
                c.send(b'hello')
                assert c.response().body == b'hello'
            c.send(LAST[i // 10 % len(LAST)])


def held(server):
    return json.loads(get(server.address, '/held').body)


def opened(before, after):
    """What is open now and was not before; of TCP with its state and what is unread."""
    sockets = {f'socket:[{end.inode}]': end for end in tcp.ends()}
    return [f'{name}: {sockets.get(link, link)}' for name, link in after.items()
            if before.get(name) != link]


SPOOLING = ['--request-body-buffer', '1000', '--request-body-spool', '1m']


def leaves_nothing(server, batches, kilobytes: int = 2000):
    before = held(server)
    batches()
    # An object a hundred requests would be 500.
    allowed = {'objects': 100, 'blocks': 500, 'kilobytes': kilobytes}
    if SANITIZED or not has_gil():
        # Without a GIL Python's allocator keeps megabytes of large blocks at each gc.collect(),
        # in a program that does nothing else, too.
        del allowed['kilobytes']

    def too_much():
        after = held(server)
        more = {what: (before[what], after[what]) for what in allowed
                if after[what] - before[what] >= allowed[what]}
        if len(after['descriptors']) > len(before['descriptors']):
            more['descriptors'] = opened(before['descriptors'], after['descriptors'])
        return more
    # Some of the last clients went in the middle of a request: their threads have yet to hear it.
    with contextlib.suppress(TimeoutError):
        wait_until(lambda: not too_much(), 'what clients that have gone held', 10)
    assert too_much() == {}


def test_nothing_is_left_of_50_000_requests(serve):
    server = serve('mixed', '-w', '1', '--custom-log', os.devnull, *SPOOLING)
    run(server, 200)  # until as much is kept for the next as may be
    leaves_nothing(server, lambda: run(server, REQUESTS // len(KINDS)))


def test_nothing_is_left_of_requests_to_several_threads(serve):
    server = serve('mixed', '-w', '1', '--threads', '4', '--custom-log', os.devnull, *SPOOLING)

    def together(batches):
        with concurrent.futures.ThreadPoolExecutor(4) as clients:
            for done in [clients.submit(run, server, batches) for _ in range(4)]:
                done.result()
    together(60)
    # Each has buffers of its own, and an arena of malloc's: they are full much later.
    leaves_nothing(server, lambda: together(60), kilobytes=8000)
