"""What is kept in the output directory, and its summaries.

    OUT/corpus/     inputs that showed something new, by hash
    OUT/findings/   001-overflow-of-blob.txt, the report; 001-overflow-of-blob.input, the input, minimised
                    (.input.1, .input.2, ... where it takes several in one process, in this order)
    OUT/state.json  runs so far, findings
    OUT/seen        the features seen
"""
import hashlib
import json
import os
import re
import time
import xml.etree.ElementTree as ElementTree

VERSION = 2


def write_file(path, data):
    """Whole or not at all."""
    with open(path + '.new', 'wb') as f:
        f.write(data if isinstance(data, bytes) else data.encode())
    os.replace(path + '.new', path)


def name_of(data):
    return hashlib.sha1(data).hexdigest()


class Damaged(ValueError):
    """A one-line message: the directory cannot be gone on from."""


class State:
    def __init__(self, out, target):
        self.out, self.target = out, target
        self.runs = self.valgrind_runs = self.seconds = self.last_seed = 0
        self.findings = {}      # cause: finding, in the order they were found
        self.index = {}         # key of an appearance: finding
        self.seen = b''
        self.explained = set()  # corpus entries that ran under valgrind
        for part in ('', 'corpus', 'findings'):
            os.makedirs(os.path.join(out, part), exist_ok=True)

    def path(self, *parts):
        return os.path.join(self.out, *parts)

    def load(self, make):
        """What an earlier run has left; make(dict) gives a finding. True: there was one."""
        path = self.path('state.json')
        try:
            with open(path) as f:
                data = json.load(f)
            if data.get('version') != VERSION:
                raise Damaged('%s is of another version of typed-fuzz' % path)
            if data['target'] != self.target:
                raise Damaged('%s is of another target: %s' % (self.out, ' '.join(data['target'])))
            self.take(data, make)
        except FileNotFoundError as e:
            if e.filename != path:
                raise
            return False
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as e:
            raise e if isinstance(e, Damaged) else Damaged('%s is damaged: without it the run begins anew, with the corpus' % path)
        try:
            with open(self.path('seen'), 'rb') as f:
                self.seen = f.read()
        except FileNotFoundError:
            pass
        return True

    def take(self, data, make):
        """The contents of state.json."""
        self.runs, self.valgrind_runs, self.seconds = data['runs'], data['valgrind_runs'], data['seconds']
        self.last_seed, self.explained = data['batches'], set(data['explained'])
        for entry in data['findings']:
            finding = make(entry)
            inputs = []
            for name in entry['inputs']:
                with open(self.path('findings', name), 'rb') as f:
                    inputs.append(f.read())
            finding.data, finding.history = inputs[-1], inputs[:-1]
            self.findings[finding.cause] = finding
            self.index.update((key, finding) for key in finding.keys)

    def save(self, seen):
        write_file(self.path('state.json'), json.dumps(dict(
            version=VERSION, target=self.target, runs=self.runs, valgrind_runs=self.valgrind_runs, seconds=round(self.seconds, 2),
            batches=self.last_seed, explained=sorted(self.explained), findings=[self.entry(f) for f in self.findings.values()]), indent=1))
        write_file(self.path('seen'), seen)

    def corpus(self):
        """Its inputs, in an order that does not change."""
        found = []
        with os.scandir(self.path('corpus')) as files:
            for entry in files:
                with open(entry.path, 'rb') as f:
                    found.append(f.read())
        return sorted(found, key=lambda d: (len(d), d))

    def keep(self, data):
        path = self.path('corpus', name_of(data))
        if not os.path.exists(path):
            write_file(path, data)

    def forget(self, data):
        try:
            os.unlink(self.path('corpus', name_of(data)))
        except FileNotFoundError:
            pass

    # ---- findings ----

    def owner(self, finding):
        """The finding of this cause, or None. Who knows no type means any."""
        for cause, have in self.findings.items():
            if cause[0] == finding.cause[0] and cause[2:] == finding.cause[2:] and (
                    cause[1:2] == finding.cause[1:2] or None in cause[1:2] + finding.cause[1:2]):
                return have
        return None

    def enter(self, finding):
        self.findings[finding.cause] = finding
        self.note(finding, finding)

    def note(self, finding, raw):
        """It was seen in this way too. Whose way that is already stays so, and is returned."""
        return self.note_key(finding, raw.key, raw.title())

    def note_key(self, finding, key, title):
        have = self.index.setdefault(key, finding)
        if have is finding:
            finding.keys.setdefault(key, title)
        return have

    def withdraw(self, finding):
        """It was the last, and nothing is written yet."""
        del self.findings[finding.cause]
        for key in finding.keys:
            del self.index[key]

    def rename(self, finding, cause):
        del self.findings[finding.cause]
        finding.cause = cause
        self.findings[cause] = finding

    def stem(self, finding):
        number = list(self.findings).index(finding.cause) + 1
        return '%03d-%s' % (number, re.sub(r'[^A-Za-z0-9]+', '-', finding.kind + (' of ' + finding.type if finding.type else ''))
                            .strip('-')[:60])

    def input_names(self, finding):
        stem = self.stem(finding) + '.input'
        if not finding.history:
            return [stem]
        return ['%s.%d' % (stem, i + 1) for i in range(len(finding.history) + 1)]

    def entry(self, finding):
        return dict(key=finding.key, cause=finding.cause, keys=[[k, title] for k, title in finding.keys.items()],
                    others=finding.others(), title=finding.title(), detector=finding.detector, kind=finding.kind, type=finding.type,
                    frames=[list(f) for f in finding.frames[:16]], count=finding.count, run=finding.first_run,
                    seconds=round(finding.seconds, 2), size=len(finding.data), minimised=finding.minimised,
                    inputs=self.input_names(finding), text=finding.text, explained=finding.explained)

    def write_finding(self, finding):
        stem = self.stem(finding)
        names = self.input_names(finding)
        for name, data in zip(names, finding.history + [finding.data]):
            write_file(self.path('findings', name), data)
        if finding.history:
            try:
                os.unlink(self.path('findings', stem + '.input'))
            except FileNotFoundError:
                pass
        lines = [finding.title(), '', 'found by the %s at run %d, after %.1f s; %d times so far' % (
            finding.detector, finding.first_run, finding.seconds, finding.count)]
        if finding.type:
            lines.append('type: ' + finding.type)
        if finding.frames:
            lines += ['', 'stack:'] + ['    %s %s' % f for f in finding.frames[:16]]
        if finding.others():
            lines += ['', 'other appearances:'] + ['    ' + title for title in finding.others()]
        lines += ['', 'input (%d bytes): %r' % (len(finding.data), finding.data[:400]), 'again: %s%s %s' % (
            'TYPED_FUZZ_EXACT=1 ' if finding.key[0] == 'exact' else '', ' '.join(self.target), ' '.join(self.path('findings', n) for n in names)), '', finding.text]
        if finding.explained:
            lines += ['under valgrind:', finding.explained]
        write_file(self.path('findings', stem + '.txt'), '\n'.join(lines) + '\n')

    # ---- summaries ----

    def summary(self, mode, features, corpus):
        return dict(target=self.target, mode=mode, runs=self.runs, valgrind_runs=self.valgrind_runs, seconds=round(self.seconds, 2),
                    runs_per_second=round(self.runs / self.seconds, 1) if self.seconds else 0, features=features, corpus=corpus,
                    findings=[self.entry(f) for f in self.findings.values()])

    def junit(self, summary):
        """One case for each finding, and one that passes when there is none."""
        name = os.path.basename(self.target[0])
        findings = summary['findings']
        suite = ElementTree.Element('testsuite', name='typed-fuzz ' + name, tests=str(max(len(findings), 1)),
                                    failures=str(len(findings)), errors='0', time=str(summary['seconds']),
                                    timestamp=time.strftime('%Y-%m-%dT%H:%M:%S'))
        for f in findings or [None]:
            case = ElementTree.SubElement(suite, 'testcase', classname='typed-fuzz.' + name, time='0',
                                          name=f['title'] if f else '%d runs' % summary['runs'])
            if f:
                text = f['text'] + f['explained'] + ''.join('\nseen as: ' + o for o in f['others']) + '\ninput: ' + ' '.join(self.path('findings', n) for n in f['inputs'])
                failure = ElementTree.SubElement(case, 'failure', type=f['kind'], message=f['title'])
                failure.text = re.sub('[^\t\n -\ud7ff\ue000-\ufffd]', '?', text)
        tree = ElementTree.Element('testsuites')
        tree.append(suite)
        return b'<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(tree) + b'\n'
