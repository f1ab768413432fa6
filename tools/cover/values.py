"""One function's LLVM IR at -O0: its calls, and where its pointers and integers come from."""
import itertools
import re

from cover.common import PREFIX

CALLEE = re.compile(r'([@%](?:"[^"]*"|[-\w.$]+))\(')
ASSIGN = re.compile(r'(%[-\w.$"]+) = (?:(?:tail|musttail|notail) )?(\w+) ?(.*)')
DEBUG_PLACE = re.compile(r'!dbg !(\d+)')
LABEL = re.compile(r'([-\w.$]+|"[^"]*"):')
MAX_FORMS = 8


def split(text):
    """Split at the commas that are outside brackets and quotes."""
    parts, depth, start, quoted = [], 0, 0, False
    for i, c in enumerate(text):
        if c == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif c in '([{<':
            depth += 1
        elif c in ')]}>':
            depth -= 1
        elif c == ',' and not depth:
            parts.append(text[start:i].strip())
            start = i + 1
    last = text[start:].strip()
    return parts + [last] if last else parts


def call_parts(text):
    """(type of the result, callee, arguments as written) of a call or of a function's first line; None for inline assembly."""
    match = CALLEE.search(text)
    if not match or ' asm ' in text[:match.start() + 1]:
        return None
    depth, start = 0, match.end() - 1
    for end in range(start, len(text)):
        depth += (text[end] == '(') - (text[end] == ')')
        if not depth:
            break
    return text[:match.start()].split()[-1], match[1].replace('"', ''), split(text[start + 1:end])


def signature_of(result, arguments):
    return '%s(%s)' % (result, ','.join(a.split()[0] for a in arguments))


