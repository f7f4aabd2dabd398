"""WSGIPreloadApplication: one process imports the application, and its copies serve."""

import json
import os
import pathlib
import signal
import subprocess

import pytest

from client import Closed, Connection, get
from server import (BUILD, IS_ROOT, PATIENCE, SANITIZED, children_of,
                    clean_environment, is_alive, need, need_module, own_by_children,
                    status_of, title_of, wait_until)

as_root = pytest.mark.skipif(not IS_ROOT, reason='root has no limit of processes')

PLAIN = '''
def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [answer(environ).encode()]
'''


def write(directory, name: str, text: str):
    (directory / f'{name}.py').write_text(text + PLAIN)


@pytest.fixture
def preloaded(serve):
    """preloaded(APP, OPTION...) serves with a template and says what happens to children."""
    def start(*words, **more):
        return serve(*words, '--preload', '--log-level', 'info', **more)
    return start


def template_of(server) -> int:
    """The pid of the template that is ready, of the current generation."""
    return wait_until(lambda: server.board()['board']['template_pid'], 'a template')


def replaced(server, pid: int, number: int) -> dict:
    """number children that serve, without pid."""
    def ready():
        found = server.ready()
        return found if len(found) == number and pid not in found else None
    return wait_until(ready, f'{number} children without {pid}')


def ctl(server, *words):
    return subprocess.run([str(BUILD / 'wsgictl'), '--run-directory', str(server.run_directory),
                           *words], env=clean_environment(), capture_output=True, text=True,
                          timeout=PATIENCE)


# --- what it is -------------------------------------------------------------------------------

def test_a_template_that_a_signal_has_stopped_is_said_to_be(serve):
    server = serve('probe', '-w', '1', '--preload')
    template = server.board()['board']['template_pid']
    os.kill(template, signal.SIGSTOP)
    server.log.wait_for(rf'template pid {template} is stopped by SIGSTOP; it forks no child')
    os.kill(template, signal.SIGCONT)
    server.log.wait_for(rf'template pid {template} goes on')
    server.stop()


def test_the_application_is_imported_once_as_the_children_s_user(preloaded, directory):
    own_by_children(directory)
    write(directory, 'counted', f'''
import os
with open({str(directory / 'imports')!r}, 'a') as file:
    print(os.getpid(), os.geteuid(), file=file)
def answer(environ):
    return str(os.getpid())
''')
    server = preloaded('counted', '-w', '4', cwd=directory)
    children = server.wait_for_ready(4)
    template = template_of(server)
    imports = (directory / 'imports').read_text().split()
    assert imports == [str(template), status_of(template)['Uid'].split()[0]]
    assert status_of(template)['CapEff'] == '0' * 16 or not IS_ROOT
    assert template not in children
    assert title_of(template) == f'wsgid: template [{server.port}]'
    assert {title_of(pid) for pid in children} == {
        f'wsgid: child {i} [{server.port}]' for i in range(4)}
    assert 'prefork with 4 children, application preloaded' in server.log.text()
    server.stop()


def test_the_children_are_the_master_s_own(preloaded):
    server = preloaded('probe', '-w', '3')
    children = server.wait_for_ready(3)
    template = template_of(server)
    assert set(server.children()) == {template, *children}
    assert children_of(template) == []
    for pid, row in children.items():
        assert row['page']['pid'] == pid
        assert status_of(pid)['Uid'] == status_of(template)['Uid']
    seen = set()

    def all_seen():
        seen.add(int(get(server.address, '/pid').body))
        return seen == set(children)
    wait_until(all_seen, 'an answer of each')


def test_children_of_several_threads_are_forked_as_well(preloaded):
    """Their threads begin after the fork, and go through reloads and kills."""
    server = preloaded('probe', '--mpm', 'worker', '-w', '2', '--threads', '3')
    children = server.wait_for_ready(2)
    assert 'started threads' not in server.log.text()
    busy = [Connection(server.address) for _ in range(4)]
    for client in busy:
        client.send('GET /sleep?s=1 HTTP/1.1\r\nHost: t\r\n\r\n')
    assert get(server.address, '/hello').status == 200
    for client in busy:
        assert client.response().body == b'awake'
        client.close()
    os.kill(min(children), signal.SIGKILL)
    replaced(server, min(children), 2)
    assert 'reload done' in server.reload()
    assert get(server.address, '/hello').status == 200
    server.stop()


