"""wsgid as the entrypoint of real containers, built from etc/container by a real engine.

What can be had without one is in tests/e2e/test_container.py, too.
"""

import base64
import contextlib
import hashlib
import json
import pathlib
import re
import shutil
import zipfile

import pytest

from client import Connection, get
from engine import ROOT, Container, Engine
from waiting import wait_until

FILES = ROOT / 'etc' / 'container'
DEBIAN = 'debian:bookworm-slim'


@pytest.fixture(scope='session')
def engine(rig):
    with Engine(rig('container-rig')) as made:
        yield made


@pytest.fixture(scope='session')
def image(engine):
    return engine.build('wsgid', FILES / 'Containerfile', BASE=DEBIAN)


@pytest.fixture(scope='session')
def site(tmp_path_factory):
    """A folder to mount at /app."""
    place = tmp_path_factory.mktemp('site')
    place.chmod(0o755)
    for parent in place.parents[:2]:
        parent.chmod(0o755)
    shutil.copy(ROOT / 'tests' / 'apps' / 'probe.py', place)
    (place / 'broken.py').write_text('import no_such_module\n')
    (place / 'orphans.py').write_text(ORPHANS)
    (place / 'starts.py').write_text("import time\nprint('importing', flush=True)\ntime.sleep(600)\n")
    for file in place.iterdir():
        file.chmod(0o644)
    return place


ORPHANS = """\
import subprocess

def application(environ, start_response):
    if environ['PATH_INFO'] == '/leave':
        subprocess.run(['sh', '-c', 'sleep 0.1 & sleep 0.2 & exit 0'])
    stats = subprocess.run('cat /proc/[0-9]*/stat', shell=True, text=True,
                           stdout=subprocess.PIPE).stdout
    start_response('200 OK', [])
    return [stats.encode()]
"""


@pytest.fixture
def run(engine, image, site):
    """run([OPTION...], WORD...) gives a Container that goes with the test."""
    with contextlib.ExitStack() as stack:
        def start(options=(), *words, image=image):
            options = ['-v', f'{site}:/app:ro', *options]
            return stack.enter_context(Container(engine, image, options, *words))
        yield start


# --- what the image is ----------------------------------------------------------------------

@pytest.fixture
def layers(engine, record_property):
    """layers(IMAGE, NAME...) is the sizes of its last layers, which are reported under these
    names, at the end of the tests."""
    def measure(image: str, *names: str) -> list:
        history = json.loads(engine.podman('history', '--format', 'json', image))
        sizes = [layer['size'] for layer in history if layer['size']][:len(names)]
        record_property('size', f'{image}: {engine.size(image) / 1e6:.0f} MB, of these ' + ', '.join(
            f'{size / 1e6:.1f} MB {name}' for size, name in zip(sizes, names)))
        return sizes
    return measure


def test_wsgid_adds_little_to_debian_and_its_python(image, layers):
    wsgid, python = layers(image, 'wsgid', 'Python and libraries')
    assert wsgid < 12e6 and python < 70e6


def test_the_image_says_how_it_is_stopped_and_who_runs_it(engine, image):
    facts, = json.loads(engine.podman('image', 'inspect', image))
    config = facts['Config']
    assert config['Entrypoint'] == ['wsgid']
    assert config['StopSignal'] == 'SIGTERM'
    assert config['User'].split(':')[0] not in ('', '0', 'root')
    assert facts['Healthcheck']['Test'] == ['CMD', 'wsgictl', 'status', '--ready']


def test_without_an_application_it_says_what_is_missing(engine, image):
    found = engine.run('podman', 'run', '--rm', image)
    assert found.returncode == 78
    assert 'nothing to serve' in found.stderr


@pytest.fixture
def file(site):
    """A configuration to mount where the image has one of its own."""
    path = site / 'wsgid.conf'
    path.write_text('WSGIApplication probe\nChDir /app\nListen 127.0.0.1:0\n'
                    'CustomLog - "%r from a file"\n')
    path.chmod(0o644)
    yield ['-v', f'{path}:/etc/wsgid/wsgid.conf:ro']
    path.unlink()


# The engine's own setting of a test goes, which would be the strongest of all.
ALONE = ['-e', 'WSGID_LISTEN=']


def test_a_configuration_that_is_mounted_is_stronger_than_what_the_image_prefers(run, file):
    container = run([*ALONE, *file])
    assert get(container.address()).body == b'hello\n'
    container.engine.podman('stop', '-t', '9', container.id)
    assert container.output()[0] == 'GET / HTTP/1.1 from a file\n'


