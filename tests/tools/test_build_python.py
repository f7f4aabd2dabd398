"""What the build says of a Python that cannot be built for, tried with scons itself."""

import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import sysconfig
import types

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / 'tools' / 'scons'))

import checks  # noqa: E402
import elf  # noqa: E402
import packages  # noqa: E402
import python_facts  # noqa: E402


@pytest.fixture
def top(tmp_path):
    """A checkout of the build's files alone: enough for all that the probes find."""
    shutil.copy(TOP / 'SConstruct', tmp_path)
    shutil.copytree(TOP / 'tools' / 'scons', tmp_path / 'tools' / 'scons')
    return tmp_path


def pretend(place, **changes):
    """An interpreter that answers as this machine's does, but for the changes."""
    facts = dict(vars(python_facts.Python('/usr/bin/python3')))
    for key in ('name', 'programs'):
        facts.pop(key)
    facts.update(changes)
    path = place / 'python'
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(facts)}\nEND\n")
    path.chmod(0o755)
    return path


def refusal(top, *words) -> str:
    done = subprocess.run(['scons', '-Q', '-C', top, *map(str, words)], text=True,
                          stdin=subprocess.DEVNULL, capture_output=True)
    assert done.returncode == 2, done.stdout + done.stderr
    assert 'Traceback' not in done.stderr
    return done.stderr


def test_missing_headers_are_named_with_the_interpreter_and_the_package(top):
    python = pretend(top, include=['/nonexistent/include'])
    said = refusal(top, f'python={python}')
    executable = python_facts.Python('/usr/bin/python3').executable
    assert f'Python.h of {executable}' in said
    assert 'looked for in /nonexistent/include' in said
    assert 'to use another interpreter: scons python=PATH' in said
    assert 'to install it: ' in said or 'this distribution is not known here' in said


@pytest.mark.skipif(packages.manager() != 'apt', reason='the names are those of apt')
def test_of_a_second_python_of_the_distribution_the_package_has_its_version(top):
    said = refusal(top, 'python={}'.format(pretend(
        top, include=['/nonexistent/include'], abi='3.2', base_prefix='/usr')))
    assert 'Python.h of ' in said and '(package python3.2-dev)' in said
    assert 'python3-dev' not in said


def test_a_library_of_another_kind_of_machine_is_named_before_the_linker_passes_over_it(top):
    library = top / 'libpython.so'
    library.write_bytes(b'\x7fELF\x01\x01\x01' + bytes(9) + struct.pack('<HH', 3, 3) + bytes(64))
    said = refusal(top, 'libpython=shared', 'python={}'.format(
        pretend(top, shared='libpython.so', soname='libpython.so', libpl=str(top),
                libdir=str(top))))
    if elf.kind(sys.executable) == (32, 3):
        pytest.skip('this machine is one of that kind')
    assert f'{library} is 32-bit i386 but the compiler makes {elf.words(elf.kind(sys.executable))}' \
        in said
    assert 'CC="gcc -m32"' in said


def test_where_a_library_was_looked_for_is_said(top):
    said = refusal(top, 'python={}'.format(pretend(
        top, shared='', soname='', archive='', abi='9.9', libpl='/nonexistent/a',
        executable=str(top / 'python'), libdir='/nonexistent/b', base_prefix='/nonexistent')))
    assert 'looked for in /nonexistent/a, /nonexistent/b, /nonexistent/lib' in said


def test_a_static_library_that_is_not_position_independent_is_explained(top):
    archive = python_facts.Python('/usr/bin/python3').static_library()
    if archive is None:
        pytest.skip('there is no static library of Python, or it links into no program here')
    # Behind the back of the build, which links this one as it has to be.
    assert programs(top, 'libpython=static')[0] == {f'wsgid-python{own_abi()}': 'static'}
    said = refusal(top, 'libpython=static', 'LDFLAGS=-Wl,-pie')
    assert (f'{archive} cannot be linked: what was compiled without -fPIC goes into no position '
            'independent program, which CC, CFLAGS or LDFLAGS ask for') in said
    assert 'or build with libpython=shared' in said and 'to install it' not in said


def test_what_a_static_library_needs_besides_is_what_its_python_says(top):
    """As forkpty was in a library of its own."""
    if python_facts.Python('/usr/bin/python3').static_library() is None:
        pytest.skip('there is no static library of Python')
    python = python_facts.Python(str(pretend(top, libs='-lutil -lone', linkforshared='-rdynamic')))
    assert python.link_static()[-3:] == ['-lutil', '-lone', '-rdynamic']


def test_two_pythons_of_one_version_are_refused(top):
    said = refusal(top, f'python=/usr/bin/python3,{pretend(top)}')
    assert 'and a wsgid has one program for each version' in said


