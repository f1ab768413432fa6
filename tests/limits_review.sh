#!/bin/sh
# Traps that a review found, each in a process of its own, with the end it must come to.
lib=${TYPED_MALLOC_LIB:?is not set}
dir=${TESTS_DIR:-tests}
module=${LIMITS_MODULE:-$(pwd)/tests/.libs/limits_module.so}
failed=0
ulimit -c 0
# A process that hangs before main() has set no alarm yet. timeout itself is not preloaded into: it would hang as well.
try() {
    preload=$1 case=$2
    out=$(timeout -s KILL ${LIMITS_TIMEOUT:-60} env LD_PRELOAD="$preload" TYPED_MALLOC_OPTIONS=partition=typed:sample=0 \
        "$dir/limits_review" "$case" 2>&1)
    status=$?
}
bad() {
    echo "FAIL: limits_review $case: exit $status: $out"
    failed=1
}
pass() {
    try "$@"
    [ $status = 0 ] || [ $status = 77 ] || bad
}
pass "$lib" mlock_part_of_large
pass "$lib" write_below_newest_span
pass "$lib" realloc_giant_under_limit
limit=$(ulimit -S -v)
ulimit -S -v 524288 && pass "$lib" failing_huge_mallocs
ulimit -S -v "$limit"

# SIGSEGV, and not a byte beyond the fence.
try "$lib" overflow_into_pointers
case $status.$out in
139.*survived*) bad ;;
139.*) ;;
*) bad ;;
esac

# The handler ran to its end.
try "$lib" sigabrt_handler_allocates
case $status.$out in
3.*"double free of"*handled*) ;;
*) bad ;;
esac

# Found, or never seen by the next owner.
try "$lib" overflow_past_locked_large
case $status.$out in
0.* | 77.* | 139.*) ;;
134.*"typed_malloc: "*) ;;
*) bad ;;
esac

for preload in "$lib:$module" "$module:$lib"; do
    pass "$preload" wrapped_system_calls
done
exit $failed
