#!/bin/sh
# P1 in the short form: by type, by call site, past the limit on keys, and the recorder itself. Longer: p1_run.sh SECONDS.
lib=${TYPED_MALLOC_LIB:?is not set}
dir=${TESTS_DIR:-tests}
long=${1:+--seconds $1}
failed=0
# try WANT OPTIONS PROGRAM ARGUMENT...
try() {
    want=$1 options=partition=typed:untyped=callsite:$2
    shift 2
    { env LD_PRELOAD="$lib" TYPED_MALLOC_OPTIONS="$options" "$dir/$@"; } 2>&1
    status=$?
    [ $status = $want ] && return
    echo "FAIL: $options $*: exit $status, not $want"
    failed=1
}
ulimit -c 0
# The recorder has to find what shares on purpose: two threads, one partition for all.
for option in untyped=none partition=none; do
    { env LD_PRELOAD="$lib" TYPED_MALLOC_OPTIONS=$option "$dir/p1_call_sites" --ops 20000 2>&1; } 2>/dev/null | grep -q 'P1 broken' ||
        { echo "FAIL: the recorder finds no overlap with $option"; failed=1; }
done
{ env LD_PRELOAD="$lib" TYPED_MALLOC_OPTIONS=partition=none "$dir/p1_recorder" --ops 20000 2>&1; } 2>/dev/null | grep -q 'P1 broken' ||
    { echo "FAIL: the recorder finds no overlap with partition=none"; failed=1; }
try 0 decay_ms=20 p1_recorder --types 500 --threads 8 $long
try 0 decay_ms=0 p1_recorder --types 20 --threads 2 --seed 2 $long
try 0 decay_ms=20:max_keys=100 p1_recorder --types 300 --threads 4 --pointers $long
try 0 decay_ms=20 p1_call_sites $long
try 0 untyped=none p1_recorder --types 50 --threads 4 $long
[ $failed = 0 ] && echo "p1: no overlap"
exit $failed
