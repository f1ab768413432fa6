#!/bin/sh
# What clang infers from a call, row by row (tokens_infer.c), with and without optimisation, in the first and the last C.
. "${srcdir:-.}/tests/compile.sh"
[ -n "$clang" ] || { echo "no compiler infers types: clang 22 or later is needed"; exit 77; }
for std in gnu11 gnu23; do
    for opt in -O0 -O2; do
        build "$tmp/infer" "$clang" -std=$std $opt -Wall -Wextra -Wno-cast-qual -Wno-incompatible-pointer-types-discards-qualifiers \
            "$here/tokens_infer.c" || continue
        try "tokens_infer $std $opt" "$tmp/infer"
    done
done
conclude tokens_infer
