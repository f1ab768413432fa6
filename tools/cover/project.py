"""The project: sites and wrappers."""
import os
import re
from collections import defaultdict

from cover.common import ALLOCATORS, HARMLESS, HEADER_CACHE, HEADER_CALL, LIBRARY, REALLOCS
from cover.values import combine


class Site:
    """A place that allocates. It has a type if each of its compiles gave it one."""

    def __init__(self, function, callee):
        self.function, self.callee, self.types, self.reason = function, callee, set(), ''


class Project:
    """All units together. `wrapped' are the functions to whose callers a shim gives types; count() says which others matter."""

    def __init__(self, units, wrapped):
        self.wrapped, self.wrappers, self.sized = wrapped, set(), {}
        self.functions, self.defined, self.places = {}, defaultdict(list), defaultdict(set)
        self.address_taken = set().union(*(u.address_taken for u in units))
        for function in (f for u in units for f in u.functions):
            if (function.key, function.place) not in self.functions:
                self.functions[function.key, function.place] = function
                self.defined[function.key].append(function)
            for call in function.calls:
                self.places[call.callee].add(call.place)
        self.marked = {n for n in set().union(*(u.marked for u in units))
                       if n not in self.defined and not self.allocates(n) and not n.startswith('typed_')}
        self.all = list(self.functions.values())
        self.find_wrappers()

    def count(self, visible, gained=(), after=None):
        """Find the sites. Calls of `visible' wrappers are sites, and what these do inside is none; `after' has the effect of
        wrapping those in `gained'."""
        self.visible, self.gained, self.after = visible, gained, after
        self.find_handed_on()
        self.find_sites()

    def allocates(self, callee):
        return (callee in ALLOCATORS or callee.startswith(('_Znw', '_Zna'))) and callee not in self.wrapped

    def name(self, callee):
        """What a user calls it."""
        if callee in self.defined:
            return self.defined[callee][0].name
        return 'operator new' if callee.startswith(('_Znw', '_Zna')) else callee or 'a function pointer'

    def gives_untyped(self, call):
        """Whether a call's result is an allocation that has no type of its own."""
        if call.state in ('typed', 'passed'):
            return False
        if call.indirect:
            return call.indirect in self.indirect
        return self.allocates(call.callee) or call.callee in self.wrappers

    def targets(self, call):
        """The functions that a call may reach; through a pointer, the allocators of the same form whose address is taken."""
        return self.indirect[call.indirect] if call.indirect else {call.callee}

    def leaves(self, function, origins, seen=None):
        """The origins, past functions that return what they were given."""
        seen = set() if seen is None else seen
        for kind, number, offset in set(origins) - seen:
            seen.add((kind, number, offset))
            call = function.calls[number] if kind == 'call' else None
            given = self.defined.get(call.callee) if call else None
            passed = {n for k, n, _ in given[0].returns if k == 'arg'} if given else set()
            if passed and all(k in ('arg', 'null') for k, _, _ in given[0].returns):
                for n in passed:
                    yield from self.leaves(function, call.pointers.get(n, ()), seen)
            else:
                yield kind, number, offset

    def returned(self, function):
        """The calls whose results a function returns and that gave no type."""
        found = (function.calls[n] for k, n, _ in self.leaves(function, function.returns) if k == 'call')
        return [c for c in found if self.gives_untyped(c)]

    def size_arguments(self, calls):
        """The parameters that are in the size of what these calls allocate."""
        return {argument for call in calls for target in self.targets(call)
                for i in self.sized.get(target, ALLOCATORS.get(target, (0,) if self.allocates(target) else ()))
                for arguments, _, _ in call.integers.get(i, ()) for argument in arguments}

    def find_wrappers(self):
        """To the fixed point: a function that returns an untyped allocation, or a wrapper's result, as a void pointer, or as a
        character pointer with a size from a parameter (others make strings)."""
        self.indirect = defaultdict(set)
        for name, form in (('malloc', 'ptr(i64)'), ('calloc', 'ptr(i64,i64)'), ('realloc', 'ptr(ptr,i64)')):
            if name in self.address_taken:
                self.indirect[form].add(name)
        candidates = [f for f in self.all if f.generic and f.returns and not self.allocates(f.key)]
        grown = True
        while grown:
            grown = False
            for function in candidates:
                calls = () if function.key in self.wrappers else self.returned(function)
                sized = self.size_arguments(calls)
                if calls and (function.void_pointer or sized):
                    grown = True
                    self.wrappers.add(function.key)
                    self.sized[function.key] = sized
                    if sized and function.key in self.address_taken:
                        self.indirect[function.signature].add(function.key)

    def find_handed_on(self):
        """Calls inside wrappers, to which their callers' types belong: (function's key, place)."""
        self.handed_on, callers = set(), defaultdict(list)
        for function in self.all:
            for call in function.calls:
                callers[call.callee].append((function.key, call.place))
        covered, grown = {k for k in self.visible if k in self.defined}, True
        while grown:
            grown = False
            for function in self.all:
                if function.key in covered:
                    calls = self.returned(function)
                    new = {(function.key, c.place) for c in calls} - self.handed_on
                    self.handed_on |= new
                    grown |= bool(new)
                elif function.key in self.wrappers and function.key not in self.address_taken and callers[function.key] and \
                        all(c in self.handed_on for c in callers[function.key]):
                    covered.add(function.key)
                    grown = True

    def find_sites(self):
        self.sites, self.inside, entered = {}, set(), set()
        for function in self.all:
            for call in function.calls:
                callee, state = call.callee, call.state
                ours = self.allocates(callee) or callee in LIBRARY and state != 'plain' or callee in self.visible
                cache = HEADER_CACHE.fullmatch(callee)
                if not (ours or cache or HEADER_CALL.fullmatch(callee) or callee in self.marked) or state == 'passed' or not call.place:
                    continue
                if (function.key, call.place) in self.handed_on and state != 'typed':
                    self.inside.add(call.place)
                    continue
                site = self.sites.setdefault((call.place, callee), Site(function.name, self.name(callee)))
                given = callee not in self.visible or callee in self.wrapped
                if state == 'typed' and given and (ours or HEADER_CALL.fullmatch(callee)) or cache:
                    site.types.add(call.type)
                    if not ours:
                        site.reason = ''  # a macro may hold calls for a case of failure, too
                    if callee == 'typed_wrap_enter':
                        entered.add(call.place)
                elif not site.reason and (ours or not site.types):
                    site.reason = self.reason(function, call)
        for key in [k for k, s in self.sites.items() if k[0] in entered and s.reason]:
            del self.sites[key]  # the call that the token is for

    def reason(self, function, call):
        if call.callee in self.marked:
            return 'marked as an allocator by a header, but nothing here hands the type to it'
        if call.callee == 'posix_memalign':
            return 'posix_memalign never gets one'
        if call.state == 'void':
            return 'cast to void *'
        if call.callee in self.visible - self.wrapped:
            after = self.after and self.after.sites.get((call.place, call.callee))
            name = self.name(call.callee)
            if call.callee not in self.gained:
                return '%s is a wrapper that cannot be wrapped' % name
            gets = after and not after.reason
            return '%s is a wrapper%s' % (name, '; wrapped, it gets one' if gets else ', and no sizeof and no cast here')
        if call.state == 'plain' and self.allocates(call.callee):
            return 'not rewritten: -fno-builtin or no_sanitize'
        if call in self.returned(function):
            if function.key in self.wrappers:
                return '%s: %s looks like a wrapper' % ('size is a parameter' if self.size_arguments([call]) else 'returned as it is',
                                                        function.name)
            return 'no sizeof in the arguments, and no cast before it is returned'
        if call.callee.startswith('_Zn'):
            return 'called as a function, no sizeof and no cast'
        return 'no sizeof in the arguments and no cast'

    def totals(self):
        typed = sum(not s.reason for s in self.sites.values())
        sites = len(self.sites)
        return {'sites': sites, 'typed': typed, 'untyped': sites - typed, 'inside_wrappers': len(self.inside),
                'share': round(100 * typed / sites, 2) if sites else 100.0}

    # What a wrapper's declaration may say.

    def sizes(self, function, seen=()):
        """The arguments whose product is the size, exactly; None if there are none such."""
        found = set()
        for kind, number, offset in self.leaves(function, function.returns):
            if kind != 'call':
                continue
            call = function.calls[number]
            positions = {self.size_positions(t, seen + (function.key,)) for t in self.targets(call) - set(seen)}
            positions = positions.pop() if len(positions) == 1 else None
            if not positions or offset is None:
                return None
            product = {((), 0, 1)}
            for i in positions:
                forms = call.integers.get(i) or {((), None, None)}
                product = combine('mul', product, {f for f in forms if f[0] or f[1] is None} or forms)
            for arguments, factor, addend in product:
                if factor != 1 or addend > offset or len(set(arguments)) != len(arguments):
                    return None
                found.add(arguments)
        return found.pop() if len(found) == 1 else None

    def size_positions(self, callee, seen):
        """The arguments of an allocator or a wrapper whose product is the size."""
        if callee in ALLOCATORS and callee not in self.defined:
            return ALLOCATORS[callee]
        if callee not in self.wrappers or callee in seen:
            return (0,) if callee.startswith('_Zn') else None
        marked = re.findall(r'\d+', self.defined[callee][0].attributes)
        return tuple(int(n) - 1 for n in marked) or self.sizes(self.defined[callee][0], seen)

    def keeps(self, key, kind, number, seen=()):
        """Whether a function may keep a copy of its argument (kind arg), or of what it got from a call."""
        if key not in self.defined or key in seen:
            return key not in HARMLESS and key not in seen
        return any((kind, number) in f.leaks or any(self.keeps(callee, 'arg', i, seen + (key,)) for k, n, callee, i in f.passes
                                                    if (k, n) == (kind, number)) for f in self.defined[key])

    def is_fresh(self, function, seen=()):
        """Whether the result is new memory that nothing else points to."""
        for kind, number, _ in self.leaves(function, function.returns):
            if kind == 'null':
                continue
            if kind != 'call' or self.keeps(function.key, kind, number):
                return False
            call = function.calls[number]
            if call.callee in REALLOCS:
                if {k for k, _, _ in call.pointers.get(0, ())} != {'null'}:
                    return False
            elif not self.allocates(call.callee):
                if call.callee not in self.wrappers or function.key in seen or \
                        not self.is_fresh(self.defined[call.callee][0], seen + (function.key,)):
                    return False
        return True

    def declaration(self, function):
        """(attributes, '') for a wrapper, or (None, why it cannot be in the header)."""
        if function.linkage != 'external':
            return None, function.linkage
        if len({str(f.prototype) for f in self.defined[function.key]}) > 1:
            files = sorted({os.path.basename(f.place[0]) for f in self.defined[function.key]})
            return None, 'defined with different prototypes (%s)' % ', '.join(files)
        if not function.prototype:
            return None, function.problem or 'its prototype is not known'
        if function.attributes:
            return function.attributes, ''
        sizes = self.sizes(function)
        if sizes and not function.out_integers:
            return '__alloc_size__(%s)' % ', '.join(str(i + 1) for i in sizes), ''
        if self.is_fresh(function):
            return '__malloc__', ''
        return None, 'its size is no argument as it is, and its memory may not be new'
