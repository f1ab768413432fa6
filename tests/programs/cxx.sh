#!/bin/bash
# leveldb, in C++: its own tests. The work is db_bench, a fixed number of operations of each kind.
. "$(dirname "$0")/lib.sh"
package=leveldb process=db_bench
need cmake ctest
for header in gtest/gtest.h gmock/gmock.h benchmark/benchmark.h; do need_file "/usr/include/$header"; done

build()
{
	cmake -B bld -DCMAKE_BUILD_TYPE=None -DCMAKE_C_COMPILER="$CC" -DCMAKE_CXX_COMPILER="$CXX" -DCMAKE_C_FLAGS="$cflags $wrap" \
		-DCMAKE_CXX_FLAGS="$cflags" -DCMAKE_EXE_LINKER_FLAGS="$ldflags"
	make -C bld -j"$jobs"
}

check()
{
	local out=$scratch/out
	mkdir "$scratch/tmp"
	TEST_TMPDIR=$scratch/tmp timeout 1200 ctest --test-dir bld -V >"$out" 2>&1 || :
	run=$(sed -n 's/^[0-9]*: \[==========\] \([0-9]*\) tests* from .* ran.*/\1/p' "$out" | awk '{ n += $1 } END { print n + 0 }')
	failed=$(sed -n 's/.*tests passed, \([0-9]*\) tests* failed out of.*/\1/p' "$out")
	: "${failed:=1}"
	tail -n 60 "$out"
}

work()
{
	program bld/db_bench --db="$scratch/db" --num=150000 --threads=2 \
		--benchmarks=fillseq,fillrandom,overwrite,readrandom,readseq,readreverse,deleterandom,compact,snappycomp,crc32c --cache_size=8388608
}

main
