"""What wsgid makes of a request, beside what h11 makes of it.

Requests are generated from a seed, most of them spoilt in one place.  What both accept must have
the same meaning, and what h11 refuses must not be served.  Behind each comes another request,
which both must find at the same place, or not at all.
"""

import collections
import contextlib
import json
import random
import re
import time

import h11
import pytest

from client import Closed, Connection

# At least so many requests, on however slow a machine; at most so many, and then no longer.
LEAST, MOST, SECONDS = 1000, 3000, 2
SEED = 20261126
END = b'GET /end HTTP/1.1\r\nHost: end\r\nConnection: close\r\n\r\n'

# --- generation -----------------------------------------------------------------------------

METHODS = ['GET', 'POST', 'PUT', 'OPTIONS', 'M-SEARCH', 'x', 'G(T', '']
TARGETS = ['/', '/a/b?c=d', '/%41', '/a//b', '/;p=1', '/?', '/a?b?c', 'http://other:81/x?y',
           '*', '/a b', '/\x7f', '/caf\xe9', '']
VERSIONS = ['HTTP/1.1'] * 8 + ['HTTP/1.0', 'HTTP/1.2', 'HTTP/2.0', 'http/1.1', 'HTTP/1.', 'HTTP/11']
HOSTS = ['Host: t'] * 8 + ['host:t:80', 'Host: [::1]:1', 'Host:', 'Host: a b', 'Host : t',
                           'Host: t\r\nHost: t', 'Host: a/b', '']
FIELDS = ['Accept: */*', 'X-Empty:', 'X-Blank: \t ', 'X-Inner: a \t b', 'X-Dup: 1\r\nX-Dup: 2',
          'Cookie: a=1; b=2', 'X-Latin: \xe9', 'x-lower: y', 'X-Colon: a: b', 'X-Space : a',
          ' X-Fold: a', 'X-Fold: a\r\n b', 'X-Nul: a\0b', 'X-Bell: \a', 'X Y: z', 'X"Y: z', ': z',
          'nothing', 'X-Bare: a\rb', 'X-Del: \x7f', 'Connection: close', 'Connection: keep-alive',
          'Connection: x']
BODIES = [('', '')] * 4 + [
    ('Content-Length: 5', 'hello'), ('Content-Length: 0', ''), ('Content-Length:5 ', 'hello'),
    ('Content-Length: 5\r\nContent-Length: 5', 'hello'), ('Content-Length: 5, 5', 'hello'),
    ('Content-Length: 5\r\nContent-Length: 6', 'hello!'), ('Content-Length: +5', 'hello'),
    ('Content-Length: -5', ''), ('Content-Length: 0x5', 'hello'), ('Content-Length: 5 5', 'hello'),
    ('Content-Length: 99999999999999999999', ''), ('Content-Length:', ''),
    ('Transfer-Encoding: chunked', '5\r\nhello\r\n0\r\n\r\n'),
    ('transfer-encoding: CHUNKED', '2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nX: y\r\n\r\n'),
    ('Transfer-Encoding: chunked', '005\r\nhello\r\n00\r\n\r\n'),
    ('Transfer-Encoding: chunked', '5 \r\nhello\r\n0\r\n\r\n'),
    ('Transfer-Encoding: chunked', '0x5\r\nhello\r\n0\r\n\r\n'),
    ('Transfer-Encoding: chunked', '+5\r\nhello\r\n0\r\n\r\n'),
    ('Transfer-Encoding: chunked', '5\r\nhello0\r\n\r\n'),
    ('Transfer-Encoding: chunked', '5\nhello\r\n0\r\n\r\n'),
    ('Transfer-Encoding: chunked', 'g\r\nhello\r\n0\r\n\r\n'),
    ('Transfer-Encoding: chunked', 'fffffffffffffffff\r\nhello\r\n0\r\n\r\n'),
    ('Transfer-Encoding: chunked\r\nContent-Length: 5', '5\r\nhello\r\n0\r\n\r\n'),
    ('Transfer-Encoding: identity', ''), ('Transfer-Encoding: xchunked', ''),
    ('Transfer-Encoding: chunked, chunked', '0\r\n\r\n'), ('Transfer-Encoding: gzip, chunked', ''),
    ('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked', '0\r\n\r\n')]
SPOILERS = [b'\r', b'\n', b'\0', b' ', b'\t', b':', b'\x0b', b'\x7f', b'\xff', b',', b'%', b'']


def generate(source):
    def one(values, usual):
        return values[0] if source.random() < usual else source.choice(values)
    line = f'{one(METHODS, 0.8)} {one(TARGETS, 0.7)} {one(VERSIONS, 0.7)}'
    framing, body = source.choice(BODIES)
    fields = [one(HOSTS, 0.9), *source.sample(FIELDS, source.choice([0, 0, 1, 2])), framing]
    source.shuffle(fields)
    head = '\r\n'.join([line, *filter(None, fields), '', '']).encode('latin-1')
    data = head + body.encode()
    if source.random() < 0.2:
        at = source.randrange(len(data))
        data = data[:at] + source.choice(SPOILERS) + data[at + source.choice([0, 1]):]
    return data


