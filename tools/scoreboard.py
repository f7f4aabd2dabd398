#!/usr/bin/python3
"""Print a wsgid scoreboard from its files alone.

usage: scoreboard.py [--json] [FILE|DIRECTORY]

FILE is a NAME.scoreboard; a DIRECTORY is a run directory that holds one.  Without
either, $RUNTIME_DIRECTORY, /run/wsgid and $XDG_RUNTIME_DIR/wsgid are looked into.

The server is not asked for anything, so this works while it runs, while it is stopped
and when it is dead.  The layout is that of include/wsgid/scoreboard.h; where the records
are and how long they are is read from the file, so additions of later minor versions are
stepped over.  Pages are written by children and may hold anything: nothing in them is
believed further than to be printed.

Exit status: 0 printed, 1 the file is no good, 2 usage.
"""

import argparse
import json
import os
import stat
import struct
import sys
import time

MAJOR = 1
BOARD_MAGIC = b'wsgidSB\0'
PAGE_MAGIC = b'wsgidPG\0'
MOST_PROCESSES = 1000000
MOST_WORKERS = 100000

# The fields in their order: struct's letters, "NNs" a text.  The header guarantees that
# there is no padding between them.
BOARD = [
    ('magic', '8s'), ('major', 'H'), ('minor', 'H'), ('board_size', 'I'),
    ('process_offset', 'I'), ('process_size', 'I'), ('process_count', 'I'),
    ('page_size', 'I'), ('worker_offset', 'I'), ('worker_size', 'I'), ('worker_count', 'I'),
    ('master_pid', 'i'), ('generation', 'I'), ('reload_result', 'I'), ('start_us', 'q'),
    ('restart_us', 'q'), ('reload_begin_us', 'q'), ('reload_end_us', 'q'),
    ('updated_us', 'q'), ('children_started', 'Q'), ('children_crashed', 'Q'),
    ('max_request_workers', 'I'), ('throttled', 'I'), ('name', '64s'), ('version', '32s'),
    ('mpm', '16s'), ('accept', '32s'), ('python', '64s'), ('application', '128s'),
    ('listeners', '256s'), ('reload_reason', '512s'),
    ('template_pid', 'i'), ('templates_started', 'I'),
]
# Behind its histograms.
BOARD_MORE = [('counted_us', 'q'), ('reload_log', '4096s'), ('stopping_us', 'q'),
              ('config_file', '256s'), ('deadlock_us', 'q')]
PROCESS = [
    ('pid', 'i'), ('lifecycle', 'I'), ('generation', 'I'), ('last_status', 'i'),
    ('forked_us', 'q'), ('ready_us', 'q'), ('told_us', 'q'), ('died_us', 'q'),
    ('past_requests', 'Q'), ('past_connections', 'Q'), ('past_bytes_in', 'Q'),
    ('past_bytes_out', 'Q'), ('past_busy_us', 'Q'), ('workers', 'I'), ('reserved', 'I'),
]
PAGE = [
    ('magic', '8s'), ('pid', 'i'), ('generation', 'I'), ('heartbeat_us', 'q'),
    ('connections', 'I'), ('parked', 'I'), ('accepting', 'I'), ('wants_retire', 'I'),
    ('requests', 'Q'), ('accepted', 'Q'), ('bytes_in', 'Q'), ('bytes_out', 'Q'),
    ('busy_us', 'Q'), ('aborted', 'Q'), ('refused', 'Q'), ('io_engine', '16s'),
]
# Likewise.
PAGE_MORE = [('gil_us', 'q'), ('writing', 'I'), ('closing', 'I'),
             ('gil_monotonic_us', 'q')]
WORKER = [
    ('state', 'I'), ('thread', 'I'), ('requests', 'Q'), ('bytes_out', 'Q'),
    ('begin_us', 'q'), ('end_us', 'q'), ('client', '48s'), ('method', '16s'),
    ('target', '160s'),
]
# Not read: there may be secrets in it.  "wsgictl fullstatus --query" shows it.
WORKER_MORE = [('query', '160s')]

# Behind the board's and the page's fields since 1.2: a histogram for each of these, which is
# its buckets' counts, the sum and the longest, all in microseconds.
DURATIONS = ['wait', 'application', 'total']
TIMES_BUCKETS = 140
TIMES_SIZE = (TIMES_BUCKETS + 2) * 8

