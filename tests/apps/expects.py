"""Reads its body now or later; what a client gets that waits for 100 Continue."""

import os
import time


def read_nothing(stream):
    assert stream.read(0) == b'' and stream.read(0) == b''
    body = stream.read()
    assert stream.read(0) == b'' and stream.read() == b''
    return body


READERS = {
    '/read': lambda stream: stream.read(),
    '/read-1': lambda stream: stream.read(1) + stream.read(0) + stream.read(),
    '/read-0': read_nothing,
    '/readline-0': lambda stream: stream.readline(0) + stream.read(),
    '/readline': lambda stream: stream.readline(),
    '/readlines': lambda stream: b''.join(stream.readlines()),
    '/iterate': lambda stream: b''.join(stream),
    '/go-on': lambda stream: stream.read(0),
    '/ignore': lambda stream: b'',
}


def late(stream):
    yield b'first,'
    yield stream.read(0) + stream.read()


def echo(stream):
    """Answers while it reads."""
    while piece := stream.read(500_000):
        yield piece


class Late:
    """Two bytes, and behind them a file is waited for and the input read."""

    def __init__(self, environ):
        self.file, self.stream = environ['QUERY_STRING'], environ['wsgi.input']

    def __iter__(self):
        return iter([b'ab'])

    def close(self):
        wait_for(self.file)
        self.stream.read(0)
        print('close() has read', self.stream.read(4))


def wait_for(file):
    while not os.path.exists(file):
        time.sleep(0.01)


def application(environ, start_response):
    stream = environ['wsgi.input']
    path = environ['PATH_INFO']
    if path == '/hints':
        environ['wsgi.early_hints']([('Link', '</a.css>; rel=preload')])
        environ['wsgi.early_hints']([('Link', '</b.js>; rel=preload')])
        path = '/read'
    if path == '/later':
        print('something else comes first', file=environ['wsgi.errors'])
        wait_for(environ['QUERY_STRING'])
        path = '/read-0'
    if path in ('/ends', '/short'):
        start_response('200 OK', [('Content-Length', '2' if path == '/ends' else '5')])
        return Late(environ)
    if path in READERS:
        body = READERS[path](stream)
        start_response('200 OK', [('Content-Length', str(len(body)))])
        return [body]
    write = start_response('200 OK', [])
    if path in ('/yield', '/echo'):
        return late(stream) if path == '/yield' else echo(stream)
    write(b'first,')
    assert stream.read(0) == b''
    return [stream.read()]
