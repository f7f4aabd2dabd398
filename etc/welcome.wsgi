"""The page of a server that has no application yet.

A plain WSGI script, as mod_wsgi knows them: it shows that requests arrive, in
which process and which Python, and what an application finds in its environ.
"""

import html
import itertools
import os
import platform
import sys
import threading
import time

STARTED = time.time()
count = itertools.count(1)

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>wsgid works</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; padding: 0 1rem;
  color: #1d2733; background: #fbfbf9; }}
h1 {{ font-size: 1.8rem; margin-bottom: .2rem; }}
h2 {{ font-size: 1.05rem; margin: 2rem 0 .4rem; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; vertical-align: top; padding: .25rem .8rem .25rem 0;
  border-bottom: 1px solid #e2e2dc; }}
th {{ font-weight: 500; color: #5b6672; white-space: nowrap; }}
td, code {{ font: 14px/1.6 ui-monospace, monospace; overflow-wrap: anywhere; }}
@media (prefers-color-scheme: dark) {{
  body {{ color: #dfe4ea; background: #16191d; }}
  th {{ color: #97a3b0; }} th, td {{ border-color: #2c323a; }}
}}
</style>
</head>
<body>
<h1>wsgid works</h1>
<p>This page comes from a Python application. Serve your own with
<code>wsgid package.module:callable</code> or <code>wsgid /path/to/app.wsgi</code>.</p>
<h2>This process</h2>
<table>{process}</table>
<h2>The environ of this request</h2>
<table>{environ}</table>
</body>
</html>
"""


def table(rows):
    return ''.join(f'<tr><th>{html.escape(str(name))}</th><td>{html.escape(str(value))}</td></tr>'
                   for name, value in rows)


def process(environ):
    """What this process knows about itself."""
    yield 'Server', environ.get('SERVER_SOFTWARE', '')
    yield 'Python', f'{platform.python_implementation()} {platform.python_version()}'
    yield 'Interpreter', sys.executable
    yield 'Process', f'{os.getpid()}, started by {os.getppid()}, user {os.getuid()}'
    yield 'Thread', threading.current_thread().name
    yield 'Up for', f'{time.time() - STARTED:.0f} s'
    yield 'Requests here', next(count)


def application(environ, start_response):
    names = sorted(name for name in environ
                   if name.isupper() or name.startswith(('wsgi.', 'wsgid.')))
    # Objects as their type: their addresses tell nobody anything.
    shown = ((name, value if isinstance(value, (str, int, tuple)) else type(value).__name__)
             for name, value in ((name, environ[name]) for name in names
                                 if name not in ('HTTP_COOKIE', 'HTTP_AUTHORIZATION')))
    body = PAGE.format(process=table(process(environ)), environ=table(shown)).encode()
    start_response('200 OK', [('Content-Type', 'text/html; charset=utf-8'),
                              ('Content-Length', str(len(body))),
                              ('Cache-Control', 'no-store')])
    return [body]
