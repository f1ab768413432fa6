"""The target as a server: batches of inputs through shared memory. tools/fuzz_driver.h has the other side and the layout."""
import ctypes
import mmap
import os
import re
import select
import signal
import struct
import subprocess
import tempfile
import time
from collections import namedtuple

MAGIC_VALUE = 0x7a66646570797431
(MAGIC, MAX_LEN, COMMAND, FLAGS, SEED, FIRST, COUNT, TIMEOUT_MS, RSS_KIB, NBASE, NDICT) = range(11)
(CURRENT, DONE, STARTED, LEN, NOUT, OUT_USED, STOPPED, FEATURES, INFO, NTOKENS, LEAK_BYTES, LEAK_COUNT, LEAK_TOKEN,
 LEAK_SITE) = range(16, 30)
GIVEN, MUTATE = 1, 2
LEAKS, KEEP_ALL, SWEEP, STRICT, FORK, EXACT, ALIGNED = 1, 2, 4, 8, 16, 32, 64
OUT_FULL, ERROR, RUNNING = 1, 2, 3
NEW, LEAK, VG_ERROR = 1, 2, 4

WORDS = 64 * 8
TOKENS, TOKEN_BYTES = 256, 32
AT_CURRENT = WORDS + TOKENS * TOKEN_BYTES
CURRENT_BYTES = 1 << 20
AT_IN = AT_CURRENT + CURRENT_BYTES
AREA = 4 << 20
AT_OUT = AT_IN + AREA
SHARED_BYTES = AT_OUT + AREA
SEEN_BYTES = (1 << 16) + (1 << 20)
ADDR_NO_RANDOMIZE = 0x40000

HOW = {0: 'done', 1: 'signal', 2: 'timeout', 3: 'memory', 4: 'exit'}

Record = namedtuple('Record', 'number flags features data')
# how: done, signal, timeout, memory, exit, gone (the server ended); current: the input that ran when it did not end well.
Result = namedtuple('Result', 'how status done records stopped number current log errors leak')


class TargetError(Exception):
    """A one-line message: the target cannot be started."""


def memory(name, size):
    fd = os.memfd_create(name, os.MFD_CLOEXEC)
    os.ftruncate(fd, size)
    return fd, mmap.mmap(fd, size)


def same_addresses():
    """In the child: shared libraries at the same place each time, so that a seed means the same."""
    try:
        ctypes.CDLL(None).personality(ADDR_NO_RANDOMIZE)
    except (OSError, AttributeError):
        pass


def complain(log):
    """What the library and the dynamic linker say at the start of what they could not do: the user would look for findings in vain."""
    for line in log.splitlines():
        said = re.search(r'typed_malloc: .*?(option: .*)', line) or re.search(r'ERROR: ld\.so: (.*preload.*)', line)
        if said:
            raise TargetError(said[1])


class Seen:
    """The features that any server has seen."""

    def __init__(self):
        self.fd, self.map = memory('typed-fuzz-seen', SEEN_BYTES)

    def load(self, data):
        if len(data) == SEEN_BYTES:
            self.map[:] = data

    def count(self):
        return SEEN_BYTES - self.map[:].count(0)


