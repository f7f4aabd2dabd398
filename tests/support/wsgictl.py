"""wsgictl as a person types it, and the servers that it is tried on."""

import os
import re
import signal
import subprocess

import pytest

from server import BUILD, PATIENCE, clean_environment, free_port, is_alive, wait_until

WSGICTL = BUILD / 'wsgictl'
APPLICATION = """\
import time

def application(environ, start_response):
    if environ['PATH_INFO'] == '/slow':
        time.sleep(1.5)
    if environ['PATH_INFO'] == '/slower':
        time.sleep(8)
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'%s']
"""


def ctl(*words, env=None, timeout=PATIENCE, **more):
    """wsgictl to its end."""
    return subprocess.run([str(WSGICTL), *map(str, words)], text=True, timeout=timeout,
                          env={**clean_environment(), **(env or {})},
                          stdin=subprocess.DEVNULL, capture_output=True, **more)


def of(server, *words, **more):
    """The same, for one server."""
    return ctl('--run-directory', server.run_directory, *words, **more)


def succeeds(run, *patterns):
    assert (run.returncode, run.stderr) == (0, ''), run
    for pattern in patterns:
        assert re.search(pattern, run.stdout, re.M), run.stdout
    return run


def fails(run, status, *patterns):
    assert run.returncode == status, run
    for pattern in patterns:
        assert re.search(pattern, run.stderr, re.M), run.stderr
    assert run.stderr.startswith('wsgictl: ') or '\nwsgictl: ' in run.stderr, run.stderr
    return run


@pytest.fixture
def site(directory):
    """A directory with an application that a test may change: write('text')."""
    place = directory / 'site'
    place.mkdir()
    place.chmod(0o755)

    class Site:
        path = place

        def write(self, text, whole=False):
            # Its time stamp may stay: no child has left a .pyc, it may not write here.
            file = place / 'shop.py'
            file.write_text(text if whole else APPLICATION % text)
            file.chmod(0o644)
    made = Site()
    made.write('one')
    return made


@pytest.fixture
def shop(new_server, site):
    """A server of that application with a configuration file of its own."""
    def start(*words, error_log=None):
        config = site.path / 'shop.conf'
        config.write_text('StartServers 2\nMinSpareServers 1\nMaxSpareServers 2\n'
                          'MaxRequestWorkers 4\nWSGIApplication shop:application\n'
                          f'ChDir {site.path}\n')
        server = new_server('-c', config, *words)
        server.config = config
        if error_log is None:
            server.start()
        else:
            start_with(server, error_log)
        server.wait_for_ready(2)
        return server
    return start


def start_with(server, error_log):
    """Its start line goes to a file."""
    server.spawn()
    wait_until(lambda: error_log.exists() and ' serves ' in error_log.read_text(), 'the start')
    found = re.search(r' serves \S+ at (.+)$', error_log.read_text(), re.M)
    server.addresses = found[1].split()


class Daemon:
    """What "wsgictl start" has left running; it goes with the test."""

    def __init__(self, directory):
        self.directory = directory
        self.run_directory = directory / 'run'
        self.error_log = directory / 'error.log'
        self.words = ['--run-directory', str(self.run_directory)]

    def pids(self):
        return [int(file.read_text()) for file in self.run_directory.glob('*.pid')]

    def discard(self):
        for pid in self.pids() if self.run_directory.exists() else []:
            try:
                os.kill(pid, signal.SIGCONT)
                os.kill(pid, signal.SIGQUIT)
            except ProcessLookupError:
                continue
            wait_until(lambda: not is_alive(pid), 'the end of the daemon')  # noqa: B023


@pytest.fixture
def daemon(directory):
    made = Daemon(directory)
    yield made
    made.discard()


def start_words(daemon, site, *words):
    return ['start', *daemon.words, '--error-log', daemon.error_log, '--chdir', site.path,
            '-w', '2', *words]


def write_config(config, daemon, site, application):
    config.write_text(f'Listen 127.0.0.1:{free_port()}\nWSGIApplication {application}\n'
                      f'ChDir {site.path}\nErrorLog {daemon.error_log}\nProcesses 2\n'
                      f'RunDirectory {daemon.run_directory}\n')
    return config
