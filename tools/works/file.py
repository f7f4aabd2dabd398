"""A file of 1 MiB by wsgi.file_wrapper, where the server has it."""

import pathlib

FILE = pathlib.Path(__file__).with_name('data')


def application(environ, start_response):
    file = FILE.open('rb')
    start_response('200 OK', [('Content-Type', 'application/octet-stream'),
                              ('Content-Length', '1048576')])
    if 'wsgi.file_wrapper' in environ:
        return environ['wsgi.file_wrapper'](file, 65536)
    return iter(lambda: file.read(65536), b'')
