#!/usr/bin/python3
"""Build the Pythons that no distribution packages, and say where they are.

    tools/more_pythons.py [3.13t]

That is the free-threaded one.  It is made once, of Debian's source, and stays outside the tree,
in /var/cache/wsgid for root and else in ~/.cache/wsgid: that takes seven minutes of one CPU.  It
has a static library alone, which no other Python of the matrix has.  apt fetches the source
from this machine's own mirror and checks it, with lists of its own: the machine's stay as they
are.
"""

import fcntl
import glob
import os
import shutil
import subprocess
import sys
import tempfile

# ABI -> the suite of Debian that has the source, its name there, and words for configure.
KNOWN = {'3.13t': ('trixie', 'python3.13', ['--disable-gil'])}
KEYS = '/usr/share/keyrings/debian-archive-keyring.gpg'
NEEDED = ('apt-get', 'tar', 'xz', 'make', 'gcc')


class Unavailable(Exception):
    """There is none and none can be made; the text says why."""


def home() -> str:
    """Where they are kept: where everybody may enter, if that is ours to write."""
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


def apt(place, mirror, suite):
    """apt-get, with lists of its own in place."""
    for name in ('lists/partial', 'cache/archives/partial', 'sources'):
        os.makedirs(os.path.join(place, name), exist_ok=True)
    with open(os.path.join(place, 'sources', 'only.sources'), 'w', encoding='utf-8') as file:
        file.write(f'Types: deb-src\nURIs: {mirror}\nSuites: {suite}\nComponents: main\n'
                   f'Signed-By: {KEYS}\n')
    settings = {'Dir::State::lists': f'{place}/lists', 'Dir::Cache': f'{place}/cache',
                'Dir::Etc::SourceList': '/dev/null', 'Dir::Etc::SourceParts': f'{place}/sources',
                # The folder is ours alone.
                'APT::Sandbox::User': ''}
    return ['apt-get', '-q', *(word for key, value in settings.items()
                               for word in ('-o', f'{key}={value}'))]


def fetch(place, suite, source) -> str:
    """The folder of the unpacked source."""
    found = mirrors()
    if not found:
        raise Unavailable('this machine has no mirror of Debian, which has the source')
    command = apt(place, found[0], suite)
    run('reading the list of sources', [*command, 'update'])
    run('fetching the source', [*command, '--only-source', '--download-only', 'source', source],
        cwd=place)
    archive, = glob.glob(os.path.join(glob.escape(place), '*.orig.tar.xz'))
    run('unpacking', ['tar', '-xf', archive, '-C', place])
    top, = glob.glob(os.path.join(glob.escape(place), 'Python-*'))
    return top


def make(target, suite, source, words):
    """Build it, and have it at target at once or not at all."""
    # Where it ends, so that it gets there by a rename.
    with tempfile.TemporaryDirectory(prefix='making-', dir=os.path.dirname(target)) as place:
        top = fetch(place, suite, source)
        jobs = f'-j{len(os.sched_getaffinity(0))}'
        run('configuring', ['./configure', '-q', f'--prefix={target}', '--disable-test-modules',
                            '--without-ensurepip', *words], cwd=top)
        run('building', ['make', '-s', jobs], cwd=top)
        run('installing', ['make', '-s', jobs, 'install', f'DESTDIR={place}/installed'], cwd=top)
        os.rename(f'{place}/installed{target}', target)


def interpreter(abi: str) -> str:
    """The path of its interpreter; made now, if it is not there."""
    target = os.path.join(home(), 'python' + abi)
    program = os.path.join(target, 'bin', 'python' + abi)
    if os.path.exists(program):
        return program
    lacking = [name for name in NEEDED if shutil.which(name) is None]
    if lacking:
        raise Unavailable('these are missing: ' + ', '.join(lacking))
    os.makedirs(home(), exist_ok=True)
    # Who comes second waits, and finds it.  What lies there half made is of somebody who was
    # interrupted.
    with open(os.path.join(home(), '.lock'), 'w', encoding='utf-8') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(program):
            for left in glob.glob(os.path.join(glob.escape(home()), 'making-*')):
                shutil.rmtree(left)
            print(f'making {target}: seven minutes of one CPU, once', file=sys.stderr, flush=True)
            make(target, *KNOWN[abi])
    return program


def main():
    asked = sys.argv[1:] or list(KNOWN)
    for abi in asked:
        if abi not in KNOWN:
            print(f'more_pythons: {abi} is none of {", ".join(KNOWN)}', file=sys.stderr)
            return 2
        try:
            print(interpreter(abi), flush=True)
        except Unavailable as error:
            print(f'more_pythons: Python {abi}: {error}', file=sys.stderr)
            return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