def test_a_new_child_is_ready_within_50_ms(serve, apps, directory):
    """For a Django site, one by one.  The median is printed, and the fastest of several asserted:
    other work of the machine only adds to it."""
    need_module('django')
    server = serve('django_site.wsgi:application', '-w', '2', '--preload', '--max-requests', '2',
                   env={'DJANGO_SITE_DATA': str(directory)})
    server.wait_for_ready(2)
    goal = 1000 if SANITIZED else 50
    rows, took = {}, []

    def enough():
        get(server.address, '/greeting/')
        rows.update(server.ready())
        took[:] = sorted((row['ready_us'] - row['forked_us']) / 1000 for row in rows.values())
        return len(took) >= 7 and (took[0] < goal or len(took) >= 40)
    wait_until(enough, 'several replacements')
    print(f'READY after {took[0]:.1f} to {took[-1]:.1f} ms, median {took[len(took) // 2]:.1f} ms')
    assert took[0] < goal, took


def pss_of(pids) -> int:
    """KiB, with what is shared divided among those who share it."""
    total = 0
    for pid in pids:
        text = pathlib.Path(f'/proc/{pid}/smaps_rollup').read_text()
        total += int(text.split('\nPss:')[1].split()[0])
    return total


def test_eight_children_take_less_memory_together(new_server, directory):
    need_module('django')
    found = {}
    for preload in ('off', 'on'):
        server = new_server('django_site.wsgi:application', '-w', '8', '--preload', preload,
                            env={'DJANGO_SITE_DATA': str(directory)}).start()
        children = server.wait_for_ready(8)
        for _ in range(80):
            assert get(server.address, '/greeting/').status == 200
        found[preload] = pss_of(children)
        template = server.board()['board']['template_pid']
        if template:
            found['template'] = pss_of([template])
        server.stop()
    print('PSS of 8 children: {off} KiB, preloaded {on} KiB and the template {template} KiB'
          .format(**found))
    assert found['on'] + found['template'] < found['off']


def private_kib(pid: int) -> int:
    text = pathlib.Path(f'/proc/{pid}/smaps_rollup').read_text()
    return int(text.split('Private_Dirty:')[1].split()[0])


@pytest.mark.skipif(SANITIZED, reason='the sanitizers have an allocator of their own')
@pytest.mark.parametrize('taken', [2000, 30000])
@pytest.mark.parametrize('size', [60, 1000])
def test_what_a_child_allocates_stands_together(preloaded, directory, size, taken):
    """And not in the holes that the import has left, one or two to each page: 60 bytes are
    Python's allocator's, 1000 malloc's.  What is given first was freed last, 8 KiB in a row."""
    write(directory, 'holes', f'''
apart = 4096 // {size} + 1
blocks = [bytes({size}) for i in range(6000 * apart)]
for i in range(0, len(blocks), apart):
    blocks[i] = None
late = [bytes({size}) for i in range(20000)]
late = late[::8192 // {size}]
taken = []
def answer(environ):
    if environ['PATH_INFO'] == '/take':
        taken.extend(bytes({size}) for _ in range({taken}))
    return ''
''')
    server = preloaded('holes', '-w', '1', cwd=directory)
    (child,) = server.wait_for_ready(1)
    for _ in range(20):
        get(server.address)
    before = private_kib(child)
    get(server.address, '/take')
    took = private_kib(child) - before
    print(f'{taken} blocks of {size} bytes took {took} KiB')
    assert took < 1.5 * taken * (size + 50) / 1024 + 1500


def test_what_only_the_import_needed_of_a_library_is_not_the_template_s_memory(preloaded,
                                                                               directory):
    write(directory, 'secure', '''
import ssl
def answer(environ):
    return ssl.OPENSSL_VERSION
''')
    server = preloaded('secure', '-w', '1', cwd=directory)
    server.wait_for_ready(1)
    counted, at = {}, None
    for line in pathlib.Path(f'/proc/{template_of(server)}/smaps').read_text().splitlines():
        at = line if '-' in line.split()[0] else at
        if line.startswith('Rss:') and 'r-xp' in at and '/_ssl' in at:
            counted[at] = int(line.split()[1])
    if not counted:
        pytest.skip('this Python has ssl in itself')
    assert not any(counted.values()), counted
    assert get(server.address).body.startswith(b'OpenSSL')


