"""What is run: the workloads of bench-workloads, each a job."""
import re
import subprocess

GROUPS = ('single', 'threads', 'processes', 'programs')
GROUP = {'pipe': 'threads', 'churn': 'threads', 'server': 'threads', 'start': 'processes', 'fork': 'processes'}


class Job:
    """A command. same: its output must not depend on the allocator."""

    def __init__(self, name, group, command, stdin=None, env=None, cwd=None, same=True, client=None):
        self.name, self.group, self.command, self.stdin, self.env = name, group, command, stdin, env or {}
        self.cwd, self.same, self.client = cwd, same, client

    def start(self):
        """(the command, and a function that does what has to be done while it runs, or None)"""
        return self.client() if self.client else (self.command, None)


def listed(program):
    """The workloads with their defaults, as bench-workloads tells them."""
    out = subprocess.run([program, '--list'], capture_output=True, text=True, check=True).stdout
    return [(line.split()[0], {k: int(v) for k, v in re.findall(r'(\w+)=(\d+)', line)}, re.sub(r'^(\S+ ){5}', '', line))
            for line in out.splitlines()]


def workload(program, name, settings, group=None, label=None):
    """A job of one workload; settings of 0 are left out."""
    words = [w for option, value in settings.items() if value for w in ('--' + option, str(value))]
    return Job(label or name, group or GROUP.get(name, 'single'), [program, name, *words])


def workloads(program, options):
    jobs = []
    for name, settings, _ in listed(program):
        settings['ops'] = max(int(settings['ops'] * options.size), 1)
        if settings['live']:
            settings['live'] = max(int(settings['live'] * min(options.size, 1)), 1 << 20)
        if settings['threads'] and options.threads:
            settings['threads'] = options.threads
        settings['seed'] = options.seed
        jobs.append(workload(program, name, settings))
    return jobs

