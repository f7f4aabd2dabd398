#!/usr/bin/python3
"""Build children for every Python of this machine and run the end-to-end tests with each.

    tools/matrix.py [--short] [--python PATH|3.13t,...]

One wsgid has children of several versions: that they live side by side is tested by the way.
It has one of a version, so where a version is installed twice, by Debian and by pyenv say, the
second is built for in a folder of its own.  A Python is served without its shared library and
with it, and from a virtual environment of it, which gets Flask and Django where PyPI can be
reached.  Those that no distribution has, which is a free-threaded one, are built
where there are none.  With --short the tests are only those that have to do with Python.  The
end is a table; the status is 1 when anything has failed.

Children run as another user than root, who cannot enter a Python in root's home, as pyenv's:
the tests of such a one see its folders with the right to pass through, in a mount namespace
of their own.
"""

import argparse
import glob
import os
import re
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

import more_pythons

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OWN = '/usr/bin/python3'
OLDEST = (3, 9)

# What differs from Python to Python.
CHOSEN = ['test_http.py', 'test_python.py', 'test_pythons.py', 'test_pythons_library.py',
          'test_pythons_asked.py', 'test_threads.py', 'test_preload.py', 'test_warm_up.py',
          'test_forks.py', 'test_reload_files.py', 'test_debugger.py']

QUESTION = ('import sys, sysconfig; print(*sys.version_info[:2], sys.version.split()[0],'
            '"%d.%d%s" % (sys.version_info[:2] + (sys.abiflags,)), sys.base_prefix)')


class Installation(NamedTuple):
    path: str  # of its interpreter
    version: str
    abi: str
    prefix: str


def ask(path):
    """The installation of an interpreter that can be served, or None."""
    try:
        done = subprocess.run([path, '-I', '-c', QUESTION], text=True, capture_output=True)
    except OSError:
        return None
    words = done.stdout.split(maxsplit=4)
    if done.returncode != 0 or (int(words[0]), int(words[1])) < OLDEST:
        return None
    return Installation(path, words[2], words[3], words[4].strip())


def installed():
    """The interpreters that there may be on this machine."""
    home = os.environ.get('PYENV_ROOT') or os.path.expanduser('~/.pyenv')
    return [OWN, *sorted(glob.glob('/usr/local/bin/python3.*[0-9t]')),
            *sorted(glob.glob(os.path.join(glob.escape(home), 'versions/*/bin/python3')))]


def find(paths):
    """The installations of these interpreters, each once."""
    found = {}
    for path in paths:
        this = ask(path)
        if this:
            found.setdefault((this.abi, os.path.realpath(this.prefix)), this)
    return list(found.values())


def folder_name(n):
    return 'matrix' if n == 1 else f'matrix-{n}'


def folders(pythons):
    """{folder: [installation]}: of each version one to a folder."""
    found = {}
    for python in pythons:
        n = 1
        while any(other.abi == python.abi for other in found.get(folder_name(n), [])):
            n += 1
        found.setdefault(folder_name(n), []).append(python)
    return found


def private_folders(path):
    """Those on the way to it that not everybody may enter, the outermost first."""
    found = set()
    for way in (path, os.path.realpath(path)):
        while way != '/':
            if not os.stat(way).st_mode & 0o001:
                found.add(os.path.realpath(way))
            way = os.path.dirname(way)
    return sorted(found)


# Each of the first n folders becomes another one with the same content, which everybody may
# enter; then the command behind them runs.
OPEN = """
set -e
old=/proc/self/fd/3
n=$1
shift
while [ "$n" -gt 0 ]; do
    folder=$1
    exec 3<"$folder"
    mount -t tmpfs -o mode=711 opened "$folder"
    for entry in $old/* $old/.[!.]* $old/..?*; do
        to=$folder/${entry##*/}
        if [ -L "$entry" ]; then cp -P "$entry" "$to"
        elif [ -d "$entry" ]; then mkdir "$to"; mount -c --rbind "$entry" "$to"
        elif [ -e "$entry" ]; then : >"$to"; mount -c --bind "$entry" "$to"
        fi
    done
    exec 3<&-
    shift
    n=$((n - 1))
done
cd "$TOP"
exec "$@"
"""


def closed_folders(python):
    """Those of an installation that the tests could not enter, as they do not run as root."""
    return private_folders(python.prefix) if os.geteuid() == 0 else []


def opened(python, command):
    """The command, run where everybody may enter the installation."""
    folders = closed_folders(python)
    if not folders:
        return command
    return ['unshare', '--mount', 'env', f'TOP={TOP}', 'sh', '-c', OPEN, 'sh', str(len(folders)),
            *folders, *command]


def can_be_entered(python):
    """Not where mounting is forbidden, as in a container."""
    if not closed_folders(python):
        return True
    try:
        return subprocess.run(['unshare', '--mount', 'mount', '-t', 'tmpfs', 'none', '/mnt'],
                              capture_output=True).returncode == 0
    except OSError:
        return False


def find_asked(words):
    """Those alone that are asked for, each a path or one that can be made."""
    paths = [more_pythons.interpreter(word) if word in more_pythons.KNOWN else word
             for word in words]
    for path in paths:
        if not ask(path):
            raise more_pythons.Unavailable(f'{path} is no Python {OLDEST[0]}.{OLDEST[1]} or newer')
    return find(paths)


