"""An application that does one thing a path, the good and the bad."""

import array
import builtins
import ctypes
import faulthandler
import hashlib
import itertools
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
import urllib.parse

PLAIN = [('Content-Type', 'text/plain')]
log = logging.getLogger('probe')
closed = []


def answer(start_response, body, status='200 OK', headers=()):
    if isinstance(body, str):
        body = body.encode()
    start_response(status, [*PLAIN, ('Content-Length', str(len(body))), *headers])
    return [body]


def as_json(start_response, value):
    return answer(start_response, json.dumps(value))


class Closing:
    """An iterable that remembers its close()."""

    def __init__(self, parts, name):
        self.parts, self.name = iter(parts), name

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.parts)

    def close(self):
        closed.append(self.name)


# --- requests -------------------------------------------------------------------------------

def hello(environ, start_response, query):
    return answer(start_response, 'hello\n')


def pid(environ, start_response, query):
    return answer(start_response, str(os.getpid()))


def client(environ, start_response, query):
    return answer(start_response, '{REMOTE_ADDR} {REQUEST_SCHEME} {SERVER_NAME}:{SERVER_PORT}'
                  .format_map(environ))


def show(environ, start_response, query):
    return as_json(start_response, {key: value if isinstance(value, (str, bool, int, tuple))
                                    else str(type(value)) for key, value in environ.items()})


def buffers(environ, start_response, query):
    """SO_SNDBUF and SO_RCVBUF of the connection that asks."""
    for fd in range(3, 256):
        try:
            with socket.socket(fileno=os.dup(fd)) as s:
                if s.getpeername()[1] == int(environ['REMOTE_PORT']):
                    return as_json(start_response, [
                        s.getsockopt(socket.SOL_SOCKET, option)
                        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF)])
        except (OSError, IndexError, TypeError):
            pass
    return answer(start_response, 'none', '404 Not Found')


def eat(environ, start_response, query):
    eaten = []
    for _ in range(int(query['bytes']) >> 20):
        eaten.append(b'x' * (1 << 20))
    return answer(start_response, str(len(eaten)))


def echo(environ, start_response, query):
    return answer(start_response, environ['wsgi.input'].read())


def digest(environ, start_response, query):
    size, found = 0, hashlib.sha256()
    while data := environ['wsgi.input'].read(65536):
        size += len(data)
        found.update(data)
    return answer(start_response, f'{size} {found.hexdigest()}')


def lines(environ, start_response, query):
    stream = environ['wsgi.input']
    return as_json(start_response, [stream.readline().decode(), stream.readline(3).decode(),
                                    [line.decode() for line in stream], stream.read().decode()])


def unread(environ, start_response, query):
    return answer(start_response, 'not read')


def body_error(environ, start_response, query):
    """Read a body that will break, and say in a file what it raised."""
    found = b''
    try:
        while data := environ['wsgi.input'].read(5):
            found += data
            log.warning('body began')
        said = f'whole {len(found)}'
    except OSError as e:
        said = f'OSError after {len(found)}'
        log.warning('body: %s: %s', type(e).__name__, e)
        if query.get('raise'):
            raise
    log.warning('body ended: %s', said)
    return answer(start_response, said)


def sleep(environ, start_response, query):
    print('sleeping', flush=True)
    time.sleep(float(query.get('s', '1')))
    return answer(start_response, 'awake')


def until(environ, start_response, query):
    """Waits until there is such a file."""
    print('sleeping', flush=True)
    while not os.path.exists(query['file']):
        time.sleep(0.005)
    return answer(start_response, 'awake')


def spin(environ, start_response, query):
    """Nothing but work for the CPU."""
    print('spinning', flush=True)
    end = time.monotonic() + float(query.get('s', '1'))
    while time.monotonic() < end:
        pass
    return answer(start_response, 'dizzy')


# --- responses ------------------------------------------------------------------------------

def chunks(environ, start_response, query):
    start_response('200 OK', PLAIN)
    return (f'{i},'.encode() for i in range(int(query.get('n', '3'))))


def stream(environ, start_response, query):
    """Lines of 1000 bytes, one by one, so many, and then one of the log."""
    def made():
        for i in range(int(query['n'])):
            yield b'%999d\n' % i
        print('all is made', flush=True)
    start_response('200 OK', PLAIN)
    return Closing(made(), 'stream')


