"""wsgid as process 1 of what is a container but for the engine: a pid namespace of its own, a
root file system that is read-only, and a user without a name or a capability.

The real thing is tests/rigs/test_container.py.
"""

import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess

import pytest

from client import Connection, get
from server import BUILD, IS_ROOT, PATIENCE, Server, children_of, status_of, wait_until

# As an engine does it with --read-only, --shm-size=64m, --cap-drop=all and --user=4242:0.
CONTAINER = """
set -e
mount --make-rprivate /
mount -t tmpfs -o size=64m,mode=1777 tmpfs /dev/shm
mount -o remount,bind,ro /
for place in /tmp /var/tmp /run; do
	[ "$(stat -f -c %T $place)" != tmpfs ] || mount -o remount,bind,ro $place
done
exec setpriv --reuid 4242 --regid 0 --clear-groups --inh-caps=-all --bounding-set=-all \\
	--no-new-privs "$@"
"""
UNSHARE = ['unshare', '--pid', '--fork', '--kill-child', '--mount', '--mount-proc']
LAUNCHER = [*UNSHARE, 'sh', '-c', CONTAINER, 'sh']

# With a file in the place of another: put(OTHER, FILE).
PUT = 'mount --bind "$2" "$1"; shift 2; exec "$@"'


def put(place, file) -> list:
    return ['sh', '-c', PUT, 'sh', str(place), str(file)]


def why_not() -> str:
    if not IS_ROOT or not shutil.which('unshare') or not shutil.which('setpriv'):
        return 'new namespaces take root, unshare(1) and setpriv(1)'
    tried = subprocess.run([*LAUNCHER, 'true'], capture_output=True, text=True)
    return tried.stderr.strip() if tried.returncode != 0 else ''


pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or 'possible')

ENDLESS = """\
import sys
import time

print('importing', file=sys.stderr, flush=True)
time.sleep(600)
"""

ORPHANS = """\
import subprocess

def application(environ, start_response):
    if environ['PATH_INFO'] == '/leave':
        subprocess.run(['sh', '-c', 'sleep 0.1 & sleep 0.2 & exit 0'])
    start_response('200 OK', [])
    return [b'left']
"""


class Contained(Server):
    """Nothing on its command line: what it is told is in its environment."""

    def command(self):
        return [*self.launcher, str(self.program), *self.words]


@pytest.fixture
def programs(directory):
    """wsgid and its children where every user may run them."""
    place = directory / 'programs'
    place.mkdir()
    place.chmod(0o755)
    for path in BUILD.glob('wsgid*'):
        shutil.copy(path, place)
    shutil.copy(BUILD / 'wsgictl', place)
    return place


@pytest.fixture
def contain(request, apps, directory, programs):
    """contain(APP, NAME=VALUE...) gives a server that is process 1 and serves."""
    request.node.servers = made = []

    def start(application, *words, cwd=apps, launcher=LAUNCHER, **settings):
        env = {'WSGI_APP': application, 'WSGID_LISTEN': '127.0.0.1:0', 'WSGID_CHDIR': str(cwd),
               'WSGID_RUN_DIRECTORY': '/dev/shm/wsgid', 'WSGID_CUSTOM_LOG': '- combined',
               **{f'WSGID_{name}': value for name, value in settings.items()}}
        server = Contained(directory, *words, launcher=launcher, env=env, cwd='/',
                           program=programs / 'wsgid')
        made.append(server)
        return server
    yield start
    for server in made:
        server.discard()


def first(server) -> int:
    """Process 1, by its number out here."""
    pid, = children_of(server.process.pid)
    return pid


def inside(server, *words) -> subprocess.CompletedProcess:
    """A command in the container, as what an engine's HEALTHCHECK is."""
    return subprocess.run(
        ['nsenter', '-t', str(first(server)), '-m', '-p', '-r', 'setpriv', '--reuid', '4242',
         '--regid', '0', '--clear-groups', 'env', 'WSGID_RUN_DIRECTORY=/dev/shm/wsgid', *words],
        capture_output=True, text=True)


def end(server) -> int:
    return server.process.wait(PATIENCE)


