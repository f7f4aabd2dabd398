"""What threads of one child, and what they start, could do to each other."""

import concurrent.futures
import os
import re
import signal
import time

import pytest

from client import Connection, get
from server import PATIENCE, is_alive, wait_until

APP = '''
import multiprocessing, os, signal, subprocess, threading, time, urllib.parse

barrier = threading.Barrier(4)

def together():
    """Returns when as many requests are here as there are threads."""
    barrier.wait(20)
    return threading.get_native_id()

def mask(query):
    together()
    return f'{len(signal.pthread_sigmask(signal.SIG_BLOCK, []))}'

def terminate(query):
    """How a copy and a program end that are told to, by each thread at once."""
    together()
    copy = multiprocessing.Process(target=time.sleep, args=(300,))
    copy.start()
    copy.terminate()
    copy.join()
    program = subprocess.Popen(['sleep', '300'])
    program.terminate()
    return f'{copy.exitcode} {program.wait()}'

def pid(query):
    return str(os.getpid())

def application(environ, start_response):
    query = dict(urllib.parse.parse_qsl(environ['QUERY_STRING']))
    body = globals()[environ['PATH_INFO'][1:]](query).encode()
    start_response('200 OK', [('Content-Type', 'text/plain'),
                              ('Content-Length', str(len(body)))])
    return [body]
'''


@pytest.fixture(params=['io_uring', 'epoll'])
def start(serve, directory, request):
    (directory / 'threads.py').write_text(APP)

    def start(*words):
        return serve('threads', *words, '--io-engine', request.param, cwd=directory)
    return start


def at_once(number: int, *args) -> list:
    """number answers to get(*args), asked for at the same time."""
    with concurrent.futures.ThreadPoolExecutor(number) as pool:
        return [answer.result().body.decode()
                for answer in [pool.submit(get, *args) for _ in range(number)]]


def test_what_a_thread_starts_can_be_terminated(start):
    server = start('-w', '1', '--threads', '4')
    assert at_once(4, server.address, '/mask') == ['0'] * 4
    assert at_once(4, server.address, '/terminate') == ['-15 -15'] * 4


def test_a_child_with_threads_that_is_terminated_finishes_and_leaves(start):
    """By hand; the master does not do that."""
    server = start('-w', '1', '--threads', '4')
    child = int(get(server.address, '/pid').body)
    os.kill(child, signal.SIGTERM)
    wait_until(lambda: not is_alive(child), 'the end of the child')
    assert int(get(server.address, '/pid').body) != child
