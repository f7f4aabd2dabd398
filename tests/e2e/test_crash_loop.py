"""Children that fail: how each end is called, and what becomes of those that fail again."""

import os
import pathlib
import re
import signal

import pytest

from client import Connection, get
from server import (SERVED_PYTHON, ask_served, is_alive, scoreboard_tool, served_abi,
                    wait_until)

APP = '''
import os

if os.path.exists({broken!r}):
    raise RuntimeError('the database is away')


def application(environ, start_response):
    how, number = environ['QUERY_STRING'].split('=')
    if how == 'signal':
        os.kill(os.getpid(), int(number))
    if how == 'status':
        os._exit(int(number))
    start_response('200 OK', [('Content-Length', '2')])
    return [b'ok']
'''


@pytest.fixture
def failing(serve, directory):
    """failing(OPTION...): a server of children that fail as they are told; and the file that
    makes those fail that start."""
    broken = directory / 'broken'
    (directory / 'failing.py').write_text(APP.format(broken=str(broken)))
    # Signals are what is looked at, and not what a sanitizer makes of them.
    environment = {'ASAN_OPTIONS': 'handle_segv=0:handle_sigbus=0:handle_abort=0:handle_sigfpe=0'}
    return lambda *options: (serve('failing', '--log-level', 'info', *options, cwd=directory,
                                   env=environment), broken)


@pytest.mark.parametrize('preload', ['Off', 'On'], ids=['imported', 'preloaded'])
@pytest.mark.parametrize('how, called', [
    ('signal=11', r'exit signal Segmentation fault \(11\)'),
    ('signal=6', r'exit signal Aborted \(6\)'),
    ('signal=7', r'exit signal Bus error \(7\)'),
    ('signal=9', r'exit signal Killed \(9\)'),
    ('status=0', 'ended in a request or behind one, exit status 0: .*os._exit'),
    ('status=1', 'exit status 1'),     # as who cannot import the application
    ('status=75', 'ended in a request or behind one, exit status 75: .*os._exit'),
    ('status=7', 'exit status 7'),     # as who is sick
    ('status=15', 'exit status 15'),   # as who says that all others would fail as well
    ('status=78', 'exit status 78'),   # as who does not understand its configuration
    ('status=42', 'exit status 42'),
])
def test_each_end_is_called_by_its_name_and_the_child_replaced(failing, how, called, preload):
    """By whatever number an application leaves, it does not take the server with it."""
    server, _ = failing('-w', '1', '--preload', preload)
    child, = server.wait_for_ready(1)
    with Connection(server.address) as client:
        client.send(f'GET /?{how} HTTP/1.1\r\nHost: t\r\n\r\n')
        assert client.rest() == b''
    server.log.wait_for(rf':error\] .*child pid {child} \(slot 0\) {called}')
    assert get(server.address, '/?go=on').body == b'ok'
    assert child not in server.wait_for_ready(1)
    number = int(how.split('=')[1])
    assert server.board()['board']['children_crashed'] == 1
    status = server.board()['processes'][0]['last_status']
    assert status & 0xff7f == (number if 'signal' in how else number << 8)
    server.stop()


WAITING = '''
import threading

def application(environ, start_response):
    start_response('200 OK', [('Content-Length', '4')])
    if environ['PATH_INFO'] != '/pid':
        print('waits', environ['PATH_INFO'], flush=True)
        threading.Event().wait()
    return [b'soon']
'''


def test_the_requests_that_a_child_was_in_when_it_died_are_named(serve, directory):
    (directory / 'waiting.py').write_text(WAITING)
    server = serve('waiting', '-w', '1', '--threads', '10', cwd=directory)
    child, = server.wait_for_ready(1)
    clients = [Connection(server.address) for _ in range(10)]
    for number, client in enumerate(clients):
        client.send(f'GET /number/{number}%1b?secret=1 HTTP/1.1\r\nHost: t\r\n\r\n')
        server.log.wait_for(f'waits /number/{number}')
    os.kill(child, signal.SIGKILL)
    server.log.wait_for(rf':error\] .*child pid {child} \(slot 0\) was in 2 more$')
    text = server.log.text()
    named = re.findall(rf':error\] .*child pid {child} \(slot 0\) was in "GET (\S+)" '
                       r'from 127\.0\.0\.1, for \d+\.\d s$', text, re.M)
    assert len(named) == 8 and len(set(named)) == 8
    assert all(re.fullmatch(r'/number/\d%1b', target) for target in named)
    assert text.index('exit signal Killed') < text.index('was in "GET')
    for client in clients:
        client.close()
    server.wait_for_ready(1)


