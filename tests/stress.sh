#!/bin/sh
# The stress test in its short forms, bounded by the number of operations: few threads, many, and with the memory of idle
# slabs given back all the time.
lib=${TYPED_MALLOC_LIB:?is not set}
dir=${TESTS_DIR:-tests}
ulimit -c 0
failed=0
try() {
    options=$1
    shift
    env LD_PRELOAD="$lib" TYPED_MALLOC_OPTIONS="$options" "$dir/stress" "$@" || { echo "FAIL: $options stress $*"; failed=1; }
}
try '' --threads 1 --ops 300000
try '' --threads 4 --ops 150000 --seed 2
try '' --threads 100 --ops 8000 --seed 3
try decay_ms=0 --threads 4 --ops 80000 --seed 4
try partition=random --threads 4 --ops 80000 --seed 5
try partition=none:decay_ms=1 --threads 4 --ops 80000 --seed 6
try max_keys=1 --threads 4 --ops 80000 --seed 7
exit $failed
