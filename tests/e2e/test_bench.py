"""tools/bench, and the load that it makes: what clients have lost is counted."""

import json
import os
import re
import socket
import subprocess
import sys
import threading

import pytest

from server import BUILD, ROOT, SANITIZED, need, need_module

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
LAST = ANSWER.replace(b'\r\n\r\n', b'\r\nConnection: close\r\n\r\n')
BUSY = b'HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy'
UNTIL_THE_END = b'HTTP/1.1 200 OK\r\n\r\nok'
PART = ANSWER[:20]


class Scripted:
    """A server of one client at a time: each request gets the next of some answers, None for
    an end without any; the last answer is given for ever."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        self.first = b''  # of all clients, what it has sent
        self.clients = 0
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def next(self):
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.clients += 1
            with client:
                try:
                    self.talk(client)
                except ConnectionError:
                    pass  # the load has ended

    def talk(self, client):
        head = b''
        while data := client.recv(4096):
            head += data
            self.first = self.first or head
            if not head.endswith(b'\r\n\r\n'):
                continue
            head, answer = b'', self.next()
            client.sendall(answer or b'')
            if answer not in (ANSWER, BUSY):
                return

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


def load(*words) -> dict:
    run = subprocess.run([str(BUILD / 'tests' / 'load'), *map(str, words)], text=True,
                         capture_output=True, check=True)
    return json.loads(run.stdout)


@pytest.mark.parametrize('answers, failed, statuses, closed', [
    ([ANSWER], 0, 0, 0),
    ([ANSWER, LAST, ANSWER], 0, 0, 1),
    ([ANSWER, UNTIL_THE_END, ANSWER], 0, 0, 1),
    ([ANSWER, None, ANSWER], 1, 0, 1),
    ([ANSWER, None, None, None, ANSWER], 1, 0, 3),
    ([ANSWER, BUSY, ANSWER], 1, 1, 0),
    ([ANSWER, PART, ANSWER], 1, 0, 1),
    ([ANSWER, ANSWER[:-1], ANSWER], 1, 0, 1),
])
def test_what_a_client_of_the_load_has_lost_is_counted(answers, failed, statuses, closed):
    server = Scripted(*answers)
    try:
        found = load('-d', 1, server.port)
    finally:
        server.stop()
    assert (found['failed'], found['statuses'], found['closed']) == (failed, statuses, closed)
    assert found['requests'] > 0 and found['stuck'] == 0
    assert 0 < found['p50_us'] <= found['p99_us'] <= found['longest_us']


def test_who_is_never_answered_has_waited_all_the_time():
    with socket.create_server(('127.0.0.1', 0)) as silent:
        found = load('-c', 3, '-d', 2, silent.getsockname()[1])
    assert (found['requests'], found['stuck']) == (0, 3)
    assert found['longest_us'] >= 1900000


def test_slow_clients_are_let_in_first_and_send_no_whole_head():
    server = Scripted(ANSWER)
    try:
        found = load('-c', 1, '-s', 1, '-d', 2, server.port)
    finally:
        server.stop()
    assert server.first == b'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'[:len(server.first)]
    assert 0 < len(server.first) < 30
    assert (found['requests'], found['stuck']) == (0, 1)


def test_in_a_burst_each_client_asks_once_over_a_connection_of_its_own():
    server = Scripted(None, ANSWER)
    try:
        found = load('-b', '-c', 3, '-d', 2, server.port)
    finally:
        server.stop()
    assert (found['failed'], found['stuck']) == (1, 0)
    # Bursts may begin at once, after a second and at the end.
    assert 3 <= found['requests'] < server.clients <= 3 * 3 + 1


# --- tools/bench ------------------------------------------------------------------------------

def bench(*words, **environment):
    """Without what it says about a machine that is busy with other things."""
    run = subprocess.run([sys.executable, str(ROOT / 'tools' / 'bench'), *words], text=True,
                         capture_output=True, env={**os.environ, 'WSGID_BUILD': str(BUILD),
                                                   **environment})
    run.stderr = re.sub(r'^bench: \S+: the machine was busy .*\n', '', run.stderr, flags=re.M)
    return run


@pytest.mark.skipif(SANITIZED, reason='speed under a sanitizer says nothing')
def test_bench_scenarios_prints_a_line_for_each_and_wsgid_loses_nothing(directory):
    run = bench('scenarios', '--servers', 'wsgid', '--seconds', '1', TMPDIR=str(directory))
    assert (run.returncode, run.stderr) == (0, ''), run
    rows = re.findall(r'^\| wsgid \| \d+ × \d \| ([\d,]+) \|.*\| (\d+) \| (.*) \|$', run.stdout,
                      re.M)
    assert len(rows) == 6, run.stdout
    assert all(rate != '0' and failed == '0' for rate, failed, _ in rows), run.stdout
    assert rows[1][2] == '0', 'connections were closed by reloads'
    assert (rows[3][2], rows[4][2]) == ('0', '0'), 'clients were never answered'
    assert not list(directory.iterdir())


@pytest.mark.skipif(SANITIZED, reason='speed under a sanitizer says nothing')
@pytest.mark.skipif('WSGID_TEST_PYTHON_HOME' in os.environ,
                    reason='the bench serves from no virtual environment')
def test_bench_measures_each_work_and_draws_it(directory):
    need('wrk')
    need_module('flask')
    need_module('django')
    works = list((ROOT / 'tools' / 'works').glob('*.py'))
    run = bench('--works', 'all', '--servers', 'wsgid', '--rounds', '1', '--seconds', '1',
                '--connections', '8', '--svg', str(directory / 'svg'), TMPDIR=str(directory))
    assert run.returncode == 0, run.stderr
    rows = re.findall(r'^\| wsgid \| ([\d,]+) \| ([\d,]+) \| \d+% \| (\d+) \|  \|$', run.stdout,
                      re.M)
    assert len(rows) == len(works), run.stdout
    assert all('0' not in (rate, per_cpu) and errors == '0' for rate, per_cpu, errors in rows)
    assert (directory / 'svg').read_text().count('>wsgid<') == len(works)
    assert os.listdir(directory) == ['svg']


def test_bench_names_the_peers_that_are_not_there(directory):
    run = bench('scenarios', '--only', 'slow', '--seconds', '1', '--servers', 'gunicorn,wsgid',
                PATH='/nonexistent', TMPDIR=str(directory))
    assert run.stderr == 'bench: gunicorn is not installed: left out\n'
    assert '| wsgid |' in run.stdout and run.returncode == 0


@pytest.mark.parametrize('words, why', [
    (['scenarios', '--servers', 'nginx'], 'nginx is none of wsgid, '),
    (['scenarios', '--only', 'fast'], 'fast is none of mixed, '),
    (['scenarios', '--rounds', '2'], '--rounds is for speed'),
    (['scenarios', '--svg', 'file'], '--svg is for speed'),
    (['--works', 'nothing'], 'nothing is none of hello, '),
    (['--only', 'slow'], '--only is for scenarios'),
])
def test_bench_explains_a_wrong_option(words, why):
    run = bench(*words)
    assert run.returncode == 2 and why in run.stderr