# Of version 1.0, which ended before the template and the number of workers.
BOARD_LEAST, PROCESS_LEAST = 1224, 88

LIFECYCLES = ['vacant', 'starting', 'ready', 'draining', 'stopping']
VACANT, STARTING, READY, DRAINING, STOPPING = range(5)
RELOADS = ['none', 'running', 'done', 'failed']
STATES = '.S_RWKLCGI'
IN_REQUEST = 'RWL'


class BadFile(Exception):
    """A sentence that says what is wrong with a file."""


def size_of(fields: list) -> int:
    return struct.calcsize('=' + ''.join(kind for _, kind in fields))


def text_of(raw: bytes) -> str:
    """A text as it may be shown on a terminal, whoever wrote it."""
    text = raw.split(b'\0', 1)[0].decode(errors='replace')
    return ''.join(c if c.isprintable() and c != '\ufffd' else '?' for c in text)


def lines_of(raw: bytes) -> list:
    """Of a text with newlines in it."""
    return [text_of(line) for line in raw.split(b'\0', 1)[0].splitlines()]


def unpack(fields: list, data: bytes) -> dict:
    """A record; what is missing at its end reads as zeroes."""
    size = size_of(fields)
    values = struct.unpack('=' + ''.join(kind for _, kind in fields),
                           data[:size].ljust(size, b'\0'))
    return {name: text_of(value) if isinstance(value, bytes) else value
            for (name, _), value in zip(fields, values)}


def histograms_of(data: bytes, at: int) -> list:
    """Of each of DURATIONS the numbers; zeroes from before there were any."""
    end = at + len(DURATIONS) * TIMES_SIZE
    if len(data) < end:
        return [[0] * (TIMES_BUCKETS + 2) for _ in DURATIONS]
    return [list(struct.unpack_from(f'={TIMES_BUCKETS + 2}Q', data, at + i * TIMES_SIZE))
            for i in range(len(DURATIONS))]


def merge(a: list, b: list) -> list:
    """Two histograms as one: all is added, but the longest."""
    return [x + y for x, y in zip(a[:-1], b[:-1])] + [max(a[-1], b[-1])]


