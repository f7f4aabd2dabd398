"""The variables of the build, and what follows from them alone."""

import difflib
import fcntl
import glob
import os
import re
import shutil
import sys

from SCons.Tool import compilation_db
from SCons.Script import (COMMAND_LINE_TARGETS, Action, Alias, AlwaysBuild, BoolVariable,
                          EnumVariable, Exit, Variables)

WARNINGS = ['-Wall', '-Wextra', '-Wshadow', '-Wstrict-prototypes', '-Wmissing-prototypes',
            '-Wconversion', '-Wno-sign-conversion', '-Werror=implicit-function-declaration']

PYTHON = '/usr/bin/python3'

TARGETS = """\
Targets:
  build      the programs and the libraries (the default)
  test       the unit tests, those whose parts have changed
  check      test, the end-to-end tests, the checks of layers and directives
  install    into prefix, below DESTDIR
  uninstall  what install has put there; a changed configuration stays
  -c         removes the folder of this kind of build
"""


# What each shell looks for below share.
COMPLETIONS = {
    'etc/completion/wsgictl.bash': 'bash-completion/completions/wsgictl',
    'etc/completion/_wsgictl': 'zsh/site-functions/_wsgictl',
    'etc/completion/wsgictl.fish': 'fish/vendor_completions.d/wsgictl.fish',
}


# Below lib.
UNITS = {
    'etc/systemd/wsgid.socket': 'systemd/system/wsgid.socket',
    'etc/systemd/wsgid.service': 'systemd/system/wsgid.service',
    'etc/systemd/wsgid@.socket': 'systemd/system/wsgid@.socket',
    'etc/systemd/wsgid@.service': 'systemd/system/wsgid@.service',
    'etc/systemd/sysusers.conf': 'sysusers.d/wsgid.conf',
    'etc/systemd/tmpfiles.conf': 'tmpfiles.d/wsgid.conf',
}
# Below the folder of configurations.
LOGROTATE = {'etc/logrotate.conf': 'logrotate.d/wsgid'}


# What the installed texts depend on.
PLACES = ['prefix', 'sbindir', 'libexecdir', 'sysconfdir', 'mandir']


def fail(*lines):
    """Say what is wrong and end, as SCons does for a wrong command line."""
    sys.stdout.flush()
    for line in lines:
        print('scons: ' + line, file=sys.stderr)
    Exit(2)


def prefix(key, value, _env):
    """Installed files name it: units, scripts, manuals, each in a syntax of its own."""
    if not os.path.isabs(value):
        fail(f'{key}={value}: give an absolute path')
    if not re.fullmatch('(/[A-Za-z0-9_.+-]+)+/?', value):
        fail(f'{key}={value}: systemd units and others name it, so give a path of letters, '
             'digits and _.+- alone')


def place_or_none(key, value, env):
    if value:
        prefix(key, value, env)


def folder_name(key, value, _env):
    """scons -c removes it."""
    if value and (not re.fullmatch('[A-Za-z0-9_.+-]+', value) or value.startswith('.')):
        fail(f'{key}={value}: give a name of letters, digits and _.+- alone, which does not begin '
             'with a dot')


def interpreters(_key, value, _env):
    """What they are is found out by asking them; what is no path at all is said before."""
    names = [name for name in value.split(',') if name]
    if not names:
        fail(f'python={value}: give the path of an interpreter, or several with commas')
    for name in names:
        if re.fullmatch(r'3\.\d+t?', name):
            fail(f'python={value}: {name} is a version; give the path of its interpreter, as in '
                 f'python=/usr/bin/python{name}')


def sanitizers(value):
    known = ('address', 'undefined', 'thread', 'leak')
    names = [name for name in value.split(',') if name]
    for name in names:
        if name not in known:
            fail(f'sanitize={value}: {name} is none of {", ".join(known)}')
    return names


