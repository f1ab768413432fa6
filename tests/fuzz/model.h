/* The model of the fuzzer: every live object with all that must be true of it, and every way to make, change and free one.
 *
 * An object is known to one thread, in a place of its table; tables change hands between rounds only (attacker.c). Three things
 * are shared, without locks: the live map, a bit for each 16 bytes of the address space, which no two objects may set; the
 * P1 recorder (shadow.h); and the caches and buckets by name.
 *
 * What is untrue ends the process by bad(): in a child that commits a crime it is a missed crime, elsewhere a defect or a
 * false alarm. */
#ifndef FUZZ_MODEL_H
#define FUZZ_MODEL_H

#define TYPED_MALLOC_NO_MACROS
#include "typed_malloc.h"

#include "../attack/attack.h"
#include "../shadow.h"

enum { OWN = 256, TOKENS = 6, CACHES = 7, BUCKETS = 3, MAX_THREADS = 16 };
enum { EXIT_BAD = 3, VARIABLE_MAX = 16376, FIXED_MAX = 16384, MIDDLE_MIN = 256 << 10 };

struct object {
	char *p; /* NULL: none */
	size_t n; /* bytes that hold the pattern */
	size_t usable;
	uint64_t pattern;
	size_t align;
	unsigned key;
	bool fixed, large;
};

/* What a child tells its parent before its crime, in shared memory. */
struct verdict {
	unsigned allow;	    /* bits of enum end */
	uintptr_t named;    /* the address that the sentence must name; 0: any */
	uintptr_t from, to; /* where an access may fault, while it is under way */
	uintptr_t fault;    /* where one has */
	bool touching;
	char note[200];
};

struct actor {
	struct object own[OWN];
	size_t bytes;	/* alive */
	uint64_t rng;	/* of the operation under way */
	uint64_t op;	/* its number */
	unsigned id;
	struct verdict *verdict;
	typed_cache_t *mine; /* a cache that only this thread uses, which ends and comes again */
	struct object *out;  /* OWN * MAX_THREADS: handed to others at the end of the round */
	unsigned nout[MAX_THREADS];
};

/* ---- failure ---- */

static struct verdict *in_child; /* NULL: this is the parent */
static __thread struct actor *self;
static struct actor *actors[MAX_THREADS];
static struct {
	uint64_t op;
	unsigned thread;
	bool failed;
} *failure; /* shared with the driver */

__attribute__((noreturn, format(printf, 1, 2))) static void bad(const char *form, ...)
{
	char text[200];
	va_list args;
	va_start(args, form);
	vsnprintf(text, sizeof text, form, args);
	va_end(args);
	if (in_child) {
		memcpy(in_child->note, text, sizeof text);
		_exit(EXIT_BAD);
	}
	if (self) {
		say("thread %u, operation %lu: %s", self->id, (unsigned long)self->op, text);
		failure->op = self->op;
		failure->thread = self->id;
		failure->failed = true;
	} else {
		say("%s", text);
	}
	_exit(EXIT_BAD);
}

#define TRUE(cond, ...)                                                                                                \
	do {                                                                                                           \
		if (!(cond))                                                                                           \
			bad(__VA_ARGS__);                                                                              \
	} while (0)

static uint64_t draw(struct actor *a) { return next_random(&a->rng); }
static size_t below(struct actor *a, size_t n) { return n ? (size_t)(draw(a) >> 11) % n : 0; }
static bool one_in(struct actor *a, unsigned n) { return !below(a, n); }
static size_t round_to(size_t n, size_t to) { return (n + to - 1) & ~(to - 1); }

/* ---- the live map ---- */

static _Atomic uint64_t *live_map; /* a bit for each granule below 2^47 */

/* Set or clear all bits of [p, p + n), which must have been clear or set. False: one was not. */
static bool live_mark(uintptr_t p, size_t n, bool set)
{
	uintptr_t g = p / GRANULE, last = (p + (n ? n : 1) - 1) / GRANULE;
	while (g <= last) {
		uintptr_t end = (g | 63) < last ? g | 63 : last;
		uint64_t mask = (~(uint64_t)0 >> (63 - (end - g))) << (g & 63);
		uint64_t was = set ? atomic_fetch_or(&live_map[g / 64], mask) : atomic_fetch_and(&live_map[g / 64], ~mask);
		if (was & mask ? set || (was & mask) != mask : !set)
			return false;
		g = end + 1;
	}
	return true;
}

