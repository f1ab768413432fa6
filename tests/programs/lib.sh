# shellcheck shell=bash
# Helpers for the program scripts, which run.sh starts; each sources this file first.
#
# A script is about one Debian source package, which it names in `package`, and defines
#
#   build    build the program in the current directory, a fresh copy of the source, with $CC $CXX $cflags $ldflags $wrap
#   check    run its tests there and set run and failed, the numbers of tests
#   work     the fixed work that is measured; program CMD... runs the program for it
#
# and ends with `main`. What a build has to know: $build is plain, flag (-fsanitize=alloc-token, extended) or header
# (-include typed_malloc.h -DTYPED_MALLOC_REPLACE); $wrap is "-include NAME_wrap.h" for the flag build if there is such a file
# beside the script. $tree is the current directory, $scratch an empty one. $process is the name of the program whose
# tables count, a regular expression.
#
# From run.sh: PREFIX, where the library is installed; WORK, for everything else; BUILDS; TESTS and MEASURE, 1 or empty.
# Exit status 0: all is well; 77: something is missing; else it failed.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../real.sh"
unset TYPED_MALLOC_OPTIONS CFLAGS CXXFLAGS CPPFLAGS LDFLAGS MAKEFLAGS
CC=${TYPED_CC:-clang-22}
CXX=${TYPED_CXX:-clang++-22}
export jobs=${JOBS:-2}
library=$PREFIX/lib/libtyped_malloc.so
log=$WORK/log/$name
results=$WORK/results/$name
mkdir -p "$log" "$results" "$WORK/src"
declare package process run failed build tree scratch cflags ldflags wrap
variant='' environment=() doing=''

leave()
{
	local pid
	[ "$1" = 0 ] || [ "$1" = 77 ] || [ -z "$doing" ] || echo "$name: failed: $doing" >&2
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done
	wait
}

need_file()
{
	[ -f "$1" ] && return
	echo "$name: no $1" >&2
	exit 77
}

