#!/bin/sh
# Sampled objects and reports of faults: what each misuse of a sampled object ends with, word by word; rate, limits, P1, fork, threads.
. "${srcdir:-.}/tests/said.sh"
program=sample_program

prefix="typed_malloc: $program\\[[0-9]+\\]"
what="call site 0x[0-9a-f]+ $program\\+0x[0-9a-f]+(<[^ ,]+)*, 112-byte cache"
stack="0x[0-9a-f]+ $program\\+0x[0-9a-f]+( < [^ ]+)+ \\(thread [0-9]+\\)"
made="$prefix   allocated by $stack"
freed="$prefix   freed by $stack"
accessed="$prefix   accessed by 0x[0-9a-f]+ $program\\+0x[0-9a-f]+ \\(thread [0-9]+\\)"

# said PATTERN...: standard error is just these lines.
said() {
    [ "$(wc -l <err)" = $# ] || return 1
    n=0
    for line; do
        n=$((n + 1))
        sed -n ${n}p err | grep -qxE "$line" || return 1
    done
}
# ends STATUS OPTIONS ARGUMENT... -- PATTERN...
ends() {
    expected=$1 options=$2
    shift 2
    arguments=
    while [ "$1" != -- ]; do
        arguments="$arguments $1"
        shift
    done
    shift
    # shellcheck disable=SC2086
    run "$options" $arguments
    object=$(sed -n 's/^object //p' out)
    patterns=$(for line; do printf '%s\n' "$line" | sed "s/OBJECT/$object/g"; done)
    oldifs=$IFS
    IFS='
'
    # shellcheck disable=SC2086
    said $patterns && { IFS=$oldifs; [ "$status" = "$expected" ] && ! grep -q '^survived$' out; } ||
        { IFS=$oldifs; fail "options \"$options\":$arguments: exit $status"; }
    IFS=$oldifs
}

# The line that names a stack begins at the function that called: within 200 bytes of its start.
within() {
    at=$(sed -nE "s/.*   $1 (0x[0-9a-f]+) .*/\\1/p" err)
    start=$(sed -n "s/^$2 //p" out)
    [ -n "$at" ] && [ $((at - start)) -gt 0 ] && [ $((at - start)) -lt 200 ] || fail "\"$1\" $at is not in $2() at $start"
}

# ---- the harness: without the library nothing passes ----
"$dir/$program" rate >out 2>err
[ $? = 90 ] || fail "runs without the library"

# ---- crimes that a check finds ----
o=sample=1
ends 134 $o crime overflow1 -- "$prefix free\\(\\): overflow of OBJECT \\($what\\)" "$made"
within 'allocated by' make
ends 134 $o crime double -- "$prefix free\\(\\): double free of OBJECT \\($what\\)" "$made" "$freed"
within 'allocated by' make
within 'freed by' release
ends 134 $o crime interior -- "$prefix free\\(\\): interior pointer 0x[0-9a-f]+ \\($what\\)" "$made"
ends 134 $o crime sized -- "$prefix free_sized\\(\\): wrong size 101 for OBJECT \\($what\\)" "$made"
ends 134 $o crime usable -- "$prefix malloc_usable_size\\(\\): use after free of OBJECT \\($what\\)" "$made" "$freed"
ends 134 $o crime realloc -- "$prefix realloc\\(\\): double free of OBJECT \\($what\\)" "$made" "$freed"

# ---- crimes that the processor finds ----
behind="$prefix access behind OBJECT \\(0x[0-9a-f]+ is [0-9]+ bytes behind the end of 100 bytes at OBJECT; $what\\)"
for stack_option in '' --stack; do
    ends 139 $o crime overflow16 $stack_option -- "$behind" "$accessed" "$made"
    ends 139 $o crime over_read $stack_option -- "$behind" "$accessed" "$made"
    ends 139 $o crime underflow $stack_option -- \
        "$prefix access before OBJECT \\(0x[0-9a-f]+ is [0-9]+ bytes before 100 bytes at OBJECT; $what\\)" "$accessed" "$made"
    ends 139 $o crime use $stack_option -- \
        "$prefix use after free at 0x[0-9a-f]+ \\(10 bytes into 100 bytes at OBJECT; $what\\)" "$accessed" "$made" "$freed"
    within 'allocated by' make
    within 'freed by' release
done
large="call site 0x[0-9a-f]+ $program\\+0x[0-9a-f]+(<[^ ,]+)*, [0-9]+-byte cache"
ends 139 '' fault large_use -- "$prefix use after free at 0x[0-9a-f]+ \\(5 bytes into 1048576 bytes at OBJECT; $large\\)" "$accessed"
ends 139 '' fault large_overflow -- \
    "$prefix access behind OBJECT \\(0x[0-9a-f]+ is 20 bytes behind the end of 100000 bytes at OBJECT; $large\\)" "$accessed"
ends 139 '' fault nothing -- "$prefix access to an object of no bytes at OBJECT" "$accessed"

# ---- what is not ours ends as ever ----
for kind in null sent killed; do
    ends 139 '' fault $kind --
done
ends 139 $o:faults=0 crime use --
ends 139 faults=0 fault nothing --
run $o crime use --own
[ $status = 7 ] && grep -q '^own handler 0x' out && [ ! -s err ] || fail "the program's own handler: exit $status"
for pair in faults=0/default faults=1/handler /handler; do
    run "${pair%/*}" installed
    [ "$(cat out)" = "${pair#*/}" ] || fail "options \"${pair%/*}\": the disposition of SIGSEGV is $(cat out)"
done
(
    trap '' SEGV
    run '' installed
    [ "$(cat out)" = ignored ]
) || fail "a disposition that is inherited is changed"

# ---- behaviour ----
passes() {
    run "$@"
    [ $status = 0 ] && [ ! -s err ] || fail "options \"$1\": $2: exit $status"
}
passes sample=1 honest
passes sample=16 rate --kib 16
passes sample=60 rate --kib 60
passes '' default
passes sample=0 off
passes sample=1 p1
passes sample=1 live
passes sample=16 fork
passes sample=4 threads
passes sample=4:stats=/dev/null threads

exit $failed
