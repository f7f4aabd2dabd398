"""Answers every request with its environ, as JSON."""

import json


def application(environ, start_response):
    body = json.dumps({key: value if isinstance(value, (str, bool, int, tuple)) else str(value)
                       for key, value in environ.items()}).encode()
    start_response('200 OK', [('Content-Type', 'application/json')])
    return [body]
