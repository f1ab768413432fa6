#!/bin/sh
# Runs every attack under the preloaded library and compares its end with the table below: death by the right signal, and on
# stderr the exact line. Row 0 judges the judge: what is not stopped, or only looks like it, must count as failed.
#
# usage: run.sh [-v] [PATTERN]      environment: TYPED_MALLOC_LIB (the library), ATTACKS (directory of the programs)

lib=${TYPED_MALLOC_LIB:?is not set}
dir=${ATTACKS:-tests/attack}
verbose= only=.
[ "$1" = -v ] && verbose=1 && shift
[ -n "$1" ] && only=$1
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
ulimit -c 0

# run PRELOAD PROGRAM ARGUMENT...: leaves $status, $tmp/out and $tmp/err.
run() {
    preload=$1 program=$2
    shift 2
    { timeout 60 env LD_PRELOAD="$preload" TYPED_MALLOC_OPTIONS=partition=typed "$dir/$program" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null; } 2>/dev/null
    status=$?
}

# judge PROGRAM END MESSAGE: END is abort, segv, either or ok; in MESSAGE "@" stands for the address the program named,
# "#" for any address. Says why not in $why.
judge() {
    set -- "$1" "$2" "$3" $(sed -n 's/^crime //p' "$tmp/out" | tail -n 1)
    why=
    if [ "$2" = ok ]; then
        [ $status = 0 ] && grep -q '^survived$' "$tmp/out" && return 0
        why="ended with $status"
        return 1
    fi
    if [ $# != 5 ]; then
        why="exit $status before any crime"
        return 1
    fi
    if grep -q '^survived$' "$tmp/out"; then
        why="was not stopped"
        return 1
    fi
    case $2.$status in
    segv.139 | either.139) return 0 ;;
    abort.134 | either.134) ;;
    *)
        why="ended with $status"
        return 1
        ;;
    esac
    line=$(printf '%s' "$3" | sed "s/@/$5/; s/#/0x[0-9a-f]+/")
    if ! grep -qxE "typed_malloc: $1\\[$4\\] $line" "$tmp/err"; then
        why="no line \"typed_malloc: $1[$4] $line\""
        return 1
    fi
    [ "$(grep -c ^typed_malloc: "$tmp/err")" = 1 ] && return 0
    why="more than one line"
    return 1
}

# How a cache is named in a message.
small='\((call site|type token) 0x[0-9a-f]+, [0-9]+-byte cache\)'
any='\(.+\)'

# ---- row 0: the harness itself ----
broken() {
    echo "row 0: $*"
    exit 99
}
run "$lib" innocent
[ $status = 0 ] || broken "an innocent program ends with $status: $(cat "$tmp/err")"
judge innocent ok '' || broken "an innocent program is said to have failed"
judge innocent abort "free\\(\\): double free of @ $small" && broken "a program that was not stopped is said to have been"
run "$lib" false_alarm 0
judge false_alarm abort "free\\(\\): double free of @ $small" && broken "abort without a message passes"
run "$lib" false_alarm 1
judge false_alarm abort "free\\(\\): double free of @ $small" && broken "the message of another address passes"
judge false_alarm abort "free\\(\\): double free of # $small" || broken "the right message does not pass: $why"
run "$lib" false_alarm 2
judge false_alarm abort "free\\(\\): double free of # $small" && broken "a message without abort passes"
run '' innocent
[ $status = 90 ] || broken "innocent does not notice that the library is missing (exit $status)"
run "$lib" bad_pointer free nonsense
judge bad_pointer abort '.*' && broken "a program that failed before its crime passes"

# ---- the table ----
rows=0 failed=0
# row TIMES END MESSAGE PROGRAM ARGUMENT...
row() {
    times=$1 end=$2 message=$3
    shift 3
    printf '%s\n' "$*" | grep -qE "$only" || return
    [ "$1" != bad_delete ] || [ -x "$dir/$1" ] || return # built only where there is a C++ compiler
    while [ $times -gt 0 ]; do
        times=$((times - 1)) rows=$((rows + 1))
        run "$lib" "$@"
        if judge "$1" "$end" "$message"; then
            [ -n "$verbose" ] && printf 'pass: %s: %s\n' "$*" "$(head -n 1 "$tmp/err")"
        else
            failed=$((failed + 1))
            printf 'FAIL: %s: %s\n' "$*" "$why"
            sed 's/^/      stderr: /' "$tmp/err"
            return
        fi
    done
}

. "${srcdir:-.}/tests/attack/table.sh"

echo "attacks: $rows rows, $failed failed"
[ $rows -gt 0 ] && [ $failed = 0 ]
