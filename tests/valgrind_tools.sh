#!/bin/bash
# Massif, DHAT, Helgrind, DRD and Callgrind by typed-run, with the library's heap and with valgrind's malloc. In make check-valgrind.
. "${srcdir:-.}/tests/valgrind/common.sh"

flags='-O1 -gdwarf-4 -fno-inline -fno-builtin'
build "$tmp/peak" "${CC:-cc}" $flags "$here/valgrind/peak.c" || exit 1
build "$tmp/threads" "${CC:-cc}" $flags "$here/valgrind/threads.c" || exit 1

# under TOOL HEAP OPTION PROGRAM [ARGUMENT]: into $tmp/log.
under() {
    "$run" --valgrind="$1" --valgrind-heap="$2" --valgrind-option="$3" -- "$4" $5 >"$tmp/log" 2>&1
}

bytes=$((1000 * 1000 + 500 * 2000 + 100 * 3000 + 10 * 100000))
blocks=$((2 * 1610))

# near WHAT FOUND WANTED: not less, and not more than libc's own objects explain.
near() {
    [ -n "$2" ] && [ "$2" -ge "$3" ] && [ "$2" -le $(($3 + 150000)) ] || fail "$1: ${2:-nothing}, not $3"
}

for heap in ours valgrind; do
    under massif $heap "--massif-out-file=$tmp/massif" "$tmp/peak" || fail "massif, $heap: exit $?"
    near "massif, $heap: the peak" "$(sed -n 's/^mem_heap_B=//p' "$tmp/massif" | sort -n | tail -n 1)" $bytes
done

# DHAT follows malloc alone, so valgrind's is what typed-run takes.
"$run" --valgrind=dhat --valgrind-option="--dhat-out-file=$tmp/dhat" -- "$tmp/peak" >"$tmp/log" 2>&1 || fail "dhat: exit $?"
near 'dhat: bytes' "$(sed -n 's/,//g; s/^==[0-9]*== Total: *\([0-9]*\) bytes in.*/\1/p' "$tmp/log")" $((2 * bytes))
near 'dhat: blocks' "$(sed -n 's/,//g; s/^==[0-9]*== Total: .* in \([0-9]*\) blocks.*/\1/p' "$tmp/log")" $blocks

line=$(grep -n '/\* at race \*/' "$here/valgrind/threads.c" | cut -d: -f1)
for tool in helgrind drd; do
    for heap in ours valgrind; do
        under $tool $heap --suppressions="$supp" "$tmp/threads"
        rc=$?
        [ $rc = 0 ] && grep -q 'ERROR SUMMARY: 0 errors' "$tmp/log" || fail "$tool, $heap: not silent (exit $rc)"
        under $tool $heap --suppressions="$supp" "$tmp/threads" race
        rc=$?
        [ $rc = 99 ] && grep -qE 'Possible data race|Conflicting' "$tmp/log" && grep -q "threads.c:$line)" "$tmp/log" ||
            fail "$tool, $heap: the race is not told (exit $rc)"
    done
done

# What measures the code sees the library as it is without valgrind, unless told otherwise: no requests, which need many instructions.
count() {
    "$run" --valgrind="$1" --valgrind-option="--$1-out-file=$tmp/out.$1" $2 -- "$tmp/peak" >"$tmp/log" 2>&1 || fail "$1 $2: exit $?"
    sed -n 's/,//g; s/^==[0-9]*== \(Collected *:\|I *refs:\) *//p' "$tmp/log" | head -n 1
}
for tool in callgrind cachegrind; do
    n=$(count $tool) watched=$(count $tool '--option=valgrind=1')
    [ "${n:-0}" -gt 0 ] && [ "$n" -lt "${watched:-0}" ] || fail "$tool: $n instructions, and with valgrind=1 $watched"
done
"$run" --valgrind=nonesuch -- "$tmp/peak" >"$tmp/log" 2>&1
[ $? = 125 ] && grep -qx 'typed-run: --valgrind: valgrind has no tool "nonesuch"' "$tmp/log" || fail 'a tool that there is not'
conclude 'tools of valgrind'
