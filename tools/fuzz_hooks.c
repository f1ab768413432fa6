/* SPDX-License-Identifier: MIT */
/*
 * fuzz_hooks.c: the heap's functions and libc's comparisons pass here on their way, as an executable's symbols come first. A target
 * without instrumentation so tells what it does: who allocates what, in which order, and what the input is compared with.
 *
 * The calls go on by a jump (the compiler's sibling call), so that the library sees the real caller, which is the key of an
 * object without a type. When objects are recorded they go on by a call.
 */
#define _GNU_SOURCE
#include "fuzz_driver.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__has_include)
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#endif
#endif

#define PUBLIC __attribute__((visibility("default"), used))
#define CALLER __builtin_return_address(0)

long fz_balance;
int fz_recording;

extern const char __executable_start[] __attribute__((visibility("hidden")));

uint64_t fz_from_start(const void *pc) { return (uint64_t)((uintptr_t)pc - (uintptr_t)__executable_start); }

static void *next(const char *name)
{
	static const char text[] = "typed_fuzz: the target's library has no function that the target calls\n";
	void *p = dlsym(RTLD_NEXT, name);

	if (!p) {
		if (write(2, text, sizeof text - 1) < 0)
			_exit(2);
		_exit(2);
	}
	return p;
}

/* ---- recorded objects ---- */

#define OBJECTS (1u << 16)
static struct object {
	void *p; /* NULL: free; &gone: was taken out */
	size_t size, token;
	uint64_t site;
} object[OBJECTS];
static char gone;
static unsigned nobjects;

static struct object *slot_of(void *p, bool insert)
{
	struct object *reuse = NULL;
	uint32_t i = fz_mix((uintptr_t)p) % OBJECTS;

	for (unsigned n = 0; n < OBJECTS; n++, i = (i + 1) % OBJECTS) {
		if (object[i].p == p)
			return &object[i];
		if (object[i].p == &gone && !reuse)
			reuse = &object[i];
		if (!object[i].p)
			return insert ? reuse ? reuse : &object[i] : NULL;
	}
	return insert ? reuse : NULL;
}

static void record(void *p, size_t size, size_t token, const void *pc)
{
	struct object *o = p && nobjects < OBJECTS / 2 ? slot_of(p, true) : NULL;

	if (!o)
		return;
	nobjects += o->p != p;
	*o = (struct object){p, size, token, fz_from_start(pc)};
}

static void forget(void *p)
{
	struct object *o = p ? slot_of(p, false) : NULL;

	if (o) {
		o->p = &gone;
		nobjects--;
	}
}

void fz_record_clear(void)
{
	for (unsigned i = 0; i < OBJECTS; i++)
		object[i].p = NULL;
	nobjects = 0;
}

size_t fz_record_check(void)
{
	size_t (*usable)(void *) = (size_t (*)(void *))dlsym(RTLD_DEFAULT, "malloc_usable_size");
	int (*type_of)(const void *, void *) = (int (*)(const void *, void *))dlsym(RTLD_DEFAULT, "typed_malloc_type_of");
	uint64_t out[16]; /* room for struct typed_type */
	struct object *most = NULL;
	size_t live = 0, bytes = 0, count = 0;

	for (unsigned i = 0; i < OBJECTS; i++) {
		struct object *o = &object[i];
		if (!o->p || o->p == &gone || (type_of && type_of(o->p, out)))
			continue;
		live++;
		if (usable && type_of)
			(void)usable(o->p);
		if (!most || o->size > most->size)
			most = o;
	}
	for (unsigned i = 0; most && i < OBJECTS; i++) {
		struct object *o = &object[i];
		if (o->p && o->p != &gone && o->token == most->token && (o->token || o->site == most->site)) {
			bytes += o->size;
			count++;
		}
	}
	if (fz_words && most) {
		fz_words[FZ_LEAK_BYTES] = bytes;
		fz_words[FZ_LEAK_COUNT] = count;
		fz_words[FZ_LEAK_TOKEN] = most->token;
		fz_words[FZ_LEAK_SITE] = most->site;
	}
	return live;
}

/* ---- the heap ---- */

static unsigned order_of(size_t size) { return size < 16 ? (unsigned)size : 16 + (63 - (unsigned)__builtin_clzl(size)); }

static inline void step(const void *pc, size_t token, size_t size, int change)
{
	if (!fz_on)
		return;
	fz_balance += change;
	fz_step(fz_from_start(pc) * 64 + order_of(size) + token * 31 + (change < 0 ? 1 : 0));
}

/*
 * Under valgrind, unless the library tells it of its objects itself: valgrind's own. Zero as the library's, but whoever reads it
 * unwritten is told so, where the function does not promise zeros by its name.
 */
bool fz_plain;

