"""Medians, quartiles, ratios and geometric means, and their tables."""
import math
import statistics

METRICS = (('cpu', 'CPU', 's', 1), ('wall', 'wall', 's', 1), ('rss', 'peak RSS', 'MiB', 1 / 1024), ('pte', 'page tables', 'KiB', 1),
           ('maps', 'mappings', '', 1))
SAMPLED = ('pte', 'maps')  # 0: ended before it was looked at


def spread(values):
    """(median, lower quartile, upper quartile)"""
    if len(values) < 2:
        return (values[0],) * 3
    low, middle, high = statistics.quantiles(values, n=4, method='inclusive')
    return middle, low, high


class Results:
    """Good runs by job and allocator."""

    def __init__(self, data):
        self.data, self.values, self.group = data, {}, {}
        for run in data['runs']:
            self.group.setdefault(run['job'], run['group'])
            if not run['failure']:
                for metric, *_ in METRICS:
                    if run[metric] or metric not in SAMPLED:
                        self.values.setdefault((run['job'], run['allocator'], metric), []).append(run[metric])
        self.names = list(data['allocators'])
        self.names.sort(key=lambda n: n != data['baseline'])

    def of(self, job, name, metric):
        values = self.values.get((job, name, metric))
        return spread(values) if values else None

    def ratio(self, job, name, metric):
        """(ratio of the medians to the baseline's, the same of the quartiles), or None."""
        base, own = self.of(job, self.data['baseline'], metric), self.of(job, name, metric)
        if not base or not own or base[0] <= 0 or own[0] <= 0:
            return None
        return tuple(v / base[0] for v in own)

    def mean(self, jobs, name, metric):
        """(geometric mean of the ratios, of how many jobs)"""
        ratios = [r[0] for r in (self.ratio(j, name, metric) for j in jobs) if r]
        return (math.exp(sum(map(math.log, ratios)) / len(ratios)), len(ratios)) if ratios else None

    def groups(self):
        """[(name, jobs)], all of them last."""
        names = list(dict.fromkeys(self.group.values()))
        return [(g, [j for j in self.group if self.group[j] == g]) for g in names] + ([('all', list(self.group))] if len(names) > 1 else [])


def percent(median, low, high):
    return '%2.0f%%' % (50 * (high - low) / median) if median else '  -'


def number(x):
    return '%.3f' % x if x < 10 else '%.1f' % x if x < 1000 else '%.0f' % x


def table(results, metric, title, unit, factor):
    names = results.names
    base = results.data['baseline']
    lines = ['', '%s: %s%s, the others as a share of it; behind, half of the distance between the quartiles' % (
        title, base, ' in ' + unit if unit else ''), '%-12s' % '' + ''.join('%17s' % n[:16] for n in names)]
    for job in results.group:
        cells = []
        for name in names:
            got = results.of(job, name, metric) if name == base else results.ratio(job, name, metric)
            if got and name == base:
                got = tuple(v * factor for v in got)
            cells.append('%17s' % ('%s +-%s' % (number(got[0]), percent(*got)) if got else '-'))
        lines.append('%-12s' % job[:12] + ''.join(cells))
    for group, jobs in results.groups():
        means = [results.mean(jobs, n, metric) for n in names]
        lines.append('%-12s' % ('= ' + group) + ''.join('%17s' % (
            '%s (%2d)  ' % (number(m[0]), m[1]) if m else '-') for m in means))
    return lines


def summary(results):
    lines = ['', 'Geometric means of all jobs: less is better', '%-12s' % '' + ''.join('%14s' % title for _, title, *_ in METRICS)]
    for name in results.names:
        means = [results.mean(list(results.group), name, metric) for metric, *_ in METRICS]
        lines.append('%-12s' % name[:12] + ''.join('%14s' % (number(m[0]) if m else '-') for m in means))
    return lines


def proofs(data):
    """Libraries that no sample saw in a process: of jobs that end before one is taken."""
    seen = {}
    for run in data['runs'] + data['scale']:
        key = run['job'], run['allocator']
        seen[key] = seen.get(key) or run.get('loaded') or bool(run['failure'])
    return ['not seen in the process, which ended too soon: %s in %s' % (a, j) for (j, a), ok in seen.items() if not ok]


def failures(data):
    """One line for each sort of failure."""
    count = {}
    for run in data['runs'] + data['scale']:
        if run['failure']:
            key = run['job'], run['allocator'], run['failure']
            count[key] = count.get(key, 0) + 1
    return ['FAILED %s under %s, %d of %d rounds: %s' % (job, name, n, data['rounds'], what) for (job, name, what), n in count.items()]


def report(data):
    h = data['host']
    lines = ['%s, %d CPUs, Linux %s, %s, %s' % (h['cpu'] or h['machine'], h['cpus'], h['kernel'], h['libc'], h['time']),
             '%d rounds, size %g, seed %d' % (data['rounds'], data['size'], data['seed'])]
    lines += ['%-12s %s%s' % (n, a['path'], ''.join(' %s=%s' % v for v in a['env'].items())) for n, a in data['allocators'].items()]
    lines += ['%-12s %s=%s' % ('environment', *v) for v in data['environment'].items()]
    lines += ['left out: ' + text for text in data['left_out']]
    if data['runs']:
        results = Results(data)
        for metric in METRICS:
            lines += table(results, *metric)
        lines += summary(results)
    if data['scale']:
        from . import scale
        lines += scale.report(data)
    bad = proofs(data) + failures(data)
    return '\n'.join(lines + ([''] + bad if bad else []))
