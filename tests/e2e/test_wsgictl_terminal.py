"""What wsgictl shows on a terminal."""

import os
import pty
import re
import select
import time

from client import Connection
from server import PATIENCE, clean_environment, wait_until
from wsgictl import APPLICATION, WSGICTL, of


def on_terminal(*words):
    """Its status and all that a terminal of 80 columns was sent."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.clear()
        os.environ.update(clean_environment())
        os.execv(WSGICTL, [str(WSGICTL), *map(str, words)])
    output, end = b'', time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if not select.select([fd], [], [], 0.1)[0]:
            continue
        try:
            data = os.read(fd, 65536)
        except OSError:
            break
        if not data:
            break
        output += data
    _, status = os.waitpid(pid, 0)
    os.close(fd)
    return os.waitstatus_to_exitcode(status), output.decode()


def test_a_terminal_gets_one_line_that_changes(shop, site):
    server = shop()
    site.write('import time\ntime.sleep(.7)\n' + APPLICATION % 'two', whole=True)
    status, output = on_terminal('reload', '--run-directory', server.run_directory)
    assert status == 0
    assert re.search(r'waiting for the first child, [\d.]+ m?s', output)
    # Every step in place of the one before, and the result stays.
    assert output.count('\n') == 1
    assert re.search(r'\r\x1b\[Kreload done in [^\r\n]*\r\n$', output)
    status, output = on_terminal('status', '--run-directory', server.run_directory)
    assert (status, '\x1b' in output) == (0, False)
    with Connection(server.address) as client:
        client.send('GET /slow HTTP/1.1\r\nHost: t\r\n\r\n')
        wait_until(lambda: ' 1 busy' in of(server, 'status').stdout, 'the request')
        status, output = on_terminal('stop', '--run-directory', server.run_directory)
    assert status == 0
    assert re.search(r'\): 1 request is being finished, by [\d:]+ at the latest \(30 s\)\r\n', output)
    assert re.search(r'\r\x1b\[K1 request, [12] child(ren)? left after [\d.]+ m?s', output)
    assert re.search(r'\r\x1b\[Kshop has stopped \([^\r\n]*\)\r\n$', output)
    assert server.ended() == 0


def test_a_failed_reload_on_a_terminal_leaves_the_traceback_in_whole_lines(shop, site):
    server = shop()
    site.write('import no_such_module\n', whole=True)
    status, output = on_terminal('reload', '--run-directory', server.run_directory)
    assert status == 1
    stays = re.sub(r'\r[^\r\n]*\r\x1b\[K|\r\x1b\[K', '', output)
    assert stays.startswith('Traceback (most recent call last):\r\n') and '\x1b' not in stays
    assert re.search(r"\r\nwsgictl: reload failed: [^\n]*No module named 'no_such_module'[^\n]*\r\n"
                     r'the old generation \(1\) goes on\r\n$', stays)


def test_every_verb_on_a_terminal_ends_with_a_whole_line(daemon, site):
    def do(*words):
        status, output = on_terminal(*words, *daemon.words)
        assert status == 0, output
        # What was shown in place of a line is wiped out; all that stays is whole lines.
        stays = re.sub(r'\r[^\r\n]*\r\x1b\[K|\r\x1b\[K', '', output)
        assert stays.endswith('\r\n') and '\x1b' not in stays, output
        return stays
    do('start', '--error-log', daemon.error_log, '--chdir', site.path, '-b', '127.0.0.1:0',
       '-w', '1', 'shop:application')
    do('configtest', 'shop:application')
    for words in (['version'], ['status'], ['fullstatus'], ['log-level'], ['log-level', 'info'],
                  ['reopen-logs'], ['scale', '2'], ['restart'], ['upgrade'], ['graceful-stop']):
        do(*words)
