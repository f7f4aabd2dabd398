"""tools/scoreboard.py on files that a server may leave, and on files that none would."""

import importlib.util
import json
import os
import pathlib
import random
import re
import signal
import struct
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = ROOT / 'tools' / 'scoreboard.py'

spec = importlib.util.spec_from_file_location('scoreboard_tool', TOOL)
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)

PROCESS_OFFSET, WORKER_OFFSET = 1280, 128
WORKER_SIZE = 264


def pack(fields: list, **values) -> bytes:
    values = {name: value.encode() if isinstance(value, str) else value
              for name, value in values.items()}
    return b''.join(struct.pack('=' + kind, values.get(name, b'' if 's' in kind else 0))
                    for name, kind in fields)


def board(slots: int = 3, workers: int = 2, **values) -> bytes:
    facts = dict(magic=tool.BOARD_MAGIC, major=1, board_size=tool.size_of(tool.BOARD),
                 process_offset=PROCESS_OFFSET, process_size=tool.size_of(tool.PROCESS),
                 process_count=slots, page_size=WORKER_OFFSET + WORKER_SIZE * workers,
                 worker_offset=WORKER_OFFSET, worker_size=WORKER_SIZE, worker_count=workers,
                 name='site', version='wsgid/0.1.0', mpm='prefork', start_us=time.time_ns() // 1000,
                 updated_us=time.time_ns() // 1000)
    facts.update(values)
    return pack(tool.BOARD, **facts).ljust(PROCESS_OFFSET, b'\0')


def page(*workers: bytes, **values) -> bytes:
    head = pack(tool.PAGE, **{'magic': tool.PAGE_MAGIC, **values})
    return head.ljust(WORKER_OFFSET, b'\0') + b''.join(workers)


@pytest.fixture
def path(tmp_path):
    """A board of three slots: serving, starting, vacant but with a past."""
    path = tmp_path / 'site.scoreboard'
    path.write_bytes(
        board(generation=4, listeners='http://127.0.0.1:8000')
        + pack(tool.PROCESS, pid=101, lifecycle=2, generation=4, past_requests=30)
        + pack(tool.PROCESS, pid=102, lifecycle=1, generation=4)
        + pack(tool.PROCESS, past_requests=5, died_us=1, last_status=9))
    (tmp_path / 'site.scoreboard.0').write_bytes(page(
        pack(tool.WORKER, state=ord('_')),
        pack(tool.WORKER, state=ord('W'), client='127.0.0.1', method='GET', target='/admin/'),
        pid=101, requests=12, accepted=3, connections=2, parked=1, io_engine='io_uring'))
    (tmp_path / 'site.scoreboard.1').write_bytes(page(bytes(2 * WORKER_SIZE)))
    return path


def run(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run([str(TOOL), *map(str, arguments)], capture_output=True, text=True,
                          timeout=30)


def test_the_fields_are_those_of_the_public_header():
    header = (ROOT / 'include' / 'wsgid' / 'scoreboard.h').read_text()
    header = re.sub(r'/\*.*?\*/', '', header, flags=re.S)
    kinds = {'uint16_t': 'H', 'uint32_t': 'I', 'int32_t': 'i', 'uint64_t': 'Q', 'int64_t': 'q'}
    for name, ours in (('board', tool.BOARD + tool.BOARD_MORE), ('process', tool.PROCESS),
                       ('page', tool.PAGE + tool.PAGE_MORE), ('worker', tool.WORKER + tool.WORKER_MORE)):
        body = re.search(rf'struct wsgid_{name} \{{(.*?)\}};', header, re.S).group(1)
        theirs = [(field, f'{size}s' if size else kinds[kind]) for kind, field, size in
                  re.findall(r'(\w+)\s+(\w+)(?:\[(\d+)\])?;', body)
                  if kind != 'wsgid_durations']
        assert ours == theirs
        # no padding: naturally aligned in order
        assert struct.calcsize('@' + ''.join(kind for _, kind in ours)) == tool.size_of(ours)


def test_the_histograms_are_those_of_the_public_header():
    header = (ROOT / 'include' / 'wsgid' / 'scoreboard.h').read_text()
    assert f'WSGID_TIMES_BUCKETS = {tool.TIMES_BUCKETS} ' in header
    body = re.search(r'struct wsgid_durations \{(.*?)\};', header, re.S).group(1)
    assert re.findall(r'struct wsgid_times (\w+);', body) == tool.DURATIONS
    # In the board and the page they are where size_of() says that the first fields end.
    for name, last in (('board', tool.BOARD), ('page', tool.PAGE)):
        body = re.search(rf'struct wsgid_{name} \{{(.*?)\}};', header, re.S).group(1)
        body = re.sub(r'/\*.*?\*/', '', body, flags=re.S)
        fields = re.findall(r'(\w+)(?:\[\d+\])?;', body)
        assert fields[len(last) - 1] == last[-1][0]
        assert re.search(rf'\b{last[-1][0]}(\[\d+\])?;\s*struct wsgid_durations \w+;', body)
    ends = [tool.floor_of(bucket) for bucket in range(tool.TIMES_BUCKETS + 1)]
    assert ends[:11] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12] and ends[-2:] == [7 << 33, 1 << 36]


def histogram(*durations) -> list:
    counts = [0] * tool.TIMES_BUCKETS
    for us in durations:
        counts[max(b for b in range(tool.TIMES_BUCKETS) if tool.floor_of(b) <= us)] += 1
    return [*counts, sum(durations), max(durations)]


def test_durations_of_the_dead_and_the_living_are_added_up(tmp_path):
    past = [histogram(0, 0, 5), histogram(1000), histogram(10 ** 6)]
    now = [histogram(7), histogram(300, 300, 300), histogram(2)]

    def packed(histograms):
        return struct.pack(f'={3 * (tool.TIMES_BUCKETS + 2)}Q', *sum(histograms, []))
    size = tool.size_of(tool.BOARD) + 3 * tool.TIMES_SIZE
    offset = tool.size_of(tool.PAGE) + 3 * tool.TIMES_SIZE
    path = tmp_path / 'site.scoreboard'
    path.write_bytes(
        board(slots=1, minor=2, board_size=size, process_offset=size, worker_offset=offset,
              page_size=offset + 2 * WORKER_SIZE)[:tool.size_of(tool.BOARD)]
        + packed(past) + pack(tool.PROCESS, pid=101, lifecycle=2, workers=2))
    (tmp_path / 'site.scoreboard.0').write_bytes(
        pack(tool.PAGE, magic=tool.PAGE_MAGIC, pid=101)[:tool.size_of(tool.PAGE)]
        + packed(now) + bytes(2 * WORKER_SIZE))
    all_ = json.loads(run('--json', path).stdout)
    assert all_['durations'] == {
        'wait': {'count': 4, 'sum_us': 12, 'p50_us': 0, 'p90_us': 7, 'p99_us': 7, 'max_us': 7},
        'application': {'count': 4, 'sum_us': 1900, 'p50_us': 287, 'p90_us': 948, 'p99_us': 948,
                        'max_us': 1000},
        'total': {'count': 2, 'sum_us': 1000002, 'p50_us': 2, 'p90_us': 958752, 'p99_us': 958752,
                  'max_us': 1000000}}
    assert all_['processes'][0]['page']['durations']['application']['count'] == 3
    shown = run(path).stdout
    assert '  durations    wait        p50 0 us' in shown and 'max 1000000 us' in shown


def test_everything_is_shown(path):
    shown = run(path)
    assert shown.returncode == 0, shown.stderr
    for words in ('instance site', 'wsgid/0.1.0', 'generation   4', '127.0.0.1:8000',
                  '1 busy, 1 idle, 2 starting, 0 graceful', 'connections 2, 1 of them parked',
                  '47 requests, 3 connections', '\n  KWSS\n', 'GET /admin/', 'signal 9',
                  'io_uring'):
        assert words in shown.stdout


def test_json_has_it_all(path):
    all_ = json.loads(run('--json', path).stdout)
    assert all_['scoreboard'] == 'KWSS..'
    assert all_['totals']['requests'] == 47
    assert all_['counts']['busy'] == 1
    assert all_['processes'][0]['total_requests'] == 42
    assert all_['processes'][0]['workers'][1]['target'] == '/admin/'
    assert all_['processes'][2]['page'] is None


def test_a_child_of_several_threads_has_a_row_and_a_letter_for_each(tmp_path):
    """Of those that it has, not of all that ThreadLimit has room for."""
    path = tmp_path / 'site.scoreboard'
    path.write_bytes(
        board(workers=64, mpm='worker', max_request_workers=6, minor=1)
        + pack(tool.PROCESS, pid=101, lifecycle=2, workers=3)
        + pack(tool.PROCESS, pid=102, lifecycle=1, workers=2)
        + pack(tool.PROCESS, past_requests=5, died_us=1, workers=9))
    (tmp_path / 'site.scoreboard.0').write_bytes(page(
        pack(tool.WORKER, state=ord('_'), thread=201),
        pack(tool.WORKER, state=ord('W'), thread=202, method='GET', target='/admin/'),
        pack(tool.WORKER, state=ord('R'), thread=203), bytes(61 * WORKER_SIZE), pid=101))
    (tmp_path / 'site.scoreboard.1').write_bytes(page(bytes(64 * WORKER_SIZE)))
    all_ = json.loads(run('--json', path).stdout)
    assert all_['scoreboard'] == '_WRSS...'
    assert [len(p['workers']) for p in all_['processes']] == [3, 2, 0]
    assert (all_['counts']['busy'], all_['counts']['idle'], all_['counts']['starting']) == (2, 1, 2)
    shown = run(path).stdout
    assert 'slots of up to 64 workers' in shown and '\n  _WRSS\n' in shown
    rows = shown.split('\nworkers\n')[1].split('\n')
    assert [row.split()[0] for row in rows if row][1:] == ['0-0', '0-1', '0-2', '1-0', '1-1']
    assert 'GET /admin/' in rows[2] and ' 202 ' in rows[2]


def test_a_board_of_before_1_1_is_read(tmp_path):
    """Its records end before the template and workers: all of a page are shown."""
    path = tmp_path / 'site.scoreboard'
    record = pack(tool.PROCESS, pid=101, lifecycle=2, past_requests=30)[:tool.PROCESS_LEAST]
    head = board(slots=1, board_size=tool.BOARD_LEAST, process_size=tool.PROCESS_LEAST,
                 process_offset=tool.BOARD_LEAST)[:tool.BOARD_LEAST]
    path.write_bytes(head + record)
    (tmp_path / 'site.scoreboard.0').write_bytes(page(
        pack(tool.WORKER, state=ord('_')), pack(tool.WORKER, state=ord('W')), pid=101))
    all_ = json.loads(run('--json', path).stdout)
    assert all_['scoreboard'] == '_W'
    assert all_['processes'][0]['total_requests'] == 30
    assert all_['board']['template_pid'] == 0


def test_a_run_directory_will_do(path):
    assert run(path.parent).returncode == 0
    (path.parent / 'other.scoreboard').write_bytes(b'')
    several = run(path.parent)
    assert several.returncode == 1
    assert 'several scoreboards, name one of: other.scoreboard site.scoreboard' in several.stderr


def test_the_master_runs_is_stopped_and_is_dead(path):
    data = path.read_bytes()
    at = struct.calcsize('=' + ''.join(kind for _, kind in tool.BOARD[:11]))
    with subprocess.Popen(['sleep', '60']) as master:
        path.write_bytes(data[:at] + struct.pack('=i', master.pid) + data[at + 4:])
        assert f'pid {master.pid}, running\n' in run(path).stdout
        master.send_signal(signal.SIGSTOP)
        os.waitpid(master.pid, os.WUNTRACED)
        assert f'pid {master.pid}, stopped' in run(path).stdout
        master.kill()
    assert f'pid {master.pid}, dead' in run(path).stdout


def test_a_pid_that_is_another_process_by_now_is_dead(path):
    data = path.read_bytes()
    long_ago = board(master_pid=os.getpid(), start_us=1, updated_us=2)
    path.write_bytes(long_ago + data[PROCESS_OFFSET:])
    assert f'pid {os.getpid()}, dead' in run(path).stdout


REFUSED = [
    (b'', 'is not a scoreboard of wsgid'),
    (b'wsgid', 'is not a scoreboard of wsgid'),
    (b'#!/bin/sh\n' * 500, 'is not a scoreboard of wsgid'),
    (board()[:400], 'its header alone needs 1224'),
    (board(), 'it has 1280 bytes, by its header it needs 1568'),
    (board(major=2, minor=7), 'is of version 2.7'),
    (board(process_size=3), 'is damaged'),
    (board(process_count=0), 'is damaged'),
    (board(worker_size=0xffffffff), 'is damaged'),
    (board(page_size=1), 'is damaged'),
    (board(board_size=0xffffffff), 'is damaged'),
    (board(process_size=0xffffffff), 'is cut short'),
]


@pytest.mark.parametrize('data, says', REFUSED, ids=[says for _, says in REFUSED])
def test_foreign_and_cut_files_are_refused_with_a_sentence(tmp_path, data, says):
    file = tmp_path / 'site.scoreboard'
    file.write_bytes(data)
    refused = run(file)
    assert refused.returncode == 1
    assert refused.stdout == ''
    assert says in refused.stderr and str(file) in refused.stderr
    assert refused.stderr.count('\n') == 1


def test_what_is_no_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / 'a.scoreboard')
    for name, says in (('a.scoreboard', 'not a regular file'), ('none', 'No such file'),
                       ('', 'not a regular file')):
        refused = run(tmp_path / name)
        assert refused.returncode == 1
        assert says in refused.stderr


