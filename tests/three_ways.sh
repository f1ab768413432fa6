#!/bin/sh
# The three ways of typing a program come to the same: the same types in the table, and no address that ever served two of them.
. "${srcdir:-.}/tests/compile.sh"
[ -n "$clang" ] || { echo "no compiler infers types: clang 22 or later is needed"; exit 77; }

# What the table has to list: the tokens of the three types' names.
cat >"$tmp/names.c" <<'END'
#include <stdio.h>
#include "typed_malloc.h"
int main(void)
{
	printf("%#zx\n%#zx\n%#zx\n", typed_token_of_name("record", 1), typed_token_of_name("object", 1), typed_token_of_name("text", 0));
}
END
build "$tmp/names" $clang "$tmp/names.c" && "$tmp/names" | LC_ALL=C sort >"$tmp/want"

# way NAME FLAG...
way() {
    way=$1
    shift
    build "$tmp/$way" $clang -std=gnu17 -O2 -Wall -Wextra "$@" "$here/three_ways.c" || return
    rm -f "$tmp/table"
    try "$way" env TYPED_MALLOC_OPTIONS="$TYPED_MALLOC_OPTIONS:stats=$tmp/table" "$tmp/$way"
    # The key of a type's row is its token.
    awk '$2 ~ /^type-/ { print $1 }' "$tmp/table" | LC_ALL=C sort -u >"$tmp/types"
    diff "$tmp/want" "$tmp/types" >"$tmp/log" || fail "$way: the types of the table (>) are not the program's (<)"
    # The recorder finds what does share.
    TYPED_MALLOC_OPTIONS=partition=none "$tmp/$way" >"$tmp/log" 2>&1
    status=$?
    [ $status = 4 ] || fail "$way: with partition=none nothing is shared, or not found (exit $status)"
}
way replaced -include typed_malloc.h -DTYPED_MALLOC_REPLACE
way sanitized -fsanitize=alloc-token
way explicit -DEXPLICIT
way unoptimised_replaced -O0 -include typed_malloc.h -DTYPED_MALLOC_REPLACE
conclude three_ways
