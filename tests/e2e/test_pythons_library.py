"""With which program and library a Python serves, and what its loader says."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from client import get
from pythons import (SHOW, checked, doctor, fact, files_of, is_inside, make_library, rewrite,
                     serving, shared, standard)
from server import BUILD, IS_ROOT, PATIENCE, SANITIZED, WSGID, clean_environment, need, run_wsgid

# --- the library ------------------------------------------------------------------------------

def test_the_library_is_chosen(serve, show, twins):
    for words, program in (((), twins[0]), (('--lib-python', 'shared'), twins[1])):
        server = serve('show', '-w', '1', *words, cwd=show)
        assert serving(server) == program.name
        mapped = json.loads(get(server.address).body)['libpython']
        assert bool(mapped) == (program is twins[1])


def test_after_an_upgrade_of_python_the_shared_library_serves_and_it_is_said_once(
        new_server, show, twins, old_static):
    place = old_static
    server = new_server('show', '-w', '1', cwd=show, program=place / 'wsgid').start()
    assert serving(server) == twins[1].name
    server.reload()
    said = re.findall(r'Python \S+ was upgraded since wsgid was built \(\S+ is another one\); '
                      r'using the shared library until "scons install" is run again',
                      server.log.text())
    assert len(said) == 1
    server = new_server('show', '-w', '1', '--lib-python', 'static', cwd=show,
                        program=place / 'wsgid').start()
    assert serving(server) == twins[0].name
    server.log.wait_for('LibPython static goes on with the old one')


def test_after_an_upgrade_without_a_shared_library_it_is_refused(new_server, show, twins,
                                                                  old_static):
    place = old_static
    (place / twins[1].name).unlink()
    server = new_server('show', cwd=show, program=place / 'wsgid')
    assert server.fails() == 78
    server.log.wait_for('was upgraded since wsgid was built .* run "scons install" again, or write '
                        '"LibPython static"')
    server = new_server('show', '--lib-python', 'shared', cwd=show, program=place / 'wsgid')
    assert server.fails() == 78
    server.log.wait_for('LibPython.* there is no program of this kind for Python')


def test_an_interpreter_that_was_upgraded_serves_and_one_that_is_gone_is_said(
        new_server, show, twins, installed):
    if not is_inside(twins[0]):
        pytest.skip('the children of this Python do not run inside the interpreter')
    place, own = installed(*twins), fact(twins[0], 'executable')
    rewrite(place / twins[0].name, file='build-id:0123 ' + own)
    server = new_server('show', '-w', '1', cwd=show, program=place / 'wsgid').start()
    assert serving(server) == twins[0].name and 'was upgraded' not in server.log.text()
    rewrite(place / twins[0].name, executable='/usr/bin/gone3.1')
    for words in (('--lib-python', 'interpreter'), ('--lib-python', 'static')):
        status, said = checked(place, *words)
        assert status == 78
        assert (f'/usr/bin/gone3.1 is gone, and {twins[0].name} runs inside it; mend that, '
                f'install Python {fact(twins[0], "abi")} again') in said
    server = new_server('show', '-w', '1', cwd=show, program=place / 'wsgid').start()
    assert serving(server) == twins[1].name
    server.log.wait_for('/usr/bin/gone3.1 is gone: using the shared library until')


@pytest.mark.parametrize('what, said', [
    ('script', 'another one, which does not have all of Python in it'),
    ('junk', 'another one, which does not have all of Python in it'),
    ('no right', 'not executable'),
    ('set-id', 'one with rights of its own'),
])
def test_an_interpreter_that_takes_no_child_is_replaced_by_the_shared_library(
        new_server, show, twins, installed, what, said):
    """And named where that is not there."""
    if not is_inside(twins[0]):
        pytest.skip('the children of this Python do not run inside the interpreter')
    place, other = installed(*twins), show / 'python3'
    if what == 'script':
        other.write_text(f'#!/bin/sh\nexec {fact(twins[0], "executable")} "$@"\n')
    elif what == 'junk':
        other.write_bytes(b'\x7fELF' + bytes(range(200)))
    else:
        shutil.copy(fact(twins[0], 'executable'), other)
    other.chmod({'no right': 0o644, 'set-id': 0o4755}.get(what, 0o755))
    rewrite(place / twins[0].name, executable=other)
    server = new_server('show', '-w', '1', cwd=show, program=place / 'wsgid').start()
    assert serving(server) == twins[1].name
    server.log.wait_for(rf'{other} is {said}.*: using the shared library until that is mended')
    (place / twins[1].name).unlink()
    server = new_server('show', '-w', '1', cwd=show, program=place / 'wsgid')
    assert server.fails() == 78
    server.log.wait_for(rf'{other} is {said}.*, and {twins[0].name} runs inside it; mend that, install')


@pytest.mark.skipif(not IS_ROOT, reason='only root gives capabilities to files')
def test_an_interpreter_with_capabilities_takes_no_child_of_who_has_none(show, twins, installed):
    """The loader leaves out what is to be preloaded."""
    if not is_inside(twins[0]):
        pytest.skip('the children of this Python do not run inside the interpreter')
    place, other = installed(*twins), show / 'python3'
    shutil.copy(fact(twins[0], 'executable'), other)
    subprocess.run([need('setcap'), 'cap_net_bind_service+ep', other], check=True)
    rewrite(place / twins[0].name, executable=other)
    done = subprocess.run([need('setpriv'), '--reuid=54321', '--regid=54321', '--clear-groups',
                           place / 'wsgid', '--check', 'show'], cwd=show, text=True,
                          env=clean_environment(), capture_output=True)
    assert done.returncode == 0, done.stderr
    assert f'{other} is one with rights of its own' in done.stderr


def test_a_child_inside_the_interpreter_is_seen_as_itself_and_leaves_no_trace(
        serve, show, twins, directory):
    """The application and what it runs see the environment that the server was given."""
    if not is_inside(twins[0]):
        pytest.skip('the children of this Python do not run inside the interpreter')
    library = make_library(show, 'harmless.so')
    (show / 'sees.py').write_text("""
