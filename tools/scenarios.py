"""tools/bench scenarios: what clients have to put up with, side by side.

Each server in turn, alone on its core, in six situations:

mixed     64 clients ask for a 13-byte page over kept-alive connections while one asks for
          something that takes 2 s of CPU time, again and again; four processes
reload    32 clients ask while the server is told five times to reload gracefully
sleepers  32 clients ask for something that waits 20 ms; four processes of eight threads, or
          as many processes where the server has no threads
naps      32 clients ask for a 13-byte page, and one request in 25 waits 5 ms; one process of
          eight threads
slow      64 clients ask beside 100 that have sent half a head and nothing more
burst     1,000 clients connect at the same moment, ask once and go, once a second; four
          processes of eight threads

The load is build/.../tests/load, whose clients ask again for what is lost, and whose longest
wait is of those too who were never answered.
"""

import json
import pathlib
import subprocess
import sys
import time
import typing

import peers

LOAD = peers.BUILD / 'tests' / 'load'
HELD_UP_US = 50000  # of the load by the machine; a longest wait of that says nothing
SPARE = 8       # connections more than the clients keep, where each holds a worker
LONG_CPU = 2.0
SLEEP = 0.02
SLEEPERS = 32
NAP = 0.005
AWAKE = 24      # requests, then one that naps
BURST = 1000
SLOW = 100
RELOADS = 5

APPLICATION = f"""
import itertools
import time

naps = itertools.cycle([0] * {AWAKE} + [{NAP}])


def application(environ, start_response):
    path = environ['PATH_INFO']
    if path == '/cpu':
        end = time.thread_time() + {LONG_CPU}
        while time.thread_time() < end:
            sum(range(1000))
    elif path == '/sleep':
        time.sleep({SLEEP})
    elif path == '/naps' and (nap := next(naps)):
        time.sleep(nap)
    start_response('200 OK', [('Content-Type', 'text/plain'), ('Content-Length', '13')])
    return [b'Hello, World!']
"""


# --- the load -------------------------------------------------------------------------------

