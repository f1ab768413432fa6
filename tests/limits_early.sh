#!/bin/sh
# The heap starts with the first allocation, whatever the program has done before it (limits_early.c).
lib=${TYPED_MALLOC_LIB:?is not set}
dir=${TESTS_DIR:-tests}
failed=0
ulimit -c 0
unset TYPED_MALLOC_OPTIONS
fail() { echo "FAIL: $*"; failed=1; }
early() { env LD_PRELOAD="$lib" "$dir/limits_early" "$@" 2>&1; }
for how in idle forked prctl call prctl_call calls locked locked_by_call limited_once too_limited_once cloned heard limit_in_vfork handlers short_stack environment; do
    out=$(early $how)
    case $?:$out in
    0:*nonsense*) fail "$how: $out" ;;
    0:*passed) ;;
    77:*) echo "$out" ;;
    *) fail "$out" ;;
    esac
done
# Calls that neither libc nor the dynamic linker makes at the start: getpid, gettid, fstat, faccessat.
if [ "$(uname -m)" = x86_64 ]; then
    for call in 39 186 5 269; do
        out=$(early under $call)
        case $?:$out in
        0:*passed | 77:*) ;;
        *) fail "under a filter that ends who makes call $call: $out" ;;
        esac
    done
fi
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
mkdir "$work/etc"
echo "nonsense=1" >"$work/etc/typed_malloc.conf"
out=$(early confined "$work")
case $?:$out in
0:*nonsense*) fail "options of a directory that the program confined itself to: $out" ;;
0:*passed | 77:*) ;;
*) fail "$out" ;;
esac
out=$(early other_file "$work/database")
[ $? = 134 ] || fail "a double free after another file became standard error: $out"
env LD_PRELOAD="$lib" "$dir/limits_early" other_file "$work/database" 2>&- # not open at the start
[ $? = 134 ] || fail "a double free with standard error closed at the start"
[ -s "$work/database" ] && fail "a sentence was written to the program's file: $(cat "$work/database")"
out=$(early renamed)
case $out in
*"limits_early["*"double free"*) ;;
*) fail "a program that changes its title: $out" ;;
esac
out=$(early foreign)
case $?:$out in
134:*"free(): foreign pointer"*) ;;
*) fail "free of a foreign pointer before any allocation: $out" ;;
esac
# The system's file of options is out of reach when the heap starts. (In a file system of our own.)
if unshare -rm mount --bind "$work/etc" /etc 2>/dev/null; then
    cp /etc/ld.so.cache "$work/etc/" 2>/dev/null
    out=$(unshare -rm sh -c 'mount --bind "$1" /etc && ulimit -n 20 && exec env LD_PRELOAD="$2" "$3" works' sh "$work/etc" "$lib" \
        "$(command -v "$dir/limits_early")" 2>&1)
    case $out in
    *'unknown option "nonsense"'*passed) ;;
    *) fail "the system's file of options: $out" ;;
    esac
else
    echo "no file systems of our own here: skipped"
fi
# Options concern a program that never allocates, too.
out=$(env TYPED_MALLOC_OPTIONS=nonsense=1 LD_PRELOAD="$lib" "$dir/limits_early" 2>&1)
case $out in
*'unknown option "nonsense"'*) ;;
*) fail "nothing is said of an unknown option: $out" ;;
esac
exit $failed
