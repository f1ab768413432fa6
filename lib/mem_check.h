/*
 * mem_check.h: libtyped_malloc_mem.so, memcpy and its kin that do not leave a heap object. A library of its own, preloaded
 * beside libtyped_malloc.so; without that it only forwards. typed_malloc_mem(7) tells what each function checks.
 *
 *   mem_api.c     memory and strings         mem_io.c      formatted text, input and output
 *   mem_wide.c    wide characters            mem_check.c   what all of them need, and the slow side
 *
 * Each function is: is any address the heap's (four instructions each)? No, as a rule: on to libc's. Yes: is the object long
 * enough? The heap knows. Functions on strings measure with libc's strnlen first, and then are moves.
 *
 * libc's functions are found by dlsym, the heap by asking it, at the first call after libc itself has started (it runs before
 * all constructors but its own). All of that lies on a page that is read-only from then on. Until then every address counts
 * as the heap's, so that the slow side sees the call; bytes are moved by loops of our own, and nothing is checked. dlsym
 * itself, resolvers of other libraries and the dynamic linker may call us then, before our own relocation: the first two
 * loads of a function are relative to it.
 *
 * libtyped_malloc.so calls these functions, too, and writes where no object is: its code is known by its addresses (site: where
 * a public function was called from).
 *
 * Compiled with -fno-builtin, and the loops have barriers, or they would become calls of themselves.
 */
#ifndef TY_MEM_CHECK_H
#define TY_MEM_CHECK_H

#undef _FORTIFY_SOURCE
#include "conf.h"
#include "mem_api.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wchar.h>

/* Some headers have macros for these. */
#undef fread_unlocked
#undef fwrite_unlocked

/* libc's, which its headers declare only where they use them themselves. */
void __chk_fail(void) TY_NORETURN __attribute__((weak));
int __vsnprintf_chk(char *d, size_t size, int flag, size_t room, const char *format, va_list args);

extern __typeof__(typed_malloc_mem_heap) typed_malloc_mem_heap __attribute__((weak));
extern __typeof__(typed_malloc_mem_fits) typed_malloc_mem_fits __attribute__((weak));
extern __typeof__(typed_malloc_mem_reach) typed_malloc_mem_reach __attribute__((weak));
extern __typeof__(typed_malloc_mem_room) typed_malloc_mem_room __attribute__((weak));
extern __typeof__(typed_malloc_mem_die) typed_malloc_mem_die __attribute__((weak));

/* What is taken from libc. */
/* clang-format off */
#define TY_REALS(X)                                                                                                       \
	X(memmove) X(memset) X(vsprintf) X(vsnprintf) X(__vsnprintf_chk)                                               \
	X(read) X(pread) X(pread64) X(recv) X(recvfrom) X(fread) X(fread_unlocked) X(fgets) X(fgets_unlocked)          \
	X(write) X(pwrite) X(pwrite64) X(send) X(sendto) X(fwrite) X(fwrite_unlocked)
/* clang-format on */

struct ty_mem_known {
	struct ty_mem_heap heap;
	bool ready;
	uintptr_t text; /* libtyped_malloc.so's code */
	size_t text_bytes;
#define X(name) __typeof__(name) *name;
	TY_REALS(X)
#undef X
};

union ty_mem_page {
	struct ty_mem_known k;
	char page[TY_MAX_PAGE];
};
extern TY_HIDDEN union ty_mem_page ty_mem_page;
#define ty_mem (ty_mem_page.k)

/* Find out everything. false: not now. For one thread at a time; dlsym may call us. */
TY_HIDDEN bool ty_mem_learn(void) TY_COLD;
/* The same at a first call: false before libc has started. */
TY_HIDDEN bool ty_mem_early(void) TY_COLD;

TY_INLINE bool ty_mem_ready(void) { return likely(TY_LOAD_ACQ(&ty_mem.ready)) || ty_mem_early(); }

/* Before libc's start nothing else will do. */
#define TY_REAL(name) (likely(ty_mem.name) || ty_mem_learn() ? ty_mem.name : ty_mem.name)

/* ---- the checks ---- */

TY_INLINE bool ty_mem_ours(const void *p) { return unlikely((uintptr_t)p - ty_mem.heap.base < ty_mem.heap.size); }

#define TY_SITE ((uintptr_t)__builtin_return_address(0))

/* What will_write and will_read do for an address of the heap's. */
TY_HIDDEN void ty_mem_look_slow(const void *p, size_t n, bool write, const char *fn, uintptr_t site);

/* n bytes at p are going to be written; ... read. */
TY_INLINE void ty_mem_will_write(const void *p, size_t n, const char *fn, uintptr_t site)
{
	if (ty_mem_ours(p))
		ty_mem_look_slow(p, n, true, fn, site);
}

TY_INLINE void ty_mem_will_read(const void *p, size_t n, const char *fn, uintptr_t site)
{
	if (ty_mem_ours(p))
		ty_mem_look_slow(p, n, false, fn, site);
}

