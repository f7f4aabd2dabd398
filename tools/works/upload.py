"""1.5 MB sent, more than is kept in memory, read piece by piece and counted."""


def application(environ, start_response):
    read = environ['wsgi.input'].read
    body = str(sum(map(len, iter(lambda: read(65536), b'')))).encode()
    start_response('200 OK', [('Content-Type', 'text/plain'),
                              ('Content-Length', str(len(body)))])
    return [body]
