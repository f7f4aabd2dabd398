"""What 50,000 requests of every kind leave behind in a child: nothing."""

import json
import os

from client import Connection, get
from server import SANITIZED

REQUESTS = 50_000
KINDS = [
    *[b'GET / HTTP/1.1\r\nHost: t\r\nX-Seldom-%d: y\r\n\r\n' % i for i in range(40)],
    *[b'GET /%s HTTP/1.1\r\nHost: t\r\n\r\n' % path for path in (
        b'generate', b'write', b'again', b'hints', b'closing', b'file', b'%41/../%2f')] * 8,
    b'POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nhello',
    b'POST /lines HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n'
    b'5\r\nhello\r\n6\r\n\nworld\r\n0\r\n\r\n',
    b'HEAD /generate HTTP/1.1\r\nHost: t\r\n\r\n',
    b'GET /large HTTP/1.1\r\nHost: t\r\n\r\n',
    b'GET /large-closing HTTP/1.1\r\nHost: t\r\n\r\n',
    b'GET /raise HTTP/1.1\r\nHost: t\r\n\r\n',
    b'GET /end HTTP/1.1\r\nHost: t\r\n\r\n',
]
# Each of them ends its connection.
LAST = [b'GET /late HTTP/1.1\r\nHost: t\r\n\r\n',
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
            c.send(LAST[i // 10 % len(LAST)])


def held(server):
    return json.loads(get(server.address, '/held').body)


def test_nothing_is_left_of_50_000_requests(serve):
    server = serve('mixed', '-w', '1', '--custom-log', os.devnull)
    run(server, 20)
    before = held(server)
    run(server, REQUESTS // len(KINDS))
    after = held(server)
    more = {what: after[what] - before[what] for what in before}
    # An object a hundred requests would be 500.
    assert more['objects'] < 100, (before, after)
    assert more['blocks'] < 500, (before, after)
    assert SANITIZED or more['kilobytes'] < 2000, (before, after)
