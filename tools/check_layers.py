#!/usr/bin/python3
"""Check that every file includes only what its folder may see.

The rules are tools/scons/layers.py.  Prints each breach with file, line and
rule; the status is 1 when there is one.
"""

import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(TOP, 'tools', 'scons'))

import layers  # noqa: E402

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
PUBLIC = 'wsgid/scoreboard.h'
GENERATED = 'built_with.h'


def sources(top):
    """Every C file below src, include and tests, by its path from the top."""
    for root in ('src', 'include', 'tests'):
        for folder, folders, names in os.walk(os.path.join(top, root)):
            folders.sort()
            for name in sorted(names):
                if name.endswith(('.c', '.h')):
                    yield os.path.relpath(os.path.join(folder, name), top)


def home(path):
    """The folder of src that a file belongs to, and whether it is a test."""
    parts = path.split('/')
    if parts[0] == 'src' and len(parts) > 2:
        return parts[1], False
    if parts[:2] == ['tests', 'unit'] and len(parts) > 3:
        return parts[2], True
    return None, parts[0] == 'tests'


def check_outside(path, header):
    """A breach of the table of outside headers, or None."""
    for pattern, places in layers.OUTSIDE.items():
        if header != pattern and not (pattern.endswith('/') and header.startswith(pattern)):
            continue
        if not any(path == place or place.endswith('/') and path.startswith(place)
                   for place in places):
            return f'<{header}> is for {" and ".join(places)} alone'
    return None


def check_inside(path, header, top):
    """A breach of the table of folders, or None."""
    folder, test = home(path)
    if header == GENERATED:
        return None
    if header == PUBLIC:
        sees = folder is None or 'scoreboard' in (folder, *layers.FOLDERS.get(folder, ()))
        return None if sees else f'src/{folder} may not see the scoreboard'
    target = header.split('/')[0]
    if '/' not in header:
        beside = os.path.join(top, os.path.dirname(path), header)
        if test and os.path.exists(beside):
            return None
        return f'"{header}" needs its folder: "{folder}/{header}"'
    if target == 'support' and test:
        return None
    if target not in layers.FOLDERS:
        return f'"{header}" is in no folder of src'
    if not os.path.exists(os.path.join(top, 'src', header)):
        return f'src/{header} does not exist'
    if folder is None or folder == target:
        return None
    if header.endswith('_priv.h'):
        return f'{header} is private to src/{target}'
    if target not in layers.FOLDERS.get(folder, ()):
        sees = ', '.join(layers.FOLDERS.get(folder, ())) or 'nothing'
        return f'src/{folder} may not see src/{target} (it may see {sees})'
    door = layers.DOORS.get(target)
    if door is not None and header != f'{target}/{door}':
        return f'only {target}/{door} is for other folders'
    return None


def check_file(path, top):
    """The breaches in one file, as (line, text)."""
    with open(os.path.join(top, path), encoding='utf-8') as source:
        for number, line in enumerate(source, 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            kind, header = match.groups()
            breach = check_outside(path, header)
            if breach is None and kind == '"':
                breach = check_inside(path, header, top)
            if breach:
                yield number, breach


def check_table():
    """Breaches in the table itself: a folder that sees an unknown one, or
    one that stands below it."""
    seen = []
    for name, sees in layers.FOLDERS.items():
        for other in sees:
            if other not in seen:
                yield f'tools/scons/layers.py: {name} sees {other}, which is not above it'
        seen.append(name)


def check(top):
    """All breaches below a checkout, and how many files were read."""
    breaches = list(check_table())
    count = 0
    for folder in sorted(os.listdir(os.path.join(top, 'src'))):
        if os.path.isdir(os.path.join(top, 'src', folder)) and folder not in layers.FOLDERS:
            breaches.append(f'src/{folder}: this folder is not in tools/scons/layers.py')
    for path in sources(top):
        count += 1
        folder, test = home(path)
        if folder is None or folder in layers.FOLDERS:
            breaches += [f'{path}:{line}: {text}' for line, text in check_file(path, top)]
        elif test:
            breaches.append(f'{path}: there is no folder src/{folder}')
    return breaches, count


def main():
    breaches, count = check(TOP)
    for breach in breaches:
        print(breach, file=sys.stderr)
    print(f'layers: {count} files, {len(breaches)} breaches')
    return 1 if breaches else 0


if __name__ == '__main__':
    sys.exit(main())
