# Programs for users, and the scripts of this repository.

bin_PROGRAMS += tools/typed-run
tools_typed_run_SOURCES = tools/typed-run.c tools/program.c tools/program.h
tools_typed_run_CPPFLAGS = $(AM_CPPFLAGS) -DTY_LIBDIR='"$(libdir)"'
tools_typed_run_CFLAGS = $(TY_CFLAGS) $(LIBELF_CFLAGS)
tools_typed_run_LDADD = $(LIBELF_LIBS)

dist_bin_SCRIPTS = tools/typed-cover

TESTS += tests/typed_run.sh tests/typed_cover.sh
EXTRA_DIST += tests/typed_run.sh tests/typed_cover.sh

dist_man_MANS += tools/typed-run.1 tools/typed-cover.1
EXTRA_DIST += tools/dev tools/demo.sh tools/demo/types.c
