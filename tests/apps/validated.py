"""The application that VALIDATED_APP names, with the referee of PEP 3333 around it."""

import importlib
import os
from wsgiref.validate import validator

module, _, name = os.environ['VALIDATED_APP'].partition(':')
application = validator(getattr(importlib.import_module(module), name or 'application'))
