"""A stop while a server starts, or the one that is to take its place by an upgrade.

What is to come first is held: an import until a file is gone, and a master by SIGSTOP.
"""

import signal
import subprocess

import pytest

from server import BUILD, PATIENCE, children_of, freeze, title_of, wait_until

APP = '''
import os, time
print('importing', flush=True)
while os.path.exists('hold'):
    time.sleep(0.01)
def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    yield str(os.getpid()).encode()
'''


@pytest.fixture
def hold(directory):
    """As long as the file exists imports last."""
    (directory / 'app.py').write_text(APP)
    return directory / 'hold'


@pytest.fixture
def upgraded(serve, directory, hold):
    """A server of one child, its wsgictl upgrade, the new master, whose child still imports, and
    that child."""
    server = serve('app', '-w', '1', '--log-level', 'info', cwd=directory)
    own, = server.wait_for_ready(1)
    hold.touch()
    since = len(server.log.text())
    control = subprocess.Popen(
        [BUILD / 'wsgictl', '--run-directory', server.run_directory, 'upgrade'], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    server.log.wait_for('importing', since=since)
    new, = set(children_of(server.pid)) - {own}
    child, = children_of(new)
    server.seen_children.update({own, new, child})
    return server, control, new, child


# --- the new master takes over ------------------------------------------------------------------

def test_a_new_master_that_has_taken_over_unheard_is_stopped_with_the_old_one(upgraded, hold):
    """Each waited for the other, until the time to finish requests was over."""
    server, control, new, _ = upgraded
    freeze(server.pid)
    server.kill(signal.SIGTERM)
    hold.unlink()
    wait_until(lambda: title_of(new).startswith('wsgid: master'), 'the new master to take over')
    server.kill(signal.SIGCONT)
    out, err = control.communicate(timeout=PATIENCE)
    assert (control.returncode, err) == (0, '') and 'upgrade done' in out
    server.master = new
    assert server.ended() == 0
    said = server.log.text()
    assert said.count('stopping gracefully') == 2 and 'stopping at once' not in said
    assert said.endswith('stopped\n')