static void *plain(size_t align, size_t size, bool defined)
{
	void *p = align > 16 ? aligned_alloc(align, size) : calloc(1, size);

	if (p && align > 16)
		memset(p, 0, size);
#ifdef VALGRIND_MAKE_MEM_UNDEFINED
	if (p && !defined)
		VALGRIND_MAKE_MEM_UNDEFINED(p, size);
#endif
	(void)defined;
	return p;
}

#define REAL(name, ret, params)                                                                                \
	static ret(*real) params;                                                                              \
	if (__builtin_expect(!real, 0))                                                                        \
		real = (ret(*) params)next(#name)

#define EXACT __builtin_expect(fz_exact && fz_on, 0)

/* SIZE_MAX: too large. */
static size_t product(size_t m, size_t n) { return n && m > SIZE_MAX / n ? SIZE_MAX : m * n; }
static size_t flexible(size_t head, size_t e, size_t n)
{
	size_t tail = product(e, n);

	return tail > SIZE_MAX - head ? SIZE_MAX : head + tail;
}

/* A function that gives an object. align: NEVER if fz_exact_alloc cannot serve it. */
#define NEVER SIZE_MAX
#define ALLOCATES(name, params, args, align, size, token) ALLOCATES_OR(name, params, args, align, size, token, NULL)
/* `other' is what serves it under valgrind. */
#define ALLOCATES_OR(name, params, args, align, size, token, other)                                                             \
	void *name params;                                                                                     \
	PUBLIC void *name params                                                                               \
	{                                                                                                      \
		if (__builtin_expect(fz_plain, 0)) {                                                              \
			void *o_ = other;                                                                              \
			if (o_)                                                                                        \
				return o_;                                                                                    \
		}                                                                                               \
		if (EXACT) {                                                                                   \
			void *e_ = fz_exact_alloc(align, size, token);                                                 \
			if (e_)                                                                                        \
				return e_;                                                                                    \
		}                                                                                               \
		REAL(name, void *, params);                                                                    \
		step(CALLER, token, size, 1);                                                                  \
		if (__builtin_expect(fz_recording && fz_on, 0)) {                                              \
			void *p_ = real args;                                                                  \
			record(p_, size, token, CALLER);                                                       \
			return p_;                                                                             \
		}                                                                                              \
		return real args;                                                                              \
	}

ALLOCATES(malloc, (size_t n), (n), 0, n, 0)
ALLOCATES(calloc, (size_t m, size_t n), (m, n), 0, product(m, n), 0)
ALLOCATES(aligned_alloc, (size_t a, size_t n), (a, n), a, n, 0)
ALLOCATES(memalign, (size_t a, size_t n), (a, n), a, n, 0)
ALLOCATES_OR(typed_malloc_token, (size_t n, size_t t), (n, t), 0, n, t, plain(0, n, false))
ALLOCATES_OR(typed_malloc_token_fixed, (size_t n, size_t t), (n, t), 0, n, t, plain(0, n, false))
ALLOCATES_OR(typed_calloc_token, (size_t m, size_t n, size_t t), (m, n, t), 0, product(m, n), t, calloc(m, n))
ALLOCATES_OR(typed_calloc_token_fixed, (size_t m, size_t n, size_t t), (m, n, t), 0, product(m, n), t, calloc(m, n))
ALLOCATES_OR(typed_malloc_flex_token, (size_t h, size_t e, size_t n, size_t t), (h, e, n, t), 0, flexible(h, e, n), t, e && n > (SIZE_MAX / 2 - h) / e ? NULL : plain(0, h + e * n, false))
ALLOCATES_OR(typed_aligned_alloc_token, (size_t a, size_t n, size_t t), (a, n, t), a, n, t, plain(a, n, false))
ALLOCATES_OR(typed_memalign_token, (size_t a, size_t n, size_t t), (a, n, t), a, n, t, plain(a, n, false))
ALLOCATES_OR(typed_strdup_token, (const char *s, size_t t), (s, t), NEVER, 1, t, strdup(s))
ALLOCATES_OR(typed_strndup_token, (const char *s, size_t n, size_t t), (s, n, t), NEVER, 1, t, strndup(s, n))
ALLOCATES(typed_cache_alloc, (void *c), (c), NEVER, 1, 0)
ALLOCATES(typed_buckets_alloc, (void *b, size_t n), (b, n), NEVER, n, 0)
ALLOCATES_OR(__alloc_token_malloc, (size_t n, size_t t), (n, t), 0, n, t, plain(0, n, false))
ALLOCATES_OR(__alloc_token_calloc, (size_t m, size_t n, size_t t), (m, n, t), 0, product(m, n), t, calloc(m, n))
ALLOCATES_OR(__alloc_token_aligned_alloc, (size_t a, size_t n, size_t t), (a, n, t), a, n, t, plain(a, n, false))
ALLOCATES_OR(__alloc_token_memalign, (size_t a, size_t n, size_t t), (a, n, t), a, n, t, plain(a, n, false))

/* posix_memalign and its kin. */
#define ALLOCATES_TO(name, params, args, size, token, typed)                                                          \
	int name params;                                                                                       \
	PUBLIC int name params                                                                                 \
	{                                                                                                      \
		if (__builtin_expect(fz_plain && typed, 0))                                                       \
			return posix_memalign(out, a, n);                                                              \
		if (EXACT) {                                                                                   \
			void *e_ = fz_exact_alloc(a, n, token);                                                        \
			if (e_) {                                                                                      \
				*out = e_;                                                                                    \
				return 0;                                                                                     \
			}                                                                                              \
		}                                                                                               \
		REAL(name, int, params);                                                                       \
		step(CALLER, token, size, 1);                                                                  \
		if (__builtin_expect(fz_recording && fz_on, 0)) {                                              \
			int r_ = real args;                                                                    \
			if (r_ == 0)                                                                           \
				record(*out, size, token, CALLER);                                             \
			return r_;                                                                             \
		}                                                                                              \
		return real args;                                                                              \
	}
ALLOCATES_TO(posix_memalign, (void **out, size_t a, size_t n), (out, a, n), n, 0, false)
ALLOCATES_TO(typed_posix_memalign_token, (void **out, size_t a, size_t n, size_t t), (out, a, n, t), n, t, true)
ALLOCATES_TO(__alloc_token_posix_memalign, (void **out, size_t a, size_t n, size_t t), (out, a, n, t), n, t, true)

/* A function that gives an object another size: a free where that is 0. */
#define RESIZES(name, params, args, size, token) RESIZES_OR(name, params, args, size, token, false, NULL)
#define RESIZES_OR(name, params, args, size, token, has, other)                                                               \
	void *name params;                                                                                     \
	PUBLIC void *name params                                                                               \
	{                                                                                                      \
		if (__builtin_expect(fz_plain && has, 0))                                                         \
			return other;                                                                                  \
		size_t n_ = (size), had_;                                                                      \
		if (fz_exact && (p ? fz_exact_size(p, &had_) : fz_on) && n_ != SIZE_MAX)                                  \
			return fz_exact_resize(p, n_, token);                                                          \
		REAL(name, void *, params);                                                                    \
		step(CALLER, token, n_, !p ? 1 : n_ ? 0 : -1);                                                 \
		if (__builtin_expect(fz_recording && fz_on, 0)) {                                              \
			void *q_ = real args;                                                                  \
			if (q_ || !n_)                                                                         \
				forget(p);                                                                     \
			record(q_, n_, token, CALLER);                                                         \
			return q_;                                                                             \
		}                                                                                              \
		return real args;                                                                              \
	}
RESIZES(realloc, (void *p, size_t n), (p, n), n, 0)
RESIZES(reallocarray, (void *p, size_t m, size_t n), (p, m, n), product(m, n), 0)
RESIZES_OR(typed_realloc_token, (void *p, size_t n, size_t t), (p, n, t), n, t, true, realloc(p, n))
RESIZES_OR(typed_reallocarray_token, (void *p, size_t m, size_t n, size_t t), (p, m, n, t), product(m, n), t, true, reallocarray(p, m, n))
RESIZES_OR(__alloc_token_realloc, (void *p, size_t n, size_t t), (p, n, t), n, t, true, realloc(p, n))
RESIZES_OR(__alloc_token_reallocarray, (void *p, size_t m, size_t n, size_t t), (p, m, n, t), product(m, n), t, true, reallocarray(p, m, n))

#define FREES(name, params, args, typed)                                                                              \
	void name params;                                                                                      \
	PUBLIC void name params                                                                                \
	{                                                                                                      \
		if (__builtin_expect(fz_plain && typed, 0)) {                                                     \
			free(p);                                                                                       \
			return;                                                                                        \
		}                                                                                               \
		if (__builtin_expect(fz_exact, 0) && fz_exact_free(p))                                             \
			return;                                                                                        \
		REAL(name, void, params);                                                                      \
		if (p)                                                                                         \
			step(CALLER, 0, 0, -1);                                                                \
		if (__builtin_expect(fz_recording && fz_on, 0))                                                \
			forget(p);                                                                             \
		real args;                                                                                     \
	}
FREES(free, (void *p), (p), false)
FREES(free_sized, (void *p, size_t n), (p, n), true)
FREES(free_aligned_sized, (void *p, size_t a, size_t n), (p, a, n), true)
FREES(typed_free, (void *p), (p), true)
FREES(typed_free_sized, (void *p, size_t n), (p, n), true)
FREES(typed_cache_free, (void *c, void *p), (c, p), false)
