"""What was found, out of what the library, the driver and valgrind say."""
import os
import re
import signal
import subprocess
import xml.etree.ElementTree as ElementTree
from functools import lru_cache

# typed_malloc(7), DIAGNOSTICS.
LINE = re.compile(r'typed_malloc: \S+?\[\d+\] (?:(?P<function>\w[\w\[\] ]*)\(\): )?(?P<sentence>.+?)(?: (?:at |of |for |in )?)'
                  r'(?P<address>0x[0-9a-f]+)(?: \((?P<what>.*)\))?')
EXACT = re.compile(r'typed_fuzz: exact: (?P<late>late )?(?P<kind>[\w ]+) of an object, bytes (?P<bytes>0x\w+), type token (?P<token>0x\w+)')
FRAME = re.compile(r'typed_fuzz: frame (?P<module>.*)\+(?P<offset>0x[0-9a-f]+)')
TOKEN = re.compile(r'type token (0x[0-9a-f]+)')
# They are found at some later time, by somebody else: whose stack it is says nothing.
LATE = ('overflow', 'underflow', 'write after free')
CLASS = {'overflow': 'bounds', 'underflow': 'bounds'}
OURS = re.compile(r'(libtyped_malloc\w*\.so|vgpreload_|libc\.so|libc-|ld-linux|linux-vdso|libpthread|valgrind)')
DRIVER = {'tell', 'fz_frames_tell', 'fz_exact_fault', 'fz_exact_alloc', 'fz_exact_free', 'fz_exact_resize', 'end_with', 'on_misuse', 'on_signal', 'run_once', 'run_input', 'run_batch', 'run_file', 'batch_in_child', 'serve', 'main',
          'leaves_objects', 'fz_record_check', 'memcmp', 'bcmp', 'strcmp', 'strncmp', 'strcasecmp', 'strncasecmp', '_start',
          'compared', 'strings', 'bytes', 'in_input', 'add_word', 'length', 'malloc', 'calloc', 'realloc', 'reallocarray', 'free'}
ALLOCATORS = re.compile(r'(typed_\w+|__alloc_token_\w+|malloc|calloc|realloc|reallocarray|free\w*|memalign|aligned_alloc|posix_memalign'
                        r'|strn?dup|operator (new|delete).*|mem(cpy|move|set)|str\w*cpy|strlen|.*\(vg_replace_.*)')


@lru_cache(maxsize=4096)
def addr2line(module, offset):
    """[(function, place)], the innermost inlined function first."""
    try:
        out = subprocess.run(['addr2line', '-Cfie', module, hex(offset)], capture_output=True, text=True, timeout=20).stdout.split('\n')
    except (OSError, subprocess.TimeoutExpired):
        out = []
    frames = []
    for function, place in zip(out[::2], out[1::2]):
        file, _, line = place.partition(':')
        if function != '??':
            line = (line.split() or ['?'])[0]
            frames.append((function, '' if file == '??' else os.path.basename(file) + (':' + line if line.isdigit() else '')))
    return frames or [('%s+0x%x' % (os.path.basename(module), offset), '')]


def of_program(function, place):
    return not (function in DRIVER or ALLOCATORS.fullmatch(function) or place.startswith('fuzz_'))


def frames_of(log):
    """The driver's lines about the stack, from the program's own functions on."""
    frames = []
    for m in FRAME.finditer(log):
        if not OURS.search(os.path.basename(m['module'])):
            frames += [f for f in addr2line(m['module'], max(int(m['offset'], 16) - 1, 0)) if of_program(*f)]
    return frames


def distinct(frames, n):
    """The first n functions; recursion counts once."""
    out = []
    for function, _ in frames:
        if not out or out[-1] != function:
            out.append(function)
    return out[:n]