def variables(arguments):
    """Every variable of the build; nothing is kept between two runs."""
    found = Variables(None, arguments)
    found.AddVariables(
        EnumVariable('mode', 'what to optimise for', 'release', ['release', 'debug']),
        ('prefix', 'where to install', '/usr/local', prefix),
        ('sbindir', 'of wsgid; else PREFIX/sbin', '', place_or_none),
        ('libexecdir', 'above wsgid/, of the children; else PREFIX/libexec', '', place_or_none),
        ('sysconfdir', 'above wsgid/, of the configurations; else /etc for /usr and /usr/local, '
         'PREFIX/etc for others', '', place_or_none),
        ('mandir', 'of the manual; else PREFIX/share/man', '', place_or_none),
        ('DESTDIR', 'put in front of every installed path', ''),
        ('python', 'the interpreters that children are built for, with commas', PYTHON,
         interpreters),
        EnumVariable('libpython', "how a child gets to Python", 'auto',
                     ['auto', 'interpreter', 'static', 'shared']),
        EnumVariable('rpath', "tell children where Python's library is", 'auto',
                     ['auto', 'yes', 'no']),
        EnumVariable('systemd', 'notify systemd and take its sockets', 'auto',
                     ['auto', 'yes', 'no']),
        EnumVariable('uring', 'io_uring beside epoll', 'auto', ['auto', 'yes', 'no']),
        ('sanitize', 'sanitizers, with commas: address,undefined', [], None, sanitizers),
        ('folder', 'build in this one below build/, instead of one for each kind', '',
         folder_name),
        BoolVariable('hardening', 'the flags that make exploits harder', True),
        BoolVariable('werror', 'warnings are errors', False),
        BoolVariable('maintainer', "for wsgid's own development: debug, warnings are errors, "
                     'more assertions', False),
        BoolVariable('verbose', 'show whole commands', False),
        ('CC', 'the C compiler', 'gcc' if shutil.which('gcc') else 'cc'),
        ('CFLAGS', 'more flags for the compiler', [], None, str.split),
        ('LDFLAGS', 'more flags for the linker', [], None, str.split),
    )
    return found


def refuse_unknown(found):
    unknown = found.UnknownVariables()
    lines = []
    for name in unknown:
        near = difflib.get_close_matches(name, found.keys(), 1, 0.5)
        if not near:
            near = [key for key in found.keys() if key.lower() == name.lower()]
        hint = f'; did you mean {near[0]}?' if near else ''
        lines.append(f'unknown variable {name}{hint}')
    if lines:
        fail(*lines, 'scons -h lists the variables')


def help_text(found, env):
    lines = ['Usage: scons [variable=value ...] [target ...]', '', TARGETS, 'Variables:']
    for option in found.options:
        value = env.get(option.key, option.default)
        if isinstance(value, list):
            value = (',' if option.key == 'sanitize' else ' ').join(value)
        elif isinstance(value, bool):
            value = 'yes' if value else 'no'
        lines.append(f'  {option.key + "=" + str(value):<26} {option.help}')
    return '\n'.join(lines) + '\n'


def build_folder(env):
    """One folder a kind of build, so that no kind rebuilds another's files."""
    if env['folder']:
        return 'build/' + env['folder']
    return '/'.join(['build', '-'.join([kind(env)] + env['sanitize'])])


def kind(env):
    """What "wsgid -V" calls this build."""
    return 'maintainer' if env['maintainer'] else env['mode']


def refuse_clean_install(targets):
    if 'install' in targets:
        fail('scons -c removes what was built; to remove what was installed: scons uninstall')


def one_build_at_a_time(top):
    """Wait for another scons in this checkout: both would write the same
    objects.  The lock goes when this process ends, however it ends."""
    try:
        os.makedirs(os.path.join(top, 'build'), exist_ok=True)
        lock = open(os.path.join(top, 'build', '.lock'), 'w')
    except OSError as error:
        fail(f'{error.filename} cannot be written ({error.strerror}): run it as the owner of '
             f'{top}, or make that the owner of build/ again')
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print('scons: another build runs in this folder; waiting for it')
        sys.stdout.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
    one_build_at_a_time.lock = lock


