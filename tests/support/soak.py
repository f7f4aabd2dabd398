#!/usr/bin/python3
"""Restart a server gracefully, very often, under load, and see that nothing is left of it.

usage: soak.py [--restarts N] [--mutex MECHANISM] [--listeners N] [--threads N]

Before each restart the application on disk gets a new number.  Clients ask all the time,
two over connections that are never closed, two over a new one each time; every answer
carries the number and the pid of the process that gave it, and both must be what the
scoreboard says of that process.  What the server holds after ten restarts is what it must
hold in the end: descriptors, mappings, memory, System V objects, files, processes, slots.

Exit status: 0 all is as it was, 1 it is not; what has changed is said.
"""

import argparse
import collections
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import server as servers  # noqa: E402
from client import Closed, Connection, get  # noqa: E402

PROCESSES = 2
SLOTS = 8            # ServerLimit; as many again are for those that drain
WARM = 10            # restarts until everything has been used once
CLIENTS = 4
RATE = 30            # requests a second of each client; 50 of all together are asked for
ASKED_RATE = 50
SLOW_EVERY = 15      # requests; these are still running when their child is told to retire
BY_WSGICTL_EVERY = 10
PROGRESS_EVERY = 100

# What the master's memory may grow by.  The heap of a server that leaks 100 bytes a restart
# exceeds this in 2,500; pages of the program that were read in late are no leak.
# The address sanitizer keeps what was freed, and finds leaks by itself.
# Pss is not looked at: it rises when other processes of the same program end.
MORE_HEAP_KB = 1 << 20 if servers.SANITIZED else 128
MORE_RSS_KB = 1 << 20 if servers.SANITIZED else 512

# A script: modules have bytecode files, which cannot tell two versions of one second.
APP = '''
import os
import time

VERSION = %d


def application(environ, start_response):
    if environ['PATH_INFO'] == '/slow':
        time.sleep(0.03)
    body = b'%%d %%d' %% (VERSION, os.getpid())
    start_response('200 OK', [('Content-Type', 'text/plain'),
                              ('Content-Length', str(len(body)))])
    return [body]
'''

Answer = collections.namedtuple('Answer', 'version pid oldest newest')


# --- what a server holds --------------------------------------------------------------------

PAGE = 'page of a slot'


def kind_of(link: str) -> str:
    """What a descriptor is, without the number that tells it from its like."""
    if re.search(r'\.scoreboard\.\d+( \(deleted\))?$', link):
        return PAGE
    return re.sub(r'\d+', 'N', link)


def without_pages(found: collections.Counter) -> collections.Counter:
    """A slot has its page from its first use on, and how many are in use at once is chance:
    pages are held to the number of slots, not to what they were."""
    return collections.Counter({kind: n for kind, n in found.items() if kind != PAGE})


def descriptors_of(pid: int) -> collections.Counter:
    found = collections.Counter()
    for path in pathlib.Path(f'/proc/{pid}/fd').iterdir():
        try:
            found[kind_of(os.readlink(path))] += 1
        except FileNotFoundError:
            pass
    return found


def inherited_of(pid: int) -> collections.Counter:
    """A child's descriptors without its sockets, for how many clients it has is chance."""
    return collections.Counter({kind: number for kind, number in descriptors_of(pid).items()
                                if not kind.startswith('socket:')})


def mappings_of(pid: int) -> collections.Counter:
    """By what is mapped; two neighbours without a name are one or two as the kernel likes."""
    text = pathlib.Path(f'/proc/{pid}/maps').read_text()
    names = [' '.join(line.split()[5:]) for line in text.splitlines()]
    return collections.Counter(kind_of(name) for name in names if name)


def memory_of(pid: int) -> dict:
    """smaps_rollup: kilobytes by name."""
    text = pathlib.Path(f'/proc/{pid}/smaps_rollup').read_text()
    return {name: int(size) for name, size in re.findall(r'^(\w+): +(\d+) kB', text, re.M)}


