"""What kind of file an ELF file is, and which one.

Plain Python without SCons.  src/pythons/elf.c reads the same, at run time.
"""

import os
import struct

MACHINES = {3: 'i386', 8: 'MIPS', 20: 'PowerPC', 21: 'PowerPC64', 22: 's390', 40: 'ARM',
            62: 'x86-64', 183: 'AArch64', 243: 'RISC-V', 258: 'LoongArch'}

SHT_NOTE = 7
NT_GNU_BUILD_ID = 3


def header_of(path):
    """The first bytes of a file or, where it is an archive, of its first member that is ELF."""
    with open(path, 'rb') as file:
        data = file.read(20)
        if data[:8] != b'!<arch>\n':
            return data
        file.seek(8)
        while len(entry := file.read(60)) == 60:
            size = int(entry[48:58])
            data = file.read(min(20, size))
            if data[:4] == b'\x7fELF':
                return data
            file.seek(size - len(data) + size % 2, os.SEEK_CUR)
    return b''


def kind(path):
    """(32 or 64, machine), or None for what is no ELF file."""
    try:
        data = header_of(path)
    except OSError:
        return None
    if len(data) < 20 or data[:4] != b'\x7fELF':
        return None
    order = '<' if data[5] == 1 else '>'
    return 32 * data[4], struct.unpack_from(order + 'H', data, 18)[0]


def words(found):
    """A kind as people say it: "32-bit i386"."""
    bits, machine = found
    return f'{bits}-bit {MACHINES.get(machine, f"machine {machine}")}'


def build_id(path):
    """The linker's own name for a file of this machine's kind, in hexadecimal, or None."""
    with open(path, 'rb') as file:
        data = file.read()
    if data[:5] != b'\x7fELF\x02' or data[5] != 1:
        return None
    (at,) = struct.unpack_from('<Q', data, 40)
    size, number = struct.unpack_from('<HH', data, 58)
    for i in range(number):
        _, type_, _, _, offset, length = struct.unpack_from('<IIQQQQ', data, at + i * size)
        end = offset + length
        while type_ == SHT_NOTE and offset + 12 <= end:
            name_size, size_, note = struct.unpack_from('<III', data, offset)
            begin = offset + 12 + (name_size + 3) // 4 * 4
            if note == NT_GNU_BUILD_ID and data[offset + 12:offset + 16] == b'GNU\0':
                return data[begin:begin + size_].hex()
            offset = begin + (size_ + 3) // 4 * 4
    return None


def identity(path):
    """One word that another build of the same file has not: its build-id, or where the linker
    has left none, its size and the second of its last change."""
    found = build_id(path)
    if found:
        return 'build-id:' + found
    about = os.stat(path)
    return f'size:{about.st_size}:{int(about.st_mtime)}'
