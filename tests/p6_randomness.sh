#!/bin/sh
# P6 measured over 300 starts, or: p6_randomness.sh STARTS.
# One level of call sites: what a wrapper, as a place here may be found to be, has freed does not come back to its callers.
lib=${TYPED_MALLOC_LIB:?is not set}
dir=${TESTS_DIR:-tests}
ulimit -c 0
exec env LD_PRELOAD="$lib" TYPED_MALLOC_OPTIONS=partition=typed:untyped=callsite:sample=0:site_levels=1 "$dir/p6_randomness" --starts "${1:-300}"