def has_own_ipc() -> bool:
    """May we make a namespace for System V objects, so that others' are not counted?"""
    if not servers.IS_ROOT or not shutil.which('unshare') or not shutil.which('nsenter'):
        return False
    return subprocess.run(['unshare', '--ipc', 'true'], capture_output=True).returncode == 0


def system_v_objects(pid: int, own_ipc: bool) -> int:
    """Semaphores, segments and queues: of the namespace, else of our user."""
    paths = [f'/proc/sysvipc/{kind}' for kind in ('sem', 'shm', 'msg')]
    if own_ipc:
        text = subprocess.run(['nsenter', '--target', str(pid), '--ipc', 'cat', *paths],
                              capture_output=True, text=True, check=True).stdout
        return sum(not line.lstrip().startswith('key') for line in text.splitlines())
    found = 0
    for path in paths:
        head, *rows = pathlib.Path(path).read_text().splitlines()
        owner = head.split().index('uid')
        found += sum(int(row.split()[owner]) == os.geteuid() for row in rows)
    return found


def shared_memory_files() -> set:
    place = pathlib.Path('/dev/shm')
    return {path.name for path in place.iterdir() if 'wsgid' in path.name} \
        if place.is_dir() else set()


def files_of(directory: pathlib.Path) -> collections.Counter:
    return collections.Counter(map(kind_of, os.listdir(directory)))


class Holdings:
    """Everything that must not grow, of a server at rest."""

    def __init__(self, server, own_ipc: bool):
        ready = server.wait_for_ready(PROCESSES)

        # Those that drain have their channel, their output and their slot until they end.
        def at_rest():
            rows = [row for row in server.board()['processes'] if row['pid']]
            return len(rows) == PROCESSES == len(server.children())
        servers.wait_until(at_rest, 'the end of the old children')
        self.memory = memory_of(server.pid)
        self.slots = len(server.board()['processes'])
        counted = {
            'descriptors of the master': descriptors_of(server.pid),
            'mappings of the master': mappings_of(server.pid),
            'descriptors of a child': inherited_of(next(iter(ready))),
            'files in the run directory': files_of(server.run_directory),
        }
        self.pages = {what: found[PAGE] for what, found in counted.items()}
        self.exact = {
            **{what: without_pages(found) for what, found in counted.items()},
            'System V objects': system_v_objects(server.pid, own_ipc),
            'shared memory files': shared_memory_files(),
            'processes': len(server.children()),
            'slots': self.slots,
        }

    def differences(self, before: 'Holdings') -> list:
        """Sentences about what is not as it was before."""
        said = []
        for what, now in self.exact.items():
            then = before.exact[what]
            if now == then:
                continue
            if isinstance(now, collections.Counter):
                then, now = dict(then - now), dict(now - then)
            said.append(f'{what}: {now} in the end, {then} after {WARM} restarts')
        said += [f'{what}: {number} pages of {self.slots} slots'
                 for what, number in self.pages.items() if number > self.slots]
        for name, more in (('Anonymous', MORE_HEAP_KB), ('Rss', MORE_RSS_KB)):
            now, then = self.memory[name], before.memory[name]
            if now > then + more:
                said.append(f"the master's memory ({name}): {now} KiB in the end, {then} KiB "
                            f'after {WARM} restarts')
        return said


# --- the load -------------------------------------------------------------------------------

