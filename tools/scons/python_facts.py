"""What the build must know about one Python, asked of that Python itself.

Never python3-config or pkg-config's python3-embed: whichever is found first
may belong to another Python than the headers.  The interpreter is started
with -I, so that neither the environment nor the current directory answers.
"""

import json
import os
import re
import subprocess

import elf

OLDEST = (3, 9)  # src/pythons/versions.h has it too

QUESTION = r'''
import importlib.util, json, os, sys, sysconfig

def importable(names):
    found = []
    for name in names:
        try:
            __import__(name)
        except ImportError:
            continue
        found.append(name)
    return found

# Of a virtual environment its base: what is built serves all that are made of it.
# /usr/bin/python3 may mean another version tomorrow; python3.11 does not.
executable = getattr(sys, '_base_executable', None) or sys.executable
versioned = os.path.join(os.path.dirname(executable), 'python%d.%d%s' % (
    sys.version_info[:2] + (sys.abiflags,)))
if os.path.exists(versioned) and os.path.samefile(versioned, executable):
    executable = versioned

value = sysconfig.get_config_var
json.dump({
    'executable': executable,
    'version': list(sys.version_info[:3]),
    'build': sys.version,
    'abi': '%d.%d%s' % (sys.version_info[:2] + (sys.abiflags,)),
    'soabi': value('SOABI') or '',
    'base_prefix': sys.base_prefix,
    'stdlib': os.path.dirname(os.__file__),
    'include': [sysconfig.get_path('include'), sysconfig.get_path('platinclude')],
    'libdir': value('LIBDIR') or '',
    'libpl': value('LIBPL') or '',
    'archive': value('LIBRARY') or '',
    'shared': value('LDLIBRARY') if value('Py_ENABLE_SHARED') else '',
    'soname': value('INSTSONAME') if value('Py_ENABLE_SHARED') else '',
    'libs': ' '.join(value(name) or '' for name in ('LIBS', 'MODLIBS', 'SYSLIBS')),
    'linkforshared': value('LINKFORSHARED') or '',
    'modules': importable(['zlib', 'json', 'ssl', 'ctypes', 'pyexpat']),
}, sys.stdout)
'''


# What puts a trial's main into the place of the interpreter's: src/launch/inside.c.  It fails
# where the functions are those of a library and not of the program.
INSIDE = r'''
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

static int live(int argc, char **argv, char **environment)
{
	Dl_info info;
	const char *name;

	(void)argc, (void)argv, (void)environment;
	unsetenv("LD_PRELOAD");
	if (dladdr((void *)Py_InitializeFromConfig, &info) == 0)
		return 1;
	name = strrchr(info.dli_fname, '/');
	return strstr(name != NULL ? name : info.dli_fname, ".so") != NULL || main();
}

__attribute__((visibility("default"))) int
__libc_start_main(void *its, int argc, char **argv, void (*init)(void), void (*fini)(void),
	void (*loader_fini)(void), void *end)
{
	int (*start)(void *, int, char **, void (*)(void), void (*)(void), void (*)(void), void *);

	(void)its;
	*(void **)&start = dlsym(RTLD_NEXT, "__libc_start_main");
	return start((void *)live, argc, argv, init, fini, loader_fini, end);
}
'''


class PythonError(Exception):
    """The interpreter cannot be used; the text says why."""


