#!/bin/sh
# Starts and works where address space is short: `ulimit -v`, at start and later, small and large objects each for itself.
lib=${TYPED_MALLOC_LIB:?is not set}
dir=${TESTS_DIR:-tests}
failed=0
ulimit -c 0
try() {
    limit=$1
    shift
    if ! (ulimit -v "$limit" && exec env LD_PRELOAD="$lib" "$dir/limits_use" "$@"); then
        echo "FAIL: ulimit -v $limit: limits_use $*"
        failed=1
    fi
}
for kind in small medium large huge; do
    try 524288 $kind 300
    try 1048576 $kind 600
    try unlimited $kind 300
done
try 524288 tiny 200
for limit in 65536 131072 262144 2097152; do
    try $limit small 16
    try $limit large 16
done
for limit in 131072 524288; do
    for size in 64 3000 100000 4000000; do
        try $limit exhaust $size
    done
done
for mib in 256 512 1024; do try unlimited after $mib; done
try 4194304 after 512 # a second limit
for i in 1 2 3 4 5 6; do # places are random
    try unlimited after_huge 8192
    try 1048576 after_huge 900
done
try unlimited after_vfork 8192
try unlimited after_clone 200
try unlimited after_hint 8192
# A shell under the limit starts programs as it does without the library.
for limit in 65536 524288; do
    out=$(ulimit -v $limit && env LD_PRELOAD="$lib" sh -c 'for i in 1 2 3; do env | wc -l >/dev/null; done; echo works' 2>&1)
    [ "$out" = works ] || { echo "FAIL: sh under ulimit -v $limit: $out"; failed=1; }
done
exit $failed