def floor_of(bucket: int) -> int:
    """The shortest duration that a bucket counts."""
    return bucket if bucket < 4 else (4 + bucket % 4) << (bucket // 4 - 1)


def share_of(histogram: list, share: float) -> int:
    """The duration that this share of them did not pass, as wsgictl reckons it."""
    counts, longest = histogram[:TIMES_BUCKETS], histogram[-1]
    wanted, so_far = sum(counts) * share, 0
    for bucket, n in enumerate(counts):
        so_far += n
        if n and so_far >= wanted:
            floor, last = floor_of(bucket), floor_of(bucket + 1) - 1
            if longest >= floor and (longest < last or bucket == TIMES_BUCKETS - 1):
                last = longest
            return (floor + last) // 2
    return 0


def summary_of(histogram: list) -> dict:
    return {'count': sum(histogram[:TIMES_BUCKETS]), 'sum_us': histogram[-2],
            **{f'p{p}_us': share_of(histogram, p / 100) for p in (50, 90, 99)},
            'max_us': histogram[-1]}


def read_file(path: str, limit: int, follow: bool) -> bytes:
    """At most limit bytes of a regular file; a FIFO of that name must not make us wait."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    fd = os.open(path, flags)
    with open(fd, 'rb') as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise BadFile(f'{path} is not a scoreboard of wsgid: it is not a regular file')
        return file.read(limit)


def check_board(path: str, data: bytes) -> dict:
    """The board's own record, when the file is what it claims to be."""
    if data[:8] != BOARD_MAGIC:
        raise BadFile(f'{path} is not a scoreboard of wsgid')
    board = unpack(BOARD, data)
    if len(data) >= 12 and board['major'] != MAJOR:
        raise BadFile(f'scoreboard {path} is of version {board["major"]}.{board["minor"]}, this '
                      f'program reads {MAJOR}.x; use the one that came with that wsgid')
    if len(data) < BOARD_LEAST:
        raise BadFile(f'scoreboard {path} is cut short: it has {len(data)} bytes, its header '
                      f'alone needs {BOARD_LEAST}')
    b = board = unpack(BOARD, data[:max(board['board_size'], BOARD_LEAST)])
    if (b['board_size'] < BOARD_LEAST or b['process_offset'] < b['board_size']
            or b['process_size'] < PROCESS_LEAST or b['worker_offset'] < size_of(PAGE)
            or b['worker_size'] < size_of(WORKER)
            or not 1 <= b['process_count'] <= MOST_PROCESSES
            or not 1 <= b['worker_count'] <= MOST_WORKERS
            or b['page_size'] < b['worker_offset'] + b['worker_size'] * b['worker_count']):
        raise BadFile(f'scoreboard {path} is damaged: the sizes in its header contradict each '
                      f'other')
    need = b['process_offset'] + b['process_size'] * b['process_count']
    if os.stat(path).st_size < need:
        raise BadFile(f'scoreboard {path} is cut short: it has {os.stat(path).st_size} bytes, by '
                      f'its header it needs {need}')
    return board


def read_board(path: str) -> tuple:
    """The board and its process records."""
    board = check_board(path, read_file(path, size_of(BOARD), True))
    end = board['process_offset'] + board['process_size'] * board['process_count']
    data = read_file(path, end, True)
    board['past_durations'] = histograms_of(data[:board['board_size']], size_of(BOARD))
    behind = size_of(BOARD) + len(DURATIONS) * TIMES_SIZE
    more = data[behind:board['board_size']]
    board.update(unpack(BOARD_MORE, more))
    board['reload_log'] = lines_of(more[size_of(BOARD_MORE[:1]):size_of(BOARD_MORE[:2])])
    processes = []
    for slot in range(board['process_count']):
        at = board['process_offset'] + slot * board['process_size']
        processes.append(unpack(PROCESS, data[at:at + board['process_size']]))
    return board, processes


def read_page(path: str, board: dict, slot: int) -> tuple:
    """The page of a slot, its workers and what is wrong with it, or None, [] and why."""
    try:
        # Beside the board itself, where ScoreBoardFile has put that elsewhere.
        data = read_file(f'{os.path.realpath(path)}.{slot}', board['page_size'], False)
    except FileNotFoundError:
        return None, [], ''
    except (OSError, BadFile) as e:
        return None, [], f'page unreadable: {getattr(e, "strerror", None) or "no file"}'
    if len(data) < board['page_size']:
        return None, [], f'page has {len(data)} of {board["page_size"]} bytes'
    if data[:8] != PAGE_MAGIC:
        return None, [], 'page does not begin as one'
    page = unpack(PAGE, data[:board['worker_offset']])
    page['durations'] = histograms_of(data[:board['worker_offset']], size_of(PAGE))
    behind = size_of(PAGE) + len(DURATIONS) * TIMES_SIZE
    page.update(unpack(PAGE_MORE, data[behind:board['worker_offset']]))
    workers = []
    for i in range(board['worker_count']):
        at = board['worker_offset'] + i * board['worker_size']
        worker = unpack(WORKER, data[at:at + board['worker_size']])
        state = worker['state']
        worker['state'] = '.' if state == 0 else chr(state) if state < 127 else '?'
        if worker['state'] not in STATES:
            worker['state'] = '?'
        workers.append(worker)
    return page, workers, ''


def state_of_master(board: dict) -> str:
    """running, stopped or dead.  A pid may belong to another process by now: one that began
    after the scoreboard was last written is not ours."""
    try:
        with open(f'/proc/{board["master_pid"]}/stat', 'rb') as file:
            fields = file.read().rsplit(b')', 1)[1].split()
        with open('/proc/uptime', 'rb') as file:
            uptime = float(file.read().split()[0])
    except (OSError, IndexError, ValueError):
        return 'dead'
    age = uptime - int(fields[19]) / os.sysconf('SC_CLK_TCK')
    began_us = (time.time() - age) * 1e6
    if fields[0] in (b'Z', b'X') or began_us > max(board['updated_us'], board['start_us']) + 5e6:
        return 'dead'
    return 'stopped' if fields[0] in (b'T', b't') else 'running'


def workers_of(process: dict, board: dict) -> int:
    """How many of the worker records of its page a child uses."""
    known = 1 <= process['workers'] <= board['worker_count']
    return process['workers'] if known else board['worker_count']


def letters_of(process: dict, page: dict, workers: list, count: int) -> str:
    """A letter a worker, as Apache's status page has it.

    Connections that are kept alive, or being closed, need no worker: an idle one is K for the
    former and the next one C for the latter.  Of a child that was told to go G finishes, and I
    has nothing to do any more.  What one without a page does is not known.
    """
    if process['lifecycle'] == VACANT or process['pid'] == 0:
        return '.' * count
    # Nothing is in a page until its child has begun.
    if process['lifecycle'] == STARTING:
        return 'S' * count
    states = ''.join(w['state'] for w in workers) or '.' * count
    if process['lifecycle'] in (DRAINING, STOPPING):
        return ''.join('G' if state in IN_REQUEST else 'I' for state in states)
    if not page:
        return '?' * count
    states = states.replace('.', 'S')
    for letter, held in (('K', 'parked'), ('C', 'closing')):
        if page[held]:
            states = states.replace('_', letter, 1)
    return states


def count(rows: list) -> dict:
    """Apache's counts: workers busy, idle, starting, graceful; and unknown."""
    counts = {'processes': 0, 'busy': 0, 'idle': 0, 'starting': 0, 'graceful': 0, 'unknown': 0,
              'parked': 0, 'writing': 0, 'closing': 0, 'connections': 0}
    for row in rows:
        if row['pid'] == 0:
            continue
        counts['processes'] += 1
        counts['connections'] += row['connections']
        for name in ('parked', 'writing', 'closing'):
            counts[name] += row[name]
        for letter in row['letters']:
            if letter in '_KC':
                counts['idle'] += 1
            elif letter == 'S':
                counts['starting'] += 1
            elif letter in 'GI':
                counts['graceful'] += 1
            elif letter == '?':
                counts['unknown'] += 1
            elif letter != '.':
                counts['busy'] += 1
    return counts


def name_in(names: list, number: int) -> str:
    return names[number] if number < len(names) else f'{number}?'


def gather(path: str) -> dict:
    """Everything there is to know, as --json prints it."""
    board, processes = read_board(path)
    board['master'] = state_of_master(board)
    board['reload_result'] = name_in(RELOADS, board['reload_result'])
    durations = board.pop('past_durations')
    rows = []
    # ThreadLimit may be far above what children have; a vacant slot shows what a child has.
    most = max((workers_of(p, board) for p in processes if p['pid']), default=1)
    totals = dict.fromkeys(['requests', 'connections', 'bytes_in', 'bytes_out', 'busy_us'], 0)
    for slot, process in enumerate(processes):
        page, workers, trouble = read_page(path, board, slot)
        used = workers_of(process, board) if process['pid'] else most
        workers = workers[:used]
        row = {'slot': slot, **process, 'lifecycle': name_in(LIFECYCLES, process['lifecycle']),
               'letters': letters_of(process, page, workers, used), 'page': page,
               'workers': workers, 'trouble': trouble,
               'connections': page['connections'] if page else 0,
               'parked': page['parked'] if page else 0,
               'writing': page['writing'] if page else 0,
               'closing': page['closing'] if page else 0}
        for total in totals:
            row[f'total_{total}'] = process[f'past_{total}'] + (
                page['accepted' if total == 'connections' else total] if page else 0)
            totals[total] += row[f'total_{total}']
        if page:
            durations = [merge(a, b) for a, b in zip(durations, page['durations'])]
            page['durations'] = {name: summary_of(histogram) for name, histogram
                                 in zip(DURATIONS, page['durations'])}
        if page and process['pid'] and page['pid'] not in (0, process['pid']):
            row['trouble'] = f'page says it is of pid {page["pid"]}'
        rows.append(row)
    # Of a dead server's children the age that they had when it last wrote.
    now_us = board['updated_us'] if board['master'] == 'dead' else time.time_ns() // 1000
    return {'file': path, 'now_us': now_us, 'board': board, 'counts': count(rows), 'totals': totals,
            'durations': {name: summary_of(histogram) for name, histogram
                          in zip(DURATIONS, durations)},
            'scoreboard': ''.join(row['letters'] for row in rows), 'processes': rows}


# --- for people ---------------------------------------------------------------------------

def when(us: int) -> str:
    try:
        return time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(us / 1e6)) if us else '-'
    except (OverflowError, ValueError, OSError):
        return '?'


