# The tests: attacks, conformance, limits, stress and P1 as programs under the preloaded library, and unit tests.
# tests/README tells which file tests what.

LOG_COMPILER = $(SHELL) $(srcdir)/tests/preload.sh
SH_LOG_COMPILER = $(SHELL)

ty_headers = tests/util.h tests/shadow.h tests/attack/attack.h tests/fuzz/model.h tests/fuzz/makers.h \
	tests/fuzz/objects.h tests/fuzz/moves.h tests/fuzz/crimes.h
EXTRA_DIST += $(ty_headers) tests/README tests/real.sh tests/said.sh tests/preload.sh tests/soak.sh tests/attack/table.sh tests/attack/compare.sh $(ty_scripts)

# Scripts run the programs that take arguments.
ty_scripts = tests/attack/run.sh tests/conform_exports.sh tests/limits_address_space.sh \
	tests/limits_fork.sh tests/limits_review.sh tests/limits_syscalls.sh tests/options.sh \
	tests/p1_run.sh tests/p6_randomness.sh tests/stress.sh

# Scripts that compile programs of their own, as users do; they use clang 22 and what other compilers there are.
ty_compiling = tests/header_matrix.sh tests/three_ways.sh tests/tokens_infer.sh tests/tokens_runtime.sh \
	tests/type_aware_new.sh tests/wrappers.sh
EXTRA_DIST += $(ty_compiling) tests/compile.sh tests/header_matrix.c tests/header_matrix.cc tests/three_ways.c \
	tests/tokens_by_hand.c tests/tokens_infer.c tests/tokens_runtime.c tests/tokens_runtime.cc \
	tests/type_aware_new.cc tests/wrappers.c tests/wrappers.h tests/wrappers_lib.c

# The options that make the library stricter.
ty_scripts += tests/options_strong.sh
check_PROGRAMS += tests/options_strong

# Programs that are a test by themselves.
ty_programs = tests/conform_malloc tests/conform_aligned tests/conform_no_memory tests/conform_info \
	tests/conform_libc tests/conform_life tests/conform_typed tests/limits_handover \
	tests/limits_ends tests/limits_mlockall tests/limits_objects tests/limits_phases tests/limits_resizes \
	tests/limits_stacks tests/limits_large tests/limits_threads \
	tests/oracle tests/fuzz/attacker

# What the library says before the end, and where.
ty_scripts += tests/report.sh
ty_scripts += tests/diagnostics.sh
EXTRA_DIST += tests/report_hook.c
check_PROGRAMS += tests/report_program tests/report_hook
tests_report_hook_LDFLAGS = -export-dynamic

check_PROGRAMS += $(ty_programs) tests/limits_fork tests/limits_review tests/limits_syscalls \
	tests/limits_use tests/options_program tests/options_symbol tests/p1_call_sites tests/p1_recorder \
	tests/p6_randomness tests/stress

tests_p6_randomness_LDADD = -lm

# Preloaded beside the library.
check_LTLIBRARIES += tests/limits_module.la
tests_limits_module_la_SOURCES = tests/limits_module.c
tests_limits_module_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere

# What ends the sealing of memory; a stand-in for libseccomp.
ty_scripts += tests/limits_sealing.sh
check_PROGRAMS += tests/limits_sealing
check_LTLIBRARIES += tests/seccomp_module.la
tests_seccomp_module_la_SOURCES = tests/seccomp_module.c
tests_seccomp_module_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere

# What comes before the first allocation.
ty_scripts += tests/limits_early.sh
check_PROGRAMS += tests/limits_early

# fork, and locks of others.
ty_scripts += tests/limits_atfork.sh
check_PROGRAMS += tests/limits_atfork
check_LTLIBRARIES += tests/atfork_module.la
tests_atfork_module_la_SOURCES = tests/atfork_module.c
tests_atfork_module_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere

