/*
 * malloc_api.c: the standard names. What each does is in malloc(3), posix_memalign(3), malloc_usable_size(3),
 * mallinfo(3), mallopt(3), malloc_info(3), C23 7.24.3 and POSIX.1-2024; where they leave room, as glibc does it.
 * All are thread-safe and none is async-signal-safe.
 */
#define _GNU_SOURCE
#include "heap.h"
#include "stats.h"
#include "sweep.h"
#include "track.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

/* Declared by no header of glibc 2.36. */
void cfree(void *);
void free_sized(void *, size_t);
void free_aligned_sized(void *, size_t, size_t);
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void __libc_free(void *);
void *__libc_memalign(size_t, size_t);
void *__libc_valloc(size_t);
void *__libc_pvalloc(size_t);

static void *no_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

TY_INLINE void *aligned(const uintptr_t *at, size_t align, size_t size, const char *fn)
{
	align = ty_memalign_rule(align);
	if (unlikely(!align)) {
		errno = EINVAL;
		return NULL;
	}
	return ty_alloc_aligned(at, 0, align, size, fn);
}

TY_HIDDEN void *ty_malloc(size_t size, const uintptr_t *at);
TY_HIDDEN void *ty_malloc(size_t size, const uintptr_t *at) { return ty_alloc(at, 0, size, "malloc"); }

TY_HIDDEN void *ty_calloc(size_t n, size_t size, const uintptr_t *at);
TY_HIDDEN void *ty_calloc(size_t n, size_t size, const uintptr_t *at)
{
	size_t bytes;
	if (unlikely(__builtin_mul_overflow(n, size, &bytes)))
		return no_memory();
	return ty_alloc(at, 0, bytes, "calloc"); /* P4: it is zero */
}

#ifdef TY_ENTRY1
TY_ENTRY1(malloc, size_t size, ty_malloc)
TY_ENTRY2(calloc, size_t n, size_t size, ty_calloc)
#else
TY_EXPORT void *malloc(size_t size) { return ty_malloc(size, TY_CALL()); }
TY_EXPORT void *calloc(size_t n, size_t size) { return ty_calloc(n, size, TY_CALL()); }
#endif

TY_EXPORT void *realloc(void *p, size_t size) { return ty_realloc(p, size, TY_CALL(), 0, false, "realloc"); }

/* A program with a malloc of its own may leave this one to us, as it would to libc, whose is by the program's realloc. */
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmissing-attributes" /* those that libc's header gives realloc; clang has no way to copy them */
#endif
TY_HIDDEN void *realloc_here(void *, size_t) __attribute__((alias("realloc")));
static void *(*programs_realloc(void))(void *, size_t)
{
	void *(*visible)(void *, size_t) = realloc;

	__asm__("" : "+r"(visible)); /* to the compiler they are the same */
	return visible == realloc_here ? NULL : visible;
}

TY_EXPORT void *reallocarray(void *p, size_t n, size_t size)
{
	size_t bytes;
	if (unlikely(__builtin_mul_overflow(n, size, &bytes)))
		return no_memory();
	void *(*theirs)(void *, size_t) = programs_realloc();
	if (unlikely(theirs != NULL))
		return theirs(p, bytes);
	return ty_realloc(p, bytes, TY_CALL(), 0, false, "reallocarray");
}

TY_EXPORT void free(void *p) { ty_free(p, "free"); }
TY_EXPORT void cfree(void *p) { ty_free(p, "cfree"); }
TY_EXPORT void free_sized(void *p, size_t size) { ty_free_sized(p, size, 0, "free_sized"); }
TY_EXPORT void free_aligned_sized(void *p, size_t align, size_t size)
{
	ty_free_sized(p, size, align, "free_aligned_sized");
}

TY_EXPORT int posix_memalign(void **out, size_t align, size_t size)
{
	int saved = errno;
	if (!ty_is_pow2(align) || align % sizeof(void *))
		return EINVAL;
	void *p = ty_alloc_aligned(TY_CALL(), 0, align, size, "posix_memalign");
	errno = saved;
	if (!p)
		return ENOMEM;
	*out = p;
	return 0;
}

TY_EXPORT void *aligned_alloc(size_t align, size_t size)
{
	if (unlikely(!ty_is_pow2(align))) {
		errno = EINVAL;
		return NULL;
	}
	return ty_alloc_aligned(TY_CALL(), 0, align, size, "aligned_alloc");
}

TY_EXPORT void *memalign(size_t align, size_t size) { return aligned(TY_CALL(), align, size, "memalign"); }

TY_EXPORT void *valloc(size_t size) { return ty_alloc_aligned(TY_CALL(), 0, ty_os_page_size(), size, "valloc"); }

