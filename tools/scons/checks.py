"""What the build asks the system, and the generated built_with.h.

Everything that is missing is collected and said at once.  The flags of a
library are kept apart and used only for what needs it: the objects of
src/python alone see Python's headers, and of the programs the child alone is
linked with liburing.
"""

import glob
import os
import re
import shlex
import subprocess
import sys

import SCons.SConf

import elf
import packages
import settings
from python_facts import INSIDE, Program, Python, PythonError

URING = r'''
#include <liburing.h>

int main(void)
{
	struct io_uring ring;
	struct io_uring_params params = {0};
	struct io_uring_buf_reg buffers = {0};
	int rc;

	params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
	rc = io_uring_queue_init_params(8, &ring, &params);
	if (rc == 0) {
		io_uring_prep_recv_multishot(io_uring_get_sqe(&ring), 0, NULL, 0, 0);
		rc = io_uring_register_buf_ring(&ring, &buffers, 0);
	}
	return rc;
}
'''

STACK = r'''
#include <string.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	char text[64];

	strncpy(text, argv[argc - 1], sizeof(text) - 1);
	text[63] = 0;
	puts(text);
	return 0;
}
'''


class Missing:
    """What is not there, each with the package that brings it."""

    def __init__(self):
        self.found = []

    def add(self, text, what):
        """what is a row of the table, or a list of packages."""
        self.found.append((text, what))

    def report(self):
        """End with one message, if anything is missing."""
        if not self.found:
            return
        lines = ['this is missing:']
        names = []
        manager = packages.manager()
        for text, what in self.found:
            these = what or []
            if isinstance(what, str):
                these = packages.packages(what) if manager else []
            names += [name for name in these if name not in names]
            lines.append(f'  {text}' + (f' (package {" ".join(these)})' if these else ''))
        if names:
            lines.append(f'to install it: {packages.INSTALL[manager]} {" ".join(names)}')
        elif manager is None:
            lines.append('this distribution is not known here; look for these names in its '
                         'package manager')
        settings.fail(*lines)


def flags_of(env, *names):
    """pkg-config's flags for libraries, or None where there is one missing."""
    command = ['pkg-config', *(['--cflags', '--libs', *names] if names else ['--version'])]
    try:
        answer = subprocess.run(command, env=environment(env), text=True, capture_output=True)
    except OSError:
        return None
    if answer.returncode != 0:
        return None
    return env.ParseFlags(answer.stdout if names else '')


def environment(env):
    found = {key: str(value) for key, value in env['ENV'].items()}
    if 'PKG_CONFIG_PATH' in os.environ:
        found['PKG_CONFIG_PATH'] = os.environ['PKG_CONFIG_PATH']
    return found


def with_flags(conf, flags, test):
    """Run a probe with more settings than the others have."""
    kept = {key: list(conf.env.get(key, [])) for key in
            ('CCFLAGS', 'LINKFLAGS', 'LIBS', 'CPPPATH', 'LIBPATH', 'CPPDEFINES', 'RPATH',
             'LASTLIBS')}
    conf.env.MergeFlags(flags) if isinstance(flags, dict) else conf.env.Append(**dict(flags))
    found = test()
    conf.env.Replace(**kept)
    return found


class Untried:
    """In place of the probes where there is no compiler: all is well."""

    def __getattr__(self, name):
        return lambda *_arguments: True


# --- the compiler ----------------------------------------------------------


def try_flags(context, text, ccflags, linkflags):
    """What is compiled and linked must also start: a library of a compiler may be there to link
    with and not to load."""
    context.Message(f'Checking for {text} ... ')
    found = with_flags(context, (('CCFLAGS', ccflags + ['-Werror']), ('LINKFLAGS', linkflags)),
                       lambda: context.TryLink(STACK, '.c'))
    if found:
        found = runs(context)
    context.Result(found)
    return found


def runs(context, **more):
    """Does the program that was linked last run to a good end?  It is tried each time: what the
    loader finds can change without a word to us.  And here, as the loader's complaints belong in
    no terminal."""
    return ends_well(context, [context.lastTarget.get_abspath()], **more)


def ends_well(context, command, pass_fds=(), **more):
    done = subprocess.run(command, text=True, env=dict(environment(context.env), **more),
                          pass_fds=pass_fds, stdin=subprocess.DEVNULL, capture_output=True)
    context.Log(done.stdout + done.stderr)
    return done.returncode == 0