class Body:
    """One function's instructions, and where its values come from."""

    def __init__(self, arguments, lines):
        self.argument = {a.split()[-1]: i for i, a in enumerate(arguments)}
        self.pointer_argument = {a.split()[-1] for a in arguments if a.startswith('ptr')}
        self.defined, self.slots, self.stores, self.results, self.raw_calls, self.calls = {}, {}, [], [], [], {}
        self.exposed, self.origin_memo, self.form_memo, self.line_of, labels, jumps = set(), {}, {}, {}, {}, []
        for number, line in enumerate(lines):
            match = LABEL.match(line)
            if match:
                labels[match[1]] = number
                continue
            jumps += [(number, label) for label in re.findall(r'label %([-\w.$"]+)', line)]
            match = ASSIGN.match(line)
            name, op, rest = match.groups() if match else (None, *line.partition(' ')[::2])
            if op in ('tail', 'musttail', 'notail'):
                op, _, rest = rest.partition(' ')
            if name:
                self.defined[name] = op, rest.partition(', !dbg')[0]
                self.line_of[name] = number
            if op == 'alloca':
                self.slots[name] = []
            elif op == 'store':
                value, to = split(re.sub(r'^(atomic |volatile )+', '', rest))[:2]
                self.stores.append((number, value.split()[0], value.split()[-1], to.split()[-1]))
            elif op == 'ret' and rest.startswith('ptr'):
                self.results.append(rest.partition(',')[0].split()[-1])
            elif op in ('call', 'invoke'):
                parts = call_parts(rest)
                if parts:
                    self.calls[name] = len(self.raw_calls)
                    self.raw_calls.append((parts, line))
        self.loops = [(at, labels[label]) for at, label in jumps if labels.get(label, at + 1) <= at]
        for at, _, value, to in self.stores:
            if to in self.slots:
                self.slots[to].append((at, value))
            if value in self.slots:
                self.exposed.add(value)
        for number, ((_, callee, arguments), line) in enumerate(self.raw_calls):
            for i, argument in enumerate(arguments):
                value = argument.split()[-1]
                if callee in ('@' + PREFIX + 'posix_memalign', '@posix_memalign') and i == 0 and value in self.slots:
                    self.slots[value].append((0, ('call', number, 0)))
                elif value in self.slots and not callee.startswith('@llvm.'):
                    self.exposed.add(value)

    def loaded(self, name, slot):
        """What a load may find in a variable: the stores before it, and those after it that a loop brings back."""
        at = self.line_of[name]
        return [v for stored, v in self.slots[slot] if stored < at or any(to <= at and stored <= end for end, to in self.loops)]

    def origins(self, value):
        """Where a pointer comes from: a set of (call|arg|null|mem|stack, which, offset or None)."""
        if isinstance(value, tuple):
            return {value}
        if value not in self.origin_memo:
            self.origin_memo[value] = set()  # a cycle adds nothing
            self.origin_memo[value] = self.find_origins(value)
        return self.origin_memo[value]

    def find_origins(self, value):
        op, rest = self.defined.get(value, ('', ''))
        if value == 'null':
            return {('null', 0, 0)}
        if value in self.argument:
            return {('arg', self.argument[value], 0)} if value in self.pointer_argument else set()
        if value in self.calls and op in ('call', 'invoke'):
            return {('call', self.calls[value], 0)}
        if op == 'load':
            slot = split(rest)[1].split()[-1]
            if slot not in self.slots:
                return {('mem', 0, 0)}
            values = self.loaded(value, slot)
            foreign = slot in self.exposed and not any(isinstance(v, tuple) for v in values)
            return set().union({('mem', 0, 0)} if foreign else (), *(self.origins(v) for v in values))
        if op == 'getelementptr':
            kind, base, *indices = split(rest)
            numbers = [i.split()[-1] for i in indices]
            step = 0 if not any(n != '0' for n in numbers) else None
            if kind.split()[-1] == 'i8' and len(numbers) == 1 and re.fullmatch(r'-?\d+', numbers[0]):
                step = int(numbers[0])
            return {(k, n, None if step is None or o is None else o + step) for k, n, o in self.origins(base.split()[-1])}
        if op in ('select', 'phi'):
            values = re.findall(r'\[ ([^,]+), ', rest) if op == 'phi' else [p.split()[-1] for p in split(rest)[1:3]]
            return set().union(*(self.origins(v) for v in values))
        if op in ('bitcast', 'inttoptr', 'ptrtoint', 'addrspacecast', 'freeze'):
            return self.origins(rest.partition(' to ')[0].split()[-1])
        if op in ('add', 'sub', 'and', 'or'):
            found = set().union(*(self.origins(p.split()[-1]) for p in split(rest)))
            return {(k, n, None) for k, n, o in found if k in ('call', 'arg')}
        return {('stack' if op == 'alloca' else 'mem', 0, 0)}

    def forms(self, value):
        """What an integer may be: a set of (arguments, factor, addend), addend + factor * their product; None: unknown."""
        if re.fullmatch(r'-?\d+', value):
            return {((), 0, int(value))}
        if value in self.argument:
            return {((self.argument[value],), 1, 0)}
        if value not in self.form_memo:
            self.form_memo[value] = set()
            found = self.find_forms(value)
            self.form_memo[value] = found if len(found) <= MAX_FORMS else {(unknown(found), None, None)}
        return self.form_memo[value]

    def find_forms(self, value):
        op, rest = self.defined.get(value, ('', ''))
        if op == 'load':
            slot = split(rest)[1].split()[-1]
            known = slot in self.slots and slot not in self.exposed
            return set().union(*(self.forms(v) for v in self.loaded(value, slot))) if known else {((), None, None)}
        if op in ('zext', 'sext', 'trunc', 'freeze'):
            return self.forms(rest.partition(' to ')[0].split()[-1])
        if op in ('select', 'phi'):
            values = re.findall(r'\[ ([^,]+), ', rest) if op == 'phi' else [p.split()[-1] for p in split(rest)[1:3]]
            return set().union(*(self.forms(v) for v in values))
        if op == 'extractvalue' and (source := rest.split()[-2].rstrip(',')) in self.calls:
            _, callee, arguments = self.raw_calls[self.calls[source]][0]
            match = re.match(r'@llvm\.[us](mul|add)\.with\.overflow', callee)
            if match:
                return combine(match[1], *(self.forms(a.split()[-1]) for a in arguments))
        if op in ('add', 'sub', 'mul', 'shl', 'and', 'or', 'udiv', 'sdiv', 'urem', 'lshr'):
            left, right = (self.forms(p.split()[-1]) for p in split(rest)[:2])
            return combine(op, left, right)
        return {((), None, None)}

    def closure(self, origins):
        """The calls that these origins come from, through arguments of calls too."""
        found, todo = set(), [n for k, n, _ in origins if k == 'call']
        while todo:
            number = todo.pop()
            if number not in found:
                found.add(number)
                for argument in self.raw_calls[number][0][2]:
                    if argument.startswith('ptr'):
                        todo += [n for k, n, _ in self.origins(argument.split()[-1]) if k == 'call']
        return found


def unknown(forms):
    return tuple(sorted(set().union(*(f[0] for f in forms))))


def combine(op, left, right):
    """The forms of `left op right'."""
    result = set()
    for (a, f, c), (b, g, d) in itertools.product(left, right):
        form = (tuple(sorted(set(a + b))), None, None)
        if f is None or g is None:
            pass
        elif op in ('add', 'sub') and not b:
            form = (a, f, c + d if op == 'add' else c - d)
        elif op == 'add' and not a:
            form = (b, g, c + d)
        elif op == 'shl' and not b and 0 <= d < 64:
            form = (a, f << d, c << d)
        elif op == 'mul' and not (a and b):
            form = (a, f * d, c * d) if a else (b, g * c, d * c)
        elif op == 'mul' and not c and not d:
            form = (tuple(sorted(a + b)), f * g, 0)
        elif op == 'and' and not b and d < 0:  # (n + 15) & ~15: at least n
            form = (a, f, c - ~d if c >= ~d else c)
        result.add(form)
    return result