# Opened with RTLD_DEEPBIND, by a name that only the program's own search path leads to.
ty_scripts += tests/conform_deepbind.sh
check_PROGRAMS += tests/conform_deepbind
tests_conform_deepbind_LDFLAGS = -Wl,-rpath,'$(abs_builddir)/tests/.libs' -Wl,--enable-new-dtags
check_LTLIBRARIES += tests/deep_module.la
tests_deep_module_la_SOURCES = tests/deep_module.c
tests_deep_module_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere

# One program for each crime; innocent and false_alarm test the harness, rate counts by chance.
ty_attacks = \
	tests/attack/bad_cache tests/attack/bad_pointer tests/attack/bin_forgery tests/attack/chance_base \
	tests/attack/chance_canary tests/attack/chance_neighbour tests/attack/chance_next tests/attack/chance_reuse \
	tests/attack/double_free_after_100000_frees tests/attack/double_free_buffer tests/attack/double_free_fastbin \
	tests/attack/double_free_forked tests/attack/double_free_header tests/attack/double_free_key \
	tests/attack/double_free_many_threads tests/attack/double_free_merged tests/attack/double_free_other_thread \
	tests/attack/double_free_owner_exited tests/attack/double_free_racing tests/attack/double_free_realloc_zero \
	tests/attack/double_free_same_site tests/attack/double_free_typed tests/attack/double_free_zero_size tests/attack/fake_chunk_heap \
	tests/attack/fake_chunk_mapped tests/attack/fake_chunk_mapping tests/attack/fake_chunk_stack \
	tests/attack/fake_chunk_static tests/attack/false_alarm tests/attack/fastbin_forgery tests/attack/free_guard \
	tests/attack/free_metadata tests/attack/free_vdso tests/attack/innocent tests/attack/metadata_adjacent \
	tests/attack/metadata_writable tests/attack/neighbours tests/attack/over_read tests/attack/overflow_aligned \
	tests/attack/overflow_into_free tests/attack/overflow_large tests/attack/overflow_large_resized \
	tests/attack/overflow_nul tests/attack/overflow_page tests/attack/overflow_past_large \
	tests/attack/overflow_replay tests/attack/overflow_resized tests/attack/overflow_shift \
	tests/attack/overflow_small tests/attack/overflow_stride tests/attack/overflow_text \
	tests/attack/overflow_typed tests/attack/page_forgery tests/attack/parts tests/attack/race_free_realloc \
	tests/attack/race_realloc_realloc tests/attack/rate tests/attack/read_after_free \
	tests/attack/read_after_realloc tests/attack/read_after_shrink tests/attack/size_forgery \
	tests/attack/spray_callback tests/attack/spray_data tests/attack/spray_exhaust tests/attack/spray_fork \
	tests/attack/spray_function tests/attack/spray_large tests/attack/spray_owner_exited tests/attack/spray_purge \
	tests/attack/spray_realloc tests/attack/spray_site tests/attack/spray_size tests/attack/spray_thread \
	tests/attack/spray_type tests/attack/spray_wrapper tests/attack/tcache_forgery tests/attack/top_forgery tests/attack/underflow_large \
	tests/attack/underflow_small tests/attack/uninitialised_aligned tests/attack/uninitialised_growth \
	tests/attack/uninitialised_handover tests/attack/uninitialised_malloc tests/attack/uninitialised_read \
	tests/attack/unlink_forgery tests/attack/unmap_heap tests/attack/usable_size_dead \
	tests/attack/use_after_free_large tests/attack/write_after_free tests/attack/write_after_free_cold tests/attack/write_after_free_cold_hot \
	tests/attack/write_after_shrink \
	tests/attack/write_behind_large tests/attack/wrong_size tests/attack/zero_size
check_PROGRAMS += $(ty_attacks)

# What the header declares; the only black-box tests that are linked with the library.
tests_conform_typed_LDADD = lib/libtyped_malloc.la
tests_conform_typed_LDFLAGS = -no-install
tests_fuzz_attacker_LDADD = lib/libtyped_malloc.la
tests_fuzz_attacker_LDFLAGS = -no-install
tests_oracle_LDADD = lib/libtyped_malloc.la
tests_oracle_LDFLAGS = -no-install
# The library finds the program's own options only if the program exports them.
tests_options_symbol_LDFLAGS = -export-dynamic

