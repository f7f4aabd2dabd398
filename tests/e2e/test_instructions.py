"""The way of a request keeps what it costs: instructions are counted and compared.

Instructions, unlike times, are the same on a busy machine.  What is counted is wsgid's own
code in a child; instructions.json has what is expected, by what the programs were built
with (Python and compiler), and is changed by hand, with the reason in the commit.
"""

import json
import pathlib
import re
import shutil
import subprocess

import pytest

import callgrind
import client
import server as servers

BASELINES = pathlib.Path(__file__).with_name('instructions.json')
TOLERANCE = 0.03
# Valgrind cannot have anything put in front of an interpreter, as it is a program itself.
LIBRARY = 'shared'
ROUNDS = 500

BROWSER = (b'GET /articles/2024/?page=2&sort=date HTTP/1.1\r\n'
           b'Host: www.example.org\r\n'
           b'User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101\r\n'
           b'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n'
           b'Accept-Language: en-US,en;q=0.5\r\n'
           b'Accept-Encoding: gzip, deflate, br\r\n'
           b'Referer: https://www.example.org/articles/\r\n'
           b'Cookie: sessionid=0123456789abcdef0123456789abcdef; theme=dark\r\n'
           b'X-Request-Purpose: prefetch\r\n\r\n')
REQUESTS = {
    'hello': b'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n',
    'browser': BROWSER,
    'form': b'POST /form HTTP/1.1\r\nHost: localhost\r\nContent-Length: 11\r\n'
            b'Content-Type: application/x-www-form-urlencoded\r\n\r\nname=a&n=12',
}


def built_with() -> str:
    """As the baselines name it."""
    said = subprocess.run([servers.WSGID, '-V'], capture_output=True, text=True,
                          check=True).stdout
    version, library = re.search(rf'^ +Python +(\S+) .*?, ({LIBRARY} libpython)', said,
                                 re.M).groups()
    compiler, hardening = (re.search(rf'^ +{word} +(.*)$', said, re.M).group(1)
                           for word in ('compiler', 'hardening'))
    return f'Python {version}, {library}; {compiler}; {hardening}'


def count(new_server, directory, engine: str, request: bytes) -> dict:
    # Valgrind opens the child's file before it is another user, and again at the end.
    user = ('--user', 'root', '--allow-root', 'On') if servers.IS_ROOT else ()
    server = new_server('hello', '-w', '1', '--io-engine', engine, *user, '--lib-python', LIBRARY,
                        launcher=callgrind.launcher(directory))
    server.start(3 * servers.PATIENCE)  # it is that slow under valgrind
    child, = server.children()
    with client.Connection(server.address) as c:
        for _ in range(ROUNDS):
            c.send(request)
            assert c.response().status == 200
    server.stop()
    return callgrind.own_instructions((directory / f'callgrind.{child}').read_text())


@pytest.mark.alone
@pytest.mark.skipif(servers.SANITIZED, reason='a sanitizer adds its own instructions')
@pytest.mark.skipif(shutil.which('valgrind') is None, reason='valgrind is not installed')
@pytest.mark.parametrize('engine', ['io_uring', 'epoll'])
@pytest.mark.parametrize('name', REQUESTS)
def test_a_request_costs_as_many_instructions_as_before(name, engine, new_server, directory):
    baselines = json.loads(BASELINES.read_text())
    costs = count(new_server, directory, engine, REQUESTS[name])
    each = sum(costs.values()) / ROUNDS
    top = '\n'.join(f'{n / ROUNDS:8.1f}  {function}' for function, n in
                    sorted(costs.items(), key=lambda item: -item[1])[:25])
    print(f'{name}: {each:.0f} instructions of {built_with()}\n{top}')
    expected = baselines.get(built_with())
    if expected is None:
        pytest.skip(f'no baseline for {built_with()}; this run: {each:.0f} for {name}')
    assert abs(each / expected[engine][name] - 1) <= TOLERANCE
