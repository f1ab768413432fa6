#!/bin/sh
dir=${TESTS_DIR:-tests} lib=${TYPED_MALLOC_LIB:?is not set}
env LD_PRELOAD="$lib" "$dir/conform_deepbind" ours || exit
exec env LD_PRELOAD="$lib" TYPED_MALLOC_OPTIONS=deepbind=1 "$dir/conform_deepbind" libc
