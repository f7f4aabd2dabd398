"""An application for servers with several threads: each answer names the one that gave it."""

import concurrent.futures
import hashlib
import multiprocessing
import os
import subprocess
import threading
import time
import urllib.parse

PATIENCE = 30

lock = threading.Lock()
meetings = {}
helpers = concurrent.futures.ThreadPoolExecutor(4)


def me() -> int:
    return threading.get_native_id()


def hello(environ, query):
    return 'hello'


def who(environ, query):
    return f'{os.getpid()} {me()}'


def sleep(environ, query):
    """Waits without the GIL."""
    print('sleeping', flush=True)
    time.sleep(float(query['s']))
    return 'awake'


def sleep_quietly(environ, query):
    time.sleep(float(query['s']))
    return 'rested'


def until(environ, query):
    """Waits until there is such a file."""
    print('sleeping', flush=True)
    while not os.path.exists(query['file']):
        time.sleep(0.005)
    return 'awake'


def spin(environ, query):
    """Nothing but work for the CPU, with the GIL."""
    print('spinning', flush=True)
    end = time.monotonic() + float(query['s'])
    while time.monotonic() < end:
        pass
    return 'dizzy'


def meet(environ, query):
    """Returns when n requests are here at once."""
    with lock:
        place = meetings.setdefault(query['place'], threading.Barrier(int(query['n'])))
    place.wait(PATIENCE)
    return 'met'


def digest(environ, query):
    """The body, read in small pieces as it comes."""
    size, found = 0, hashlib.sha256()
    while data := environ['wsgi.input'].read(1000):
        size += len(data)
        found.update(data)
    return f'{size} {found.hexdigest()}'


def drip(environ, query):
    """A response that takes its time: n pieces, each s seconds after the last."""
    def pieces():
        for i in range(int(query['n'])):
            time.sleep(float(query['s']))
            yield f'{query["word"]} {i} {me()}\n'.encode()
    return pieces()


def flood(environ, query):
    """More than any socket takes at once."""
    return (query['word'].encode() * 100000 for _ in range(int(query['n'])))


def fail(environ, query):
    meet(environ, query)
    raise ValueError(f'deliberate: {query["word"]}')


def fail_late(environ, query):
    def pieces():
        yield b'begun'
        meet(environ, query)
        raise ValueError(f'deliberate: {query["word"]}')
    return pieces()


# --- threads and processes of the application's own -----------------------------------------

def borrow(environ, query):
    """Work for threads of its own, of a pool and of this request."""
    numbers = list(helpers.map(lambda n: n * n, range(10)))
    found = []
    thread = threading.Thread(target=lambda: found.append(sum(numbers)))
    thread.start()
    thread.join()
    return str(found[0])


def leave_one(environ, query):
    """A thread that goes on behind the request."""
    threading.Thread(target=time.sleep, args=(float(query['s']),), daemon=True).start()
    return 'left'


def fork(environ, query):
    pid = os.fork()
    if pid == 0:
        os._exit(7)
    return str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def fork_and_return(environ, query):
    """The copy runs on, out of the application."""
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
    return 'parent' if pid else 'copy'


def run(environ, query):
    return subprocess.run(['/bin/echo', 'said'], stdout=subprocess.PIPE,
                          check=True).stdout.decode().strip()


def multiply(a, b, queue):
    queue.put(a * b)


def process(environ, query):
    queue = multiprocessing.SimpleQueue()
    other = multiprocessing.Process(target=multiply, args=(6, 7, queue))
    other.start()
    other.join()
    return f'{queue.get()} {other.exitcode}'


def application(environ, start_response):
    query = dict(urllib.parse.parse_qsl(environ['QUERY_STRING']))
    made = globals()[environ['PATH_INFO'].strip('/').replace('-', '_') or 'hello'](environ, query)
    headers = [('Content-Type', 'text/plain'), ('X-Thread', str(me())),
               ('X-Process', str(os.getpid()))]
    if isinstance(made, str):
        headers.append(('Content-Length', str(len(made))))
        made = [made.encode()]
    start_response('200 OK', headers)
    return made

