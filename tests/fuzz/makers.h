/* The fuzzer's model: every entry point that makes an object, and what key it gives it. */
#ifndef FUZZ_MAKERS_H
#define FUZZ_MAKERS_H

#include "model.h"

/* ---- keys: call sites, tokens, names ---- */

static size_t token[TOKENS];
static typed_cache_t *cache[CACHES];
static typed_buckets_t *buckets[BUCKETS];
static const struct {
	const char *name;
	size_t size, align;
	unsigned flags;
} shape[CACHES] = {{"fuzz-16", 16, 0, 0},	  {"fuzz-48", 40, 0, 0},	    {"fuzz-64", 100, 64, 0},
		   {"fuzz-1k", 1000, 0, 1}, {"fuzz-page", 5000, 4096, 0}, {"fuzz-large", 20000, 0, 0},
		   {"fuzz-huge", 300000, 0, TYPED_NO_POINTERS}};

/* No header declares all of these. attack.h has functions of the first three names, which look them up at each call. */
void lib_cfree(void *) __asm__("cfree");
void lib_free_sized(void *, size_t) __asm__("free_sized");
void lib_free_aligned_sized(void *, size_t, size_t) __asm__("free_aligned_sized");
void *__libc_malloc(size_t);
void *__libc_realloc(void *, size_t);
void __libc_free(void *);
void *_Znwm(size_t);
void *_Znam(size_t);
void *_ZnwmRKSt9nothrow_t(size_t, const void *);
void *_ZnwmSt11align_val_t(size_t, size_t);
void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t, size_t, const void *);
void *_ZnamRKSt9nothrow_t(size_t, const void *);
void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t, size_t, const void *);
void *__libc_calloc(size_t, size_t);
void *__libc_memalign(size_t, size_t);
void *__libc_valloc(size_t);
void *__libc_pvalloc(size_t);
void _ZdlPv(void *);
void _ZdaPv(void *);
void _ZdlPvm(void *, size_t);
void _ZdaPvm(void *, size_t);
void _ZdlPvRKSt9nothrow_t(void *, const void *);
void _ZdlPvSt11align_val_t(void *, size_t);
void _ZdaPvmSt11align_val_t(void *, size_t, size_t);
void *__alloc_token_malloc(size_t, size_t);
void *__alloc_token_calloc(size_t, size_t, size_t);
void *__alloc_token_realloc(void *, size_t, size_t);
void *__alloc_token__Znwm(size_t, size_t);
void *__alloc_token__Znam(size_t, size_t);
void *__alloc_token_aligned_alloc(size_t, size_t, size_t);
void *__alloc_token_memalign(size_t, size_t, size_t);
void *__alloc_token_reallocarray(void *, size_t, size_t, size_t);
void *__alloc_token__ZnwmSt11align_val_t(size_t, size_t, size_t);

/*
 * Every way to make an object: p, which only the realloc forms take, n bytes, aligned, of type t. One function each, so that
 * each is a call site of its own.
 */