static bool live_any(uintptr_t p, size_t n)
{
	for (uintptr_t g = p / GRANULE; g <= (p + (n ? n : 1) - 1) / GRANULE; g++)
		if (atomic_load(&live_map[g / 64]) >> (g & 63) & 1)
			return true;
	return false;
}

/* ---- contents ---- */

enum { WHOLE = 32 << 10, EDGE = 4096, SAMPLE = 64 };

/* The parts of n bytes that are looked at: all; of much, both ends and a little of many pages. False: no more. */
static bool part(size_t n, size_t i, size_t *from, size_t *to)
{
	if (n <= WHOLE) {
		*from = 0;
		*to = n;
		return i == 0;
	}
	size_t step = n <= 256 * KIB ? 4096 : n <= 2 * MIB ? 32768 : 262144;
	*from = i * step;
	*to = *from + (i ? SAMPLE : EDGE);
	if (*from >= n - EDGE) { /* the last, once */
		if (*from >= n - EDGE + step)
			return false;
		*from = n - EDGE;
		*to = n;
	}
	return true;
}

static unsigned char pattern_byte(uint64_t pattern, size_t at)
{
	return (unsigned char)((pattern + (at >> 3) * 0x9e3779b97f4a7c15u) >> (at & 7) * 8);
}

static void paint(struct object *o)
{
	size_t from, to;
	for (size_t i = 0; part(o->n, i, &from, &to); i++) {
		for (; from < to && from & 7; from++)
			o->p[from] = (char)pattern_byte(o->pattern, from);
		for (; from + 8 <= to; from += 8) {
			uint64_t w = o->pattern + (from >> 3) * 0x9e3779b97f4a7c15u;
			memcpy(o->p + from, &w, 8);
		}
		for (; from < to; from++)
			o->p[from] = (char)pattern_byte(o->pattern, from);
	}
}

/* What was painted into o is at p, as far as upto. */
static void look(const struct object *o, const char *p, size_t upto, const char *when)
{
	size_t from, to;
	for (size_t i = 0; part(o->n, i, &from, &to); i++) {
		to = to < upto ? to : upto;
		for (; from < to; from++) {
			if (!(from & 7) && from + 8 <= to) {
				uint64_t w = o->pattern + (from >> 3) * 0x9e3779b97f4a7c15u;
				if (!memcmp(p + from, &w, 8)) {
					from += 7;
					continue;
				}
			}
			TRUE(p[from] == (char)pattern_byte(o->pattern, from), "%s: byte %zu of %zu at %p has changed", when, from,
			     o->n, (const void *)p);
		}
	}
}

static void look_zero(const char *p, size_t at, size_t n, const char *when)
{
	size_t from, to;
	if (at >= n)
		return;
	for (size_t i = 0; part(n - at, i, &from, &to); i++)
		if (!all_zero(p + at + from, to - from))
			bad("%s: %zu bytes at %p are not zero from %zu on", when, n, (const void *)p, at + from);
}

/* ---- keys: call sites, tokens, names ---- */