import os, subprocess, sys

def application(environ, start_response):
    start_response('200 OK', [])
    said = subprocess.run(['env'], capture_output=True, text=True).stdout
    return [repr((os.environ.get('LD_PRELOAD'), 'wsgid-python' in said, sys.argv, sys.orig_argv
                  if hasattr(sys, 'orig_argv') else [], open('/proc/self/comm').read(),
                  open('/proc/self/cmdline').read().rstrip(chr(0)))).encode()]
""")
    for given in {}, {'LD_PRELOAD': str(library)}, {'LD_PRELOAD': f'{library} {library}'}:
        server = serve('sees', '-w', '1', cwd=show, env=given)
        seen = eval(get(server.address).body)
        assert seen[0] == given.get('LD_PRELOAD') and not seen[1]
        assert seen[2] == ['wsgid'] and seen[3] in (['wsgid'], [])
        assert seen[4] == twins[0].name[:15] + '\n' and seen[5].startswith('wsgid: child 0 [')


def test_a_child_inside_the_interpreter_may_be_anywhere(new_server, show, twins):
    """The loader's own words end at a space and a colon."""
    if not is_inside(twins[0]):
        pytest.skip('the children of this Python do not run inside the interpreter')
    place = show / 'a $LIB: with words'
    place.mkdir()
    place.chmod(0o755)
    for program in (WSGID, *files_of(twins[0])):
        shutil.copy(program, place)
    server = new_server('show', '-w', '1', cwd=show, program=place / 'wsgid').start()
    assert serving(server) == twins[0].name
    child, = server.wait_for_ready(1)
    assert not [fd for fd in os.listdir(f'/proc/{child}/fd')
                if os.readlink(f'/proc/{child}/fd/{fd}').endswith('.so')]


