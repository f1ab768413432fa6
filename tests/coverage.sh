#!/bin/sh
# Lines and branches of lib/ that the tests reach, by module: a copy of the source is built in DIRECTORY with clang's coverage, whose
# counters live in files that all processes share from their start, so that those that end by abort or _exit count too.
# usage: coverage.sh DIRECTORY [TEST...]      all of make check, or these tests; exit status 77: no clang, llvm-profdata or llvm-cov
dir=${1:?usage: coverage.sh DIRECTORY [TEST...]}
shift
CC=${COVERAGE_CC:-clang-22}
version=${CC##*-}
for tool in "$CC" "llvm-profdata-$version" "llvm-cov-$version"; do
    command -v "$tool" >/dev/null || {
        echo "coverage: $tool is not installed"
        exit 77
    }
done
srcdir=${srcdir:-.}
rm -rf "$dir/profile"
mkdir -p "$dir/profile" || exit 2
dir=$(cd "$dir" && pwd)
[ -f "$dir/src/config.status" ] || {
    make -s distdir distdir="$dir/src" >/dev/null || exit 1
    chmod -R u+w "$dir/src"
    # No debugging information: valgrind cannot read that of a library whose counters are a file, and track.c and tracked.c run there only.
    flags='-O1 -g0 -fprofile-instr-generate -fcoverage-mapping -fprofile-update=atomic -mllvm -runtime-counter-relocation'
    (cd "$dir/src" && ./configure -q CC="$CC" CXX="clang++-$version" CFLAGS="$flags" CXXFLAGS="$flags" LDFLAGS="$flags") || exit 1
}
LLVM_PROFILE_FILE="$dir/profile/build-%p%m.profraw" make -C "$dir/src" -s >"$dir/build.log" 2>&1 || {
    tail -n 20 "$dir/build.log"
    exit 1
}
rm -f "$dir"/profile/build-*
set -- ${1:+TESTS="$*"}
# The bare counters of programs that end badly are whole: nothing is written at their end.
LLVM_PROFILE_FILE="$dir/profile/%m%c.profraw" make -C "$dir/src" -k check "$@" >"$dir/check.log" 2>&1
sed -n 's/^# \([A-Z]*: *[0-9]*\)$/  \1/p' "$dir/check.log" | tr -s '\n ' ' '
echo
"llvm-profdata-$version" merge --failure-mode=all -o "$dir/all.profdata" "$dir"/profile/*.profraw || exit 1
objects=
for program in "$dir/src/lib/.libs/libtyped_malloc_mem.so" "$dir"/src/tests/unit_*; do
    case $program in *.c | *.o) ;; *) [ -x "$program" ] && objects="$objects -object $program" ;; esac
done
# shellcheck disable=SC2086
"llvm-cov-$version" export -format=lcov -instr-profile="$dir/all.profdata" "$dir/src/lib/.libs/libtyped_malloc.so" $objects \
    -ignore-filename-regex='/(tests|include)/' >"$dir/lcov.info" 2>"$dir/cov.log" || exit 1
awk -F '[:,]' '
	function share(hit, of) { return of ? sprintf("%6.1f", 100 * hit / of) : "     -" }
	function line(name, lh, lf, bh, bf) { printf "%-18s %6d %s %8d %s\n", name, lf, share(lh, lf), bf, share(bh, bf) }
	BEGIN { printf "%-18s %6s %6s %8s %6s\n", "module", "lines", "%", "branches", "%" }
	/^SF:/ { n = split($0, at, "/"); name = at[n] }
	/^LH:/ { lh = $2; all_lh += $2 }
	/^LF:/ { lf = $2; all_lf += $2 }
	/^BRF:/ { bf = $2; all_bf += $2 }
	/^BRH:/ { bh = $2; all_bh += $2 }
	/^end_of_record/ { line(name, lh, lf, bh, bf); lh = lf = bh = bf = 0 }
	END { line("total", all_lh, all_lf, all_bh, all_bf); exit !(all_lf && all_lh * 10 >= all_lf * 9 && all_bh * 10 >= all_bf * 8) }
' "$dir/lcov.info" && exit
echo "coverage: below 90 % of the lines or 80 % of the branches"
exit 1