def test_no_two_children_have_the_same_random_numbers(preloaded, directory):
    write(directory, 'dice', '''
import os, random, secrets, uuid
random.random()
def answer(environ):
    return f'{os.getpid()} {random.random()} {secrets.token_hex(8)} {uuid.uuid4()}'
''')
    server = preloaded('dice', '-w', '4', cwd=directory)
    children = server.wait_for_ready(4)
    first = {}

    def from_all():
        pid, *numbers = get(server.address).body.decode().split()
        first.setdefault(int(pid), numbers)
        return set(first) == set(children)
    wait_until(from_all, 'an answer of each')
    for column in zip(*first.values()):
        assert len(set(column)) == 4


def test_functions_of_atexit_run_in_every_process_that_ends(preloaded, directory):
    own_by_children(directory)
    write(directory, 'leaves', f'''
import atexit, os
def say():
    with open({str(directory / 'ends')!r}, 'a') as file:
        print(os.getpid(), file=file)
atexit.register(say)
def answer(environ):
    return ''
''')
    server = preloaded('leaves', '-w', '2', cwd=directory)
    pids = {template_of(server), *server.wait_for_ready(2)}
    server.stop()
    ends = (directory / 'ends').read_text().split()
    assert sorted(ends) == sorted(map(str, pids))


def test_what_was_printed_before_the_fork_is_printed_once(preloaded, directory):
    write(directory, 'mutters', '''
import ctypes, sys
sys.stdout.write('half a line of Python')
ctypes.CDLL(None).printf(b', half a line of C')
def answer(environ):
    print('|answering')
    return ''
''')
    server = preloaded('mutters', '-w', '2', cwd=directory)
    server.wait_for_ready(2)
    for _ in range(4):
        get(server.address)
    server.stop()
    text = server.log.text()
    assert text.count('half a line of Python') == 1 and text.count('half a line of C') == 1
    assert '[app:info]' in text and text.count('] |answering') == 4


THREADS = '''
import os, threading
def begin(*names):
    for name in names:
        threading.Thread(target=threading.Event().wait, name=name, daemon=True).start()
def answer(environ):
    return ' '.join(t.name for t in threading.enumerate())
'''


def test_threads_that_children_miss_are_named_in_a_warning(preloaded, directory):
    write(directory, 'threads', THREADS + '''
begin('reloader', 'sender', 'beacon')
os.register_at_fork(after_in_child=lambda: begin('sender'))
''')
    server = preloaded('threads', '-w', '2', cwd=directory)
    line = server.log.wait_for(r'\[child:warn\].*started threads.*')[0]
    assert 'not have: reloader, beacon;' in line and 'register_at_fork' in line
    first, second = server.wait_for_ready(2)
    assert f'[pid {first}]' in line or f'[pid {second}]' in line
    assert get(server.address).body == b'MainThread sender'
    assert server.reload().count('started threads') == 1
    server.stop()
    assert server.log.text().count('started threads') == 2


def test_threads_that_are_started_again_are_none_to_warn_of(preloaded, directory):
    write(directory, 'again', THREADS + '''
begin('sender 1', 'sender 2')
os.register_at_fork(after_in_child=lambda: begin('sender 2', 'sender 3'))
''')
    server = preloaded('again', '-w', '2', cwd=directory)
    server.wait_for_ready(2)
    server.stop()
    assert 'started threads' not in server.log.text()


def test_without_threads_there_is_no_warning(preloaded):
    server = preloaded('probe', '-w', '2')
    server.wait_for_ready(2)
    assert ':warn]' not in server.log.text()


# --- failures ---------------------------------------------------------------------------------

def test_an_application_that_cannot_be_imported_ends_the_start(new_server, directory):
    write(directory, 'broken', 'import nothing_of_that_name')
    server = new_server('broken', '--preload', '-w', '4', cwd=directory)
    assert server.fails() == 1
    text = server.log.text()
    assert text.count('Traceback') == 1 and 'nothing_of_that_name' in text
    assert text.count('[master:error]') == 1


@pytest.mark.parametrize('source, patience, said', [
    ('import os, signal; os.kill(os.getpid(), signal.SIGSEGV)', PATIENCE, 'Segmentation fault'),
    ('import os; os._exit(9)', PATIENCE, 'exit status 9'),
    ('import os; os.closerange(3, 1000)', PATIENCE, 'has the application closed descriptors'),
    ('import time; time.sleep(1000)', 1, 'StartupTimeout'),
])
def test_a_template_that_does_not_survive_the_import_ends_the_start(new_server, directory, source,
                                                                     patience, said):
    write(directory, 'dies', source + '\ndef answer(environ):\n    return ""\n')
    server = new_server('dies', '--preload', '-w', '2', '--startup-timeout', patience,
                        cwd=directory)
    assert server.fails() == 1
    assert said in server.log.text()


