#!/usr/bin/python3
"""Check that the directives and what is written about them agree.

The list is what "wsgid -L" prints; the program is looked for in the build
folder that WSGID_BUILD names, else in the newest one below build, else it is
--wsgid PROGRAM.  Checked are:

- every directive has help, and its option and environment variable are its
  name in another spelling;
- the sample (etc/wsgid.conf) has every directive once, commented out, at its
  default, in the order of the list, with help above it; read with the
  comments taken off it is a configuration without a mistake;
- the manual (wsgid.conf.5) and the README name every directive they show by
  its right name; the manual names all of them, and is what tools/conf_manual.py
  makes of the list.

Prints each breach with file and line; the status is 1 when there is one.
"""

import argparse
import glob
import os
import re
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SAMPLE = 'etc/wsgid.conf'
MANUAL = 'src/wsgid/wsgid.conf.5'
SYNTAX = {'Include', 'IncludeOptional', 'Define', 'UnDefine', 'IfDefine'}
# Spelled as everybody spells it, and not as the rule would have it.
OWN_SPELLING = {'ChDir': '--chdir'}
NAME = r'[A-Z][A-Za-z]+'


class Directive:
    """One entry of the list."""

    def __init__(self, text):
        lines = text.split('\n')
        head = re.fullmatch(rf'({NAME})(?: \(also ({NAME})\))?', lines[0])
        if head is None or len(lines) != 5 or not all(x.startswith('    ') for x in lines[1:]):
            raise ValueError(f'wsgid -L: not understood: {lines[0]!r}')
        self.name, self.alias = head.groups()
        words = lines[1].strip().split(', ')
        self.option, _, self.metavar = words[-1].partition(' ')
        self.options = words[:-1] + [self.option]
        self.environments = lines[2].strip().split(', ')
        self.environment = self.environments[0]
        default, *self.facts = lines[3].strip().split('; ')
        self.default = re.fullmatch(r'default (.*)', default).group(1)
        self.help = lines[4].strip()


def find_program():
    """The wsgid that was built last, or None."""
    folder = os.environ.get('WSGID_BUILD')
    folders = [folder] if folder else glob.glob(os.path.join(glob.escape(TOP), 'build', '*'))
    found = []
    for top in folders:
        for where, _, names in os.walk(top):
            path = os.path.join(where, 'wsgid')
            if 'wsgid' in names and os.access(path, os.X_OK) and os.path.isfile(path):
                found.append(path)
    return max(found, key=os.path.getmtime, default=None)


def run(words):
    """The status and all the output of a program that needs no terminal."""
    around = {k: v for k, v in os.environ.items() if not k.startswith('WSGI')
              and k != 'WEB_CONCURRENCY'}
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env=around, timeout=60,
                          encoding='utf-8', errors='replace')
    return done.returncode, done.stdout


def read_list(program):
    status, text = run([program, '-L'])
    if status != 0:
        raise ValueError(f'{program} -L: status {status}: {text}')
    return [Directive(entry) for entry in text.strip('\n').split('\n\n')]


def derive_option(name):
    """WSGI is dropped, a run of capitals is one word."""
    name = OWN_SPELLING.get(name) or re.sub('^WSGI', '', name)
    if name.startswith('--'):
        return name
    words = re.findall(r'[A-Z]+(?![a-z])|[A-Z][a-z]*|[a-z]+', name)
    return '--' + '-'.join(words).lower()


def check_rows(directives):
    for row in directives:
        option = derive_option(row.name)
        environment = 'WSGID_' + option[2:].replace('-', '_').upper()
        if row.option != option:
            yield f'{row.name}: the option is {row.option}, not {option}'
        if row.alias and derive_option(row.alias) not in row.options:
            yield f'{row.name}: {derive_option(row.alias)} is missing, for {row.alias}'
        if row.environment != environment:
            yield f'{row.name}: the variable is {row.environment}, not {environment}'
        for other in row.options:
            variable = 'WSGID_' + other[2:].replace('-', '_').upper()
            if other.startswith('--') and variable not in row.environments:
                yield f'{row.name}: the variable {variable} is missing, for {other}'
        if len(row.help) < 20:
            yield f'{row.name}: there is no help'


def sample_lines(text):
    """Number, name and value of each directive that is commented out, and
    whether help stands above it."""
    above = ''
    for number, line in enumerate(text.split('\n'), 1):
        shown = re.fullmatch(rf'#({NAME}) (.+)', line)
        if shown:
            yield number, shown.group(1), shown.group(2), above.startswith('# ')
        elif line and not line.startswith('#'):
            yield number, line.split()[0], None, True
        above = line