def test_a_child_that_dies_idle_or_as_it_was_told_was_in_nothing(serve, directory):
    (directory / 'waiting.py').write_text(WAITING)
    server = serve('waiting', '-w', '1', cwd=directory)
    child, = server.wait_for_ready(1)
    assert get(server.address, '/pid').body == b'soon'
    wait_until(lambda: server.board()['processes'][0]['workers'][0]['state'] == '_', 'an idle one')
    os.kill(child, signal.SIGKILL)
    server.log.wait_for('exit signal Killed')
    assert child not in server.wait_for_ready(1)
    with Connection(server.address) as client:
        client.send('GET / HTTP/1.1\r\nHost: t\r\n\r\n')
        server.log.wait_for('waits /')
        server.stop(signal.SIGINT)
    assert 'was in' not in server.log.text()


@pytest.mark.usefixtures('any_children')
@pytest.mark.parametrize('answers', [0, 1])
@pytest.mark.parametrize('how', ['status=9', 'signal=11', 'signal=15'])
def test_crashes_in_requests_delay_nobody(failing, how, answers):
    """Or one client with one bad URL would take the service from the others.  Not even the
    fifth in a row, also where the children answer nothing else."""
    server, _ = failing('-w', '1')
    seen = set(server.wait_for_ready(1))
    for n in range(5):
        for _ in range(answers):
            assert get(server.address, '/?go=on').body == b'ok'
        with Connection(server.address) as client:
            client.send(f'GET /?{how} HTTP/1.1\r\nHost: t\r\n\r\n')
            client.rest()
        wait_until(lambda: set(server.ready()) - seen, f'another child, after {n + 1} crashes')
        seen |= set(server.ready())
        assert not server.board()['board']['throttled']
    assert 'one after the other' not in server.log.text()
    server.stop()


@pytest.mark.parametrize('how, called', [(signal.SIGKILL, r'exit signal Killed \(9\)'),
                                         (signal.SIGTERM, 'which ends by itself')])
def test_children_that_end_before_anybody_asks_them_are_slowed_down(failing, how, called):
    """Even though they were ready, and however well they end."""
    server, _ = failing('-w', '1')
    seen = set()
    for _ in range(2):
        last, = wait_until(lambda: set(server.ready()) - seen, 'a child')
        seen.add(last)
        os.kill(last, how)
    server.log.wait_for(r'children fail one after the other \(2 so far\): the next one is tried '
                        rf'in 1 s; the last was pid {last}, {called}')
    server.stop()


def throttled(server):
    """The board, if it says so now."""
    board = server.board()
    return board if board['board']['throttled'] else None


def test_a_crash_loop_is_slowed_down_and_shown_and_ends_by_itself(failing, capsys):
    server, broken = failing('-w', '2')
    victim, sibling = server.wait_for_ready(2)
    broken.touch()
    os.kill(victim, signal.SIGKILL)
    for failures, delay in (2, 1), (3, 2):
        server.log.wait_for(rf'children fail one after the other \({failures} so far\): the '
                            rf'next one is tried in {delay} s')
        shown = wait_until(lambda: throttled(server), 'the board to say so')
        assert get(server.address, '/?go=on').body == b'ok'
    # Two to begin with, one at once, one after a second; the next is still to come.
    assert shown['board']['children_started'] == 4
    scoreboard_tool.print_board(shown)
    assert 'starts are delayed' in capsys.readouterr().out
    assert 'RuntimeError: the database is away' in server.log.text()

    broken.unlink()
    assert sibling in server.wait_for_ready(2)
    assert is_alive(sibling)
    wait_until(lambda: not throttled(server), 'the end of the delay')
    server.stop()


def test_an_installation_may_be_gone_for_a_while(failing, directory):
    """A deployment removes the environment and makes it anew: no supervisor is needed."""
    python = directory / 'venv' / 'bin' / 'python'
    python.parent.mkdir(parents=True)
    base = pathlib.Path(SERVED_PYTHON).resolve()
    python.symlink_to(base)
    (directory / 'venv' / 'lib' / f'python{served_abi()}').mkdir(parents=True)
    (directory / 'venv' / 'pyvenv.cfg').write_text(
        f'home = {base.parent}\nversion = {ask_served("sys.version.split()[0]")}\n')
    server, _ = failing('-w', '2', '--python-home', directory / 'venv')
    first, second = server.wait_for_ready(2)
    python.unlink()
    os.kill(first, signal.SIGKILL)
    server.log.wait_for(r'child pid \d+ \(slot 0\) exit status 78.*there is no bin/python')
    assert get(server.address, '/?go=on').body == b'ok'  # somebody still serves
    os.kill(second, signal.SIGKILL)
    server.log.wait_for('children fail one after the other .*exit status 78')
    python.symlink_to(base)
    server.wait_for_ready(2)
    assert get(server.address, '/?go=on').body == b'ok'
    server.stop()
