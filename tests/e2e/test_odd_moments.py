"""What an administrator, or a machine, does at a moment when nobody expects it."""

import itertools
import os
import re
import shutil
import signal
import socket
import time

import pytest

from client import Connection, get
from server import freeze, is_alive, own_by_children, wait_until
from waiting import fastest

APP = '''
import pathlib, time
HERE = pathlib.Path(__file__).parent
def application(environ, start_response):
    if environ['PATH_INFO'] == '/wait':
        print('waiting', flush=True)
        while not (HERE / 'gate').exists():
            time.sleep(0.01)
    body = b'%s'
    start_response('200 OK', [('Content-Length', str(len(body)))])
    return [body]
'''
# The import lasts until the test lets it go on.
HANGS = '''
import pathlib, time
print('importing', flush=True)
while not (pathlib.Path(__file__).parent / 'gate').exists():
    time.sleep(0.01)
'''


@pytest.fixture
def write(directory):
    def write(body='old', before=''):
        (directory / 'changing.py').write_text(before + APP % body)
    write()
    return write


@pytest.fixture
def configure(directory):
    def configure(text):
        (directory / 'shop.conf').write_text(text)
    configure('')
    return configure


@pytest.fixture
def start(serve, directory, write, configure):
    def start(*words, **more):
        return serve('changing', '--log-level', 'info', '-c', directory / 'shop.conf', *words,
                     cwd=directory, **more)
    return start


def prefork(limit: int, first: int) -> str:
    return (f'ServerLimit 8\nMaxRequestWorkers {limit}\nStartServers {first}\n'
            'MinSpareServers 1\nMaxSpareServers 8\n')


def worker(limit: int, first: int) -> str:
    return (f'MPM worker\nThreadsPerChild 2\nServerLimit 8\nMaxRequestWorkers {2 * limit}\n'
            f'StartServers {first}\nMinSpareThreads 1\nMaxSpareThreads 16\n')


@pytest.mark.parametrize('conf', [prefork, worker])
@pytest.mark.usefixtures('preload')
def test_a_reload_that_lowers_max_request_workers_ends_with_as_many(start, configure, conf):
    """Not one more is started for each that there was, and no client of these is dropped."""
    configure(conf(6, 6))
    server = start()
    server.wait_for_ready(6)
    configure(conf(3, 2))
    clients = [Connection(server.address) for _ in range(6)]
    assert all(client.get('/').status == 200 for client in clients)
    said = server.reload()
    assert 'reload done' in said
    assert len(re.findall(r'child pid \d+ \(slot \d+\) is ready', said)) == 3
    server.wait_for_ready(3)
    assert all(client.get('/').body == b'old' for client in clients)


def test_one_reload_may_follow_the_other_while_old_children_finish(start, directory, write):
    """Those that drain do not use up the slots of the ones that serve, few as these may be."""
    server = start('-w', '1')
    clients = []
    for number in range(5):
        clients.append(Connection(server.address))
        since = len(server.log.text())
        clients[-1].send('GET /wait HTTP/1.1\r\nHost: t\r\n\r\n')
        server.log.wait_for('waiting', since=since)
        write(f'new {number}')
        server.kill(signal.SIGHUP)
        server.log.wait_for('reload done', since=since)
    assert get(server.address).body == b'new 4'
    (directory / 'gate').touch()
    assert [client.response().body for client in clients] == [
        b'old', b'new 0', b'new 1', b'new 2', b'new 3']


@pytest.mark.parametrize('number, said, then', [
    (signal.SIGHUP, 'a reload follows', 'reload done'),
    (signal.SIGUSR2, 'the upgrade follows', 'has taken over')])
def test_who_asks_while_a_reload_imports_is_told_that_it_follows(
        start, directory, write, number, said, then):
    server = start('-w', '1')
    write('hung', before=HANGS)
    server.kill(signal.SIGHUP)
    server.log.wait_for('importing')
    since = len(server.log.text())
    server.kill(number)
    server.log.wait_for(f'{said} what is under way', since=since)
    assert get(server.address).body == b'old'
    write('new')
    (directory / 'gate').touch()
    found = server.log.wait_for(rf'pid (\d+), {then}|{then}', since=since)
    if found[1]:
        server.master = int(found[1])
        server.process.wait()
    wait_until(lambda: get(server.address).body == b'new', 'the code of the second one')


