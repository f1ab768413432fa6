#!/bin/sh
# The options that make the library stricter. Each finds what it is there for, which is not found without it, and nothing else.
# Environment: FIRST_FAILURE, not empty: end there.
lib=${TYPED_MALLOC_LIB:?is not set}
dir=${TESTS_DIR:-tests}
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
ulimit -c 0
failed=0 checks=0
fail() {
    echo "FAIL: $*"
    sed 's/^/      stderr: /' "$tmp/err"
    failed=$((failed + 1))
    [ -z "$FIRST_FAILURE" ] || exit 1
}
# run OPTIONS ARGUMENT...: leaves $status, $tmp/out and $tmp/err.
run() {
    list=partition=typed:untyped=callsite:$1
    shift
    checks=$((checks + 1))
    { timeout 100 env LD_PRELOAD="$lib" TYPED_MALLOC_OPTIONS="sample=0:$list" "$dir/${program:-options_strong}" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null; } 2>/dev/null
    status=$?
}
# passes OPTIONS ARGUMENT...: nothing is found.
passes() {
    run "$@"
    [ $status = 0 ] && ! grep -q '^typed_malloc:' "$tmp/err" || fail "$*: exit $status"
}
# exits STATUS OPTIONS ARGUMENT...
exits() {
    want=$1
    shift
    run "$@"
    [ $status = "$want" ] || fail "$*: exit $status, not $want"
}
# found SENTENCE OPTIONS ARGUMENT...: just this sentence ("@": the address that the program names), and abort.
found() {
    sentence=$1
    shift
    run "$@"
    address=$(sed -n 's/^crime [0-9]* //p' "$tmp/out")
    case $sentence in
    *@*) sentence=${sentence%%@*}$address${sentence#*@} ;;
    esac
    grep -qxE "typed_malloc: [a-z_]+\\[[0-9]+\\] $sentence \\(.+\\)" "$tmp/err" && [ $status = 134 ] && [ "$(grep -c ^typed_malloc: "$tmp/err")" = 1 ] ||
        fail "$*: exit $status, no \"$sentence\""
}

# Row 0: without the library, and a wrong sentence.
LD_PRELOAD='' "$dir/options_strong" reuse 100 2>/dev/null
[ $? = 90 ] || fail "does not notice that the library is missing"

# ---- sweep ----
for size in 1 16 100 1000 5000 16000; do
    for then in exit trim thread; do
        call=exit
        [ $then = trim ] && call=malloc_trim
        passes sweep=0 written $size $then
        found "$call\\(\\): write after free at @" sweep=1 written $size $then
    done
done
for size in 17000 100000; do
    passes sweep=0 written_large $size
    found 'exit\(\): write after free at @' sweep=1 written_large $size
done

# ---- never_reuse ----
for size in 1 16 100 1000 5000 16000 20000 100000 5000000; do
    exits 1 never_reuse=0 reuse $size
    exits 0 never_reuse=1 reuse $size
done
for size in 1 16 100 1000 5000 16000; do
    for how in read write; do
        passes never_reuse=0 late $size $how
        exits 139 never_reuse=1 late $size $how
    done
    found 'exit\(\): write after free at @' never_reuse=1:sweep=1 written $size exit
    for where in here there ended; do
        found 'free\(\): double free of @' never_reuse=1 double $size $where
        found 'free\(\): double free of @' quarantine=64 double $size $where
    done
done
exits 139 never_reuse=1 late 20000 read
found 'free\(\): double free of @' never_reuse=1 double 20000 ended
passes never_reuse=1:stats=/dev/null reuse 100

# ---- quarantine ----
for size in 16 100 1000 8000; do
    for kib in 64 1000; do
        exits 1 quarantine=0 delay $size $kib
        exits 0 quarantine=$kib delay $size $kib
    done
    found 'exit\(\): write after free at @' quarantine=64:sweep=1 written $size exit
done
for size in 20000 100000 300000; do # large ones
    exits 1 quarantine=0 large_delay $size 4000
    exits 0 quarantine=4000 large_delay $size 4000
