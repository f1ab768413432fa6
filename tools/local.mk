# Programs for users, and the scripts of this repository.

bin_PROGRAMS += tools/typed-run
tools_typed_run_SOURCES = tools/typed-run.c tools/program.c tools/program.h tools/valgrind_run.c tools/valgrind_run.h
tools_typed_run_CPPFLAGS = $(AM_CPPFLAGS) -DTY_LIBDIR='"$(libdir)"' -DTY_DATADIR='"$(pkgdatadir)"'
tools_typed_run_CFLAGS = $(TY_CFLAGS) $(LIBELF_CFLAGS)
tools_typed_run_LDADD = $(LIBELF_LIBS)

dist_bin_SCRIPTS = tools/typed-cover
coverdir = $(pkgdatadir)/cover
dist_cover_DATA = tools/cover/build.py tools/cover/common.py tools/cover/compiles.py tools/cover/debug.py tools/cover/project.py \
	tools/cover/report.py tools/cover/tool.py tools/cover/trial.py tools/cover/unit.py tools/cover/values.py

TESTS += tests/typed_run.sh tests/typed_cover.sh
EXTRA_DIST += tests/typed_run.sh tests/typed_cover.sh

dist_man_MANS += tools/typed-run.1 tools/typed-cover.1
EXTRA_DIST += tools/dev tools/demo.sh tools/demo/types.c

# typed-fuzz: the target's side as a library without the sanitizers' and compilers' idea of what malloc and memcmp are, and the rest.
lib_LIBRARIES = tools/libtyped_fuzz.a
tools_libtyped_fuzz_a_SOURCES = tools/fuzz_driver.c tools/fuzz_driver.h tools/fuzz_cover.c tools/fuzz_hooks.c \
	tools/fuzz_compare.c tools/fuzz_mutate.c tools/fuzz_frames.c tools/fuzz_exact.c
tools_libtyped_fuzz_a_CFLAGS = $(TY_CFLAGS) -O2 -fno-builtin
dist_bin_SCRIPTS += tools/typed-fuzz
fuzzdir = $(pkgdatadir)/fuzz
dist_fuzz_DATA = tools/fuzz/engine.py tools/fuzz/judge.py tools/fuzz/minimise.py tools/fuzz/report.py tools/fuzz/screen.py tools/fuzz/state.py \
	tools/fuzz/target.py tools/fuzz/tokens.py
dist_man_MANS += tools/typed-fuzz.1
TESTS += tests/typed_fuzz.sh
EXTRA_DIST += tests/typed_fuzz.sh tests/fuzz/parser.c

# typed-bench: the workloads, which are linked with no allocator, and what runs them under each.
pkglibexec_PROGRAMS = tools/bench/bench-workloads
tools_bench_bench_workloads_SOURCES = tools/bench/main.c tools/bench/bench.h tools/bench/object.c tools/bench/single.c tools/bench/sites.c \
	tools/bench/threads.c tools/bench/process.c
tools_bench_bench_workloads_CFLAGS = $(TY_CFLAGS) -fno-builtin-malloc -fno-builtin-free
dist_bin_SCRIPTS += tools/typed-bench
benchdir = $(pkgdatadir)/bench
dist_bench_DATA = tools/bench/allocators.py tools/bench/charts.py tools/bench/jobs.py tools/bench/measure.py tools/bench/programs.py \
	tools/bench/runner.py tools/bench/scale.py tools/bench/tables.py
dist_man_MANS += tools/typed-bench.1
TESTS += tests/bench.sh
EXTRA_DIST += tests/bench.sh
