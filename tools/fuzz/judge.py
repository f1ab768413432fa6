"""Which bug is it? An error of the heap shows itself in many ways, often later and elsewhere than where it is made. So what was seen
is an appearance, its input is run once more in ways that tell the first error, and that is the cause. One cause, one finding."""
from . import target as t
from .minimise import Limit, minimise, without_parts
from .report import LATE, Finding, from_exact, from_heap, from_valgrind, leak

# The heap at its strictest, for one input.
ALONE_OPTIONS = 'sample=0:sweep=1:quarantine=1024:report=stderr:stats=0'
SAMPLED_OPTIONS = 'sample=1:sweep=1:report=stderr:stats=0'
HISTORY = 4096  # inputs of a batch that are tried as the cause of a later one
LOOKS = 16      # appearances of a finding that are looked at, after the first; then each power of two
AGAIN = 16      # times that an input runs in one process, to see how else it shows


class Judge:
    def __init__(self, engine):
        self.engine, self.options, self.state = engine, engine.options, engine.state
        self.alone = self.precise_server = None
        self.known = {}  # per valgrind server: unique numbers of the errors that were read

    def stop(self):
        for server in (self.alone, self.precise_server):
            if server:
                server.stop()

    @property
    def types(self):
        return self.engine.types

    # ---- ways to run an input ----

    def try_alone(self, inputs, options=ALONE_OPTIONS, flags=0):
        """What the library says of these inputs in a process of their own, or None."""
        if not self.alone or self.alone.heap_options.split(':')[:3] != options.split(':')[:3]:
            if self.alone:
                self.alone.stop()
            self.alone = self.engine.server(False, options)
        flags = flags or t.SWEEP | t.STRICT | (t.LEAKS | t.KEEP_ALL if self.options.leaks else 0)
        result = self.alone.run(t.GIVEN, inputs, flags=flags)
        if flags & t.EXACT:
            return from_exact(result.log, self.types) if result.how != 'done' else None
        if result.how == 'done' and result.stopped == t.ERROR:
            return leak(result, self.types, self.options.target[0])
        return from_heap(result, self.types) if result.how != 'done' else None

    def exact(self, inputs, aligned=False):
        """The first error of these inputs, each object between guards."""
        return self.try_alone(inputs, flags=t.EXACT | (t.ALIGNED if aligned else 0))

    def look(self, inputs):
        """Inputs that showed something new, once between guards: this finds reads, and writes to where nothing is."""
        if not self.exact(inputs, True):
            return
        for data in inputs:
            raw = self.exact([data], True)
            if raw and raw.key in self.state.index:
                self.state.index[raw.key].count += 1
            elif raw:
                self.settle([], data, raw)

    def precise(self, inputs, leaks):
        """All errors of these inputs under valgrind, the first one first, in a process that has told none yet."""
        if not self.precise_server:
            self.precise_server = self.engine.server(True, fork=True)
        result = self.precise_server.run(t.GIVEN, inputs, flags=t.KEEP_ALL | t.FORK | (t.LEAKS if leaks else 0))
        return [f for f in from_valgrind(result.errors, set(), self.types) if leaks or not f.kind.startswith('Leak_')]

    # ---- what was seen ----

    def heap(self, server, result, history, data):
        """A batch that did not end well. history: the inputs before this one; None: they can be made again."""
        if result.stopped == t.ERROR and result.how == 'done':
            raw = leak(result, self.types, self.options.target[0])
        else:
            raw = from_heap(result, self.types)
        have = self.state.index.get(raw.key)
        if have:
            have.count += 1
            if raw.kind not in LATE or not (have.count < LOOKS or have.count & have.count - 1 == 0):
                return
            cause = self.exact([data])
            if not cause or self.state.owner(cause):
                return
        self.settle(*(([], data, raw) if raw.kind == 'leak' else self.pin_down(raw, server, history, data, result)))

    def pin_down(self, raw, server, history, data, result):
        """The input that ran is not always the one that did it: it may have been one before it in the same process."""
        if raw.kind in ('timeout', 'too much memory'):
            return [], data, raw
        alone = self.try_alone([data]) or self.try_alone([data], SAMPLED_OPTIONS)
        if alone:
            return [], data, alone
        if history is None:
            history = self.make_again(server, result)
        for earlier in reversed(history):
            alone = self.try_alone([earlier])
            if alone:
                return [], earlier, alone
        return list(history), data, raw

    def make_again(self, server, result):
        """The inputs of this batch before the current one: the same seed gives the same."""
        numbers = range(max(server.first, result.number - HISTORY), result.number)
        maker = self.engine.server(False)
        inputs = []
        try:
            if numbers:
                maker.send(t.MUTATE, server.bases, server.words_given, seed=server.seed, first=numbers[0], count=result.number,
                           flags=t.KEEP_ALL)
                inputs = [r.data for r in maker.collect().records]
        finally:
            maker.stop()
        return inputs

    def valgrind(self, server, result, data):
        if result.how == 'timeout':
            self.settle([], data, Finding('valgrind', 'timeout', None, [], result.log, ('valgrind', 'timeout')))
        known = self.known.setdefault(id(server), set())
        for raw in from_valgrind(result.errors, known, self.types):
            if raw.key in self.state.index:
                self.state.index[raw.key].count += 1
            elif self.options.leaks or not raw.kind.startswith('Leak_'):
                self.settle_valgrind(raw, data)
        if result.how == 'gone' or not server.process:
            self.known[id(server)] = set()

    # ---- what it is ----

    def settle(self, history, data, raw):
        plain = raw.kind in ('timeout', 'too much memory', 'leak')
        cause = None if plain else self.exact(history + [data])
        finding = cause or raw
        have = self.state.owner(finding) or (None if cause else self.state.index.get(raw.key))
        if have:
            self.state.note(have, raw)
            return
        if cause:
            cause.text += '\n' + raw.text
        self.enter(finding, history, data)
        self.state.note(finding, raw)
        self.engine.screen.found(finding)
        try:
            if self.options.minimise and raw.kind not in ('timeout', 'too much memory'):
                self.minimise(finding, raw, bool(cause))
            if not plain:
                self.appearances(finding, bool(cause))
            if self.options.mode == 'both' and self.is_there(finding):
                self.explain(finding, bool(cause))
        finally:
            if self.is_there(finding):
                self.state.write_finding(finding)

    def settle_valgrind(self, raw, data):
        leaks = raw.kind.startswith('Leak_')
        errors = self.precise([data], leaks)
        finding = errors[0] if errors else raw
        have = self.state.owner(finding)
        if have:
            for other in [raw] + errors:
                self.state.note(have, other)
            return
        self.enter(finding, [], data)
        self.state.note(finding, raw)
        self.engine.screen.found(finding)

        def same(candidate):
            again = self.precise([candidate], leaks)
            return bool(again) and again[0].cause == finding.cause

        try:
            if not errors:
                finding.text += '\nnot found again in a process of its own\n'
            elif self.options.minimise:
                finding.data = minimise(data, same, self.options.tries // 4)
                finding.minimised = True
                errors = self.precise([finding.data], leaks) or errors
                finding.text, finding.frames = '\n'.join(e.text for e in errors), errors[0].frames
            for other in errors[1:]:
                self.state.note(finding, other)
        finally:
            self.state.write_finding(finding)

    def enter(self, finding, history, data):
        finding.history, finding.data = history, data
        finding.first_run, finding.seconds = self.state.runs, self.state.seconds
        self.state.enter(finding)

    def is_there(self, finding):
        return self.state.findings.get(finding.cause) is finding

    def merge(self, finding, other):
        """The finding was another one, which is older."""
        self.state.withdraw(finding)
        for key, title in finding.keys.items():
            self.state.note_key(other, key, title)

    def appearances(self, finding, sure):
        """In which other ways the library tells of the input; what is told of an older one is the same bug, if nothing says more."""
        for options in (ALONE_OPTIONS, self.engine.batch_options, SAMPLED_OPTIONS):
            for times in (1, AGAIN):
                raw = self.try_alone(finding.history + [finding.data] * times, options)
                other = raw and self.state.note(finding, raw)
                if other and other is not finding and not sure:
                    self.merge(finding, other)
                    return

    def minimise(self, finding, raw, sure):
        def same(data, history=None):
            inputs = (finding.history if history is None else history) + [data]
            again = self.exact(inputs) if sure else self.try_alone(inputs)
            return bool(again) and (again.cause == finding.cause if sure else again.key == raw.key)

        if not same(finding.data):
            finding.text += '\nnot found again in a process of its own\n'
            return
        if finding.history:
            finding.history = without_parts(finding.history, lambda h: same(finding.data, h), Limit(400))
        finding.data = minimise(finding.data, same, self.options.tries)
        inputs = finding.history + [finding.data]
        told = [f for f in ([self.exact(inputs)] if sure else []) + [self.try_alone(inputs)] if f]
        if told:
            finding.text, finding.frames, finding.minimised = '\n'.join(f.text for f in told), told[0].frames, True

    def explain(self, finding, sure):
        """What valgrind says of it: its first error is the cause, if nothing has told that before."""
        errors = self.precise(finding.history + [finding.data], self.options.leaks)
        finding.explained = '\n'.join(e.text for e in errors) or 'no error\n'
        if errors and not sure:
            other = self.state.owner(errors[0])
            if other and other is not finding:
                self.merge(finding, other)
                return
            self.state.rename(finding, errors[0].cause)
        for e in errors:
            self.state.note(finding, e)
