#!/bin/sh
# new and delete by type (type_aware_new.cc): each object in its type's memory, and the wrong type at delete is death with a message.
. "${srcdir:-.}/tests/compile.sh"
[ -n "$clangxx" ] && works "$clangxx" -x c++ -std=c++26 ||
    { echo "no compiler has type-aware new: clang 22 or later is needed"; exit 77; }

# dies CRIME MESSAGE: "@" is the address that it named.
dies() {
    { "$tmp/p" "$1" >"$tmp/out" 2>"$tmp/log"; } 2>/dev/null
    status=$?
    set -- "$1" "$2" $(sed -n 's/^crime //p' "$tmp/out" | tail -n 1)
    line=$(printf '%s' "$2" | sed "s/@/$4/")
    [ $status = 134 ] && [ $# = 4 ] && grep -qxE "typed_malloc: p\\[$3\\] $line" "$tmp/log" || fail "$1: exit $status, not \"$line\""
}
for flags in '-std=c++26 -O0' '-std=c++26 -O2' '-std=c++20 -O2 -Wpedantic'; do
    build "$tmp/p" $clangxx $flags -Wall -Wextra -Wno-cast-qual -Werror "$here/type_aware_new.cc" || continue
    try "type_aware_new $flags" "$tmp/p"
    token=$(printf '%s\n' '#include <stdio.h>' '#include "typed_malloc.h"' \
        'int main(void) { printf("%#zx", typed_token_of_name("data", 0)); }' >"$tmp/t.c" &&
        build "$tmp/t" $clang "$tmp/t.c" && "$tmp/t")
    wrong='typed_malloc_assert\(\): object of another type at @'
    dies one "$wrong \\(type token $token, 64-byte cache\\)"
    dies array "$wrong \\(type token $token, [0-9]+-byte cache\\)"
    dies large "$wrong \\(type token $token, [0-9]+-byte cache\\)"
    dies wide "$wrong \\(type token 0x[0-9a-f]+, [0-9]+-byte cache\\)"
    dies twice "typed_free\\(\\): double free of @ \\(type token $token, 64-byte cache\\)"
done
conclude type_aware_new
