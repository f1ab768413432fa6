/*
 * mem_api.c: libtyped_malloc_mem.so, memcpy and its kin that do not leave a heap object. A library of its own, preloaded
 * beside libtyped_malloc.so; without that it only forwards. typed_malloc_mem(7) tells what each function checks.
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
 * libtyped_malloc.so calls these functions, too, and writes where no object is: its code is known by its addresses.
 *
 * Compiled with -fno-builtin, and the loops have barriers, or they would become calls of themselves.
 */
#undef _FORTIFY_SOURCE
#define _GNU_SOURCE
#include "conf.h"
#include "mem_api.h"

#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
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
extern char **environ __attribute__((weak));

/* What is taken from libc. */
/* clang-format off */
#define REALS(X)                                                                                                       \
	X(memmove) X(memset) X(vsprintf) X(vsnprintf) X(__vsnprintf_chk)                                               \
	X(read) X(pread) X(pread64) X(recv) X(recvfrom) X(fread) X(fread_unlocked) X(fgets) X(fgets_unlocked)          \
	X(write) X(pwrite) X(pwrite64) X(send) X(sendto) X(fwrite) X(fwrite_unlocked)
/* clang-format on */

struct known {
	struct ty_mem_heap heap;
	bool ready;
	uintptr_t text; /* libtyped_malloc.so's code */
	size_t text_bytes;
#define X(name) __typeof__(name) *name;
	REALS(X)
#undef X
};

static union {
	struct known k;
	char page[TY_MAX_PAGE];
} known __attribute__((aligned(TY_MAX_PAGE))) = {.k.heap = {0, SIZE_MAX}};
#define real (known.k)

/* Loops that need nothing but their arguments. */
static TY_COLD void *own_move(void *to, const void *from, size_t n)
{
	char *d = to;
	const char *s = from;

	if ((uintptr_t)d - (uintptr_t)s < n) /* the end first */
		while (n--) {
			d[n] = s[n];
			__asm__ volatile("" : : : "memory");
		}
	else
		for (size_t i = 0; i < n; i++) {
			d[i] = s[i];
			__asm__ volatile("" : : : "memory");
		}
	return to;
}

static TY_COLD void *own_set(void *to, int c, size_t n)
{
	for (char *d = to; n; n--) {
		*d++ = (char)c;
		__asm__ volatile("" : : : "memory");
	}
	return to;
}

static int find_text(struct dl_phdr_info *info, size_t bytes, void *arg)
{
	uintptr_t in = (uintptr_t)typed_malloc_mem_room;

	(void)bytes;
	(void)arg;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *h = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + h->p_vaddr;
		if (h->p_type == PT_LOAD && in - start < h->p_memsz) {
			real.text = start;
			real.text_bytes = h->p_memsz;
			return 1;
		}
	}
	return 0;
}

/* Find out everything. false: not now. For one thread at a time; dlsym may call us. */
static TY_COLD bool learn(void)
{
	static bool busy;

	if (__atomic_exchange_n(&busy, true, __ATOMIC_ACQUIRE))
		return false;
	if (!real.ready) {
		struct ty_mem_heap heap = {0, 0};
		bool known_now = true;
#define X(name) real.name = (__typeof__(name) *)dlsym(RTLD_NEXT, #name);
		if (!real.memmove) {
			REALS(X)
		}
#undef X
		if (typed_malloc_mem_heap && typed_malloc_mem_fits && typed_malloc_mem_reach && typed_malloc_mem_room &&
		    typed_malloc_mem_die) {
			dl_iterate_phdr(find_text, NULL);
			known_now = typed_malloc_mem_heap(&heap);
		}
		if (known_now) {
			real.heap.base = heap.base;
			TY_STORE_REL(&real.heap.size, heap.size); /* the fast paths are open */
			TY_STORE_REL(&real.ready, true);
			mprotect(&known, sizeof known, PROT_READ);
		}
	}
	__atomic_store_n(&busy, false, __ATOMIC_RELEASE);
	return TY_LOAD(&real.ready);
}

