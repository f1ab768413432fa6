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
	lib/compiler.h \
	lib/bits.c lib/bits.h \
	lib/lock.c lib/lock.h \
	lib/conf.c lib/conf.h \
	lib/report.c lib/report.h \
	lib/os_linux.c lib/os.h \
	lib/region.c lib/region.h \
	lib/meta.c lib/meta.h \
	lib/bucket.c lib/bucket.h \
	lib/type.c lib/type.h \
	lib/named.c lib/named.h \
	lib/slab.c lib/slab.h \
	lib/cache.c lib/cache.h \
	lib/mag.c lib/mag.h \
	lib/remote.c lib/remote.h \
	lib/stock.c lib/stock.h \
	lib/tcache.c lib/tcache.h \
	lib/large.c lib/large.h \
	lib/heap.c lib/heap.h \
	lib/fork.c \
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
lib_libtyped_malloc_la_SOURCES = lib/malloc_api.c lib/token_api.c lib/alloc_token.c lib/named_api.c
lib_libtyped_malloc_la_LIBADD = lib/libty_cxx.la lib/libty_core.la
lib_libtyped_malloc_la_LDFLAGS = -avoid-version -no-undefined \
	-Wl,-z,relro -Wl,-z,now -Wl,-z,defs -Wl,-z,nodelete \
	-Wl,--version-script=$(srcdir)/lib/exports.map
EXTRA_lib_libtyped_malloc_la_DEPENDENCIES = lib/exports.map

EXTRA_DIST += lib/README lib/exports.map lib/exports.list
pkgconfig_DATA += lib/typed_malloc.pc
dist_man_MANS += lib/typed_malloc.3 lib/typed_malloc.7

# One page describes them all; each is found under its own name too.
ty_man3_links = typed_calloc typed_realloc typed_reallocarray typed_aligned_alloc \
	typed_posix_memalign typed_free

install-data-hook:
	cd '$(DESTDIR)$(man3dir)' && for i in $(ty_man3_links); do \
		rm -f "$$i.3" && $(LN_S) typed_malloc.3 "$$i.3" || exit 1; done

uninstall-hook:
	cd '$(DESTDIR)$(man3dir)' && rm -f $(ty_man3_links:=.3)
