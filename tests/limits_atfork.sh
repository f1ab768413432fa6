#!/bin/sh
dir=${TESTS_DIR:-tests} lib=${TYPED_MALLOC_LIB:?is not set} module=$(pwd)/tests/.libs/atfork_module.so
[ -f "$module" ] || { echo "no $module"; exit 99; }
LD_PRELOAD="$lib $module" "$dir/limits_atfork" module || exit
LD_PRELOAD="$lib" exec "$dir/limits_atfork" stdio
