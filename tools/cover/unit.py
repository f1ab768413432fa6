"""One compile, done again by clang into LLVM IR and read: a Unit."""
import os
import re
import subprocess
from collections import namedtuple

from cover.common import ALLOCATORS, GENERIC, HEADER_CALL, LIBRARY, PREFIX, TOKEN_FLAGS, VOID_TOKENS
from cover.debug import Debug
from cover.values import Body, call_parts, CALLEE, DEBUG_PLACE, signature_of

# state: typed, void (cast to void *), none (no token), plain (not rewritten), passed (the token is a parameter).
# pointers, integers: by argument, where the pointers come from, and what the integers are made of.
Call = namedtuple('Call', 'callee state type place pointers integers indirect')
Function = namedtuple('Function', 'key name place linkage prototype problem void_pointer generic returns calls leaks passes '
                      'out_integers attributes signature')
Unit = namedtuple('Unit', 'functions shims address_taken marked')


def token_state(operand, body):
    """What a token's operand, after inlining at -O0 perhaps a variable, says."""
    forms = body.forms(operand)
    values = {c & (1 << 64) - 1 for a, f, c in forms if f == 0}
    if not forms or len(values) != len(forms):
        return 'passed'
    return 'none' if 0 in values else 'void' if values & VOID_TOKENS else 'typed'


def read_call(raw, line, number, body, debug, wanted):
    (result, callee, arguments), state, kind = raw, 'plain', ''
    name = callee[1:]
    if name.startswith(PREFIX) and callee[0] == '@':
        name, state = name[len(PREFIX):], token_state(arguments.pop().split()[-1], body)
        match = re.search(r'!alloc_token !(\d+)', line)
        kind = re.search(r'"([^"]*)"', debug.text(int(match[1])))[1] if match else ''
    elif HEADER_CALL.fullmatch(name) and arguments:
        state, token = token_state(arguments[-1].split()[-1], body), HEADER_CALL.fullmatch(name)[1]
        name = token if token in ALLOCATORS or token in LIBRARY else name  # by the name in C
    where = DEBUG_PLACE.search(line)
    pointers = {i: body.origins(a.split()[-1]) for i, a in enumerate(arguments) if a.startswith('ptr')} if wanted else {}
    integers = {i: body.forms(a.split()[-1]) for i, a in enumerate(arguments) if re.match(r'i\d', a)} if wanted else {}
    return Call(name if callee[0] == '@' else '', state, kind, debug.place(int(where[1])) if where else None, pointers, integers,
                signature_of(result, arguments) if callee[0] == '%' else '')


def read_function(first, lines, debug, groups):
    result, name, arguments = call_parts(first)
    subprogram_node = int(DEBUG_PLACE.search(first)[1])
    subprogram = debug.text(subprogram_node)
    words = first.partition('@')[0].split()
    linkage = 'static' if 'internal' in words else 'inline' if 'linkonce_odr' in words or 'linkonce' in words else 'external'
    place = debug.file(subprogram), debug.number(subprogram, 'line'), 0
    types = debug.types(debug.text(debug.ref(subprogram, 'type')))
    target = debug.target(types[0])
    parameters = [debug.names.get((subprogram_node, i)) or 'a%d' % i for i in range(1, len(types))]
    body = Body(arguments, lines)

    prototype, problem = None, ''
    generic = result == 'ptr' and target is not None and (not target or debug.string(target, 'name') in GENERIC)
    if generic:
        structs = set()
        try:
            if debug.string(subprogram, 'linkageName') and debug.string(subprogram, 'linkageName').startswith('_Z'):
                raise ValueError('C++ linkage')
            if len(types) > 1 and types[-1] is None:
                raise ValueError('variable arguments')
            if len(types) == 1:
                raise ValueError('takes no argument')
            names = [p + '_' if p in ('unix', 'linux', 'new', 'class', 'this', 'template', 'delete') else p for p in parameters]
            params = [debug.declare(t, p, structs) for t, p in zip(types[1:], names)]
            prototype = debug.declare(types[0], '', structs), params, names, sorted(structs)
            if len(types) - 1 != len(arguments):
                raise ValueError('an argument that is not passed as one word')
        except ValueError as e:
            prototype, problem = None, str(e)

    origins = set().union(*(body.origins(v) for v in body.results)) if result == 'ptr' else set()
    wanted = body.closure(origins)
    calls = [read_call(raw, line, n, body, debug, n in wanted) for n, (raw, line) in enumerate(body.raw_calls)]
    leaks, passes, out_integers = set(), set(), False
    for _, kind, value, to in body.stores:
        if kind == 'ptr' and to not in body.slots:
            leaks |= {o[:2] for o in body.origins(value) if o[0] in ('call', 'arg')}
        elif re.match(r'i(16|32|64)', kind) and to not in body.slots and any(f is None for _, f, _ in body.forms(value)):
            # The caller may learn of a larger size than it asked for.
            for origin, n, offset in body.origins(to):
                pointee = debug.target(types[n + 1]) if origin == 'arg' and n + 1 < len(types) else None
                out_integers |= bool(pointee) and debug.tag(pointee) in ('!DIBasicType', 'typedef') and offset == 0
    for (_, callee, arguments_), _ in body.raw_calls:
        if not callee.startswith('@llvm.'):
            for i, a in enumerate(arguments_):
                if a.startswith('ptr'):
                    to = callee[1:] if callee[0] == '@' else ''
                    passes |= {(kind, n, to, i) for kind, n, _ in body.origins(a.split()[-1]) if kind in ('call', 'arg')}
    group = re.search(r'\) .*?#(\d+)', first)
    sizes = groups.get(group[1] if group else '', ())
    attributes = '__alloc_size__(%s)' % ', '.join(str(i + 1) for i in sizes) if sizes else '__malloc__' if 'noalias' in words else ''
    key = name[1:] + '@' + place[0] if linkage == 'static' else name[1:]
    return Function(key, debug.string(subprogram, 'name'), place, linkage, prototype, problem, generic and not target, generic, origins,
                    calls, leaks, passes, out_integers, attributes, signature_of(result, arguments))


