# The library, in the layers of lib/README. An include points down, or to the right within a row.

ty_lib_cppflags = $(AM_CPPFLAGS) -iquote $(srcdir)/lib
ty_lib_cflags = $(TY_CFLAGS) $(TY_LIB_CFLAGS)

# Everything under the front. Not installed: unit tests link it to reach the internal names.
# disable-static: its position-independent objects serve the static library too, so each file is
# compiled once.
noinst_LTLIBRARIES += lib/libty_core.la
lib_libty_core_la_LIBTOOLFLAGS = --tag=disable-static
lib_libty_core_la_CPPFLAGS = $(ty_lib_cppflags)
lib_libty_core_la_CFLAGS = $(ty_lib_cflags)
lib_libty_core_la_SOURCES = \
	lib/compiler.h lib/chars.h \
	lib/bits.c lib/bits.h \
	lib/lock.c lib/lock.h \
	lib/track.c lib/track.h \
	lib/conf.c lib/conf.h \
	lib/report.c lib/report.h \
	lib/canary.c lib/canary.h \
	lib/random.c lib/random.h \
	lib/os_linux.c lib/os_process.c lib/vdso.c lib/os_linux.h lib/os.h \
	lib/region.c lib/region.h \
	lib/meta.c lib/meta.h \
	lib/bucket.c lib/bucket.h \
	lib/trace.c lib/trace.h \
	lib/cfi.c lib/cfi.h \
	lib/site.c lib/site.h \
	lib/type.c lib/type.h \
	lib/named.c lib/named.h \
	lib/slab.c lib/slab.h \
	lib/cache.c lib/cache.h \
	lib/describe.c \
	lib/purge.c lib/purge.h \
	lib/mag.c lib/mag.h \
	lib/remote.c lib/remote.h \
	lib/stock.c lib/stock.h lib/handout.c \
	lib/tcache.c lib/tcache.h \
	lib/quarantine.c lib/quarantine.h \
	lib/span.c lib/span.h \
	lib/large.c lib/large.h \
	lib/sample.c lib/sample.h \
	lib/heap.c lib/heap.h \
	lib/tracked.c lib/tracked.h \
	lib/fork.c \
	lib/sweep.c lib/sweep.h \
	lib/stats.c lib/stats.h

# operator new throws std::bad_alloc through its own frame.
noinst_LTLIBRARIES += lib/libty_cxx.la
lib_libty_cxx_la_LIBTOOLFLAGS = --tag=disable-static
lib_libty_cxx_la_CPPFLAGS = $(ty_lib_cppflags)
lib_libty_cxx_la_CFLAGS = $(ty_lib_cflags) -fexceptions
lib_libty_cxx_la_SOURCES = lib/cxx_api.c

# No version in the file's name: what is preloaded is called libtyped_malloc.so and nothing else.
# nodelete: objects outlive whoever would close the library.
lib_LTLIBRARIES += lib/libtyped_malloc.la
lib_libtyped_malloc_la_CPPFLAGS = $(ty_lib_cppflags)
lib_libtyped_malloc_la_CFLAGS = $(ty_lib_cflags)
lib_libtyped_malloc_la_SOURCES = lib/malloc_api.c lib/token_api.c lib/alloc_token.c lib/named_api.c lib/dlopen.c lib/dlopen.h lib/linked.c \
	lib/hooks.h lib/rlimit.c lib/seccomp.c
lib_libtyped_malloc_la_LIBADD = lib/libty_cxx.la lib/libty_core.la
# static-libgcc: the unwinder (trace.h) comes along; nothing but libc is needed.
# nostartfiles: what they would register and look up is for C++ and profiling of old.
lib_libtyped_malloc_la_LDFLAGS = -avoid-version -no-undefined -Wc,-static-libgcc -Wc,-nostartfiles \
	-Wl,-z,relro -Wl,-z,now -Wl,-z,defs -Wl,-z,nodelete -Wl,-z,noseparate-code \
	-Wl,--version-script=$(srcdir)/lib/exports.map
EXTRA_lib_libtyped_malloc_la_DEPENDENCIES = lib/exports.map

# memcpy and its kin, checked: preloaded beside the library. -fno-builtin: its functions are what builtins would call.
lib_LTLIBRARIES += lib/libtyped_malloc_mem.la
lib_libtyped_malloc_mem_la_LIBTOOLFLAGS = --tag=disable-static
lib_libtyped_malloc_mem_la_CPPFLAGS = $(ty_lib_cppflags)
lib_libtyped_malloc_mem_la_CFLAGS = $(ty_lib_cflags) -fno-builtin
lib_libtyped_malloc_mem_la_SOURCES = lib/mem_api.c lib/mem_wide.c lib/mem_io.c lib/mem_check.c lib/mem_check.h lib/mem_api.h
lib_libtyped_malloc_mem_la_LDFLAGS = -shared -avoid-version -no-undefined \
	-Wl,-z,relro -Wl,-z,now -Wl,-z,defs -Wl,-z,nodelete \
	-Wl,--version-script=$(srcdir)/lib/mem_exports.map
EXTRA_lib_libtyped_malloc_mem_la_DEPENDENCIES = lib/mem_exports.map

dist_pkgdata_DATA = lib/typed_malloc.supp
EXTRA_DIST += lib/README lib/exports.map lib/exports.list lib/mem_exports.map
pkgconfig_DATA += lib/typed_malloc.pc
dist_man_MANS += lib/typed_malloc.3 lib/typed_malloc_obj.3 lib/typed_cache_create.3 lib/typed_malloc_is.3 \
	lib/typed_wrap_enter.3 \
	lib/typed_malloc.7 lib/typed_malloc_header.7 lib/typed_malloc_sanitizer.7 lib/typed_malloc_calls.7 \
	lib/typed_malloc_mem.7 lib/typed_malloc_options.7 lib/typed_malloc_security.7

# A page describes several functions; each is found under its own name too. page:function.
ty_man3_links = \
	$(addprefix typed_malloc:, typed_calloc typed_realloc typed_reallocarray typed_aligned_alloc \
		typed_memalign typed_posix_memalign typed_strdup typed_strndup typed_free typed_free_sized \
		typed_malloc_token typed_malloc_token_fixed typed_calloc_token typed_calloc_token_fixed \
		typed_malloc_flex_token typed_realloc_token typed_reallocarray_token \
		typed_aligned_alloc_token typed_memalign_token typed_posix_memalign_token \
		typed_strdup_token typed_strndup_token) \
	$(addprefix typed_malloc_obj:, typed_malloc_objs typed_malloc_flex typed_zalloc_obj typed_zalloc_objs \
		typed_zalloc_flex) \
	$(addprefix typed_cache_create:, typed_cache_alloc typed_cache_free typed_cache_destroy \
		typed_buckets_create typed_buckets_alloc) \
	$(addprefix typed_malloc_is:, typed_malloc_assert typed_malloc_type_of typed_malloc_token_at typed_malloc_room \
		typed_malloc_is_token typed_malloc_is_name typed_malloc_assert_token typed_token_of_name) \
	$(addprefix typed_wrap_enter:, typed_wrap_leave TYPED_MALLOC_WRAP TYPED_MALLOC_WRAPPER)

install-data-hook:
	cd '$(DESTDIR)$(man3dir)' && for i in $(ty_man3_links); do \
		page=$${i%%:*}.3 link=$${i#*:}.3; \
		rm -f "$$link" && $(LN_S) "$$page" "$$link" || exit 1; done

uninstall-hook:
	cd '$(DESTDIR)$(man3dir)' && for i in $(ty_man3_links); do rm -f "$${i#*:}.3"; done