def runs_inside(context, python):
    """The same of a library that is put in front of an interpreter.  The loader takes no path
    with a space in it, but a descriptor."""
    with open(context.lastTarget.get_abspath(), 'rb') as library:
        # Without the library it would end well, as it is told nothing.
        command = [python.executable, '-ISc', 'import os; os._exit(127)']
        return ends_well(context, command, pass_fds=[library.fileno()],
                         LD_PRELOAD=f'/proc/self/fd/{library.fileno()}')


def users_choice(env, word):
    """Of the flags in CFLAGS that have the word the last, which is what counts; or None."""
    found = [flag for flag in env['USERS_CFLAGS'] if word in flag]
    return found[-1] if found else None


def is_on(flag):
    """Not one as -fno-stack-protector, -U_FORTIFY_SOURCE or -D_FORTIFY_SOURCE=0."""
    return not re.search('-fno-|-U[^,]*$|=0$', flag)


def hardening_in_cflags(env, name):
    """What "wsgid -V" is to call the user's flag of this kind, and that; or None."""
    if name == 'fortify-source':
        return name, users_choice(env, '_FORTIFY_SOURCE')
    if name == 'stack-protector-strong':
        users = users_choice(env, 'stack-protector')
        return (users or '').removeprefix('-f'), users
    return name, None


def hardening(env, conf):
    """Each flag by itself, kept where this compiler and linker take it, and left to CFLAGS where
    that has another of the kind."""
    if not env['hardening']:
        return 'none'
    # The sanitizers watch the same functions, and do it better.
    fortify = [] if env['sanitize'] else [
        ('fortify-source', ['-U_FORTIFY_SOURCE', '-D_FORTIFY_SOURCE=2'], [])]
    names = []
    for name, ccflags, linkflags in [
            ('pie', [], ['-pie']),
            ('relro', [], ['-Wl,-z,relro', '-Wl,-z,now']),
            ('stack-protector-strong', ['-fstack-protector-strong'], []),
            *fortify]:
        kind, users = hardening_in_cflags(env, name)
        if users:
            names += [kind] if is_on(users) else []
            continue
        if not conf.TryFlags(name, ccflags, linkflags):
            continue
        names.append(name)
        env.Append(CCFLAGS=ccflags)
        if name == 'pie':
            # A static libpython is not position independent: see link_with.
            env['PIE'] = linkflags
        else:
            env.Append(LINKFLAGS=linkflags)
    return ' '.join(names) or 'none'


def compiler_version(env):
    try:
        answer = subprocess.run(shlex.split(env['CC']) + ['--version'], env=environment(env),
                                text=True, capture_output=True, check=True)
        return answer.stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return env['CC']


# --- Python ----------------------------------------------------------------


def try_python(context, text, python, words):
    """Link a program with Python, or for the inside of Python, and run it."""
    context.Message(f'Checking for {text} of Python {python.name} ... ')
    flags = (('CCFLAGS', ['-isystem', python.header()]), ('LINKFLAGS', pie(context.env, words)),
             ('LASTLIBS', words))

    is_inside = words == python.link_inside()
    source = python.trial() + (INSIDE if is_inside else '')
    found = with_flags(context, flags, lambda: context.TryLink(source, '.c'))
    if found and is_inside:
        found = runs_inside(context, python)
    elif found:
        # CPython leaves blocks behind; a sanitizer's opinion of that is not asked.
        found = runs(context, ASAN_OPTIONS='detect_leaks=0', LSAN_OPTIONS='detect_leaks=0')
    context.Result(found)
    return found


def pie(env, words):
    return [] if {'-no-pie', '-shared'} & set(words) else list(env.get('PIE', []))


def wrong_kind(conf, library):
    """Why the linker would pass over a library: it is of another kind of machine."""
    if not conf.TryCompile('int main(void) { return 0; }\n', '.c'):
        return None
    ours, theirs = elf.kind(conf.lastTarget.get_abspath()), elf.kind(library)
    if ours is None or theirs is None or ours == theirs:
        return None
    return (f'{library} is {elf.words(theirs)} but the compiler makes {elf.words(ours)}: install '
            'the Python of that kind, or build with the compiler of the other (CC="gcc -m32")')


def run_paths(env):
    """Whether to try the loader's own path first, the run path, or one of them alone."""
    return {'auto': (False, True), 'yes': (True,), 'no': (False,)}[env['rpath']]


