#!/bin/sh
# The lock-free parts under all interleavings of two or three threads: model/model.c, with the library compiled so that every
# access to memory is announced. usage: model.sh [SOURCE [OBJECTS]]   another source tree; where objects are kept
. "${srcdir:-.}/tests/build_lib.sh"
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
ulimit -c 0
case $(uname -m) in
x86_64) ;;
*)
    echo "model: its coroutines are for x86-64 only"
    exit 77
    ;;
esac
src=${1:-$top} objects=${2:-$tmp/objects}
# shellcheck disable=SC2034
leave_out='mem_api mem_check mem_io mem_wide malloc_api cxx_api alloc_token token_api'
lib_compile "$src" "$objects" -O1 -fsanitize=thread || exit 1
wraps=
for f in pthread_key_create pthread_setspecific ty_os_now_ms ty_os_random ty_os_zero_in_child ty_lock_slow ty_die; do wraps="$wraps -Wl,--wrap=$f"; done
# shellcheck disable=SC2086
$CC $lib_flags -O2 "-I$src/include" -iquote "$src/lib" "$top/tests/model/explore.c" "$top/tests/model/model.c" "$objects"/*.o \
    -o "$tmp/model" $wraps || exit 1
failed=0
# The bugs that are to be seeded (seeded.sh) take long to try; that each still has its place in the source is soon seen.
if [ $# -eq 0 ] && command -v python3 >/dev/null; then
    python3 "$top/tests/seeded/apply.py" "$top/tests/seeded/bugs.txt" check "$top" || failed=1
fi
for scenario in $("$tmp/model" --list); do
    timeout 100 "$tmp/model" "$scenario" 2>"$tmp/err" || {
        cut -c 1-1000 "$tmp/err"
        failed=1
    }
done
[ $failed = 0 ] && echo "model: passed"
exit $failed
