#!/bin/bash
# python3: its own test suite's threads, multiprocessing, json, dict, gc and subprocess parts, on plain malloc.
. "$(dirname "$0")/lib.sh"
need python3
python3 -c 'import test.test_threading, test.test_multiprocessing_fork' 2>/dev/null ||
	{ echo "python3's test suite (libpython3-testsuite) is not installed" >&2; exit 77; }
cd "$W"
export PYTHONMALLOC=malloc
run python3 -m test -v test_json test_dict test_gc test_subprocess test_threading \
	test_multiprocessing_fork test_multiprocessing_spawn >"$W/log" 2>&1 || { cat "$W/log" >&2; exit 1; }
counted python3
# The name of each test and how it ended, then the verdict.
sed -nE 's/^(test_[A-Za-z0-9_]+ \([^)]*\)).* \.\.\. (ok|skipped|expected failure|FAIL|ERROR).*/\1 \2/p' "$W/log" | sort
grep -E '^(All [0-9]+ tests OK|Tests result:)' "$W/log"