# --- h11 ------------------------------------------------------------------------------------

def ask_h11(data):
    """Of the first two requests (method, target, version, fields, body), or None where h11 refuses
    or waits for more; one alone where the connection ends behind it."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data + END)
    found = [next_of(connection)]
    if found[0] is not None:
        connection.send(h11.Response(status_code=200, headers=[('Content-Length', '0')]))
        connection.send(h11.EndOfMessage())
        if connection.our_state is h11.DONE:
            connection.start_next_cycle()
            found.append(next_of(connection))
    return found


def next_of(connection):
    request, body = None, b''
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return (request.method.decode(), request.target.decode('latin-1'),
                        request.http_version.decode(), join(request.headers), body)
            else:
                return None
    except h11.RemoteProtocolError:
        return None


def join(headers):
    """As the environ has them: h11 gives names in small letters."""
    found = {}
    for name, value in headers:
        name, value = name.decode(), value.decode('latin-1')
        if not re.fullmatch('[a-z0-9-]+', name) or name == 'proxy':
            continue
        if name in found and name != 'content-length':
            found[name] += ('; ' if name == 'cookie' else ', ') + value
        else:
            found[name] = value
    return found


# --- wsgid ----------------------------------------------------------------------------------

@pytest.fixture(scope='module')
def server(serve_all):
    return serve_all('meaning', '-w', '1', '--timeout', '5s')


def ask_wsgid(connection, data):
    """The same of its answers; or the status with which a request was refused."""
    connection.send(data + END)
    connection.finish_sending()
    found = []
    with contextlib.suppress(Closed):  # the second may never be whole
        while len(found) < 2:
            answer = connection.response()
            found.append(meaning(answer))
            if answer.header('Connection') == 'close':
                assert connection.rest() == b'', data
                break
            assert answer.status == 200, data  # nothing is believed behind what was refused
    return found


def meaning(answer):
    if answer.status != 200:
        return answer.status
    said = json.loads(answer.body)
    return (said['method'], said['target'], said['version'], said['fields'],
            said['body'].encode('latin-1'))


# --- the two --------------------------------------------------------------------------------

# Why wsgid serves what h11 does not.
EXCEPTIONS = [
    (rb'\r\n[0-9a-f]+[ \t]+;', 'RFC 9112 section 7.1.1: blanks may stand before an extension'),
    (rb'^\w+ [^ \r]*[\x80-\xff]', 'as Apache and nginx do, for clients that do not encode'),
]

# What wsgid may say instead of serving; it is stricter than h11 about folded fields, hosts,
# targets and versions.
REFUSALS = (400, 404, 408, 417, 501, 505)


def test_what_both_accept_they_understand_alike_and_nothing_else_is_served(server):
    source = random.Random(SEED)
    counts = collections.Counter()
    until = time.monotonic() + SECONDS
    for i in range(MOST):
        data = generate(source)
        theirs = ask_h11(data)
        with Connection(server.address) as connection:
            ours = ask_wsgid(connection, data)
        counts['first ' + compare(data, ours[0], theirs[0])] += 1
        # h11 keeps no connection with HTTP/1.0.
        if isinstance(ours[0], tuple) and theirs[0] is not None and ours[0][2] == '1.1':
            second = [found[1] if len(found) > 1 else None for found in (ours, theirs)]
            counts['second ' + compare(data, *second)] += 1
        if i + 1 >= LEAST and time.monotonic() > until:
            break
    assert counts['first agreed'] >= 100 and counts['first refused'] >= 500, counts
    assert counts['second agreed'] >= 50, counts


def compare(data, ours, theirs):
    """Of a request that was answered so by the two, or (None) not at all."""
    if isinstance(ours, int):
        assert ours in REFUSALS, data
        return 'refused' if theirs is None else 'refused by wsgid'
    if ours is None:
        assert theirs is None, (data, theirs)
        return 'not there'
    if theirs is None:
        assert [why for pattern, why in EXCEPTIONS if re.search(pattern, data)], (data, ours)
        return 'served by wsgid'
    same(data, ours, theirs)
    return 'agreed'


def same(data, ours, theirs):
    method, target, version, fields, body = ours
    assert (method, target, body) == (theirs[0], theirs[1], theirs[4]), data
    assert version == ('1.0' if theirs[2] == '1.0' else '1.1'), data
    expected = dict(theirs[3])
    if target.startswith('http://'):
        expected['host'] = re.match('http://([^/?]*)', target)[1]
    if not expected.get('host'):
        expected.pop('host', None)
    if 'transfer-encoding' in fields:  # h11 makes small letters of it
        fields['transfer-encoding'] = fields['transfer-encoding'].lower()
    assert fields == expected, data
