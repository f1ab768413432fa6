"""SVG charts, with matplotlib."""
import os

from . import scale, tables


def available():
    try:
        import matplotlib
        matplotlib.use('svg')
        # The same data give the same file.
        matplotlib.rcParams.update({'svg.hashsalt': 'typed-bench', 'font.size': 9, 'axes.spines.top': False, 'axes.spines.right': False})
        return True
    except ImportError:
        return False


def save(figure, directory, name):
    path = os.path.join(directory, name + '.svg')
    figure.savefig(path, bbox_inches='tight', metadata={'Date': None})
    return path


def bars(results, metric, title, directory):
    """Ratios to the baseline, a group of bars for each job and mean, the quartiles as whiskers."""
    from matplotlib import pyplot
    names = [n for n in results.names if n != results.data['baseline']]
    if not names:
        return []
    rows = list(results.group) + ['= ' + g for g, _ in results.groups()]
    figure, axes = pyplot.subplots(figsize=(max(6, 0.16 * len(rows) * (len(names) + 1.5)), 4))
    width = 0.8 / len(names)
    for i, name in enumerate(names):
        points = [(k, results.ratio(job, name, metric)) for k, job in enumerate(results.group)]
        points += [(len(results.group) + k, m and (m[0],) * 3)
                   for k, m in enumerate(results.mean(jobs, name, metric) for _, jobs in results.groups())]
        points = [p for p in points if p[1]]
        whiskers = [[r[0] - r[1] for _, r in points], [r[2] - r[0] for _, r in points]]
        axes.bar([k - 0.4 + width * (i + 0.5) for k, _ in points], [r[0] - 1 for _, r in points], width, bottom=1, yerr=whiskers,
                 label=name, error_kw={'elinewidth': 0.7})
    axes.axhline(1, color='black', linewidth=0.7)
    axes.set_yscale('log', base=2)
    axes.set_xlim(-0.6, len(rows) - 0.4)
    axes.yaxis.set_major_formatter(lambda y, _: '%g' % y)
    axes.set_xticks(range(len(rows)), rows, rotation=45, ha='right')
    axes.set_ylabel('%s, %s = 1' % (title, results.data['baseline']))
    axes.legend(ncol=len(names), frameon=False, loc='lower left', bbox_to_anchor=(0, 1))
    path = save(figure, directory, metric)
    pyplot.close(figure)
    return [path]


def lines(data, kind, directory):
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(figsize=(6, 4))
    got = scale.curves(data, kind)
    for name in data['allocators']:
        if name in got:
            x, y = [p for p, _ in got[name]], [v for _, v in got[name]]
            axes.errorbar(x, [v[0] for v in y], [[v[0] - v[1] for v in y], [v[2] - v[0] for v in y]], marker='.', linewidth=1, label=name)
    axes.set_xscale('log', base=10 if kind == 'types' else 2)
    axes.xaxis.set_major_formatter(lambda x, _: scale.short(kind, int(x)))
    axes.set_ylim(bottom=0)
    axes.set_xlabel(scale.LABEL[kind])
    axes.set_ylabel('ns of %s an operation' % ('wall time' if kind == 'threads' else 'CPU'))
    axes.legend(frameon=False)
    path = save(figure, directory, 'scale-' + kind)
    pyplot.close(figure)
    return [path]


def draw(data, directory):
    """The files that were written."""
    os.makedirs(directory, exist_ok=True)
    paths = []
    if data['runs']:
        results = tables.Results(data)
        for metric, title, *_ in tables.METRICS:
            paths += bars(results, metric, title, directory)
    for kind in scale.kinds(data):
        paths += lines(data, kind, directory)
    return paths