def test_every_name_of_a_directive_is_stronger_than_what_the_image_prefers(run):
    container = run([*ALONE, '-e', 'WSGID_BIND=127.0.0.1:0', '-e', 'WSGID_ACCESS_LOG=- "mine %r"'],
                    'probe')
    assert get(container.address()).body == b'hello\n'
    container.engine.podman('stop', '-t', '9', container.id)
    assert container.output()[0] == 'mine GET / HTTP/1.1\n'


# What the linker wrote into the interpreter is another word in another build of it.
UPGRADE = r"""
import os, sys
path = os.path.realpath(sys.executable)
data = bytearray(open(path, 'rb').read())
note = b'\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0'
data[data.index(note) + len(note)] ^= 255
open(path + '.new', 'wb').write(data)
os.chmod(path + '.new', 0o755)
os.rename(path + '.new', path)
"""


def test_after_an_upgrade_of_python_in_the_image_that_one_serves(engine, image, run, tmp_path):
    """As when somebody's own image begins with an upgrade of all packages."""
    (tmp_path / 'upgrade.py').write_text(UPGRADE)
    (tmp_path / 'Containerfile').write_text(
        f'FROM {image}\nUSER 0\nCOPY upgrade.py /tmp/\nRUN python3 /tmp/upgrade.py\nUSER 10001:0\n')
    upgraded = engine.build('upgraded', tmp_path / 'Containerfile', tmp_path)
    container = run([], 'probe', image=upgraded)
    assert get(container.address()).body == b'hello\n'
    assert re.search(r'\(inside the interpreter\)', container.output()[1])
    assert 'was upgraded' not in container.output()[1]


# --- as process 1 ---------------------------------------------------------------------------

def test_the_environment_alone_configures_it_and_logs_go_to_the_engine(run):
    container = run(['-e', 'WSGI_APP=probe', '-e', 'WSGID_PROCESSES=2',
                     '-e', 'WSGID_LOG_LEVEL=info'])
    address = container.address()
    assert get(address, '/pid').body != b'1'
    status = container.execute('wsgictl', 'status')
    assert status.returncode == 0 and re.search(r'is running, pid 1, up ', status.stdout, re.M)
    container.engine.podman('stop', '-t', '9', container.id)
    out, err = container.output()
    assert re.search(r'"GET /pid HTTP/1.1" 200 ', out) and '[master:' not in out
    assert re.search(r'\[master:info\]', err) and 'GET /pid' not in err
    assert container.status() == 0


def test_orphans_are_reaped(run):
    container = run([], 'orphans')
    address = container.address()
    parents = re.findall(r'^\d+ \(sleep\) \S (\d+) ', get(address, '/leave').body.decode(), re.M)
    assert parents == ['1', '1']
    wait_until(lambda: b' (sleep) ' not in get(address).body, 'both to be gone', timeout=10)


def test_the_stop_signal_finishes_what_runs(run):
    container = run([], 'probe')
    with Connection(container.address()) as slow:
        slow.send('GET /sleep?s=2 HTTP/1.1\r\nHost: t\r\n\r\n')
        container.wait_for('sleeping')
        # An engine waits for the end: ask it from beside.
        container.kill('TERM')
        container.wait_for(r'stopping gracefully within 8 s')
        assert slow.response().body == b'awake'
    assert container.status() == 0


def test_the_drain_ends_with_graceful_shutdown_timeout(run):
    container = run(['-e', 'WSGID_GRACEFUL_SHUTDOWN_TIMEOUT=1'], 'probe')
    with Connection(container.address()) as slow:
        slow.send('GET /sleep?s=60 HTTP/1.1\r\nHost: t\r\n\r\n')
        container.wait_for('sleeping')
        container.kill('TERM')
        assert slow.is_closed()
    assert container.status() == 75


def test_a_second_term_stops_now(run):
    container = run(['-e', 'WSGID_GRACEFUL_SHUTDOWN_TIMEOUT=300'], 'probe')
    with Connection(container.address()) as slow:
        slow.send('GET /sleep?s=200 HTTP/1.1\r\nHost: t\r\n\r\n')
        container.wait_for('sleeping')
        container.kill('TERM')
        container.wait_for('stopping gracefully')
        container.kill('TERM')
        container.wait_for('stopping at once')
        assert slow.is_closed()
    assert container.status() == 75


@pytest.mark.parametrize('options, words, status, sentence', [
    ([], ['broken'], 1, "No module named 'no_such_module'"),
    ([], ['--no-such-option'], 2, 'no-such-option'),
    (['-e', 'WSGID_MAX_REQUESTS=many'], ['probe'], 78, 'MaxRequests'),
])
def test_the_exit_status_says_how_it_ended(run, options, words, status, sentence):
    container = run(options, *words)
    assert container.status() == status
    assert sentence in container.output()[1]