@pytest.mark.skipif(not IS_ROOT, reason='only root unmounts')
def test_without_proc_it_is_said_that_it_is_missing(show):
    """The children that run inside their interpreter, and those beside wsgid that it cannot
    find without it."""
    said = [(78, ': mount /proc\n')]
    if is_inside(standard()):
        said.append((1, '/proc is not mounted'))
    words = [need('unshare'), '-m', 'sh', '-c', 'umount -l /proc && exec "$@"', 'sh']
    # Where it is mounted twice there is one below.
    if SANITIZED:
        pytest.skip('without /proc the sanitizer looks for no leaks, and fails')
    if subprocess.run([*words, 'test', '!', '-e', '/proc/self'],
                      capture_output=True).returncode != 0:
        pytest.skip('/proc cannot be unmounted here')
    done = subprocess.run([*words, WSGID, '-b', '127.0.0.1:0', '--run-directory', show / 'run',
                           'show'], cwd=show, text=True, env=clean_environment(),
                          capture_output=True, timeout=PATIENCE)
    assert any(done.returncode == status and text in done.stderr for status, text in said), done


def test_half_a_program_is_said(new_server, show, twins, installed):
    if not is_inside(twins[0]):
        pytest.skip('the children of this Python do not run inside the interpreter')
    place = installed(twins[0])
    second = place / (twins[0].name + '.so')
    second.write_bytes(b'no library')
    server = new_server('show', cwd=show, program=place / 'wsgid')
    assert server.fails() == 78
    server.log.wait_for(rf'the loader refuses to put {second} into {fact(twins[0], "executable")}')
    second.unlink()
    server = new_server('show', cwd=show, program=place / 'wsgid')
    assert server.fails() == 78
    said = f'{second} is gone, which is half of {twins[0].name}; install wsgid again'
    server.log.wait_for(re.escape(said))
    done = subprocess.run([place / 'wsgid', '--check', 'show'], cwd=show, text=True,
                          env=clean_environment(), capture_output=True)
    assert done.returncode == 78 and said in done.stderr
    shutil.copy(BUILD / 'wsgictl', place)
    done = subprocess.run([place / 'wsgictl', 'doctor', '--json', 'show'], cwd=show, text=True,
                          env=clean_environment(), capture_output=True)
    found = json.loads(done.stdout)
    assert found['well'] is False and said in found['problem'][0]
    shutil.copy(twins[1], place)
    server = new_server('show', '-w', '1', cwd=show, program=place / 'wsgid').start()
    assert serving(server) == twins[1].name
    server.log.wait_for(re.escape(f'{second} is gone: using the shared library until that is '))


def test_another_patch_level_is_said(new_server, show, installed):
    program = shared()
    if fact(program, 'linkage') != 'shared':
        pytest.skip('this Python has no shared library')
    place = installed(program)
    abi = fact(program, 'abi')
    rewrite(place / program.name, version=f'{abi}.99')
    server = new_server('show', '-w', '1', '--lib-python', 'shared', cwd=show,
                        program=place / 'wsgid').start()
    server.log.wait_for(rf'compiled for Python/{abi}\.99, running Python/{abi}\.\d+')


@pytest.mark.skipif(SANITIZED, reason='the sanitizer wants to be the first library')
def test_a_library_from_elsewhere_is_refused_unless_its_patch_level_is_that_of_the_build(
        show, installed):
    """It would run with the extension modules of the other one, which fail one by one."""
    program = shared()
    if fact(program, 'linkage') != 'shared':
        pytest.skip('this Python has no shared library')
    library, abi = fact(program, 'library'), fact(program, 'abi')
    place = installed(program)
    other = pathlib.Path(shutil.copy(library, show))

    def check(**environment):
        return subprocess.run([place / 'wsgid', '--check', '--lib-python', 'shared', 'show'],
                              cwd=show, env={**clean_environment(), **environment}, text=True,
                              capture_output=True)

    assert check(LD_PRELOAD=str(other)).returncode == 0
    rewrite(place / program.name, version=f'{abi}.99')
    assert check().returncode == 0
    for environment, said in (
            ({'LD_LIBRARY_PATH': f'/nowhere:{show}'},
             f'take its directory out of LD_LIBRARY_PATH, which is /nowhere:{show}'),
            ({'LD_PRELOAD': str(other)}, 'take it out of LD_PRELOAD')):
        done = check(**environment)
        assert done.returncode == 78
        assert re.search(rf'Python {abi}\.\d+ was loaded from {other}, and this program was built '
                         rf'for Python {abi}\.99 in {library}, whose modules need their own: ',
                         done.stderr), done.stderr
        assert said in done.stderr