def test_a_reload_that_the_old_master_is_asked_for_is_the_new_ones(start, directory, write):
    """Its first child may have read the code before somebody wrote it."""
    server = start('-w', '1')
    write('hung', before=HANGS)
    server.kill(signal.SIGUSR2)
    server.log.wait_for('importing')
    server.kill(signal.SIGHUP)
    server.log.wait_for('SIGHUP: a reload follows what is under way')
    write('new')
    (directory / 'gate').touch()
    server.master = int(server.log.wait_for(r'pid (\d+), has taken over')[1])
    server.process.wait()
    server.log.wait_for(rf'\[pid {server.master}\] reload done')
    wait_until(lambda: get(server.address).body == b'new', 'the code of the reload')
    server.stop()


def test_a_new_master_that_is_stopped_stays_until_the_old_one_has_finished(start, directory):
    server = start('-w', '1')
    with Connection(server.address) as slow:
        slow.send('GET /wait HTTP/1.1\r\nHost: t\r\n\r\n')
        server.log.wait_for('waiting')
        server.kill(signal.SIGUSR2)
        server.master = int(server.log.wait_for(
            r'the new master, pid (\d+), has taken over')[1])
        server.kill(signal.SIGTERM)
        server.log.wait_for(f'the old master, pid {server.process.pid}, is waited for')
        (directory / 'gate').touch()
        assert slow.response().body == b'old'
    assert server.ended() == 0
    assert ':error]' not in server.log.text()


def test_a_stop_does_not_wait_for_an_import(start, write):
    server = start('-w', '1')
    write('hung', before=HANGS)
    server.kill(signal.SIGHUP)
    server.log.wait_for('importing')
    server.stop()


def test_a_reload_after_an_included_file_has_gone_changes_nothing(start, directory, configure):
    part = directory / 'part.conf'
    part.write_text('StartServers 2\n')
    configure(f'Include {part}\n')
    server = start()
    before = server.wait_for_ready(2)
    part.unlink()
    assert re.search(r'reload failed, .*part\.conf: No such file', server.reload())
    (directory / 'shop.conf').unlink()
    assert re.search(r'reload failed, .*shop\.conf: No such file', server.reload())
    assert set(server.ready()) == set(before) and get(server.address).body == b'old'


@pytest.mark.parametrize('what', ['*.pid', '*.scoreboard*', '*.ctl', None])
def test_who_clears_the_run_directory_away_does_not_stop_the_server(start, write, what):
    """It serves, replaces a dead child, and reloads; an upgrade makes what is missing anew."""
    server = start('-w', '2')
    victim = min(server.wait_for_ready(2))
    names = sorted(os.listdir(server.run_directory))
    if what is None:
        shutil.rmtree(server.run_directory)
    else:
        for path in server.run_directory.glob(what):
            path.unlink()
    os.kill(victim, signal.SIGKILL)
    server.log.wait_for(r'(?s)exit signal Killed.*is ready')
    since = len(server.log.text())
    write('new')
    server.kill(signal.SIGHUP)
    server.log.wait_for('reload done', since=since)
    wait_until(lambda: get(server.address).body == b'new', 'the new code')
    said = server.log.text()
    assert said.count('wsgictl does not see what they do') == (what is None), said
    old = server.pid
    server.kill(signal.SIGUSR2)
    server.master = int(server.log.wait_for(r'the new master, pid (\d+), has taken over')[1])
    server.process.wait()
    assert not is_alive(old)
    assert sorted(os.listdir(server.run_directory)) == names
    assert len(server.wait_for_ready(2)) == 2
    server.stop()


# --- what a child imports when it has nothing to do ------------------------------------------

# traceback is among it.
SLOW_TO_SETTLE = '''
import sys, time
class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == 'traceback':
            print('importing slowly', flush=True)
            time.sleep(1)
sys.meta_path.insert(0, Slow())
'''


