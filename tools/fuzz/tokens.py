"""The names of types. A token is a hash of a type's name (clang's default mode, typed_token_of_name(3)), so each name in the target's
debug information is tried. Where a report has only the place that allocated, the token is an operand of the code before the call."""
import re
import struct
import zlib
from array import array
from functools import lru_cache

MASK = (1 << 64) - 1
HALF = MASK // 2
KEY = (0x794a1079ebc9d4b5, 0xd48187421b8bec6f)
BASIC = ['char', 'signed char', 'unsigned char', 'short', 'unsigned short', 'int', 'unsigned int', 'long', 'unsigned long', 'long long',
         'unsigned long long', 'float', 'double', 'long double', 'bool', '_Bool', 'void', 'wchar_t', 'char16_t', 'char32_t']
NAME = re.compile(rb'[A-Za-z_][\w:<>, *&()\[\]]{0,200}(?=\0)')
MANGLED = re.compile(rb'_ZN[KVRO]?((?:\d+[A-Za-z_]\w*)+)')


def siphash(data):
    """SipHash-2-4 (Aumasson, Bernstein 2012) with clang's key."""
    v0, v1 = KEY[0] ^ 0x736f6d6570736575, KEY[1] ^ 0x646f72616e646f6d
    v2, v3 = KEY[0] ^ 0x6c7967656e657261, KEY[1] ^ 0x7465646279746573

    def rounds(n, v0, v1, v2, v3):
        for _ in range(n):
            v0 = v0 + v1 & MASK
            v1 = (v1 << 13 | v1 >> 51) & MASK ^ v0
            v0 = (v0 << 32 | v0 >> 32) & MASK
            v2 = v2 + v3 & MASK
            v3 = (v3 << 16 | v3 >> 48) & MASK ^ v2
            v0 = v0 + v3 & MASK
            v3 = (v3 << 21 | v3 >> 43) & MASK ^ v0
            v2 = v2 + v1 & MASK
            v1 = (v1 << 17 | v1 >> 47) & MASK ^ v2
            v2 = (v2 << 32 | v2 >> 32) & MASK
        return v0, v1, v2, v3

    padded = data + b'\0' * (7 - len(data) % 8) + bytes([len(data) & 255])
    for (m,) in struct.iter_unpack('<Q', padded):
        v0, v1, v2, v3 = rounds(2, v0, v1, v2, v3 ^ m)
        v0 ^= m
    v0, v1, v2, v3 = rounds(4, v0, v1, v2 ^ 255, v3)
    return v0 ^ v1 ^ v2 ^ v3


class Elf:
    """As much of an ELF file as is needed: sections by name, and the code at an address."""

    def __init__(self, path):
        with open(path, 'rb') as f:
            self.data = f.read()
        d = self.data
        if d[:5] != b'\x7fELF\x02':
            raise ValueError('no 64-bit ELF file')
        self.machine, = struct.unpack_from('<H', d, 18)
        shoff, = struct.unpack_from('<Q', d, 40)
        size, count, names = struct.unpack_from('<HHH', d, 58)
        rows = [struct.unpack_from('<IIQQQQIIQQ', d, shoff + i * size) for i in range(count)]
        strings = rows[names][4] if rows else 0
        self.sections = {}
        for row in rows:
            end = d.index(b'\0', strings + row[0])
            self.sections[d[strings + row[0]:end].decode()] = row

    def section(self, name):
        row = self.sections.get(name)
        if not row or row[1] == 8:
            return b''
        data = self.data[row[4]:row[4] + row[5]]
        if row[2] & 0x800:  # SHF_COMPRESSED
            kind, = struct.unpack_from('<I', data)
            return zlib.decompress(data[24:]) if kind == 1 else b''
        return data

    def code_before(self, address, n):
        for row in self.sections.values():
            if row[2] & 4 and row[3] <= address <= row[3] + row[5]:
                at = row[4] + address - row[3]
                return self.data[max(row[4], at - n):at]
        return b''


@lru_cache(maxsize=None)
def elf(path):
    try:
        return Elf(path)
    except (OSError, ValueError, struct.error, zlib.error):
        return None


def referenced(e):
    """The strings of .debug_str that debug information points to. A linker lets one be the end of another, so each place counts that
    any four bytes could mean."""
    text = e.section('.debug_str')
    for section in (e.section('.debug_info'), e.section('.debug_str_offsets')):
        for shift in range(4):
            numbers = array('I')
            numbers.frombytes(section[shift:shift + (len(section) - shift) // 4 * 4])
            for at in set(numbers):
                m = NAME.match(text, at) if at < len(text) else None
                if m:
                    yield m.group()


def candidates(e):
    """Everything in the debug information that may be a type's name."""
    names = set(referenced(e))
    for section in ('.debug_info', '.debug_line_str'):
        names.update(NAME.findall(e.section(section)))
    for mangled in MANGLED.findall(b'\0'.join(names) + e.section('.strtab')):
        parts = []
        while True:
            m = re.match(rb'(\d+)', mangled)
            if not m:
                break
            n = int(m.group())
            parts.append(mangled[m.end():m.end() + n])
            names.add(b'::'.join(parts))
            mangled = mangled[m.end() + n:]
    return names


class Types:
    """Tokens to names, for the modules of a target."""

    def __init__(self, path):
        self.names = {}
        e = elf(path)
        names = {n.encode() for n in BASIC} | (candidates(e) if e else set())
        for name in names:
            for form in (name, name + b' *', name + b' **'):
                rest = siphash(form) % HALF
                self.names[rest] = self.names[rest + HALF] = form.decode(errors='replace')

    def name(self, token):
        return self.names.get(token, 'token 0x%x' % token)

    def at_call(self, path, address):
        """The type that the call which returns to `address' names: the operand nearest before it that is a token."""
        e = elf(path)
        if not e or e.machine != 62:  # x86-64: movabs
            return None
        code = e.code_before(address, 96)
        for i in range(len(code) - 13, -1, -1):
            if code[i] in (0x48, 0x49) and 0xb8 <= code[i + 1] <= 0xbf:
                token, = struct.unpack_from('<Q', code, i + 2)
                if token in self.names:
                    return self.names[token]
        return None