if HAVE_CXX
ty_cxx_scripts = tests/conform_dlopen_cxx.sh
ty_cxx_programs = tests/conform_new
ty_cxx_attacks = tests/attack/bad_delete tests/attack/delete_wrong_type tests/attack/overflow_new tests/attack/vtable_reuse
check_PROGRAMS += $(ty_cxx_programs) $(ty_cxx_attacks) tests/conform_dlopen_cxx
tests_conform_new_SOURCES = tests/conform_new.cc
tests_attack_bad_delete_SOURCES = tests/attack/bad_delete.cc
tests_attack_delete_wrong_type_SOURCES = tests/attack/delete_wrong_type.cc
tests_attack_overflow_new_SOURCES = tests/attack/overflow_new.cc
tests_attack_vtable_reuse_SOURCES = tests/attack/vtable_reuse.cc
check_LTLIBRARIES += tests/throw_module.la
tests_throw_module_la_SOURCES = tests/throw_module.cc
tests_throw_module_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere
endif
EXTRA_DIST += tests/conform_dlopen_cxx.sh

# One for each module under the front, linked with the modules' own names. unit_canary, unit_conf, unit_os, unit_region,
# unit_meta and unit_site pull in no heap, which would be started by then.
if HAVE_CRITERION
ty_units = tests/unit_bits tests/unit_bucket tests/unit_cache tests/unit_canary tests/unit_conf \
	tests/unit_heap tests/unit_large tests/unit_lock tests/unit_meta tests/unit_os tests/unit_random \
	tests/unit_refused tests/unit_region tests/unit_report tests/unit_site tests/unit_slab tests/unit_stats tests/unit_tcache \
	tests/unit_trace tests/unit_type
