#!/bin/sh
# Runs every attack under the preloaded library and compares its end with the table below: death by the right signal, and on
# stderr the exact line. Row 0 judges the judge: what is not stopped, or only looks like it, must count as failed.
#
# usage: run.sh [-v] [PATTERN]      environment: TYPED_MALLOC_LIB (the library), ATTACKS (directory of the programs)

lib=${TYPED_MALLOC_LIB:?is not set}
dir=${ATTACKS:-tests/attack}
verbose= only=. options=partition=typed:sample=0
[ "$1" = -v ] && verbose=1 && shift
[ -n "$1" ] && only=$1
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
ulimit -c 0
unset ATTACK_FOREIGN

# run PRELOAD PROGRAM ARGUMENT...: leaves $status, $tmp/out and $tmp/err.
run() {
    preload=$1 program=$2
    shift 2
    { timeout 60 env LD_PRELOAD="$preload" TYPED_MALLOC_OPTIONS="$options" "$dir/$program" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null; } 2>/dev/null
    status=$?
}

# judge PROGRAM END MESSAGE: END is abort, segv, either, ok (exit 0, "harmless" or, where the system lacks what is
# attacked, a skip), safe (ok or segv), or race (abort, and more than one thread may say so); in MESSAGE "@" stands for the
# address the program named, "#" for any address. Says why not in $why.
judge() {
    pid= address= said=
    while read -r first second third; do
        case $first in
        crime) pid=$second address=$third ;;
        survived) said=survived ;;
        harmless) said=${said:-harmless} ;;
        esac
    done <"$tmp/out"
    why="ended with $status${said:+: $said}"
    case $2.$status.$said in
    safe.139.) return 0 ;;
    safe.0.harmless | ok.0.harmless | safe.77. | ok.77.) return 0 ;;
    safe.* | ok.*) return 1 ;;
    *.survived | *.harmless) return 1 ;;
    esac
    if [ -z "$pid" ]; then
        why="exit $status before any crime"
        return 1
    fi
    case $2.$status in
    segv.139 | race.139 | either.139) return 0 ;;
    abort.134 | either.134 | race.134) ;;
    *) return 1 ;;
    esac
    case $3 in
    *@*) line=${3%%@*}$address${3#*@} ;;
    *'#'*) line=${3%%#*}0x[0-9a-f]+${3#*#} ;;
    *) line=$3 ;;
    esac
    if ! grep -qxE "typed_malloc: $1\\[$pid\\] $line" "$tmp/err"; then
        why="no line \"typed_malloc: $1[$pid] $line\""
        return 1
    fi
    lines=0
    while read -r first second; do
        [ "$first" != typed_malloc: ] || lines=$((lines + 1))
    done <"$tmp/err"
    [ $lines = 1 ] || [ "$2" = race ] && return 0
    why="more than one line"
    return 1
}

# How a cache is named in a message.
small='\((call site 0x[0-9a-f]+( [^ ,]+)?|type token 0x[0-9a-f]+), [0-9]+-byte cache\)'
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
judge false_alarm ok '' && broken "an attack that has reached its goal is said to be harmless"
run '' innocent
[ $status = 90 ] || broken "innocent does not notice that the library is missing (exit $status)"
run "$lib" bad_pointer free nonsense
judge bad_pointer abort '.*' && broken "a program that failed before its crime passes"
set -- $(ATTACK_PRELOAD= "$dir/rate" 3 "$dir/innocent")
[ "$4$6$8${10}" = 0003 ] || broken "rate counts programs without the library: $*"
set -- $(ATTACK_PRELOAD="$lib" "$dir/rate" 3 "$dir/false_alarm" 2)
[ "$4$6$8${10}" = 3000 ] || broken "rate does not count what is not stopped: $*"

# ---- the table ----
rows=0 failed=0
fail() {
    failed=$((failed + 1))
    printf 'FAIL: %s\n' "$*"
}
# C++ programs are built only where there is a compiler.
chosen() {
    [ "$only" = . ] || printf '%s\n' "$*" | grep -qE "$only" || return
    [ -x "$dir/$1" ] || [ ! -f "${srcdir:-.}/tests/attack/$1.cc" ]
}
# row TIMES END MESSAGE PROGRAM ARGUMENT...
row() {
    times=$1 end=$2 message=$3
    shift 3
    chosen "$@" || return
    while [ $times -gt 0 ]; do
        times=$((times - 1)) rows=$((rows + 1))
        run "$lib" "$@"
        if judge "$1" "$end" "$message"; then
            [ -n "$verbose" ] && printf 'pass: %s: %s\n' "$*" "$(head -n 1 "$tmp/err")"
        else
            fail "$*: $why"
            sed 's/^/      stderr: /' "$tmp/err"
            return
        fi
    done
}
# rate RUNS STOPPED HITS COMMON PROGRAM ARGUMENT...: by chance, in so many runs: at least so many in a hundred are stopped, at
# most so many in a hundred reach their goal, and the commonest value comes at most COMMON times. The rates are printed.
rate() {
    runs=$1 stopped=$2 hits=$3 common=$4 program=$5
    shift 5
    chosen "$program" "$@" || return
    rows=$((rows + 1))
    line=$(ATTACK_PRELOAD="$lib" TYPED_MALLOC_OPTIONS="$options" "$dir/rate" $runs "$dir/$program" "$@")
    set -- "$program $*" $line
    printf 'rate: %s: of %s runs %s reach their goal, %s are stopped%s\n' "$1" "$3" "$5" "$7" \
        "$([ "${13}" = 0 ] || echo ", the commonest value comes ${13} times")"
    [ "${11}" = 0 ] && [ $((100 * $7)) -ge $((stopped * runs)) ] && [ $((100 * $5)) -le $((hits * runs)) ] &&
        [ "${13}" -le "$common" ] || fail "$1: $line"
}

. "${srcdir:-.}/tests/attack/table.sh"

echo "attacks: $rows rows, $failed failed"
[ $rows -gt 0 ] && [ $failed = 0 ]
