"""Answers each request with what it means: method, target, version, fields and body."""

import json


def fields(environ):
    for key, value in environ.items():
        if key.startswith('HTTP_') or key in ('CONTENT_TYPE', 'CONTENT_LENGTH'):
            yield key.removeprefix('HTTP_').lower().replace('_', '-'), value


def application(environ, start_response):
    body = json.dumps({
        'method': environ['REQUEST_METHOD'], 'target': environ['REQUEST_URI'],
        'version': environ['SERVER_PROTOCOL'].removeprefix('HTTP/'),
        'fields': dict(fields(environ)),
        'body': environ['wsgi.input'].read().decode('latin-1')}).encode()
    start_response('200 OK', [('Content-Length', str(len(body)))])
    return [body]