def test_another_abi_of_extension_modules_is_refused(new_server, show, installed):
    program = shared()
    place = installed(program)
    soabi = fact(program, 'soabi')
    rewrite(place / program.name, soabi='cpython-3d-' + soabi)
    server = new_server('show', cwd=show, program=place / 'wsgid')
    assert server.fails() == 78
    server.log.wait_for(rf'loads extension modules of the ABI {soabi}, and this program was built '
                        rf'for those of cpython-3d-{soabi}')


@pytest.mark.skipif(SANITIZED, reason='the sanitizer wants to be the first library')
def test_two_pythons_in_a_process_are_refused(new_server, show):
    # Of another version, and of ours with other ABI flags.
    for name in ('libpython3.1.so.1.0', f'libpython{fact(standard(), "abi")}d.so.1.0'):
        library = make_library(show, name)
        server = new_server('show', cwd=show, env={'LD_PRELOAD': str(library)})
        assert server.fails() == 78
        server.log.wait_for(rf'there are two Pythons in this process: Python \S+, which runs, and '
                            rf'{library}; take it out of LD_PRELOAD')


def test_an_extension_of_another_python_is_refused(show):
    """What is linked with a library brings it along, as dlopen does it here."""
    library = make_library(show, 'libpython3.1.so.1.0')
    (show / 'old.py').write_text(f'import ctypes\nctypes.CDLL("{library}")\n' + SHOW)
    done = run_wsgid('--check', 'old', cwd=show)
    assert done.returncode == 78
    assert f'which runs, and {library};' in done.stderr
    assert 'build the extension module that is linked with it for this Python' in done.stderr


@pytest.mark.skipif(SANITIZED, reason='the sanitizer wants to be the first library')
def test_a_library_of_another_version_is_refused_before_it_is_started(new_server, show):
    """What a link of the wrong name leads to."""
    if fact(shared(), 'linkage') != 'shared':
        pytest.skip('this Python has no shared library')
    library = make_library(show, 'another.so', 'const char *Py_GetVersion(void)\n'
                           '{ return "3.2.1 (another one)"; }')
    server = new_server('show', '--lib-python', 'shared', cwd=show,
                        env={'LD_PRELOAD': str(library)})
    assert server.fails() == 78
    version = '.'.join(fact(shared(), 'version').split('.')[:2])
    server.log.wait_for(rf'this program was built for Python {version} but found '
                        r'Python 3\.2\.1; run "scons install" again; of a library, "ldd"')


def test_an_extension_that_needs_the_shared_library_gets_it_the_next_time(new_server, show, twins):
    name = pathlib.Path(fact(twins[1], 'library')).resolve().name
    (show / 'needs.py').write_text(f'import ctypes\nctypes.CDLL("{name}")\n' + SHOW)
    status, found = doctor('needs', cwd=show)
    notice, = found['notice']
    assert status == 0 and f'{name} was loaded beside the children\'s own Python' in notice
    server = new_server('needs', '-w', '1', cwd=show).start()
    assert serving(server) == twins[0].name
    server.log.wait_for(rf'{name} was loaded beside the children\'s own Python: '
                        'the next ones have the shared library')
    server.reload()
    assert serving(server) == twins[1].name
    assert server.log.text().count('was loaded beside') == 1


LATE = '''
def application(environ, start_response):
    if environ['PATH_INFO'] == '/load':
        import ctypes
        ctypes.CDLL("%s")
    start_response('200 OK', [])
    return [b'served']
'''