def compiler(env, folder):
    """Flags that every object gets; those that need a probe are in checks."""
    env['ENV']['HOME'] = os.environ.get('HOME', '/')
    # str.split kept these apart; LINKFLAGS as text would become one argument.
    # What a library lacks shows at the link, and not when a function is first called.
    # Position independent also where the program is not, as its parts go into a library too.
    env.Append(CCFLAGS=['-std=gnu17', '-pthread', '-fPIC', '-fvisibility=hidden'] + WARNINGS,
               LINKFLAGS=['-pthread', '-Wl,--no-undefined', '-Wl,-z,now'],
               CPPDEFINES=['_GNU_SOURCE'],
               CPPPATH=['#src', '#include', '#' + folder + '/include'])
    env.Append(CCFLAGS=['-O2', '-g'] if kind(env) == 'release' else ['-Og', '-g3'])
    env.Append(CPPDEFINES=['WSGID_MAINTAINER'] if env['maintainer'] else [])
    if env['werror'] or env['maintainer']:
        env.Append(CCFLAGS=['-Werror'])
    if env['sanitize']:
        flags = ['-fsanitize=' + ','.join(env['sanitize']), '-fno-omit-frame-pointer',
                 '-fno-sanitize-recover=all']
        env.Append(CCFLAGS=flags, LINKFLAGS=flags)
    # The user's come last, so that they win; see also checks.hardening.
    env.Append(CCFLAGS=env['CFLAGS'], LINKFLAGS=env['LDFLAGS'])
    env['USERS_CFLAGS'] = env['CFLAGS']
    env['CFLAGS'] = []
    env['RANLIBCOM'] = ''
    env['ARFLAGS'] = 'rcs'
    # Words at the end of a link as they are: SCons would sort them, and give
    # an archive among LIBS a -l.
    env['LASTLIBS'] = []
    env['LINKCOM'] += ' $LASTLIBS'


def quiet(env):
    """One short line a step; not for the probes, whose log is for reading."""
    if not env['verbose']:
        env['CCCOMSTR'] = '  compile  $SOURCE'
        env['LINKCOMSTR'] = '  link     $TARGET'
        env['ARCOMSTR'] = '  archive  $TARGET'
        env['RANLIBCOMSTR'] = ''


def database(env):
    """compile_commands.json, to be called when all objects are declared."""
    sources = sorted(glob.glob('src/*/*.c') + glob.glob('tests/*/*/*.c'))
    nodes = env.CompilationDatabase('compile_commands.json')
    # The tool would write it in every run; a new source or flag is enough.
    nodes[0].set_always_build(False)
    for entry in getattr(compilation_db, '__COMPILATION_DB_ENTRIES', []):
        entry.Decider(lambda *_: False)
    env.Depends(nodes, env.Value(env.subst('$CC $CCFLAGS $CPPPATH ') + ' '.join(sources)))
    return nodes


def places(env):
    """Where things go when installed, without DESTDIR."""
    prefix = os.path.normpath(env['prefix'])
    sysconf = '/etc' if prefix in ('/usr', '/usr/local') else prefix + '/etc'

    def chosen(variable, otherwise):
        return os.path.normpath(env[variable] or otherwise)
    return {'sbin': chosen('sbindir', prefix + '/sbin'), 'bin': prefix + '/bin',
            'lib': prefix + '/lib',
            'libexec': chosen('libexecdir', prefix + '/libexec') + '/wsgid',
            'share': prefix + '/share',
            'man': chosen('mandir', prefix + '/share/man'),
            'sysconf': chosen('sysconfdir', sysconf)}


def destination(env, path):
    """A place below DESTDIR."""
    if not env['DESTDIR']:
        return path
    return os.path.abspath(env['DESTDIR']) + path


