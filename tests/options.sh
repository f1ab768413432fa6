#!/bin/sh
# Options: what is refused is one line on stderr and the default; stats= has its form and its targets; the partition choices.
lib=${TYPED_MALLOC_LIB:?is not set}
dir=${TESTS_DIR:-tests}
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
ulimit -c 0
failed=0
fail() {
    echo "FAIL: $*"
    sed 's/^/      stderr: /' "$tmp/err"
    failed=1
}

# run OPTIONS ARGUMENT...: leaves $status and $tmp/err.
# Said each time, as the library may be configured with other defaults; what comes later in the list wins.
run() {
    options=$1
    shift
    [ -n "$program" ] || options="partition=typed:untyped=callsite${options:+:$options}"
    { env LD_PRELOAD="$lib" TYPED_MALLOC_OPTIONS="$options" "$dir/${program:-options_program}" "$@" >"$tmp/out" 2>"$tmp/err"; } 2>/dev/null
    status=$?
}
quiet() {
    run "$1"
    [ $status = 0 ] && [ ! -s "$tmp/err" ] || fail "options \"$1\" are not accepted silently (exit $status)"
}
# refused OPTIONS LINE...: exactly these lines, in this order, and the program runs.
refused() {
    options=$1
    shift
    run "$options"
    : >"$tmp/want"
    for line; do
        printf 'typed_malloc: options_program[PID] option: %s\n' "$line" >>"$tmp/want"
    done
    sed -E 's/\[[0-9]+\]/[PID]/' "$tmp/err" | cmp -s - "$tmp/want" && [ $status = 0 ] ||
        fail "options \"$options\" (exit $status): expected: $(cat "$tmp/want")"
}

run ''
[ $status = 0 ] || fail "the program does not run"
for options in '' partition=typed partition=random partition=none untyped=callsite untyped=random untyped=none stats=0 \
    decay_ms=0 decay_ms=500 decay_ms=100000 max_keys=1 max_keys=65536 max_keys=16 \
    partition=none:untyped=none:stats=0:decay_ms=1:max_keys=5 untyped=none:untyped=callsite; do
    quiet "$options"
done

refused nonsense=1 'unknown option "nonsense"'
refused nonsense 'unknown option "nonsense"'
refused =1 'unknown option ""'
refused Partition=none 'unknown option "Partition"'
refused partitio=none 'unknown option "partitio"'
refused partitionn=none 'unknown option "partitionn"'
refused partition=maybe 'bad value "maybe" for option "partition"'
refused partition= 'bad value "" for option "partition"'
refused partition 'bad value "" for option "partition"'
refused untyped=typed 'bad value "typed" for option "untyped"'
refused stats=yes 'bad value "yes" for option "stats"'
refused stats=2 'bad value "2" for option "stats"'
refused decay_ms=soon 'bad value "soon" for option "decay_ms"'
refused decay_ms=-1 'bad value "-1" for option "decay_ms"'
refused decay_ms=12x 'bad value "12x" for option "decay_ms"'
refused decay_ms=99999999999999999999999 'bad value "99999999999999999999999" for option "decay_ms"'
refused max_keys=0x 'bad value "0x" for option "max_keys"'
refused max_keys= 'bad value "" for option "max_keys"'
refused 'a=1:partition=x:untyped=random:b=2' 'unknown option "a"' 'bad value "x" for option "partition"' 'unknown option "b"'

# Anything at all: never a crash.
long=$(head -c 20000 /dev/zero | tr '\0' x)
for options in : :: = == ===: "$long" "$long=$long" "partition=$long" "decay_ms=$long" '%s%s%s%n=%n' 'partition=%s%n' \
    "$(printf 'a\001b=\377')" 'stats=/nowhere/at/all' 'stats=' 'stats=/'; do
    run "$options"
    [ $status = 0 ] || fail "options of ${#options} characters, \"$(printf %.40s "$options")\": exit $status"
done