def test_all_that_a_container_takes_away_is_not_missed(contain, programs):
    server = contain('probe', PROCESSES='2', LOG_LEVEL='info').start()
    facts = status_of(first(server))
    assert facts['NSpid'].split()[-1] == '1' and facts['Uid'].split()[0] == '4242'
    assert int(facts['CapBnd'], 16) == 0
    with Connection(server.address) as c:
        c.send('POST /digest HTTP/1.1\r\nHost: t\r\nContent-Length: 3000000\r\n\r\n')
        c.send(b'x' * 3000000)
        expected = hashlib.sha256(b'x' * 3000000).hexdigest()
        assert c.response().body == f'3000000 {expected}'.encode()
        status = inside(server, programs / 'wsgictl', 'status')
        assert (status.returncode, status.stderr) == (0, '')
        assert re.search(r'is running, pid 1, up ', status.stdout, re.M)
        reload = inside(server, programs / 'wsgictl', 'reload')
        assert (reload.returncode, reload.stderr) == (0, '')
        assert c.get('/').body == b'hello\n'
    assert not re.search(r':(warn|error)\]', server.log.text())
    first_pid = first(server)
    assert subprocess.run(['kill', str(first_pid)]).returncode == 0
    assert end(server) == 0
    # Each log in its stream.
    assert '"POST /digest HTTP/1.1" 200' in server.output.text()
    assert '[master:' not in server.output.text() and 'POST' not in server.log.text()


def test_process_1_reaps_orphans(contain, directory):
    (directory / 'orphans.py').write_text(ORPHANS)
    server = contain('orphans', cwd=directory, PROCESSES='1').start()
    children = set(children_of(first(server)))
    assert len(children) == 1
    assert get(server.address, '/leave').body == b'left'
    wait_until(lambda: set(children_of(first(server))) == children, 'no orphan and no zombie')
    assert not re.search(r':(warn|error)\]', server.log.text())


def test_a_full_shm_makes_no_server_that_serves_unhealthy(contain, programs):
    server = contain('hello', PROCESSES='2').start()
    filled = inside(server, 'dd', 'if=/dev/zero', 'of=/dev/shm/junk', 'bs=1M')
    assert 'No space left' in filled.stderr
    reload = inside(server, programs / 'wsgictl', 'reload')
    assert (reload.returncode, reload.stderr) == (0, '')
    server.log.wait_for('wsgictl does not see what they do')
    health = inside(server, programs / 'wsgictl', 'status', '--ready')
    assert (health.returncode, health.stderr) == (0, '')
    assert re.search(r'^\d of the \d children serve unseen: ', health.stdout, re.M)
    assert get(server.address).status == 200


def test_term_drains_and_a_second_one_stops_now(contain):
    server = contain('probe', GRACEFUL_SHUTDOWN_TIMEOUT='300', PROCESSES='2').start()
    with Connection(server.address) as quick, Connection(server.address) as slow:
        slow.send('GET /sleep?s=200 HTTP/1.1\r\nHost: t\r\n\r\n')
        server.log.wait_for('sleeping')
        quick.send('GET /sleep?s=0.3 HTTP/1.1\r\nHost: t\r\n\r\n')
        server.log.wait_for('sleeping[^$]*sleeping')
        pid = first(server)
        subprocess.run(['kill', str(pid)], check=True)
        server.log.wait_for('stopping gracefully within 300 s')
        assert quick.response().body == b'awake'
        subprocess.run(['kill', str(pid)], check=True)
        server.log.wait_for('stopping at once')
        assert slow.is_closed()
    assert end(server) == 75


@pytest.mark.parametrize('application, words, settings, status', [
    ('no_such_module', (), {}, 1), ('hello', ('--no-such-option',), {}, 2),
    ('hello', (), {'MAX_REQUESTS': 'many'}, 78)])
def test_the_exit_status_says_how_it_ended(contain, application, words, settings, status):
    server = contain(application, *words, **settings)
    server.spawn()
    assert end(server) == status


@pytest.mark.parametrize('signum', [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize('word', ['--check', '--doctor'])
def test_what_only_tries_an_application_ends_at_a_signal(contain, directory, word, signum):
    (directory / 'endless.py').write_text(ENDLESS)
    # Tests that run in the background may ignore some, and so would it.
    server = contain('endless', word, cwd=directory,
                     launcher=['env', '--default-signal', *LAUNCHER])
    server.spawn()
    server.log.wait_for('importing')
    os.kill(first(server), signum)
    assert end(server) == 128 + signum


def test_a_signal_ends_the_wait_for_a_name_server(contain, directory):
    """Before the master hears signals there is nobody but the kernel to obey them."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        # All of 127/8 is this machine; a port 53 is there for each test.
        host = f'127.53.{os.getpid() >> 8 & 255}.{os.getpid() & 255}'
        silent.bind((host, 53))
        silent.settimeout(PATIENCE)
        (directory / 'resolv.conf').write_text(f'nameserver {host}\n')
        (directory / 'nsswitch.conf').write_text('hosts: dns\n')
        server = contain('hello', LISTEN='web.shop.svc:8000', launcher=[
            *UNSHARE, *put('/etc/resolv.conf', directory / 'resolv.conf'),
            *put('/etc/nsswitch.conf', directory / 'nsswitch.conf'),
            *LAUNCHER[len(UNSHARE):]])
        server.spawn()
        silent.recv(512)
        os.kill(first(server), signal.SIGTERM)
        assert end(server) == 128 + signal.SIGTERM