def duration(us: float) -> str:
    if us < 0:
        return '-'
    if us < 1e6:
        return f'{us / 1e3:.0f}ms'
    if us < 100e6:
        return f'{us / 1e6:.1f}s'
    minutes = int(us // 60e6)
    if minutes < 100:
        return f'{minutes}m'
    return f'{minutes // 60}h' if minutes < 6000 else f'{minutes // 1440}d'


def size(n: int) -> str:
    value = float(n)
    for unit in ('', 'k', 'M', 'G', 'T', 'P'):
        if value < 10000 or unit == 'P':
            return f'{value:.0f}{unit}' if unit == '' else f'{value:.1f}{unit}'
        value /= 1024
    return ''


def ended(status: int) -> str:
    if status == 0:
        return 'exit 0'
    if os.WIFEXITED(status):
        return f'exit {os.WEXITSTATUS(status)}'
    return f'signal {os.WTERMSIG(status)}' if os.WIFSIGNALED(status) else f'status {status}'


def print_table(heads: list, rows: list) -> None:
    """Columns as wide as they need; the last one as it comes."""
    table = [heads] + [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(heads))]
    for row in table:
        print('  ' + '  '.join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def print_board(all_: dict) -> None:
    board, counts, totals = all_['board'], all_['counts'], all_['totals']
    print(f'{all_["file"]}: {board["version"] or "wsgid"}, instance {board["name"]}')
    tail = {'running': '', 'stopped': ' (stopped by a signal)',
            'dead': ': this is the last it wrote'}[board['master']]
    print(f'  master       pid {board["master_pid"]}, {board["master"]}{tail}')
    print(f'  layout       {board["major"]}.{board["minor"]}, {board["process_count"]} slots of up '
          f'to {board["worker_count"]} workers, MaxRequestWorkers {board["max_request_workers"]}')
    for label in ('mpm', 'accept', 'python', 'application', 'listeners'):
        print(f'  {label:<12} {board[label] or "-"}')
    print(f'  started      {when(board["start_us"])}, restarted {when(board["restart_us"])}, '
          f'written {when(board["updated_us"])}')
    print(f'  generation   {board["generation"]}, last reload {board["reload_result"]}'
          + (f' ({when(board["reload_begin_us"])} to {when(board["reload_end_us"])})'
             if board['reload_begin_us'] else '')
          + (f': {board["reload_reason"]}' if board['reload_reason'] else ''))
    for line in board['reload_log']:
        print(f'    {line}')
    print(f'  children     {board["children_started"]} started, {board["children_crashed"]} '
          f'crashed{", starts are delayed" if board["throttled"] else ""}')
    if board['templates_started']:
        print(f'  template     pid {board["template_pid"] or "-"}, {board["templates_started"]} '
              f'started')
    print(f'  now          {counts["processes"]} processes; workers {counts["busy"]} busy, '
          f'{counts["idle"]} idle, {counts["starting"]} starting, {counts["graceful"]} graceful, '
          f'{counts["unknown"]} unknown; '
          f'connections {counts["connections"]}, {counts["parked"]} of them parked, '
          f'{counts["writing"]} writing, {counts["closing"]} closing')
    print(f'  totals       {totals["requests"]} requests, {totals["connections"]} connections, '
          f'{size(totals["bytes_in"])} in, {size(totals["bytes_out"])} out, '
          f'{duration(totals["busy_us"])} in the application')
    for label, (name, times) in zip(['durations', '', ''], all_['durations'].items()):
        if times['count']:
            print(f'  {label:<12} {name:<12}' + ' '.join(
                f'{key.removesuffix("_us")} {times[key]} us' for key in times if key.endswith('_us')
                and key != 'sum_us'))
    print('\nscoreboard')
    line = all_['scoreboard'].rstrip('.') or '.'
    for at in range(0, len(line), 64):
        print(f'  {line[at:at + 64]}')
    left = len(all_['scoreboard']) - len(line)
    print(f'  {"and " + str(left) + " more vacant; " if left else ""}'
          '_ idle, S starting, R reading, W working, L logging,\n'
          '  K idle with connections kept alive, C idle with some that close, G graceful, I idle '
          'and about\n  to go, ? not known, . vacant')


def print_processes(all_: dict) -> None:
    now = all_['now_us']
    used = [row for row in all_['processes']
            if row['pid'] or row['died_us'] or row['total_requests'] or row['trouble']]
    rows = []
    for row in used:
        page = row['page'] or {}
        state = row['lifecycle']
        if row['pid'] and page.get('wants_retire'):
            state += ', wants to retire'
        notes = [row['trouble']] if row['trouble'] else []
        if row['died_us']:
            notes.append(f'last one died {when(row["died_us"])}, {ended(row["last_status"])}')
        rows.append([row['slot'], row['pid'] or '-', row['generation'], state, row['letters'],
                     duration(now - row['forked_us']) if row['pid'] else '-',
                     row['connections'], row['parked'], page.get('requests', 0),
                     row['total_requests'], size(row['total_bytes_out']),
                     duration(row['total_busy_us']), page.get('io_engine') or '-',
                     '; '.join(notes)])
    print('\nprocesses')
    print_table(['slot', 'pid', 'gen', 'state', 'workers', 'age', 'conns', 'parked', 'requests',
                 'total', 'out', 'busy', 'engine', ''], rows)


def print_workers(all_: dict) -> None:
    rows = []
    for row in all_['processes']:
        if not row['pid']:
            continue
        for i, (w, letter) in enumerate(zip(row['workers'], row['letters'])):
            busy = w['begin_us'] > w['end_us']
            took = (max(all_['now_us'], w['begin_us']) if busy else w['end_us']) - w['begin_us']
            request = f'{w["method"]} {w["target"]}'.strip()
            rows.append([f'{row["slot"]}-{i}', w['thread'],
                         w['state'] if letter == 'G' else letter, w['requests'],
                         size(w['bytes_out']), when(w['begin_us']),
                         duration(took) if w['begin_us'] else '-', w['client'] or '-', request])
    print('\nworkers')
    print_table(['worker', 'thread', 'state', 'requests', 'out', 'began', 'took', 'client',
                 'request'], rows)


# --- finding the file -----------------------------------------------------------------------

def in_directory(path: str) -> str:
    found = sorted(name for name in os.listdir(path) if name.endswith('.scoreboard'))
    if not found:
        raise BadFile(f'there is no scoreboard in {path}')
    if len(found) > 1:
        raise BadFile(f'{path} has several scoreboards, name one of: ' + ' '.join(found))
    return os.path.join(path, found[0])


def find(argument: str) -> str:
    if argument:
        return in_directory(argument) if os.path.isdir(argument) else argument
    candidates = [os.environ.get('RUNTIME_DIRECTORY', ''), '/run/wsgid']
    if os.environ.get('XDG_RUNTIME_DIR'):
        candidates.append(os.path.join(os.environ['XDG_RUNTIME_DIR'], 'wsgid'))
    for candidate in candidates:
        if candidate and os.path.isdir(candidate):
            return in_directory(candidate)
    raise BadFile('no run directory of wsgid was found; give the path of a NAME.scoreboard')


def main() -> int:
    parser = argparse.ArgumentParser(
        description='Print a wsgid scoreboard from its files alone; the server may be running, '
                    'stopped or dead.')
    parser.add_argument('--json', action='store_true', help='print all of it as JSON')
    parser.add_argument('path', nargs='?', default='', metavar='FILE|DIRECTORY',
                        help='a NAME.scoreboard, or the run directory that has it')
    options = parser.parse_args()
    try:
        all_ = gather(find(options.path))
    except BadFile as e:
        print(f'scoreboard.py: {e}', file=sys.stderr)
        return 1
    except OSError as e:
        print(f'scoreboard.py: {e.filename or options.path}: {e.strerror}', file=sys.stderr)
        return 1
    try:
        if options.json:
            json.dump(all_, sys.stdout, indent=1)
            print()
        else:
            print_board(all_)
            print_processes(all_)
            print_workers(all_)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == '__main__':
    sys.exit(main())