def test_an_upgrade_of_process_1_stays_process_1(run):
    container = run([], 'probe')
    address = container.address()
    with Connection(address) as parked:
        assert parked.get('/').status == 200
        upgrade = container.execute('wsgictl', 'upgrade')
        assert upgrade.returncode == 0, upgrade.stderr
        assert parked.get('/').status == 200
    assert re.search(r'is running, pid 1, up ', container.execute('wsgictl', 'status').stdout, re.M)


# --- what engines refuse --------------------------------------------------------------------

def test_io_uring_is_refused_by_default_and_epoll_serves_with_one_notice(run):
    container = run(['-e', 'WSGID_PROCESSES=3'], 'probe')
    address = container.address()
    assert get(address).status == 200
    assert container.execute('wsgictl', 'status', '--json').stdout.find('"epoll"') > 0
    assert len(re.findall('io_uring', container.output()[1])) == 1


@pytest.mark.parametrize('profile, serves', [('docker', 'epoll'), ('unconfined', 'io_uring')])
def test_other_profiles_answer_otherwise(engine, run, profile, serves):
    path = profile
    if profile == 'docker':
        path = engine.run('sh', '-c', 'printf %s "$SECCOMP_DOCKER"').stdout
    container = run(['--security-opt', f'seccomp={path}'], 'probe')
    assert get(container.address()).status == 200
    engine_of = json.loads(container.execute('wsgictl', 'status', '--json').stdout)
    assert engine_of['server']['io_engine'] == serves


HARD = ['--read-only', '--read-only-tmpfs=false', '--cap-drop=all', '--shm-size=64m',
        '--security-opt', 'no-new-privileges', '--user', '4242:0']


def test_nothing_but_dev_shm_can_be_written_and_the_user_has_no_name(run):
    container = run([*HARD, '-e', 'WSGID_PROCESSES=2'], 'probe')
    address = container.address()
    assert get(address).body == b'hello\n'
    # More than is kept in memory, there and back.
    with Connection(address) as c:
        c.send('POST /digest HTTP/1.1\r\nHost: t\r\nContent-Length: 3000000\r\n\r\n')
        c.send(b'x' * 3000000)
        expected = hashlib.sha256(b'x' * 3000000).hexdigest()
        assert c.response().body == f'3000000 {expected}'.encode()
    facts = container.execute('sh', '-c', 'id; df -m /dev/shm; grep CapEff /proc/1/status; '
                              'touch /tmp/x; ls /dev/shm/wsgid').stdout
    assert 'uid=4242' in facts and 'gid=0(root)' in facts
    assert re.search(r' 64 +\d+ ', facts) and re.search(r'CapEff:\s+0+$', facts, re.M)
    assert re.search(r'^\d+\.ctl$', facts, re.M)
    assert container.engine.run('podman', 'healthcheck', 'run', container.id).returncode == 0
    assert container.execute('wsgictl', 'reload').returncode == 0
    container.engine.podman('stop', '-t', '9', container.id)
    assert container.status() == 0


def test_the_engines_healthcheck_tells_a_server_from_one_that_still_starts(engine, run):
    container = run([], 'probe')
    container.address()
    assert engine.run('podman', 'healthcheck', 'run', container.id).returncode == 0
    starting = run([], 'starts')
    starting.wait_for('importing')
    assert starting.execute('wsgictl', 'status').returncode == 0
    assert starting.execute('wsgictl', 'status', '--ready').returncode == 1
    assert engine.run('podman', 'healthcheck', 'run', starting.id).returncode == 1


def test_below_the_engines_own_init_it_is_stopped_gracefully_and_upgraded(run):
    container = run(['--init'], 'probe')
    address = container.address()
    status = container.execute('wsgictl', 'status').stdout
    assert re.search(r'is running, pid (?!1,)\d+, up ', status)
    with Connection(address) as parked:
        assert parked.get('/').status == 200
        assert container.execute('wsgictl', 'upgrade').returncode == 0
        container.wait_for('because this process has to stay: it is watched by')
        assert parked.get('/').status == 200
    with Connection(address) as slow:
        slow.send('GET /sleep?s=1 HTTP/1.1\r\nHost: t\r\n\r\n')
        container.wait_for('sleeping')
        container.kill('TERM')
        assert slow.response().body == b'awake'
    assert container.status() == 0


# --- what a service manager hands in --------------------------------------------------------

