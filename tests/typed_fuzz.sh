#!/bin/sh
# typed-fuzz finds each error planted in fuzz/parser.c, names the type, makes one finding of it, in whatever ways it shows itself, and a
# small input that shows it again; and finds nothing in the parser without errors, in as many runs.
. "${srcdir:-.}/tests/compile.sh"

command -v python3 >/dev/null || { echo 'no python3'; exit 77; }
fuzz=$src/tools/typed-fuzz
driver=${builddir:-.}/tools/libtyped_fuzz.a
cc=${clang:-${CC:-cc}}
unset TYPED_MALLOC_OPTIONS
printf '%s\n' 'name = "a\tb\n"; port = 80; key = x"c0ff"; list = [1, "two"]; sub = { a = 1; same = &name; };' \
    'drop port; trim key 4; print name; join list list;' >"$tmp/seed"

seed=$tmp/seed

# parser NUMBER: the program with this error.
parser() {
    try "compile BUG=$1" "$cc" -g -gdwarf-4 -O1 -fno-omit-frame-pointer $common -DBUG="$1" "$here/fuzz/parser.c" -o "$tmp/p$1" \
        "$driver" $link
}

# hunt STATUS NUMBER OPTION...: a run with a bound of runs.
hunt() {
    want=$1 n=$2
    shift 2
    "$fuzz" -q --out="$tmp/o$n" --seed=1 --minimise-tries=1000 --json="$tmp/json$n" --junit="$tmp/junit$n" "$@" "$seed" -- "$tmp/p$n" \
        >"$tmp/log" 2>&1
    status=$?
    [ $status = "$want" ] || fail "BUG=$n $*: exit $status, not $want"
}

# value EXPRESSION: of the JSON summary of BUG=$n.
value() { python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$tmp/json$n" "$1"; }

# planted NUMBER KIND TYPE OPTION...: found, as one whatever else it shows itself as, with a small input that does it again.
planted() {
    n=$1 kind=$2 type=$3
    shift 3
    [ -x "$tmp/p$n" ] || parser "$n" || return
    rm -rf "$tmp/o$n"
    hunt 1 "$n" "$@"
    got=$(value '[(f["kind"], f["type"]) for f in d["findings"]]')
    [ "$got" = "[('$kind', $type)]" ] || { fail "BUG=$n $*: $got, not $kind of $type"; return; }
    size=$(value 'd["findings"][0]["size"]')
    [ "$size" -le 64 ] || fail "BUG=$n $*: the input has $size bytes"
    python3 -c 'import sys, xml.dom.minidom as m
assert m.parse(sys.argv[1]).getElementsByTagName("failure")[0].getAttribute("message").startswith(sys.argv[2])' "$tmp/junit$n" "$kind" ||
        fail "BUG=$n $*: not in the JUnit summary"
}

# again NUMBER OPTION...: the input of the finding is one by itself.
again() {
    n=$1 kind=$(value 'd["findings"][0]["kind"]')
    shift
    "$fuzz" -q --no-minimise --out="$tmp/again$n" --runs=1 --json="$tmp/json$n" "$@" "$tmp/o$n/findings/"*.input -- "$tmp/p$n" \
        >"$tmp/log" 2>&1
    [ "$(value 'd["findings"][0]["kind"]')" = "$kind" ] || fail "BUG=$n $*: its input does not do it again"
}

runs=6000
parser 0 && hunt 0 0 --leaks --runs=$runs
[ "$(value 'd["runs"] >= 6000 and d["features"] > 200 and d["corpus"] > 20')" = True ] || fail 'BUG=0: too little was seen'
planted 1 overflow "'char'" --leaks --runs=$runs && again 1
planted 2 overflow "'value *'" --leaks --runs=$runs && again 2
planted 3 overflow "'blob'" --leaks --runs=$runs && again 3
planted 4 'double free' "'char'" --leaks --runs=$runs && again 4
planted 5 'use after free' "'value'" --leaks --runs=$runs && again 5
planted 6 'wrong size' "'blob'" --leaks --runs=$runs && again 6
planted 7 leak "'char'" --leaks --runs=$runs && again 7 --leaks

# The same seed and number of runs are the same hunt.
n=0
before=$(value '(d["corpus"], d["features"])')
rm -rf "$tmp/o0"
hunt 0 0 --leaks --runs=$runs
[ "$(value '(d["corpus"], d["features"])')" = "$before" ] || fail "the same seed: $(value '(d["corpus"], d["features"])'), not $before"

# Under valgrind: what the heap cannot see; and its first error explains what the heap has found.
if command -v valgrind >/dev/null && valgrind --version >/dev/null 2>&1; then
    seed=$tmp/small
    printf 'a="\\tx";' >"$seed"
    planted 1 InvalidWrite "'char'" --mode=valgrind --runs=128 --minimise-tries=200
    printf 'a=1;print a;' >"$seed"
    planted 8 UninitCondition None --mode=valgrind --runs=128 --minimise-tries=200
    printf 'a="x";b=&a;print b;' >"$seed"
    planted 5 'use after free' "'value'" --mode=both --runs=256
    [ "$(value '"InvalidRead" in d["findings"][0]["explained"]')" = True ] || fail 'BUG=5: valgrind does not explain it'
else
    echo 'no valgrind: left out'
fi

# It goes on: the finding and the corpus are there, and runs are added to.
n=3
hunt 1 3 --runs=1000
[ "$(value 'len(d["findings"])')" = 1 ] || fail 'a second run: not the same finding'
hunt 2 3 --runs=x
grep -qx 'typed-fuzz: argument --runs: "x" is no number .*; see typed-fuzz --help' "$tmp/log" || fail 'a bad number'
"$fuzz" --out="$tmp/o3" -- "$tmp/none" >"$tmp/log" 2>&1
[ $? = 2 ] && grep -qx "typed-fuzz: $tmp/none: not found, or not executable" "$tmp/log" || fail 'no such target'
"$fuzz" --out="$tmp/ox" -- /bin/true >"$tmp/log" 2>&1
[ $? = 2 ] && grep -q 'is it linked with libtyped_fuzz.a' "$tmp/log" || fail 'not a target'
hunt 2 3 --timeout=0
# What the library and the dynamic linker refuse, and a state that cannot be read.
hunt 2 3 --runs=1 --heap-options=strcit=1
grep -qx 'typed-fuzz: option: unknown option "strcit"' "$tmp/log" || fail "a bad option of the heap: $(cat "$tmp/log")"
hunt 2 3 --runs=1 --preload="$tmp/none.so"
grep -q "^typed-fuzz: object '$tmp/none.so' from LD_PRELOAD cannot be preloaded" "$tmp/log" || fail "nothing to preload: $(cat "$tmp/log")"
for state in '{' '[]' '{"version": 2}' '{"version": 2, "target": ["'"$tmp/p3"'"], "runs": "x", "findings": [3]}'; do
    echo "$state" >"$tmp/o3/state.json"
    hunt 2 3 --runs=1
    grep -qx "typed-fuzz: $tmp/o3/state.json is damaged: without it the run begins anew, with the corpus" "$tmp/log" ||
        fail "state.json $state: $(cat "$tmp/log")"
done
rm "$tmp/o3/state.json"
hunt 1 3 --runs=1000
conclude typed_fuzz