done
run quarantine=16 random 100
cp "$tmp/out" "$tmp/first"
run quarantine=16 random 100
[ -s "$tmp/out" ] && ! cmp -s "$tmp/out" "$tmp/first" || fail "quarantine: slots come back in the same order twice: $(cat "$tmp/out")"

# ---- mismatch ----
# By whom it is made, as it is named, and by whom it must be given back.
while read -r from name; do
    for to in 'free malloc' 'free_sized malloc' 'realloc malloc' 'realloc_zero malloc' 'typed_free malloc' 'delete new' \
        'sdelete new' 'delete[] new[]' 'sdelete[] new[]' 'adelete aligned.new' 'sadelete aligned.new' 'adelete[] aligned.new[]'; do
        takes=${to#* } to=${to% *}
        case $to in
        *delete'[]') call='operator delete\[\]' ;;
        *delete) call='operator delete' ;;
        realloc_zero) call=realloc ;;
        *) call=$to ;;
        esac
        for size in 100 20000; do
            case $size.$from.$to in
            *.strdup.*s*d* | 20000.t* | 20000.?alloc.* | 20000.mem* | 20000.re* | 20000.*.*s*d* | 20000.*.realloc_zero) continue ;;
            esac
            if [ "$name" = "$takes" ]; then
                passes mismatch=1 form "$from" "$to" $size
            else
                want=$(echo "$name" | sed 's/\./ /; s/[][]/\\&/g')
                found "$call\\(\\): object of $want at @" mismatch=1 form "$from" "$to" $size
            fi
        done
    done
done <<EOF
malloc malloc
calloc malloc
realloc malloc
memalign malloc
strdup malloc
typed malloc
new new
new[] new[]
anew aligned.new
anew[] aligned.new[]
tnew new
tnew[] new[]
tanew aligned.new
tanew[] aligned.new[]
EOF
for from in new new[] tnew; do
    for to in free delete 'delete[]' realloc; do
        passes mismatch=0 form $from "$to" 100
    done
    found "free\\(\\): object of $(echo ${from#t} | sed 's/[][]/\\&/g') at @" mismatch=1 form $from free 0
    found "free\\(\\): object of $(echo ${from#t} | sed 's/[][]/\\&/g') at @" mismatch=1:partition=none form $from free 100
done
passes mismatch=1 form new delete 0
passes mismatch=1 form new[] 'delete[]' 0

# ---- no false alarms: threads that hand objects to each other, forks, an end in the middle of it ----
all=sweep=1:mismatch=1
for options in sweep=1 never_reuse=1 quarantine=64 mismatch=1 $all:never_reuse=1 $all:quarantine=64 $all:quarantine=1000:stats=/dev/null \
    $all:never_reuse=1:decay_ms=0 $all:quarantine=1:decay_ms=0; do
    passes $options work 3 20000
    for program in conform_malloc conform_life conform_new; do
        [ -x "$dir/$program" ] || continue
        run $options
        case $status in
        0 | 77) ;;
        *) fail "$program with $options: exit $status" ;;
        esac
    done
    program=
done

# ---- the two that make it less strict ----
run sized=1 allowed sized
[ $status = 134 ] && grep -q 'wrong size 101 for' "$tmp/err" || fail "sized=1: exit $status"
passes sized=0 allowed sized
passes sized=0:mismatch=1 allowed sized
passes seal=0 allowed seal
run seal=1 allowed seal
case $status in
0 | 3) ;; # 3: the kernel can seal
*) fail "seal=1: exit $status" ;;
esac

# ---- options that are none ----
for option in sweep= sweep=2 never_reuse=yes mismatch=-1 quarantine= quarantine=1048577 quarantine=1k; do
    run $option work 0 0
    [ $status = 0 ] && grep -q 'option: bad value' "$tmp/err" || fail "$option is accepted"
done

echo "options_strong: $checks runs, $failed failed"
[ $failed = 0 ]