def own_thread(environ, start_response, query):
    """So many pieces of 1000 bytes; in the end it says whose thread ends it."""
    own = threading.get_ident()

    def made():
        try:
            for _ in range(int(query['n'])):
                yield b'x' * 1000
        finally:
            closed.append('own thread' if threading.get_ident() == own else 'another one')
    start_response('200 OK', PLAIN)
    return made()


def two_pieces(environ, start_response, query):
    """Of so many bytes each; the second is made when there is such a file."""
    start_response('200 OK', PLAIN)
    yield b'a' * int(query['n'])
    until(environ, lambda *_: None, query)
    yield b'b' * int(query['n'])


def burst(environ, start_response, query):
    """Pieces at once, and the last when a file is there, and the body is."""
    start_response('200 OK', PLAIN)
    rest = b'.' * int(query.get('rest', 0))
    for i in range(int(query['n'])):
        yield rest + b'%d\n' % i
    while 'file' in query and not os.path.exists(query['file']):
        time.sleep(0.01)
    yield environ['wsgi.input'].read() + b'end\n'


def write_and_fail(environ, start_response, query):
    write = start_response('200 OK', PLAIN)
    for _ in range(4):
        write(b'w' * 200_000)
    raise ValueError('behind four blocks')


def large_end(environ, start_response, query):
    """What is behind the last block is nothing, and the server knows it."""
    start_response('200 OK', [*PLAIN, ('Content-Length', '10040100')])
    yield b'x' * 100
    yield b'x' * 40_000
    yield b'x' * 10_000_000


def big(environ, start_response, query):
    return answer(start_response, b'x' * int(query.get('n', '1000000')))


def numbers(environ, start_response, query):
    """So many, each of eight bytes and another one."""
    return answer(start_response, array.array('Q', range(int(query['n']))).tobytes())


def large(environ, start_response, query):
    """A large body, made in one of the ways in which frameworks make theirs."""
    body, how = b'x' * int(query['n']), query['how']

    class Django(Closing):  # it has close(), and its iterator is a list's
        def __iter__(self):
            return iter([body])

    if how == 'blocks':
        start_response('200 OK', PLAIN)
        return [body[:100], body[100:]]
    if how == 'unsized':
        start_response('200 OK', PLAIN)(body[:1000])
        return [body]
    if how == 'four':
        start_response('200 OK', PLAIN)
        return [body] * 4
    length = len(body) + (how == 'short')
    put = start_response('200 OK', [*PLAIN, ('Content-Length', str(length))])
    if how == 'short':
        return [body]
    if how == 'write':
        put(body)
        return []
    return Django([], how) if how == 'django' else Closing([body], how)


def slow_close(environ, start_response, query):
    """Like flask's call_on_close: something goes on behind the response."""
    class Slow(Closing):
        def close(self):
            until(environ, lambda *_: None, query)
            super().close()

    body = b'x' * int(query['n'])
    start_response('200 OK', [*PLAIN, ('Content-Length', str(len(body)))])
    return Slow([body], 'slow')


def write(environ, start_response, query):
    put = start_response('200 OK', PLAIN)
    put(b'first ')
    put(b'second ')
    return [b'third']


def file(environ, start_response, query):
    f = open(query['path'], 'rb')
    start_response('200 OK', [('Content-Type', 'application/octet-stream')])
    return environ['wsgi.file_wrapper'](f, 8192)


def no_content(environ, start_response, query):
    start_response('204 No Content', [])
    return []


def not_modified(environ, start_response, query):
    start_response('304 Not Modified', [('ETag', '"1"')])
    return []


def short(environ, start_response, query):
    start_response('200 OK', [*PLAIN, ('Content-Length', '10')])
    return [b'12345']


def long(environ, start_response, query):
    start_response('200 OK', [*PLAIN, ('Content-Length', '5')])
    return [b'1234567890']


def headers(environ, start_response, query):
    return answer(start_response, 'x', headers=[('Set-Cookie', 'a=1'), ('Set-Cookie', 'b=2'),
                                                ('X-Latin', 'caf\xe9')])


def with_close(environ, start_response, query):
    start_response('200 OK', PLAIN)
    return Closing([b'a', b'b'], 'normal')


def show_closed(environ, start_response, query):
    return as_json(start_response, closed)