def begin_load(server, cpu, clients: int, seconds: int, path: str = '/', *more):
    command = [str(LOAD), '-c', str(clients), '-d', str(seconds), '-p', path, *map(str, more),
               str(server.port)]
    if cpu is not None:
        command[:0] = ['taskset', '-c', str(cpu)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def end_load(process, seconds: int) -> dict:
    said, _ = process.communicate(timeout=seconds + 30)
    if process.returncode != 0:
        raise peers.Missing(f'was not measured: load ended with {process.returncode}')
    result = json.loads(said)
    result['rate'] = result['requests'] / seconds
    return result


# --- the scenarios: each gives what load counted, and one more cell of the table -------------

def mixed(server, cpu, seconds: int) -> tuple:
    process = begin_load(server, cpu, 64, seconds)
    long = end_load(begin_load(server, cpu, 1, seconds, '/cpu'), seconds)
    longest = long['longest_us'] / 1e6
    return end_load(process, seconds), f'{long["requests"]} done, longest {longest:.1f} s'


def reload(server, cpu, seconds: int) -> tuple:
    seconds *= 2
    before = set(server.processes()) - {server.process.pid}
    process = begin_load(server, cpu, 32, seconds)
    for _ in range(RELOADS):
        time.sleep(seconds / (RELOADS + 1))
        server.reload()
    result = end_load(process, seconds)
    # Without load, so that what is still under way comes to its end.
    if not server.wait_for_end_of(before):
        print(f'bench: {server.name}: after the reloads there are still processes of before',
              file=sys.stderr)
    return result, f'{result["closed"]:,}'


def sleepers(server, cpu, seconds: int) -> tuple:
    result = end_load(begin_load(server, cpu, SLEEPERS, seconds, '/sleep'), seconds)
    return result, f'{result["rate"] / (SLEEPERS / SLEEP):.0%}'


def naps(server, cpu, seconds: int) -> tuple:
    result = end_load(begin_load(server, cpu, 32, seconds, '/naps'), seconds)
    return result, f'{result["stuck"]}'


def slow(server, cpu, seconds: int) -> tuple:
    result = end_load(begin_load(server, cpu, 64, seconds, '/', '-s', SLOW), seconds)
    return result, f'{result["stuck"]}'


def burst(server, cpu, seconds: int) -> tuple:
    result = end_load(begin_load(server, cpu, BURST, seconds, '/', '-b'), seconds)
    return result, f'{result["requests"] // BURST}'


class Scenario(typing.NamedTuple):
    run: typing.Callable
    shape: peers.Shape
    title: str
    more: str  # the head of its own column


FOUR = peers.Shape(4, 1, 64 + SPARE)

SCENARIOS = {
    'mixed': Scenario(mixed, FOUR, '64 clients beside one whose requests take 2 s of CPU time',
                      '2 s requests'),
    'reload': Scenario(reload, peers.Shape(4, 1, 32 + SPARE),
                       '32 clients and five graceful reloads', 'closed connections'),
    'sleepers': Scenario(sleepers, peers.Shape(4, 8, SLEEPERS),
                         '32 clients, each request waits 20 ms', 'of what is possible'),
    'naps': Scenario(naps, peers.Shape(1, 8, 32), '32 clients, one request in 25 waits 5 ms',
                     'never answered'),
    'slow': Scenario(slow, FOUR, '64 clients beside 100 that have sent half a head',
                     'never answered'),
    'burst': Scenario(burst, peers.Shape(4, 8, 32),
                      '1,000 clients connect at the same moment, once a second', 'bursts'),
}


# --- all of it ------------------------------------------------------------------------------

def milliseconds(us: int) -> str:
    return f'{us / 1000:,.1f}' if us < 100000 else f'{us / 1000:,.0f}'


def row(server, result: dict, more: str) -> str:
    cells = [server.peer.title, server.workers, f'{result["rate"]:,.0f}',
             milliseconds(result['p50_us']) if result['requests'] else '',
             milliseconds(result['p99_us']) if result['requests'] else '',
             milliseconds(result['longest_us']), f'{result["failed"]:,}', more]
    return '| ' + ' | '.join(cells) + ' |'


def visit(name: str, scenario: Scenario, place: pathlib.Path, cpus: tuple, seconds: int) -> str:
    server = peers.Server(name, place, scenario.shape, cpus[0])
    try:
        server.wait()
        server.settle()
        result, more = scenario.run(server, cpus[1], seconds)
        if result['held_up_us'] > HELD_UP_US:
            print(f'bench: {name}: the machine was busy with other things: the load itself was '
                  f'held up for {result["held_up_us"] / 1000:.0f} ms', file=sys.stderr)
        return row(server, result, more)
    finally:
        server.stop()


def present(names: list, place: pathlib.Path) -> list:
    """Those that can be started; the others are named on standard error."""
    found = []
    for name in names:
        directory = place / f'{name}-plan'
        directory.mkdir()
        try:
            peers.PEERS[name].plan(directory, 1, FOUR)
            found.append(name)
        except peers.Missing as e:
            print(f'bench: {name} {e}: left out', file=sys.stderr)
    return found


def run(options, place: pathlib.Path) -> int:
    if not LOAD.exists():
        print(f'bench: there is no {LOAD}: build it first (scons)', file=sys.stderr)
        return 1
    (place / 'hello.py').write_text(APPLICATION)
    cpus = peers.cpus()
    names = present(options.servers, place)
    status = 0
    print('Servers ' + ('pinned to one core, the load to another' if cpus[0] is not None else
                        'and load on the same core') + '; times in milliseconds')
    for which in options.only:
        scenario = SCENARIOS[which]
        print(f'\n{which}: {scenario.title}, {options.seconds * (2 if which == "reload" else 1)}'
              f' s\n\n| server | processes × threads | requests/s | p50 | p99 | longest wait '
              f'| failed | {scenario.more} |\n|---|---:|---:|---:|---:|---:|---:|---:|')
        for name in names:
            try:
                print(visit(name, scenario, place, cpus, options.seconds), flush=True)
            except peers.Missing as e:
                print(f'bench: {name} {e}', file=sys.stderr)
                status = 1 if name == 'wsgid' else status
    return status
