#!/bin/sh
# The sequences of fuzz/corpus, which libFuzzer has found to reach far, with several sets of options.
lib=${TYPED_MALLOC_LIB:?is not set}
ulimit -c 0
failed=0
for options in sample=0 sample=0:guard=slab quarantine=64:sweep=1; do
    env LD_PRELOAD="$lib" TYPED_MALLOC_OPTIONS=$options "${TESTS_DIR:-tests}/fuzz/sequence" "${srcdir:-.}"/tests/fuzz/corpus/*.seq || failed=1
done
exit $failed