def find_all():
    """What there is, and what no distribution has, made if need be."""
    paths = installed()
    for abi in more_pythons.KNOWN:
        if any(python.abi == abi for python in find(paths)):
            continue
        try:
            paths.append(more_pythons.interpreter(abi))
        except more_pythons.Unavailable as error:
            print(f'matrix: there is no Python {abi}, and none can be made: {error}')
    return find(paths)


def build_of(folder):
    return os.path.join(TOP, 'build', folder)


def make_environment(python, home):
    subprocess.run([python.path, '-m', 'venv', '--clear', '--system-site-packages', home],
                   check=True)
    done = subprocess.run([f'{home}/bin/python', '-m', 'pip', 'install', '--quiet', 'flask',
                           'django'], text=True, capture_output=True)
    if done.returncode != 0:
        print(f'matrix: no Flask and Django of PyPI: {done.stderr.strip().splitlines()[-1:]}')


def environment(python, folder, kind, place):
    """What the tests are to run with; an environment is made in place."""
    around = dict(os.environ, WSGID_BUILD=build_of(folder), PYTHONDONTWRITEBYTECODE='1',
                  WSGID_TEST_PYTHON=python.abi, MATRIX_PYTHON=python.path)
    if kind == 'venv':
        home = os.path.join(place, 'venv')
        make_environment(python, home)
        around.update(WSGID_TEST_PYTHON_HOME=home, MATRIX_PYTHON=f'{home}/bin/python')
    elif kind != 'auto':
        around['WSGID_TEST_LIB_PYTHON'] = kind
    return around


def run(files, around, python):
    """The words of pytest's last line, and whether all is well.  Most tests wait most of the
    time, so several run at once."""
    command = [OWN, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', '-n', '4',
               '--dist', 'loadgroup', '-m', 'not alone', *files]
    done = subprocess.run(opened(python, command), cwd=TOP, env=around, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    lines = done.stdout.strip().splitlines() or ['nothing was said']
    for line in lines:
        if line.startswith(('FAILED', 'ERROR')):
            print('  ' + line)
    return re.sub(r' in [\d.]+s.*', '', lines[-1].strip('= ')), done.returncode == 0


def kinds(folder, abi):
    """What to serve a version with: by itself, where that is without a shared library also with
    it, and from an environment."""
    both = os.path.exists(os.path.join(build_of(folder), f'wsgid-python{abi}-shared'))
    return ['auto', 'shared', 'venv'] if both else ['auto', 'venv']


def test_files(kind, short):
    """Which Python serves is what test_pythons*.py choose themselves, environments too."""
    names = [os.path.basename(path)
             for path in sorted(glob.glob(os.path.join(TOP, 'tests', 'e2e', 'test_*.py')))]
    return [os.path.join(TOP, 'tests', 'e2e', name) for name in names
            if (not short or name in CHOSEN) and (
                kind != 'venv' or not name.startswith('test_pythons'))]


def build(folder, pythons):
    paths = ','.join(python.path for python in pythons)
    return subprocess.run(['scons', '-Q', '-j2', f'folder={folder}', f'python={paths}', 'build'],
                          cwd=TOP).returncode == 0


def row_of(python, folder, kind, short):
    """One line of the table, and whether all is well."""
    print(f'== Python {python.version} ({python.path}), {kind}', flush=True)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix='wsgid-matrix-') as place:
        os.chmod(place, 0o755)
        try:
            around = environment(python, folder, kind, place)
        except subprocess.CalledProcessError:
            said, good = 'no virtual environment can be made of it', False
        else:
            said, good = run(test_files(kind, short), around, python)
    return (python.version, kind, python.path, said, f'{time.monotonic() - begin:.0f}'), good


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--short', action='store_true', help='only the tests that have to do with '
                        'Python, instead of all but those that measure')
    parser.add_argument('--python', help='these, with commas, instead of those that are found')
    options = parser.parse_args()
    try:
        pythons = find_asked(options.python.split(',')) if options.python else find_all()
    except more_pythons.Unavailable as error:
        parser.error(str(error))
    rows, well = [('Python', 'served', 'interpreter', 'result', 'seconds')], True
    for folder, its in folders(pythons).items():
        if not build(folder, its):
            return 1
        for python in its:
            if not can_be_entered(python):
                rows.append((python.version, '-', python.path, 'left out: it is in a folder '
                             'that only root may enter, and nothing may be mounted here', '0'))
                continue
            for kind in kinds(folder, python.abi):
                row, good = row_of(python, folder, kind, options.short)
                rows.append(row)
                well &= good
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    print()
    for row in rows:
        print('  '.join(word.ljust(width) for word, width in zip(row, widths)).rstrip())
    left_out = sum(row[1] == '-' for row in rows)
    print(f'matrix: {len(rows) - 1 - left_out} kinds of Python, {left_out} left out, '
          f'{"all passed" if well else "not all passed"}')
    return 0 if well else 1


if __name__ == '__main__':
    sys.exit(main())
