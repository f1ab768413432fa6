"""The loop: batches out of the corpus to the servers, what they show back into it, and findings."""
import random
import time

from . import target as t
from .judge import Judge
from .report import Finding
from .state import name_of
from .target import Server
from .tokens import Types

# The heap at its strictest at a price that a batch can pay.
BATCH_OPTIONS = 'sample=0:sweep=1:quarantine=64:report=stderr:stats=0'
VALGRIND = ['valgrind', '--tool=memcheck', '-q', '--error-limit=no', '--num-callers=24', '--leak-check=full',
            '--show-leak-kinds=definite', '--errors-for-leak-kinds=definite', '--keep-stacktraces=alloc-and-free']
BASES = 16          # corpus entries in a batch
SMALL_BATCH = 64    # the first ones; a target may be slow
BATCH_SECONDS = 0.5
MAX_BATCH = {False: 4096, True: 256}
FIXED_BATCH = {False: 1024, True: 32}  # with a number of runs: the same ones on a fast and on a slow machine
MAX_WORDS = 1000
LOOK = 8            # new inputs that run between guards in one process


class Engine:
    def __init__(self, options, state, screen):
        self.options, self.state, self.screen = options, state, screen
        self.random = random.Random(options.seed)
        self.seen = t.Seen()
        self.corpus, self.weights, self.have = [], [], set()
        self.words = options.words
        self.types_ = None
        self.valgrind = options.mode == 'valgrind'
        self.servers = [self.server(self.valgrind) for _ in range(options.jobs)]
        self.explainer = None
        self.judge = Judge(self)
        self.size = FIXED_BATCH[self.valgrind] if options.runs else SMALL_BATCH
        self.began, self.before = time.monotonic(), state.seconds
        self.first_runs = state.runs
        self.last_new = self.began
        self.strange = 0

    @property
    def types(self):
        if not self.types_:
            self.types_ = Types(self.options.target[0])
        return self.types_

    batch_options = BATCH_OPTIONS

    def server(self, valgrind, heap=BATCH_OPTIONS, fork=False):
        extra = ':' + self.options.heap if self.options.heap else ''
        command = VALGRIND + ['--child-silent-after-fork=' + ('no' if fork else 'yes')] + self.options.valgrind_options
        return Server(self.options, self.seen, command if valgrind else None, None if valgrind else heap + extra)

    def elapsed(self):
        return time.monotonic() - self.began

    def over(self):
        o = self.options
        return (o.runs and self.state.runs - self.first_runs >= o.runs) or (o.seconds and self.elapsed() >= o.seconds) or (
            o.stop and self.state.findings)

    # ---- corpus ----

    def add(self, data, features):
        name = name_of(data)
        if name in self.have:
            return
        self.have.add(name)
        self.corpus.append(data)
        # Small and rich ones are taken more often, and so are late ones.
        self.weights.append((1 + min(features, 64)) * (1 + len(self.corpus) / 32) / (1 + len(data) / 256))
        self.state.keep(data)
        self.last_new = time.monotonic()

    def load(self, seeds):
        """Run what there is: seeds, and the corpus of an earlier run."""
        inputs = seeds + self.state.corpus() or [b'', b'0']
        server, limit = self.servers[0], t.AREA // 2
        while inputs:
            part, size = [], 0
            while inputs and len(part) < 256 and size < limit:
                data = inputs.pop(0)[:self.options.max_len]
                part.append(data)
                size += len(data) + self.options.max_len // 64 + 32
            self.given(server, part)

    def given(self, server, part):
        while part:
            server.send(t.GIVEN, part, flags=self.flags() | t.KEEP_ALL | t.SWEEP)
            result = server.collect()
            self.account(server, result)
            for r in result.records:
                if r.features or not self.corpus:
                    self.add(r.data, r.features)
            self.look([r.data for r in result.records if r.features])
            bad = result.how != 'done'
            if bad or result.stopped == t.ERROR:
                number = min(result.number, len(part) - 1)
                self.found(server, result, part[:number], part[number])
            if not result.done and not bad:
                return
            part = part[result.done + (1 if bad else 0):]

    def flags(self):
        return t.STRICT | (t.LEAKS if self.options.leaks else 0)

    # ---- batches ----

    def send(self, server):
        if not self.corpus:  # each seed is a finding
            self.add(b'0', 0)
        n = min(BASES, len(self.corpus))
        bases, size = [], 0
        for data in self.random.choices(self.corpus, self.weights, k=n):
            size += len(data) + 4
            if bases and size > t.AREA // 2:
                break
            bases.append(data)
        count = self.size
        if self.options.runs:
            count = max(1, min(count, self.options.runs - (self.state.runs - self.first_runs)))
        self.state.last_seed += 1
        server.bases, server.words_given, server.first, server.count = bases, list(self.words), 0, count
        server.seed = self.random.getrandbits(63)
        self.resend(server)

    def resend(self, server):
        server.sent = time.monotonic()
        server.send(t.MUTATE, server.bases, server.words_given, seed=server.seed, first=server.first, count=server.count, flags=self.flags())

    def account(self, server, result):
        self.state.runs += result.done
        if server.valgrind:
            self.state.valgrind_runs += result.done
        self.state.seconds = self.before + self.elapsed()
        for word in server.words():
            if word not in self.words and len(self.words) < MAX_WORDS:
                self.words.append(word)

    def finish(self, server, answer):
        """One batch's end. True: there is more of it to do."""
        result = server.collect(answer)
        taken = time.monotonic() - server.sent
        self.account(server, result)
        if self.options.runs:
            pass
        elif result.done >= self.size and taken < BATCH_SECONDS / 2:
            self.size = min(self.size * 2, MAX_BATCH[self.valgrind])
        elif taken > BATCH_SECONDS * 2:
            self.size = max(self.size // 2, 16)
        new = [r for r in result.records if r.flags & t.NEW]
        for r in new:
            self.add(r.data, r.features)
        self.look([r.data for r in new])
        if result.how == 'done' and result.stopped in (0, t.OUT_FULL):
            server.first += result.done
            return result.stopped == t.OUT_FULL and result.done > 0
        self.found(server, result, None, result.current)
        server.first += result.done + (result.how != 'done')
        return server.first < server.count

    # ---- what was found ----

    def look(self, inputs):
        if not self.valgrind:
            for at in range(0, len(inputs), LOOK):
                self.judge.look(inputs[at:at + LOOK])

    def found(self, server, result, history, data):
        self.state.runs += result.how != 'done'
        if server.valgrind:
            self.judge.valgrind(server, result, data)
        else:
            self.judge.heap(server, result, history, data)

    def valgrind_pass(self):
        """Mode both: each input that showed something new runs under valgrind once, for what the heap cannot see."""
        todo = [d for d in self.corpus if name_of(d) not in self.state.explained][:8]
        if not todo:
            return
        if not self.explainer:
            self.explainer = self.server(True)
        for data in todo:
            self.state.explained.add(name_of(data))
        part = todo
        while part:
            result = self.explainer.run(t.GIVEN, part, flags=t.KEEP_ALL | (t.LEAKS if self.options.leaks else 0))
            self.state.valgrind_runs += result.done
            bad = result.how != 'done'
            if bad or result.stopped == t.ERROR:
                self.judge.valgrind(self.explainer, result, part[min(result.number, len(part) - 1)])
            if not result.done and not bad:
                break
            part = part[result.done + (1 if bad else 0):]

    # ---- the run ----

    def run(self, seeds):
        had = self.state.load(self.make_finding)
        self.before, self.first_runs = self.state.seconds, self.state.runs
        # A run that goes on does not try the same again.
        self.random.seed('%d %d' % (self.options.seed, self.state.last_seed))
        try:
            self.load(seeds)
            if had:
                self.seen.load(self.state.seen)
            self.loop()
        finally:
            self.state.seconds = self.before + self.elapsed()
            for server in self.servers + [s for s in (self.explainer,) if s]:
                server.stop()
            self.judge.stop()
            self.state.save(self.seen.map[:])

    def loop(self):
        saved = time.monotonic()
        while not self.over() or any(s.busy for s in self.servers):
            for server in self.servers:
                if not server.busy and not self.over():
                    self.send(server)
            for server in self.servers:
                answer = server.poll(0.02 if len(self.servers) > 1 else 0.1) if server.busy else None
                if answer and self.finish(server, answer) and not self.over():
                    self.resend(server)
                if answer and self.options.mode == 'both':
                    self.valgrind_pass()
            self.screen.show(self)
            if time.monotonic() - saved > 10:
                self.state.save(self.seen.map[:])
                saved = time.monotonic()
        while self.options.mode == 'both' and not self.options.seconds and any(
                name_of(d) not in self.state.explained for d in self.corpus):
            self.valgrind_pass()

    @staticmethod
    def make_finding(entry):
        finding = Finding(entry['detector'], entry['kind'], entry['type'], [tuple(f) for f in entry['frames']], entry['text'],
                          tuple(entry['key']), tuple(entry['cause']))
        finding.count, finding.first_run, finding.seconds = entry['count'], entry['run'], entry['seconds']
        finding.minimised, finding.explained = entry['minimised'], entry['explained']
        finding.keys = {tuple(key): title for key, title in entry['keys']}
        return finding

    def minimise_corpus(self, seeds):
        """Smallest first, each input that adds a feature stays; the others go."""
        inputs = sorted(set(seeds + self.state.corpus()), key=lambda d: (len(d), d))
        self.state.load(self.make_finding)
        server = self.servers[0]
        try:
            while inputs:
                part, inputs = inputs[:64], inputs[64:]
                while part:
                    result = server.run(t.GIVEN, part, flags=t.KEEP_ALL)
                    for r in result.records:
                        if r.features:
                            self.add(r.data, r.features)
                    if not result.done and result.how == 'done':
                        break
                    part = part[result.done + (result.how != 'done'):]
        finally:
            server.stop()
            for data in self.state.corpus():
                if name_of(data) not in self.have:
                    self.state.forget(data)
            self.state.save(self.seen.map[:])
