"""Lines that children write to standard error faster than the master reads them one by one."""

import re
import signal
import threading

import pytest

from client import Closed, Connection
from server import wait_until

CHILDREN, LINES = 4, 5000
TEXT = 'x' * 60
KILLED = 'exit signal Killed (9)'
PLAIN = re.compile(r'\[[^]]+\] \[\w+:\w+\] \[pid (\d+)\] (.*)')


@pytest.fixture
def new_talkers(new_server, directory):
    """/NAME says LINES lines, and where NAME ends with "dies" its child does so behind the
    last one.  With a query it waits in the middle for the file go_on."""
    (directory / 'talker.py').write_text(f'''
import os, pathlib, signal, sys, time
def application(environ, start_response):
    name = environ['PATH_INFO'][1:]
    for i in range({LINES}):
        sys.stderr.write(f'{{name}} {{i:05}} {TEXT}\\n')
        while i == {LINES // 2} and environ['QUERY_STRING'] and not pathlib.Path('go_on').exists():
            time.sleep(.01)
    if name.endswith('dies'):
        os.kill(os.getpid(), signal.SIGKILL)
    start_response('200 OK', [('Content-Length', '0')])
    return []
''')
    return lambda *words: new_server('talker', '-w', CHILDREN, *words, cwd=directory)


class Talk(threading.Thread):
    def __init__(self, server, name: str, query: str = ''):
        super().__init__()
        self.name, self.answered = name, False
        self._connection = Connection(server.address)
        self._connection.send(f'GET /{name}{query} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n')
        self.start()

    def run(self):
        with self._connection as c:
            try:
                self.answered = c.response().status == 200
            except (Closed, ConnectionError):
                pass


def assert_all_said(text: str, names: list):
    said = {name: [] for name in names}
    pids = {name: set() for name in names}
    for line in text.splitlines():
        found = PLAIN.fullmatch(line)
        assert found, line
        name, _, rest = found[2].partition(' ')
        if name in said:
            said[name].append(rest)
            pids[name].add(found[1])
    for name in names:
        assert said[name] == [f'{i:05} {TEXT}' for i in range(LINES)], name
        assert len(pids[name]) == 1


def talk_to(server) -> list:
    server.wait_for_ready(CHILDREN)
    talks = [Talk(server, f'talk{i}') for i in range(2 * CHILDREN)]
    for talk in talks:
        talk.join()
        assert talk.answered
    server.stop()
    return [talk.name for talk in talks]


def test_lines_of_several_children_arrive_whole_and_in_order(new_talkers):
    server = new_talkers().start()
    names = talk_to(server)
    assert_all_said(server.log.text(), names)


def test_they_do_so_in_a_file(new_talkers, directory):
    path = directory / 'error.log'
    server = new_talkers('--error-log', path).spawn()
    wait_until(lambda: path.exists() and 'serves talker' in path.read_text(), 'the start line')
    server.addresses = re.search(r' at (http://\S+)', path.read_text())[1].split()
    names = talk_to(server)
    assert_all_said(path.read_text(), names)


def test_what_a_child_says_before_it_dies_is_not_lost(new_talkers):
    server = new_talkers().start()
    server.wait_for_ready(CHILDREN)
    talks = [Talk(server, f'talk{i}-dies') for i in range(2 * CHILDREN)]
    for talk in talks:
        talk.join()
        assert not talk.answered
    wait_until(lambda: server.log.text().count(KILLED) == len(talks), 'the news of all deaths')
    server.stop()
    text = server.log.text()
    names = [talk.name for talk in talks]
    assert_all_said(text, names)
    # The news of a death comes behind its last words.
    for name in names:
        pid = re.search(rf'\[pid (\d+)\] {name} ', text)[1]
        death = text.index(f'child pid {pid} ')
        assert KILLED in text[death:text.index('\n', death)]
        assert f'[pid {pid}]' not in text[death:]


@pytest.mark.parametrize('what', ['stop', 'reload', 'upgrade'])
def test_what_is_said_meanwhile_is_not_lost(new_talkers, directory, what):
    server = new_talkers().start()
    server.wait_for_ready(CHILDREN)
    talks = [Talk(server, f'talk{i}', '?waits') for i in range(CHILDREN)]
    for talk in talks:
        server.log.wait_for(f'{talk.name} {LINES // 2:05} ')
    server.kill({'stop': signal.SIGTERM, 'reload': signal.SIGHUP, 'upgrade': signal.SIGUSR2}[what])
    server.log.wait_for({'stop': 'stopping gracefully', 'reload': 'reload done',
                         'upgrade': r'the new master, pid \d+, has taken over'}[what])
    (directory / 'go_on').touch()
    for talk in talks:
        talk.join()
        assert talk.answered
    if what == 'upgrade':
        server.master = int(re.search(r'the new master, pid (\d+)', server.log.text())[1])
        server.process.wait()
    if what == 'stop':
        assert server.ended() == 0
    else:
        server.stop()
    assert_all_said(server.log.text(), [talk.name for talk in talks])
