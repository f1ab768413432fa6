#!/bin/sh
# Bugs seeded into the allocator (seeded/bugs.txt), one at a time: the tests here must find each, and nothing in what is not changed.
#
# usage: seeded.sh [--list | NAME...]      all, or the named ones; --list: their names, and what is to find them
# Environment: builddir and srcdir, as in `make check-seeded`, which builds what this needs.
. "${srcdir:-.}/tests/build_lib.sh"
bugs=$top/tests/seeded/bugs.txt
apply() { python3 "$top/tests/seeded/apply.py" "$bugs" "$@"; }
case $1 in
--list)
    apply names
    exit
    ;;
-*)
    echo "seeded.sh: bad option $1; usage: seeded.sh [--list | NAME...]" >&2
    exit 2
    ;;
esac
all=$(apply names) || exit 2
for name; do
    echo "$all" | grep -q "^$name " || {
        echo "seeded.sh: no bug $name" >&2
        exit 2
    }
done
tests=$builddir/tests
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
ulimit -c 0
failed=0

# ---- what may find a bug: each is told the library, its sources and its objects, and succeeds when it finds nothing ----
run() {
    options=$1
    shift
    timeout 200 env LD_PRELOAD="$lib" TYPED_MALLOC_OPTIONS="partition=typed:untyped=callsite:sample=0:$options" "$@"
}
fuzz() {
    options=$1
    shift
    for seed in 1 2; do run "$options" "$tests/fuzz/attacker" --once --threads 3 --seed $seed "$@" || return; done
}
script() { (cd "$builddir" && FIRST_FAILURE=yes TYPED_MALLOC_LIB=$lib srcdir=$top sh "$top/tests/$1"); }
try_attacker() { fuzz '' --ops 2048 --every 15; }
try_large_race() { fuzz '' --crime race_large --every 6 --ops 1500; }
try_p1() { for seed in 1 2 3; do run decay_ms=0 "$tests/p1_recorder" --types 20 --threads 4 --ops 20000 --seed $seed || return; done; }
try_stress() { for seed in 1 2 3; do run decay_ms=0 "$tests/stress" --threads 8 --ops 40000 --seed $seed || return; done; }
try_typed_double_free() { # it ends in the sentence, or the bug is there
    ! run '' "$tests/attack/double_free_typed" 512 >"$tmp/typed" && ! grep -q survived "$tmp/typed"
}
try_overflow() { fuzz '' --crime overflow --every 6 --ops 4000; }
try_handle() { fuzz '' --crime bad_handle --every 6 --ops 2000; }
try_purge() { fuzz '' --crime write_before_trim --every 6 --ops 1000; }
try_quarantine() { fuzz quarantine=64 --ops 1024 --every 30; }
try_strong() { script options_strong.sh; }
try_never_reuse() { script options_strong.sh; }
try_mismatch() { script options_strong.sh; }
try_sample() { script sample_run.sh; }
try_model() { (cd "$builddir" && CC=$CC srcdir=$top sh "$top/tests/model.sh" "$source" "$model"); }
try_unit_random() { unit random; }
try_unit_bits() { unit bits; }
try_unit_type() { unit type; }
try_unit_tcache() { unit tcache; }
try_unit_cache() { unit cache; }
try_unit_site() { unit site; }
try_wrapper() { # it is harmless, or the bug is there
    run '' "$tests/attack/spray_wrapper" 100 >"$tmp/wrapper" && grep -q harmless "$tmp/wrapper" &&
        run '' "$tests/attack/spray_wrapper" 100 deep >"$tmp/wrapper" && grep -q harmless "$tmp/wrapper"
}
try_p1_sites() { for seed in 1 2 3; do run decay_ms=20 "$tests/p1_call_sites" --seed $seed || return; done; }
unit() {
    test_file=$top/tests/unit_$1.c
    flags=$(sed -n 's/^CRITERION_CFLAGS = //p' "$builddir/Makefile") libs=$(sed -n 's/^CRITERION_LIBS = //p' "$builddir/Makefile")
    [ -n "$libs" ] || return 77
    set --
    for o in "$objects"/*.o; do
        case ${o##*/} in malloc_api.o | cxx_api.o | alloc_token.o | token_api.o | named_api.o) ;; *) set -- "$@" "$o" ;; esac
    done
    rm -f "$tmp/units.a"
    ar crs "$tmp/units.a" "$@" || return # as in the build: unit_site wants no heap
    # shellcheck disable=SC2086
    $CC $lib_flags -O1 $flags "-I$source/include" -iquote "$source/lib" "$test_file" "$tmp/units.a" -o "$tmp/unit" -static-libgcc $libs -lm &&
        TYPED_MALLOC_OPTIONS=sample=0 timeout 100 "$tmp/unit"
}

# build NAME: $tmp/NAME/lib to $lib
build() {
    source=$tmp/$1 objects=$tmp/$1/objects model=$tmp/$1/model lib=$tmp/$1/libtyped_malloc.so
    lib_compile "$source" "$objects" -O1 && lib_link "$objects" "$lib"
}

lib_copy "$tmp/clean"
build clean || exit 99
clean_tests=' '
# clean TEST: finds nothing in what is not changed. Once for each test.
clean() {
    case $clean_tests in *" $1 "*) return ;; esac
    clean_tests="$clean_tests$1 "
    source=$tmp/clean objects=$tmp/clean/objects model=$tmp/clean/model lib=$tmp/clean/libtyped_malloc.so
    "try_$1" >"$tmp/out" 2>&1 && return
    status=$?
    echo "FAIL: without any bug, $1 ends with $status:"
    tail -n 5 "$tmp/out"
    failed=1
}

# seed NAME TEST...
seed() {
    bug=$1
    shift
    cp -rp "$tmp/clean" "$tmp/$bug"
    changed=$(apply "$bug" "$top" "$tmp/$bug") || exit 2
    for file in $changed; do
        case $file in
        *.h) rm -rf "$tmp/$bug/objects" "$tmp/$bug/model" ;;
        *) rm -f "$tmp/$bug/objects/$(basename "$file" .c).o" "$tmp/$bug/model/$(basename "$file" .c).o" ;;
        esac
    done
    build "$bug" >"$tmp/out" 2>&1 || {
        cat "$tmp/out"
        echo "FAIL: $bug cannot be compiled"
        exit 2
    }
    found= skipped=
    for test; do
        "try_$test" >"$tmp/out" 2>&1
        status=$?
        case $status in
        0) ;;
        77 | 90 | 99) skipped=$status ;; # nothing has been tried
        *) found=$test && break ;;
        esac
    done
    if [ -n "$found" ]; then
        printf 'found: %-24s by %s: %s\n' "$bug" "$found" "$(grep -aE '^typed_malloc: |WRONG|FAIL|not |thread [0-9]|\[----\]' "$tmp/out" | head -n 1 | cut -c 1-100)"
    elif [ -n "$skipped" ]; then
        echo "skipped: $bug: $* cannot run here"
    else
        echo "FAIL: $bug is not found by $*"
        failed=1
    fi
    rm -rf "${tmp:?}/$bug"
}

count=0
while read -r this tests_for; do
    if [ $# -gt 0 ]; then
        case " $* " in *" $this "*) ;; *) continue ;; esac
    fi
    count=$((count + 1))
    # shellcheck disable=SC2086
    set_for=$tests_for
    for test in $set_for; do clean "$test"; done
    # shellcheck disable=SC2086
    seed "$this" $set_for </dev/null
done <<END
$all
END
echo "seeded: $count bugs$([ $failed = 0 ] && echo ', each found')"
exit $failed