/* libc has started when there is an environment. Unrelocated, we would not find the variable. */
static TY_COLD bool early(void) { return &environ && environ && learn(); }

TY_INLINE bool ready(void) { return likely(TY_LOAD_ACQ(&real.ready)) || early(); }

/* Before libc's start nothing else will do. */
#define REAL(name) (likely(real.name) || learn() ? real.name : real.name)

__attribute__((constructor(101))) static void mem_constructor(void) { ready(); }

/* ---- the checks ---- */

TY_INLINE bool ours(const void *p) { return unlikely((uintptr_t)p - real.heap.base < real.heap.size); }

#define SITE ((uintptr_t)__builtin_return_address(0))

TY_INLINE bool by_heap(uintptr_t site) { return site - real.text < real.text_bytes; }

/* n bytes at p, of a caller that is not the heap. */
TY_INLINE void look(const void *p, size_t n, bool write, const char *fn)
{
	if (ours(p) && unlikely(!typed_malloc_mem_fits(p, n, fn)))
		typed_malloc_mem_die(p, n, write, fn);
}

static TY_NOINLINE void look_slow(const void *p, size_t n, bool write, const char *fn, uintptr_t site)
{
	if (n && ready() && !by_heap(site))
		look(p, n, write, fn);
}

/* n bytes at p are going to be written; ... read. */
TY_INLINE void will_write(const void *p, size_t n, const char *fn, uintptr_t site)
{
	if (ours(p))
		look_slow(p, n, true, fn, site);
}

TY_INLINE void will_read(const void *p, size_t n, const char *fn, uintptr_t site)
{
	if (ours(p))
		look_slow(p, n, false, fn, site);
}

/* Bytes, at most `most`, that may be looked through for an end at s. */
static TY_NOINLINE size_t within(const void *s, size_t most)
{
	if (!most || !ready() || !ours(s))
		return most;
	size_t reach = typed_malloc_mem_reach(s);
	return reach < most ? reach : most;
}

/* Was there an end in the object at s? n: bytes looked through, with the end; unit: of a character. */
static TY_NOINLINE void ended(const void *s, size_t n, size_t unit, const char *fn, uintptr_t site)
{
	if (n && ready() && ours(s) && !by_heap(site) && unlikely(!typed_malloc_mem_fits(s, n, fn)))
		typed_malloc_mem_die(s, (typed_malloc_mem_room(s, fn) / unit + 1) * unit, false, fn);
}

/* No object holds more. */
TY_INLINE size_t times(size_t n, size_t size)
{
	size_t bytes;

	return __builtin_mul_overflow(n, size, &bytes) ? SIZE_MAX : bytes;
}

/* What was checked is done; libc's functions may not be known yet. */
TY_INLINE void *move(void *d, const void *s, size_t n)
{
	return likely(real.memmove) ? real.memmove(d, s, n) : own_move(d, s, n);
}

TY_INLINE void *set(void *d, int c, size_t n) { return likely(real.memset) ? real.memset(d, c, n) : own_set(d, c, n); }

static TY_NOINLINE void *move_slow(void *d, const void *s, size_t n, const char *fn, uintptr_t site)
{
	if (unlikely(!ready()))
		return own_move(d, s, n);
	if (likely(n != 0) && likely(!by_heap(site))) {
		look(d, n, true, fn);
		look(s, n, false, fn);
	}
	return real.memmove(d, s, n);
}

static TY_NOINLINE void *set_slow(void *d, int c, size_t n, const char *fn, uintptr_t site)
{
	if (unlikely(!ready()))
		return own_set(d, c, n);
	if (likely(n != 0) && likely(!by_heap(site)))
		look(d, n, true, fn);
	return real.memset(d, c, n);
}

TY_INLINE void *checked_move(void *d, const void *s, size_t n, const char *fn, uintptr_t site)
{
	return ours(d) || ours(s) ? move_slow(d, s, n, fn, site) : real.memmove(d, s, n);
}