def test_sockets_and_notify_socket_handed_in_are_used(engine, image, site, tmp_path):
    port = int(engine.run('python3', '-c', 'import socket; s = socket.socket(); '
                          's.bind(("127.0.0.1", 0)); print(s.getsockname()[1])').stdout)
    log = tmp_path / 'notifications'
    command = ['python3', engine.rigs / 'fake_systemd.py', '--listen', f'127.0.0.1:{port}=http',
               '--ready-within', '60', '--log', log, '--', 'podman', 'run', '--name', 'service',
               '--sdnotify=container', '-v', f'{site}:/app:ro', image,
               'probe']
    engine.run('sh', '-c', '"$@" >/dev/null 2>&1 &', 'sh', *command)
    try:
        for _ in range(600):
            if log.exists() and '"READY": "1"' in log.read_text():
                break
            assert engine.run('sleep', '0.1').returncode == 0
        assert get(('127.0.0.1', port), '/').body == b'hello\n'
        # podman passes no word on after this one.
        engine.podman('stop', '-t', '9', 'service')
    finally:
        engine.run('podman', 'rm', '-f', '-t', '0', 'service')


# --- the other images -----------------------------------------------------------------------

def python_below_home():
    """An installation with a prefix of its own, to be made a base like python:slim's."""
    found = sorted((pathlib.Path.home() / '.pyenv' / 'versions').glob('3.1[2-9].*'))
    return found[-1] if found else None


@pytest.fixture(scope='session')
def python_slim(engine, tmp_path_factory):
    """A base with a Python in /usr/local, and the image on it."""
    prefix = python_below_home()
    if prefix is None:
        pytest.skip('there is no Python to make a base like python:slim of')
    containerfile = tmp_path_factory.mktemp('slim') / 'Containerfile'
    containerfile.write_text(f"""\
FROM {DEBIAN}
RUN apt-get update && apt-get install -y --no-install-recommends libssl3 libffi8 libbz2-1.0 \\
    liblzma5 libreadline8 libsqlite3-0 zlib1g && apt-get clean
COPY . /usr/local
RUN grep -rlIF {prefix} /usr/local | xargs -r sed -i 's,{prefix},/usr/local,g' \\
    && find /usr/local -name '*.a' -delete && ldconfig
""")
    base = engine.build('python-slim', containerfile, prefix)
    return engine.build('wsgid-slim', FILES / 'Containerfile.python-slim', BASE=base)


def test_wsgid_adds_little_to_a_base_with_a_python_of_its_own(python_slim, layers):
    wsgid, libraries = layers(python_slim, 'wsgid', 'libraries')
    assert wsgid < 24e6 and libraries < 10e6


def test_a_virtual_environment_adds_itself_alone(shop, layers):
    application, venv = layers(shop, 'application', 'virtual environment')
    assert application < 1e6 and venv < 30e6


def test_a_base_with_a_python_of_its_own(run, python_slim):
    container = run([*HARD], 'probe', image=python_slim)
    assert get(container.address()).body == b'hello\n'
    status = json.loads(container.execute('wsgictl', 'status', '--json').stdout)
    assert python_below_home().name in status['server']['python']


def wheel(place: pathlib.Path, name: str, text: str):
    """A module as a wheel, which no index has."""
    info = f'{name}-1.0.dist-info'
    files = {f'{name}.py': text,
             f'{info}/METADATA': f'Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n',
             f'{info}/WHEEL': 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n'
                              'Tag: py3-none-any\n'}
    record = ''
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest())
        record += f'{path},sha256={digest.decode().rstrip("=")},{len(content)}\n'
    files[f'{info}/RECORD'] = record + f'{info}/RECORD,,\n'
    with zipfile.ZipFile(place / f'{name}-1.0-py3-none-any.whl', 'w') as archive:
        for path, content in files.items():
            archive.writestr(path, content)


@pytest.fixture(scope='session')
def shop(engine, image, tmp_path_factory):
    place = tmp_path_factory.mktemp('shop')
    (place / 'wheels').mkdir()
    wheel(place / 'wheels', 'greeting', "WORD = b'from the venv'\n")
    (place / 'requirements.txt').write_text('--no-index\ngreeting\n')
    (place / 'shop.py').write_text(
        'import greeting, sys\n\ndef application(environ, start_response):\n'
        "    start_response('200 OK', [])\n    return [greeting.WORD, sys.prefix.encode()]\n")
    return engine.build('shop', FILES / 'Containerfile.venv', place, WSGID=image, APP='shop')


def test_an_application_with_its_virtual_environment(engine, shop):
    with Container(engine, shop, HARD) as container:
        assert get(container.address()).body == b'from the venv/venv'
