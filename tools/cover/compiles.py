"""Compiles: which commands are some, and what of a command line counts for the analysis."""
import os
import re
import shlex
from collections import namedtuple

from cover.common import TOKEN_FLAGS

# extended: the command itself has the sanitizer's extended form, so its shims are somewhere.
Compile = namedtuple('Compile', 'directory flags source environment extended')

COMPILER = re.compile(r'(?P<target>\w+(-\w+)+-)?(?P<name>cc|c89|c99|gcc|g\+\+|c\+\+|clang|clang\+\+)(-\d+(\.\d+)*)?')
LAUNCHERS = {'ccache', 'distcc', 'icecc', 'sccache'}
SOURCE = re.compile(r'.*\.(c|cc|cp|cxx|cpp|CPP|c\+\+|C)')
NO_COMPILE = {'-E', '-M', '-MM', '-fsyntax-only', '-###', '--version'}
# Left out of the analysis: outputs, warnings, linking, instrumentation, optimisation. gcc's own flags go when clang refuses them.
DROP = re.compile(r'-(c|S|pipe|s|r|shared|static|rdynamic|pie|no-pie|nostdlib|nostartfiles|pedantic|ansi-alias|p|pg|w|v)'
                  r'|-(M[DMPG]|static-|O|g|W|l|L|B|R|save-temps|pedantic-|dump).*|-M[FTQJ].+|-o.+|--coverage'
                  r'|-f(no-)?(sanitize|alloc-token|lto|fat-lto|use-linker|whole-program|profile|auto-profile|coverage|test-coverage'
                  r'|file-prefix|debug-prefix|macro-prefix|plugin|dump|save-opt|diagnostics|color|use-ld|stack-usage|pic|PIC'
                  r'|pie|PIE|inline|always-inline|discard).*|-specs=.*'
                  r'|.*\.(o|lo|a|la|so|obj)|.*\.so(\.\d+)+')
DROP_PAIR = {'-o', '-MF', '-MT', '-MQ', '-MJ', '-T', '-z', '-L', '-l', '-u', '-Xlinker', '-Xassembler', '-dumpbase', '-dumpdir',
             '-aux-info'}
KEEP_PAIR = {'-I', '-D', '-U', '-include', '-imacros', '-isystem', '-idirafter', '-iquote', '-iprefix', '-iwithprefix', '-isysroot',
             '--sysroot', '-x', '-Xclang', '-target', '-arch', '--param', '-Xpreprocessor', '-mllvm'}
# What a configure script tries out is no part of the program.
PROBE = re.compile(r'(.*/)?conftest\.\w+|.*CMakeC(XX)?CompilerId\..*|.*/(CMakeTmp|CMakeScratch|meson-private)/.*')
ENVIRONMENT = ('CPATH', 'C_INCLUDE_PATH', 'CPLUS_INCLUDE_PATH')


def expand(words, directory):
    """The words of a command, with those of its response files (@file)."""
    for word in words:
        if word[:1] == '@':
            try:
                with open(os.path.join(directory, word[1:])) as f:
                    yield from expand(shlex.split(f.read()), directory)
                continue
            except (OSError, ValueError):
                pass
        yield word


def compiles_of(words, directory, environment=()):
    """The Compiles that a compiler's command line asks for, one for each source file."""
    words = list(expand(words, directory))
    while words and (os.path.basename(words[0]) in LAUNCHERS or '=' in words[0]):
        words = words[1:]
    match = words and COMPILER.fullmatch(os.path.basename(words[0]))
    if not match or NO_COMPILE & set(words):
        return []
    flags, sources = [], []
    if match['name'].endswith('++'):
        flags.append('--driver-mode=g++')
    if match['target']:
        flags.append('--target=' + match['target'][:-1])
    rest = iter(words[1:])
    for word in rest:
        if word in DROP_PAIR:
            next(rest, None)
        elif word in KEEP_PAIR:
            flags += [word, next(rest, '')]
        elif word.startswith('-Wp,-D') or word.startswith('-Wp,-U'):
            flags += word[4:].split(',')
        elif word.startswith('-') and word != '-':
            if not DROP.fullmatch(word):
                flags.append(word)
        elif SOURCE.fullmatch(word) or ('-x' in flags and word != '-' and not DROP.fullmatch(word)):
            sources.append(word)
    return [Compile(directory, tuple(flags), source, tuple(environment), TOKEN_FLAGS[1] in words) for source in sources
            if not PROBE.fullmatch(os.path.join(directory, source))]