def version(path) -> str:
    """Of one that is none of ours: "Python 2.7.18"; '' where it is no Python."""
    said = subprocess.run([path, '-V'], text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout.strip()
    return said if re.fullmatch(r'Python 2[.0-9]*', said) else ''


class Program:
    """A program of the children: its name, and how it is linked with Python."""

    def __init__(self, name, linkage, library, words):
        self.name, self.linkage, self.library, self.words = name, linkage, library, words


class Python:
    """The facts of one interpreter, as attributes."""

    def __init__(self, path):
        try:
            answer = subprocess.run([path, '-I', '-c', QUESTION], check=True, text=True,
                                    stdin=subprocess.DEVNULL, capture_output=True)
            facts = json.loads(answer.stdout)
        except OSError as error:
            raise PythonError(f'{path}: {error.strerror}') from None
        except subprocess.CalledProcessError as error:
            last = (error.stderr.strip().splitlines() or ['no reason given'])[-1]
            raise PythonError(f'{path} does not run as a Python 3 '
                              f'({version(path) or last[:200]})') from None
        except ValueError:
            raise PythonError(f'{path} does not answer like a Python 3') from None
        self.__dict__.update(facts)
        self.version = tuple(self.version)
        self.programs = []
        self.name = '.'.join(map(str, self.version))
        if self.version < OLDEST:
            raise PythonError(f'{path} is Python {self.name}; wsgid needs '
                              f'{OLDEST[0]}.{OLDEST[1]} or newer')

    def header(self):
        """Where Python.h is, or None."""
        for folder in self.include:
            if os.path.exists(os.path.join(folder, 'Python.h')):
                return folder
        return None

    def library_places(self):
        """Where a library of this Python may be.  One that was moved after it was built, as
        those are that uv brings, says of LIBDIR what was true where it was built."""
        places = [self.libpl, self.libdir, os.path.join(self.base_prefix, 'lib')]
        return [place for place in dict.fromkeys(places) if place]

    def find_library(self, names):
        for name in filter(None, names):
            for folder in self.library_places():
                path = os.path.join(folder, name)
                if os.path.exists(path):
                    return path
        return None

    def static_library(self):
        """The archive of this Python, or None."""
        return self.find_library([name for name in (self.archive, f'libpython{self.abi}.a')
                                  if name.endswith('.a')])

    def shared_library(self):
        """The shared library of this Python, or None.  Better under the name by which the loader
        asks for it: a folder for linkers alone, as Debian's LIBPL, is no run path."""
        return self.find_library([name for name in (self.soname, self.shared)
                                  if '.so' in name])

    def identity(self):
        """{file: what it is}, of the files that an upgrade of this Python replaces."""
        files = [os.path.realpath(self.executable)]
        if self.shared_library():
            files.append(os.path.realpath(self.shared_library()))
        return {path: elf.identity(path) for path in files}

    def facts(self, program):
        """What the program of the children carries with it, a line each: src/pythons/facts.h."""
        lines = [('version', self.name), ('abi', self.abi), ('soabi', self.soabi),
                 ('executable', self.executable), ('base_prefix', self.base_prefix),
                 ('stdlib', self.stdlib), ('linkage', program.linkage),
                 ('library', program.library),
                 ('places', ', '.join(self.library_places()))]
        lines += [('file', f'{what} {path}') for path, what in self.identity().items()]
        return ''.join(f'{key} {value}\n' for key, value in lines)

    def link_inside(self):
        """The words that make a library for the inside of the interpreter: what it needs of
        Python is there already."""
        return ['-shared', '-Wl,-z,undefs', '-ldl']

    def link_static(self):
        """The words that put the archive into a program."""
        return (['-no-pie', '-Wl,--export-dynamic', self.static_library()]
                + self.libs.split() + self.linkforshared.split())

    def link_shared(self, run_path):
        """The words that link a program with the shared library."""
        words = [self.shared_library(), '-ldl', '-lm']
        if run_path:
            words.append('-Wl,-rpath,' + os.path.dirname(self.shared_library()))
        return words

    def trial(self):
        """A program that is this Python and can import what it can."""
        imports = ', '.join(self.modules + ['sys'])
        return r'''
/* %s */
#include <Python.h>

int main(void)
{
	PyConfig config;
	PyStatus status;

	PyConfig_InitIsolatedConfig(&config);
	status = PyConfig_SetBytesString(&config, &config.executable, %s);
	if (!PyStatus_Exception(status))
		status = Py_InitializeFromConfig(&config);
	PyConfig_Clear(&config);
	if (PyStatus_Exception(status))
		return 1;
	return PyRun_SimpleString(
		"import %s\n"
		"if sys.version != '%s':\n"
		"    raise ImportError('the library is ' + sys.version)\n") != 0;
}
''' % (self.fingerprint(), json.dumps(self.executable), imports,
       self.build.replace('\n', r'\\n'))

    def fingerprint(self):
        """Changes when another Python takes this one's place."""
        stamps = [str(os.stat(path).st_mtime_ns) for path in
                  (self.executable, self.static_library(), self.shared_library()) if path]
        return ' '.join([self.build.replace('\n', ' ')] + stamps)