class Load:
    """Clients that never stop asking, at a pace that a late one catches up with."""

    def __init__(self, addresses: list):
        self.oldest = self.newest = 1  # generations that may answer now
        self.answers = collections.deque()
        self.failures = []
        self.counts = [0] * CLIENTS
        self.longest = 0.0
        self._stop = threading.Event()
        self._begin = time.monotonic()
        self._threads = [threading.Thread(target=self._client, args=(i, addresses[i % len(
            addresses)], i % 4 < 2)) for i in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def _ask(self, connection, address, target: str):
        oldest, begin = self.oldest, time.monotonic()
        response = connection.get(target) if connection else get(address, target)
        self.longest = max(self.longest, time.monotonic() - begin)
        if response.status != 200 or not response.complete:
            raise ValueError(f'status {response.status}, {response.body[:80]!r}')
        version, pid = map(int, response.body.split())
        self.answers.append(Answer(version, pid, oldest, self.newest))

    def _client(self, i: int, address, keeps: bool):
        connection = Connection(address) if keeps else None
        while not self._stop.is_set():
            target = '/slow' if self.counts[i] % SLOW_EVERY == i else '/'
            try:
                self._ask(connection, address, target)
            except (Closed, OSError, ValueError) as e:
                how = 'kept connection' if keeps else 'new connection'
                self.failures.append(f'{how}: {type(e).__name__} {e}'.rstrip())
                if keeps:
                    connection.close()
                    connection = Connection(address)
            self.counts[i] += 1
            due = self._begin + self.counts[i] / RATE
            self._stop.wait(max(0.0, due - time.monotonic()))
        if connection:
            connection.close()

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def requests(self) -> int:
        return sum(self.counts)


# --- the soak -------------------------------------------------------------------------------

class Soak:
    """Soak(server, path of its application).run(restarts)."""

    def __init__(self, server, path: pathlib.Path, own_ipc: bool, say=lambda text: None):
        self.server, self.path, self.own_ipc, self.say = server, path, own_ipc, say
        self.wrong = []
        self.known = set()  # (generation, pid) as the scoreboard has had them
        self.load = None

    def write_version(self, version: int):
        new = self.path.with_name(self.path.name + '.new')
        new.write_text(APP % version)
        new.chmod(0o644)
        new.rename(self.path)

    def start(self):
        self.write_version(1)
        self.server.start()
        self.server.wait_for_ready(PROCESSES)
        self.look()
        self.load = Load(self.server.addresses_of_clients())

    def look(self) -> dict:
        """The board's own record, having learned who is of which generation."""
        state = self.server.board()
        rows = [row for row in state['processes'] if row['pid']]
        self.known.update((row['generation'], row['pid']) for row in rows)
        if self.load is not None:
            self.load.oldest = min(row['generation'] for row in rows)
        return state['board']

    def check_answers(self):
        answers = self.load.answers
        for _ in range(len(answers)):
            a = answers.popleft()
            if (a.version, a.pid) not in self.known:
                self.wrong.append(f'pid {a.pid} answered as generation {a.version}, which the '
                                  f'scoreboard never said of it')
            elif not a.oldest <= a.version <= a.newest:
                self.wrong.append(f'generation {a.version} answered, while {a.oldest} to '
                                  f'{a.newest} lived')

    def restart(self, number: int):
        self.load.newest = number
        self.write_version(number)
        if number % BY_WSGICTL_EVERY == 0:
            run = subprocess.run([str(servers.BUILD / 'wsgictl'), '--run-directory',
                                  str(self.server.run_directory), 'reload'],
                                 capture_output=True, text=True, timeout=servers.PATIENCE)
            if run.returncode != 0:
                raise RuntimeError(f'wsgictl reload: {run.stdout}{run.stderr}')
        else:
            self.server.kill(signal.SIGUSR1)

        def is_over():
            board = self.look()
            return board['generation'] == number and board['reload_result'] != 'running' and board
        board = servers.wait_until(is_over, f'the end of restart {number - 1}')
        if board['reload_result'] != 'done':
            raise RuntimeError(f'restart {number - 1}: {board["reload_reason"]}')
        self.check_answers()

    def run(self, restarts: int) -> str:
        """The summary; what is wrong is in self.wrong."""
        before, begin = None, time.monotonic()
        self.start()
        try:
            for done in range(1, restarts + 1):
                self.restart(done + 1)
                if done == WARM:
                    before = Holdings(self.server, self.own_ipc)
                if done % PROGRESS_EVERY == 0 and done < restarts:
                    self.say(f'{done} of {restarts} restarts in {time.monotonic() - begin:.0f} '
                             f's, {self.load.requests:,} requests')
            after = Holdings(self.server, self.own_ipc)
        finally:
            self.load.stop()
        seconds = time.monotonic() - begin
        self.check_answers()
        self.wrong += self.load.failures + after.differences(before)
        rate = self.load.requests / seconds
        if rate < ASKED_RATE:
            self.wrong.append(f'the load was {rate:.0f} requests a second, not {ASKED_RATE}')
        self.check_log()
        return self.summary(restarts, seconds, before, after)

    def check_log(self):
        """What is said of the configuration is as it was before the restarts."""
        self.wrong += [line for line in re.findall(r'^.*:(?:warn|error)\].*$',
                                                   self.server.log.text(), re.M)
                       if '[config:warn]' not in line]

    def summary(self, restarts, seconds, before, after) -> str:
        now, then = after.memory, before.memory
        descriptors = sum(after.exact['descriptors of the master'].values())
        return (f'{restarts:,} graceful restarts in {seconds:.0f} s, {self.load.requests:,} '
                f'requests ({self.load.requests / seconds:.0f}/s), {len(self.load.failures)} '
                f'failed, longest wait {self.load.longest * 1000:.0f} ms; the master has '
                f'{descriptors} descriptors, {now["Rss"]} KiB resident '
                f'({now["Rss"] - then["Rss"]:+}), {now["Anonymous"]} KiB of its own '
                f'({now["Anonymous"] - then["Anonymous"]:+}), '
                f'{after.exact["System V objects"]} System V objects')


def make(directory: pathlib.Path, listeners: int, mutex: str, threads: int = 1,
         say=lambda text: None) -> Soak:
    """A soak of a server in this directory; nothing is started yet."""
    own_ipc = has_own_ipc()
    path = directory / 'generation.wsgi'
    words = [path, '-w', PROCESSES, '--server-limit', SLOTS, '--mutex', mutex,
             '--custom-log', directory / 'access.log']
    if threads > 1:
        words += ['--threads', threads]
    sockets = [directory / f'socket{i}' for i in range(listeners - 1)]
    for place in sockets:
        words += ['-b', f'unix:{place}']
    server = servers.Server(directory, *words,
                            launcher=('unshare', '--ipc') if own_ipc else ())
    server.addresses_of_clients = lambda: [server.address, *sockets]
    return Soak(server, path, own_ipc, say)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog='soak', description='Many graceful restarts under load; nothing may be left.')
    parser.add_argument('--restarts', type=int, default=2500, metavar='N')
    parser.add_argument('--mutex', default='sysvsem', metavar='MECHANISM')
    parser.add_argument('--listeners', type=int, default=2, metavar='N')
    parser.add_argument('--threads', type=int, default=1, metavar='N')
    options = parser.parse_args()
    if options.restarts <= WARM:
        parser.error(f'--restarts {options.restarts}: what is left is compared with what there '
                     f'is after {WARM}')
    directory = servers.open_directory('wsgid-soak-')

    def say(text):
        print(f'soak: {text}', flush=True)
    soak = make(directory, options.listeners, options.mutex, options.threads, say)
    try:
        say(soak.run(options.restarts))
        soak.server.stop()
    except (TimeoutError, RuntimeError, AssertionError) as e:
        soak.wrong.append(f'{e}\n{soak.server.log.text()[-4000:]}')
    except KeyboardInterrupt:
        return 130
    finally:
        soak.server.discard()
        shutil.rmtree(directory, ignore_errors=True)
    for sentence in soak.wrong[:20]:
        say(sentence)
    if len(soak.wrong) > 20:
        say(f'and {len(soak.wrong) - 20} more')
    return 1 if soak.wrong else 0


if __name__ == '__main__':
    sys.exit(main())
