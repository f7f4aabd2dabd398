"""wsgictl before masters that are hostile, busy or none, and masters before such callers."""

import fcntl
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from client import get
from server import IS_ROOT, PATIENCE, clean_environment, wait_until
from wsgictl import WSGICTL, ctl, fails, of, succeeds


def waits_at_a_socket(pid):
    process = pathlib.Path('/proc', str(pid))
    try:
        return (process / 'stat').read_text().rpartition(')')[2].split()[0] == 'S' and any(
            os.readlink(fd).startswith('socket:') for fd in (process / 'fd').iterdir())
    except FileNotFoundError:
        return False  # a descriptor that was closed meanwhile


@pytest.fixture
def impostor(directory):
    """A control socket behind which a test says what it likes: impostor(answer)."""
    listeners, threads, listening = [], [], []

    def listens(path):
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex(str(path)) == 0

    def start(answer, backlog=4, owner=None):
        run = directory / 'fake'
        run.mkdir()
        pid_file = run / 'fake.pid'
        pid_file.write_text(f'{os.getpid()}\n')
        lock = os.open(pid_file, os.O_RDWR)
        fcntl.lockf(lock, fcntl.LOCK_EX)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(run / 'fake.ctl'))
        if owner is None:
            listener.listen(backlog)
        else:
            # Who listens is what the other side sees.
            pid = os.fork()
            if pid == 0:
                os.setuid(owner)
                listener.listen(backlog)
                while True:
                    listener.accept()
            listening.append(pid)
            wait_until(lambda: listens(run / 'fake.ctl'), 'a listener')
        listeners.append((listener, lock))

        def serve():
            while True:
                try:
                    s, _ = listener.accept()
                except OSError:
                    return
                with s:
                    s.recv(4096)
                    if callable(answer):
                        answer(s)
                    else:
                        s.sendall(answer)
        if answer is not None and owner is None:
            threads.append(threading.Thread(target=serve, daemon=True))
            threads[-1].start()
        return run
    yield start
    for pid in listening:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    for listener, lock in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        os.close(lock)
    for thread in threads:
        thread.join(PATIENCE)


def test_no_caller_that_is_stuck_or_hostile_holds_the_master(serve):
    """Their deadline, and what becomes of the seventeenth, are in unit/master/test_control.c."""
    server = serve('hello', '-w', '1')
    path, = server.run_directory.glob('*.ctl')
    callers = []
    try:
        for said in [b'', b'rel', b'status\n' * 500, b'\0' * 5000, b'%zz\n'] * 3:
            callers.append(socket.socket(socket.AF_UNIX))
            callers[-1].connect(str(path))
            try:
                callers[-1].sendall(said)
            except (BrokenPipeError, ConnectionResetError):
                pass  # it was turned away already
        assert get(server.address).status == 200
        assert 'busy:' not in succeeds(of(server, 'status'), 'is running').stdout
        succeeds(of(server, 'reload'), 'reload done')
    finally:
        for caller in callers:
            caller.close()
    server.stop()


def ask_all(server, verb):
    """Sixteen callers who wait for what it says."""
    path, = server.run_directory.glob('*.ctl')
    callers = []
    for _ in range(16):
        callers.append(socket.socket(socket.AF_UNIX))
        callers[-1].connect(str(path))
        callers[-1].sendall(verb + b'\n')
        assert callers[-1].recv(1024).startswith(b'+ ')
    return callers


def test_where_all_places_are_taken_it_is_said(shop, site):
    server = shop()
    site.write('import time\ntime.sleep(5)\n', whole=True)
    callers = ask_all(server, b'reload')
    for words in (['log-level'], ['reload'], ['stop'], ['scale', '3'], ['reopen-logs']):
        fails(of(server, *words), 6, rf'^wsgictl: the master of shop \(pid {server.pid}\) takes no '
              'more callers, and has been told nothing: too many are waiting')
    for caller in callers:
        caller.close()


def test_who_waits_for_the_end_keeps_nobody_out(shop):
    server = shop()
    callers = ask_all(server, b'await-stop')
    succeeds(of(server, 'log-level'))
    succeeds(of(server, 'reload'))
    succeeds(of(server, 'stop'), 'has stopped')
    assert callers[-1].recv(1024) == b'+ cut-off 0\nok\n'
    for caller in callers:
        caller.close()
    assert server.ended() == 0


def dribble(line, every=0.01):
    """Lines without end, until nobody listens."""
    def answer(s):
        try:
            while True:
                s.sendall(line)
                time.sleep(every)
        except OSError:
            pass
    return answer


@pytest.mark.parametrize('words', [
    ['reopen-logs'], ['log-level', 'debug'], ['stop'], ['stop', '--now'], ['graceful-stop'],
    ['reload'], ['restart'], ['upgrade'], ['scale', '2']], ids=' '.join)
def test_whoever_never_comes_to_an_end_is_not_listened_to_for_ever(impostor, words):
    run = impostor(dribble(b'+ log again\n'))
    begin = time.monotonic()
    fails(ctl(*words, '--wait', '0.3', '--run-directory', run), 6,
          'has said [0-9]+ lines within 0.3 s, and is not done|'
          'is not done within 0.3 s|there are not yet 2 processes after 0.3 s')
    assert time.monotonic() - begin < PATIENCE / 3


