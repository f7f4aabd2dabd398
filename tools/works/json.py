"""1 KB of JSON, made for each request, and some more header fields than usual."""

from json import dumps


def application(environ, start_response):
    items = [{'id': n, 'name': f'item number {n}', 'price': n * 1.25, 'tags': ['new', 'blue']}
             for n in range(14)]
    body = dumps({'path': environ['PATH_INFO'], 'items': items}).encode()
    start_response('200 OK', [
        ('Content-Type', 'application/json'), ('Content-Length', str(len(body))),
        ('Cache-Control', 'no-store'), ('Vary', 'Accept-Encoding'),
        ('Set-Cookie', 'session=0123456789abcdef; Path=/; HttpOnly')])
    return [body]