check_PROGRAMS += $(ty_units)
ty_unit_cppflags = $(AM_CPPFLAGS) -iquote $(srcdir)/lib
ty_unit_cflags = $(TY_CFLAGS) -ftls-model=initial-exec $(CRITERION_CFLAGS)
ty_unit_ldadd = lib/libty_core.la $(CRITERION_LIBS)
tests_unit_bits_CPPFLAGS = $(ty_unit_cppflags)
tests_unit_bits_CFLAGS = $(ty_unit_cflags)
tests_unit_bits_LDADD = $(ty_unit_ldadd)
tests_unit_bucket_CPPFLAGS = $(ty_unit_cppflags)
tests_unit_bucket_CFLAGS = $(ty_unit_cflags)
tests_unit_bucket_LDADD = $(ty_unit_ldadd)
tests_unit_cache_CPPFLAGS = $(ty_unit_cppflags)
tests_unit_cache_CFLAGS = $(ty_unit_cflags)
tests_unit_cache_LDADD = $(ty_unit_ldadd)
tests_unit_canary_CPPFLAGS = $(ty_unit_cppflags)
tests_unit_canary_CFLAGS = $(ty_unit_cflags)
tests_unit_canary_LDADD = $(ty_unit_ldadd)
tests_unit_conf_CPPFLAGS = $(ty_unit_cppflags)
tests_unit_conf_CFLAGS = $(ty_unit_cflags)
tests_unit_conf_LDADD = $(ty_unit_ldadd)
tests_unit_heap_CPPFLAGS = $(ty_unit_cppflags)
tests_unit_heap_CFLAGS = $(ty_unit_cflags)
tests_unit_heap_LDADD = $(ty_unit_ldadd)
tests_unit_large_CPPFLAGS = $(ty_unit_cppflags)
tests_unit_large_CFLAGS = $(ty_unit_cflags)
tests_unit_large_LDADD = $(ty_unit_ldadd)
tests_unit_lock_CPPFLAGS = $(ty_unit_cppflags)
tests_unit_lock_CFLAGS = $(ty_unit_cflags)
tests_unit_lock_LDADD = $(ty_unit_ldadd)
tests_unit_meta_CPPFLAGS = $(ty_unit_cppflags)
tests_unit_meta_CFLAGS = $(ty_unit_cflags)
tests_unit_meta_LDADD = $(ty_unit_ldadd)
tests_unit_os_CPPFLAGS = $(ty_unit_cppflags)
tests_unit_os_CFLAGS = $(ty_unit_cflags)
tests_unit_os_LDADD = $(ty_unit_ldadd)
tests_unit_random_CPPFLAGS = $(ty_unit_cppflags)
tests_unit_random_CFLAGS = $(ty_unit_cflags)
tests_unit_random_LDADD = $(ty_unit_ldadd) -lm
tests_unit_refused_CPPFLAGS = $(ty_unit_cppflags)
tests_unit_refused_CFLAGS = $(ty_unit_cflags)
tests_unit_refused_LDADD = $(ty_unit_ldadd)
tests_unit_region_CPPFLAGS = $(ty_unit_cppflags)
tests_unit_region_CFLAGS = $(ty_unit_cflags)
tests_unit_region_LDADD = $(ty_unit_ldadd)
tests_unit_report_CPPFLAGS = $(ty_unit_cppflags)
tests_unit_report_CFLAGS = $(ty_unit_cflags)
tests_unit_report_LDADD = $(ty_unit_ldadd)
tests_unit_site_CPPFLAGS = $(ty_unit_cppflags)
tests_unit_site_CFLAGS = $(ty_unit_cflags)
tests_unit_site_LDADD = $(ty_unit_ldadd)
tests_unit_slab_CPPFLAGS = $(ty_unit_cppflags)
tests_unit_slab_CFLAGS = $(ty_unit_cflags)
tests_unit_slab_LDADD = $(ty_unit_ldadd)
tests_unit_stats_CPPFLAGS = $(ty_unit_cppflags)
tests_unit_stats_CFLAGS = $(ty_unit_cflags)
tests_unit_stats_LDADD = $(ty_unit_ldadd)
tests_unit_tcache_CPPFLAGS = $(ty_unit_cppflags)
tests_unit_tcache_CFLAGS = $(ty_unit_cflags)
tests_unit_tcache_LDADD = $(ty_unit_ldadd)
tests_unit_trace_CPPFLAGS = $(ty_unit_cppflags)
tests_unit_trace_CFLAGS = $(ty_unit_cflags)
tests_unit_trace_LDADD = $(ty_unit_ldadd)
tests_unit_type_CPPFLAGS = $(ty_unit_cppflags)
tests_unit_type_CFLAGS = $(ty_unit_cflags)
tests_unit_type_LDADD = $(ty_unit_ldadd)
endif
EXTRA_DIST += tests/unit.h

# Real services from Debian's packages, each with and without the library: make check-services, SERVICES=name for some.
EXTRA_DIST += tests/services

# libtyped_malloc_mem.so, which is preloaded in several ways.
check_PROGRAMS += tests/mem_functions
EXTRA_DIST += tests/mem.sh
TESTS += tests/mem.sh

# Sampled objects, and what is said of faults.
check_PROGRAMS += tests/sample_program
EXTRA_DIST += tests/sample_run.sh
TESTS += tests/sample_run.sh

TESTS += $(ty_scripts) $(ty_compiling) $(ty_programs) $(ty_cxx_scripts) $(ty_cxx_programs) $(ty_units)

# Memcheck on planted bugs; in full: make check-valgrind (some minutes).
EXTRA_DIST += tests/valgrind.sh tests/valgrind/common.sh tests/valgrind/planted.c tests/valgrind_tools.sh tests/valgrind/peak.c tests/valgrind/threads.c
EXTRA_DIST += tests/sanitizers.sh tests/sanitizers.c
TESTS += tests/valgrind.sh tests/sanitizers.sh
.PHONY: check-valgrind
check-valgrind: all $(ty_programs) $(ty_cxx_programs) tests/stress
	@$(AM_TESTS_ENVIRONMENT) srcdir='$(srcdir)' bash $(srcdir)/tests/valgrind.sh all
	@$(AM_TESTS_ENVIRONMENT) srcdir='$(srcdir)' bash $(srcdir)/tests/valgrind_tools.sh