@pytest.mark.parametrize('words', [(), ('--threads', '2')])
def test_an_extension_of_another_python_that_a_request_loads_is_said(serve, show, words):
    library = make_library(show, 'libpython3.1.so.1.0')
    (show / 'late.py').write_text(LATE % library)
    server = serve('late', '-w', '1', *words, cwd=show)
    for _ in range(2):
        assert get(server.address, '/load').body == b'served'
    server.log.wait_for(r'since a request has imported it, there are two Pythons in this process: '
                        rf'Python \S+, which runs, and {library}; take it out')
    assert get(server.address).body == b'served'
    assert server.log.text().count('there are two Pythons') == 1


def test_the_shared_library_that_a_request_loads_serves_the_next_time(serve, show, twins):
    name = pathlib.Path(fact(twins[1], 'library')).resolve().name
    (show / 'late.py').write_text(LATE % name)
    server = serve('late', '-w', '1', cwd=show)
    assert get(server.address, '/load').body == b'served'
    server.log.wait_for(rf'{name} was loaded beside the children\'s own Python: '
                        'the next ones have the shared library')
    server.reload()
    assert serving(server) == twins[1].name


@pytest.mark.parametrize('words, remedy', [
    (('--lib-python', 'static'), r'write "LibPython auto" to have the shared library alone'),
    ((), r'there is no program of the children with the shared library alone: "scons '
         r'libpython=auto install" builds one')])
def test_that_the_shared_library_stays_beside_the_static_one_is_said_once(
        serve, show, twins, installed, words, remedy):
    place = installed(*twins[:1 if not words else 2])
    name = pathlib.Path(fact(twins[1], 'library')).resolve().name
    (show / 'needs.py').write_text(f'import ctypes\nctypes.CDLL("{name}")\n' + SHOW)
    server = serve('needs', '-w', '1', *words, cwd=show, program=place / 'wsgid')
    server.log.wait_for(rf'{name} was loaded beside the children\'s own Python, '
                        rf'so that extension modules may meet two of them; {remedy}')
    server.reload()
    assert serving(server) == twins[0].name
    assert server.log.text().count('was loaded beside') == 1


def test_what_only_has_the_name_of_a_python_is_none(show):
    library = make_library(show, 'libpythonplugin.so')
    (show / 'plugin.py').write_text(f'import ctypes\nctypes.CDLL("{library}")\n' + SHOW)
    done = run_wsgid('--check', 'plugin', cwd=show)
    assert done.returncode == 0, done.stderr


def test_neither_master_nor_wsgictl_has_a_python_in_it(serve, show):
    for program in WSGID, BUILD / 'wsgictl':
        said = subprocess.run([need('readelf'), '-d', program], text=True, capture_output=True)
        assert 'NEEDED' in said.stdout and 'libpython' not in said.stdout
    linkage = fact(shared(), 'linkage')
    server = serve('show', '-w', '1', '--lib-python', linkage, cwd=show)
    child, = server.ready()
    maps = {pid: pathlib.Path(f'/proc/{pid}/maps').read_text() for pid in (server.pid, child)}
    assert ('libpython' if linkage == 'shared' else shared().name) in maps[child]
    assert 'libpython' not in maps[server.pid] and shared().name not in maps[server.pid]


def test_every_symbol_is_found_when_a_child_is_loaded():
    """Not when it is called first, which may be in the middle of the night."""
    for program in {*files_of(standard()), shared(), WSGID}:
        said = subprocess.run([need('readelf'), '-d', program], text=True, capture_output=True)
        assert re.search(r'\(FLAGS\) .*BIND_NOW|\(FLAGS_1\) .*NOW', said.stdout), program


# --- the loader -------------------------------------------------------------------------------

@pytest.mark.parametrize('library, remedy', [
    (None, r': tell the loader \("echo .* >/etc/ld\.so\.conf\.d/wsgid-python\.conf && ldconfig"\), '
           r'start wsgid with LD_LIBRARY_PATH=/\S+, or build with "scons rpath=yes install"'),
    # As where Python's own package is there alone: its upgrade must not end in a riddle.
    ('/usr/lib/gone', r', where it is not any more: install it, which is Debian\'s package '
                      r'libpython3\.\d+\w*, or run "scons install" again')])
