#!/bin/sh
# typed-fuzz finds each error planted in fuzz/parser.c, names the type, makes one finding of it and a small input that shows it
# again; and finds nothing in the parser without errors, in as many runs.
. "${srcdir:-.}/tests/compile.sh"

command -v python3 >/dev/null || { echo 'no python3'; exit 77; }
fuzz=$src/tools/typed-fuzz
driver=${builddir:-.}/tools/libtyped_fuzz.a
cc=${clang:-${CC:-cc}}
unset TYPED_MALLOC_OPTIONS
printf '%s\n' 'name = "a\tb\n"; port = 80; key = x"c0ff"; list = [1, "two"]; sub = { a = 1; same = &name; };' \
    'drop port; trim key 4; print name; join list list;' >"$tmp/seed"

# parser NUMBER: the program with this error.
parser() {
    try "compile BUG=$1" "$cc" -g -gdwarf-4 -O1 -fno-omit-frame-pointer $common -DBUG="$1" "$here/fuzz/parser.c" -o "$tmp/p$1" \
        "$driver" $link
}

# hunt STATUS NUMBER OPTION...: a run with a bound of runs.
hunt() {
    want=$1 n=$2
    shift 2
    "$fuzz" -q --out="$tmp/o$n" --seed=1 --json="$tmp/json$n" --junit="$tmp/junit$n" "$@" "$tmp/seed" -- "$tmp/p$n" \
        >"$tmp/log" 2>&1
    status=$?
    [ $status = "$want" ] || fail "BUG=$n $*: exit $status, not $want"
}

# value EXPRESSION: of the JSON summary of BUG=$n.
value() { python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$tmp/json$n" "$1"; }

# planted NUMBER KIND TYPE: found by the heap, as one, with a small input that does it again.
planted() {
    parser "$1" || return
    hunt 1 "$1" --leaks --runs=400000 --stop
    got=$(value '[(f["kind"], f["type"]) for f in d["findings"]]')
    [ "$got" = "[('$2', '$3')]" ] || fail "BUG=$1: $got, not $2 of $3"
    size=$(value 'd["findings"][0]["size"]')
    [ "$size" -le 64 ] || fail "BUG=$1: the input has $size bytes"
    grep -q "message=\"$2 of $3" "$tmp/junit$1" || fail "BUG=$1: not in the JUnit summary"
    "$fuzz" -q --no-minimise --leaks --out="$tmp/again$1" --runs=1 --json="$tmp/json$1" "$tmp/o$1/findings/"*.input -- "$tmp/p$1" \
        >"$tmp/log" 2>&1
    [ "$(value 'd["findings"][0]["kind"]')" = "$2" ] || fail "BUG=$1: its input does not do it again"
}

parser 0 && hunt 0 0 --leaks --runs=400000
[ "$(value 'd["runs"] >= 400000 and d["features"] > 200 and d["corpus"] > 20')" = True ] || fail 'BUG=0: too little was seen'
planted 2 overflow 'value *'
planted 3 overflow blob
planted 4 'double free' char
planted 5 'write after free' value
planted 6 'wrong size' blob
planted 7 leak char

# It goes on: the finding and the corpus are there, and runs are added to.
n=3
before=$(value 'd["runs"]')
hunt 1 3 --runs=2000
[ "$(value 'len(d["findings"])')" = 1 ] || fail 'a second run: not the same finding'
hunt 2 3 --runs=x
grep -qx 'typed-fuzz: argument --runs: "x" is no number .*; see typed-fuzz --help' "$tmp/log" || fail 'a bad number'
"$fuzz" --out="$tmp/o3" -- "$tmp/none" >"$tmp/log" 2>&1
[ $? = 2 ] && grep -qx "typed-fuzz: $tmp/none: not found, or not executable" "$tmp/log" || fail 'no such target'
"$fuzz" --out="$tmp/ox" -- /bin/true >"$tmp/log" 2>&1
[ $? = 2 ] && grep -q 'is it linked with libtyped_fuzz.a' "$tmp/log" || fail 'not a target'
conclude typed_fuzz