def choose_programs(env, conf, python):
    """The programs that can be made for one Python: one that has it without a shared library,
    inside the interpreter where that goes, which is fastest and never out of date, and one with
    the shared library."""
    name = 'wsgid-python' + python.abi
    wanted = env['libpython']
    # A sanitizer wants to be the first library.
    if wanted in ('auto', 'interpreter') and not env['sanitize']:
        words = python.link_inside()
        if conf.TryPython('a way into the interpreter', python, words):
            python.programs.append(Program(name, 'interpreter', python.executable, words))
    if wanted in ('auto', 'static') and not python.programs and python.static_library():
        words = python.link_static()
        if conf.TryPython('a static library', python, words):
            python.programs.append(Program(name, 'static', python.static_library(), words))
    if wanted not in ('auto', 'shared') or not python.shared_library():
        return
    for run_path in run_paths(env):
        words = python.link_shared(run_path)
        where = 'a shared library' + (' with a run path' if run_path else '')
        if conf.TryPython(where, python, words):
            suffix = '-shared' if python.programs else ''
            python.programs.append(Program(name + suffix, 'shared', python.shared_library(),
                                           words))
            return


def is_not_position_independent(env, conf):
    """Has a linker refused a probe for it?"""
    conf.logstream.flush()
    with open(env.File('#' + env['CONFIGURELOG']).get_abspath(), encoding='utf-8',
              errors='replace') as log:
        return re.search(r'relocation R_.*(-fPI[CE]|PIE object)', log.read()) is not None


def why_no_program(env, conf, python):
    """The reason, and whether a package could bring what is missing."""
    wanted = env['libpython']
    if wanted == 'interpreter':
        return (f'a way into {python.executable} ({python.name}): it has not all of Python in it, '
                f'or lets no others use it; {env["CONFIGURELOG"]} has the rest'
                if not env['sanitize'] else
                'a way into the interpreter: a sanitizer wants to be the first library', False)
    archive = python.static_library() if wanted != 'shared' else None
    library = python.shared_library() if wanted != 'static' else None
    found = [path for path in (archive, library) if path]
    for path in found:
        reason = wrong_kind(conf, path)
        if reason:
            return reason, False
    kind = '' if wanted == 'auto' else wanted + ' '
    text = f'a usable {kind}library of {python.executable} ({python.name})'
    if not found:
        return text + ', looked for in ' + ', '.join(python.library_places()), True
    if env['rpath'] == 'no' and library:
        return (f'{text}: the loader does not find {library}; rpath=yes tells it where, or else '
                f'"echo {os.path.dirname(library)} >/etc/ld.so.conf.d/wsgid-python.conf && '
                'ldconfig"'), False
    text += f': {" and ".join(found)} cannot be linked'
    if archive and is_not_position_independent(env, conf):
        return (f'{text}: what was compiled without -fPIC goes into no position independent '
                'program, which CC, CFLAGS or LDFLAGS ask for; leave that out, or build with '
                'libpython=shared'), False
    return f'{text}; {env["CONFIGURELOG"]} has the reason', False


def package_of(python):
    """What brings the rest of a Python: only the distribution's come in packages."""
    if python.base_prefix != '/usr':
        return None
    own = os.path.realpath(settings.PYTHON)
    if not os.path.exists(own) or os.path.basename(own) == 'python' + python.abi:
        return 'python'
    return packages.other_python(python.abi)


def choose_python(env, conf, missing, path):
    """One interpreter, its headers, and its programs; or None."""
    try:
        python = Python(os.path.expanduser(path))
    except PythonError as error:
        missing.add(f'a usable interpreter: {error}; to use another: scons python=PATH',
                    'python' if path == settings.PYTHON else None)
        return None
    package = package_of(python)
    if python.header() is None:
        missing.add(f'Python.h of {python.executable} ({python.name}), looked for in '
                    f'{python.include[0]}; to use another interpreter: scons python=PATH',
                    package)
        return None
    choose_programs(env, conf, python)
    if not python.programs:
        reason, comes = why_no_program(env, conf, python)
        missing.add(reason, package if comes else None)
        return None
    return python


def choose_pythons(env, conf, missing):
    """All that were asked for, the default one first."""
    found = []
    for path in filter(None, env['python'].split(',')):
        python = choose_python(env, conf, missing, path)
        for other in filter(None, found):
            if python is not None and other.abi == python.abi:
                missing.add(f'a choice between {other.executable} and {python.executable}: both '
                            f'are Python {python.abi}, and a wsgid has one program for each '
                            'version', None)
                return found
        found.append(python)
    return found


