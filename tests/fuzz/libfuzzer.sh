#!/bin/sh
# libFuzzer on the allocator's own operations: libfuzzer.sh SECONDS [DIRECTORY]. The library and the sequence are compiled here, the
# library so that its coverage leads the search. New inputs go to DIRECTORY; one that fails becomes crash-... there, and is replayed by
# tests/fuzz/sequence. Exit status 77: no clang with libFuzzer.
. "${srcdir:-.}/tests/build_lib.sh"
case $1 in
'' | *[!0-9]*)
    echo "usage: libfuzzer.sh SECONDS [DIRECTORY]" >&2
    exit 2
    ;;
esac
seconds=$1
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
ulimit -c 0
CC=${FUZZ_CC:-clang-22}
echo 'int LLVMFuzzerTestOneInput(const char *p, long n); int LLVMFuzzerTestOneInput(const char *p, long n) { return !p && n; }' >"$tmp/try.c"
"$CC" -fsanitize=fuzzer "$tmp/try.c" -o "$tmp/try" 2>/dev/null || {
    echo "libfuzzer: $CC has none"
    exit 77
}
mkdir -p "${2:-$tmp/found}"
found=$(cd "${2:-$tmp/found}" && pwd)
lib_compile "$top" "$tmp/objects" -O1 -fsanitize=fuzzer-no-link && lib_link "$tmp/objects" "$tmp/libtyped_malloc.so" || exit 1
"$CC" -O1 -g -std=gnu17 -pthread -Wno-free-nonheap-object -fno-builtin-malloc -DWITH_LIBFUZZER -fsanitize=fuzzer "-I$top/include" "$top/tests/fuzz/sequence.c" \
    -o "$tmp/sequence" "-L$tmp" -ltyped_malloc "-Wl,-rpath,$tmp" || exit 1
cd "$found" || exit 99
TYPED_MALLOC_OPTIONS=${TYPED_MALLOC_OPTIONS:-sample=0} "$tmp/sequence" -max_total_time="$seconds" -max_len=600 -rss_limit_mb=0 -timeout=60 \
    -detect_leaks=0 -handle_segv=1 -print_final_stats=1 "$found" "$top/tests/fuzz/corpus" 2>"$tmp/log"
status=$?
tail -n 12 "$tmp/log"
exit $status