def keep_or_copy(target, source, env):
    """A configuration that is there belongs to the administrator."""
    path, sample = str(target[0]), source[0].get_abspath()
    if os.path.exists(path):
        print(f'  keep     {path}')
        return 0
    os.makedirs(os.path.dirname(path), exist_ok=True)
    shutil.copyfile(sample, path)
    print(f'  install  {path}')
    return 0


def remove(path):
    try:
        os.unlink(path)
        print(f'  remove   {path}')
    except FileNotFoundError:
        pass


def same_bytes(one, other):
    with open(one, 'rb') as a, open(other, 'rb') as b:
        return a.read() == b.read()


def uninstall(env, fixed, sample):
    at = {name: destination(env, path) for name, path in places(env).items()}
    for path in fixed:
        remove(path)
    # The child of another Python may have been installed beside this one's.
    for path in sorted(glob.glob(glob.escape(at['libexec']) + '/wsgid-python*')):
        remove(path)
    config = at['sysconf'] + '/wsgid/wsgid.conf'
    if os.path.exists(config):
        if os.path.exists(sample) and same_bytes(config, sample):
            remove(config)
        else:
            print(f'  keep     {config} (it was changed)')
    for folder in (at['libexec'], at['sysconf'] + '/wsgid'):
        if os.path.isdir(folder) and not os.listdir(folder):
            os.rmdir(folder)
    return 0


def fit_paths(target, source, env):
    """A copy of a file that names /usr's programs and /etc's configurations, for where
    they are installed."""
    at = places(env)
    with open(source[0].get_abspath(), encoding='utf-8') as file:
        text = file.read()
    places_of = {'/usr/sbin/': at['sbin'], '/usr/bin/': at['bin'],
                 '/etc/wsgid/': at['sysconf'] + '/wsgid'}
    text = re.sub('|'.join(places_of), lambda found: places_of[found[0]] + '/', text)
    path = str(target[0])
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)
    os.chmod(path, 0o644)
    print(f'  install  {path}')
    return 0


def install_texts(env, place, files):
    """Those that name paths."""
    installed = []
    for name, path in files.items():
        installed += env.Command(f'{place}/{path}', '#' + name,
                                 Action(fit_paths, None, varlist=PLACES))
    return installed


def install_file(target, source, env):
    """For everybody, whatever the umask and the modes of the build were."""
    shutil.copyfile(source, target)
    os.chmod(target, 0o755 if os.stat(source).st_mode & 0o100 else 0o644)
    return 0


def install(env, programs, with_systemd):
    at = {name: destination(env, path) for name, path in places(env).items()}
    where = {'wsgid': at['sbin'], 'wsgictl': at['bin']}
    installed = []
    env['INSTALLSTR'] = '  install  $TARGET'
    env.Tool('install')
    env['INSTALL'] = install_file
    for program in programs:
        installed += env.Install(where.get(program.name, at['libexec']), program)
    pages = [str(page) for page in env.Glob('#src/*/*.[58]')]
    installed += install_texts(env, at['man'], {
        page: f'man{page[-1]}/{os.path.basename(page)}' for page in pages})
    installed += install_texts(env, at['share'], COMPLETIONS)
    if with_systemd:
        installed += install_texts(env, at['lib'], UNITS)
    installed += install_texts(env, at['sysconf'], LOGROTATE)
    fixed = [str(node) for node in installed]
    sample = env.File('#etc/wsgid.conf')
    if os.path.exists(sample.get_abspath()):
        config = env.Command(at['sysconf'] + '/wsgid/wsgid.conf', sample,
                             Action(keep_or_copy, None))
        env.Precious(config)
        AlwaysBuild(config)
        installed += config
    Alias('install', installed)
    if 'install' in COMMAND_LINE_TARGETS:
        # What is installed is for everybody, whoever installs it.
        os.umask(0o022)

    def action(target, source, env):
        return uninstall(env, fixed, sample.get_abspath())

    AlwaysBuild(env.Alias('uninstall', [], Action(action, None)))
