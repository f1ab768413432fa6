#!/bin/sh
dir=${TESTS_DIR:-tests}
exec env LD_PRELOAD="${TYPED_MALLOC_LIB:?is not set}" "$dir/conform_dlopen_cxx" \
    "${THROW_MODULE:-$(pwd)/tests/.libs/throw_module.so}"
