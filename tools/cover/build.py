"""Seeing the compiles of a build: shims before its compilers, or compile_commands.json."""
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

from cover.common import Failure
from cover.compiles import COMPILER, compiles_of, ENVIRONMENT, LAUNCHERS

SHIM = r'''#!/bin/sh
# Runs the compiler as if this were not here; if that succeeds, leaves its command line for typed-cover.
path=":$PATH:"
case $path in *:{shims}:*) path="${{path%%:{shims}:*}}:${{path#*:{shims}:}}" ;; esac
path=${{path#:}}
PATH=${{path%:}} {real} "$@"
status=$?
if [ $status = 0 ]; then
    log=$(PATH={path} mktemp {log}/XXXXXXXXXX) &&
        printf '%s\0' "$PWD" "$CPATH" "$C_INCLUDE_PATH" "$CPLUS_INCLUDE_PATH" {name} "$@" >"$log" && PATH={path} mv "$log" "$log.done"
fi
exit $status
'''


def make_shim(tool, shims, real, where):
    quoted = {k: shlex.quote(v) for k, v in
              {'real': real, 'log': tool.log, 'name': os.path.basename(real), 'path': '/usr/bin:/bin'}.items()}
    with open(where, 'w') as f:
        f.write(SHIM.format(shims=shims, **quoted))
    os.chmod(where, 0o755)


def shim_words(tool, shims, value):
    """A value of CC or CXX with shims for the compilers that it names by path."""
    words = value.split(' ')
    for i, word in enumerate(words):
        if '/' in word and COMPILER.fullmatch(os.path.basename(word)) and shutil.which(word):
            where = os.path.join(tempfile.mkdtemp(dir=tool.work), os.path.basename(word))
            make_shim(tool, shims, os.path.abspath(word), where)
            words[i] = where
            break
    return ' '.join(words)


def prepare_build(tool, command):
    """The command and its environment, with every compiler in PATH behind a shim."""
    shims, tool.log = os.path.join(tool.work, 'bin'), os.path.join(tool.work, 'log')
    os.mkdir(shims)
    os.mkdir(tool.log)
    path = os.environ.get('PATH', '/usr/bin:/bin')
    for directory in path.split(':'):
        for name in os.listdir(directory) if os.path.isdir(directory) else ():
            real = os.path.join(os.path.abspath(directory), name)
            if (COMPILER.fullmatch(name) or name in LAUNCHERS) and not os.path.exists(os.path.join(shims, name)) and \
                    os.path.isfile(real) and os.access(real, os.X_OK):
                make_shim(tool, shims, real, os.path.join(shims, name))
    environment = {**os.environ, 'PATH': shims + ':' + path}
    for name in ('CC', 'CXX'):
        if name in environment:
            environment[name] = shim_words(tool, shims, environment[name])
    for i, word in enumerate(command):
        match = re.fullmatch(r'((?:\w*_)?(?:CC|CXX)=)(.*)', word)
        if match:
            command[i] = match[1] + shim_words(tool, shims, match[2])
    return command, environment


def logged(tool):
    """The Compiles that the shims have written since the last time."""
    for name in [n for n in os.listdir(tool.log) if n.endswith('.done')]:
        path = os.path.join(tool.log, name)
        with open(path, errors='surrogateescape') as f:
            directory, *rest = f.read().split('\0')[:-1]
        os.unlink(path)
        yield from compiles_of(rest[3:], directory, [(n, v) for n, v in zip(ENVIRONMENT, rest) if v])


def run_build(tool, command, verbose):
    """Run the build, analysing as it goes; its exit status."""
    words, environment = prepare_build(tool, list(command))
    output = sys.stderr if verbose else open(os.path.join(tool.work, 'build.log'), 'w+', errors='replace')
    try:
        build = subprocess.Popen(words, env=environment, stdout=output, stderr=output)
    except OSError as e:
        raise Failure('%s: %s' % (command[0], e.strerror))
    try:
        while build.poll() is None:
            time.sleep(0.1)
            for compile in logged(tool):
                tool.submit(compile)
            tool.collect()
    except BaseException:
        build.terminate()
        build.wait()
        raise
    for compile in logged(tool):
        tool.submit(compile)
    if build.returncode and not verbose:
        tool.end_progress()
        output.seek(0)
        sys.stderr.writelines('    ' + l for l in output.readlines()[-20:])
    return build.returncode if build.returncode >= 0 else 128 - build.returncode


def read_database(tool, path):
    try:
        with open(path) as f:
            entries = json.load(f)
        for entry in entries:
            words = entry['arguments'] if 'arguments' in entry else shlex.split(entry['command'])
            for compile in compiles_of(words, os.path.join(os.path.dirname(os.path.abspath(path)), entry['directory'])):
                tool.submit(compile)
    except OSError as e:
        raise Failure('%s: %s' % (path, e.strerror))
    except (ValueError, KeyError, TypeError):
        raise Failure('%s: not a compile_commands.json' % path)
