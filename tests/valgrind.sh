#!/bin/bash
# Memcheck on planted bugs (valgrind/planted.c), with the library's heap and with valgrind's malloc: each is told with its line, and the
# fixed program is silent. Without an argument a few of them, with "all" all, in C, by clang's pass and in C++ (some minutes).
command -v valgrind >/dev/null || { echo 'no valgrind here'; exit 77; }
. "${srcdir:-.}/tests/compile.sh"
[ -f /usr/include/valgrind/memcheck.h ] || { echo 'no header of valgrind here'; exit 77; }
unset TYPED_MALLOC_OPTIONS
run=${builddir:-.}/tools/typed-run
supp=$src/lib/typed_malloc.supp
planted=$src/tests/valgrind/planted.c

# under HEAP PROGRAM BUG: into $tmp/log.
under() {
    "$run" --valgrind --valgrind-heap="$1" --valgrind-option=--suppressions="$supp" \
        --valgrind-option=--show-leak-kinds=all --valgrind-option=--errors-for-leak-kinds=all -- "$2" $3 >"$tmp/log" 2>&1
}

# Sentences of Memcheck's, or of the library's where Memcheck cannot know.
sentence() {
    case $1 in
    string) echo 'Invalid read of size 1' ;;
    use) echo 'Invalid read of size' ;;
    use_large) echo 'Invalid read of size 1' ;;
    double | interior | realloc) echo 'Invalid free()' ;;
    size) echo 'wrong size 40 for' ;;
    mismatch) echo 'object of another cache at' ;;
    uninitialised) echo 'depends on uninitialised value' ;;
    definite) echo 'are definitely lost' ;;
    indirect) echo 'are indirectly lost' ;;
    possible) echo 'are possibly lost' ;;
    reachable) echo 'are still reachable' ;;
    *) echo 'Invalid write of size 1' ;;
    esac
}

# planted PROGRAM HEAP BUG
planted() {
    line=$(grep -nE "/\* (at|from) $3 \*/" "$planted" | cut -d: -f1)
    [ -n "$line" ] || { fail "no line has $3"; return; }
    under "$2" "$1" "$3"
    rc=$?
    case $rc in 99 | 134 | 139) ;; *) fail "$1, $2, $3: exit code $rc" ;; esac
    # From the sentence on, within its paragraph, the line of the bug.
    want=$(sentence "$3")
    awk -v want="$want" -v at="planted.c:$line)" '
        index($0, want) { in_it = 1; said = 1 }
        in_it && index($0, at) { found = 1 }
        in_it && /^==[0-9]+== *$/ && ++blank > 1 { in_it = 0; blank = 0 }
        END { exit !(said && found) }' "$tmp/log" || fail "$1, $2, $3: \"$want\" with line $line is not said"
}

fixed() {
    under "$2" "$1" ''
    rc=$?
    [ $rc = 0 ] && grep -q '^end$' "$tmp/log" && grep -q 'ERROR SUMMARY: 0 errors' "$tmp/log" ||
        fail "$1, $2: the fixed program is not silent (exit $rc)"
}

all='fixed variable underflow array aligned large string cache mismatch bucket use double interior size stale realloc grown use_large
    uninitialised definite indirect possible reachable'
quick='fixed double mismatch uninitialised indirect'

flags='-O1 -gdwarf-4 -fno-inline -fno-builtin'
programs=$tmp/c
build "$tmp/c" "${CC:-cc}" $flags "$planted"
if [ "$1" = all ]; then
    quick=$all
    if [ -n "$clang" ]; then
        build "$tmp/pass" $clang $flags -fsanitize=alloc-token "$planted" && programs="$programs $tmp/pass"
        [ -n "$clangxx" ] && build "$tmp/cxx" $clangxx $flags -x c++ -std=c++20 "$planted" && programs="$programs $tmp/cxx"
    fi
fi
for program in $programs; do
    for heap in ours valgrind; do
        fixed "$program" $heap
        for bug in $quick; do
            planted "$program" $heap $bug
        done
    done
done

# The ordinary tests' programs under Memcheck, with the library's heap: they look at what malloc gives, so that is told to be defined.
if [ "$1" = all ]; then
    for program in conform_aligned conform_libc 'stress --threads 2 --ops 3000'; do
        TYPED_MALLOC_OPTIONS=valgrind_zero=2 "$run" --valgrind --valgrind-option=--suppressions="$supp" --valgrind-option=--leak-check=no \
            -- "${builddir:-.}/tests/"$program >"$tmp/log" 2>&1 || fail "$program (exit $?)"
    done
fi
conclude 'valgrind'