# ---- the table ----
# table FILE: header, column line, rows, totals, in this form and order; leaves nothing.
table() {
    sed -n '/^typed_malloc statistics:/,$p' "$1" >"$tmp/table"
    awk '
        NR == 1 { if ($0 !~ /^typed_malloc statistics: options_program\[[0-9]+\] partition=[a-z]+ untyped=[a-z]+$/) bad("header"); next }
        NR == 2 { if ($0 !~ /^# key +kind +size +live +peak +slabs +committedKiB +allocations/) bad("column line"); next }
        /^total / { totals++; next }
        /^keys [0-9]+, caches [0-9]+, look-ups past max_keys [0-9]+, metadata [0-9]+ KiB$/ { keys++; next }
        /^call sites: wrappers [0-9]+, links [0-9]+, no place [0-9]+, frame not constant [0-9]+$/ { next }
        /^mappings [0-9]+$/ { mappings++; n = $2; next }
        /^untyped [0-9]+\.[0-9] % of allocations$/ { untyped++; next }
        totals { bad("something after the total") ; next }
        {
            if (NF < 8) bad("row of " NF " fields");
            if ($2 !~ /^(site|type|random|all)-(fixed|var|large|guard)$/) bad("kind " $2);
            for (i = 3; i <= 8; i++) if ($i !~ /^[0-9]+$/) bad("number " $i);
            if ($4 > $5) bad("live above peak");
            rows++
        }
        function bad(why) { print "line " NR ": " why ": " $0; wrong = 1 }
        END { exit wrong || !(rows > 3 && totals == 1 && keys == 1 && mappings == 1 && untyped == 1 && n < 100) }' "$tmp/table"
}
run stats=1:sample=0
[ $status = 0 ] || fail "stats=1: exit $status"
table "$tmp/err" || fail "stats=1: the table's form"
grep -qE '^0xabcd00005678 +type-fixed +208 +16 +16 ' "$tmp/table" || fail "stats=1: the row of a token with fixed size"
grep -qE '^0xabcd00001234 +type-var +[0-9]+ +16 +16 ' "$tmp/table" || fail "stats=1: the row of a token with variable size"
grep -qE '^options_program\+0x[0-9a-f]+ +site-var +[0-9]+ +32 ' "$tmp/table" || fail "stats=1: the row of a call site"
grep -qE '^options_program\+0x[0-9a-f]+ +site-large +' "$tmp/table" || fail "stats=1: a large row"
run stats=stderr:sample=0
table "$tmp/err" || fail "stats=stderr: the table's form"
run "stats=$tmp/table.%p.txt:sample=0"
[ ! -s "$tmp/err" ] || fail "stats=PATH writes to stderr"
ls "$tmp"/table.*.txt >/dev/null 2>&1 && table "$(ls "$tmp"/table.*.txt | head -n 1)" || fail "stats=PATH: no table in $(ls "$tmp")"
ls "$tmp"/table.*.txt | grep -qE 'table\.[0-9]+\.txt$' || fail "stats=PATH: %p is not the pid"
run partition=random:stats=1:sample=0
table "$tmp/err" || fail "partition=random: the table's form"
grep -q 'partition=random' "$tmp/table" && grep -qE ' random-var ' "$tmp/table" || fail "partition=random: kinds"
grep -qE ' (site|type)-' "$tmp/table" && fail "partition=random still tells types or sites apart"
run partition=none:stats=1:sample=0
table "$tmp/err" || fail "partition=none: the table's form"
grep -qE ' all-var ' "$tmp/table" || fail "partition=none: kinds"
grep -qE ' (site|type|random)-' "$tmp/table" && fail "partition=none still tells types or sites apart"
run untyped=none:stats=1:sample=0
grep -qE ' type-fixed ' "$tmp/err" || fail "untyped=none takes the types away"
grep -qE ' site-' "$tmp/err" && fail "untyped=none still tells sites apart"
run untyped=random:stats=1:sample=0
grep -qE ' random-var ' "$tmp/err" && grep -qE ' type-fixed ' "$tmp/err" || fail "untyped=random: kinds"

# ---- what partitions do, and messages that name the type ----
run '' share
[ $status = 0 ] || fail "two types share a slot (exit $status)"
run partition=none share
[ $status = 1 ] || fail "with partition=none two types do not share (exit $status)"
run '' crime
grep -qE '^typed_malloc: options_program\[[0-9]+\] free\(\): interior pointer 0x[0-9a-f]+ \(type token 0xabcd00001234, [0-9]+-byte cache\)$' \
    "$tmp/err" && [ $status = 134 ] || fail "the message does not name the type token"

# ---- the symbol in the program; the environment is stronger ----
program=options_symbol
run ''
grep -q '^typed_malloc statistics: .* partition=none' "$tmp/err" || fail "the symbol typed_malloc_options has no effect"
run stats=0
[ ! -s "$tmp/err" ] || fail "the environment is not stronger than the symbol"
[ $failed = 0 ] && echo "options: passed"
exit $failed
