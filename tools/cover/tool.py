"""The run's state."""
import multiprocessing
import os
import re
import sys
import time
import concurrent.futures

from cover.unit import analyse


class Tool:
    """The run's state: units analysed so far, workers, and the line of progress."""

    def __init__(self, clang, work, jobs):
        self.clang, self.work, self.root = clang, work, os.getcwd()
        self.units, self.failed, self.jobs, self.seen, self.log = {}, [], {}, set(), ''
        self.pool = concurrent.futures.ProcessPoolExecutor(jobs, multiprocessing.get_context('fork'))
        self.terminal, self.shown, self.width = sys.stderr.isatty(), time.monotonic(), 0

    def submit(self, compile):
        if compile not in self.seen:
            self.seen.add(compile)
            self.jobs[self.pool.submit(analyse, compile, self.clang, self.work)] = compile

    def collect(self):
        for job in [j for j in self.jobs if j.done()]:
            compile = self.jobs.pop(job)
            unit, errors = job.result()
            if unit:
                self.units[compile] = unit
            else:
                said = re.search(r'error: (.*)', errors)
                name = os.path.normpath(os.path.join(compile.directory, compile.source))
                why = said[1] if said else errors.strip() or 'clang failed'
                self.failed.append((self.short(name), why if os.path.exists(name) else 'gone before its turn came'))
        done = len(self.units) + len(self.failed)
        if self.seen:
            self.progress('%d of %d units analysed' % (done, done + len(self.jobs)))

    def finish(self):
        while self.jobs:
            concurrent.futures.wait(self.jobs, 0.2, concurrent.futures.FIRST_COMPLETED)
            self.collect()

    def progress(self, text):
        """One line that is written over on a terminal, else a line each five seconds."""
        now = time.monotonic()
        if self.terminal and now - self.shown > 0.1:
            sys.stderr.write('\rtyped-cover: %-*s' % (self.width, text))
            self.width = len(text)
        elif not self.terminal and now - self.shown > 5:
            sys.stderr.write('typed-cover: %s\n' % text)
        else:
            return
        sys.stderr.flush()
        self.shown = now

    def end_progress(self):
        if self.width:
            sys.stderr.write('\r%*s\r' % (self.width + len('typed-cover: '), ''))
            self.width = 0

    def short(self, path):
        """A file's name as the user would give it."""
        return os.path.relpath(path, self.root) if os.path.isabs(path) and path.startswith(self.root + '/') else path
