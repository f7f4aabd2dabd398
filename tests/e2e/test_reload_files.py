"""New code without an order: WSGIScriptReloading, and --reload for development."""

import os
import shutil
import subprocess

import pytest

from client import Connection, get
from server import WSGID, has_gil, wait_until

SCRIPT = '''
def application(environ, start_response):
    start_response('200 OK', [])
    return [b'%s']
'''


def write(path, text: str):
    """As editors do: another file takes the name."""
    new = path.with_name(path.name + '.new')
    new.write_text(text)
    new.chmod(0o644)
    new.rename(path)


def body(server) -> bytes:
    return get(server.address).body


def failure(server):
    """The answer if it is one of a server that waits for a change; the old child may have
    answered instead."""
    answer = get(server.address)
    return answer if answer.status == 500 else None


def test_a_changed_script_is_run_again_before_the_next_request(serve, directory):
    script = directory / 'site.wsgi'
    write(script, SCRIPT % 'one')
    server = serve(script, '-w', '1', '--script-reloading')
    child, = server.ready()
    assert body(server) == b'one'
    write(script, SCRIPT % 'two')
    os.utime(script, (1, 1))  # older is another time, too
    assert body(server) == b'two'
    write(script, 'this is no Python\n')
    assert get(server.address).status == 500
    server.log.wait_for('SyntaxError')
    write(script, SCRIPT % 'three')
    assert body(server) == b'three'
    assert list(server.ready()) == [child]


def test_a_changed_script_knows_nothing_of_what_was_in_it(serve, directory):
    script = directory / 'site.wsgi'
    counting = 'COUNT = globals().get("COUNT", 0) + 1\n' + SCRIPT.replace("b'%s'", 'b"%d" % COUNT')
    write(script, counting)
    server = serve(script, '-w', '1', '--script-reloading')
    assert body(server) == b'1'
    write(script, SCRIPT.replace('application', 'renamed') % 'two')
    assert get(server.address).status == 500
    server.log.wait_for("there is no 'application' in its module")
    write(script, counting)
    assert body(server) == b'1'


def test_requests_go_on_with_the_old_script_until_the_new_one_is_there(serve, directory):
    script, go = directory / 'site.wsgi', directory / 'go'
    write(script, '''
import sys

def helper(one):
    return b'old'

def application(environ, start_response):
    start_response('200 OK', [])
    return [helper(1) if sys.modules[__name__] else b'']
''')
    server = serve(script, '-w', '1', '--threads', 2, '--script-reloading')
    assert body(server) == b'old'
    write(script, f'''
import os, sys, time

def helper(one, two):
    return b'new' if sys.modules[__name__].application is application else b'mixed'

print('half of it', flush=True)
while not os.path.exists({str(go)!r}):
    time.sleep(0.01)

def application(environ, start_response):
    start_response('200 OK', [])
    return [helper(1, 2)]
''')
    with Connection(server.address) as c:
        c.send('GET / HTTP/1.1\r\nHost: t\r\n\r\n')
        server.log.wait_for('half of it')
        assert body(server) == b'old'
        go.touch()
        assert c.response().body == b'new'
    assert body(server) == b'new'


# How many of these modules there are.
COUNTED = '''
import os, sys, time, weakref

class Marker:
    pass

marker = Marker()
sys.__dict__.setdefault('markers', weakref.WeakSet()).add(marker)

def application(environ, start_response):
    if environ['PATH_INFO'] == '/wait':
        print('it waits', flush=True)
        while not os.path.exists(GO):
            time.sleep(0.01)
    start_response('200 OK', [])
    return [b'%d' % len(sys.markers)]
'''


def change(script, text: str, times=iter(range(1, 1000))):
    write(script, text)
    os.utime(script, (1, next(times)))


lets_go = pytest.mark.skipif(not has_gil(), reason='3.13t lets go of no module and no function')


@lets_go
def test_a_script_that_was_replaced_is_gone(serve, directory):
    script = directory / 'site.wsgi'
    counted = f'GO = "/"\n{COUNTED}'
    change(script, counted)
    server = serve(script, '-w', '1', '--script-reloading')
    assert body(server) == b'1'
    for _ in range(3):
        change(script, counted)
        assert body(server) == b'1'
    change(script, counted + 'raise RuntimeError\n')
    for _ in range(3):
        assert get(server.address).status == 500
    change(script, counted)
    assert body(server) == b'1'


@lets_go
def test_a_script_that_was_replaced_stays_for_the_threads_that_are_in_it(serve, directory):
    script, go = directory / 'site.wsgi', directory / 'go'
    counted = f'GO = {str(go)!r}\n{COUNTED}'
    change(script, counted)
    server = serve(script, '-w', '1', '--threads', 2, '--script-reloading')
    with Connection(server.address) as c:
        c.send('GET /wait HTTP/1.1\r\nHost: t\r\n\r\n')
        server.log.wait_for('it waits')
        for _ in range(3):
            change(script, counted)
            assert body(server) == b'2'
        go.touch()
        assert c.response().body == b'2'
    change(script, counted)
    assert body(server) == b'1'