static bool by_site = true, by_type = true; /* the policy of TYPED_MALLOC_OPTIONS */
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
	M(new_array_aligned, ALIGNS), M(valloc, PAGES), M(pvalloc, PAGES | WHOLE_PAGES),
	M(typed_malloc, TYPED), M(typed_calloc, TYPED), M(typed_flex, TYPED), M(typed_realloc, TYPED | RESIZES),
	M(typed_reallocarray, TYPED | RESIZES), M(token_malloc, TYPED), M(token_calloc, TYPED),
	M(token_realloc, TYPED | RESIZES), M(token_new, TYPED), M(wrapper, TYPED), M(typed_aligned, TYPED | ALIGNS),
	M(typed_memalign, TYPED | ALIGNS), M(typed_fixed, TYPED | FIXED), M(typed_calloc_fixed, TYPED | FIXED),
	M(typed_posix_memalign, TYPED | ALIGNS | LAST_TOKEN), M(cache, CACHE), M(buckets, BUCKET),
};
enum {
	MAKERS = sizeof makers / sizeof *makers,
	MAKE_TYPED = 23, /* the first of its sort, and the names */
	MAKE_ALIGNED = MAKE_TYPED + 10,
	MAKE_FIXED = MAKE_TYPED + 12,
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

/* ---- sizes ---- */

/* Half of all objects are of few sorts, drawn for the whole run: their caches get hot and their slabs full. */
enum { FAVOURITES = 5 };
static struct {
	size_t n;
	unsigned maker;
	size_t t;
} favourite[FAVOURITES];

static size_t near(struct actor *a, size_t n, size_t by) { return n + below(a, 2 * by + 1) - (n < by ? n : by); }

static size_t some_size(struct actor *a)
{
	uint64_t r = draw(a) % 1000;
	size_t room = a->bytes > 12 * MIB ? 0 : 12 * MIB - a->bytes, n;
	if (r < 25)
		n = 0;
	else if (r < 350)
		n = 1 + below(a, 128);
	else if (r < 600) { /* around slots */
		size_t slot = shadow_round(1 + (size_t)(random_size(&a->rng, 14)), 8);
		n = near(a, slot - (slot > 8 && one_in(a, 2) ? 8 : 0), 2);
	} else if (r < 700)
		n = random_size(&a->rng, 14);
	else if (r < 750)
		n = near(a, one_in(a, 2) ? 16376 : 16384, 3);
	else if (r < 830)
		n = near(a, 4096 * (1 + below(a, 40)), 20);
	else if (r < 900)
		n = random_size(&a->rng, 18);
	else if (r < 940)
		n = near(a, 256 * KIB, 5000);
	else if (r < 985)
		n = random_size(&a->rng, 21);
	else if (r < 998)
		n = near(a, 4 * MIB, 5000);
	else
		return one_in(a, 4) ? near(a, 64 * MIB, 5000) : random_size(&a->rng, 23);
	return n <= room || n < 20000 ? n : n % 20000;
}

static size_t some_align(struct actor *a)
{
	return one_in(a, 40) ? (size_t)4096 << below(a, 10) : (size_t)8 << below(a, 10);
}

/* ---- what must be true of an object ---- */

static void ask(struct actor *a, const struct object *o)
{
	struct typed_type t;
	TRUE(malloc_usable_size(o->p) == o->usable, "usable size %zu of %p, made for %zu", malloc_usable_size(o->p), (void *)o->p,
	     o->n);
	TRUE(!typed_malloc_type_of(o->p, &t), "no type of %p", (void *)o->p);
	TRUE(t.size == o->usable && !t.fixed == !o->fixed && !t.large == !o->large &&
		     (!o->usable || !t.name == !is_named(o->key)),
	     "type of %p: size %zu, fixed %d, large %d", (void *)o->p, t.size, t.fixed, t.large);
	size_t of = is_token(o->key) && o->usable ? token[o->key - KEY_TOKEN] : 0;
	if (o->usable)
		TRUE(t.token == of && typed_malloc_token_at(o->p) == of, "token 0x%zx of %p", t.token, (void *)o->p);
	size_t at = below(a, o->usable ? o->usable : 1);
	TRUE(typed_malloc_room(o->p + at) == o->usable - at, "room %zu at %zu of %p", typed_malloc_room(o->p + at), at,
	     (void *)o->p);
	if (!o->fixed)
		TRUE(typed_malloc_room(o->p + o->usable) == 0, "room behind %p", (void *)o->p);
}

/* p has come from the allocator for n bytes (whose first `kept` are known to be kept): into the model. */
static void born(struct actor *a, struct object *o, char *p, size_t n, size_t kept, const char *when)
{
	struct typed_type t;
	TRUE(!typed_malloc_type_of(p, &t), "%s: %p is no object", when, (void *)p);
	o->p = p;
	o->n = n;
	o->usable = malloc_usable_size(p);
	o->fixed = t.fixed;
	o->large = t.large;
	TRUE(o->fixed && n ? o->usable >= n && o->usable < n + (o->align > 16 ? o->align : 16) : o->usable == n,
	     "%s: usable size %zu of %p, made for %zu", when, o->usable, (void *)p, n);
	TRUE(!((uintptr_t)p & ((n >= 16 && o->align < 16 ? 16 : n || o->align > 16 ? o->align : 1) - 1)), "%s: %p for %zu, aligned to %zu",
	     when, (void *)p, n, o->align);
	TRUE(live_mark((uintptr_t)p, o->usable, true), "%s: %p of %zu bytes overlaps a live object", when, (void *)p, n);
	look_zero(p, kept, n, when);
	shadow_record_aligned(p, n ? o->key : SHADOW_NIL, o->align);
	a->bytes += n;
	o->pattern = draw(a);
	paint(o);
}

/* By maker m; false: there is no memory, which only very large ones may meet. */
static bool make_by(struct actor *a, struct object *o, unsigned m, size_t n, size_t align, size_t t)
{
	unsigned is = makers[m].is;
	bool any = is & CACHE && t == CACHES; /* the thread's own */
	if (is & CACHE)
		n = any ? 72 : shape[t].size;
	align = is & ALIGNS ? align : is & PAGES ? 4096 : is & CACHE && !any ? shape[t].align : 0;
	align = align ? align : n < 16 ? 8 : 16;
	if (makers[m].f == make_memalign && n % 3 == 1 && align > 16)
		align -= 1 + n % 7; /* rounded up again */
	errno = 0;
	char *p = any ? typed_cache_alloc(a->mine) : makers[m].f(NULL, n, align, is & CACHE || is & BUCKET ? t : token[t]);
	if (!p) {
		TRUE(errno == ENOMEM && n + align >= 2 * MIB, "%s of %zu: NULL, errno %d", makers[m].name, n, errno);
		return false;
	}
	if (is & WHOLE_PAGES)
		n = round_to(n ? n : 1, 4096);
	while (align & (align - 1))
		align++;
	o->align = align;
	o->key = any ? KEY_MINE + a->id : key_of(m, t);
	born(a, o, p, n, 0, makers[m].name);
	return true;
}

static size_t some_t(struct actor *a, unsigned m)
{
	unsigned is = makers[m].is;
	return is & CACHE ? below(a, CACHES + 1) : is & BUCKET ? below(a, BUCKETS) : is & LAST_TOKEN ? TOKENS - 1 : below(a, TOKENS);
}

static unsigned some_maker(struct actor *a)
{
	uint64_t r = draw(a) % 100;
	return r < 10 ? MAKE_CACHE : r < 20 ? MAKE_BUCKETS : r < 60 ? (unsigned)below(a, MAKE_TYPED)
		      : MAKE_TYPED + (unsigned)below(a, MAKE_CACHE - MAKE_TYPED);
}

static bool make_some(struct actor *a, struct object *o)
{
	unsigned m = some_maker(a), f = (unsigned)below(a, FAVOURITES);
	size_t n = some_size(a), align = some_align(a), t = some_t(a, m);
	if (one_in(a, 2))
		return make_by(a, o, favourite[f].maker, favourite[f].n, 64, favourite[f].t);
	return make_by(a, o, m, n, align, t);
}

static void draw_favourites(uint64_t seed)
{
	struct actor a = {.rng = seed};
	for (unsigned i = 0; i < FAVOURITES; i++) {
		do
			favourite[i].n = some_size(&a);
		while (favourite[i].n > (i ? 20000 : 300000));
		favourite[i].maker = i == 1 ? MAKE_FIXED : some_maker(&a);
		favourite[i].t = some_t(&a, favourite[i].maker);
	}
}

/* One more like o: of its key and size, if there is a way. */
static bool make_like(struct actor *a, struct object *o, const struct object *like)
{
	unsigned key = like->key;
	if (!like->usable)
		return make_by(a, o, 0, 0, 16, 0);
	if (key >= KEY_MINE)
		return make_by(a, o, MAKE_CACHE, 0, 16, CACHES);
	if (key >= KEY_BUCKETS)
		return make_by(a, o, MAKE_BUCKETS, like->n, 16, key - KEY_BUCKETS);
	if (key >= KEY_CACHE)
		return make_by(a, o, MAKE_CACHE, 0, 16, key - KEY_CACHE);
	if (is_token(key))
		return make_by(a, o, like->fixed ? MAKE_FIXED : like->align > 16 ? MAKE_ALIGNED : MAKE_TYPED, like->n, like->align,
			       key - KEY_TOKEN);
	return make_by(a, o, key - 1, like->n, like->align, 0);
}

/* Out of the model; the next call gives it back. */
static void bury_object(struct actor *a, struct object *o)
{
	TRUE(live_mark((uintptr_t)o->p, o->usable, false), "%p was not alive", (void *)o->p);
	a->bytes -= o->n;
}

enum { FREES = 17 };
/* Free p as if it were o, in one of many ways. */
static void free_as(const struct object *o, char *p, unsigned how, struct actor *a)
{
	size_t n = o->usable, align = (size_t)1 << (__builtin_ctzl((unsigned long)(uintptr_t)o->p | 4096) * how % 13);
	if (align > 16 && (o->fixed || !n))
		align = 16;
	while ((uintptr_t)o->p & (align - 1))
		align /= 2;
	switch (how) {
	case 0: typed_free(p); break;
	case 1: __libc_free(p); break;
	case 2: lib_cfree(p); break;
	case 3: _ZdlPv(p); break;
	case 4: _ZdaPv(p); break;
	case 5: _ZdlPvRKSt9nothrow_t(p, ""); break;
	case 6: lib_free_sized(p, n); break;
	case 7: typed_free_sized(p, n); break;
	case 8: lib_free_aligned_sized(p, align, n); break;
	case 9: _ZdlPvm(p, n); break;
	case 10: _ZdaPvm(p, n); break;
	case 11: _ZdlPvSt11align_val_t(p, align); break;
	case 12: _ZdaPvmSt11align_val_t(p, n, align); break;
	case 13: TRUE(!realloc(p, 0), "realloc(p, 0) is not NULL"); break;
	case 14:
		if (o->key >= KEY_MINE && o->key < SHADOW_NIL && o->usable && o->key == KEY_MINE + a->id)
			typed_cache_free(a->mine, p);
		else if (o->key >= KEY_CACHE && o->key < KEY_BUCKETS && o->usable)
			typed_cache_free(cache[o->key - KEY_CACHE], p);
		else
			free(p);
		break;
	default: free(p);
	}
}

static void free_some(struct actor *a, struct object *o)
{
	look(o, o->p, o->n, "free");
	bury_object(a, o);
	char *p = o->p;
	errno = 4242;
	free_as(o, p, (unsigned)below(a, FREES), a);
	TRUE(errno == 4242, "free of %p sets errno to %d", (void *)p, errno);
	o->p = NULL;
}

static void resize(struct actor *a, struct object *o)
{
	static const unsigned resizers[] = {7, 8, 9, 10, MAKE_TYPED + 3, MAKE_TYPED + 4, MAKE_TYPED + 7};
	unsigned m = resizers[below(a, 7)];
	bool typed = makers[m].is & TYPED && by_type;
	size_t t = is_token(o->key) && one_in(a, 2) ? o->key - KEY_TOKEN : below(a, TOKENS), n = some_size(a);
	if (one_in(a, 3))
		n = near(a, o->n, 24);
	else if (one_in(a, 3))
		n = o->n < 4 * MIB ? o->n * 2 : o->n / 2;
	look(o, o->p, o->n, "before realloc");
	struct object was = *o;
	bury_object(a, o);
	errno = 4242;
	char *q = makers[m].f(o->p, n, 0, token[t]);
	if (!n) {
		TRUE(!q, "realloc to 0 bytes: %p", (void *)q);
		o->p = NULL;
		return;
	}
	if (!q) {
		TRUE(errno == ENOMEM && n >= 2 * MIB, "realloc to %zu: NULL, errno %d", n, errno);
		live_mark((uintptr_t)o->p, o->usable, true);
		a->bytes += o->n;
		look(o, o->p, o->n, "realloc that failed");
		return;
	}
	TRUE(errno == 4242, "realloc sets errno to %d", errno);
	look(&was, q, was.n < n ? was.n : n, "realloc");
	if (q != was.p)
		o->align = n < 16 ? 8 : 16;
	if (typed || !was.usable)
		o->key = key_of(m, t);
	born(a, o, q, n, was.usable, "realloc");
	TRUE(!o->fixed || (was.fixed && q == was.p), "realloc makes a fixed %p of %p", (void *)q, (void *)was.p);
}

/* What cannot be had is NULL, and nothing else happens. */
static void impossible(struct actor *a)
{
	struct object *o = &a->own[below(a, OWN)];
	size_t n = SIZE_MAX - (below(a, 2) ? below(a, 70000) : SIZE_MAX / 2 + random_size(&a->rng, 30)), by = 2 + below(a, 1000);
	void *p = NULL;
	errno = 0;
	p = one_in(a, 2) ? malloc(hide_size(n)) : typed_malloc_token(hide_size(n), token[0]);
	TRUE(!p && errno == ENOMEM, "%zu bytes: %p, errno %d", n, p, errno);
	p = one_in(a, 2) ? calloc(hide_size(SIZE_MAX / by + 1), by) : typed_malloc_flex_token(by, by, hide_size(SIZE_MAX / by), token[1]);
	TRUE(!p && errno == ENOMEM, "product: %p, errno %d", p, errno);
	errno = 0;
	p = aligned_alloc(hide_size(by | 1), 100);
	TRUE(!p && errno == EINVAL, "alignment %zu: %p, errno %d", by | 1, p, errno);
	p = memalign(64, hide_size(n));
	TRUE(!p, "memalign of %zu: %p", n, p);
	if (o->p) {
		p = realloc(o->p, hide_size(n));
		TRUE(!p, "realloc to %zu: %p", n, p);
		look(o, o->p, o->n, "realloc to the impossible");
		ask(a, o);
	}
	errno = 4242;
	free(NULL);
	typed_free_sized(NULL, by);
	TRUE(errno == 4242 && malloc_usable_size(NULL) == 0, "NULL");
}

/* Enough of the sort of o, and back, for its cache to get hot in this thread. */
static void heat(struct actor *a, const struct object *like)
{
	struct object few[8];
	for (size_t i = 0; i < 6 + like->usable / 400; i++) {
		size_t n = 0;
		while (n < 8 && make_like(a, &few[n], like))
			n++;
		while (n)
			free_some(a, &few[--n]);
	}
}

/* Many of one sort, freed in any order. */
static void burst(struct actor *a, bool keep_hot)
{
	enum { MANY = 300 };
	static __thread struct object many[MANY];
	struct object first = {0};
	if (!make_some(a, &first))
		return;
	size_t n = 0, most = first.n ? (1 * MIB) / first.n + 2 : MANY;
	most = most < MANY ? most : MANY;
	if (!keep_hot)
		most = below(a, most);
	for (; n < most && make_like(a, &many[n], &first); n++)
		;
	free_some(a, &first);
	while (n) {
		size_t i = below(a, n);
		free_some(a, &many[i]);
		many[i] = many[--n];
	}
}

/* The thread's own cache ends when it is empty, and one of the same name comes again. */
static void end_cache(struct actor *a)
{
	bool used = false;
	errno = 0;
	for (int i = 0; i < OWN; i++)
		used = used || (a->own[i].p && a->own[i].key == KEY_MINE + a->id && a->own[i].usable);
	int e = typed_cache_destroy(a->mine);
	/* Others may have some of them. */
	TRUE(e == 0 ? !used : errno == EBUSY, "typed_cache_destroy: %d, errno %d", e, errno);
	if (e == 0) {
		char name[32];
		snprintf(name, sizeof name, "fuzz-thread-%u", a->id);
		a->mine = typed_cache_create(name, 72, 0, 0);
	}
	TRUE(a->mine != NULL, "no cache");
}

static void free_all(struct actor *a)
{
	for (int i = 0; i < OWN; i++)
		if (a->own[i].p)
			free_some(a, &a->own[i]);
}

#endif
