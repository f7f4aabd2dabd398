"""What requests cost in instructions of wsgid's own code, counted by valgrind's callgrind.

A child counts while it is in a function of COUNTED or what that calls, and writes its file
when it ends.  Instructions of functions whose source is not in this tree (Python's, the C
library's) are not counted: they change with the machine.
"""

import pathlib
import re

import server as servers

COUNTED = ('request_serve', 'engine_turn')
FILE_NAMES = ('fl', 'fi', 'fe')  # of a function, of what is inlined in it, of itself again
CALLED = {'cfn': 'fn', 'cfi': 'fl', 'cfl': 'fl', 'cob': 'ob'}


def launcher(directory: pathlib.Path) -> list:
    return ['valgrind', '-q', '--tool=callgrind', '--trace-children=yes', '--vgdb=no',
            '--collect-atstart=no',
            *(f'--toggle-collect={name}' for name in COUNTED),
            f'--callgrind-out-file={directory}/callgrind.%p']


def is_ours(source: str) -> bool:
    path = servers.ROOT / source
    return path.is_relative_to(servers.ROOT / 'src') and path.exists()


def own_instructions(text: str) -> dict:
    """By function: its own instructions, without those of what it calls."""
    names = {}  # what "(7)" stands for, by its kind: "(7) name" has said it once
    function = ''
    counts = ours = is_call = False
    costs = {}
    for line in text.splitlines():
        field = re.match(r'(\w+)=(\(\d+\))(?: (.*))?$', line)
        if field:
            kind, number, name = field.groups()
            space = 'fl' if kind in FILE_NAMES else CALLED.get(kind, kind)
            if name is not None:
                names[space, number] = name
            if kind in FILE_NAMES:
                ours = is_ours(names[space, number])
            elif kind == 'fn':
                function = names[space, number]
        elif line.startswith('calls='):
            is_call = True  # the cost in the next line is that of the called
        elif re.match(r'[+\-*\d]', line):
            counts = ours and not is_call
            is_call = False
            if counts:
                costs[function] = costs.get(function, 0) + int(line.split()[1])
    return costs