@pytest.mark.parametrize('line, status, said', [
    (b'+ reloading\n', 1, 'has said [0-9]+ lines and does not come to an end'),
    (b'+ log ' + b'again' * 600 + b'\n', 6, 'the application of fake says more than 128 MB'),
], ids=['of a master', 'of an application'])
def test_a_flood_has_an_end_without_a_time(impostor, line, status, said):
    run = impostor(dribble(line * 5000, every=0))
    fails(ctl('reload', '--run-directory', run), status, said)


@pytest.mark.skipif(not IS_ROOT, reason='needs another user')
def test_a_socket_that_somebody_else_has_put_there_is_told_nothing(impostor):
    """Where the directory is everybody's."""
    run = impostor(b'ok\n', owner=65534)
    for words in (['reload'], ['reopen-logs'], ['stop'], ['scale', '2'], ['upgrade']):
        fails(ctl(*words, '--run-directory', run), 1,
              rf'behind the control socket {run}/fake\.ctl is process \d+ of user \S+, and not the '
              rf'master of fake \(pid {os.getpid()}\): it is told nothing')


STEERING = '\x1b[31m\x07\x9b2J\x85\u202e\u2066'


def test_nothing_that_steers_a_terminal_comes_out(shop, site, directory):
    """Not from names of files, nor from what an application says; letters stay."""
    server = shop()
    evil = [server.run_directory / name for name in (
        f'evil{STEERING}.pid', 'evil\nline.pid', 'evil\u202eline.pid', 'evil\x9b.pid')]
    for file in evil:
        file.touch()
    site.write(f'raise RuntimeError({STEERING + "café שלום"!r} * 40)', whole=True)
    runs = [of(server, 'reload'), of(server, 'status'), of(server, 'fullstatus'),
            of(server, 'status', '--json'), of(server, 'version')]
    for file in evil:
        file.unlink()
    server.stop()
    for file in evil:
        file.touch()
    runs += [of(server, 'status'), of(server, 'stop')]
    for run in runs:
        for text in (run.stdout, run.stderr):
            assert not re.search('[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]',
                                 text), text
    assert 'café שלום' in runs[0].stderr
    assert 'café שלום' in runs[1].stdout and 'café שלום' in runs[2].stdout
    assert runs[3].stdout.isascii()
    reload = json.loads(runs[3].stdout)['server']['reload']
    assert 'café שלום' in reload['reason'] and 'café שלום' in reload['log']
    assert '\ufffd' not in reload['reason'] + reload['log']
    # One line each, whatever they are called.
    assert 'evil?line' in runs[-1].stderr and '\nline' not in runs[-1].stderr
    for file in evil:
        file.unlink()


@pytest.mark.parametrize('words, status', [
    (['version'], 1), (['--help'], 1), (['status'], 4), (['fullstatus', '--json'], 4),
    (['log-level'], 1), (['reload'], 1)], ids=lambda value: ' '.join(value) if isinstance(value, list) else '')
def test_output_that_cannot_be_written_is_a_failure(shop, words, status):
    server = shop()
    with open('/dev/full', 'w') as full:
        run = subprocess.run([str(WSGICTL), '--run-directory', str(server.run_directory), *words],
                             stdout=full, stderr=subprocess.PIPE, text=True, timeout=PATIENCE)
    assert run.returncode == status
    assert run.stderr.startswith('wsgictl: standard output: ')


@pytest.mark.parametrize('answer, sentence', [
    (b'', 'has closed the connection without an answer'),
    (b'+ reloading\n', 'has closed the connection without an answer'),
    (b'+ reloading\nok', 'has closed the connection without an answer'),
    (b'\n', 'does not answer as this wsgictl expects'),
    (b'+ %zz\n', 'does not answer as this wsgictl expects'),
    (b'+ anything\n' * 9, 'does not answer as this wsgictl expects'),
    (b'x' * 5000, 'does not answer as this wsgictl expects'),
    (b'error all%20is%20lost\n', 'reload failed: all is lost'),
    (b'error %1B[31mred\n', r'reload failed: \?\[31mred'),
])
def test_answers_that_are_none_get_a_sentence(impostor, answer, sentence):
    run = impostor(answer)
    fails(ctl('reload', '--run-directory', run), 1, sentence)


def test_a_master_that_takes_no_callers_is_busy(impostor):
    run = impostor(None, backlog=0)
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(run / 'fake.ctl'))
        fails(ctl('reload', '--wait', '0.5', '--run-directory', run), 6, 'takes no more callers')
        succeeds(ctl('status', '--run-directory', run), 'the master is busy')


def test_a_place_in_the_masters_queue_is_waited_for(impostor):
    go_on = threading.Event()

    def answer(caller):
        go_on.wait(PATIENCE)
        caller.sendall(b'+ log-level debug\nok\n')
    run = impostor(answer, backlog=0)
    served, queued = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    with served, queued:
        for caller in (served, queued):  # the second one has a place when the first is served
            caller.connect(str(run / 'fake.ctl'))
            caller.sendall(b'log-level\n')
        asks = subprocess.Popen([str(WSGICTL), 'log-level', '--run-directory', str(run)],
                                env=clean_environment(), text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wait_until(lambda: waits_at_a_socket(asks.pid), 'wsgictl to wait')
        go_on.set()
        assert asks.communicate(timeout=PATIENCE) == ('LogLevel debug\n', '')


def test_a_master_that_says_nothing_is_busy(impostor):
    run = impostor(None)
    succeeds(ctl('status', '--run-directory', run),
             'the master is busy: it has not answered within a second')
    state = json.loads(ctl('status', '--json', '--run-directory', run).stdout)
    assert (state['state'], state['pid']) == ('busy', os.getpid())
