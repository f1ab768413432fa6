#!/bin/bash
# Memcheck on planted bugs (valgrind/planted.c), with the library's heap and with valgrind's malloc: each is told with its line, and the
# fixed program is silent. Without an argument a few of them, with "all" all, in C, by clang's pass and in C++ (some minutes).
. "${srcdir:-.}/tests/valgrind/common.sh"
planted=$src/tests/valgrind/planted.c

# under HEAP PROGRAM BUGS: into $tmp/log.
under() {
    # In a shell of its own, which says nothing of the signal that ends it.
    ("$run" --valgrind --valgrind-heap="$1" --valgrind-option=--suppressions="$supp" \
        --valgrind-option=--show-leak-kinds=all --valgrind-option=--errors-for-leak-kinds=all -- "$2" $3; exit $?) >"$tmp/log" 2>&1
}

# Sentences of Memcheck's, or of the library's where Memcheck cannot know.
sentence() {
    case $1 in
    string) echo 'Invalid read of size 1' ;;
    use) echo 'Invalid read of size' ;;
    use_large | late) echo 'Invalid read of size 1' ;;
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

# said PROGRAM HEAP BUG: from the sentence on, within its paragraph, is the line of the bug; for one after a free, both stacks.
said() {
    line=$(grep -nE "/\* (at|from) $3 \*/" "$planted" | cut -d: -f1)
    [ -n "$line" ] || { fail "no line has $3"; return; }
    want=$(sentence "$3")
    stacks=
    case $3 in use | use_large | late) stacks=yes ;; esac
    awk -v want="$want" -v at="planted.c:$line)" -v stacks=$stacks '
        function judge() { found = found || (here && (!stacks || (freed && made))); in_it = 0 }
        index($0, want) { if (in_it) judge(); in_it = 1; blank = here = freed = made = 0 }
        in_it && index($0, at) { here = 1 }
        in_it && /free.d$/ { freed = 1 }
        in_it && /Block was alloc.d at/ { made = 1 }
        in_it && /^==[0-9]+== *$/ && ++blank > 1 { judge() }
        END { if (in_it) judge(); exit !found }' "$tmp/log" || fail "$1, $2, $3: \"$want\" with line $line is not said"
}

# planted PROGRAM HEAP BUGS: one run.
planted() {
    under "$2" "$1" "$3" 2>/dev/null
    rc=$?
    case $rc in 99 | 134 | 139) ;; *) fail "$1, $2, $3: exit code $rc" ;; esac
    for bug in $3; do
        said "$1" "$2" "$bug"
    done
}

fixed() {
    under "$2" "$1" ''
    rc=$?
    [ $rc = 0 ] && grep -q '^end$' "$tmp/log" && grep -q 'ERROR SUMMARY: 0 errors' "$tmp/log" ||
        fail "$1, $2: the fixed program is not silent (exit $rc)"
}

# Those after which the program goes on with either heap are planted together, the others each for itself.
together='fixed variable array aligned large string cache bucket use stale grown use_large late
    uninitialised definite indirect possible reachable'
alone='underflow mismatch double interior size realloc'
[ "$1" = all ] || together='fixed uninitialised indirect' alone='double mismatch'

flags='-O1 -gdwarf-4 -fno-inline -fno-builtin'
programs=$tmp/c
build "$tmp/c" "${CC:-cc}" $flags "$planted"
if [ "$1" = all ]; then
    if [ -n "$clang" ]; then
        build "$tmp/pass" $clang $flags -fsanitize=alloc-token "$planted" && programs="$programs $tmp/pass"
        [ -n "$clangxx" ] && build "$tmp/cxx" $clangxx $flags -x c++ -std=c++20 "$planted" && programs="$programs $tmp/cxx"
    fi
fi
for program in $programs; do
    for heap in ours valgrind; do
        fixed "$program" $heap
        planted "$program" $heap "$together"
        for one in $alone; do
            planted "$program" $heap $one
        done
    done
done

# With origins, which take another way to the heap's memory.
if [ "$1" = all ]; then
    export VALGRIND_OPTS=--track-origins=yes
    fixed "$tmp/c" ours
    planted "$tmp/c" ours 'uninitialised definite'
    grep -q 'Uninitialised value was created by a heap allocation' "$tmp/log" || fail 'no origin is told'
    unset VALGRIND_OPTS
fi

# The ordinary tests' programs under Memcheck, with the library's heap: they look at what malloc gives, so that is told to be defined.
if [ "$1" = all ]; then
    for program in conform_aligned conform_libc 'stress --threads 2 --ops 3000'; do
        TYPED_MALLOC_OPTIONS=valgrind_zero=2 "$run" --valgrind --valgrind-option=--suppressions="$supp" --valgrind-option=--leak-check=no \
            -- "${builddir:-.}/tests/"$program >"$tmp/log" 2>&1 || fail "$program (exit $?)"
    done
fi
conclude 'valgrind'