def test_a_reload_that_cannot_import_leaves_the_old_generation(preloaded, directory):
    write(directory, 'site_app', 'def answer(environ):\n    return "old"\n')
    server = preloaded('site_app', '-w', '2', cwd=directory)
    children, template = server.wait_for_ready(2), template_of(server)
    write(directory, 'site_app', 'raise RuntimeError("not yet")\n')
    said = server.reload()
    assert 'reload failed' in said and 'not yet' in said and said.count('Traceback') == 1
    assert set(server.ready()) == set(children)
    assert template_of(server) == template
    assert get(server.address).body == b'old'
    os.kill(min(children), signal.SIGKILL)
    replaced(server, min(children), 2)
    assert get(server.address).body == b'old'
    server.stop()


def test_a_reload_brings_a_new_template_and_the_old_one_goes(preloaded, directory):
    write(directory, 'site_app', 'def answer(environ):\n    return "old"\n')
    server = preloaded('site_app', '-w', '3', cwd=directory)
    children, template = server.wait_for_ready(3), template_of(server)
    with Connection(server.address) as kept:
        assert kept.get('/').body == b'old'
        write(directory, 'site_app', 'def answer(environ):\n    return "new"\n')
        assert 'reload done' in server.reload()
        assert kept.get('/').body == b'new'
    wait_until(lambda: not is_alive(template), 'the end of the old template')
    assert template_of(server) != template
    assert not set(server.wait_for_ready(3)) & set(children)
    assert server.board()['board']['generation'] == 2
    server.stop()


def test_preloading_can_be_turned_on_and_off_by_a_reload(serve, directory, apps):
    path = directory / 'site.conf'
    text = f'WSGIApplication probe\nChDir {apps}\nListen 127.0.0.1:0\nProcesses 2\n'
    path.write_text(text)
    server = serve('-c', path, bind=None)
    for preload in ('On', 'Off'):
        path.write_text(f'{text}WSGIPreloadApplication {preload}\n')
        assert 'reload done' in server.reload()
        server.wait_for_ready(2)
        assert bool(server.board()['board']['template_pid']) == (preload == 'On')
        assert get(server.address, '/hello').status == 200
    server.stop()


def test_a_dead_template_is_replaced_and_its_children_serve_on(preloaded):
    server = preloaded('probe', '-w', '2')
    children, template = server.wait_for_ready(2), template_of(server)
    os.kill(template, signal.SIGKILL)
    server.log.wait_for(f'template pid {template} exit signal Killed.*its children serve on')
    wait_until(lambda: server.board()['board']['template_pid'] not in (0, template),
               'another template')
    assert set(server.ready()) == set(children)
    os.kill(min(children), signal.SIGKILL)
    replaced(server, min(children), 2)
    assert server.board()['board']['templates_started'] == 2
    server.stop()


def test_templates_that_die_one_after_the_other_are_throttled(preloaded):
    server = preloaded('probe', '-w', '2')
    children = server.wait_for_ready(2)
    for _ in range(2):
        template = template_of(server)
        os.kill(template, signal.SIGKILL)
        server.log.wait_for(f'template pid {template} exit signal')
    server.log.wait_for(r'fail one after the other \(2 so far\)')
    assert get(server.address, '/hello').status == 200
    template_of(server)
    assert set(server.ready()) == set(children)
    server.stop()


def test_a_template_that_is_told_to_end_by_a_signal_ends_and_is_replaced(preloaded):
    server = preloaded('probe', '-w', '2')
    children, template = server.wait_for_ready(2), template_of(server)
    os.kill(template, signal.SIGTERM)
    wait_until(lambda: server.board()['board']['template_pid'] not in (0, template),
               'another template')
    assert set(server.ready()) == set(children)
    server.stop()


def test_a_template_that_hangs_is_killed_and_replaced(preloaded):
    # Generous for the start, on a loaded machine, and short for the wait.
    server = preloaded('probe', '-w', '2', '--startup-timeout', '4')
    children, template = server.wait_for_ready(2), template_of(server)
    os.kill(template, signal.SIGSTOP)
    os.kill(min(children), signal.SIGKILL)
    server.log.wait_for(f'template pid {template}: it has not forked a child')
    replaced(server, min(children), 2)
    assert template_of(server) != template
    server.stop()


