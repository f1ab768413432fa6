#!/bin/sh
# libtyped_malloc_mem.so: its functions with the library and alone, its exports, and real programs under both.
lib=${TYPED_MALLOC_LIB:?is not set}
mem=${lib%/*}/libtyped_malloc_mem.so
dir=${builddir:-.}/tests
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
ulimit -c 0
failed=0

fail() {
    echo "FAIL: $*"
    failed=1
}

# Row 0: a test that nothing is loaded for must notice.
LD_PRELOAD=$lib "$dir/mem_functions" 2>/dev/null
[ $? = 90 ] || fail "mem_functions does not notice that libtyped_malloc_mem.so is missing"
LD_PRELOAD=$mem "$dir/mem_functions" 2>/dev/null
[ $? = 90 ] || fail "mem_functions does not notice that libtyped_malloc.so is missing"

# Every function, either order of the two, and alone.
for preload in "$lib $mem" "$mem $lib"; do
    LD_PRELOAD=$preload "$dir/mem_functions" || fail "mem_functions under $preload"
done
LD_PRELOAD=$mem "$dir/mem_functions" alone || fail "mem_functions alone"

# What is exported is what is tested, and without a version.
nm -D --defined-only "$mem" | awk '{ print $3 }' | LC_ALL=C sort >"$tmp/is"
LD_PRELOAD="$lib $mem" "$dir/mem_functions" --names | LC_ALL=C sort >"$tmp/tested"
diff -u "$tmp/tested" "$tmp/is" || fail "the exports (+) are not what is tested (-)"
! grep -q @ "$tmp/is" || fail "exports have versions"
readelf -d "$mem" | grep NEEDED | grep -v 'libc\.so' && fail "needs more than libc"

# Programs that do nothing wrong.
innocent() {
    want=$("$@" 2>&1)
    got=$(LD_PRELOAD="$lib $mem" "$@" 2>&1)
    [ "$want" = "$got" ] || fail "$* says under the libraries: $got"
}
innocent sh -c 'i=0; while [ $i -lt 500 ]; do s="$s $i"; i=$((i + 1)); done; echo "$s"'
innocent awk 'BEGIN { for (i = 0; i < 30000; i++) { a[i] = a[i - 1] % 7 "x"; s = s a[i] } print length(s) }'
innocent sort -r "${srcdir:-.}/lib/mem_api.c"
innocent sed 's/void/&&&&/g' "${srcdir:-.}/lib/mem_api.c"
innocent grep -c return "${srcdir:-.}/lib/mem_api.c"
for each in perl python3 sqlite3 git; do
    command -v $each >"$tmp/path" || continue
    case $each in
    perl) innocent perl -e '$h{$_} = "x" x ($_ % 700) for 1 .. 20000; print join(",", sort keys %h)' ;;
    python3) innocent python3 -c 'print(sorted({str(i): [i] * (i % 50) for i in range(20000)}.items())[-1])' ;;
    sqlite3) innocent sqlite3 :memory: 'with recursive t(i) as (select 1 union all select i + 1 from t where i < 20000)
        select count(*), sum(i), max(hex(i)) from (select i from t order by i % 97)' ;;
    git) innocent git diff --no-index --stat /dev/null "${srcdir:-.}/lib/mem_api.c" ;;
    esac
done

[ $failed = 0 ] && echo 'checked memory functions: all as they should be'
exit $failed