# Long runs, bounded by time: make soak, or make soak SOAK_SECONDS=600.
SOAK_SECONDS = 60
# The library with its defaults, samples included.
TY_AS_SHIPPED = $(AM_TESTS_ENVIRONMENT) unset TYPED_MALLOC_OPTIONS;

.PHONY: soak
soak: all $(check_PROGRAMS) $(check_LTLIBRARIES)
	@$(TY_AS_SHIPPED) srcdir='$(srcdir)' $(SHELL) $(srcdir)/tests/soak.sh $(SOAK_SECONDS)

# Sequences of operations with an attacker's moves mixed in, with one set of options after the other: make fuzz-attacker. make fuzz is
# that, and libFuzzer on the operations, for so many seconds each.
FUZZ_SECONDS = 60
.PHONY: fuzz fuzz-attacker fuzz-sequence
fuzz: fuzz-attacker fuzz-sequence
fuzz-attacker: all tests/fuzz/attacker$(EXEEXT)
	@$(TY_AS_SHIPPED) tests/fuzz/attacker$(EXEEXT) --seconds $(FUZZ_SECONDS) --seed "$$(date +%s)"
fuzz-sequence: all
	@$(AM_TESTS_ENVIRONMENT) srcdir='$(srcdir)' $(SHELL) $(srcdir)/tests/fuzz/libfuzzer.sh $(FUZZ_SECONDS) tests/fuzz/found || test $$? = 77

# What libFuzzer has found worth keeping is run again by make check.
check_PROGRAMS += tests/fuzz/sequence
tests_fuzz_sequence_LDADD = lib/libtyped_malloc.la
tests_fuzz_sequence_LDFLAGS = -no-install
ty_scripts += tests/fuzz/replay.sh
EXTRA_DIST += tests/fuzz/libfuzzer.sh tests/fuzz/corpus

# System calls refused from the start, as on older kernels, or later.
check_PROGRAMS += tests/limits_kernel
tests_limits_refused_LDADD = lib/libtyped_malloc.la
tests_limits_refused_LDFLAGS = -no-install
ty_scripts += tests/limits_kernel.sh tests/static.sh tests/meets.sh
ty_programs += tests/limits_refused
EXTRA_DIST += tests/refuse.h

# The lock-free parts under all interleavings, and bugs seeded into the allocator, which have to be found (some 20 minutes).
ty_scripts += tests/model.sh
EXTRA_DIST += tests/build_lib.sh tests/seeded.sh tests/seeded/apply.py tests/seeded/bugs.txt tests/model/explore.c \
	tests/model/explore.h tests/model/model.c
.PHONY: check-seeded
check-seeded: all $(check_PROGRAMS)
	@$(AM_TESTS_ENVIRONMENT) srcdir='$(srcdir)' $(SHELL) $(srcdir)/tests/seeded.sh $(SEEDED)

# Lines and branches of lib/ that the tests reach, in a build of its own: make check-coverage, COVERAGE_TESTS='...' for some.
EXTRA_DIST += tests/coverage.sh
.PHONY: check-coverage
check-coverage:
	@srcdir='$(srcdir)' $(SHELL) $(srcdir)/tests/coverage.sh coverage $(COVERAGE_TESTS)

# The attacks under this library and under others that are installed: who stops what (some minutes).
.PHONY: attack-compare
attack-compare: all $(ty_attacks) $(ty_cxx_attacks)
	@$(AM_TESTS_ENVIRONMENT) $(SHELL) $(srcdir)/tests/attack/compare.sh

check-services: all
	@$(TY_AS_SHIPPED) bash $(srcdir)/tests/services/run.sh "$$TYPED_MALLOC_LIB" $(SERVICES)
.PHONY: check-services

# Real programs, recompiled from Debian's sources (about an hour): make install, then make check-programs, PROGRAMS=name for some.
EXTRA_DIST += tests/programs
check-programs:
	bash $(srcdir)/tests/programs/run.sh '$(prefix)' $(PROGRAMS)
.PHONY: check-programs