# The source: $WORK/src/PACKAGE if it is there, else from Debian, by lists of apt's own that leave the system's alone.
fetch()
{
	local apt=$WORK/apt keyring=/usr/share/keyrings/debian-archive-keyring.gpg options
	[ -d "$WORK/src/$package" ] && return
	need_file "$keyring"
	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/$package"
	options=(-q -o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$apt/lists"
		-o "Dir::Cache=$apt/cache" -o "APT::Sandbox::User=$(id -un)")
	if [ ! -f "$apt/sources.list" ]; then
		printf 'deb-src [signed-by=%s] http://deb.debian.org/debian %s main\n' "$keyring" \
			"$(. /etc/os-release && echo "$VERSION_CODENAME")" >"$apt/sources.list.new"
		mv "$apt/sources.list.new" "$apt/sources.list"
	fi
	ls "$apt"/lists/*Sources* >/dev/null 2>&1 || apt-get "${options[@]}" update
	(cd "$apt/$package" && apt-get "${options[@]}" source --download-only "$package")
	rm -rf "$WORK/src/$package.new"
	dpkg-source --no-check -x "$apt/$package"/*.dsc "$WORK/src/$package.new" # apt has checked it
	mv "$WORK/src/$package.new" "$WORK/src/$package"
}

# set_build BUILD: the variables that a build and its tests see; makes the tree if it has to.
set_build()
{
	local stamp
	build=$1 tree=$WORK/$name/$1 scratch=$WORK/$name/$1.scratch
	cflags="-O2 -g1" ldflags='' wrap=''
	[ "$build" = plain ] || ldflags="-L$PREFIX/lib -Wl,-rpath,$PREFIX/lib -ltyped_malloc"
	case $build in
	flag)
		cflags="$cflags -fsanitize=alloc-token -fsanitize-alloc-token-extended -I$PREFIX/include"
		[ ! -f "$here/${name}_wrap.h" ] || { wrap="-include $here/${name}_wrap.h" && ldflags="$ldflags -Wl,--gc-sections"; }
		;;
	header) cflags="$cflags -I$PREFIX/include -include typed_malloc.h -DTYPED_MALLOC_REPLACE" ;;
	esac
	stamp=$({
		echo "$cflags $ldflags $wrap"
		declare -f build
		[ "$build" = plain ] || cat "$PREFIX"/include/typed_malloc*.h
		[ -z "$wrap" ] || cat "$here/${name}_wrap.h"
	} | cksum)
	if [ "$(cat "$tree.built" 2>/dev/null)" != "$stamp" ]; then
		rm -rf "$tree" "$tree.built"
		mkdir -p "$WORK/$name"
		cp -a "$WORK/src/$package" "$tree"
		echo "$name: building it, $build" >&2
		doing="the build: $log/$build.build"
		cd "$tree"
		build >"$log/$build.build" 2>&1
		doing=''
		echo "$stamp" >"$tree.built"
	fi
	cd "$tree"
}

empty_scratch()
{
	rm -rf "$scratch"
	mkdir -p "$scratch"
}

# program CMD...: runs the program under test, in a measurement with time and in a statistics run with a table.
program() { "${environment[@]}" "$@"; }

# One run of the work under a variant: glibc and untyped (the plain build), flag, header.
run_work()
{
	variant=$1
	case $variant in
	glibc | untyped) set_build plain ;;
	*) set_build "$variant" ;;
	esac
	empty_scratch
	case $2 in
	stats) environment=(env "TYPED_MALLOC_OPTIONS=stats=$results/$variant.stats") ;;
	time) environment=(env time -a -o "$scratch.time" -f '%U %S %M' env) ;;
	esac
	[ "$variant" != untyped ] || environment+=("LD_PRELOAD=$library")
	rm -f "$scratch.time" "$results/$variant.stats"
	doing="the work: $log/$variant.work"
	work >"$log/$variant.work" 2>&1
	if grep '^typed_malloc: ' "$log/$variant.work" >&2; then exit 1; fi
	environment=() doing=''
	rm -rf "$scratch"
}

# The shares of the tables of $process: allocations, peak bytes, live bytes at the end, types.
shares()
{
	awk -v process="$process" '
		/^typed_malloc statistics: / { ours = $3 ~ "^" process "\\["; if (ours) tables++; next }
		ours && NF > 6 && $(NF - 6) ~ /^(type|site|random|all)-(fixed|var|large)$/ {
			n = $NF; bytes = $(NF - 5); live = $(NF - 4); peak = $(NF - 3)
			all += n; all_live += bytes * live; all_peak += bytes * peak
			if ($(NF - 6) !~ /^type/) next
			if (!($1 in seen)) { seen[$1]; types++ }
			typed += n; typed_live += bytes * live; typed_peak += bytes * peak
		}
		function share(part, whole) { return whole ? sprintf("%.1f", 100 * part / whole) : "-" }
		END { if (!all || !tables) exit 1
		      print all, share(typed, all), share(typed_peak, all_peak), share(typed_live, all_live), types + 0 }
	' "$1"
}

median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

tests()
{
	printf '%-10s %-8s %8s %8s\n' program build tests failed
	for build in $BUILDS; do
		set_build "$build"
		empty_scratch
		run=0 failed=0
		echo "$name: testing it, $build" >&2
		: >"$log/$build.check"
		set +e
		check >>"$log/$build.check" 2>&1
		set -e
		printf '%-10s %-8s %8d %8d\n' "$name" "$build" "$run" "$failed" | tee "$results/$build.tests"
		[ "$run" -gt 0 ] || failed=1
		[ "$failed" = 0 ] || { bad=1 && echo "$name: see $log/$build.check" >&2; }
		! grep -a '^typed_malloc: ' "$log/$build.check" >&2 || { bad=1 && echo "$name: the library complained" >&2; }
		rm -rf "$scratch"
	done
}

types()
{
	local all typed peak live types
	printf '%-10s %-8s %12s %18s %13s %13s %7s\n' program build allocations 'of them typed, %' 'peak bytes, %' 'live bytes, %' types
	for variant in $BUILDS; do
		[ "$variant" != plain ] || continue
		run_work "$variant" stats
		read -r all typed peak live types < <(shares "$results/$variant.stats") || die "no table of $process"
		printf '%-10s %-8s %12d %18s %13s %13s %7d\n' "$name" "$variant" "$all" "$typed" "$peak" "$live" "$types" |
			tee "$results/$variant.types"
		# Whatever the header does not see is untyped, in Lua all there is; the flag sees wrappers.
		[ "$types" -gt 0 ] || [ "$variant" = header ] || { bad=1 && echo "$name: no types in the $variant build" >&2; }
	done
}

# Five rounds, each of all variants; CPU is user + system time of all processes, RSS the peak of the largest.
measure()
{
	local round variant variants=(glibc untyped) cpu rss
	for build in $BUILDS; do [ "$build" = plain ] || variants+=("$build"); done
	rm -f "$results"/*.cpu "$results"/*.rss
	for round in 1 2 3 4 5; do
		for variant in "${variants[@]}"; do
			run_work "$variant" time
			awk '{ cpu += $1 + $2 } END { print cpu }' "$scratch.time" >>"$results/$variant.cpu"
			awk '$3 > max { max = $3 } END { print max }' "$scratch.time" >>"$results/$variant.rss"
		done
		echo "$name: measured, round $round of 5" >&2
	done
	printf '%-10s %-8s %8s %8s %9s %9s %8s %9s\n' program build 'CPU, s' /glibc /untyped 'RSS, KiB' /glibc /untyped
	for variant in "${variants[@]}"; do
		cpu=$(median <"$results/$variant.cpu") rss=$(median <"$results/$variant.rss")
		awk -v name="$name" -v variant="$variant" -v cpu="$cpu" -v rss="$rss" \
			-v glibc_cpu="$(median <"$results/glibc.cpu")" -v glibc_rss="$(median <"$results/glibc.rss")" \
			-v lib_cpu="$(median <"$results/untyped.cpu")" -v lib_rss="$(median <"$results/untyped.rss")" '
			BEGIN { printf "%-10s %-8s %8.2f %8.3f %9.3f %9d %8.3f %9.3f\n", name, variant, cpu,
				       cpu / glibc_cpu, cpu / lib_cpu, rss, rss / glibc_rss, rss / lib_rss }'
	done | tee "$results/measured"
}

main()
{
	bad=0
	need "$CC" "$CXX" make time
	[ -d "$WORK/src/$package" ] || need apt-get dpkg-source
	[ -f "$library" ] || die "no $library"
	doing="fetching the source: $log/fetch"
	fetch >"$log/fetch" 2>&1
	doing=''
	[ -z "$TESTS" ] || tests
	types
	[ -z "$MEASURE" ] || measure
	return $bad
}