def test_a_child_that_the_loader_refuses_is_explained(new_server, show, installed, library, remedy):
    program = shared()
    if fact(program, 'linkage') != 'shared':
        pytest.skip('this Python has no shared library')
    place = installed(program)
    name = pathlib.Path(fact(program, 'library')).resolve().name
    gone = name[:-3] + '9.9'
    if library:
        rewrite(place / program.name, library=library)
    data = (place / program.name).read_bytes()
    assert name.encode() in data
    (place / program.name).write_bytes(data.replace(name.encode() + b'\0', gone.encode() + b'\0'))
    words = ['--lib-python', 'shared']
    server = new_server('show', *words, cwd=show, program=place / 'wsgid')
    assert server.fails() == 78
    said = (rf'the loader refuses {place}/{program.name}: it needs {gone}, looked for in '
            r'.*/etc/ld\.so\.cache and \S*:/usr/lib\S*; the build found it at [^:, ]*' + remedy)
    server.log.wait_for(said)
    done = subprocess.run([place / 'wsgid', '--check', *words, 'show'], cwd=show, text=True,
                          env=clean_environment(), capture_output=True)
    assert done.returncode == 78 and re.search(said, done.stderr)


def test_a_library_that_is_missing_is_named_and_not_python_blamed(new_server, show, installed):
    program = standard()
    place = installed(program)
    child = place / files_of(program)[-1].name
    data = child.read_bytes()
    if b'liburing.so.2\0' not in data:
        pytest.skip('this wsgid was built without liburing')
    child.write_bytes(data.replace(b'liburing.so.2\0', b'liburing.so.9\0'))
    server = new_server('show', '--lib-python', 'auto', cwd=show, program=place / 'wsgid')
    assert server.fails() == 78
    server.log.wait_for(rf'the loader refuses {child}: it needs liburing\.so\.9, '
                        r'looked for in .*/usr/lib; it is none of Python\'s: install the package '
                        r'that has it, or run "scons install" again')


@pytest.mark.parametrize('cache', [True, False])
def test_a_library_that_the_interpreter_misses_is_named(show, twins, installed, cache):
    """Without a cache, as in an image that was put together by hand, libraries are found in the
    directories that the loader was built with."""
    if not is_inside(twins[0]):
        pytest.skip('the children of this Python do not run inside the interpreter')
    place, other = installed(twins[0]), show / 'python3'
    data = pathlib.Path(fact(twins[0], 'executable')).read_bytes()
    needed = re.findall(rb'\0(lib[a-z]+\.so\.\d)(?=\0)', data)
    # The last one, behind others that are found.
    name = next(name for name in reversed(needed) if not name.startswith(b'libc.'))
    other.write_bytes(data.replace(name + b'\0', name[:-1] + b'9\0'))
    other.chmod(0o755)
    rewrite(place / twins[0].name, executable=other)
    words = [place / 'wsgid', '--check', 'show']
    if not cache:
        words = [need('unshare'), '-m', 'sh', '-c',
                 'mount --bind /dev/null /etc/ld.so.cache && exec "$@"', 'sh', *words]
        if subprocess.run([*words[:-3], 'true'], capture_output=True).returncode != 0:
            pytest.skip('nothing can be mounted here')
    done = subprocess.run(words, cwd=show, text=True, env=clean_environment(),
                          capture_output=True)
    missing = re.escape(name[:-1].decode() + '9')
    assert done.returncode == 78
    assert f'error while loading shared libraries: {name[:-1].decode()}9' in done.stderr
    assert re.search(rf'the loader refuses {other}: it needs {missing}, looked for in '
                     r'.*/etc/ld\.so\.cache and \S*:/usr/lib\S*; install the package that has it, '
                     r'or this Python again', done.stderr), done.stderr
