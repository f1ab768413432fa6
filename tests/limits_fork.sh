#!/bin/sh
# Forks while threads allocate, the short form.
lib=${TYPED_MALLOC_LIB:?is not set}
dir=${TESTS_DIR:-tests}
ulimit -c 0
failed=0
for how in loop atfork spawn; do
    env LD_PRELOAD="$lib" "$dir/limits_fork" $how --forks ${1:-200} || { echo "FAIL: limits_fork $how"; failed=1; }
done
env LD_PRELOAD="$lib" TYPED_MALLOC_OPTIONS=decay_ms=0 "$dir/limits_fork" loop --forks 50 || failed=1
exit $failed