def loads_alone(target, source, env):
    """Behind the link of a child: does the loader find the library of its Python also where
    nothing of our environment is?  The target knows its Python: an action that held it would
    never be the same as that of the build before, and the program be linked each time."""
    program, python = target[0].get_abspath(), target[0].attributes.python
    done = subprocess.run([program, '-V'], env={}, text=True, capture_output=True,
                          stdin=subprocess.DEVNULL)
    if done.returncode == 0:
        return 0
    os.unlink(program)
    said = (done.stdout.splitlines() or [''])[0]
    remedy = f'; with rpath=yes it looks in {os.path.dirname(python.shared_library() or "")}'
    if target[0].attributes.is_inside:
        remedy = ', inside the interpreter; libpython=shared does without that'
    print(f'{target[0].name} was built for Python {python.name}, and the loader gives it '
          f'{said or "nothing: " + done.stderr.strip()}{remedy}', file=sys.stderr)
    return 1


def explain_pythons(pythons):
    """One line a Python."""
    for python in pythons:
        what = ' and '.join(f'{program.name} ({program.linkage}, {program.library})'
                            for program in python.programs)
        print(f'scons: Python {python.name} ({python.executable}): {what}')


def explain_default(program, header):
    """A build of one Python alone makes it the one that serves who asks for none."""
    try:
        with open(header, encoding='utf-8') as lines:
            before = re.search(r'^#define CHILD_PROGRAM "(.*)"', lines.read(), re.M)
    except OSError:
        return
    if before and before[1] != program:
        print(f'scons: where no Python is asked for {program} serves now, and {before[1]} did '
              'before; of several in python= it is the first')


# --- libraries -------------------------------------------------------------


def includes(folder, header):
    """Does any source of a folder ask for a header?"""
    pattern = re.compile(r'^\s*#\s*include\s*<' + re.escape(header) + '>', re.M)
    for path in glob.glob(f'src/{folder}/*.[ch]'):
        with open(path, encoding='utf-8') as source:
            if pattern.search(source.read()):
                return True
    return False


def optional(env, conf, missing, name, library, program):
    """A library that a variable switches: its flags, or None without it."""
    if env[name] == 'no':
        return None
    flags = flags_of(env, library)
    if flags is not None and conf.TryLibrary(library, flags, program):
        return flags
    if env[name] == 'yes':
        missing.add(f'{library} ({name}=no builds without it)', library)
    else:
        print(f'scons: {library} is missing: built without it ({name}=yes insists)')
        env['INCOMPLETE'] = True
    return None


def try_library(context, library, flags, program):
    context.Message(f'Checking for {library} ... ')
    found = with_flags(context, flags, lambda: context.TryLink(program, '.c'))
    context.Result(found)
    return found


def user_interface(env, missing):
    """wsgictl's libraries, once it uses them."""
    flags = []
    for header, library, what in (('jansson.h', 'jansson', 'jansson'),
                                  ('ncurses.h', 'ncursesw', 'ncurses')):
        if includes('wsgictl', header):
            found = flags_of(env, library)
            if found is None:
                missing.add(library, what)
            else:
                flags.append(found)
    return flags


SYSTEMD = r'''
#include <systemd/sd-daemon.h>

int main(void)
{
	return sd_notify(0, "READY=1") < 0;
}
'''


# --- all of it -------------------------------------------------------------


def quoted(text):
    return '"' + str(text).replace('\\', '\\\\').replace('"', '\\"') + '"'


def define(conf, env, found):
    at = settings.places(env)
    python = found['python']
    for name, value, comment in (
            ('WSGID_VERSION', env['WSGID_VERSION'], 'of this server'),
            ('LIBEXECDIR', at['libexec'], 'where the child program is installed'),
            ('SYSCONFDIR', at['sysconf'], 'the folder above wsgid/NAME.conf'),
            ('DEFAULT_CONFIG', f"{at['sysconf']}/wsgid/wsgid.conf",
             'what is read when nothing is named'),
            ('CHILD_PROGRAM', python.programs[0].name,
             "the child's file name where no Python is asked for"),
            ('PYTHON_EXECUTABLE', python.executable, 'for the unit tests'),
            ('BUILD_KIND', settings.kind(env), 'release, debug or maintainer'),
            ('COMPILER', compiler_version(env), 'its own words'),
            ('HARDENING', found['hardening'], 'the flags that were taken')):
        conf.Define(name, quoted(value), comment)
    conf.Define('HAVE_SYSTEMD', int(found['systemd'] is not None), 'src/master/notify.c')
    conf.Define('HAVE_URING', int(found['uring'] is not None), 'src/io/uring.c')


