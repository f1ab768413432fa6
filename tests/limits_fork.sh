#!/bin/sh
# Forks while threads allocate, the short form.
lib=${TYPED_MALLOC_LIB:?is not set}
dir=${TESTS_DIR:-tests}
ulimit -c 0
failed=0
for how in loop atfork spawn; do
    env LD_PRELOAD="$lib" "$dir/limits_fork" $how --forks ${1:-200} || { echo "FAIL: limits_fork $how"; failed=1; }
done
# A process with one thread, whose children make some.
for how in loop atfork; do
    env LD_PRELOAD="$lib" "$dir/limits_fork" $how --forks 40 --threads 0 || { echo "FAIL: limits_fork $how with one thread"; failed=1; }
done
env LD_PRELOAD="$lib" "$dir/limits_fork" chance || failed=1
env LD_PRELOAD="$lib" TYPED_MALLOC_OPTIONS=decay_ms=0 "$dir/limits_fork" loop --forks 50 || failed=1
env LD_PRELOAD="$lib" TYPED_MALLOC_OPTIONS=decay_ms=0 "$dir/limits_fork" types || failed=1
exit $failed