def test_a_changed_script_stays_as_it_was_where_nobody_asked(serve, directory):
    script = directory / 'site.wsgi'
    write(script, SCRIPT % 'one')
    server = serve(script, '-w', '1')
    write(script, SCRIPT % 'two')
    assert body(server) == b'one'


def test_a_changed_module_reloads_the_server(serve, directory):
    (directory / 'shop').mkdir()
    (directory / 'shop' / '__init__.py').write_text('')
    write(directory / 'shop' / 'words.py', "word = b'one'\n")
    (directory / 'shop' / 'wsgi.py').write_text('''
from shop import words

def application(environ, start_response):
    start_response('200 OK', [])
    return [words.word]
''')
    server = serve('shop.wsgi', '-w', '2', '--reload', cwd=directory)
    assert body(server) == b'one'
    write(directory / 'shop' / 'words.py', "word = b'two'\n")
    server.log.wait_for(f'{directory}/shop/words.py has changed: reloading gracefully')
    wait_until(lambda: body(server) == b'two', 'the new module')
    write(directory / 'shop' / 'quick.cpython-311-x86_64-linux-gnu.so', 'an extension module')
    server.log.wait_for(r'/quick\.cpython-311-x86_64-linux-gnu\.so has changed')


def test_a_module_behind_a_link_and_another_directory_in_its_place_reload_the_server(
        serve, directory):
    """As monorepos have them, and as a deployment that renames does it."""
    real, lib, new = directory / 'real', directory / 'lib', directory / 'new'
    for place in real, lib, new:
        place.mkdir()
    write(real / 'words.py', "word = b'one'\n")
    (lib / 'words.py').symlink_to(real / 'words.py')
    write(new / 'words.py', "word = b'three'\n")
    write(directory / 'site_.py', SCRIPT.replace("b'%s'", 'words.word') + 'import words\n')
    server = serve('site_', '-w', '1', '--reload', '--python-path', lib, cwd=directory)
    assert body(server) == b'one'
    write(real / 'words.py', "word = b'two'\n")
    wait_until(lambda: body(server) == b'two', 'what the link leads to')
    lib.rename(directory / 'old')
    new.rename(lib)
    server.log.wait_for(f'{lib} has changed')
    wait_until(lambda: body(server) == b'three', 'the other directory')


def test_where_not_all_can_be_watched_it_is_said_and_the_application_is(serve, directory):
    # The first has the right to set the limit, and the second no right at all: who is root and
    # may not become anybody cannot have children.
    launcher = ['unshare', '--user', '--map-root-user', 'sh', '-c',
                'echo 3 >/proc/sys/user/max_inotify_watches && '
                'exec unshare --user --map-user=1000 --map-group=1000 "$@"', 'sh']
    if not shutil.which('unshare') or subprocess.run([*launcher, WSGID, '-v'],
                                                     capture_output=True).returncode != 0:
        pytest.skip('this user may make no user namespace, or wsgid is not to be had in one')
    module = directory / 'site_.py'
    write(module, SCRIPT % 'one')
    server = serve('site_', '-w', '1', '--reload', cwd=directory, launcher=launcher)
    server.log.wait_for("WSGIReload: /.* is not watched, and there may be more: this user's watches "
                        'are used up; raise the sysctl fs.inotify.max_user_watches')
    write(module, SCRIPT % 'two')
    wait_until(lambda: body(server) == b'two', 'the changed module')


def test_what_does_not_load_is_shown_until_it_is_mended(serve, directory):
    module = directory / 'site_.py'
    write(module, SCRIPT % 'one')
    server = serve('site_', '-w', '1', '--reload', cwd=directory)
    write(module, 'def <broken>:\n')
    page = wait_until(lambda: failure(server), 'the page about the mistake')
    assert page.header('Content-Type').startswith('text/html')
    assert b'SyntaxError' in page.body and b'def &lt;broken&gt;:' in page.body
    server.log.wait_for('SyntaxError')
    server.log.wait_for('its module cannot be imported.*; waiting for a change')
    write(module, SCRIPT % 'two')
    wait_until(lambda: body(server) == b'two', 'the mended module')


def test_a_server_may_wait_for_its_script(serve, directory):
    """Which is nobody's module yet, and where the server was not started."""
    script = directory / 'site' / 'site.wsgi'
    script.parent.mkdir()
    server = serve(f'{script}:app', '-w', '1', '--reload')
    assert b'does not exist' in body(server)
    write(script, (SCRIPT % 'there').replace('application', 'app'))
    wait_until(lambda: body(server) == b'there', 'the script')


