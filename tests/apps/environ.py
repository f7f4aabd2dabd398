"""Answers every request with its environ, as JSON, and says in the log that it was here."""

import json
import threading


def application(environ, start_response):
    words = {'file': environ['wsgi.errors']}
    thread = threading.Thread(target=print, args=('seen by a thread',), kwargs=words)
    print('seen', **words)
    thread.start()
    thread.join()
    body = json.dumps({key: value if isinstance(value, (str, bool, int, tuple)) else str(value)
                       for key, value in environ.items()}).encode()
    start_response('200 OK', [('Content-Type', 'application/json')])
    return [body]
