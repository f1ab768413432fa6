#!/bin/bash
# run.sh [--measure] [--no-tests] [--work DIR] PREFIX [PROGRAM...]: real programs recompiled with types.
#
# Each program's Debian source is built three times: plain; flag, with -fsanitize=alloc-token; header, with -include
# typed_malloc.h -DTYPED_MALLOC_REPLACE. Its own tests run on each. Then comes a fixed piece of work, whose statistics tell how
# much of it is typed; and with --measure what it costs, medians of five runs, against glibc and against the plain build with
# the library preloaded.
#
# PREFIX is where the library is installed. Everything else is in DIR (typed_malloc-programs among the temporary files) and
# stays there: sources, builds, logs, results. An unpacked source in DIR/src/PACKAGE is used as it is; else it comes from
# Debian. In the environment, BUILDS names fewer builds, and JOBS more processes than 2 for make. A program is skipped if
# something is missing. Needed: clang-22 make time; for sqlite3 and redis tcl8.6 tcl-dev; for cxx cmake libgtest-dev
# libgmock-dev libbenchmark-dev. Takes about an hour, most of it tests.

set -u
usage() { echo "usage: run.sh [--measure] [--no-tests] [--work DIR] PREFIX [PROGRAM...]" >&2; exit 2; }
MEASURE='' TESTS=1 WORK=${TMPDIR:-/tmp}/typed_malloc-programs
while [ $# -gt 0 ]; do
	case $1 in
	--measure) MEASURE=1 ;;
	--no-tests) TESTS='' ;;
	--work) [ $# -gt 1 ] || usage; WORK=$2; shift ;;
	-*) usage ;;
	*) break ;;
	esac
	shift
done
[ $# -ge 1 ] || usage
PREFIX=$(realpath "$1")
[ -f "$PREFIX/lib/libtyped_malloc.so" ] || { echo "run.sh: no library in $PREFIX/lib" >&2; exit 2; }
shift
[ $# -gt 0 ] || set -- lua sqlite3 redis zstd cxx
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$WORK"
WORK=$(cd "$WORK" && pwd -P)
BUILDS=${BUILDS:-plain flag header}
export PREFIX WORK BUILDS TESTS MEASURE

passed=0 failed=0 skipped=0
for name; do
	begin=$SECONDS
	bash "$here/$name.sh"
	status=$?
	case $status in
	0) passed=$((passed + 1)) && echo "PASS $name ($((SECONDS - begin)) s)" ;;
	77) skipped=$((skipped + 1)) && echo "SKIP $name" ;;
	*) failed=$((failed + 1)) && echo "FAIL $name (logs: $WORK/log/$name)" ;;
	esac
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
