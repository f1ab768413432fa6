"""Rounds of all jobs under all allocators, in turn, so that what the machine does meanwhile meets all of them."""
import collections
import json
import os
import platform
import random
import sys
import time

from . import measure


class Progress:
    """A line that changes on a terminal, else a line for each round."""

    def __init__(self, total, quiet):
        self.total, self.done, self.begin = total, 0, time.monotonic()
        self.terminal = sys.stderr.isatty() and os.environ.get('TERM', 'dumb') != 'dumb' and not quiet
        self.quiet = quiet

    def next(self, what):
        if self.terminal:
            spent = time.monotonic() - self.begin
            left = int(spent / self.done * (self.total - self.done)) if self.done else 0
            rest = ', %d:%02d:%02d left' % (left // 3600, left // 60 % 60, left % 60) if self.done else ''
            sys.stderr.write('\r\033[K[%d/%d] %s%s' % (self.done + 1, self.total, what, rest))
            sys.stderr.flush()
        self.done += 1

    def say(self, text):
        if self.terminal:
            sys.stderr.write('\r\033[K')
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)

    def round(self, text):
        if not self.terminal:
            self.say(text)

    def end(self):
        if self.terminal:
            sys.stderr.write('\r\033[K')
            sys.stderr.flush()


def host():
    cpu = ''
    try:
        with open('/proc/cpuinfo', encoding='ascii', errors='replace') as f:
            cpu = next((line.split(':', 1)[1].strip() for line in f if line.startswith('model name')), '')
    except OSError:
        pass
    return {'cpu': cpu, 'cpus': len(os.sched_getaffinity(0)), 'kernel': platform.release(), 'machine': platform.machine(),
            'libc': ' '.join(platform.libc_ver()), 'time': time.strftime('%Y-%m-%d %H:%M:%S %Z')}


class Record:
    """Everything that was measured; the JSON file is this."""

    def __init__(self, options, allocators, left_out):
        self.data = {'format': 1, 'host': host(), 'baseline': options.baseline, 'size': options.size, 'seed': options.seed, 'rounds': options.rounds,
                     'allocators': {a.name: a.describe() for a in allocators}, 'left_out': left_out,
                     'environment': {k: v for k, v in os.environ.items() if 'MALLOC' in k or k.startswith(('SCUDO_', 'MIMALLOC_', 'TCMALLOC_'))},
                     'runs': [], 'scale': []}
        self.path = options.json

    def save(self):
        """All at once: a reader never sees half a file."""
        if self.path in (None, '-'):
            return
        new = self.path + '.new'
        with open(new, 'w', encoding='ascii') as f:
            json.dump(self.data, f, indent=1)
            f.write('\n')
        try:
            os.replace(new, self.path)
        except OSError:
            os.unlink(new)
            raise


class Judge:
    """Outputs that must be the same for all: what most say is taken for right, and of equals what the baseline says."""

    def __init__(self, baseline):
        self.baseline, self.seen = baseline, collections.defaultdict(list)

    def add(self, job, run, output):
        if job.same and not run['failure']:
            self.seen[job.name].append((output, run))

    def decide(self):
        for runs in self.seen.values():
            count = collections.Counter()
            for output, run in runs:
                count[output] += 1 + (run['allocator'] == self.baseline) / (2 * len(runs))
            right = count.most_common(1)[0][0]
            for output, run in runs:
                run['failure'] = None if output == right else 'its output differs from that of the others'


def rounds(program, jobs, allocators, options, record, into):
    """Appends to record.data[into]. Each round has its own order of allocators for each job."""
    r = random.Random(options.seed)
    progress = Progress(options.rounds * len(jobs) * len(allocators), options.quiet)
    judge = Judge(options.baseline)
    try:
        for n in range(options.rounds):
            for job in jobs:
                for a in r.sample(allocators, len(allocators)):
                    progress.next('round %d: %s, %s' % (n + 1, job.name, a.name))
                    run, output = measure.run(program, job, a, options.timeout)
                    run.update(job=job.name, group=job.group, allocator=a.name, round=n + 1, **getattr(job, 'point', {}))
                    record.data[into].append(run)
                    judge.add(job, run, output)
                    if run['failure']:
                        progress.say('%s under %s: %s' % (job.name, a.name, run['failure']))
            judge.decide()
            record.save()
            progress.round('round %d of %d is done' % (n + 1, options.rounds))
    finally:
        progress.end()
        judge.decide()
        record.save()
