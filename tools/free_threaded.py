#!/usr/bin/python3
"""Build a free-threaded Python 3.13, which no distribution packages, and say where it is.

    tools/free_threaded.py

It is made once, of Debian 13's source with --disable-gil, and stays outside the tree, in
/var/cache/wsgid for root and else in ~/.cache/wsgid: that takes six minutes of one CPU.  It has
a static library alone, which no other Python of the matrix has.  apt fetches the source from
this machine's own mirror and checks it, with lists of its own: the machine's stay as they are.
"""

import glob
import os
import shutil
import subprocess
import sys
import tempfile

NAME = 'python3.13t'
SUITE, SOURCE = 'trixie', 'python3.13'
KEYS = '/usr/share/keyrings/debian-archive-keyring.gpg'
NEEDED = ('apt-get', 'tar', 'xz', 'make', 'gcc')


class Unavailable(Exception):
    """There is none and none can be made; the text says why."""


def home() -> str:
    """Where it is kept: where everybody may enter, if that is ours to write."""
    if os.geteuid() == 0:
        return '/var/cache/wsgid'
    cache = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
    return os.path.join(cache, 'wsgid')


def run(what, words, **more):
    done = subprocess.run(words, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **more)
    if done.returncode != 0:
        print('\n'.join(done.stdout.splitlines()[-20:]), file=sys.stderr)
        raise Unavailable(f'{what} failed: {" ".join(map(str, words))}')
    return done.stdout


def mirrors():
    """Those of this machine that have Debian, as its apt knows them."""
    said = run('asking apt for its mirrors', ['apt-get', 'indextargets', '--format',
                                              '$(REPO_URI)', 'Created-By: Packages',
                                              'Origin: Debian'])
    return [uri for uri in dict.fromkeys(said.split()) if 'security' not in uri]


def apt(place, mirror):
    """apt-get, with lists of its own in place."""
    for name in ('lists/partial', 'cache/archives/partial', 'sources'):
        os.makedirs(os.path.join(place, name), exist_ok=True)
    with open(os.path.join(place, 'sources', 'only.sources'), 'w', encoding='utf-8') as file:
        file.write(f'Types: deb-src\nURIs: {mirror}\nSuites: {SUITE}\nComponents: main\n'
                   f'Signed-By: {KEYS}\n')
    settings = {'Dir::State::lists': f'{place}/lists', 'Dir::Cache': f'{place}/cache',
                'Dir::Etc::SourceList': '/dev/null', 'Dir::Etc::SourceParts': f'{place}/sources',
                # The folder is ours alone.
                'APT::Sandbox::User': ''}
    return ['apt-get', '-q', *(word for key, value in settings.items()
                               for word in ('-o', f'{key}={value}'))]


def fetch(place) -> str:
    """The folder of the unpacked source."""
    found = mirrors()
    if not found:
        raise Unavailable('this machine has no mirror of Debian, which has the source')
    command = apt(place, found[0])
    run('reading the list of sources', [*command, 'update'])
    run('fetching the source', [*command, '--only-source', '--download-only', 'source', SOURCE],
        cwd=place)
    archive, = glob.glob(os.path.join(glob.escape(place), '*.orig.tar.xz'))
    run('unpacking', ['tar', '-xf', archive, '-C', place])
    top, = glob.glob(os.path.join(glob.escape(place), 'Python-*'))
    return top


def make(target):
    """Build it, and have it at target at once or not at all."""
    lacking = [name for name in NEEDED if shutil.which(name) is None]
    if lacking:
        raise Unavailable('these are missing: ' + ', '.join(lacking))
    os.makedirs(os.path.dirname(target), exist_ok=True)
    # Where it ends, so that it gets there by a rename.
    with tempfile.TemporaryDirectory(prefix='making-', dir=os.path.dirname(target)) as place:
        top = fetch(place)
        jobs = f'-j{len(os.sched_getaffinity(0))}'
        run('configuring', ['./configure', '-q', f'--prefix={target}', '--disable-gil',
                            '--disable-test-modules', '--without-ensurepip'], cwd=top)
        run('building', ['make', '-s', jobs], cwd=top)
        run('installing', ['make', '-s', jobs, 'install', f'DESTDIR={place}/installed'], cwd=top)
        os.rename(f'{place}/installed{target}', target)


def interpreter() -> str:
    """The path of its interpreter; made now, if it is not there."""
    target = os.path.join(home(), NAME)
    program = os.path.join(target, 'bin', NAME)
    if not os.path.exists(program):
        print(f'making {target}: six minutes, once', flush=True)
        make(target)
    return program


def main():
    try:
        print(interpreter())
    except Unavailable as error:
        print(f'free_threaded: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