def test_a_template_that_hangs_does_not_hold_the_stop_up(preloaded):
    server = preloaded('probe', '-w', '2')
    os.kill(template_of(server), signal.SIGSTOP)
    server.stop()
    assert 'did not stop, sending SIGKILL' in server.log.text()


def test_a_template_does_not_outlive_its_master(preloaded):
    server = preloaded('probe', '-w', '2')
    pids = [template_of(server), *server.wait_for_ready(2)]
    server.kill(signal.SIGKILL)
    server.process.wait(PATIENCE)
    wait_until(lambda: not any(map(is_alive, pids)), 'the end of all')


@as_root
def test_a_fork_that_fails_is_tried_again(preloaded, directory):
    full = directory / 'full'
    write(directory, 'crowded', f'''
import os, resource
before = resource.getrlimit(resource.RLIMIT_NPROC)
def limit():
    soft = 0 if os.path.exists({str(full)!r}) else before[0]
    resource.setrlimit(resource.RLIMIT_NPROC, (soft, before[1]))
os.register_at_fork(before=limit)
def answer(environ):
    return 'served'
''')
    server = preloaded('crowded', '-w', '2', cwd=directory)
    children, template = server.wait_for_ready(2), template_of(server)
    full.touch()
    os.kill(min(children), signal.SIGKILL)
    server.log.wait_for('fork of a child: Resource temporarily unavailable; trying again later')
    assert get(server.address).status == 200
    full.unlink()
    replaced(server, min(children), 2)
    assert template_of(server) == template
    server.stop()


@pytest.mark.parametrize('path, death', [
    ('/kill', 'Killed'),
    pytest.param('/segv', 'Segmentation fault', marks=pytest.mark.skipif(
        SANITIZED, reason='the sanitizer takes the signal for itself'))])
def test_a_crash_of_a_child_is_told_as_ever(preloaded, path, death):
    server = preloaded('probe', '-w', '2')
    children = server.wait_for_ready(2)
    with pytest.raises((Closed, ConnectionError)):
        get(server.address, path)
    found = server.log.wait_for(rf'child pid (\d+) \(slot \d\) exit signal {death}')
    replaced(server, int(found[1]), 2)
    assert int(found[1]) in children
    assert server.board()['board']['children_crashed'] == 1
    server.stop()


@pytest.mark.parametrize('hook, said', [
    ('os._exit(3)', 'exit status 3'),
    ('os.kill(os.getpid(), 11)', 'Segmentation fault'),
])
def test_children_that_die_of_their_fork_are_as_bad_as_a_bad_import(new_server, directory, hook,
                                                                    said):
    bad = directory / 'bad'
    write(directory, 'fragile', f'''
import os
def die():
    if os.path.exists({str(bad)!r}):
        {hook}
os.register_at_fork(after_in_child=die)
def answer(environ):
    return 'served'
''')
    bad.touch()
    server = new_server('fragile', '-w', '2', '--preload', cwd=directory)
    assert server.fails() == 1
    assert said in server.log.text()
    bad.unlink()
    server = new_server('fragile', '-w', '2', '--preload', cwd=directory).start()
    children = server.wait_for_ready(2)
    bad.touch()
    text = server.reload()
    assert 'reload failed' in text and said in text
    assert set(server.ready()) == set(children)
    os.kill(min(children), signal.SIGKILL)
    server.log.wait_for('fail one after the other')
    assert get(server.address).body == b'served'
    bad.unlink()
    replaced(server, min(children), 2)
    server.stop()


def test_a_restart_into_code_that_cannot_be_imported_goes_on_when_it_can(preloaded, directory):
    """Apache's restart stops the old children first, so nobody serves meanwhile."""
    write(directory, 'site_app', 'def answer(environ):\n    return "old"\n')
    server = preloaded('site_app', '-w', '2', '--signal-style', 'apache', cwd=directory)
    server.wait_for_ready(2)
    write(directory, 'site_app', 'raise RuntimeError("not yet")\n')
    server.kill(signal.SIGHUP)
    server.log.wait_for('template pid .* not yet')
    write(directory, 'site_app', 'def answer(environ):\n    return "new"\n')
    server.wait_for_ready(2)
    assert get(server.address).body == b'new'
    server.stop()


def test_children_whose_user_may_lock_little_memory_serve_all_the_same(preloaded):
    """Their rings are charged to the user; those that get none use epoll."""
    server = preloaded('probe', '-w', '12', launcher=[need('prlimit'), '--memlock=65536:65536'])
    server.wait_for_ready(12)
    for _ in range(24):
        assert get(server.address, '/hello').status == 200
    assert ':error]' not in server.log.text()
    server.stop()


