"""tools/bench speed: how many requests a second of a server's CPU time is good for.

Work by work, all servers run at once, each one process pinned to the same core, idle but for
the one under load; a round visits each in turn, so that a drift of the machine meets all
alike.  wrk asks over kept-alive connections from another core.  It needs as much CPU time as
a fast server does, so requests a second say what was asked for; what counts is requests per
second of the server's own CPU time, utime and stime of all its processes.  Medians over the
rounds are printed, as Markdown; the applications are in tools/works: hello, json, echo,
upload, generator, stream, file, gzip, logging, flask and django.
"""

import pathlib
import re
import statistics
import subprocess
import sys
import typing

import chart
import peers

POST = """
wrk.method = 'POST'
wrk.headers['Content-Type'] = 'application/octet-stream'
wrk.body = '%s'
"""
DIGITS = b'0123456789'


class Work(typing.NamedTuple):
    title: str
    body: bytes = b''  # that is sent


WORKS = {
    'hello': Work('13 bytes'),
    'json': Work('1 KB of JSON'),
    'echo': Work('10 KB sent and echoed', DIGITS * 1024),
    'upload': Work('1.5 MB sent and counted', DIGITS * 150000),
    'generator': Work('10 KB from a generator'),
    'stream': Work('1 MiB from a generator'),
    'file': Work('a file of 1 MiB'),
    'gzip': Work('48 KB compressed'),
    'logging': Work('50 lines logged'),
    'flask': Work('a page of Flask'),
    'django': Work('a page of Django'),
}


# --- the load -------------------------------------------------------------------------------

def ask(server, place: pathlib.Path, cpu, options, work: Work) -> dict:
    """One round: requests a second, and per second of the server's CPU time."""
    for _ in range(20):
        server.get(work.body)
    command = ['wrk', '-t1', f'-c{options.connections}', f'-d{options.seconds}s']
    if work.body:
        (place / 'script.lua').write_text(POST % work.body.decode())
        command += ['-s', place / 'script.lua']
    if cpu is not None:
        command[:0] = ['taskset', '-c', str(cpu)]
    before = server.cpu_seconds()
    said = subprocess.run([*command, f'http://127.0.0.1:{server.port}/'], capture_output=True,
                          text=True).stdout
    used = server.cpu_seconds() - before
    found = re.search(r'(\d+) requests in ([\d.]+)(m?s|m)\b', said)
    if found is None or int(found[1]) == 0 or used <= 0:
        raise peers.Missing(f'was not measured, wrk says: {said.strip()[-200:]}')
    requests = int(found[1])
    errors = sum(map(int, re.findall(r'(?:connect|read|write|timeout) (\d+)', said)))
    errors += sum(map(int, re.findall(r'Non-2xx or 3xx responses: (\d+)', said)))
    return {'rate': requests / options.seconds, 'per_cpu': requests / used,
            'busy': used / options.seconds, 'errors': errors}


# --- a work ---------------------------------------------------------------------------------

def start(options, place: pathlib.Path, cpu, servers: list):
    """All that are there, into servers; the others are named on standard error."""
    shape = peers.Shape(1, 1, options.connections)
    for name in options.servers:
        try:
            servers.append(peers.Server(name, place, shape, cpu))
            servers[-1].wait()
        except peers.Missing as e:
            print(f'bench: {name} {e}', file=sys.stderr)
            if servers and servers[-1].name == name:
                servers.pop().stop()


def check_alike(servers: list, work: Work):
    """What answers something else does something else, and cannot be compared."""
    bodies = {server.name: server.get(work.body) for server in servers}
    for server in servers:
        if bodies[server.name] != bodies[servers[0].name]:
            raise peers.Missing(f'answers something else than {servers[0].name}: '
                                f'{bodies[server.name][:60]!r}')


def measure(name: str, options, place: pathlib.Path, cpus: tuple) -> dict:
    """The medians of each server that is there."""
    source = pathlib.Path(__file__).parent / 'works' / f'{name}.py'
    (place / 'hello.py').write_text(source.read_text())
    (place / 'data').write_bytes(bytes(range(256)) * 4096)
    servers = []
    try:
        start(options, place, cpus[0], servers)
        check_alike(servers, WORKS[name])
        found = {server.name: [] for server in servers}
        for number in range(1, options.rounds + 1):
            print(f'bench: {name}: round {number} of {options.rounds}: ', end='',
                  file=sys.stderr)
            for server in servers:
                print(server.name, end=' ', file=sys.stderr, flush=True)
                found[server.name].append(ask(server, place, cpus[1], options, WORKS[name]))
            print(file=sys.stderr)
    finally:
        for server in servers:
            server.stop()
    return {server: {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
            | {'errors': sum(one['errors'] for one in rounds)}
            for server, rounds in found.items()}


# --- all of it ------------------------------------------------------------------------------

def table(work: Work, found: dict) -> str:
    lines = [f'\n{work.title}\n',
             '| server | requests/s | requests per CPU second | of one core | errors '
             '| wsgid is |', '|---|---:|---:|---:|---:|---:|']
    for name, result in found.items():
        ratio = '' if name == 'wsgid' or 'wsgid' not in found else \
            f'{found["wsgid"]["per_cpu"] / result["per_cpu"]:.2f} ×'
        lines.append(f'| {peers.PEERS[name].title} | {result["rate"]:,.0f} '
                     f'| {result["per_cpu"]:,.0f} | {result["busy"]:.0%} '
                     f'| {result["errors"]} | {ratio} |')
    return '\n'.join(lines)


def draw(path: str, measured: dict):
    """Of each work the capacity per core, as a part of the best one's."""
    names = [name for name in peers.PEERS if any(name in found for found in measured.values())]
    groups = {WORKS[work].title: {peers.PEERS[name].title: found[name]['per_cpu']
                                  for name in names if name in found}
              for work, found in measured.items()}
    pathlib.Path(path).write_text(
        chart.bars('Requests per second of CPU time', groups))


def run(options, place: pathlib.Path) -> int:
    cpus = peers.cpus()
    print(f'{options.rounds} rounds of {options.seconds} s, {options.connections} kept-alive '
          f'connections, one process'
          + (' pinned to one core, wrk on another' if cpus[0] is not None else
             ', nothing pinned: there is only one core'))
    measured = {}
    for name in options.works:
        try:
            measured[name] = measure(name, options, place, cpus)
        except peers.Missing as e:
            print(f'\nbench: {name}: {e}', file=sys.stderr)
            return 1
        if 'wsgid' in options.servers and 'wsgid' not in measured[name]:
            return 1
        print(table(WORKS[name], measured[name]), flush=True)
    if options.svg:
        draw(options.svg, measured)
    return 0
