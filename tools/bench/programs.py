"""Real programs, with inputs made here of a fixed seed."""
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import time

from .jobs import Job

def write(directory, name, text):
    path = os.path.join(directory, name)
    with open(path, 'w', encoding='ascii') as f:
        f.write(text)
    return path


def some(n, size):
    return max(int(n * size), 1)


# ---- real programs: each function gives the job, or why there is none ----

def missing(*programs):
    for p in programs:
        if not shutil.which(p):
            return p + ' is not installed'
    return None


def redis(d, r, size):
    """Starts a server on a free port of the loopback; the time is the client's."""
    def client():
        with socket.socket() as s:
            s.bind(('127.0.0.1', 0))
            port = str(s.getsockname()[1])

        def serve(timeout):
            end = time.monotonic() + min(timeout, 60)
            while time.monotonic() < end:
                try:
                    socket.create_connection(('127.0.0.1', int(port)), 1).close()
                    break
                except OSError:
                    time.sleep(0.02)
            else:
                return 'redis-server does not answer'
            try:
                got = subprocess.run(['redis-benchmark', '-h', '127.0.0.1', '-p', port, '-q', '-n', str(some(40000, size)), '-P', '8',
                                      '-r', '20000', '-d', '200', '-t', 'set,get,lpush,lpop,sadd,hset,zadd'],
                                     capture_output=True, text=True, timeout=timeout)
            except subprocess.TimeoutExpired:
                return 'redis-benchmark has no end after %g s' % timeout
            if got.returncode or 'rror' in got.stdout + got.stderr:
                return 'redis-benchmark: ' + ((got.stderr + got.stdout).strip().splitlines() or ['failed'])[-1]
            with socket.create_connection(('127.0.0.1', int(port)), 5) as s:
                s.sendall(b'SHUTDOWN NOSAVE\r\n')
                s.recv(100)
            return None
        return ['redis-server', '--port', port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', d], serve
    return missing('redis-server', 'redis-benchmark') or Job('redis', 'programs', None, cwd=d, same=False, client=client)


def sqlite(d, r, size):
    words = ['%06x' % r.getrandbits(24) for _ in range(500)]
    rows = ["insert into t values(%d, '%s', %d);" % (i, ' '.join(r.choices(words, k=r.randint(1, 12))), r.randrange(1000))
            for i in range(some(40000, size))]
    text = ['create table t(id integer primary key, text, n);', 'begin;', *rows, 'commit;', 'create index i on t(n, text);',
            'select n, count(*), max(text) from t group by n order by 2 desc, 1 limit 20;',
            'select sum(length(a.text)) from t a join t b on a.n = b.n and a.id % 16 = b.id % 16;',
            "update t set text = upper(text) where n % 3 = 0;", 'delete from t where n % 5 = 0;',
            'select count(*), group_concat(substr(text, 1, 3)) from t where n < 20;']
    return missing('sqlite3') or Job('sqlite3', 'programs', ['sqlite3', '-batch', ':memory:'],
                                     stdin=write(d, 'bench.sql', '\n'.join(text) + '\n'))


PYTHON = '''
import json, re
class Node:
    def __init__(self, key): self.key, self.left, self.right = key, None, None
def insert(root, key):
    while True:
        side = 'left' if key < root.key else 'right'
        if getattr(root, side) is None: setattr(root, side, Node(key)); return
        root = getattr(root, side)
state, total = SEED, 0
for turn in range(TURNS):
    root, text = Node(1 << 30), []
    for i in range(2000):
        state = (state * 1103515245 + 12345) & 0x7fffffff
        insert(root, state); text.append('k%d=%x' % (state % 997, state))
    d = dict(w.split('=') for w in text)
    back = json.loads(json.dumps({'d': d, 'l': [list(p) for p in d.items()]}))
    total += len(re.findall('[0-9]+a', ' '.join(text))) + len(back['l'])
print(total)
'''


def python(d, r, size):
    text = PYTHON.replace('SEED', str(r.randrange(1 << 30))).replace('TURNS', str(some(80, size)))
    return Job('python3', 'programs', [sys.executable, '-I', write(d, 'bench.py', text)],
               env={'PYTHONMALLOC': 'malloc', 'PYTHONHASHSEED': '0'})


def source(r, n):
    lines = ['struct s { int a[8]; struct s *next; double d; };', 'int printf(const char *, ...);']
    for i in range(n):
        lines.append('static double f%d(struct s *p, int n) { double x = 0; for (int i = 0; i < n; i++) { switch (p->a[i & 7] %% %d) {'
                     % (i, r.randint(3, 9)))
        lines += ['case %d: x += p->a[(i + %d) & 7] * %d; p->a[%d] ^= i; break;' % (k, r.randrange(8), r.randrange(99), r.randrange(8))
                  for k in range(8)]
        lines.append('} if (p->next && i %% %d == 0) x += f%d(p->next, n / 2); } return x; }' % (r.randint(2, 9), r.randrange(i + 1)))
    lines.append('double all(struct s *p) { return %s; }' % ' + '.join('f%d(p, %d)' % (i, i) for i in range(n)))
    return '\n'.join(lines) + '\n'


def compiler(name, *flags):
    def make(d, r, size):
        return missing(name) or Job(name, 'programs', [name, *flags, '-O2', '-S', '-o', '-', write(d, 'bench.c', source(r, some(250, size)))])
    return make


SHELL = '''
declare -A seen
n=SEED
for ((i = 0; i < TURNS; i++)); do
    n=$(((n * 1103515245 + 12345) & 0x7fffffff))
    word="w${n: -4}"; list+=("$word$word")
    seen[$word]=$((${seen[$word]:-0} + 1))
    if ((i % 200 == 0)); then x=$(echo "${list[@]: -20}"); y+=${x//w/ab}; list=("${list[@]: -50}"); fi
done
echo ${#seen[@]} ${#y} $n
'''


def shell(d, r, size):
    text = SHELL.replace('SEED', str(r.randrange(1 << 30))).replace('TURNS', str(some(100000, size)))
    return missing('bash') or Job('bash', 'programs', ['bash', write(d, 'bench.sh', text)])


PERL = '''
my ($n, %h, @l, $t) = (SEED);
for my $i (1 .. TURNS) {
    $n = ($n * 1103515245 + 12345) & 0x7fffffff;
    my $w = "w" . ($n % 5003);
    push @{$h{$w}}, { n => $n, text => $w x ($n % 9) };
    push @l, join ",", map { $_->{n} } @{$h{$w}};
    $t += length join "", sort map { s/w/ab/r } splice @l, 0, 500 if @l > 1000;
    delete $h{$w} if @{$h{$w}} > 20;
}
print scalar(keys %h), " $t $n\\n";
'''


def perl(d, r, size):
    text = PERL.replace('SEED', str(r.randrange(1 << 30))).replace('TURNS', str(some(200000, size)))
    return missing('perl') or Job('perl', 'programs', ['perl', write(d, 'bench.pl', text)],
                                  env={'PERL_HASH_SEED': '0', 'PERL_PERTURB_KEYS': '0'})


def git(d, r, size):
    no = missing('git')
    if no or subprocess.run(['git', 'rev-parse', 'HEAD'], capture_output=True).returncode:
        return no or 'git: not inside a repository'
    return Job('git', 'programs', ['git', '--no-pager', 'log', '--stat', '-p', '-n', str(some(60, size)), 'HEAD'])


PROGRAMS = {'redis': redis, 'sqlite3': sqlite, 'python3': python, 'cc': compiler('cc'), 'clang': compiler('clang'), 'bash': shell, 'perl': perl,
            'git': git}


def programs(directory, options):
    """([Job], [what is left out and why])"""
    jobs, left_out = [], []
    for name, make in PROGRAMS.items():
        if not re.search(options.workload, name):
            continue
        job = make(directory, random.Random('%d %s' % (options.seed, name)), options.size)
        (jobs if isinstance(job, Job) else left_out).append(job)
    return jobs, left_out