/* Bytes, at most `most`, that may be looked through for an end at s. */
TY_HIDDEN size_t ty_mem_within(const void *s, size_t most);
/* Was there an end in the object at s? n: bytes looked through, with the end; unit: of a character. */
TY_HIDDEN void ty_mem_ended(const void *s, size_t n, size_t unit, const char *fn, uintptr_t site);

/* No object holds more. */
TY_INLINE size_t ty_mem_times(size_t n, size_t size)
{
	size_t bytes;

	return __builtin_mul_overflow(n, size, &bytes) ? SIZE_MAX : bytes;
}

/* memmove and memset while libc's are not known. */
TY_HIDDEN void *ty_mem_own_move(void *to, const void *from, size_t n) TY_COLD;
TY_HIDDEN void *ty_mem_own_set(void *to, int c, size_t n) TY_COLD;

/* What was checked is done; libc's functions may not be known yet. */
TY_INLINE void *ty_mem_move(void *d, const void *s, size_t n)
{
	return likely(ty_mem.memmove) ? ty_mem.memmove(d, s, n) : ty_mem_own_move(d, s, n);
}

TY_INLINE void *ty_mem_set(void *d, int c, size_t n)
{
	return likely(ty_mem.memset) ? ty_mem.memset(d, c, n) : ty_mem_own_set(d, c, n);
}

/* The checked ones for addresses of the heap's. */
TY_HIDDEN void *ty_mem_move_slow(void *d, const void *s, size_t n, const char *fn, uintptr_t site);
TY_HIDDEN void *ty_mem_set_slow(void *d, int c, size_t n, const char *fn, uintptr_t site);

TY_INLINE void *ty_mem_checked_move(void *d, const void *s, size_t n, const char *fn, uintptr_t site)
{
	return ty_mem_ours(d) || ty_mem_ours(s) ? ty_mem_move_slow(d, s, n, fn, site) : ty_mem.memmove(d, s, n);
}

TY_INLINE void *ty_mem_checked_set(void *d, int c, size_t n, const char *fn, uintptr_t site)
{
	return ty_mem_ours(d) ? ty_mem_set_slow(d, c, n, fn, site) : ty_mem.memset(d, c, n);
}

/* What the compiler knew of the destination, for the names that -D_FORTIFY_SOURCE calls. */
TY_INLINE void ty_mem_fortify(size_t n, size_t room)
{
	if (likely(n <= room))
		return;
	if (__chk_fail)
		__chk_fail();
	abort();
}

/* Defines an exported function, declared first as some headers do not. */
#define TY_API(result, name, ...)                                                                                      \
	TY_EXPORT result name(__VA_ARGS__);                                                                            \
	TY_EXPORT result name(__VA_ARGS__)

/* The other name of a function. What its header promises of it matters to nobody here. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmissing-attributes"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized" /* of a destination, whose address we look at */
#endif
#define TY_ALIAS(result, name, of, ...) TY_EXPORT result name(__VA_ARGS__) __attribute__((alias(#of)))

/* What _FORTIFY_SOURCE makes of the copies, which knows the room: of plain text, and of wide. */
#define TY_COPIES_CHK(type, cpy, pcpy, ncpy, pncpy, cat, ncat, copy, padded, append)                                   \
	TY_API(type *, __##cpy##_chk, type *restrict d, const type *restrict s, size_t room)                           \
	{                                                                                                              \
		copy(d, s, room, #cpy, TY_SITE);                                                                       \
		return d;                                                                                              \
	}                                                                                                              \
	TY_API(type *, __##pcpy##_chk, type *restrict d, const type *restrict s, size_t room)                          \
	{                                                                                                              \
		return copy(d, s, room, #pcpy, TY_SITE);                                                               \
	}                                                                                                              \
	TY_API(type *, __##ncpy##_chk, type *restrict d, const type *restrict s, size_t n, size_t room)                \
	{                                                                                                              \
		padded(d, s, n, room, #ncpy, TY_SITE);                                                                 \
		return d;                                                                                              \
	}                                                                                                              \
	TY_API(type *, __##pncpy##_chk, type *restrict d, const type *restrict s, size_t n, size_t room)               \
	{                                                                                                              \
		return padded(d, s, n, room, #pncpy, TY_SITE);                                                         \
	}                                                                                                              \
	TY_API(type *, __##cat##_chk, type *restrict d, const type *restrict s, size_t room)                           \
	{                                                                                                              \
		return append(d, s, SIZE_MAX, room, #cat, TY_SITE);                                                    \
	}                                                                                                              \
	TY_API(type *, __##ncat##_chk, type *restrict d, const type *restrict s, size_t n, size_t room)                \
	{                                                                                                              \
		return append(d, s, n, room, #ncat, TY_SITE);                                                          \
	}

#endif
