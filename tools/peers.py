"""Start, reload and stop wsgid and the servers it is compared with.

Each listens on a loopback port that the kernel has chosen, writes below a directory of its
own and is stopped by its pid.  Programs are looked for on PATH and in /usr/sbin.
"""

import grp
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import time
import typing
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = pathlib.Path(os.environ.get('WSGID_BUILD') or ROOT / 'build' / 'release')
SOMAXCONN = pathlib.Path('/proc/sys/net/core/somaxconn')  # uwsgi does not start with more
TICKS = os.sysconf('SC_CLK_TCK')
APACHE_MODULES = [pathlib.Path(path) for path in
                  ('/usr/lib/apache2/modules', '/usr/lib64/httpd/modules',
                   '/etc/httpd/modules')]
PATIENCE = 30


class Missing(Exception):
    """The end of a sentence that begins with the server's name."""


class Shape(typing.NamedTuple):
    processes: int
    threads: int
    connections: int  # at once, kept alive

    def tied(self) -> int:
        """Workers where each connection holds one: as many as there are connections."""
        return max(self.processes * self.threads, self.connections)


class Plan(typing.NamedTuple):
    """What is started, and what its workers are, for people."""
    command: list
    workers: str


def find(*names: str) -> str:
    for name in names:
        found = shutil.which(name, path=os.environ.get('PATH', '') + ':/usr/sbin')
        if found:
            return found
    raise Missing('is not installed')


# --- how each is started --------------------------------------------------------------------

def has_worker_mpm() -> bool:
    said = subprocess.run([BUILD / 'wsgid', '-V'], capture_output=True, text=True).stdout
    return any(line.split()[:1] == ['MPM'] and 'worker' in line for line in said.splitlines())


def wsgid(place: pathlib.Path, port: int, shape: Shape) -> Plan:
    """With threads where it has them, else as many processes."""
    words = ['-w', shape.processes]
    workers = f'{shape.processes} × {shape.threads}'
    if shape.threads > 1 and has_worker_mpm():
        words += ['--threads', shape.threads]
    elif shape.threads > 1:
        words[1] = shape.processes * shape.threads
        workers = f'{words[1]} × 1'
    return Plan([BUILD / 'wsgid', '-b', f'127.0.0.1:{port}', *words, '--run-directory',
                 place / 'run', '--error-log', place / 'log', 'hello:application'], workers)


def wsgid_epoll(place: pathlib.Path, port: int, shape: Shape) -> Plan:
    """As it serves where io_uring is refused."""
    plan = wsgid(place, port, shape)
    return plan._replace(command=[*plan.command, '--io-engine', 'epoll'])