TY_INLINE void *checked_set(void *d, int c, size_t n, const char *fn, uintptr_t site)
{
	return ours(d) ? set_slow(d, c, n, fn, site) : real.memset(d, c, n);
}

/* What the compiler knew of the destination, for the names that -D_FORTIFY_SOURCE calls. */
TY_INLINE void fortify(size_t n, size_t room)
{
	if (likely(n <= room))
		return;
	if (__chk_fail)
		__chk_fail();
	abort();
}

/* Defines an exported function, declared first as some headers do not. */
#define API(result, name, ...)                                                                                         \
	TY_EXPORT result name(__VA_ARGS__);                                                                            \
	TY_EXPORT result name(__VA_ARGS__)

/* The other name of a function. What its header promises of it matters to nobody here. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmissing-attributes"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized" /* of a destination, whose address we look at */
#endif
#define ALIAS(result, name, of, ...) TY_EXPORT result name(__VA_ARGS__) __attribute__((alias(#of)))

/* ---- memory ---- */

API(void *, memcpy, void *restrict d, const void *restrict s, size_t n)
{
	return checked_move(d, s, n, "memcpy", SITE);
}

API(void *, memmove, void *d, const void *s, size_t n) { return checked_move(d, s, n, "memmove", SITE); }

API(void *, mempcpy, void *restrict d, const void *restrict s, size_t n)
{
	return (char *)checked_move(d, s, n, "mempcpy", SITE) + n;
}
ALIAS(void *, __mempcpy, mempcpy, void *restrict d, const void *restrict s, size_t n);

API(void *, memccpy, void *restrict d, const void *restrict s, int c, size_t n)
{
	const char *end = memchr(s, c, ours(s) ? within(s, n) : n);

	if (end)
		n = (size_t)(end - (const char *)s) + 1;
	checked_move(d, s, n, "memccpy", SITE);
	return end ? (char *)d + n : NULL;
}

API(void, bcopy, const void *s, void *d, size_t n) { checked_move(d, s, n, "bcopy", SITE); }

API(void *, memset, void *d, int c, size_t n) { return checked_set(d, c, n, "memset", SITE); }

API(void, bzero, void *d, size_t n) { checked_set(d, 0, n, "bzero", SITE); }
ALIAS(void, __bzero, bzero, void *d, size_t n);

/* The caller does not see what is called here, so nothing is left out. */
API(void, explicit_bzero, void *d, size_t n) { checked_set(d, 0, n, "explicit_bzero", SITE); }

API(void *, __memcpy_chk, void *restrict d, const void *restrict s, size_t n, size_t room)
{
	fortify(n, room);
	return checked_move(d, s, n, "memcpy", SITE);
}

API(void *, __memmove_chk, void *d, const void *s, size_t n, size_t room)
{
	fortify(n, room);
	return checked_move(d, s, n, "memmove", SITE);
}

API(void *, __mempcpy_chk, void *restrict d, const void *restrict s, size_t n, size_t room)
{
	fortify(n, room);
	return (char *)checked_move(d, s, n, "mempcpy", SITE) + n;
}

API(void *, __memset_chk, void *d, int c, size_t n, size_t room)
{
	fortify(n, room);
	return checked_set(d, c, n, "memset", SITE);
}

API(void, __explicit_bzero_chk, void *d, size_t n, size_t room)
{
	fortify(n, room);
	checked_set(d, 0, n, "explicit_bzero", SITE);
}

/* ---- strings ---- */

/* Characters of s, or n if it has more. A string must end in its object. */
TY_INLINE size_t length(const char *s, size_t n, const char *fn, uintptr_t site)
{
	if (ours(s)) {
		size_t len = strnlen(s, within(s, n));
		ended(s, len + (len < n), 1, fn, site);
		return len;
	}
	return n == SIZE_MAX ? strlen(s) : strnlen(s, n);
}

