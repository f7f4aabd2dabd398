#!/usr/bin/python3
"""Build children for every Python of this machine and run end-to-end tests with each.

    tools/matrix.py [--whole] [--python PATH|3.13t,...]

All of them are children of one wsgid, in build/matrix: so that several Pythons live side by
side is tested by the way.  A Python is served with each of its libraries, static and shared,
and the tests of environments make theirs from it.  Those that no distribution has, which
is a free-threaded one, are built where there are none.  Without --whole the tests are those
that have to do with Python.  The end is a table; the status is 1 when anything has failed.
"""

import argparse
import glob
import os
import re
import subprocess
import sys
import time

import more_pythons

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(TOP, 'build', 'matrix')
OWN = '/usr/bin/python3'
OLDEST = (3, 9)

# What differs from Python to Python.
CHOSEN = ['test_http.py', 'test_python.py', 'test_pythons.py', 'test_threads.py',
          'test_preload.py', 'test_forks.py', 'test_reload_files.py']

QUESTION = ('import sys, sysconfig; print(*sys.version_info[:2], sys.version.split()[0],'
            '"%d.%d%s" % (sys.version_info[:2] + (sys.abiflags,)), sys.base_prefix)')


def ask(path):
    """(version, abi, prefix) of an interpreter that can be served, or None."""
    try:
        done = subprocess.run([path, '-I', '-c', QUESTION], text=True, capture_output=True)
    except OSError:
        return None
    words = done.stdout.split()
    if done.returncode != 0 or (int(words[0]), int(words[1])) < OLDEST:
        return None
    return words[2], words[3], words[4]


def installed():
    """The interpreters that there may be on this machine."""
    home = os.environ.get('PYENV_ROOT') or os.path.expanduser('~/.pyenv')
    return [OWN, *sorted(glob.glob('/usr/local/bin/python3.*[0-9t]')),
            *sorted(glob.glob(os.path.join(glob.escape(home), 'versions/*/bin/python3')))]


def find(paths):
    """{abi: (interpreter, version, prefix)}: of each version the first."""
    found = {}
    for path in paths:
        about = ask(path)
        if about and about[1] not in found:
            found[about[1]] = (path, about[0], about[2])
    return found


def can_everybody_enter(path):
    """Or is it somebody's private one, as pyenv's in root's home is?"""
    while True:
        if not os.stat(path).st_mode & 0o001:
            return False
        if path == '/':
            return True
        path = os.path.dirname(path)


def find_asked(words):
    """Those alone that are asked for, each a path or one that can be made."""
    found = {}
    for word in words:
        path = more_pythons.interpreter(word) if word in more_pythons.KNOWN else word
        this = find([path])
        if not this:
            raise more_pythons.Unavailable(f'{path} is no Python {OLDEST[0]}.{OLDEST[1]} or newer')
        found.update((abi, about) for abi, about in this.items() if abi not in found)
    return found


def find_all():
    """What there is, and what no distribution has, made if need be."""
    found = find(installed())
    for abi in more_pythons.KNOWN:
        if abi in found:
            continue
        try:
            found.update(find([more_pythons.interpreter(abi)]))
        except more_pythons.Unavailable as error:
            print(f'matrix: there is no Python {abi}, and none can be made: {error}')
    return found


def environment(abi, prefix, library):
    around = dict(os.environ, WSGID_BUILD=BUILD, PYTHONDONTWRITEBYTECODE='1',
                  WSGID_TEST_PYTHON=abi)
    if library != 'auto':
        around['WSGID_TEST_LIB_PYTHON'] = library
    if os.geteuid() == 0 and not can_everybody_enter(prefix):
        around.update(WSGID_TEST_USER='root', WSGID_TEST_ALLOW_ROOT='On')
    return around


def run(files, around):
    """The words of pytest's last line, and whether all is well.  Most tests wait most of the
    time, so several run at once."""
    done = subprocess.run([OWN, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', '-n', '4',
                           '--dist', 'loadgroup', '-m', 'not alone', *files],
                          cwd=TOP, env=around, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lines = done.stdout.strip().splitlines() or ['nothing was said']
    for line in lines:
        if line.startswith(('FAILED', 'ERROR')):
            print('  ' + line)
    return re.sub(r' in [\d.]+s.*', '', lines[-1].strip('= ')), done.returncode == 0


def libraries(abi):
    """What to serve a version with: by itself, and where that is the static library also with
    the shared one."""
    both = os.path.exists(os.path.join(BUILD, f'wsgid-python{abi}-shared'))
    return ['auto', 'shared'] if both else ['auto']


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--whole', action='store_true', help='all end-to-end tests with each, but '
                        'for those that measure')
    parser.add_argument('--python', help='these, with commas, instead of those that are found')
    options = parser.parse_args()
    try:
        pythons = find_asked(options.python.split(',')) if options.python else find_all()
    except more_pythons.Unavailable as error:
        parser.error(str(error))
    names = ['*.py'] if options.whole else CHOSEN
    files = sorted(path for name in names
                   for path in glob.glob(os.path.join(TOP, 'tests', 'e2e', name))
                   if os.path.basename(path).startswith('test_'))
    paths = ','.join(path for path, _, _ in pythons.values())
    if subprocess.run(['scons', '-Q', '-j2', 'folder=matrix', f'python={paths}', 'build'],
                      cwd=TOP).returncode != 0:
        return 1
    rows, well = [('Python', 'library', 'interpreter', 'result', 'seconds')], True
    for abi, (path, version, prefix) in pythons.items():
        for library in libraries(abi):
            print(f'== Python {version} ({path}), {library} library', flush=True)
            begin = time.monotonic()
            said, good = run(files, environment(abi, prefix, library))
            rows.append((version, library, path, said, f'{time.monotonic() - begin:.0f}'))
            well &= good
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    print()
    for row in rows:
        print('  '.join(word.ljust(width) for word, width in zip(row, widths)).rstrip())
    print(f'matrix: {len(rows) - 1} kinds of Python, {"all passed" if well else "not all passed"}')
    return 0 if well else 1


if __name__ == '__main__':
    sys.exit(main())