def check_sample(directives, text):
    rows = {row.name: row for row in directives}
    seen = []
    for number, name, value, helped in sample_lines(text):
        place = f'{SAMPLE}:{number}: {name}'
        if value is None:
            yield f'{place}: it is not commented out'
        elif name not in rows:
            yield f'{place}: there is no such directive'
        elif name in seen:
            yield f'{place}: it is there twice'
        else:
            seen.append(name)
            if not helped:
                yield f'{place}: there is no help above it'
            if rows[name].default not in ('none', value):
                yield f'{place}: {value} is not the default, which is {rows[name].default}'
    missing = [name for name in rows if name not in seen]
    for name in missing:
        yield f'{SAMPLE}: {name} is missing'
    if not missing and seen != list(rows):
        yield f'{SAMPLE}: the order is not that of wsgid -L: {", ".join(rows)}'


def check_sample_is_read(program, text):
    """All of it, uncommented, is a configuration; a test of it may fail for
    want of the example's application, but by no line of the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'sample.conf')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(re.sub(rf'^#(?={NAME} )', '', text, flags=re.M))
        _, output = run([program, '-t', '-c', path])
    for line in output.split('\n'):
        found = re.search(r'sample\.conf:(\d+): (.*)', line)
        # The example's site is not here, nor need its logs; and Processes rules out what the
        # next lines say.
        if found and not re.search('ignored, because Processes|/srv/.*: No such file|'
                                   'there is no directory /var/log/wsgid:', line):
            yield f'{SAMPLE}:{found.group(1)}: {found.group(2)}'


def manual_names(text):
    """Number and name of each directive that a manual page describes, in
    mdoc (.It Ic NAME, .Ic NAME) or man (.B NAME behind .TP)."""
    for number, line in enumerate(text.split('\n'), 1):
        shown = re.match(rf'\.(?:It )?Ic ({NAME})\b', line) or \
            re.match(rf'\.(?:B|BI|BR) "?({NAME})\b', line)
        if shown:
            yield number, shown.group(1)


def check_manual(directives, text):
    known = {row.name for row in directives} | {row.alias for row in directives} | SYNTAX
    names = list(manual_names(text))
    for number, name in names:
        # A word in capitals is a signal, a section or the like.
        if name not in known and not name.isupper():
            yield f'{MANUAL}:{number}: {name}: there is no such directive'
    for row in directives:
        if row.name not in {name for _, name in names}:
            yield f'{MANUAL}: {row.name} is missing'


def check_manual_is_new(directives, text):
    import conf_manual
    if conf_manual.page(directives) != text:
        yield f'{MANUAL}: out of date; tools/conf_manual.py > {MANUAL} writes it anew'


def check_readme(directives, text):
    """The lines of fenced blocks that are marked as configuration."""
    known = {row.name for row in directives} | {row.alias for row in directives} | SYNTAX
    inside = False
    for number, line in enumerate(text.split('\n'), 1):
        if line.startswith('```'):
            inside = not inside and line.strip('` ').lower() in ('apache', 'apacheconf', 'conf')
        elif inside:
            shown = re.match(rf'\s*<?({NAME})\b', line)
            if shown and shown.group(1) not in known:
                yield f'README.md:{number}: {shown.group(1)}: there is no such directive'


def read(path):
    try:
        with open(os.path.join(TOP, path), encoding='utf-8') as file:
            return file.read()
    except FileNotFoundError:
        return None


def main():
    parser = argparse.ArgumentParser(description='Check directives against their documents.')
    parser.add_argument('--wsgid', metavar='PROGRAM', help='the program to ask for its list')
    program = parser.parse_args().wsgid or find_program()
    if program is None:
        print('check_directives: no wsgid is built; build it first, with "scons build"')
        return 2
    try:
        directives = read_list(program)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        print(f'check_directives: {error}')
        return 2

    wrong = list(check_rows(directives))
    sample, manual, readme = read(SAMPLE), read(MANUAL), read('README.md')
    if sample is None:
        wrong.append(f'{SAMPLE} is missing')
    else:
        wrong += check_sample(directives, sample)
        wrong += check_sample_is_read(program, sample)
    if manual is None:
        wrong.append(f'{MANUAL} is missing')
    else:
        wrong += check_manual(directives, manual)
        wrong += check_manual_is_new(directives, manual)
    if readme is not None:
        wrong += check_readme(directives, readme)
    for line in wrong:
        print(line)
    if not wrong:
        print(f'{len(directives)} directives: table, sample, manual and README agree')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
