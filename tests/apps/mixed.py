"""Short requests of every kind, and what the process holds after them."""

import contextlib
import gc
import json
import os
import sys
import threading

PLAIN = [('Content-Type', 'text/plain')]


def descriptors():
    """What each of them is: a path, or a socket's number."""
    links = {}
    for name in os.listdir('/proc/self/fd'):
        with contextlib.suppress(FileNotFoundError):  # the listing's own
            links[name] = os.readlink(f'/proc/self/fd/{name}')
    return links


def held():
    gc.collect()
    with open('/proc/self/statm', encoding='ascii') as file:
        pages = int(file.read().split()[1])
    return {'objects': len(gc.get_objects()), 'blocks': sys.getallocatedblocks(),
            'descriptors': descriptors(),
            'kilobytes': pages * os.sysconf('SC_PAGESIZE') // 1024}


def generate(environ):
    yield b'one'
    yield environ['PATH_INFO'].encode()


def in_a_thread(environ):
    """Of what it says nothing is to be left either; and the body is empty."""
    said = []
    thread = threading.Thread(target=lambda: said.append(environ['wsgi.input'].read()))
    thread.start()
    thread.join()
    return b'said' + b''.join(said)


class Closing:
    def __init__(self, environ, blocks):
        self.environ = environ  # a cycle, through itself
        self.blocks = blocks
        environ['wsgi.closing'] = self

    def __iter__(self):
        return iter(self.blocks)

    def close(self):
        del self.environ


def application(environ, start_response):
    path = environ['PATH_INFO']
    if path == '/held':
        body = json.dumps(held()).encode()
    elif path == '/echo':
        body = environ['wsgi.input'].read()
    elif path == '/lines':
        body = b''.join(environ['wsgi.input'])
    elif path == '/raise':
        raise ValueError(path)
    elif path == '/hints':
        environ['wsgi.early_hints']([('Link', '</a>')])
        body = b'hinted'
    elif path == '/thread':
        body = in_a_thread(environ)
    else:
        # Not in one piece, or it would be in the answer to /file.
        body = b'<' b'end>' if path == '/end' else b'hello'
    if path == '/wrong':
        start_response('200 OK', [('A', 'b\n')])
    write = start_response('200 OK', PLAIN)
    if path == '/write':
        write(body)
        return []
    if path == '/again':
        try:
            raise ValueError(path)
        except ValueError:
            start_response('503 Instead', PLAIN, sys.exc_info())
    if path == '/generate':
        return generate(environ)
    if path == '/late':
        return (1 // n for n in (1, 0))
    if path == '/file':
        return environ['wsgi.file_wrapper'](open(__file__, 'rb'))
    if path == '/closing':
        return Closing(environ, [b'a', b'b'])
    if path == '/large':
        return [bytes(40000)]
    if path == '/huge':
        return [bytes(600000), bytes(900000)]
    if path == '/huge-made':
        return (bytes(100000) for _ in range(30))
    if path == '/large-closing':
        return Closing(environ, [bytes(20000), bytes(20000)])
    return [body]
