#!/bin/sh
# Types through wrappers that were compiled without any flag: with the sanitizer and TYPED_MALLOC_WRAPPER, with TYPED_MALLOC_WRAP, and in
# C++ (wrappers.c).
. "${srcdir:-.}/tests/compile.sh"
[ -n "$clang" ] || { echo "no compiler infers types: clang 22 or later is needed"; exit 77; }
warn='-Wall -Wextra -Werror'
try "wrappers_lib" $clang -O2 -c -o "$tmp/lib.o" "$here/wrappers_lib.c"
nm "$tmp/lib.o" | grep -E 'typed|alloc_token' >"$tmp/log" && fail "the wrappers know of types"
printf '%s\n' '#include "wrappers.h"' 'struct other { int a[5]; };' 'void *unit_two(size_t n);' \
    'void *unit_two(size_t n) { return xmalloc(n * sizeof(struct other)); }' >"$tmp/two.c"
for opt in -O0 -O2; do
    # The header in two units; its shims are not seen from outside.
    build "$tmp/sanitizer" $clang -std=gnu17 $opt $warn -fsanitize=alloc-token -fsanitize-alloc-token-extended \
        "$here/wrappers.c" "$tmp/two.c" "$tmp/lib.o" && try "wrappers: sanitizer $opt" "$tmp/sanitizer"
    nm -D "$tmp/sanitizer" | grep __alloc_token_x >"$tmp/log" && fail "shims are exported"
    build "$tmp/macros" $clang -std=gnu17 $opt $warn -DWRAP_MACROS "$here/wrappers.c" "$tmp/two.c" "$tmp/lib.o" &&
        try "wrappers: macros $opt" "$tmp/macros"
    [ -n "$clangxx" ] || continue
    try "wrappers_lib, C++" $clangxx -x c++ -O2 -c -o "$tmp/libxx.o" "$here/wrappers_lib.c" || continue
    build "$tmp/sanitizer_new" $clang -std=gnu17 $opt $warn -fsanitize=alloc-token -fsanitize-alloc-token-extended \
        "$here/wrappers.c" "$tmp/libxx.o" -lstdc++ && try "wrappers: sanitizer, operator new $opt" "$tmp/sanitizer_new"
    build "$tmp/cxx" $clangxx -std=c++17 $opt $warn -DWRAP_MACROS -x c++ "$here/wrappers.c" -x none "$tmp/libxx.o" &&
        try "wrappers: C++ $opt" "$tmp/cxx"
done
# The header is clean where it does nothing: no flag, half of the flags, strict C.
for flags in '' -fsanitize=alloc-token '-fsanitize=alloc-token -fsanitize-alloc-token-extended'; do
    try "wrappers.h $flags" $clang $common -std=c11 $warn -Wpedantic $flags -c -o "$tmp/two.o" "$tmp/two.c"
done
conclude wrappers
