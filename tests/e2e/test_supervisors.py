"""wsgid as the child of another init: tini, supervisord, runit and s6, with the lines of wsgid(8).

It stays in the foreground, what they send means what they mean, and an upgrade keeps the pid
that they wait for.
"""

import os
import pathlib
import re
import shlex
import signal
import subprocess
import threading

import pytest

from client import Connection
from server import (PATIENCE, ROOT, Log, children_of, clean_environment, is_alive, need, stat_fields,
                    wait_until)
from test_upgrade import install_wsgid, program

__all__ = ['program']  # a fixture
APP = """\
import os, time

def application(environ, start_response):
    if environ['PATH_INFO'] == '/wait':
        print('begun', flush=True)
        while not os.path.exists('go'):
            time.sleep(0.01)
    start_response('200 OK', [])
    return [b'%s']
"""


def write_app(directory, text):
    new = directory / 'shop.new'
    new.write_text(APP % text)
    new.chmod(0o644)
    new.rename(directory / 'shop.py')


class Supervised:
    """A wsgid below one of them: start() it, and stop() as its administrator does."""

    programs = ()  # that are needed
    ends_with_it = False

    def __init__(self, directory, command):
        self.directory = directory
        self.shell = ' '.join(shlex.quote(str(word)) for word in command)
        self.place = directory / 'service'
        self.place.mkdir()
        self.log = self.process = None

    def start(self):
        self.log = Log()
        self.process = subprocess.Popen(
            self.prepare(), cwd=self.directory, stdin=subprocess.DEVNULL,
            env=clean_environment(), stdout=self.log.write_end, stderr=subprocess.STDOUT,
            start_new_session=True)
        self.log.let_go()
        found = self.log.wait_for(r'\[pid (\d+)\] wsgid/\S+ serves \S+ at http://([\d.]+):(\d+)')
        self.pid = int(found[1])
        return found[2], int(found[3])

    def script(self, name, text):
        path = self.place / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def control(self, *words):
        subprocess.run(words, cwd=self.directory, check=True, capture_output=True,
                       env=clean_environment(), timeout=PATIENCE)

    def discard(self):
        """The supervisor, and a server that has outlived it."""
        if self.process is None:
            return
        mine = [pid for pid in map(int, filter(str.isdigit, os.listdir('/proc')))
                if self.is_mine(pid)]
        for pid in [self.process.pid, *mine]:
            if pid != self.process.pid or self.process.poll() is None:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        self.process.wait(PATIENCE)

    def is_mine(self, pid):
        """Children of supervisors are in sessions of their own; what they run is here."""
        try:
            return os.readlink(f'/proc/{pid}/cwd').startswith(str(self.directory))
        except OSError:
            return False


class Tini(Supervised):
    programs = ['tini']
    ends_with_it = True

    def prepare(self):
        return [need('tini'), '-s', '--', 'sh', '-c', f'exec {self.shell}']

    def stop(self):
        self.process.terminate()
        assert self.process.wait(PATIENCE) == 0


class Supervisord(Supervised):
    programs = ['supervisord', 'supervisorctl']

    def prepare(self):
        socket = self.place / 'socket'
        config = self.place / 'conf'
        config.write_text(f"""\
[supervisord]
nodaemon=true
user=root
logfile=/dev/null
logfile_maxbytes=0
pidfile={self.place}/pid
[unix_http_server]
file={socket}
[supervisorctl]
serverurl=unix://{socket}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[program:shop]
command={self.shell.replace('%', '%%')}
directory={self.directory}
stopsignal=TERM
stopwaitsecs=40
autorestart=unexpected
exitcodes=0,2,75,78
stdout_logfile=/dev/fd/1
stdout_logfile_maxbytes=0
redirect_stderr=true
""")
        return [need('supervisord'), '-c', config]

    def stop(self):
        self.control('supervisorctl', '-c', self.place / 'conf', 'stop', 'shop')


class Runit(Supervised):
    programs = ['runsv', 'sv']

    def prepare(self):
        self.script('run', f'#!/bin/sh\ncd {self.directory}\nexec 2>&1\nexec {self.shell}\n')
        return [need('runsv'), self.place]

    def stop(self):
        self.control('sv', '-w', '40', 'stop', self.place)


class S6(Supervised):
    programs = ['s6-supervise', 's6-svc']

    def prepare(self):
        self.script('run', f'#!/bin/sh\ncd {self.directory}\nexec 2>&1\nexec {self.shell}\n')
        (self.place / 'timeout-kill').write_text('40000\n')
        return [need('s6-supervise'), self.place]

    def stop(self):
        self.control('s6-svc', '-wD', '-T', str(PATIENCE * 1000), '-d', self.place)


@pytest.fixture(params=[Tini, Supervisord, Runit, S6], ids=lambda kind: kind.__name__.lower())
def supervised(request, directory, program):
    for name in request.param.programs:
        need(name)
    write_app(directory, 'old')
    made = request.param(directory, [
        program, '--run-directory', directory / 'run', '-b', '127.0.0.1:0', '-w', '1',
        'shop:application'])
    yield made
    made.discard()


def test_it_is_upgraded_in_place_and_stopped_gracefully(supervised, program, directory):
    address = supervised.start()
    parent = int(stat_fields(supervised.pid)[1])
    assert parent == supervised.process.pid
    with Connection(address) as parked:
        assert parked.get('/').body == b'old'
        write_app(directory, 'new')
        install_wsgid(program)
        os.kill(supervised.pid, signal.SIGUSR2)
        supervised.log.wait_for('because this process has to stay: it is watched by')
        supervised.log.wait_for('reload done')
        # The same process, its parent's child as before, and no connection lost.
        assert int(stat_fields(supervised.pid)[1]) == parent
        assert os.path.samefile(f'/proc/{supervised.pid}/exe', program)
        assert parked.get('/').body == b'new'
    with Connection(address) as slow:
        slow.send('GET /wait HTTP/1.1\r\nHost: t\r\n\r\n')
        supervised.log.wait_for('begun')
        children = children_of(supervised.pid)
        stop = threading.Thread(target=supervised.stop)
        stop.start()
        supervised.log.wait_for('stopping gracefully')
        (directory / 'go').touch()
        assert slow.response().body == b'new'
        stop.join(PATIENCE)
    wait_until(lambda: not is_alive(supervised.pid), 'the end of the server')
    assert not any(is_alive(pid) for pid in children)
    said = supervised.log.text()
    assert 'stopping gracefully' in said and said.count('stopping at once') == 0
    if not supervised.ends_with_it:
        # Told to stop, so it is not started anew.
        assert supervised.process.poll() is None


def test_the_lines_are_those_of_the_manual():
    manual = (ROOT / 'src' / 'wsgid' / 'wsgid.8').read_text()
    section = re.search(r'^\.Ss Other supervisors\n(.*?)^\.Ss ', manual, re.M | re.S)[1]
    lines = [line for block in re.findall(r'^\.Bd [^\n]*\n(.*?)^\.Ed', section, re.M | re.S)
             for line in block.splitlines() if 'wsgid' not in line]
    assert {'stopwaitsecs=40', 'exec 2>&1'} < set(lines)
    tried = pathlib.Path(__file__).read_text()
    assert [line for line in lines if line not in tried] == []
