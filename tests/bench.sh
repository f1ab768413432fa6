#!/bin/sh
# typed-bench measures each workload under each allocator, proves that the library was there, tells failures, and writes what it has
# measured. Nothing here depends on how long it took.
lib=${TYPED_MALLOC_LIB:?is not set}
command -v python3 >/dev/null || { echo 'no python3'; exit 77; }
src=$(cd "${srcdir:-.}" && pwd)
bench=$src/tools/typed-bench
work=$(cd "${builddir:-.}" && pwd)/tools/bench/bench-workloads
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" || exit 99
ulimit -c 0
failed=0
fail() {
    echo "FAIL: $*"
    head -n 20 out err | sed 's/^/      /'
    failed=1
}

# run STATUS ARGUMENT...
run() {
    want=$1
    shift
    python3 "$bench" -q --workloads-program "$work" "$@" >out 2>err
    status=$?
    [ $status = "$want" ] || fail "$*: exit $status, not $want"
}

# holds EXPRESSION: of the JSON file, as d, with its runs.
holds() {
    python3 -c 'import json, sys
d = json.load(open("json"))
runs = d["runs"]
sys.exit(0 if eval(sys.argv[1]) else 1)' "$1" 2>>err || fail "not so: $1"
}

# refused LINE ARGUMENT...: exit 2 and the one line, a basic regular expression.
refused() {
    line=$1
    shift
    run 2 "$@"
    [ "$(wc -l <err)" = 1 ] && grep -qx "typed-bench: $line" err && [ ! -s out ] || fail "$*: not the line \"$line\""
}

# All workloads, under the C library and ours: each pair twice, all figures there, the same sums, and ours only where it was preloaded.
run 0 --size 0.001 --rounds 2 --json json --allocator glibc --allocator "typed=$lib" --threads 2 \
    --workload '^(short|mixed|random|realloc|types|coldhot|pipe|churn|server|start|fork|bash)$'
holds 'len(runs) == 12 * 2 * 2 and len({(r["job"], r["allocator"], r["round"]) for r in runs}) == len(runs)'
holds 'not any(r["failure"] for r in runs)'
holds 'all(r["cpu"] >= 0 and r["wall"] > 0 and r["rss"] > 500 for r in runs)'
holds 'all(r["ops"] > 0 and r["seconds"] > 0 for r in runs if r["group"] != "programs")'
holds 'not any(r["loaded"] is False for r in runs)'
holds 'all(any(r["loaded"] and r["pte"] > 0 and r["maps"] > 9 for r in runs if r["allocator"] == a) for a in ("glibc", "typed"))'
holds 'd["allocators"]["typed"]["path"].endswith("/libtyped_malloc.so")'
grep -q '^Geometric means' out && grep -q '^= threads .* ( 3)' out || fail 'no means'

# The tables of the file are the same.
mv out before
run 0 --load json
cmp -s before out || fail '--load: other tables'

# The scales: all points.
run 0 --size 0.0001 --rounds 1 --json json --allocator "typed=$lib" --scale types --scale live --scale threads --max-live 4M
holds '{r["x"] for r in d["scale"] if r["kind"] == "types"} == {1, 3, 10, 30, 100, 300, 1000, 3000, 10000}'
holds '{r["x"] for r in d["scale"] if r["kind"] == "live"} == {1 << 20, 1 << 22}'
holds 'len([r for r in d["scale"] if r["kind"] == "threads"]) == 7 * 2 and not any(r["failure"] for r in d["scale"])'

# An allocator that hands out an object twice, one whose process ends, one that never ends, one that changes what a program prints: told,
# and in no median.
cat >bad.c <<'END_C'
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
extern void *__libc_malloc(size_t);
extern char *program_invocation_short_name;
void free(void *p) { (void)p; }
void *malloc(size_t n)
{
	static unsigned count;
	static void *last;
	const char *how = getenv("HOW");
	if (++count == 1 && how && *how == 'p' && !strcmp(program_invocation_short_name, "bash"))
		if (write(1, "more\n", 5) != 5)
			_exit(8);
	if (count > 500 && count % 100 == 0 && how && !strcmp(program_invocation_short_name, "bench-workloads")) {
		if (*how == 'e')
			_exit(9);
		if (*how == 's')
			for (;;)
				pause();
		return last;
	}
	return last = __libc_malloc(n);
}
END_C
if ${CC:-cc} -shared -fPIC -fno-builtin -o bad.so bad.c 2>err; then
    run 1 --size 0.001 --rounds 2 --json json --workload '^short$' --allocator twice=bad.so,HOW=twice --allocator exit=bad.so,HOW=exit
    holds 'all(bool(r["failure"]) == (r["allocator"] != "glibc") for r in runs)'
    grep -qx 'FAILED short under twice, 2 of 2 rounds: exit 1: bench-workloads: short: an object of [0-9]* bytes is not as it was left' out ||
        fail 'a wrong object is not told'
    grep -qx 'FAILED short under exit, 2 of 2 rounds: exit 9' out || fail 'an exit is not told'
    run 1 --size 0.001 --rounds 1 --timeout 2 --workload '^short$' --allocator stop=bad.so,HOW=stop
    grep -qx 'FAILED short under stop, 1 of 1 rounds: no end after 2 s' out || fail 'a run without an end is not told'
    run 1 --size 0.001 --rounds 2 --workload '^bash$' --allocator print=bad.so,HOW=print
    grep -qx 'FAILED bash under print, 2 of 2 rounds: its output differs from that of the others' out || fail 'another output is not told'
else
    fail 'bad.c'
fi

# What cannot be loaded is left out, and said.
echo nothing >text.so
run 0 --size 0.001 --rounds 1 --workload '^short$' --allocator text=text.so
grep -q '^left out: text: is not loaded: ' out || fail 'text.so is not left out'

refused 'argument --rounds: "0" is no number from 1 to 10000; see typed-bench --help' --rounds 0
refused 'argument --scale: invalid choice: .*; see typed-bench --help' --scale sizes
refused 'argument --workload: "(" is no regular expression: .*' --workload '('
refused '--workload: nothing has a match with "nonesuch"' --workload nonesuch
refused '--allocator: nonesuch is not known: give nonesuch=PATH.so' --allocator nonesuch
refused '--allocator: ./none.so: no such file' --allocator a=./none.so
refused '--baseline: no allocator is named b' --baseline b
refused './none: No such file or directory' --load ./none
refused '--json: /: Is a directory' --json /
refused 'text.so: not written by typed-bench --json' --load text.so
refused '--load runs nothing: only --svg goes with it' --load json --scale live

# bench-workloads itself.
wrong() {
    line=$1
    shift
    "$work" "$@" >out 2>err
    [ $? = 2 ] && [ "$(wc -l <err)" = 1 ] && grep -qx "bench-workloads: $line; see bench-workloads --help" err || fail "bench-workloads $*"
}
wrong 'no workload "nonesuch"' nonesuch
wrong 'no workload'
wrong 'short has no --threads' short --threads 2
wrong '--ops: "x" is no number from 1 to [0-9]*' short --ops x
wrong '--ops: its value is missing' short --ops
wrong 'no option "--nonesuch"' --nonesuch
[ $failed = 0 ] && echo 'bench: ok'
exit $failed
