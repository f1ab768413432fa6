/* track.c: see track.h. */
#define _GNU_SOURCE
#include "config.h"

#include "track.h"
#include "bits.h"
#include "chars.h"
#include "os.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef HAVE_VALGRIND_MEMCHECK_H
#include <valgrind/drd.h>
#include <valgrind/helgrind.h>
#include <valgrind/memcheck.h>
#ifndef VALGRIND_CLO_CHANGE /* 3.17 */
#define VALGRIND_CLO_CHANGE(option) ((void)0)
#endif
#else
#define VALGRIND_CLO_CHANGE(option) ((void)0)
#define RUNNING_ON_VALGRIND 0
#define VALGRIND_MALLOCLIKE_BLOCK(p, n, red, zero) ((void)(p), (void)(n), (void)(zero))
#define VALGRIND_FREELIKE_BLOCK(p, red) ((void)(p))
#define VALGRIND_RESIZEINPLACE_BLOCK(p, from, to, red) ((void)(p), (void)(from))
#define VALGRIND_MAKE_MEM_UNDEFINED(p, n) ((void)(p), (void)(n))
#define VALGRIND_MAKE_MEM_DEFINED(p, n) ((void)(p), (void)(n))
#define VALGRIND_HG_CLEAN_MEMORY(p, n) ((void)(p), (void)(n))
#define VALGRIND_GET_VBITS(p, bits, n) ((void)(p), (void)(bits), 0)
#define VALGRIND_DISABLE_ERROR_REPORTING ((void)0)
#define VALGRIND_ENABLE_ERROR_REPORTING ((void)0)
#endif

#define HELD_KIB 20480		       /* freed memory that Memcheck remembers, unless told (--freelist-vol) */
#define RESERVE_OURS ((size_t)8 << 30) /* no tool has room for much more */
#define RESERVE_FORWARD ((size_t)32 << 20)

/* Every sanitizer's run-time library has these, the last one but MemorySanitizer's. */
extern void __sanitizer_print_stack_trace(void) __attribute__((weak));
extern void __msan_allocated_memory(const volatile void *p, size_t n) __attribute__((weak));

/*
 * Whoever has taken malloc's place answers; ours says no, as the heap is only just starting. By the symbol, as the
 * program calls it.
 */
static bool malloc_is_ours(void)
{
	int saved = errno;
	void *volatile p = malloc(1);

	free(p);
	errno = saved;
	return !p;
}

static bool is_memcheck(void)
{
	char c = 0, bits = 0;

	return VALGRIND_GET_VBITS(&c, &bits, 1) == 1;
}

TY_EVERY_START bool ty_track_present(void) { return RUNNING_ON_VALGRIND != 0 || &__sanitizer_print_stack_trace; }

TY_START void ty_track_init(void)
{
	if (!ty_track_present())
		return;
	ty_conf.valgrind = RUNNING_ON_VALGRIND != 0;
	ty_conf.forward = !malloc_is_ours();
	if (ty_conf.unwatched && !ty_conf.forward)
		ty_conf.valgrind = false;
	ty_conf.checker = ty_conf.valgrind || ty_conf.forward;
	if (!ty_conf.checker)
		return;
	ty_conf.slow = true;
	ty_conf.sample = 0;
	ty_conf.site_levels = 1; /* a frame of another size than it has been would be reported: site.h reads a word there */
	ty_conf.faults = false; /* the checker says it */
	if (ty_conf.forward) {
		ty_conf.mismatch = true; /* tells new and new[] from malloc */
		return;
	}
	if (is_memcheck()) {
		ty_conf.mismatch = true;
		ty_conf.red = TY_RED;
		if (!ty_conf.never_reuse && !ty_conf.quarantine)
			ty_conf.quarantine = HELD_KIB;
		ty_conf.hold = true;
	}
}

void ty_track_alloc(void *p, size_t n, bool zero)
{
	VALGRIND_MALLOCLIKE_BLOCK(p, n, ty_conf.red, zero);
	VALGRIND_HG_CLEAN_MEMORY(p, n);
}

void ty_track_free(const void *p) { VALGRIND_FREELIKE_BLOCK(p, ty_conf.red); }

void ty_track_undefined(void *p, size_t n)
{
	if (ty_conf.valgrind)
		VALGRIND_MAKE_MEM_UNDEFINED(p, n);
	else if (&__msan_allocated_memory)
		__msan_allocated_memory(p, n);
}

void ty_track_defined(void *p, size_t n) { VALGRIND_MAKE_MEM_DEFINED(p, n); }
void ty_track_begin(void) { VALGRIND_DISABLE_ERROR_REPORTING; }
void ty_track_end(void) { VALGRIND_ENABLE_ERROR_REPORTING; }

bool ty_track_may_reserve(size_t len)
{
	return !ty_conf.checker || len <= (ty_conf.forward ? RESERVE_FORWARD : RESERVE_OURS);
}

/* So that they are not lost, for the leak check. */
static void *volatile kept[2];
static unsigned nkept;
static bool quiet;

/*
 * Then Memcheck writes down for each word of a block where it was made: minutes and tens of gigabytes for a heap's
 * length. The kernel has valgrind's own command line; under /proc/self there would be the program's.
 */
static bool tracks_origins(void)
{
	static const char option[] = "--track-origins=yes";
	char line[4096];
	size_t n = ty_os_read_file("/proc/thread-self/cmdline", line, sizeof line - 1);
	char **more = environ;

	line[n] = 0;
	for (const char *arg = line; arg < line + n; arg += strlen(arg) + 1)
		if (ty_contains(arg, option))
			return true;
	while (more && *more && !ty_begins(*more, "VALGRIND_OPTS="))
		more++;
	return more && *more && ty_contains(*more, option);
}

void *ty_track_reserve(size_t len)
{
	if (!ty_conf.red)
		return NULL;
	if (!quiet)
		VALGRIND_CLO_CHANGE("-q"); /* it warns of ranges this long */
	quiet = true;
	if (tracks_origins())
		return NULL;
	void *(*take)(size_t, size_t) = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "memalign");
	char *p = take ? take((size_t)2 << 20, len + TY_MAX_PAGE) : NULL;

	/* For Memcheck a block of 16 bytes from now on, and behind it memory that is nobody's until an object is there. */
	if (p)
		VALGRIND_RESIZEINPLACE_BLOCK(p, len + TY_MAX_PAGE, 16, 0);
	else
		return NULL;
	kept[nkept++ % 2] = p;
	return p + TY_MAX_PAGE;
}

void ty_track_metadata(void *p, size_t len)
{
	if (!ty_conf.red)
		return;
	VALGRIND_MAKE_MEM_DEFINED(p, len);
	VALGRIND_CLO_CHANGE("-v");
}
