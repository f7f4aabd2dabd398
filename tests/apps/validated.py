"""The application that VALIDATED_APP names, with the referee of PEP 3333 around it."""

import importlib
import os
from wsgiref.validate import validator


class Forgiving:
    """The referee's input for frameworks that call read() without a size."""

    def __init__(self, stream):
        self.stream = stream

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def __iter__(self):
        return iter(self.stream)

    def read(self, size=-1):
        return self.stream.read(size)


def forgiven(application):
    def call(environ, start_response):
        environ['wsgi.input'] = Forgiving(environ['wsgi.input'])
        return application(environ, start_response)
    return call


module, _, name = os.environ['VALIDATED_APP'].partition(':')
application = validator(forgiven(getattr(importlib.import_module(module),
                                         name or 'application')))