typedef void *(*make_fn)(void *p, size_t n, size_t align, size_t t);
#define MAKE(name, expr)                                                                                               \
	static NOINLINE void *make_##name(void *p UNUSED, size_t n UNUSED, size_t align UNUSED, size_t t UNUSED)       \
	{                                                                                                              \
		void *q = expr;                                                                                        \
		__asm__ volatile("# " #name : "+r"(q) : : "memory");                                                   \
		return q;                                                                                              \
	}
static void *by_posix_memalign(int (*f)(void **, size_t, size_t), size_t align, size_t n)
{
	void *p = NULL;
	int e = f(&p, align, n);
	TRUE(e == 0 ? p != NULL : e == ENOMEM && !p, "posix_memalign returns %d", e);
	errno = e;
	return p;
}
static size_t half(size_t n) { return n % 2 ? 1 : 2; }
MAKE(malloc_0, malloc(n))
MAKE(malloc_1, malloc(n))
MAKE(malloc_2, malloc(n))
MAKE(malloc_3, malloc(n))
MAKE(libc_malloc, __libc_malloc(n))
MAKE(calloc_0, calloc(1, n))
MAKE(calloc_1, calloc(n / half(n), half(n)))
MAKE(realloc_0, realloc(p, n))
MAKE(reallocarray_0, reallocarray(p, half(n), n / half(n)))
MAKE(libc_realloc, __libc_realloc(p, n))
MAKE(typed_realloc_0, typed_realloc_token(p, n, 0))
MAKE(typed_0, typed_malloc_token(n, 0))
MAKE(new_0, _Znwm(n))
MAKE(new_array, _Znam(n))
MAKE(new_nothrow, _ZnwmRKSt9nothrow_t(n, ""))
MAKE(token_0, __alloc_token_malloc(n, 0))
MAKE(aligned_alloc, aligned_alloc(align, n))
MAKE(memalign, memalign(align, n))
MAKE(posix_memalign, by_posix_memalign(posix_memalign, align, n))
MAKE(new_aligned, _ZnwmSt11align_val_t(n, align))
MAKE(new_array_aligned, _ZnamSt11align_val_tRKSt9nothrow_t(n, align, ""))
MAKE(libc_calloc, __libc_calloc(half(n), n / half(n)))
MAKE(libc_memalign, __libc_memalign(align, n))
MAKE(new_array_nothrow, _ZnamRKSt9nothrow_t(n, ""))
MAKE(new_aligned_nothrow, _ZnwmSt11align_val_tRKSt9nothrow_t(n, align, ""))
MAKE(libc_valloc, __libc_valloc(n))
MAKE(libc_pvalloc, __libc_pvalloc(n))
MAKE(valloc, valloc(n))
MAKE(pvalloc, pvalloc(n))

static int typed_memalign_any(void **out, size_t align, size_t n)
{
	return typed_posix_memalign_token(out, align, n, token[TOKENS - 1]);
}
static void *in_wrapper(size_t n, size_t t)
{
	struct typed_wrap w;
	typed_wrap_enter(&w, t);
	void *p = make_malloc_0(NULL, n, 16, 0);
	typed_wrap_leave(&w);
	return p;
}
MAKE(typed_malloc, typed_malloc_token(n, t))
MAKE(typed_calloc, typed_calloc_token(half(n), n / half(n), t))
MAKE(typed_flex, typed_malloc_flex_token(n % 8, n / 8, 8, t))
MAKE(typed_realloc, typed_realloc_token(p, n, t))
MAKE(typed_reallocarray, typed_reallocarray_token(p, n / half(n), half(n), t))
MAKE(token_malloc, __alloc_token_malloc(n, t))
MAKE(token_calloc, __alloc_token_calloc(1, n, t))
MAKE(token_realloc, __alloc_token_realloc(p, n, t))
MAKE(token_new, __alloc_token__Znwm(n, t))
MAKE(wrapper, in_wrapper(n, t))
MAKE(typed_aligned, typed_aligned_alloc_token(align, n, t))
MAKE(typed_memalign, typed_memalign_token(align, n, t))
MAKE(typed_fixed, typed_malloc_token_fixed(n, t))
MAKE(typed_calloc_fixed, typed_calloc_token_fixed(1, n, t))
MAKE(typed_posix_memalign, by_posix_memalign(typed_memalign_any, align, n))
MAKE(token_new_array, __alloc_token__Znam(n, t))
MAKE(token_new_aligned, __alloc_token__ZnwmSt11align_val_t(n, align, t))
MAKE(token_aligned_alloc, __alloc_token_aligned_alloc(align, n, t))
MAKE(token_memalign, __alloc_token_memalign(align, n, t))
MAKE(token_reallocarray, __alloc_token_reallocarray(p, n / half(n), half(n), t))
MAKE(cache, typed_cache_alloc(cache[t]))
MAKE(buckets, typed_buckets_alloc(buckets[t], n))

enum {
	PLAIN,
	RESIZES = 1,
	ALIGNS = 2,
	FIXED = 4,
	TYPED = 8,
	CACHE = 16,
	BUCKET = 32,
	PAGES = 64,	   /* aligned to one */
	WHOLE_PAGES = 128, /* and its size too */
	LAST_TOKEN = 256,
};
static const struct maker {
	make_fn f;
	const char *name;
	unsigned is;
} makers[] = {
#define M(name, is) {make_##name, #name, is}
	M(malloc_0, PLAIN), M(malloc_1, PLAIN), M(malloc_2, PLAIN), M(malloc_3, PLAIN), M(libc_malloc, PLAIN),
	M(calloc_0, PLAIN), M(calloc_1, PLAIN), M(realloc_0, RESIZES), M(reallocarray_0, RESIZES), M(libc_realloc, RESIZES),
	M(typed_realloc_0, RESIZES), M(typed_0, PLAIN), M(new_0, PLAIN), M(new_array, PLAIN), M(new_nothrow, PLAIN),
	M(token_0, PLAIN), M(aligned_alloc, ALIGNS), M(memalign, ALIGNS), M(posix_memalign, ALIGNS), M(new_aligned, ALIGNS),
	M(new_array_aligned, ALIGNS), M(libc_calloc, PLAIN), M(libc_memalign, ALIGNS), M(new_array_nothrow, PLAIN),
	M(new_aligned_nothrow, ALIGNS), M(valloc, PAGES), M(libc_valloc, PAGES), M(pvalloc, PAGES | WHOLE_PAGES),
	M(libc_pvalloc, PAGES | WHOLE_PAGES),
	M(typed_malloc, TYPED), M(typed_calloc, TYPED), M(typed_flex, TYPED), M(typed_realloc, TYPED | RESIZES),
	M(typed_reallocarray, TYPED | RESIZES), M(token_malloc, TYPED), M(token_calloc, TYPED),
	M(token_realloc, TYPED | RESIZES), M(token_new, TYPED), M(wrapper, TYPED), M(typed_aligned, TYPED | ALIGNS),
	M(typed_memalign, TYPED | ALIGNS), M(typed_fixed, TYPED | FIXED), M(typed_calloc_fixed, TYPED | FIXED),
	M(typed_posix_memalign, TYPED | ALIGNS | LAST_TOKEN), M(token_new_array, TYPED),
	M(token_new_aligned, TYPED | ALIGNS), M(token_aligned_alloc, TYPED | ALIGNS), M(token_memalign, TYPED | ALIGNS),
	M(token_reallocarray, TYPED | RESIZES), M(cache, CACHE), M(buckets, BUCKET),
};
enum {
	MAKERS = sizeof makers / sizeof *makers,
	MAKE_TYPED = 29, /* the first of its sort, and the names */
	MAKE_ALIGNED = MAKE_TYPED + 10,
	MAKE_FIXED = MAKE_TYPED + 12,
	MAKE_WHOLE_PAGES = MAKE_TYPED - 2, /* and one more */
	MAKE_CACHE = MAKERS - 2,
	MAKE_BUCKETS = MAKERS - 1,
	KEY_TOKEN = 100,
	KEY_CACHE = 200,
	KEY_BUCKETS = 300,
	KEY_MINE = 400, /* and the thread */
};

/* Of what key is what maker m makes with t? Policies that do not tell sites, or types, apart have one for all of them. */
static unsigned key_of(unsigned m, size_t t)
{
	unsigned is = makers[m].is;
	if (is & CACHE)
		return KEY_CACHE + (unsigned)t;
	if (is & BUCKET)
		return KEY_BUCKETS + (unsigned)t;
	if (is & TYPED && by_type)
		return KEY_TOKEN + (unsigned)t;
	return by_site ? 1 + m : 1;
}
static bool is_token(unsigned key) { return key >= KEY_TOKEN && key < KEY_CACHE; }
static bool is_named(unsigned key) { return key >= KEY_CACHE; }

#endif
