#!/bin/bash
# python3: its own test suite's threads, multiprocessing, json, dict, gc and subprocess parts, on plain malloc.
. "$(dirname "$0")/lib.sh"
need python3
python3 -c 'import test.test_threading, test.test_multiprocessing_fork' 2>/dev/null || {
	echo "python3's test suite (libpython3.11-testsuite) is not installed" >&2
	exit 77
}
cd "$W"
export PYTHONMALLOC=malloc
run python3 -m test --junit-xml "$W/results.xml" test_json test_dict test_gc test_subprocess test_threading \
	test_multiprocessing_fork test_multiprocessing_spawn >&2
counted python3
# Each test and how it ended; the tests' own output would be mixed with that of their child processes.
python3 - "$W/results.xml" <<-'END' | sort
	import sys
	import xml.etree.ElementTree as tree

	for case in tree.parse(sys.argv[1]).iter("testcase"):
	    ends = {child.tag for child in case} & {"skipped", "failure", "error"}
	    print(case.get("name"), *sorted(ends) or ["ok"])
END