/* Copy s with its end to d. The end in d. */
TY_INLINE char *copy(char *d, const char *s, size_t room, const char *fn, uintptr_t site)
{
	size_t len = length(s, SIZE_MAX, fn, site);

	fortify(len + 1, room);
	will_write(d, len + 1, fn, site);
	move(d, s, len + 1);
	return d + len;
}

/* Copy at most n characters of s to d; what is left of n is zero. The end of the string in d, or d + n. */
TY_INLINE char *copy_padded(char *d, const char *s, size_t n, size_t room, const char *fn, uintptr_t site)
{
	fortify(n, room);
	size_t len = length(s, n, fn, site);

	will_write(d, n, fn, site);
	move(d, s, len);
	set(d + len, 0, n - len);
	return d + len;
}

/* Copy at most n characters of s behind the string d, and an end. */
TY_INLINE char *append(char *d, const char *s, size_t n, size_t room, const char *fn, uintptr_t site)
{
	size_t have = length(d, SIZE_MAX, fn, site), len = length(s, n, fn, site);

	fortify(have + len + 1, room);
	will_write(d, have + len + 1, fn, site);
	move(d + have, s, len);
	d[have + len] = 0;
	return d;
}

/* Copy s into d, of which `have` bytes of size are taken, as far as there is room. The length it would have come to. */
TY_INLINE size_t copy_cut(char *d, size_t have, const char *s, size_t size, const char *fn, uintptr_t site)
{
	size_t len = length(s, SIZE_MAX, fn, site);

	if (have < size) {
		size_t n = len < size - have ? len : size - have - 1;
		will_write(d, have + n + 1, fn, site);
		move(d + have, s, n);
		d[have + n] = 0;
	}
	return have + len;
}

