"""Five pieces of 2 KB from a generator, of a length that is not said."""

PIECE = b'0123456789abcdef' * 128


def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    for _ in range(5):
        yield PIECE
