"""1 MiB from a generator, 64 KiB at a time, of a length that is not said."""

BLOCK = bytes(range(256)) * 256


def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'application/octet-stream')])
    for _ in range(16):
        yield BLOCK