TY_EXPORT void *pvalloc(size_t size)
{
	size_t page = ty_os_page_size();
	if (size > PTRDIFF_MAX)
		return no_memory();
	/* pvalloc(0) is a page, as glibc rounds it nowhere but malloc(0) serves it; a page is the safe reading. */
	return ty_alloc_aligned(TY_CALL(), 0, page, ty_round_up(size ? size : 1, page), "pvalloc");
}

TY_EXPORT size_t malloc_usable_size(void *p) { return ty_usable_size(p, "malloc_usable_size"); }

/* glibc's own names, for programs that reach around an interposed malloc: the same heap, or free would not match. */
TY_EXPORT void *__libc_malloc(size_t size) { return ty_alloc(TY_CALL(), 0, size, "malloc"); }
TY_EXPORT void *__libc_calloc(size_t n, size_t size)
{
	size_t bytes;
	if (unlikely(__builtin_mul_overflow(n, size, &bytes)))
		return no_memory();
	return ty_alloc(TY_CALL(), 0, bytes, "calloc");
}
TY_EXPORT void *__libc_realloc(void *p, size_t size) { return ty_realloc(p, size, TY_CALL(), 0, false, "realloc"); }
TY_EXPORT void __libc_free(void *p) { ty_free(p, "free"); }
TY_EXPORT void *__libc_memalign(size_t align, size_t size) { return aligned(TY_CALL(), align, size, "memalign"); }
TY_EXPORT void *__libc_valloc(size_t size) { return valloc(size); }
TY_EXPORT void *__libc_pvalloc(size_t size) { return pvalloc(size); }

TY_EXPORT int malloc_trim(size_t pad)
{
	(void)pad; /* nothing is kept back: unused pages are not at "the top" */
	if (!ty_heap_start())
		return 0;
	ty_track_begin();
	ty_sweep("malloc_trim");
	ty_tcache_flush();
	bool any = ty_cache_trim();
	ty_track_end();
	return any;
}

TY_EXPORT struct mallinfo2 mallinfo2(void)
{
	struct mallinfo2 m = {0};
	struct ty_totals t;

	ty_stats_totals(&t);
	m.arena = t.committed - (t.large_bytes < t.committed ? t.large_bytes : t.committed);
	m.hblks = t.large_objects;
	m.hblkhd = t.large_bytes;
	m.uordblks = t.live_bytes;
	m.fordblks = t.free_bytes;
	m.keepcost = 0;
	return m;
}

static int clamp(size_t n) { return n > INT32_MAX ? INT32_MAX : (int)n; }

TY_EXPORT struct mallinfo mallinfo(void)
{
	struct mallinfo2 w = mallinfo2();
	struct mallinfo m = {0};

	m.arena = clamp(w.arena);
	m.hblks = clamp(w.hblks);
	m.hblkhd = clamp(w.hblkhd);
	m.uordblks = clamp(w.uordblks);
	m.fordblks = clamp(w.fordblks);
	return m;
}

/* glibc's parameters are accepted and have no meaning here. */
TY_EXPORT int mallopt(int param, int value)
{
	(void)value;
	switch (param) {
	case M_MXFAST:
	case M_TRIM_THRESHOLD:
	case M_TOP_PAD:
	case M_MMAP_THRESHOLD:
	case M_MMAP_MAX:
	case M_CHECK_ACTION:
	case M_PERTURB:
	case M_ARENA_TEST:
	case M_ARENA_MAX:
		return 1;
	default:
		return 0;
	}
}

TY_EXPORT int malloc_info(int options, FILE *f)
{
	struct ty_totals t;

	if (options != 0)
		return EINVAL; /* glibc: the number itself, errno untouched */
	ty_stats_totals(&t);
	int n = fprintf(f,
			"<malloc version=\"typed_malloc-1\">\n"
			"<total type=\"rest\" count=\"%zu\" size=\"%zu\"/>\n"
			"<total type=\"mmap\" count=\"%zu\" size=\"%zu\"/>\n"
			"<system type=\"current\" size=\"%zu\"/>\n"
			"<system type=\"max\" size=\"%zu\"/>\n"
			"<aspace type=\"total\" size=\"%zu\"/>\n"
			"<metadata size=\"%zu\"/>\n"
			"</malloc>\n",
			t.live_objects, t.live_bytes, t.large_objects, t.large_bytes, t.committed, t.committed,
			ty_region_enabled(), t.metadata);
	return n < 0 ? -1 : 0;
}

TY_EXPORT void malloc_stats(void) { ty_stats_table(2); }