def endless(environ, start_response, query):
    """Of one status, or with a length."""
    start_response(query.get('status', '200 OK'),
                   [('Content-Length', query['length'])] if 'length' in query else [])
    return Closing(itertools.repeat(b'x'), 'endless')


def behind(environ, start_response, query):
    """Does something behind the last byte of its Content-Length."""
    start_response('200 OK', [*PLAIN, ('Content-Length', '2')])
    yield b'a'
    yield b'b'
    closed.append('behind')


def expect_close(environ, start_response, query):
    start_response('200 OK', PLAIN)
    return Closing((b'x' * 100000 for _ in range(1000)), 'cut')


# --- mistakes -------------------------------------------------------------------------------

def fail(environ, start_response, query):
    raise ValueError('deliberate: on the way in')


def fail_late(environ, start_response, query):
    start_response('200 OK', PLAIN)
    yield b'begun'
    raise ValueError('deliberate: on the way out')


def fail_between(environ, start_response, query):
    start_response('200 OK', PLAIN)
    raise ValueError('deliberate: after start_response')


def exc_info(environ, start_response, query):
    start_response('200 OK', PLAIN)
    try:
        raise ValueError('replaced')
    except ValueError:
        start_response('503 Service Unavailable', PLAIN, sys.exc_info())
    return [b'instead']


def no_start(environ, start_response, query):
    return [b'without a head']


def text_body(environ, start_response, query):
    start_response('200 OK', PLAIN)
    return ['text, not bytes']


def bad_header(environ, start_response, query):
    start_response('200 OK', [('X-Split', 'a\r\nX-Injected: b')])
    return [b'']


def hop_header(environ, start_response, query):
    start_response('200 OK', [*PLAIN, ('Transfer-Encoding', 'chunked')])
    return [b'']


def of_connection(environ, start_response, query):
    return answer(start_response, 'x', headers=[('Connection', query['says'])])


def twice(environ, start_response, query):
    start_response('200 OK', PLAIN)
    start_response('200 OK', PLAIN)
    return [b'']


def throw(environ, start_response, query):
    """Raise what=NAME, before the head, or where=iterating or closing."""
    exception = getattr(builtins, query['what'])('deliberate')
    where = query.get('where')
    if where is None:
        raise exception

    def late():
        yield b'begun'
        if where == 'iterating':
            raise exception
        try:
            yield b'ended'
        finally:
            raise exception
    start_response('200 OK', PLAIN)
    return late()


def leave(environ, start_response, query):
    sys.exit(3)


# --- words for the log ----------------------------------------------------------------------

def talk(environ, start_response, query):
    word = query['word']
    print(f'{word} by print')
    sys.stdout.flush()
    print(f'{word} by sys.stderr', file=sys.stderr)
    log.warning('%s by logging', word)
    os.write(1, f'{word} by descriptor 1\n'.encode())
    os.write(2, f'{word} by descri'.encode())
    os.write(2, b'ptor 2\n')
    libc = ctypes.CDLL(None)
    libc.printf(f'{word} by printf\n'.encode())
    libc.fflush(None)
    environ['wsgi.errors'].write(f'{word} by wsgi.errors\n')
    environ['wsgi.errors'].writelines([f'{word} by ', 'writelines\n'])
    environ['wsgi.errors'].flush()
    os.system(f'echo {word} by a subprocess')
    print(f'{word} {"long " * 1000}end', flush=True)
    print(f'{word} with \x1b[31mcolour', flush=True)
    return answer(start_response, 'said')


def dump(environ, start_response, query):
    faulthandler.dump_traceback(sys.stderr)
    return answer(start_response, 'dumped')


# --- violent ends ---------------------------------------------------------------------------

def segv(environ, start_response, query):
    ctypes.string_at(0)


def kill(environ, start_response, query):
    os.kill(os.getpid(), signal.SIGKILL)


def exit_at_once(environ, start_response, query):
    os._exit(int(query.get('status', '5')))


def application(environ, start_response):
    name = environ['PATH_INFO'].strip('/').replace('-', '_') or 'hello'
    query = dict(urllib.parse.parse_qsl(environ.get('QUERY_STRING', '')))
    what = globals().get(name)
    if not callable(what) or name in ('application', 'answer', 'as_json', 'Closing'):
        return answer(start_response, 'no such thing', '404 Not Found')
    return what(environ, start_response, query)


if os.environ.get('PROBE_LOGGING'):
    logging.basicConfig(level=logging.INFO)
