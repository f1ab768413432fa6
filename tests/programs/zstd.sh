#!/bin/bash
# zstd: its fuzzer, its streaming fuzzer, the tests of its thread pool and its command line tests. The work compresses and
# decompresses generated data at several levels, with and without threads and a dictionary.
. "$(dirname "$0")/lib.sh"
package=libzstd process=zstd

build()
{
	make -C tests -j"$jobs" CC="$CC" CFLAGS="$cflags $wrap" LDFLAGS="$ldflags" HASH= \
		zstd datagen fuzzer zstreamtest poolTests invalidDictionaries
}

check()
{
	local status=0 out=$scratch/out
	cd tests
	# Unit tests, then rounds of random ones, the same in each build.
	timeout 600 ./fuzzer -v -s1 -i300 >"$out" 2>&1 || failed=$((failed + 1))
	timeout 600 ./zstreamtest -v -s1 -i100 >>"$out" 2>&1 || failed=$((failed + 1))
	timeout 60 ./invalidDictionaries >>"$out" 2>&1 || failed=$((failed + 1))
	timeout 60 ./poolTests >>"$out" 2>&1 || failed=$((failed + 1))
	run=$((400 + $(tr '\r' '\n' <"$out" | grep -c '^test *[0-9]* *:') + 2))
	ZSTD_BIN=../programs/zstd DATAGEN_BIN=./datagen EXE_PREFIX='' timeout 900 ./playTests.sh >"$scratch/play" 2>&1 || status=$?
	run=$((run + $(grep -ac '===>' "$scratch/play")))
	[ $status = 0 ] || failed=$((failed + 1))
	tr '\r' '\n' <"$out" | tail -n 20
	tail -n 20 "$scratch/play"
	cd ..
}

work()
{
	local level data=$WORK/$name/data
	[ -f "$data" ] || { tests/datagen -g24MB -P60 -s7 >"$data.new" && mv "$data.new" "$data"; }
	for level in -1 -3 -7 -12 '-3 -T4' '-19 --long=24' '-5 --rsyncable -T2'; do
		# shellcheck disable=SC2086 # several words
		program ./programs/zstd -q $level "$data" -o "$scratch/z" -f
		program ./programs/zstd -q -d --long=24 "$scratch/z" -o "$scratch/back" -f
		cmp "$data" "$scratch/back"
	done
	(cd "$scratch" && mkdir parts && split -b 16384 "$data" parts/)
	program ./programs/zstd -q --train -r "$scratch/parts" -o "$scratch/dictionary"
	program ./programs/zstd -q -r -D "$scratch/dictionary" "$scratch/parts"
}

main
