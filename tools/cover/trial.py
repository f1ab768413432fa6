"""The trial that shows what wrapping gains, and the header that --wrap writes."""
import os
import re
import concurrent.futures
from collections import defaultdict

from cover.common import Failure, VERSION
from cover.unit import analyse


class Wrapper:
    def __init__(self, project, function):
        self.function, self.via = function, sorted({project.name(c.callee) for c in project.returned(function)})
        self.calls = len(project.places[function.key])
        self.typed_calls, self.wrapped = None, function.key in project.wrapped
        self.attributes, self.problem = project.declaration(function)

    def line(self, macro='TYPED_MALLOC_WRAPPER'):
        result, params, names, _ = self.function.prototype
        return '%s(%s, %s, (%s), (%s), %s)' % (macro, result, self.function.key, ', '.join(params), ', '.join(names),
                                               self.attributes)


def trial_header(path, wrappers):
    with open(path, 'w') as f:
        f.write('#ifndef __cplusplus\n#include <stddef.h>\n')
        f.write(''.join('%s;\n' % s for s in sorted(set().union(*(w.function.prototype[3] for w in wrappers)))))
        # A marker on the same line ties what clang says about it to the function.
        for w in wrappers:
            result, params, _, _ = w.function.prototype
            f.write('#line 1 "typed-cover:%s"\n%s %s(%s) __attribute__((%s));\n'
                    % (w.function.key, result, w.function.key, ', '.join(params), w.attributes))
        f.write('#endif\n')


def run_trial(tool, wrappers, strict):
    """Declare the wrappers in all units that call them (strict: in all): sets typed_calls and problem, returns the units then."""
    header = os.path.join(tool.work, 'trial.h')
    names = {w.function.key for w in wrappers}
    callers = {c for c, u in tool.units.items() if names & {k.callee for f in u.functions for k in f.calls}}
    todo = callers | (set(tool.units) if strict else set())
    units, live = dict(tool.units), {}
    for _ in range(6):
        live = {w.function.key: w for w in wrappers if not w.problem}
        if not todo or not live:
            break
        trial_header(header, live.values())
        jobs = {tool.pool.submit(analyse, c, tool.clang, tool.work, ('-include', header), c in callers): c for c in todo}
        todo = set()
        for n, job in enumerate(concurrent.futures.as_completed(jobs), 1):
            tool.progress('trying the wrappers: %d of %d units' % (n, len(jobs)))
            compile, (unit, errors) = jobs[job], job.result()
            if unit:
                new = {f.key for f in unit.functions} - {f.key for f in tool.units[compile].functions}
                for key in new & set(live):
                    live[key].problem = 'inline in a header'
                units[compile] = unit
            blamed = {k for k in re.findall(r'typed-cover:([\w.$]+):', errors) if k in live}
            for key in blamed:
                said = re.search(r'error: (.*)\n(?:.*\n)*?typed-cover:%s:' % re.escape(key), errors) or re.search('error: (.*)', errors)
                live[key].problem = live[key].problem or 'clang: %s (%s)' % (said[1], tool.short(compile.source))
            if blamed:
                todo.add(compile)
    for function in (f for u in units.values() for f in u.functions if f.key in live):
        own = {function.calls[n].type for k, n, _ in function.returns if k == 'call' and function.calls[n].state == 'typed'}
        if own:
            live[function.key].problem = 'its own allocation has the type %s' % ', '.join(own)
    places, typed = defaultdict(set), defaultdict(set)
    for call in (c for u in units.values() for f in u.functions for c in f.calls if c.callee in names):
        places[call.callee].add(call.place)
        if call.state == 'typed':
            typed[call.callee].add(call.place)
    for w in wrappers:
        w.typed_calls = len(typed[w.function.key])
        if not w.problem and (not w.typed_calls or not w.function.void_pointer and 2 * w.typed_calls < len(places[w.function.key])):
            w.problem = 'its callers name no type' if not w.typed_calls else 'most of its callers name no type'
    return list(units.values())


def write_header(path, wrappers, command):
    """The header for -include, in one step: a build may be reading the old one."""
    good = [w for w in wrappers if not w.problem]
    out = ['/*', ' * Allocation wrappers, written by typed-cover %s for: %s' % (VERSION, command.replace('*/', '* /')), ' *',
           ' * Use, in C: -include %s -fsanitize=alloc-token -fsanitize-alloc-token-extended' % os.path.basename(path), ' */',
           '#ifndef TYPED_MALLOC_WRAPPERS_H', '#define TYPED_MALLOC_WRAPPERS_H', '', '#ifndef __cplusplus', '#include <stddef.h>',
           '#include <typed_malloc.h>', '']
    structs = sorted(set().union(*(w.function.prototype[3] for w in good)))
    out += ['%s;' % s for s in structs] + [''] * bool(structs) + [w.line() for w in good]
    left_out = [w for w in wrappers if w.problem and w.calls]
    if left_out:
        out += ['', '/*', ' * Left out:', *(' * %s: %s' % (w.function.name, w.problem.replace('*/', '* /')) for w in left_out), ' */']
    out += ['', '#endif', '#endif']
    try:
        with open(path + '.new', 'w') as f:
            f.write('\n'.join(out) + '\n')
        os.replace(path + '.new', path)
    except OSError as e:
        raise Failure('%s: %s' % (path, e.strerror))
