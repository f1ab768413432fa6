#!/usr/bin/env python3
"""apply.py LIST names: the names of the bugs, and what may find each.
apply.py LIST NAME SOURCE TARGET: seeds one into copies: each file it changes is read from SOURCE and written under TARGET; prints
their names. Exit status 2, with one line, when an old text does not occur exactly once.
apply.py LIST check SOURCE: that, for all."""
import pathlib
import sys


def fail(text):
    print(f"seeded: {text}", file=sys.stderr)
    sys.exit(2)


def read(path):
    """[(name, text, tests, [(file, old, new)])]"""
    bugs, changes = [], None
    for number, line in enumerate(pathlib.Path(path).read_text().split("\n"), 1):
        if line.startswith("bug "):
            name, _, text = line[4:].partition(": ")
            changes = []
            bugs.append((name, text, [], changes))
        elif line.startswith("by ") and bugs:
            bugs[-1][2].extend(line[3:].split())
        elif line.startswith("file ") and bugs:
            changes.append([line[5:].strip(), [], []])
        elif line.startswith(("-", "+")) and changes:
            changes[-1][1 if line[0] == "-" else 2].append(line[1:])
        elif line and not line.startswith("#"):
            fail(f"{path}:{number}: neither bug, by, file nor text")
    if len({b[0] for b in bugs}) != len(bugs):
        fail(f"{path}: a name comes twice")
    return bugs


def apply(bug, source):
    """{file: text}"""
    name, _, _, changes = bug
    texts = {}
    for file, old, new in changes:
        old, new = "\n".join(old), "\n".join(new)
        text = texts.get(file) or (source / file).read_text()
        # Whole lines, but for the end of the last.
        times = ("\n" + text).count("\n" + old)
        if not old or times != 1:
            fail(f"{name}: its text occurs {times} times in {file}; the list has to follow the source")
        texts[file] = ("\n" + text).replace("\n" + old, "\n" + new)[1:]
    return texts


def main():
    if len(sys.argv) == 3 and sys.argv[2] == "names":
        for name, _, tests, _ in read(sys.argv[1]):
            print(name, *tests)
        return
    if len(sys.argv) == 4 and sys.argv[2] == "check":
        for bug in read(sys.argv[1]):
            apply(bug, pathlib.Path(sys.argv[3]))
        return
    if len(sys.argv) != 5:
        fail("usage: apply.py LIST names | apply.py LIST check SOURCE | apply.py LIST NAME SOURCE TARGET")
    for bug in read(sys.argv[1]):
        if bug[0] == sys.argv[2]:
            for file, text in apply(bug, pathlib.Path(sys.argv[3])).items():
                to = pathlib.Path(sys.argv[4]) / file
                to.parent.mkdir(parents=True, exist_ok=True)
                to.write_text(text)
                print(file)
            return
    fail(f"no bug {sys.argv[2]}")


main()
