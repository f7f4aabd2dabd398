"""Fixtures of the end-to-end tests: servers that are gone after each test."""

import pathlib
import shutil
import struct
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests' / 'support'))
sys.dont_write_bytecode = True

import server as servers  # noqa: E402
import waiting  # noqa: E402
from pythons import installed, old_static, show, twins  # noqa: E402, F401
from terminal import Terminal  # noqa: E402
from wsgictl import daemon, shop, site  # noqa: E402, F401

TEST_TIMEOUT = 900 if servers.VALGRIND else 240 if servers.SANITIZED else 120


def pytest_configure(config):
    config.addinivalue_line('markers', 'alone: measures, so nothing else of the suite may run '
                            'beside it')
    config.addinivalue_line('markers', 'xdist_group: run by one of its workers; see --dist')


def pytest_report_header():
    return f'wsgid: {servers.WSGID}'


def pytest_collection_modifyitems(items):
    if servers.WSGID.exists():
        return
    for item in items:
        if 'apps' in getattr(item, 'fixturenames', ()):
            item.add_marker(pytest.mark.skip(reason=f'{servers.WSGID} is not built'))


@pytest.fixture(autouse=True)
def no_test_hangs():
    with waiting.no_longer_than(TEST_TIMEOUT):
        yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """The error logs of a failed test belong to its report."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for server in [*getattr(item.parent, 'servers', ()), *getattr(item, 'servers', ())]:
            if server.log is not None:
                report.sections.append(('error log', server.log.text()))


@pytest.fixture(scope='session')
def apps():
    """tests/apps where the children's user can read it."""
    directory = servers.open_directory('wsgid-apps-')
    shutil.copytree(servers.APPS, directory / 'apps',
                    ignore=shutil.ignore_patterns('__pycache__'))
    for path in [directory, *directory.rglob('*')]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    yield directory / 'apps'
    shutil.rmtree(directory)


@pytest.fixture
def directory():
    """An empty directory that the children's user may enter."""
    path = servers.open_directory()
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def terminal():
    terminal = Terminal()
    yield terminal
    terminal.close()


class Gate:
    """What requests wait for that ask for its target, /until of probe and of threaded."""

    def __init__(self, path):
        self.path = path
        self.target = f'/until?file={path}'
        self.request = f'GET {self.target} HTTP/1.1\r\nHost: test\r\n\r\n'

    def open(self):
        self.path.touch()

    def shut(self):
        self.path.unlink()


@pytest.fixture
def gate(directory):
    """Requests that last until the test lets them end: instead of some seconds, which would be
    too many on a quiet machine and too few on a busy one."""
    return Gate(directory / 'gate')


@pytest.fixture(params=['Off', 'On'], ids=['imported', 'preloaded'])
def preload(request):
    """The servers of the test have children that import, and then such that are forked from a
    template: @either_way."""
    return request.param


THREADS = {'WSGID_MPM': 'worker', 'WSGID_THREADS_PER_CHILD': '4'}


@pytest.fixture(params=[{'WSGID_PRELOAD_APPLICATION': 'Off'}, {'WSGID_PRELOAD_APPLICATION': 'On'},
                        {'WSGID_PRELOAD_APPLICATION': 'Off', **THREADS},
                        {'WSGID_PRELOAD_APPLICATION': 'On', **THREADS}],
                ids=['imported', 'preloaded', 'threads', 'preloaded threads'])
def any_children(request):
    """As preload, and each kind with one thread and with four of MPM worker."""
    return request.param


@pytest.fixture(params=[{}, THREADS], ids=['prefork', 'worker'])
def mpm(request):
    """The servers of the test have one thread in each child, and then four."""
    return request.param


@pytest.fixture
def new_server(request, apps, directory):
    """new_server(APP, OPTION...) makes a Server that runs in tests/apps."""
    request.node.servers = made = []
    kind = {}
    for name in ('any_children', 'mpm'):
        if name in request.fixturenames:
            kind.update(request.getfixturevalue(name))
    if 'preload' in request.fixturenames:
        kind['WSGID_PRELOAD_APPLICATION'] = request.getfixturevalue('preload')

    def make(*words, **more):
        if ('--io-engine', 'io_uring') in zip(words, words[1:]) and not servers.has_uring():
            pytest.skip('io_uring is not to be had here')
        more.setdefault('cwd', apps)
        more['env'] = {**more.get('env', {}), **kind}
        place = directory / str(len(made))
        place.mkdir()
        place.chmod(0o755)
        server = servers.Server(place, *words, **more)
        made.append(server)
        return server
    yield make
    for server in made:
        server.discard()


@pytest.fixture
def serve(new_server):
    """serve(APP, OPTION...) gives a Server that serves."""
    def start(*words, **more):
        return new_server(*words, **more).start()
    return start


@pytest.fixture(scope='module')
def serve_all(request, apps):
    """serve_all(APP, OPTION...) gives a Server for all tests of a module that leave it as it is."""
    directory = servers.open_directory()
    request.node.servers = made = []

    def start(*words, **more):
        place = directory / str(len(made))
        place.mkdir()
        place.chmod(0o755)
        more.setdefault('cwd', apps)
        made.append(servers.Server(place, *words, **more))
        return made[-1].start()
    yield start
    for server in made:
        server.discard()
    shutil.rmtree(directory, ignore_errors=True)


def compile_support(directory, name: str, *options):
    if servers.compiler() is None:
        pytest.skip('there is no C compiler')
    return servers.compile_support(directory, name, *options)


@pytest.fixture(scope='session')
def no_uring(tmp_path_factory):
    """A launcher that has io_uring refused."""
    return compile_support(tmp_path_factory.mktemp('no_uring'), 'no_uring')


@pytest.fixture(scope='session')
def trouble_library():
    """A library that makes things go wrong, where the children's user can read it."""
    if servers.SANITIZED:
        pytest.skip('a sanitizer must be the first library that is loaded')
    directory = servers.open_directory('wsgid-trouble-')
    yield compile_support(directory, 'trouble', '-shared', '-fPIC')
    shutil.rmtree(directory)


class Trouble:
    """What goes wrong in a server that was started with its environment."""

    def __init__(self, library, path):
        self.path = path
        path.write_bytes(bytes(16))
        path.chmod(0o666)
        self.environment = {'LD_PRELOAD': str(library), 'TROUBLE': str(path)}

    def _write(self, offset: int, form: str, value: int):
        with open(self.path, 'r+b') as file:
            file.seek(offset)
            file.write(struct.pack(form, value))

    def set_clock(self, seconds: int):
        """As an administrator who is wrong by so much, or was."""
        self._write(0, '=q', seconds)

    def fail_accept(self, number: int):
        self._write(12, '=i', 0)
        self._write(8, '=i', number)

    def failed_accepts(self) -> int:
        return struct.unpack('=qii', self.path.read_bytes())[2]


@pytest.fixture
def trouble(trouble_library, directory):
    return Trouble(trouble_library, directory / 'trouble')
