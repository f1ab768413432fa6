#!/bin/sh
# Each __alloc_token_* function called by a compiled program (tokens_runtime.c, .cc) in every form of -fsanitize=alloc-token, with and
# without exceptions, and by hand (tokens_by_hand.c). That none is left out, the objects' undefined symbols say.
. "${srcdir:-.}/tests/compile.sh"
fast=${TYPED_FAST_TOKENS:-16}
grep ^__alloc_token_ "$src/lib/exports.list" | LC_ALL=C sort >"$tmp/names"
[ -s "$tmp/names" ] || { echo "no names in lib/exports.list"; exit 1; }

# called OBJECT...: the functions that they call, without the fast ABI's ids.
called() { nm -u "$@" | sed -n 's/^ *U __alloc_token_/__alloc_token_/p' | LC_ALL=C sort -u; }
# covers NAMES OBJECT...: the objects call each of the names.
covers() {
    names=$1
    shift
    called "$@" >"$tmp/called"
    LC_ALL=C comm -23 "$names" "$tmp/called" >"$tmp/log"
    [ ! -s "$tmp/log" ] || fail "not called by $*"
}
# one SOURCE COMPILER FLAG...: a program in one form, and a run; its object stays as $tmp/$n.o.
n=0
one() {
    source=$1 cc=$2
    shift 2
    n=$((n + 1))
    try "compile $source $*" "$cc" $common -Wall -Wextra -Wno-tautological-compare "$@" -c -o "$tmp/$n.o" "$here/$source" &&
        try "link $source $*" "$cc" -o "$tmp/p" "$tmp/$n.o" $link && try "run: $source $*" "$tmp/p"
}

# ---- by hand: any compiler ----
ids=
i=0
while [ $i -lt $fast ] && [ $i -lt 16 ]; do # the generated source would be very long with 1024
    ids="$ids X($i)" i=$((i + 1))
done
hand=${clang:-${CC%% *}}
one tokens_by_hand.c $hand -std=gnu17 -O1 ${ids:+-DFAST=$fast "-DFAST_IDS(X)=$ids"}
{
    cat "$tmp/names"
    i=0
    while [ $i -lt $fast ] && [ $i -lt 16 ]; do
        sed "s/^__alloc_token_/__alloc_token_${i}_/" "$tmp/names"
        i=$((i + 1))
    done
} | LC_ALL=C sort >"$tmp/all"
covers "$tmp/all" "$tmp/$n.o"

# ---- by the compiler ----
[ -n "$clang" ] || { echo "calls by the compiler: skipped, as no clang 22 or later is here"; [ $failed = 0 ] && exit 77; exit 1; }
libc='canonicalize_file_name|fmemopen|open_memstream|open_wmemstream|str(n)?dup|tempnam|wcsdup'
grep -vE "__alloc_token_($libc)\$" "$tmp/names" | grep -vE 'Zn|size_returning' >"$tmp/c"
grep -E 'Zn|size_returning' "$tmp/names" >"$tmp/cxx"
# clang knows strdup and strndup, and leaves them as they are.
grep -E "__alloc_token_($libc)\$" "$tmp/names" | grep -v 'str.*dup' >"$tmp/libc"
[ "$(cat "$tmp/c" "$tmp/cxx" "$tmp/libc" | wc -l)" = 36 ] || fail "not the names that this test knows"
token=-fsanitize=alloc-token
extended=$token\ -fsanitize-alloc-token-extended
bounded=$token\ -falloc-token-max=16\ -DBOUNDED\ -DTYPED_MALLOC_NO_MACROS
for opt in -O0 -O2; do
    for exceptions in -fno-exceptions -fexceptions; do
        one tokens_runtime.c $clang -std=gnu17 $opt $exceptions $token
        covers "$tmp/c" "$tmp/$n.o"
        [ -n "$clangxx" ] || continue
        one tokens_runtime.cc $clangxx -std=c++17 $opt $exceptions $token
        covers "$tmp/cxx" "$tmp/$n.o"
    done
    one tokens_runtime.c $clang -std=gnu17 $opt $extended -DEXTENDED
    cat "$tmp/c" "$tmp/libc" | LC_ALL=C sort >"$tmp/both"
    covers "$tmp/both" "$tmp/$n.o"
    one tokens_runtime.c $clang -std=gnu17 $opt $extended -fexceptions -DEXTENDED
    one tokens_runtime.c $clang -std=gnu17 $opt $bounded
    covers "$tmp/c" "$tmp/$n.o"
    [ -z "$clangxx" ] || one tokens_runtime.cc $clangxx -std=c++17 $opt $bounded
    # The fast ABI: some id before each name, and no name without one.
    [ $fast -ge 16 ] || continue
    for exceptions in -fno-exceptions -fexceptions; do
        one tokens_runtime.c $clang -std=gnu17 $opt $exceptions $bounded -fsanitize-alloc-token-fast-abi
        cp "$tmp/$n.o" "$tmp/fast_c.o"
        called "$tmp/$n.o" | sed 's/^__alloc_token_[0-9]*_/__alloc_token_/; t; s/^/plain: /' | LC_ALL=C sort -u >"$tmp/ids"
        LC_ALL=C comm -3 "$tmp/c" "$tmp/ids" >"$tmp/log"
        [ ! -s "$tmp/log" ] || fail "the fast ABI's calls in C"
        [ -n "$clangxx" ] || continue
        one tokens_runtime.cc $clangxx -std=c++17 $opt $exceptions $bounded -fsanitize-alloc-token-fast-abi
        called "$tmp/$n.o" | sed 's/^__alloc_token_[0-9]*_/__alloc_token_/; t; s/^/plain: /' | LC_ALL=C sort -u >"$tmp/ids"
        LC_ALL=C comm -3 "$tmp/cxx" "$tmp/ids" >"$tmp/log"
        [ ! -s "$tmp/log" ] || fail "the fast ABI's calls in C++"
    done
done
# The header's own functions keep their names.
cat >"$tmp/header.c" <<'END'
#include "typed_malloc.h"
struct n { struct n *next; int v; };
struct f { int n; int a[]; };
int main(void)
{
	struct n *p = typed_malloc_obj(struct n), *q = typed_malloc(sizeof *q), *r = typed_malloc_objs(struct n, 4),
		 *s = (struct n *)typed_calloc(3, sizeof *s), *t = typed_realloc(s, 10 * sizeof *s), *u = typed_memalign(64, sizeof *u);
	struct f *f = typed_malloc_flex(struct f, a, 9);
	void *k = typed_cache_alloc(typed_cache_create("k", 32, 0, 0)), *b = typed_buckets_alloc(typed_buckets_create("b", 0), 9);
	return typed_malloc_is(p, struct n) != 1 || typed_malloc_is(q, struct n) != 1 || typed_malloc_is(r, struct n) != 1 ||
	       typed_malloc_is(t, struct n) != 1 || typed_malloc_is(u, struct n) != 1 || typed_malloc_is(f, struct f) != 1 || !k || !b ||
	       !typed_strdup("a");
}
END
for opt in -O0 -O2; do
    build "$tmp/header" $clang $opt $extended "$tmp/header.c" && try "header $opt" "$tmp/header"
    n=$((n + 1))
done
[ $fast -ge 16 ] || echo "fast ABI: skipped, as the library has only $fast ids"
echo "$n programs"
conclude tokens_runtime
