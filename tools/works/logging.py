"""50 lines that logging writes to standard error, and a page of 13 bytes."""

import logging

logging.basicConfig(level=logging.INFO, format='%(asctime)s %(levelname)s %(message)s')


def application(environ, start_response):
    for number in range(50):
        logging.info('line %d of what went on here', number)
    start_response('200 OK', [('Content-Type', 'text/plain'), ('Content-Length', '13')])
    return [b'Hello, World!']
