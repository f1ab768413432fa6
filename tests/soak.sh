#!/bin/sh
# The long forms of what `make check` runs short: `make soak`, about six minutes, or soak.sh SECONDS for each part.
lib=${TYPED_MALLOC_LIB:?is not set}
dir=${TESTS_DIR:-tests}
src=${srcdir:-.}/tests
seconds=${1:-60}
ulimit -c 0
failed=0
part() {
    echo "== $*"
    "$@" || { echo "FAIL: $*"; failed=1; }
}
seed=$(date +%s)
part env LD_PRELOAD="$lib" "$dir/stress" --threads 100 --seconds "$seconds" --seed "$seed"
part env LD_PRELOAD="$lib" "$dir/stress" --threads 8 --seconds "$seconds" --seed "$seed"
part env LD_PRELOAD="$lib" TYPED_MALLOC_OPTIONS=decay_ms=0 "$dir/stress" --threads 8 --seconds "$seconds" --seed "$seed"
part env LD_PRELOAD="$lib" TYPED_MALLOC_OPTIONS=decay_ms=20 "$dir/p1_recorder" --seconds "$seconds" --forks 8 --seed "$seed"
part env LD_PRELOAD="$lib" TYPED_MALLOC_OPTIONS=decay_ms=20 "$dir/p1_call_sites" --seconds "$seconds" --seed "$seed"
part env LD_PRELOAD="$lib" "$dir/limits_threads" --threads 50000
part env LD_PRELOAD="$lib" "$dir/limits_handover" --objects 5000000
part sh "$src/limits_fork.sh" 2000
[ $failed = 0 ] && echo "soak: passed"
exit $failed