/* What _FORTIFY_SOURCE makes of the copies, which knows the room: of plain text, and of wide. */
#define COPIES_CHK(type, cpy, pcpy, ncpy, pncpy, cat, ncat, copy, padded, append)                                      \
	API(type *, __##cpy##_chk, type *restrict d, const type *restrict s, size_t room)                              \
	{                                                                                                              \
		copy(d, s, room, #cpy, SITE);                                                                          \
		return d;                                                                                              \
	}                                                                                                              \
	API(type *, __##pcpy##_chk, type *restrict d, const type *restrict s, size_t room)                             \
	{                                                                                                              \
		return copy(d, s, room, #pcpy, SITE);                                                                  \
	}                                                                                                              \
	API(type *, __##ncpy##_chk, type *restrict d, const type *restrict s, size_t n, size_t room)                   \
	{                                                                                                              \
		padded(d, s, n, room, #ncpy, SITE);                                                                    \
		return d;                                                                                              \
	}                                                                                                              \
	API(type *, __##pncpy##_chk, type *restrict d, const type *restrict s, size_t n, size_t room)                  \
	{                                                                                                              \
		return padded(d, s, n, room, #pncpy, SITE);                                                            \
	}                                                                                                              \
	API(type *, __##cat##_chk, type *restrict d, const type *restrict s, size_t room)                              \
	{                                                                                                              \
		return append(d, s, SIZE_MAX, room, #cat, SITE);                                                       \
	}                                                                                                              \
	API(type *, __##ncat##_chk, type *restrict d, const type *restrict s, size_t n, size_t room)                   \
	{                                                                                                              \
		return append(d, s, n, room, #ncat, SITE);                                                             \
	}

COPIES_CHK(char, strcpy, stpcpy, strncpy, stpncpy, strcat, strncat, copy, copy_padded, append)

API(char *, strcpy, char *restrict d, const char *restrict s)
{
	copy(d, s, SIZE_MAX, "strcpy", SITE);
	return d;
}

API(char *, stpcpy, char *restrict d, const char *restrict s) { return copy(d, s, SIZE_MAX, "stpcpy", SITE); }
ALIAS(char *, __stpcpy, stpcpy, char *restrict d, const char *restrict s);

API(char *, strncpy, char *restrict d, const char *restrict s, size_t n)
{
	copy_padded(d, s, n, SIZE_MAX, "strncpy", SITE);
	return d;
}

API(char *, stpncpy, char *restrict d, const char *restrict s, size_t n)
{
	return copy_padded(d, s, n, SIZE_MAX, "stpncpy", SITE);
}
ALIAS(char *, __stpncpy, stpncpy, char *restrict d, const char *restrict s, size_t n);

API(char *, strcat, char *restrict d, const char *restrict s)
{
	return append(d, s, SIZE_MAX, SIZE_MAX, "strcat", SITE);
}

API(char *, strncat, char *restrict d, const char *restrict s, size_t n)
{
	return append(d, s, n, SIZE_MAX, "strncat", SITE);
}

API(size_t, strlcpy, char *restrict d, const char *restrict s, size_t size)
{
	return copy_cut(d, 0, s, size, "strlcpy", SITE);
}

API(size_t, strlcat, char *restrict d, const char *restrict s, size_t size)
{
	return copy_cut(d, length(d, size, "strlcat", SITE), s, size, "strlcat", SITE);
}

API(size_t, __strlcpy_chk, char *restrict d, const char *restrict s, size_t size, size_t room)
{
	fortify(size, room);
	return copy_cut(d, 0, s, size, "strlcpy", SITE);
}

API(size_t, __strlcat_chk, char *restrict d, const char *restrict s, size_t size, size_t room)
{
	fortify(size, room);
	return copy_cut(d, length(d, size, "strlcat", SITE), s, size, "strlcat", SITE);
}

/* ---- wide characters; room is in characters ---- */

#define WIDE(n) times(n, sizeof(wchar_t))

TY_INLINE wchar_t *wide_set(wchar_t *d, wchar_t c, size_t n, const char *fn, uintptr_t site)
{
	will_write(d, WIDE(n), fn, site);
	for (size_t i = 0; i < n; i++)
		d[i] = c;
	return d;
}

TY_INLINE wchar_t *wide_move(wchar_t *d, const wchar_t *s, size_t n, const char *fn, uintptr_t site)
{
	return checked_move(d, s, WIDE(n), fn, site);
}

TY_INLINE size_t wide_length(const wchar_t *s, size_t n, const char *fn, uintptr_t site)
{
	if (ours(s)) {
		size_t len = wcsnlen(s, within(s, WIDE(n)) / sizeof *s);
		ended(s, WIDE(len + (len < n)), sizeof *s, fn, site);
		return len;
	}
	return n == SIZE_MAX ? wcslen(s) : wcsnlen(s, n);
}

TY_INLINE wchar_t *wide_copy(wchar_t *d, const wchar_t *s, size_t room, const char *fn, uintptr_t site)
{
	size_t len = wide_length(s, SIZE_MAX, fn, site);

	fortify(len + 1, room);
	will_write(d, WIDE(len + 1), fn, site);
	move(d, s, WIDE(len + 1));
	return d + len;
}

TY_INLINE wchar_t *wide_padded(wchar_t *d, const wchar_t *s, size_t n, size_t room, const char *fn, uintptr_t site)
{
	fortify(n, room);
	size_t len = wide_length(s, n, fn, site);

	will_write(d, WIDE(n), fn, site);
	move(d, s, WIDE(len));
	set(d + len, 0, WIDE(n - len));
	return d + len;
}

TY_INLINE wchar_t *wide_append(wchar_t *d, const wchar_t *s, size_t n, size_t room, const char *fn, uintptr_t site)
{
	size_t have = wide_length(d, SIZE_MAX, fn, site), len = wide_length(s, n, fn, site);

	fortify(have + len + 1, room);
	will_write(d, WIDE(have + len + 1), fn, site);
	move(d + have, s, WIDE(len));
	d[have + len] = 0;
	return d;
}

API(wchar_t *, wmemset, wchar_t *d, wchar_t c, size_t n) { return wide_set(d, c, n, "wmemset", SITE); }

API(wchar_t *, wmemcpy, wchar_t *restrict d, const wchar_t *restrict s, size_t n)
{
	return wide_move(d, s, n, "wmemcpy", SITE);
}

API(wchar_t *, wmemmove, wchar_t *d, const wchar_t *s, size_t n) { return wide_move(d, s, n, "wmemmove", SITE); }

API(wchar_t *, wmempcpy, wchar_t *restrict d, const wchar_t *restrict s, size_t n)
{
	return wide_move(d, s, n, "wmempcpy", SITE) + n;
}

API(wchar_t *, wcscpy, wchar_t *restrict d, const wchar_t *restrict s)
{
	wide_copy(d, s, SIZE_MAX, "wcscpy", SITE);
	return d;
}

API(wchar_t *, wcpcpy, wchar_t *restrict d, const wchar_t *restrict s)
{
	return wide_copy(d, s, SIZE_MAX, "wcpcpy", SITE);
}

API(wchar_t *, wcsncpy, wchar_t *restrict d, const wchar_t *restrict s, size_t n)
{
	wide_padded(d, s, n, SIZE_MAX, "wcsncpy", SITE);
	return d;
}

API(wchar_t *, wcpncpy, wchar_t *restrict d, const wchar_t *restrict s, size_t n)
{
	return wide_padded(d, s, n, SIZE_MAX, "wcpncpy", SITE);
}

API(wchar_t *, wcscat, wchar_t *restrict d, const wchar_t *restrict s)
{
	return wide_append(d, s, SIZE_MAX, SIZE_MAX, "wcscat", SITE);
}

API(wchar_t *, wcsncat, wchar_t *restrict d, const wchar_t *restrict s, size_t n)
{
	return wide_append(d, s, n, SIZE_MAX, "wcsncat", SITE);
}

API(wchar_t *, __wmemset_chk, wchar_t *d, wchar_t c, size_t n, size_t room)
{
	fortify(n, room);
	return wide_set(d, c, n, "wmemset", SITE);
}

API(wchar_t *, __wmemcpy_chk, wchar_t *restrict d, const wchar_t *restrict s, size_t n, size_t room)
{
	fortify(n, room);
	return wide_move(d, s, n, "wmemcpy", SITE);
}

API(wchar_t *, __wmemmove_chk, wchar_t *d, const wchar_t *s, size_t n, size_t room)
{
	fortify(n, room);
	return wide_move(d, s, n, "wmemmove", SITE);
}

API(wchar_t *, __wmempcpy_chk, wchar_t *restrict d, const wchar_t *restrict s, size_t n, size_t room)
{
	fortify(n, room);
	return wide_move(d, s, n, "wmempcpy", SITE) + n;
}

COPIES_CHK(wchar_t, wcscpy, wcpcpy, wcsncpy, wcpncpy, wcscat, wcsncat, wide_copy, wide_padded, wide_append)

/* ---- formatted text: libc is told of no more room than there is, and only text that would not have fitted is a crime ---- */

/* Bytes that may be written at d; SIZE_MAX: not ours to say. */
static size_t room_at(const void *d, const char *fn)
{
	return ours(d) && ready() && ours(d) ? typed_malloc_mem_room(d, fn) : SIZE_MAX;
}

static int print(char *d, size_t size, const char *format, va_list args, const char *fn)
{
	size_t room = size ? room_at(d, fn) : SIZE_MAX;

	if (!REAL(vsnprintf))
		return -1;
	if (likely(room >= size || room > INT_MAX))
		return size == SIZE_MAX ? real.vsprintf(d, format, args) : real.vsnprintf(d, size, format, args);
	if (unlikely(!room))
		typed_malloc_mem_die(d, 1, true, fn);
	int n = real.vsnprintf(d, room, format, args);
	if (unlikely(n >= 0 && (size_t)n >= room))
		typed_malloc_mem_die(d, (size_t)n < size ? (size_t)n + 1 : size, true, fn);
	return n;
}

static int print_chk(char *d, size_t size, int flag, size_t known_room, const char *format, va_list args,
		     const char *fn)
{
	size_t room = size ? room_at(d, fn) : SIZE_MAX;

	if (!REAL(__vsnprintf_chk))
		return -1;
	if (likely(room >= size || room > INT_MAX))
		return real.__vsnprintf_chk(d, size, flag, known_room, format, args);
	if (unlikely(!room))
		typed_malloc_mem_die(d, 1, true, fn);
	int n = real.__vsnprintf_chk(d, room, flag, room, format, args);
	if (unlikely(n >= 0 && (size_t)n >= room))
		typed_malloc_mem_die(d, (size_t)n < size ? (size_t)n + 1 : size, true, fn);
	return n;
}

/* Room that the compiler knew bounds text of any length. */
static int print_fortified(char *d, int flag, size_t known_room, const char *format, va_list args, const char *fn)
{
	fortify(1, known_room);
	int n = print_chk(d, known_room, flag, known_room, format, args, fn);
	fortify(n < 0 ? 0 : (size_t)n + 1, known_room);
	return n;
}

API(int, vsprintf, char *restrict d, const char *restrict format, va_list args)
{
	return print(d, SIZE_MAX, format, args, "vsprintf");
}

API(int, vsnprintf, char *restrict d, size_t size, const char *restrict format, va_list args)
{
	return print(d, size, format, args, "vsnprintf");
}

API(int, sprintf, char *restrict d, const char *restrict format, ...)
{
	va_list args;

	va_start(args, format);
	int n = print(d, SIZE_MAX, format, args, "sprintf");
	va_end(args);
	return n;
}

API(int, snprintf, char *restrict d, size_t size, const char *restrict format, ...)
{
	va_list args;

	va_start(args, format);
	int n = print(d, size, format, args, "snprintf");
	va_end(args);
	return n;
}

API(int, __vsprintf_chk, char *restrict d, int flag, size_t room, const char *restrict format, va_list args)
{
	return print_fortified(d, flag, room, format, args, "vsprintf");
}

API(int, __vsnprintf_chk, char *restrict d, size_t size, int flag, size_t room, const char *restrict format,
    va_list args)
{
	fortify(size, room);
	return print_chk(d, size, flag, room, format, args, "vsnprintf");
}

API(int, __sprintf_chk, char *restrict d, int flag, size_t room, const char *restrict format, ...)
{
	va_list args;

	va_start(args, format);
	int n = print_fortified(d, flag, room, format, args, "sprintf");
	va_end(args);
	return n;
}

API(int, __snprintf_chk, char *restrict d, size_t size, int flag, size_t room, const char *restrict format, ...)
{
	va_list args;

	fortify(size, room);
	va_start(args, format);
	int n = print_chk(d, size, flag, room, format, args, "snprintf");
	va_end(args);
	return n;
}

/* ---- input and output: the size that is asked for must fit, however much comes ---- */

#define IN(result, name, parameters, arguments, d, n)                                                                  \
	TY_EXPORT result name parameters;                                                                              \
	TY_EXPORT result name parameters                                                                               \
	{                                                                                                              \
		will_write(d, n, #name, SITE);                                                                         \
		return REAL(name) arguments;                                                                           \
	}
#define IN_CHK(result, name, checked, parameters, arguments, d, n)                                                     \
	TY_EXPORT result name parameters;                                                                              \
	TY_EXPORT result name parameters                                                                               \
	{                                                                                                              \
		fortify(n, room);                                                                                      \
		will_write(d, n, #checked, SITE);                                                                      \
		return REAL(checked) arguments;                                                                        \
	}
#define OUT(result, name, parameters, arguments, s, n)                                                                 \
	TY_EXPORT result name parameters;                                                                              \
	TY_EXPORT result name parameters                                                                               \
	{                                                                                                              \
		will_read(s, n, #name, SITE);                                                                          \
		return REAL(name) arguments;                                                                           \
	}

#define LINE(n) ((n) > 0 ? (size_t)(n) : 0)

IN(ssize_t, read, (int fd, void *d, size_t n), (fd, d, n), d, n)
IN(ssize_t, pread, (int fd, void *d, size_t n, off_t at), (fd, d, n, at), d, n)
IN(ssize_t, pread64, (int fd, void *d, size_t n, off64_t at), (fd, d, n, at), d, n)
IN(ssize_t, recv, (int fd, void *d, size_t n, int flags), (fd, d, n, flags), d, n)
IN(ssize_t, recvfrom,
   (int fd, void *restrict d, size_t n, int flags, struct sockaddr *restrict from, socklen_t *restrict len),
   (fd, d, n, flags, from, len), d, n)
IN(size_t, fread, (void *restrict d, size_t size, size_t n, FILE *restrict f), (d, size, n, f), d, times(n, size))
IN(size_t, fread_unlocked, (void *restrict d, size_t size, size_t n, FILE *restrict f), (d, size, n, f), d,
   times(n, size))
IN(char *, fgets, (char *restrict d, int n, FILE *restrict f), (d, n, f), d, LINE(n))
IN(char *, fgets_unlocked, (char *restrict d, int n, FILE *restrict f), (d, n, f), d, LINE(n))

IN_CHK(ssize_t, __read_chk, read, (int fd, void *d, size_t n, size_t room), (fd, d, n), d, n)
IN_CHK(ssize_t, __pread_chk, pread, (int fd, void *d, size_t n, off_t at, size_t room), (fd, d, n, at), d, n)
IN_CHK(ssize_t, __pread64_chk, pread64, (int fd, void *d, size_t n, off64_t at, size_t room), (fd, d, n, at), d, n)
IN_CHK(ssize_t, __recv_chk, recv, (int fd, void *d, size_t n, size_t room, int flags), (fd, d, n, flags), d, n)
IN_CHK(ssize_t, __recvfrom_chk, recvfrom,
       (int fd, void *restrict d, size_t n, size_t room, int flags, struct sockaddr *restrict from,
	socklen_t *restrict len),
       (fd, d, n, flags, from, len), d, n)
IN_CHK(size_t, __fread_chk, fread, (void *restrict d, size_t room, size_t size, size_t n, FILE *restrict f),
       (d, size, n, f), d, times(n, size))
IN_CHK(size_t, __fread_unlocked_chk, fread_unlocked,
       (void *restrict d, size_t room, size_t size, size_t n, FILE *restrict f), (d, size, n, f), d, times(n, size))
IN_CHK(char *, __fgets_chk, fgets, (char *restrict d, size_t room, int n, FILE *restrict f), (d, n, f), d, LINE(n))
IN_CHK(char *, __fgets_unlocked_chk, fgets_unlocked, (char *restrict d, size_t room, int n, FILE *restrict f),
       (d, n, f), d, LINE(n))

OUT(ssize_t, write, (int fd, const void *s, size_t n), (fd, s, n), s, n)
OUT(ssize_t, pwrite, (int fd, const void *s, size_t n, off_t at), (fd, s, n, at), s, n)
OUT(ssize_t, pwrite64, (int fd, const void *s, size_t n, off64_t at), (fd, s, n, at), s, n)
OUT(ssize_t, send, (int fd, const void *s, size_t n, int flags), (fd, s, n, flags), s, n)
OUT(ssize_t, sendto, (int fd, const void *s, size_t n, int flags, const struct sockaddr *to, socklen_t len),
    (fd, s, n, flags, to, len), s, n)
OUT(size_t, fwrite, (const void *restrict s, size_t size, size_t n, FILE *restrict f), (s, size, n, f), s,
    times(n, size))
OUT(size_t, fwrite_unlocked, (const void *restrict s, size_t size, size_t n, FILE *restrict f), (s, size, n, f), s,
    times(n, size))