def test_an_interpreter_that_is_none_is_named(top):
    said = refusal(top, 'python=/bin/true')
    assert '/bin/true does not answer like a Python 3' in said


def test_a_python_that_is_too_old_to_be_asked_is_named(top):
    old = top / 'python2.7'
    old.write_text('#!/bin/sh\n[ "$*" != -V ] || { echo Python 2.7.18 >&2; exit; }\n'
                   'echo Unknown option: -I >&2\nexit 2\n')
    old.chmod(0o755)
    assert 'python2.7 does not run as a Python 3 (Python 2.7.18)' in refusal(top, f'python={old}')


def test_the_kind_of_an_archive_is_that_of_its_first_member(tmp_path):
    archive = python_facts.Python('/usr/bin/python3').static_library()
    if archive is None:
        pytest.skip('there is no static library of Python')
    assert elf.kind(archive) == elf.kind(os.path.realpath('/usr/bin/python3'))
    assert elf.kind(__file__) is None and elf.kind(tmp_path / 'nothing') is None


def test_a_build_id_is_that_of_readelf():
    path = os.path.realpath('/usr/bin/python3')
    readelf = shutil.which('readelf')
    if readelf is None or sysconfig.get_platform() != 'linux-x86_64':
        pytest.skip('there is no readelf, or another kind of machine')
    said = subprocess.run([readelf, '-n', path], text=True, capture_output=True).stdout
    assert elf.build_id(path) is None or f'Build ID: {elf.build_id(path)}' in said


@pytest.fixture
def elsewhere(top):
    """A Python whose shared library is where no loader looks, under a name that is nowhere."""
    library = python_facts.Python('/usr/bin/python3').shared_library()
    if library is None:
        pytest.skip('there is no shared library of Python')
    name = pathlib.Path(library).resolve().name
    other = name[:-3] + '9.9'
    (top / 'lib').mkdir()
    (top / 'lib' / other).write_bytes(
        pathlib.Path(library).read_bytes().replace(name.encode() + b'\0', other.encode() + b'\0'))
    return pretend(top, shared=other, soname=other, archive='', abi='9.9', libpl=f'{top}/lib',
                   libdir=f'{top}/lib', executable=str(top / 'python'))


def test_a_library_that_the_loader_does_not_find_is_refused_without_a_run_path(top, elsewhere):
    said = refusal(top, 'rpath=no', f'python={elsewhere}')
    library, = (top / 'lib').iterdir()
    assert f'the loader does not find {library}; rpath=yes tells it where' in said
    assert f'"echo {top}/lib >/etc/ld.so.conf.d/wsgid-python.conf && ldconfig"' in said


def test_the_run_path_is_where_the_loader_finds_the_library():
    python = python_facts.Python('/usr/bin/python3')
    if python.shared_library() is None:
        pytest.skip('there is no shared library of Python')
    path, = (word for word in python.link_shared(True) if word.startswith('-Wl,-rpath,'))
    assert os.path.exists(os.path.join(path[len('-Wl,-rpath,'):], python.soname))


