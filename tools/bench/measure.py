"""One process under one allocator: what it used, whether the library was in it, how it ended."""
import os
import re
import select
import signal
import subprocess
import tempfile
import threading
import time

from . import allocators

TIMES = re.compile(r'(\w+): (\d+) operations, (sum \w+), ([\d.]+) s, cpu ([\d.]+) s')
FIRST, LATER, SHARE = 0.001, 0.01, 20  # seconds between samples; at most one part in SHARE of the time goes to them


def read(path):
    try:
        with open(path, 'rb') as f:
            return f.read()
    except OSError:
        return b''


def tree(pid):
    """The process and its descendants."""
    yield pid
    for task in os.listdir('/proc/%d/task' % pid) if os.path.isdir('/proc/%d/task' % pid) else ():
        for child in read('/proc/%d/task/%s/children' % (pid, task)).split():
            yield from tree(int(child))


class Sampler(threading.Thread):
    """Looks at /proc now and then. loaded: None until more than the dynamic linker was seen, which maps what is preloaded first."""

    def __init__(self, pid, library):
        super().__init__(daemon=True)
        self.pid, self.library, self.loaded = pid, library.encode(), None
        self.pte = self.maps = self.samples = 0
        self.stop = threading.Event()

    def sample(self):
        for pid in tree(self.pid):
            maps = read('/proc/%d/maps' % pid)
            found = re.search(rb'^VmPTE:\s+(\d+)', read('/proc/%d/status' % pid), re.M)
            self.maps = max(self.maps, maps.count(b'\n'))
            self.pte = max(self.pte, int(found[1]) if found else 0)
            if pid == self.pid and not self.loaded:
                if b' ' + self.library + b'\n' in maps:
                    self.loaded = True
                elif b'/libc.so.6\n' in maps or (maps and self.samples > 2 and b'/ld-' not in maps):
                    self.loaded = False
        self.samples += 1

    def run(self):
        while True:
            begin = time.monotonic()
            try:
                self.sample()
            except OSError:
                pass
            spent = time.monotonic() - begin
            if self.stop.wait(max(LATER if self.loaded else FIRST, spent * SHARE)):
                return


class Lines:
    """Lines of a pipe, with an end to the waiting."""

    def __init__(self, fd, timeout):
        self.fd, self.end, self.data = fd, time.monotonic() + timeout, b''

    def get(self):
        """A line; '' at the end; None if time is over."""
        while b'\n' not in self.data:
            left = self.end - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                return None
            more = os.read(self.fd, 4096)
            if not more:
                return ''
            self.data += more
        line, self.data = self.data.split(b'\n', 1)
        return line.decode()


def end(pid):
    try:
        os.killpg(pid, signal.SIGKILL)
    except OSError:
        pass


def first_line(err):
    return (err.decode(errors='replace').strip().splitlines() or [''])[0][:200]


def why(status, err):
    """What is wrong with an end, or None."""
    said = first_line(err)
    if os.WIFSIGNALED(status):
        try:
            name = signal.Signals(os.WTERMSIG(status)).name
        except ValueError:
            name = 'signal %d' % os.WTERMSIG(status)
        return name + (': ' + said if said else '')
    code = os.WEXITSTATUS(status)
    return 'exit %d%s' % (code, ': ' + said if said else '') if code else None


def follow(launcher, fd, allocator, client, timeout):
    """The launcher's two lines, and what is seen meanwhile: (result, failure)."""
    lines = Lines(fd, timeout)
    line = lines.get()
    if not line:
        return {}, 'did not start'
    pid, problem, result = int(line), None, {}
    sampler = Sampler(pid, allocator.path)
    sampler.start()
    try:
        begin = time.monotonic()
        if client:
            problem = client(max(lines.end - time.monotonic(), 1))
            if problem:
                end(pid)
        waited = time.monotonic() - begin
        line = lines.get()
        if line is None:
            problem = 'no end after %g s' % timeout
            end(pid)
            line = Lines(fd, 30).get()
    except BaseException:
        end(pid)
        raise
    finally:
        sampler.stop.set()
        sampler.join()
    launcher.wait()
    if not line:
        return {}, problem or 'ended without a word'
    status, user, system, wall, rss = line.split()
    result = {'user': float(user), 'sys': float(system), 'cpu': float(user) + float(system), 'wall': waited if client else float(wall),
              'rss': int(rss), 'pte': sampler.pte, 'maps': sampler.maps, 'samples': sampler.samples, 'loaded': sampler.loaded,
              'status': int(status)}
    return result, problem


def run(program, job, allocator, timeout):
    """The result of one run: a dictionary, with `failure' None or one line; `output' is what must be the same elsewhere."""
    command, client = job.start()
    env = {**allocators.clean_env(), **job.env, **allocator.env}
    ours, theirs = os.pipe()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with open(job.stdin or os.devnull, 'rb') as stdin:
            launcher = subprocess.Popen([program, '--measure', str(theirs), '--preload', allocator.path, '--', *command], env=env, stdin=stdin,
                                        stdout=out, stderr=err, pass_fds=[theirs], cwd=job.cwd)
        os.close(theirs)
        try:
            result, problem = follow(launcher, ours, allocator, client, timeout)
        finally:
            os.close(ours)
            if launcher.poll() is None:
                launcher.kill()
            launcher.wait()
        out.seek(0)
        err.seek(0)
        output, errors = out.read(), err.read()
    if 'status' in result:
        problem = problem or why(result['status'], errors)
        if not problem and result['loaded'] is False:
            problem = '%s was not loaded' % allocator.path
    elif errors:
        problem += ': ' + first_line(errors)
    m = TIMES.fullmatch(output.decode(errors='replace').strip())
    if m:
        result.update(ops=int(m[2]), seconds=float(m[4]), cpu_seconds=float(m[5]))
        output = m[3].encode()
    elif command[0] == program:
        problem = problem or 'did not print its line'
    result['failure'] = problem
    return result, output
