"""What the user sees while it runs: a screen on a terminal, else a line now and then."""
import os
import shutil
import sys
import time

CLEAR, HOME, BOLD, RED, PLAIN, REST = '\033[2J', '\033[H', '\033[1m', '\033[31m', '\033[m', '\033[K'


def duration(seconds):
    h, rest = divmod(int(seconds), 3600)
    return '%d:%02d:%02d' % (h, rest // 60, rest % 60)


class Lines:
    """Not a terminal: a line for each finding, and one every some seconds."""
    every = 10

    def __init__(self, options, out):
        self.options, self.out, self.next = options, out, time.monotonic() + self.every
        self.last = (time.monotonic(), 0)
        self.speed = 0

    def rate(self, state):
        now = time.monotonic()
        at, runs = self.last
        if now - at >= 1:
            self.speed = (state.runs - runs) / (now - at)
            self.last = now, state.runs
        return self.speed

    def say(self, text):
        print(text, file=self.out, flush=True)

    def found(self, finding):
        if not self.options.quiet:
            self.say('found: ' + finding.title())

    def show(self, engine):
        speed = self.rate(engine.state)
        if self.options.quiet or time.monotonic() < self.next:
            return
        self.next = time.monotonic() + self.every
        s = engine.state
        self.say('%s  runs %d (%.0f/s)  corpus %d  features %d  findings %d' % (
            duration(s.seconds), s.runs, speed, len(engine.corpus), engine.seen.count(), len(s.findings)))

    def end(self):
        pass


class Screen(Lines):
    """The whole terminal, twice a second."""
    every = 0.5

    def __init__(self, options, out):
        super().__init__(options, out)
        out.write(CLEAR)

    def found(self, finding):
        self.next = 0

    def show(self, engine):
        speed = self.rate(engine.state)
        if time.monotonic() < self.next:
            return
        self.next = time.monotonic() + self.every
        width, height = shutil.get_terminal_size()
        s, o = engine.state, engine.options
        lines = [BOLD + 'typed-fuzz ' + PLAIN + ' '.join(o.target), '',
                 'mode      %-12s jobs %d' % (o.mode, o.jobs),
                 'time      %-12s last new input %s ago' % (duration(s.seconds), duration(time.monotonic() - engine.last_new)),
                 'runs      %-12d %.0f a second%s' % (s.runs, speed, ', %d under valgrind' % s.valgrind_runs if s.valgrind_runs else ''),
                 'corpus    %-12d %d features' % (len(engine.corpus), engine.seen.count()),
                 'findings  %-12d %s' % (len(s.findings), os.path.join(o.out, 'findings')), '']
        for f in list(s.findings.values())[-max(height - len(lines) - 1, 0):]:
            lines.append('%s%6d %s %s' % (RED, f.count, PLAIN, f.title()[:width - 9]))
        self.out.write(HOME + ''.join(line + REST + '\n' for line in lines[:height - 1]) + '\033[J')
        self.out.flush()

    def end(self):
        self.out.write('\n')


def make(options):
    plain = options.quiet or options.plain or not sys.stderr.isatty() or os.environ.get('TERM', 'dumb') == 'dumb'
    return (Lines if plain else Screen)(options, sys.stderr)