def read_ir(path, compile):
    """The Unit of an IR file."""
    with open(path, errors='replace') as f:
        lines = f.read().split('\n')
    debug = Debug((l for l in lines if l[:1] == '!'), compile.directory)
    groups = {m[1]: tuple(int(n) for n in m[2].split(',')) for m in
              (re.match(r'attributes #(\d+) = .*?\ballocsize\(([\d,]+)\)', l) for l in lines if l.startswith('attributes')) if m}
    functions, shims, marked, taken, defined = [], set(), set(), set(), {}
    rest = iter(lines)
    for line in rest:
        if line.startswith('define '):
            body = []
            for inner in rest:
                if inner == '}':
                    break
                inner = inner.strip()
                if inner.startswith(('to label', 'catch', 'cleanup', 'filter')) and body:
                    body[-1] += ' ' + inner
                elif inner and inner[0] not in ';#':
                    body.append(inner)
            name = call_parts(line)[1][1:]
            if name.startswith(PREFIX):
                shims.add(name[len(PREFIX):])
            elif DEBUG_PLACE.search(line) and ' available_externally ' not in line:
                function = read_function(line, body, debug, groups)
                if os.path.basename(function.place[0]) != 'typed_malloc.h':
                    functions.append(function)
                    defined[name] = function.key
            for inner in body:
                names = re.findall(r'@([-\w.$]+)(?!\()', inner) if '@' in inner else ()
                called = CALLEE.search(inner)
                taken |= {n for n in names if not called or '@' + n != called[1]}
        elif line.startswith('declare '):
            group = re.search(r'#(\d+)$', line)
            if group and group[1] in groups:
                marked.add(call_parts(line)[1][1:])
        elif line.startswith('@'):
            taken.update(re.findall(r'@([-\w.$]+)', line.partition('=')[2]))
    # A static function is named with its file from here on.
    local = {n: k for n, k in defined.items() if n != k}
    functions = [f._replace(calls=[c._replace(callee=local.get(c.callee, c.callee)) for c in f.calls],
                            passes={(k, n, local.get(c, c), i) for k, n, c, i in f.passes}) for f in functions]
    if compile.extended:
        shims |= {c.callee for f in functions for c in f.calls if c.state == 'typed'}
    return Unit(functions, shims, {local.get(n, n) for n in taken}, marked - set(defined))


refused = set()  # flags that clang does not know; each worker learns them for itself


def analyse(compile, clang, work, extra=(), read=True):
    """Compile once more for analysis: (Unit or None, what clang said if it failed)."""
    ir = os.path.join(work, '%d.ll' % os.getpid())
    while True:
        command = [clang, *(f for f in compile.flags if f not in refused), '-O0', '-g', '-gcolumn-info', '-w', '-Wno-everything',
                   '-fno-lto', '-fno-caret-diagnostics', '-ferror-limit=0', *TOKEN_FLAGS, *extra,
                   *(['-S', '-emit-llvm', '-o', ir] if read else ['-fsyntax-only']), compile.source]
        try:
            done = subprocess.run(command, cwd=compile.directory, env={**os.environ, **dict(compile.environment), 'LC_ALL': 'C'},
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors='replace')
        except OSError as e:
            return None, str(e)
        bad = set(re.findall(r"error: (?:unknown argument:?|unsupported option|invalid value .* in) '([^']+)'", done.stderr)) & set(command)
        bad |= {f for f in compile.flags for name in re.findall(r"unsupported argument '.*' to option '([^']+)'", done.stderr)
                if f.startswith(name)}
        if done.returncode == 0:
            return (read_ir(ir, compile) if read else None), ''
        if not bad - refused:
            return None, done.stderr
        refused.update(bad)