class Server:
    """One process of the target. Under valgrind, `valgrind' is its command line; errors are read from an XML file."""

    def __init__(self, options, seen, valgrind=None, heap_options=None):
        self.options, self.seen, self.valgrind, self.heap_options = options, seen, valgrind, heap_options
        self.process, self.busy = None, False
        self.fd, self.map = memory('typed-fuzz', SHARED_BYTES)
        self.log = tempfile.TemporaryFile(prefix='typed-fuzz.')
        self.xml, self.xml_at = None, 0
        self.new = True  # it has run no batch

    def word(self, i, value=None):
        if value is None:
            return struct.unpack_from('<Q', self.map, i * 8)[0]
        struct.pack_into('<Q', self.map, i * 8, value)

    # ---- the process ----

    def start(self):
        to_read, self.to = os.pipe()
        self.back, back_write = os.pipe()
        passed = (to_read, back_write, self.fd, self.seen.fd)
        command = list(self.options.target)
        environment = dict(os.environ, TYPED_FUZZ_FDS='%d,%d,%d,%d' % passed)
        if self.options.preload:
            environment['LD_PRELOAD'] = self.options.preload
        if self.heap_options is not None:
            environment['TYPED_MALLOC_OPTIONS'] = self.heap_options
        if self.valgrind:
            self.xml_at = 0
            self.xml = tempfile.NamedTemporaryFile(prefix='typed-fuzz.', suffix='.xml')
            command = self.valgrind + ['--xml=yes', '--xml-file=' + self.xml.name] + command
        self.word(MAGIC, MAGIC_VALUE)
        self.word(MAX_LEN, self.options.max_len)
        self.log.seek(0)
        self.log.truncate()
        log = os.open('/proc/self/fd/%d' % self.log.fileno(), os.O_WRONLY | os.O_APPEND)
        try:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, env=environment,
                                            pass_fds=passed, preexec_fn=same_addresses, start_new_session=True)
        except OSError as e:
            raise TargetError('%s: %s' % (command[0], e.strerror))
        finally:
            for fd in (to_read, back_write, log):
                os.close(fd)

    def stop(self):
        if not self.process:
            return
        os.close(self.to)
        os.close(self.back)
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            self.kill()
        self.process, self.busy = None, False

    # ---- batches ----

    def send(self, command, base, words=(), seed=0, first=0, count=None, flags=0):
        """Start a batch over the inputs `base'; collect() waits for it."""
        if not self.process:
            self.start()
        else:
            self.log.seek(0)
            self.log.truncate()
        at = AT_IN
        for n, data in enumerate(list(base) + list(words)):
            if at + 4 + len(data) > AT_IN + AREA:
                raise ValueError('too many inputs for one batch')
            struct.pack_into('<I', self.map, at, len(data))
            self.map[at + 4:at + 4 + len(data)] = bytes(data)
            at += 4 + len(data)
        for i, value in ((COMMAND, command), (FLAGS, flags), (SEED, seed), (FIRST, first), (COUNT, len(base) if count is None else count),
                         (TIMEOUT_MS, int(self.options.timeout * 1000)), (RSS_KIB, self.options.memory * 1024), (NBASE, len(base)),
                         (NDICT, len(words)), (DONE, 0), (STARTED, 0), (NOUT, 0), (LEN, 0), (STOPPED, RUNNING)):
            self.word(i, value)
        if self.xml:
            self.xml_at = os.path.getsize(self.xml.name)
        try:
            os.write(self.to, b'x')
        except BrokenPipeError:
            pass
        self.busy = True

    def records(self):
        at = AT_OUT
        for _ in range(self.word(NOUT)):
            number, size, flags, features = struct.unpack_from('<IIII', self.map, at)
            yield Record(number, flags, features, self.map[at + 16:at + 16 + size])
            at += 16 + (size + 7) // 8 * 8

    def words(self):
        """What the target has compared parts of inputs with."""
        for i in range(min(self.word(NTOKENS), TOKENS)):
            at = WORDS + i * TOKEN_BYTES
            yield self.map[at + 1:at + 1 + self.map[at]]

    def overdue(self):
        """Under valgrind nobody but us watches the clock; with a child, the server does so first."""
        started = self.word(STARTED)
        seconds = self.options.timeout * (2 if self.word(FLAGS) & FORK else 1)
        return self.valgrind and started and time.monotonic_ns() - started > seconds * 1e9

    def kill(self):
        """The server and its child; the session is theirs."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        return self.process.wait()

    def poll(self, seconds):
        """The answer if there is one: (how, status)."""
        if not select.select([self.back], [], [], seconds)[0]:
            if self.overdue():
                return 'timeout', self.kill()
            return None
        answer = os.read(self.back, 8)
        if len(answer) == 8:
            how, status = struct.unpack('<ii', answer)
            return HOW[how], status
        return 'gone', self.process.wait()

    def collect(self, answer=None):
        """The end of the batch."""
        while answer is None:
            answer = self.poll(0.1)
        self.busy = False
        how, status = answer
        self.log.seek(0)
        log = self.log.read(1 << 20).decode(errors='replace')
        current = self.map[AT_CURRENT:AT_CURRENT + min(self.word(LEN), CURRENT_BYTES)]
        leak = dict(bytes=self.word(LEAK_BYTES), count=self.word(LEAK_COUNT), token=self.word(LEAK_TOKEN), site=self.word(LEAK_SITE))
        xml = self.xml_so_far()
        if self.new:
            self.new = False
            complain(log)
        result = Result(how, status, self.word(DONE), list(self.records()), self.word(STOPPED), self.word(CURRENT), current, log, xml,
                        leak)
        if how == 'gone' or self.process.poll() is not None:
            self.stop()
            if how == 'gone' and result.stopped == RUNNING and not result.done and not self.word(STARTED) and not self.word(LEN):
                raise TargetError('%s ends before it runs an input%s' % (self.options.target[0], ': ' + log.strip().splitlines()[-1]
                                                                         if log.strip() else '; is it linked with libtyped_fuzz.a?'))
        return result

    def run(self, *arguments, **words):
        self.send(*arguments, **words)
        return self.collect()

    def xml_so_far(self):
        """What valgrind has said of this batch."""
        if not self.xml:
            return ''
        with open(self.xml.name, 'rb') as f:
            f.seek(self.xml_at)
            return f.read().decode(errors='replace')