# --- a template that lies ---------------------------------------------------------------------

LIAR = '''
import array, os, socket, struct, time
MAGIC, READY, BORN = 0x57534301, 1, 5
channel = socket.socket(fileno=os.dup(3))
channel.setblocking(True)
def say(where, kind, extra=()):
    where.sendmsg([struct.pack('5I', MAGIC, kind, 0, 0, 0)], extra)
say(channel, READY)
order, control, flags, _ = channel.recvmsg(1000, socket.CMSG_SPACE(200))
fds = array.array('i', control[0][2])
slot = socket.socket(fileno=fds[0])
slot.setblocking(True)
'''


@pytest.mark.parametrize('lie, said', [
    # The kernel does not let it use another's name.
    ('''
me = struct.pack('3i', os.getppid(), 0, 0)
try:
    say(slot, BORN, [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, me)])
except PermissionError:
    print('not permitted', flush=True)
os._exit(0)
''', 'not permitted'),
    ('say(slot, BORN)\ntime.sleep(1000)', 'says that it is the child of slot 0 and is not'),
    ('say(slot, READY)\ntime.sleep(1000)', 'says that it is the child of slot 0 and is not'),
    # A child of its own is none of the master's.
    ('if os.fork() == 0:\n    say(slot, BORN)\n    os._exit(0)\ntime.sleep(1000)',
     'says that it is the child of slot 0 and is not'),
    ('slot.close()\nfor fd in fds[1:]: os.close(fd)\ntime.sleep(1000)',
     'has not forked a child that it was told to fork'),
])
def test_a_template_cannot_make_the_master_believe_in_a_foreign_process(new_server, directory, lie,
                                                                        said):
    write(directory, 'liar', LIAR + lie)
    server = new_server('liar', '--preload', '-w', '2', cwd=directory)
    assert server.fails() == 1
    assert said in server.log.text()


# --- what belongs to a slot -------------------------------------------------------------------

def test_a_child_writes_to_the_logs_that_there_are_when_it_is_forked(preloaded, directory):
    log = directory / 'access.log'
    server = preloaded('probe', '-w', '1', '--access-log', log)
    child, = server.wait_for_ready(1)
    assert get(server.address, '/hello?first').status == 200
    log.rename(directory / 'access.old')
    done = ctl(server, 'reopen-logs')
    assert done.returncode == 0, done.stderr
    os.kill(child, signal.SIGKILL)
    replaced(server, child, 1)
    assert get(server.address, '/hello?second').status == 200
    wait_until(lambda: 'second' in log.read_text(), 'the line in the new log')
    assert 'first' in (directory / 'access.old').read_text()
    for name in os.listdir(f'/proc/{template_of(server)}/fd'):
        target = os.readlink(f'/proc/{template_of(server)}/fd/{name}')
        assert 'access' not in target and '.scoreboard' not in target, target
    server.stop()


def test_as_many_logs_as_there_may_be_reach_the_children(preloaded, directory):
    logs = [directory / f'{i}.log' for i in range(16)]
    words = [word for log in logs for word in ('--access-log', log)]
    server = preloaded('probe', '-w', '2', *words)
    server.wait_for_ready(2)
    assert get(server.address, '/hello').status == 200
    wait_until(lambda: all('/hello' in log.read_text() for log in logs), 'a line in each')
    server.stop()


def test_a_changed_log_level_reaches_the_children_of_the_template(preloaded, no_uring):
    """The first child says as a notice why it does without io_uring."""
    server = preloaded('probe', '-w', '1', launcher=(no_uring, 'EPERM'))
    child, = server.wait_for_ready(1)
    for level, said in ('notice', True), ('error', False):
        assert ctl(server, 'log-level', level).returncode == 0
        since = len(server.log.text())
        os.kill(child, signal.SIGKILL)
        child, = replaced(server, child, 1)
        get(server.address, f'/talk?word={level}')
        server.log.wait_for(f'{level} by print')
        assert ('using epoll' in server.log.text()[since:]) == said
    server.stop()


def test_the_status_names_the_template(preloaded):
    server = preloaded('probe', '-w', '2')
    server.wait_for_ready(2)
    template = template_of(server)
    assert f'probe, preloaded by pid {template}' in ctl(server, 'status').stdout
    status = json.loads(ctl(server, 'status', '--json').stdout)
    assert status['children']['template_pid'] == template
    assert status['children']['now'] == 2