class Finding:
    """kind: double free, ..., SIGSEGV, timeout, or valgrind's kind. key: what makes two appearances one. cause: what makes two findings
    one: a class of error, the type, and the function to blame; the key, when no more is known."""

    def __init__(self, detector, kind, type_name, frames, text, key=None, cause=None):
        self.detector, self.kind, self.type, self.frames, self.text = detector, kind, type_name, frames, text
        self.key = key or (detector, kind, type_name) + tuple(distinct(frames, 3))
        self.cause = cause or self.key
        self.keys = {}  # of its appearances: their titles
        self.data, self.history, self.first_run, self.seconds, self.count = b'', [], 0, 0, 1
        self.minimised, self.explained = False, ''

    def title(self):
        where = self.frames[0] if self.frames else None
        text = self.kind + (' of ' + self.type if self.type else '')
        if where and (self.kind not in LATE or self.key[0] == 'exact'):
            text += ' in ' + where[0] + (' (%s)' % where[1] if where[1] else '')
        return text

    def others(self):
        return sorted(set(self.keys.values()) - {self.title()})


def struct_name(what, types):
    """The type in the parentheses of a sentence."""
    m = TOKEN.search(what)
    if m:
        return types.name(int(m[1], 16))
    m = re.match(r'type ((?:struct |union |enum )?[^,]+)', what) or re.match(r'(cache "[^"]*")', what)
    if m:
        return m[1]
    m = re.match(r'call site 0x[0-9a-f]+ (\S+?)(?:<|,|$)', what)
    return 'call site ' + m[1] if m else None


def from_heap(result, types):
    """A batch under the library that did not end well."""
    m, frames, log = None, frames_of(result.log), result.log
    for m in LINE.finditer(log):
        break
    if m:
        kind, what = m['sentence'], m['what'] or ''
        kind = re.sub(r'^wrong (size|alignment) \d+', r'wrong \1', kind)
        type_name = struct_name(what, types)
        key = ('heap', kind, type_name or '') + (() if kind in LATE else tuple(distinct(frames, 1)))
        return Finding('heap', kind, type_name, frames, log, key)
    if result.how == 'timeout':
        deep = [f for f, _ in frames]
        inner = deep[deep.index('LLVMFuzzerTestOneInput') - 1:][:1] if 'LLVMFuzzerTestOneInput' in deep[1:] else []
        return Finding('heap', 'timeout', None, frames, log, ('heap', 'timeout', *inner))
    if result.how == 'memory':
        return Finding('heap', 'too much memory', None, frames, log, ('heap', 'memory'))
    if result.how == 'signal':
        try:
            name = signal.Signals(result.status & 127).name
        except ValueError:
            name = 'signal %d' % (result.status & 127)
        return Finding('heap', name, None, frames, log)
    return Finding('heap', 'exit with %d' % (result.status >> 8 & 255), None, frames, log)


def from_exact(log, types):
    """What fuzz_exact.c says, or None."""
    m = EXACT.search(log)
    if not m:
        return None
    here, _, rest = log[m.end():].partition('typed_fuzz: made by')
    stacks = [frames_of(part) for part in (here, *rest.split('typed_fuzz: freed by')[:2])]
    frames, made, freed = (stacks + [[], []])[:3]
    kind, token = m['kind'], int(m['token'], 16)
    type_name = types.name(token) if token else 'an object of ' + made[0][0] if made else None
    blamed = made if m['late'] else freed if kind == 'use after free' else frames
    lines = ['%s of %s, %d bytes' % (kind, type_name, int(m['bytes'], 16))]
    for title, stack in (('', frames), ('made by', made), ('freed by', freed)):
        lines += ([title] if stack and title else []) + ['    %s %s' % f for f in stack]
    cause = (CLASS.get(kind, kind), type_name) + tuple(distinct(blamed, 1)) + (('late',) if m['late'] else ())
    return Finding('heap', kind, type_name, made if m['late'] else frames, '\n'.join(lines) + '\n',
                   ('exact', kind, type_name or '') + tuple(distinct(frames, 1)), cause)