def test_a_server_may_start_with_what_does_not_load(serve, directory):
    """And the module may come to anywhere on Python's path."""
    module = directory / 'site_.py'
    write(module, 'from nothing_of_this_name import application\n')
    (directory / 'lib').mkdir()
    server = serve('site_', '-w', '1', '--reload', '--python-path', directory / 'lib',
                   cwd=directory)
    assert b'nothing_of_this_name' in body(server)
    write(directory / 'lib' / 'nothing_of_this_name.py', SCRIPT % 'mended')
    wait_until(lambda: body(server) == b'mended', 'the mended module')


# What imports this waits until it is killed, and says so.
HANGS = 'import sys, time\nprint("it hangs", file=sys.stderr, flush=True)\ntime.sleep(1000)\n'


def test_an_import_that_does_not_return_is_given_up_for_the_next_change(serve, directory):
    module = directory / 'site_.py'
    write(module, SCRIPT % 'one')
    server = serve('site_', '-w', '2', '--reload', cwd=directory)
    server.wait_for_ready(2)  # each of which tells of a change
    for _ in range(2):
        since = len(server.log.text())
        write(module, HANGS)
        server.log.wait_for('it hangs', since=since)
    server.log.wait_for('generation 2 is given up: its code has changed while it was imported')
    write(module, SCRIPT % 'two')
    wait_until(lambda: body(server) == b'two', 'the mended module')
    assert server.log.text().count('is given up') == 2


def test_a_module_that_is_taken_away_reloads_the_server(serve, directory):
    write(directory / 'words.py', "word = b'one'\n")
    write(directory / 'site_.py', SCRIPT.replace("b'%s'", 'words.word') + 'import words\n')
    server = serve('site_', '-w', '1', '--reload', cwd=directory)
    assert body(server) == b'one'
    (directory / 'words.py').unlink()
    server.log.wait_for(f'{directory}/words.py has changed')
    wait_until(lambda: b'ModuleNotFoundError' in body(server), 'the page about the module')
    write(directory / 'words.py', "word = b'two'\n")
    wait_until(lambda: body(server) == b'two', 'the module that is there again')


def test_rights_that_the_application_itself_gives_are_no_change(serve, directory):
    """Where it does not load, either."""
    site = directory / 'site'
    site.mkdir()
    site.chmod(0o777)
    module = site / 'site_.py'
    giving = '''
import os
for name in 'data', 'words.py':
    path = os.path.join(os.path.dirname(__file__), name)
    if name == 'data':
        os.makedirs(path, exist_ok=True)
    else:
        os.close(os.open(path, os.O_CREAT))
    os.chmod(path, 0o755)
    os.utime(path)
raise RuntimeError(%r)
'''
    write(module, giving % 'one')
    server = serve('site_', '-w', '2', '--reload', cwd=site)
    server.wait_for_ready(2)
    for word in 'two', 'three':
        write(module, giving % word)
        wait_until(lambda: word.encode() in body(server), 'the page about the new mistake')
    changes = [line for line in server.log.text().splitlines() if 'has changed' in line]
    assert changes and all('site_.py has changed' in line for line in changes)


@pytest.mark.parametrize('end', ['', 'raise RuntimeError("one")\n'])
def test_an_application_that_writes_its_sources_is_reloaded_ever_more_rarely(
        serve, directory, end):
    site = directory / 'site'
    site.mkdir()
    site.chmod(0o777)
    module = site / 'site_.py'
    write(module, SCRIPT % 'one' + f'''
import os
path = os.path.join(os.path.dirname(__file__), 'made.py')
if os.path.exists(path):
    os.unlink(path)
with open(path, 'w') as file:
    file.write('made = True')
{end}''')
    server = serve('site_', '-w', '2', '--reload', cwd=site)
    server.log.wait_for('WSGIReload: a file has changed with each of the last 5 imports of the '
                        f'application, now {site}/made.py: if it writes that itself')
    write(module, SCRIPT % 'two')
    wait_until(lambda: body(server) == b'two', 'the mended module')


def test_the_traceback_of_an_earlier_failure_is_not_shown_with_the_next(serve, directory):
    module = directory / 'site_.py'
    write(module, 'def <broken>:\n')
    server = serve('site_', '-w', '1', '--reload', cwd=directory)
    assert b'SyntaxError' in body(server)
    write(module, 'import os\nos._exit(3)\n')
    page = wait_until(lambda: b'exit status 3' in body(server) and body(server),
                      'the page about the end')
    assert b'SyntaxError' not in page


@pytest.mark.parametrize('crash, said', [('os._exit(3)', b'exit status 3'),
                                         ('os.abort()', b'Aborted')])
def test_an_import_that_ends_the_process_is_shown(serve, directory, crash, said):
    module = directory / 'site_.py'
    write(module, SCRIPT % 'one')
    server = serve('site_', '-w', '2', '--reload', cwd=directory)
    server.wait_for_ready(2)  # a second one would import the crash
    write(module, f'import os\n{crash}\n')
    page = wait_until(lambda: failure(server), 'the page about the end')
    assert b'the first child ended before the application was ready' in page.body
    assert said in page.body
    write(module, SCRIPT % 'two')
    wait_until(lambda: body(server) == b'two', 'the mended module')