def test_pages_that_are_none_spoil_their_own_row_alone(path):
    for spoil, says in ((b'', 'page has 0 of 656 bytes'), (b'x' * 1000, 'does not begin as one')):
        (path.parent / 'site.scoreboard.1').write_bytes(spoil)
        shown = run(path)
        assert says in shown.stdout
        assert 'KWSS' in shown.stdout
    (path.parent / 'site.scoreboard.1').unlink()
    (path.parent / 'site.scoreboard.1').symlink_to('/etc/passwd')
    assert 'page unreadable' in run(path).stdout


def test_a_page_that_lies_about_its_pid_is_told(path):
    (path.parent / 'site.scoreboard.0').write_bytes(page(bytes(2 * WORKER_SIZE), pid=1))
    assert 'page says it is of pid 1' in run(path).stdout


def test_random_bytes_in_pages_are_printed_harmlessly(path, capsys):
    dice = random.Random(1)
    for i in range(200):
        for slot in (0, 1, 2):
            data = dice.randbytes(WORKER_OFFSET + 2 * WORKER_SIZE)
            if i % 4:
                data = tool.PAGE_MAGIC + data[8:]
            (path.parent / f'site.scoreboard.{slot}').write_bytes(data)
        all_ = tool.gather(str(path))
        tool.print_board(all_)
        tool.print_processes(all_)
        tool.print_workers(all_)
        json.dumps(all_)
        shown = capsys.readouterr().out
        assert shown.replace('\n', '').isprintable()


def test_random_process_records_are_printed_harmlessly(path, capsys):
    dice = random.Random(2)
    for _ in range(100):
        path.write_bytes(board() + dice.randbytes(3 * tool.size_of(tool.PROCESS)))
        all_ = tool.gather(str(path))
        tool.print_board(all_)
        tool.print_processes(all_)
        tool.print_workers(all_)
        assert capsys.readouterr().out.replace('\n', '').isprintable()


def test_a_newer_minor_version_is_read_over_its_additions(tmp_path):
    path = tmp_path / 'site.scoreboard'
    path.write_bytes(
        board(slots=2, minor=9, process_size=tool.size_of(tool.PROCESS) + 16,
              board_size=tool.size_of(tool.BOARD) + 8)
        + pack(tool.PROCESS, pid=7, lifecycle=2) + b'x' * 16
        + pack(tool.PROCESS, pid=8, lifecycle=3) + b'x' * 16)
    all_ = json.loads(run('--json', path).stdout)
    assert [p['pid'] for p in all_['processes']] == [7, 8]
    assert all_['processes'][1]['lifecycle'] == 'draining'


def test_a_wrong_option_is_a_question_of_usage():
    assert run('--yaml').returncode == 2
    assert run('--help').returncode == 0
