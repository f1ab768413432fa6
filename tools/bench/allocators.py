"""The allocators: where they are, and whether they can be preloaded."""
import glob
import os
import re
import subprocess

MACHINE = os.uname().machine
# The C library itself is preloaded too: some programs are linked with an allocator, which would win otherwise.
LIBRARIES = ('/usr/lib/%s-linux-gnu*' % MACHINE, '/lib/%s-linux-gnu*' % MACHINE, '/usr/lib64', '/lib64')
KNOWN = {
    'glibc': ('libc.so.6',),
    'jemalloc': ('libjemalloc.so.2',),
    'mimalloc': ('libmimalloc.so.2*', 'libmimalloc.so.3*', 'libmimalloc.so'),
    'tcmalloc': ('libtcmalloc_minimal.so.4',),
    'scudo': ('/usr/lib/llvm-*/lib/clang/*/lib/*/libclang_rt.scudo_standalone-%s.so' % MACHINE,
              '/usr/lib/llvm-*/lib/clang/*/lib/%s-*/libclang_rt.scudo_standalone.so' % MACHINE),
    'typed': ('libtyped_malloc.so',),
}
PACKAGES = {'jemalloc': 'libjemalloc2', 'mimalloc': 'libmimalloc2.0', 'tcmalloc': 'libtcmalloc-minimal4',
            'scudo': 'libclang-rt-22-dev'}
VARIABLE = re.compile(r',(?=[A-Za-z_]\w*=)')


class Allocator:
    def __init__(self, name, path, env):
        self.name, self.path, self.env = name, os.path.realpath(path), env

    def describe(self):
        return {'path': self.path, 'env': self.env}


def version(path):
    """For the newest of several: the numbers in a path."""
    return [int(n) for n in re.findall(r'\d+', path)]


def find(name, here):
    """The path of a known one, or None. Ours is looked for beside this program first."""
    near = ['%s/%s' % (here, d) for d in ('../lib/.libs', '../lib', '../lib/%s-linux-gnu' % MACHINE)] + ['/usr/local/lib']
    for pattern in KNOWN[name]:
        places = [''] if pattern[0] == '/' else (near if name == 'typed' else []) + list(LIBRARIES)
        for place in places:
            found = glob.glob(os.path.join(place, pattern))
            if found:
                return max(found, key=version)
    return None


def parse(words, here):
    """([Allocator], [what is left out and why]). A word: NAME[=PATH][,VARIABLE=VALUE]..."""
    chosen, missing = [], []
    for word in words or KNOWN:
        word, *settings = VARIABLE.split(word)
        name, sign, path = word.partition('=')
        if not re.fullmatch(r'[\w.+-]+', name):
            raise ValueError('--allocator: "%s" is no name' % name)
        if name in [a.name for a in chosen]:
            raise ValueError('--allocator: two are named %s' % name)
        if sign and not os.path.isfile(path):
            raise ValueError('--allocator: %s: no such file' % path)
        if not sign:
            if name not in KNOWN:
                raise ValueError('--allocator: %s is not known: give %s=PATH.so' % (name, name))
            path = find(name, here)
        if not path:
            package = PACKAGES.get(name)
            missing.append('%s is not installed%s' % (name, ' (Debian: %s)' % package if package else ''))
            continue
        if re.search(r'[\s:]', os.path.realpath(path)):
            raise ValueError('--allocator: %s: ld.so takes a blank or colon for an end' % path)
        chosen.append(Allocator(name, path, dict(s.split('=', 1) for s in settings)))
    return chosen, missing


def clean_env():
    return {k: v for k, v in os.environ.items() if k not in ('LD_PRELOAD', 'LD_LIBRARY_PATH')}


def probe(program, allocator):
    """None if the library is mapped into a process that has it preloaded, else why not."""
    try:
        got = subprocess.run([program, '--maps'], env={**clean_env(), **allocator.env, 'LD_PRELOAD': allocator.path},
                             capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        return 'a process with it preloaded does not end'
    if got.returncode:
        return 'a process with it preloaded ends with %d' % got.returncode
    if not any(line.endswith(allocator.path) for line in got.stdout.splitlines()):
        return 'is not loaded: ' + (got.stderr.strip().splitlines() or ['ld.so says nothing'])[-1]
    return None
