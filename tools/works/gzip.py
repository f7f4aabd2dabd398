"""48 KB of a page, compressed with gzip for each request."""

import gzip

PAGE = ''.join(f'<li>{n}: <a href="/item/{n}">item number {n}</a> {n * 1.25}</li>\n'
               for n in range(1000)).encode()[:48 * 1024]


def application(environ, start_response):
    body = gzip.compress(PAGE, 1, mtime=0)  # without a time: all answer the same
    start_response('200 OK', [('Content-Type', 'text/html'), ('Content-Encoding', 'gzip'),
                              ('Content-Length', str(len(body)))])
    return [body]