def uwsgi(place: pathlib.Path, port: int, shape: Shape) -> Plan:
    """http11-socket keeps connections alive, each of which holds a thread."""
    program = find('uwsgi-core', 'uwsgi')
    threads = -(-shape.tied() // shape.processes)
    command = [program, '--http11-socket', f'127.0.0.1:{port}', '--module', 'hello:application',
               '--master', '--processes', shape.processes, '--threads', threads, '--listen',
               min(2048, int(SOMAXCONN.read_text())), '--disable-logging', '--need-app',
               '--die-on-term', '--enable-threads', '--socket-timeout', '60', '--logto',
               place / 'log']
    plugins = pathlib.Path('/usr/lib/uwsgi/plugins')
    if any(plugins.glob('python3*_plugin.so')):
        command[1:1] = ['--plugins-dir', plugins, '--plugin', 'python3']
    return Plan(command, f'{shape.processes} × {threads}')


def gunicorn(place: pathlib.Path, port: int, shape: Shape) -> Plan:
    return Plan([find('gunicorn'), '-k', 'gthread', '-w', shape.processes, '--threads',
                 shape.threads, '-b', f'127.0.0.1:{port}', '--backlog', '2048', '--keep-alive',
                 '60', '--worker-connections', '5000', '--log-level', 'warning',
                 '--error-logfile', place / 'log', 'hello:application'],
                f'{shape.processes} × {shape.threads}')


def apache_base(place: pathlib.Path, port: int, mpm: str) -> list:
    """The lines that all have: as Debian has them, but connections are kept."""
    modules = next((path for path in APACHE_MODULES if (path / f'mod_mpm_{mpm}.so').exists()),
                   None)
    if modules is None or not (modules / 'mod_wsgi.so').exists():
        raise Missing(f'has no mod_mpm_{mpm} and mod_wsgi')
    lines = [f'ServerRoot "{place}"', f'PidFile "{place}/pid"', 'ServerName localhost',
             f'DefaultRuntimeDir "{place}"', f'Listen 127.0.0.1:{port}', 'ListenBacklog 2048',
             f'LoadModule mpm_{mpm}_module {modules}/mod_mpm_{mpm}.so',
             f'LoadModule authz_core_module {modules}/mod_authz_core.so',
             f'LoadModule wsgi_module {modules}/mod_wsgi.so', f'ErrorLog "{place}/log"',
             'LogLevel warn', 'KeepAlive On', 'MaxKeepAliveRequests 0', 'KeepAliveTimeout 60',
             'Timeout 60', 'MaxConnectionsPerChild 0', f'DocumentRoot "{place}"',
             '<Directory />', 'Require all granted', '</Directory>',
             'WSGIApplicationGroup %{GLOBAL}']
    for module in ('unixd', 'log_config'):
        if (modules / f'mod_{module}.so').exists():
            lines.append(f'LoadModule {module}_module {modules}/mod_{module}.so')
    if os.geteuid() == 0:
        user, group = unprivileged()
        lines += [f'User {user}', f'Group {group}']
    return lines


def unprivileged() -> tuple:
    """Names of a user and of its group."""
    for name in ('www-data', 'apache', 'nobody'):
        try:
            return name, grp.getgrgid(pwd.getpwnam(name).pw_gid).gr_name
        except KeyError:
            pass
    raise Missing('would run as root: there is no user www-data, apache or nobody')


def apache(place: pathlib.Path, lines: list) -> list:
    program = find('apache2', 'httpd')
    lines.append(f'WSGIScriptAlias / "{place.parent}/hello.py"')
    (place / 'httpd.conf').write_text('\n'.join(lines) + '\n')
    return [program, '-f', place / 'httpd.conf', '-DFOREGROUND']


def apache_prefork(place: pathlib.Path, port: int, shape: Shape) -> Plan:
    """Embedded: a connection holds a process."""
    n = shape.tied()
    lines = apache_base(place, port, 'prefork')
    lines += [f'ServerLimit {n}', f'StartServers {n}', f'MinSpareServers {n}',
              f'MaxSpareServers {n + 1}', f'MaxRequestWorkers {n}',
              f'WSGIPythonPath "{place.parent}"',
              f'WSGIImportScript "{place.parent}/hello.py" process-group=%{{GLOBAL}} '
              f'application-group=%{{GLOBAL}}']
    return Plan(apache(place, lines), f'{n} × 1')


def apache_with_daemons(mpm: str):
    """Two processes with threads in front of daemon processes, as mod_wsgi recommends."""
    def plan(place: pathlib.Path, port: int, shape: Shape) -> Plan:
        front = -(-max(shape.connections, 50) // 2)
        lines = apache_base(place, port, mpm)
        lines += ['ServerLimit 2', 'StartServers 2', f'ThreadLimit {front}',
                  f'ThreadsPerChild {front}', 'MinSpareThreads 1',
                  f'MaxSpareThreads {3 * front}', f'MaxRequestWorkers {2 * front}',
                  f'WSGISocketPrefix "{place}/wsgi"',
                  f'WSGIDaemonProcess hello processes={shape.processes} '
                  f'threads={shape.threads} python-path="{place.parent}"',
                  'WSGIProcessGroup hello', 'WSGIRestrictEmbedded On',
                  f'WSGIImportScript "{place.parent}/hello.py" process-group=hello '
                  f'application-group=%{{GLOBAL}}']
        return Plan(apache(place, lines), f'{shape.processes} × {shape.threads}')
    return plan


class Peer(typing.NamedTuple):
    plan: typing.Callable
    title: str
    reload: int


PEERS = {
    'wsgid': Peer(wsgid, 'wsgid', signal.SIGHUP),
    'wsgid-epoll': Peer(wsgid_epoll, 'wsgid with epoll', signal.SIGHUP),
    'apache-prefork': Peer(apache_prefork, 'Apache prefork, mod_wsgi embedded', signal.SIGUSR1),
    'apache-worker': Peer(apache_with_daemons('worker'), 'Apache worker, mod_wsgi daemons',
                          signal.SIGUSR1),
    'apache-event': Peer(apache_with_daemons('event'), 'Apache event, mod_wsgi daemons',
                         signal.SIGUSR1),
    'uwsgi': Peer(uwsgi, 'uwsgi', signal.SIGHUP),
    'gunicorn': Peer(gunicorn, 'gunicorn gthread', signal.SIGHUP),
}


# --- one that runs --------------------------------------------------------------------------

def free_port() -> int:
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Server:
    """Started in a directory of its own below one that holds hello.py."""

    def __init__(self, name: str, applications: pathlib.Path, shape: Shape, cpu):
        self.name = name
        self.peer = PEERS[name]
        self.place = applications / f'{name}-{time.monotonic_ns()}'
        self.place.mkdir()
        self.place.chmod(0o755)
        self.port = free_port()
        self.process = None
        plan = self.peer.plan(self.place, self.port, shape)
        self.workers = plan.workers
        command = [str(word) for word in plan.command]
        if cpu is not None:
            command[:0] = ['taskset', '-c', str(cpu)]
        environment = {key: value for key, value in os.environ.items()
                       if not key.startswith(('WSGI', 'SUDO_'))}
        with open(self.place / 'out', 'wb') as out:
            self.process = subprocess.Popen(command, cwd=applications, env=environment,
                                            stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                                            start_new_session=True)

    def get(self, body: bytes = b'') -> bytes:
        with urllib.request.urlopen(f'http://127.0.0.1:{self.port}/', body or None,
                                    timeout=5) as answer:
            return answer.read()

    def wait(self):
        """Until it serves; Missing with the end of what it said when it does not."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self.process.poll() is None:
            try:
                self.get()
                return
            except OSError:
                time.sleep(0.05)
        raise Missing('does not answer: ' + self.last_words())

    def settle(self):
        """Until its other processes, which begin after the first answer, are ready as well:
        until it has nothing to do any more."""
        end = time.monotonic() + PATIENCE
        busy = self.cpu_seconds()
        while time.monotonic() < end:
            time.sleep(0.5)
            before, busy = busy, self.cpu_seconds()
            if busy - before <= 1.5 / TICKS:
                return
        raise Missing('does not come to rest after its start')

    def last_words(self) -> str:
        for path in (self.place / 'log', self.place / 'out'):
            if path.exists() and (text := path.read_text(errors='replace').strip()):
                return text.splitlines()[-1]
        return 'it says nothing'

    def processes(self) -> dict:
        """pid -> the fields of stat after the name, for each of its session."""
        found = {}
        for stat in pathlib.Path('/proc').glob('[0-9]*/stat'):
            try:
                text = stat.read_text()
            except OSError:
                continue
            fields = text[text.rindex(')') + 2:].split()
            if int(fields[3]) == self.process.pid:
                found[int(stat.parent.name)] = fields
        return found

    def cpu_seconds(self) -> float:
        """Of all its processes, and of those that it has buried."""
        return sum(sum(map(int, fields[11:15])) for fields in self.processes().values()) / TICKS

    def wait_for_end_of(self, pids: set) -> bool:
        end = time.monotonic() + PATIENCE
        while pids & set(self.processes()):
            if time.monotonic() > end:
                return False
            time.sleep(0.1)
        return True

    def reload(self):
        self.process.send_signal(self.peer.reload)

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def cpus() -> tuple:
    """One for the server and one for the load; None where nothing can be pinned."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) > 1 and shutil.which('taskset') is not None:
        return allowed[0], allowed[1]
    return None, None
