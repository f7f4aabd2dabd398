"""The folders of src/, and which of them may see which.

The one place where the architecture is data.  The build takes from it what a
program or a unit test is linked with, tools/check_layers.py what a file may
include; so a folder that reaches where it must not fails twice.

Plain Python without SCons, because both import it.
"""

# folder: the folders whose headers it may include.  What a folder sees must
# stand above it, so that there is no cycle.
FOLDERS = {
    'base': (),
    # Pure libraries: no fork, no socket, no clock, no log.
    'config': ('base',),
    'http': ('base',),
    'accesslog': ('base',),
    'scoreboard': ('base',),
    'control': ('base',),
    'mpm': ('base',),
    # Mechanisms: Linux, no policy.
    'lock': ('base',),
    'io': ('base',),
    'net': ('base',),
    'pythons': ('base',),
    'python': ('http', 'base'),
    # Roles.
    'child': ('python', 'http', 'accesslog', 'config', 'scoreboard', 'lock', 'io', 'net', 'pythons',
              'base'),
    'launch': ('child', 'net', 'pythons', 'base'),
    'master': ('http', 'accesslog', 'config', 'control', 'scoreboard', 'mpm', 'lock', 'net', 'pythons',
               'base'),
    'wsgid': ('master', 'config', 'lock', 'pythons', 'base'),
    'wsgictl': ('config', 'control', 'scoreboard', 'net', 'base'),
}

# The folders that become a program once they have a main.c.  The names of the
# child's programs depend on the Python in them.
PROGRAMS = {'wsgid': 'wsgid', 'wsgictl': 'wsgictl', 'child': None, 'launch': None}

# Headers from outside that only these files may include; a path that ends in
# / stands for a folder.
OUTSIDE = {
    'liburing.h': ('src/io/uring.c', 'tests/support/wait_aside.c'),
    'Python.h': ('src/python/', 'tests/unit/python/'),
    'systemd/sd-daemon.h': ('src/master/notify.c',),
    'systemd/sd-journal.h': ('src/master/journal.c',),
    'jansson.h': ('src/wsgictl/', 'tests/unit/wsgictl/'),
    'ncurses.h': ('src/wsgictl/',),
    'curses.h': ('src/wsgictl/',),
    'cmocka.h': ('tests/',),
}

# A folder whose insides are nobody else's business, and the header in front.
DOORS = {'python': 'app.h', 'master': 'master.h'}

# Unit tests bring their own instead of these: the life of a child is tested
# with an application that is not Python.
FAKED = {'child': ('python',)}


def closure(folder):
    """What must be linked behind a folder, in the linker's order."""
    found = []

    def visit(name):
        for other in FOLDERS[name]:
            visit(other)
        if name not in found:
            found.append(name)

    visit(folder)
    found.reverse()
    return found[1:]


def behind_test(folder):
    """What a unit test of a folder is linked with, the folder first."""
    faked = FAKED.get(folder, ())
    return [folder] + [name for name in closure(folder) if name not in faked]