@pytest.mark.parametrize('words, path, hardening', [
    ((), True, {'pie', 'relro'}),  # rpath=auto, where the loader finds none
    (('rpath=yes', 'hardening=no'), True, {'none'}),
    (('rpath=auto', 'libpython=shared', 'python=/usr/bin/python3'), False, {'pie', 'relro'}),
])
def test_a_run_path_is_embedded_where_it_is_needed(top, elsewhere, words, path, hardening):
    """And hardening is what the compiler takes of it, or none."""
    (top / 'src').mkdir()
    (top / 'src' / 'SConscript').write_text(
        "Import('found')\nprint('words:', *found['python'].programs[0].words)\n"
        "print('hardening:', found['hardening'])\nExit(0)\n")
    done = subprocess.run(['scons', '-Q', '-C', top, f'python={elsewhere}', *words], text=True,
                          stdin=subprocess.DEVNULL, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    said = dict(line.split(': ', 1) for line in done.stdout.splitlines() if ': ' in line)
    assert (f'-Wl,-rpath,{top}/lib' in said['words'].split()) == path
    assert hardening <= set(said['hardening'].split())


def programs(top, *words):
    """What a build with these words would make: {name of the program: its linkage}, in order,
    and the hardening."""
    (top / 'src').mkdir(exist_ok=True)
    (top / 'src' / 'SConscript').write_text(
        "Import('found')\nfor python in found['pythons']:\n"
        "    for program in python.programs:\n"
        "        print('program:', program.name, program.linkage)\n"
        "print('hardening:', found['hardening'])\nExit(0)\n")
    done = subprocess.run(['scons', '-Q', '-C', top, *map(str, words)], text=True,
                          stdin=subprocess.DEVNULL, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    hardening, = re.findall('^hardening: (.*)', done.stdout, re.M)
    return dict(re.findall(r'^program: (\S+) (\S+)', done.stdout, re.M)), hardening.split()


def test_several_pythons_have_programs_of_their_own_and_one_is_built_alone_too(top, elsewhere):
    own = python_facts.Python('/usr/bin/python3')
    both, _ = programs(top, f'python=/usr/bin/python3,{elsewhere}')
    assert list(both)[0] == f'wsgid-python{own.abi}' and list(both)[-1] == 'wsgid-python9.9'
    if both[f'wsgid-python{own.abi}'] != 'shared':
        # One without a shared library, and one with it beside it.
        assert both[f'wsgid-python{own.abi}-shared'] == 'shared'
    alone, _ = programs(top, f'python={elsewhere}')
    assert alone == {'wsgid-python9.9': 'shared'}


def own_abi() -> str:
    return python_facts.Python('/usr/bin/python3').abi


def has_all_in_it(interpreter) -> bool:
    """Has the interpreter all of Python in it, for others to use?"""
    said = subprocess.run(['readelf', '-W', '--dyn-syms', interpreter], capture_output=True,
                          text=True)
    return re.search(r' GLOBAL +DEFAULT +\d+ Py_InitializeFromConfig$', said.stdout,
                     re.M) is not None


def test_where_the_interpreter_has_all_of_python_in_it_a_child_runs_inside(top):
    if not has_all_in_it('/usr/bin/python3'):
        pytest.skip('the interpreter of this distribution does not have all of Python in it')
    name = f'wsgid-python{own_abi()}'
    assert programs(top)[0][name] == 'interpreter'
    assert programs(top, 'libpython=interpreter')[0] == {name: 'interpreter'}
    # Which wants to be the first library itself.
    assert 'interpreter' not in programs(top, 'sanitize=address')[0].values()
    assert 'a sanitizer wants to be the first library' in refusal(top, 'libpython=interpreter',
                                                                  'sanitize=address')


def test_an_interpreter_that_has_python_in_a_library_is_not_for_the_inside(top, elsewhere):
    """Nor one that is a script."""
    said = refusal(top, 'libpython=interpreter', f'python={elsewhere}')
    assert f'a way into {elsewhere} (' in said and 'it has not all of Python in it' in said


def test_it_is_said_when_another_python_becomes_the_one_that_serves_who_asks_for_none(tmp_path,
                                                                                      capsys):
    header = tmp_path / 'built_with.h'
    checks.explain_default('wsgid-python3.11', header)
    header.write_text('#define CHILD_PROGRAM "wsgid-python3.11"\n')
    checks.explain_default('wsgid-python3.11', header)
    assert capsys.readouterr().out == ''
    checks.explain_default('wsgid-python3.13t', header)
    assert ('where no Python is asked for wsgid-python3.13t serves now, and wsgid-python3.11 did '
            'before') in capsys.readouterr().out


def test_hardening_that_links_and_does_not_start_is_left_out(top):
    """As where the library of a compiler is there for the linker alone."""
    compiler = top / 'cc'
    compiler.write_text(f'''#!/bin/sh
{shutil.which('gcc') or 'cc'} "$@" || exit
case " $* " in
*" -c "*) exit ;;
*-z,relro*) while [ "$1" != -o ]; do shift; done
    printf '#!/bin/sh\\nexit 127\\n' >"$2" ;;
esac
''')
    compiler.chmod(0o755)
    _, hardening = programs(top, f'CC={compiler}')
    assert 'relro' not in hardening and 'stack-protector-strong' in hardening


@pytest.mark.parametrize('script, said', [
    ('exit 0', None),
    ('echo cannot open shared object >&2; exit 127', 'nothing: cannot open shared object'),
    ('test -z "$LD_LIBRARY_PATH" || exit 0; echo Python 9.9.1; exit 1', 'Python 9.9.1'),
])
def test_a_child_that_finds_its_library_by_our_environment_alone_is_none(
        tmp_path, monkeypatch, capsys, script, said):
    """What links here and not at boot is found by the build."""
    monkeypatch.setenv('LD_LIBRARY_PATH', '/nonexistent')
    program = tmp_path / 'wsgid-python9.9'
    program.write_text(f'#!/bin/sh\n{script}\n')
    program.chmod(0o755)
    python = types.SimpleNamespace(name='9.9.2', shared_library=lambda: '/opt/lib/libpython9.9.so')
    target = types.SimpleNamespace(get_abspath=lambda: str(program), name=program.name,
                                   attributes=types.SimpleNamespace(python=python, is_inside=False))
    assert checks.loads_alone([target], [], {}) == (0 if said is None else 1)
    assert program.exists() == (said is None)
    if said is not None:
        assert (f'wsgid-python9.9 was built for Python 9.9.2, and the loader gives it {said}; with '
                'rpath=yes it looks in /opt/lib') in capsys.readouterr().err