def leak(result, types, path):
    """Objects that an input leaves behind each time."""
    token, site = result.leak['token'], result.leak['site']
    frames = addr2line(path, max(site - 1, 0))
    function, place = ([f for f in frames if of_program(*f)] or frames)[0]
    type_name = types.name(token) if token else None
    text = 'objects left behind at each run: %d bytes in %d objects of %s, allocated in %s (%s)\n' % (
        result.leak['bytes'], result.leak['count'], type_name or 'no type', function, place)
    return Finding('heap', 'leak', type_name, [(function, place)], text, ('heap', 'leak', type_name or '', function))


# ---- valgrind ----

def errors_in(text):
    """The error elements of an XML file that may not be complete yet."""
    for part in re.findall(r'<error>.*?</error>', text, re.S) + re.findall(r'<fatal_signal>.*?</fatal_signal>', text, re.S):
        try:
            yield ElementTree.fromstring(part)
        except ElementTree.ParseError:
            continue


def stack_of(element):
    frames = []
    for f in element.findall('frame'):
        get = lambda tag: f.findtext(tag) or ''
        frames.append(dict(ip=int(get('ip') or '0', 16), object=get('obj'), function=get('fn') or get('ip'),
                           place='%s:%s' % (get('file'), get('line')) if get('file') else ''))
    return frames


def own(frames):
    return [f for f in frames if not OURS.search(os.path.basename(f['object'])) and of_program(f['function'], f['place'])]


LOAD_BASE = 0x108000  # where valgrind puts a position independent executable


def cause_of(kind, type_name, top, stacks, what):
    """In the same terms as from_exact's; None if the kind is none of the library's."""
    where = tuple(distinct([(f['function'], '') for f in top], 1))
    text = '; '.join(what)
    if kind.startswith('Uninit'):
        return ('not initialised', type_name) + where
    if kind in ('InvalidRead', 'InvalidWrite'):
        if "free'd" in text or 'freed' in text:
            freed = own(stacks[1]) if len(stacks) > 1 else []
            return ('use after free', type_name) + tuple(distinct([(f['function'], '') for f in freed], 1))
        return ('bounds', type_name) + where
    if kind == 'InvalidFree' and "free'd" in text:
        return ('double free', type_name) + where
    return None


def from_valgrind(text, known, types):
    """The findings that are in the XML and not in `known' (their unique numbers), which is added to."""
    for e in errors_in(text):
        unique = e.findtext('unique') or ElementTree.tostring(e).decode()
        if unique in known:
            continue
        known.add(unique)
        kind = e.findtext('kind') or e.findtext('signame') or 'error'
        stacks = [stack_of(s) for s in e.iter('stack')]
        top = own(stacks[0]) if stacks else []
        what = [w.text or '' for w in e.iter() if w.tag in ('what', 'auxwhat', 'text')]
        type_name = None
        for line in what:
            m = re.search(r'\((?:of )?(?:type|of type) ([^,)]+)', line)
            if m or TOKEN.search(line):
                type_name = struct_name(line[line.index('type'):], types)
                break
        # The stack that tells who allocated: the last one, or a leak's own.
        for stack in reversed(stacks):
            if type_name or not any(ALLOCATORS.fullmatch(f['function']) for f in stack[:2]):
                continue
            for f in own(stack)[:1]:
                # The place is that of the call, so the address is one before the return.
                for at in (f['ip'] + 1, f['ip'] + 1 - LOAD_BASE) if f['ip'] < 0x4000000 else ():
                    type_name = type_name or types.at_call(f['object'], at)
        lines = ['%s: %s' % (kind, '; '.join(what))]
        for stack in stacks:
            lines += ['    %s %s' % (f['function'], f['place'] or f['object']) for f in stack] + ['']
        frames = [(f['function'], f['place']) for f in top]
        if kind.startswith('Leak_'):
            frames = [(f['function'], f['place']) for f in own(stacks[0])] if stacks else []
        yield Finding('valgrind', kind, type_name, frames, '\n'.join(lines),
                      ('valgrind', kind, type_name or '') + tuple(distinct(frames, 2)), cause_of(kind, type_name, top, stacks, what))
