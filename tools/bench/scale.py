"""Curves: the cost of an operation as types, live bytes or threads become more."""
import re

from . import jobs, tables

LIVE_MAX = 8 << 30
POINTS = {'types': (1, 3, 10, 30, 100, 300, 1000, 3000, 10000), 'threads': (1, 2, 4, 8, 16, 32, 64),
          'live': tuple(1 << n for n in range(20, 34, 2)) + (LIVE_MAX,)}
# Of threads, time that goes by: it falls as long as there are CPUs for them. Of the others, CPU time.
CLOCK = {'types': 'cpu_seconds', 'live': 'cpu_seconds', 'threads': 'seconds'}
LABEL = {'types': 'call sites in use', 'live': 'live bytes', 'threads': 'threads'}


def available():
    with open('/proc/meminfo', encoding='ascii') as f:
        return int(re.search(r'MemAvailable:\s+(\d+)', f.read())[1]) << 10


def points(kind, most):
    """An allocator may need more than what is live: half of the memory is left."""
    limit = min(most or LIVE_MAX, available() // 2) if kind == 'live' else 10**6
    return [p for p in POINTS[kind] if p <= limit]


def job_list(program, kind, options):
    out = []
    for p in points(kind, options.max_live):
        if kind == 'types':
            name, settings = 'types', {'types': p, 'live': 8 << 20, 'ops': 2000000}
        elif kind == 'live':
            name, settings = 'mixed', {'live': p, 'ops': 2000000}
        else:
            name, settings = 'server', {'threads': p, 'ops': 8000000}
        settings['ops'] = max(int(settings['ops'] * options.size), 1000)
        job = jobs.workload(program, name, {**settings, 'seed': options.seed}, label='%s %s' % (kind, short(kind, p)))
        job.point = {'kind': kind, 'x': p}
        out.append(job)
    return out


def short(kind, n):
    if kind == 'live':
        return '%dG' % (n >> 30) if n >= 1 << 30 else '%dM' % (n >> 20)
    return str(n)


def curves(data, kind):
    """{allocator: [(x, (median, lower quartile, upper quartile) in nanoseconds)]}"""
    values = {}
    for run in data['scale']:
        if run['kind'] == kind and not run['failure']:
            values.setdefault(run['allocator'], {}).setdefault(run['x'], []).append(run[CLOCK[kind]] * 1e9 / run['ops'])
    return {a: [(x, tables.spread(v)) for x, v in sorted(by.items())] for a, by in values.items()}


def kinds(data):
    return list(dict.fromkeys(run['kind'] for run in data['scale']))


def report(data):
    lines, names = [], list(data['allocators'])
    for kind in kinds(data):
        got = {name: dict(c) for name, c in curves(data, kind).items()}
        lines += ['', 'Nanoseconds of %s an operation, by %s; behind, half of the distance between the quartiles' % (
            'wall time' if kind == 'threads' else 'CPU', LABEL[kind]), '%-12s' % '' + ''.join('%17s' % n[:16] for n in names)]
        for x in sorted({run['x'] for run in data['scale'] if run['kind'] == kind}):
            cells = [got.get(n, {}).get(x) for n in names]
            lines.append('%-12s' % short(kind, x) + ''.join('%17s' % (
                '%s +-%s' % (tables.number(c[0]), tables.percent(*c)) if c else '-') for c in cells))
    return lines
