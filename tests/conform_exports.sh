#!/bin/sh
# The library exports what lib/exports.list says, no less and no more, and without a version: a named version node would silently
# keep LD_PRELOAD from interposing.
lib=${TYPED_MALLOC_LIB:?is not set}
list=${srcdir:-.}/lib/exports.list
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
[ -s "$list" ] || { echo "$list is missing"; exit 1; }
nm -D --defined-only "$lib" | awk '{ print $3 }' | LC_ALL=C sort -u >"$tmp/is"
# The fast ABI: __alloc_token_<id>_<name> for each id of the configured number and each name.
fast=${TYPED_FAST_TOKENS:-16}
{
    LC_ALL=C sort -u "$list" | sed '/^#/d; /^$/d'
    for id in $(seq 0 $((fast - 1))); do
        sed -n "s/^__alloc_token_/__alloc_token_${id}_/p" "$list"
    done
} | LC_ALL=C sort -u >"$tmp/said"
if ! LC_ALL=C sort -c -u "$list"; then
    echo "$list is not sorted"
    exit 1
fi
if ! diff -u "$tmp/said" "$tmp/is"; then
    echo "the exports of $lib (+) are not those of $list (-)"
    exit 1
fi
if grep -q @ "$tmp/is" || readelf -V "$lib" | grep -q 'Version definition'; then
    echo "exports have versions"
    exit 1
fi
for need in malloc calloc realloc reallocarray free cfree free_sized free_aligned_sized posix_memalign aligned_alloc memalign \
    valloc pvalloc malloc_usable_size malloc_trim mallinfo mallinfo2 mallopt malloc_info malloc_stats __libc_malloc \
    __libc_calloc __libc_realloc __libc_free __libc_memalign __libc_valloc __libc_pvalloc _Znwm _Znam _ZdlPv _ZdaPv _ZdlPvm; do
    grep -qx "$need" "$tmp/is" || { echo "$need is not exported"; exit 1; }
done
if readelf -d "$lib" | grep NEEDED | grep -E 'libstdc|libc\+\+'; then
    echo "the library needs libstdc++"
    exit 1
fi
readelf -d "$lib" | grep -q BIND_NOW || readelf -d "$lib" | grep -qE 'FLAGS.*NOW' || { echo "not linked with -z now"; exit 1; }
readelf -lW "$lib" | grep -q GNU_RELRO || { echo "not linked with -z relro"; exit 1; }
if readelf -lW "$lib" | grep GNU_STACK | grep -q E; then
    readelf -lW "$lib" | grep GNU_STACK | grep -q 'RWE' && { echo "executable stack"; exit 1; }
fi
# What a small program's start depends on: few symbols to look up, and nothing read but the first 64 KiB (compiler.h), if ours is ld.
imports=$(nm -D --undefined-only "$lib" | awk '{ print $2 }' | sed 's/@.*//' | grep -cvx '__environ\|__progname') # (aliases that ld adds)
[ "$imports" -le 33 ] || { nm -D --undefined-only "$lib"; echo "$imports symbols to look up at each start, not 33 (chars.h)"; exit 1; }
if readelf -lW "$lib" | grep -q 'LOAD  *0x0*0 .* R E '; then
    for f in heap_constructor stats_destructor ty_conf_given ty_track_present ty_report_init ty_sample_init ty_os_on_fault \
        ty_os_file_id ty_os_may_exist; do
        at=$(nm "$lib" | awk -v f="$f" '$3 == f { print $1 }')
        [ -z "$at" ] || [ "$((0x$at))" -lt 65536 ] || { echo "$f is at 0x$at, behind the first 64 KiB"; exit 1; }
    done
fi
echo "exports: $(wc -l <"$tmp/is") symbols"