def has_all(place, remembered):
    """Is everything there that SCons remembers to have made?  It would not
    look, and the folder may have been removed, moved or copied since."""
    return all(os.path.exists(os.path.join(place, name)) for name, entry in remembered.items()
               if not getattr(entry.binfo, 'result', None))


def scratch(env, folder):
    """Where the probes work.  What they found is believed again only when
    the last run found everything: else a package may have come since."""
    place = folder + '/configure'
    env['CONFIGURELOG'] = place + '/log'
    directory = env.Dir('#' + place)
    memory = directory.sconsign()
    stamp = env.File('#' + place + '/complete').get_abspath()
    believed = os.path.exists(stamp) and has_all(directory.get_abspath(), memory.entries)
    if os.path.exists(stamp):
        os.unlink(stamp)
    if not believed:
        SCons.SConf.SetCacheMode('force')
        memory.entries.clear()
        memory.dirty = True
    return place, stamp


def configure(env, folder):
    """Ask everything; the answers as a dict of flag sets and names."""
    place, stamp = scratch(env, folder)
    os.makedirs(env.Dir('#' + place).get_abspath(), exist_ok=True)
    header = '#' + folder + '/include/built_with.h'
    conf = env.Configure(conf_dir='#' + place, log_file='#' + env['CONFIGURELOG'],
                         config_h=header,
                         custom_tests={'TryFlags': try_flags, 'TryPython': try_python,
                                       'TryLibrary': try_library})
    missing = Missing()
    env['INCOMPLETE'] = False
    # Nothing can be tried without a compiler, but the rest of what is missing
    # is said with it.
    if not conf.CheckCC():
        missing.add(f'a C compiler that works ({env["CC"]})', 'compiler')
        conf = Untried()
    if flags_of(env) is None:
        missing.add('pkg-config', 'pkg-config')
    found = {'hardening': hardening(env, conf)}
    found['pythons'] = choose_pythons(env, conf, missing)
    found['uring'] = optional(env, conf, missing, 'uring', 'liburing', URING)
    found['systemd'] = optional(env, conf, missing, 'systemd', 'libsystemd', SYSTEMD)
    found['wsgictl'] = user_interface(env, missing)
    found['cmocka'] = flags_of(env, 'cmocka')
    missing.report()
    explain_pythons(found['pythons'])
    found['python'] = found['pythons'][0]
    explain_default(found['python'].programs[0].name, env.File(header).get_abspath())
    env['PYTHON_VERSION'] = found['python'].version
    define(conf, env, found)
    conf.Finish()
    settings.quiet(env)
    if not env['INCOMPLETE']:
        with open(stamp, 'w', encoding='utf-8'):
            pass
    return found


def library_words(python):
    """What links a program with Python, for the unit tests; None where children only run inside
    the interpreter."""
    return next((program.words for program in python.programs
                 if program.linkage != 'interpreter'), None)


def link_with(env, found, folders, libraries, *more, python=None):
    """The settings that link a program with the libraries of folders and with what these need
    from outside; python is the Program that this will be, where it is a child."""
    mine = env.Clone(LIBS=[], LIBPATH=[])
    words = []
    for folder in folders:
        if folder == 'python' and folder in libraries:
            words = python.words if python else library_words(found['python'])
        elif folder == 'io' and found['uring']:
            mine.MergeFlags(found['uring'])
        elif folder == 'master' and found['systemd']:
            mine.MergeFlags(found['systemd'])
        elif folder == 'wsgictl':
            for flags in found['wsgictl']:
                mine.MergeFlags(flags)
    for flags in more:
        mine.MergeFlags(flags)
    ours = [libraries[folder] for folder in folders if folder in libraries]
    return {'LIBS': ours + mine['LIBS'], 'LASTLIBS': words, 'LIBPATH': mine['LIBPATH'],
            'LINKFLAGS': mine['LINKFLAGS'] + pie(env, words)}