def test_a_reload_serves_while_the_new_child_imports_what_may_wait(start, write):
    write(before=SLOW_TO_SETTLE)
    server = start('-w', '1')
    server.log.wait_for('importing slowly')
    assert get(server.address).body == b'old'  # and has done so
    names = (f'new{i}' for i in itertools.count())

    def longest_wait() -> float:
        """In a reload."""
        name, longest, answers = next(names), 0, set()
        imports = server.log.text().count('importing slowly')
        write(name, SLOW_TO_SETTLE)
        server.kill(signal.SIGHUP)
        while (name.encode() not in answers
               or server.log.text().count('importing slowly') == imports):
            began = time.monotonic()
            answers.add(get(server.address).body)
            longest = max(longest, time.monotonic() - began)
        return longest
    fastest(longest_wait, 0.7, tries=3)
    server.stop()


HAS_A_THREAD = '''
import threading, time
threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
'''


def test_beside_threads_of_the_application_nothing_is_imported_while_clients_wait(start, write):
    write(before=SLOW_TO_SETTLE + HAS_A_THREAD)
    server = start('-w', '1')
    assert server.log.text().count('importing slowly') == 1
    began = time.monotonic()
    assert get(server.address).body == b'old'
    assert time.monotonic() - began < 0.7
    server.stop()


def test_who_is_there_before_a_child_does_not_wait_for_what_it_imports_later(start, write):
    write(before=SLOW_TO_SETTLE)
    server = start('-w', '1')
    server.log.wait_for('importing slowly')
    assert get(server.address).body == b'old'
    child, = server.children()
    os.kill(child, signal.SIGKILL)
    began = time.monotonic()
    assert get(server.address).body == b'old'
    assert time.monotonic() - began < 0.9
    server.stop()


@pytest.mark.parametrize('then', ['goes on', 'stops'])
def test_who_began_to_serve_as_it_was_told_to_stop_finishes_its_request(serve, directory, then):
    """Both are in the master's hands at once: that there is one too many, and its READY."""
    own_by_children(directory)
    (directory / 'late_app.py').write_text(f'''
import os, pathlib, time
HERE = pathlib.Path({str(directory)!r})
def until(name):
    while not (HERE / name).exists():
        time.sleep(0.005)
if (HERE / 'wait').exists():
    (HERE / 'imports').touch()
    until('go')
def application(environ, start_response):
    if environ['PATH_INFO'] == '/slow':
        (HERE / f'in-{{os.getpid()}}').touch()
        until('done')
    start_response('200 OK', [])
    return [str(os.getpid()).encode()]
''')
    server = serve('late_app', '-w', '2', '--log-level', 'info', cwd=directory)
    first, killed = sorted(server.wait_for_ready(2))
    path, = server.run_directory.glob('*.ctl')
    (directory / 'wait').touch()
    os.kill(killed, signal.SIGKILL)
    wait_until((directory / 'imports').exists, 'a child that imports')
    with socket.socket(socket.AF_UNIX) as order, socket.socket(socket.AF_UNIX) as after:
        for s in order, after:
            s.connect(str(path))
        after.sendall(b'version\n')
        assert after.makefile().read().endswith('ok\n')  # so the order will be read at once
        freeze(server.pid)
        order.sendall(b'scale 1\n')
        (directory / 'go').touch()
        busy = [Connection(server.address) for _ in range(2)]
        for client in busy:
            client.send('GET /slow HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n')
        wait_until(lambda: len(list(directory.glob('in-*'))) == 2, 'both to be busy')
        os.kill(server.pid, signal.SIGCONT)
        server.log.wait_for('asked by the control socket')
        if then == 'stops':
            server.kill(signal.SIGTERM)
        # Longer than who is not ready has.
        with pytest.raises(TimeoutError):
            wait_until(lambda: 'sending SIGKILL' in server.log.text(), 'nothing', timeout=4)
        (directory / 'done').touch()
        pids = {int(client.response().body) for client in busy}
        assert first in pids and len(pids) == 2 and killed not in pids
        if then == 'goes on':
            assert order.makefile().read().endswith('ok\n')
    for client in busy:
        client.close()
    if then == 'stops':
        assert server.ended() == 0
        return
    assert list(server.wait_for_ready(1)) == [first]
    server.stop()
