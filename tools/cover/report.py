"""What was found, as JSON and as a table."""
from collections import defaultdict

from cover.common import VERSION


def report(tool, project, wrappers, after):
    """All that was found, as --json writes it."""
    files = defaultdict(list)
    for ((file, line, column), _), site in sorted(project.sites.items(), key=lambda s: s[0]):
        files[tool.short(file)].append({
            'line': line, 'column': column, 'function': site.function, 'callee': site.callee,
            'type': None if site.reason else ', '.join(sorted(t for t in site.types if t)), 'reason': site.reason or None})
    result = {'version': VERSION, 'clang': tool.clang, 'units': len(tool.units), 'totals': project.totals(), 'files': [], 'wrappers': [],
              'failed': [{'file': f, 'error': e} for f, e in sorted(tool.failed)]}
    for file, sites in files.items():
        typed = sum(not s['reason'] for s in sites)
        result['files'].append({'file': file, 'sites': len(sites), 'typed': typed, 'share': round(100 * typed / len(sites), 2),
                                'list': sites})
    for w in wrappers:
        f = w.function
        state = 'wrapped' if w.wrapped else 'static' if f.linkage == 'static' else 'header' if not w.problem else 'left out'
        result['wrappers'].append({
            'function': f.name, 'file': tool.short(f.place[0]), 'line': f.place[1], 'linkage': f.linkage, 'returns_result_of': w.via,
            'calls': w.calls, 'typed_calls': w.typed_calls, 'state': state, 'reason': w.problem or None,
            'declaration': w.line() if f.prototype and w.attributes else None})
    result['with_wrappers'] = after and after.totals()
    return result


def print_report(data, header):
    files = sorted(data['files'], key=lambda f: (f['typed'] - f['sites'], f['file']))
    print('sites  typed   share  file')
    for f in files:
        print('%5d  %5d  %4.0f %%  %s' % (f['sites'], f['typed'], f['share'], f['file']))
        for s in f['list']:
            if s['reason']:
                print('       %s:%d:%d: %s in %s: %s' % (f['file'], s['line'], s['column'], s['callee'], s['function'], s['reason']))
    if data['wrappers']:
        print('\nFunctions that look like wrappers:\ncalls  would be typed  function')
        for w in data['wrappers']:
            gain = '-' if w['typed_calls'] is None else str(w['typed_calls'])
            why = {'wrapped': 'wrapped', 'header': 'can be wrapped'}.get(w['state']) or w['reason'] or w['state']
            print('%5d  %14s  %s (%s:%d) returns what %s gave; %s'
                  % (w['calls'], gain, w['function'], w['file'], w['line'], ', '.join(w['returns_result_of']), why))
    print()
    for f in data['failed']:
        print('not analysed: %s: %s' % (f['file'], f['error']))
    t, after = data['totals'], data['with_wrappers']
    print('%d units: %d sites, %d typed (%.1f %%), %d untyped' % (data['units'], t['sites'], t['typed'], t['share'], t['untyped']) +
          ('; %d more inside wrappers take the types of their callers' % t['inside_wrappers'] if t['inside_wrappers'] else ''))
    if after:
        print('with the wrappers%s: %d sites, %d typed (%.1f %%), %d untyped'
              % (' in ' + header if header else ' that --wrap writes', after['sites'], after['typed'], after['share'], after['untyped']))
