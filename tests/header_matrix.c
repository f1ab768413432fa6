/*
 * Everything in typed_malloc.h, for every compiler and standard: header_matrix.sh compiles it twice for each program, UNIT 1 with
 * main and UNIT 2 with the standard names replaced, perhaps by two compilers, and with as many warnings as they have. The same
 * source is C and C++ (header_matrix.cc adds what only C++ has).
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "typed_malloc.h"

#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct data {
	int a[12];
};
struct list {
	struct list *next;
	int a[10];
};
struct longs {
	long a[6];
};
union both {
	void *p;
	double d;
};
enum colour { RED, GREEN };
#if defined(__cplusplus)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#endif
struct tail {
	struct tail *next;
	short fam[];
};
#ifdef __cplusplus
#pragma GCC diagnostic pop
#endif

#ifdef __cplusplus
#define LINKAGE extern "C"
#define AS(T, e) static_cast<T>(e)
#define SIZE(n) static_cast<size_t>(n)
#else
#define LINKAGE
#define AS(T, e) (e) /* an implicit conversion */
#define SIZE(n) ((size_t)(n))
#endif

/* The first unit's list of what failed; the second adds to it. */
LINKAGE void failed(const char *what, int line);
#define CHECK(cond)                                                                                          \
	do {                                                                                                 \
		if (!(cond))                                                                                 \
			failed(#cond, __LINE__);                                                             \
	} while (0)

/* Functions of the second unit. */
LINKAGE void second_unit(void);
LINKAGE struct data *second_data(void);
LINKAGE struct list *second_list(void);
LINKAGE struct list *second_lists(size_t n);

/* The value comes back unknown to the compiler. */
static inline size_t hidden(size_t n)
{
	__asm__ volatile("" : "+r"(n));
	return n;
}

static inline struct typed_type type_of(const void *p)
{
	struct typed_type t;
	memset(&t, 0, sizeof t);
	CHECK(typed_malloc_type_of(p, &t) == 0);
	return t;
}

/* An object of a type whose name is the same with every compiler, and so the token. */
#define AGREES(text, pointers, T)                                                                            \
	do {                                                                                                 \
		T *agrees_ = typed_malloc_obj(T);                                                            \
		has_token(agrees_, text, pointers, sizeof(T), __LINE__);                                     \
		typed_free_sized(agrees_, sizeof(T));                                                        \
	} while (0)
static inline void has_token(const void *p, const char *name, int pointers, size_t size, int line)
{
	if (!p || type_of(p).token != typed_token_of_name(name, pointers) || !type_of(p).fixed ||
	    type_of(p).size != (size + 15) / 16 * 16 || typed_malloc_is_token(p, typed_token_of_name(name, pointers)) != 1)
		failed(name, line);
}

#if UNIT == 2
/* ---- the second unit: the standard names are the typed ones ---- */
#ifndef TYPED_MALLOC_REPLACE
#error the second unit is compiled with TYPED_MALLOC_REPLACE
#endif

struct allocator {
	void *(*malloc)(size_t);
};
static void *plain(size_t n) { return (malloc)(n); }

/* With a token the type, else none. */
static void typed_as(void *p, const char *name, int pointers)
{
	struct typed_type t = type_of(p);
#ifdef TYPED_MALLOC_HAS_TOKENS
	CHECK(t.token == typed_token_of_name(name, pointers));
#else
	(void)name;
	(void)pointers;
	CHECK(t.token == 0);
#endif
	free(p);
}

LINKAGE void second_unit(void)
{
	size_t n = hidden(5);
	void *out = NULL;
	struct data *d = AS(struct data *, malloc(sizeof(struct data)));
	struct list *l = AS(struct list *, malloc(n * 100));
	CHECK(d && l && type_of(d).fixed && !type_of(l).fixed);
	typed_as(d, "data", 0);
	typed_as(l, "list", 1);
	typed_as(calloc(n, sizeof(struct list)), "list", 1);
	typed_as(realloc(NULL, n * sizeof(struct list)), "list", 1);
	typed_as(reallocarray(NULL, n, sizeof(struct list)), "list", 1);
	typed_as(aligned_alloc(64, sizeof(struct data)), "data", 0);
	typed_as(memalign(64, sizeof(struct data)), "data", 0);
	CHECK(posix_memalign(&out, 64, n * sizeof(struct data)) == 0);
	typed_as(out, "data", 0);
	char *s = strdup("some text");
	CHECK(s && !strcmp(s, "some text") && type_of(s).token == typed_token_of_name("char", 0));
	free(s);
	s = strndup("some text", 4);
	CHECK(s && !strcmp(s, "some") && type_of(s).token == typed_token_of_name("char", 0));
	free(s);
	/* What the macros would break, and the way round. */
	struct allocator a = {plain}, *ops = &a;
	void *p = (ops->malloc)(n);
	CHECK(p && type_of(p).token == 0);
	free(p);
	void *(*pointer)(size_t) = &malloc;
	p = pointer(n);
	CHECK(p && type_of(p).token == 0);
	free(p);
#ifdef __cplusplus
	p = std::malloc(n * sizeof(struct list));
	typed_as(p, "list", 1);
	p = std::calloc(n, sizeof(struct list));
	typed_as(p, "list", 1);
	p = std::realloc(nullptr, n * sizeof(struct list));
	typed_as(p, "list", 1);
#endif
	AGREES("data", 0, struct data);
	AGREES("list", 1, struct list);
}

LINKAGE struct data *second_data(void) { return typed_malloc_obj(struct data); }
LINKAGE struct list *second_list(void) { return typed_malloc_obj(struct list); }
LINKAGE struct list *second_lists(size_t n) { return typed_malloc_objs(struct list, n); }

#else
/* ---- the first unit ---- */
static int failures;
LINKAGE void failed(const char *what, int line)
{
	fprintf(stderr, "header_matrix:%d: failed: %s\n", line, what);
	failures++;
}

static int evaluated;
static size_t counted(size_t n)
{
	evaluated++;
	return hidden(n);
}

/* What typed_malloc_is() says of an object of another type: a compiler without tokens cannot be sure. */
#ifdef TYPED_MALLOC_HAS_TOKENS
#define ANOTHER 0
#else
#define ANOTHER (-1)
#endif
#ifdef TYPED_MALLOC_HAS_TOKENS
#define IF_TOKENS(name, pointers) typed_token_of_name(name, pointers)
#else
#define IF_TOKENS(name, pointers) SIZE(0)
#endif

static int zero(const void *p, size_t n)
{
	const char *c = (const char *)p;
	for (; n; n--)
		if (*c++)
			return 0;
	return 1;
}

static void functions(void)
{
	struct data *d = AS(struct data *, typed_malloc(counted(2) * sizeof *d));
	CHECK(d && evaluated == 1 && zero(d, 2 * sizeof *d) && type_of(d).token == IF_TOKENS("data", 0));
	CHECK(!type_of(d).fixed && !type_of(d).large && !type_of(d).name);
	d[1].a[11] = 77;
	d = AS(struct data *, typed_realloc(d, counted(4000) * sizeof *d));
	CHECK(d && evaluated == 2 && d[1].a[11] == 77 && type_of(d).large && type_of(d).token == IF_TOKENS("data", 0));
	d = AS(struct data *, typed_reallocarray(d, counted(2), sizeof *d));
	CHECK(d && evaluated == 3 && d[1].a[11] == 77);
	errno = 0;
	CHECK(!typed_reallocarray(d, hidden(SIZE_MAX / 2), sizeof *d) && errno == ENOMEM);
	typed_free_sized(d, 2 * sizeof *d);
	struct list *l = AS(struct list *, typed_calloc(counted(3), sizeof *l));
	CHECK(l && evaluated == 4 && zero(l, 3 * sizeof *l) && type_of(l).token == IF_TOKENS("list", 1));
	typed_free(l);
	errno = 0;
	CHECK(!typed_calloc(hidden(SIZE_MAX / 2), sizeof *l) && errno == ENOMEM);
	l = AS(struct list *, typed_aligned_alloc(256, counted(1) * sizeof *l));
	CHECK(l && evaluated == 5 && (uintptr_t)l % 256 == 0 && type_of(l).token == IF_TOKENS("list", 1));
	typed_free(l);
	errno = 0;
	CHECK(!typed_aligned_alloc(hidden(24), sizeof *l) && errno == EINVAL);
	l = AS(struct list *, typed_memalign(hidden(100), sizeof *l));
	CHECK(l && (uintptr_t)l % 128 == 0 && type_of(l).token == IF_TOKENS("list", 1));
	typed_free(l);
	CHECK(typed_posix_memalign(&l, 64, counted(1) * sizeof *l) == 0);
	CHECK(evaluated == 6 && (uintptr_t)l % 64 == 0 && type_of(l).token == IF_TOKENS("list", 1));
	typed_free(l);
	CHECK(typed_posix_memalign(&l, hidden(24), sizeof *l) == EINVAL);
	char *s = typed_strdup("some text");
	CHECK(s && !strcmp(s, "some text") && typed_malloc_is(s, char) == 1);
	typed_free(s);
	s = typed_strndup("some text", counted(4));
	CHECK(s && evaluated == 7 && !strcmp(s, "some") && typed_malloc_is(s, char) == 1);
	free(s);
	s = AS(char *, typed_malloc(hidden(0)));
	CHECK(s);
	typed_free(s);
	typed_free(NULL);
	CHECK(TYPED_MALLOC_VERSION > 0);
}

static void objects(void)
{
	AGREES("data", 0, struct data);
	AGREES("list", 1, struct list);
	AGREES("both", 1, union both);
	AGREES("colour", 0, enum colour);
	AGREES("int", 0, int);
	AGREES("unsigned long", 0, unsigned long);
	AGREES("double", 0, double);
	AGREES("char", 0, char);
	AGREES("char *", 1, char *);
	AGREES("void *", 1, void *);
	AGREES("list *", 1, struct list *);
	/* Where gcc has to guess whether there are pointers, the question is answered all the same. */
	struct longs *w = typed_malloc_obj(struct longs);
	CHECK(w && typed_malloc_is(w, struct longs) == 1 && typed_malloc_is(w, struct list) == ANOTHER);
	CHECK(type_of(w).token == typed_token_of_name("longs", 0) || type_of(w).token == typed_token_of_name("longs", 1));
	typed_free(w);
	/* An expression is not evaluated. */
	struct list *l = typed_malloc_obj(*l);
	CHECK(l && zero(l, sizeof *l) && type_of(l).fixed && type_of(l).size == 48);
	struct list *m = typed_zalloc_obj(l[evaluated++ * 0]);
	CHECK(m && evaluated == 7 && type_of(m).size == 48);
	typed_free(m);
	typed_free(l);
	l = typed_malloc_objs(struct list, counted(3));
	CHECK(l && evaluated == 8 && !type_of(l).fixed && typed_malloc_is(l, struct list) == 1);
	typed_free(l);
	l = typed_zalloc_objs(struct list, 3);
	CHECK(l && type_of(l).fixed && type_of(l).size == 144);
	typed_free(l);
	errno = 0;
	l = typed_malloc_objs(struct list, hidden(SIZE_MAX / 2));
	CHECK(!l && errno == ENOMEM);
	struct tail *t = typed_malloc_flex(struct tail, fam, counted(100));
	CHECK(t && evaluated == 9 && !type_of(t).fixed && type_of(t).token == typed_token_of_name("tail", 1));
	CHECK(zero(t, sizeof *t + 100 * sizeof t->fam[0]) && type_of(t).size >= sizeof *t + 100 * sizeof t->fam[0]);
	t->fam[99] = 1;
	typed_free(t);
	errno = 0;
	t = typed_zalloc_flex(struct tail, fam, hidden(SIZE_MAX / 2));
	CHECK(!t && errno == ENOMEM);
	errno = 0;
	t = typed_zalloc_flex(struct tail, fam, hidden(SIZE_MAX / 2 - 4)); /* the sum overflows or is above PTRDIFF_MAX */
	CHECK(!t && errno == ENOMEM);
}

#if defined(__has_attribute) && defined(__has_builtin) && !defined(__cplusplus)
#if __has_attribute(__counted_by__) && __has_builtin(__builtin_counted_by_ref)
struct counted_tail {
	unsigned char count;
	int fam[] __attribute__((__counted_by__(count)));
};
static void counted_by(void)
{
	struct counted_tail *t = typed_malloc_flex(struct counted_tail, fam, counted(255));
	CHECK(t && evaluated == 1 && t->count == 255 && __builtin_dynamic_object_size(t->fam, 1) == 255 * sizeof(int));
	typed_free(t);
	errno = 0;
	t = typed_malloc_flex(struct counted_tail, fam, counted(256)); /* more than the counter holds */
	CHECK(!t && errno == ENOMEM && evaluated == 2);
	t = typed_malloc_flex(struct counted_tail, fam, 0);
	CHECK(t && t->count == 0);
	typed_free(t);
}
#define COUNTED_BY
#endif
#endif

static void caches(void)
{
	typed_cache_t *c = typed_cache_create("matrix keys", 100, 0, TYPED_NO_POINTERS);
	void *p = c ? typed_cache_alloc(c) : NULL;
	CHECK(p && zero(p, 100) && type_of(p).fixed && type_of(p).size >= 100);
	CHECK(p && type_of(p).name && !strcmp(type_of(p).name, "matrix_keys") && type_of(p).token == 0);
	CHECK(typed_malloc_is(p, struct data) == -1);
	errno = 0;
	CHECK(typed_cache_destroy(c) == -1 && errno == EBUSY);
	typed_cache_free(c, p);
	CHECK(typed_cache_destroy(c) == 0);
	typed_buckets_t *b = typed_buckets_create("matrix_input", 0);
	p = b ? typed_buckets_alloc(b, hidden(1000)) : NULL;
	CHECK(p && zero(p, 1000) && !type_of(p).fixed && type_of(p).name && !strcmp(type_of(p).name, "matrix_input"));
	typed_free(p);
	errno = 0;
	CHECK(!typed_cache_create("", 16, 0, 0) && errno == EINVAL);
}

/* A wrapper of malloc of which the compiler knows nothing. With gcc, and without the sanitizer, the macro is nothing. */
LINKAGE void *my_alloc(size_t n);
TYPED_MALLOC_WRAPPER(void *, my_alloc, (size_t n), (n), __alloc_size__(1))
LINKAGE void *my_alloc(size_t n)
{
	void *volatile p = malloc(n);
	return p;
}

static void wrappers(void)
{
	void *p = my_alloc(hidden(100));
	CHECK(p && type_of(p).token == 0);
	free(p);
	struct list *l = AS(struct list *, TYPED_MALLOC_WRAP(my_alloc, counted(1) * sizeof(struct list)));
	CHECK(l && evaluated == 1 && type_of(l).token == IF_TOKENS("list", 1));
	free(l);
	p = my_alloc(hidden(100));
	CHECK(p && type_of(p).token == 0); /* nothing was left */
	free(p);
	struct typed_wrap w;
	typed_wrap_enter(&w, typed_token_of_name("data", 0));
	p = my_alloc(sizeof(struct data));
	typed_wrap_leave(&w);
	CHECK(p && typed_malloc_is(p, struct data) == 1);
	free(p);
}

static void queries(void)
{
	struct data on_stack = {{0}}, *d = typed_malloc_obj(struct data);
	struct typed_type t;
	CHECK(typed_malloc_is(d, struct data) == 1 && typed_malloc_is(d, struct list) == ANOTHER);
	CHECK(typed_malloc_is_token(d, typed_token_of_name("data", 0)) == 1);
	CHECK(typed_malloc_is_name(d, typed_token_of_name("data", 1)) == 1);
	CHECK(typed_malloc_is(&on_stack, struct data) == -1 && typed_malloc_is(&d->a[4], int) == -1);
	typed_malloc_assert(d, struct data);
	typed_malloc_assert(&on_stack, struct data);
	typed_malloc_assert_token(d, type_of(d).token);
	errno = 0;
	CHECK(typed_malloc_type_of(&on_stack, &t) == -1 && errno == EINVAL);
	typed_free(d);
}

/* Two units, perhaps of two compilers, and one type: one cache. What the one frees the other gets. */
enum { MANY = 500 };
static void units_share(void)
{
	static struct data *d[MANY];
	static struct list *l[MANY], *k[MANY];
	int again[3] = {0, 0, 0};
	for (int i = 0; i < MANY; i++) {
		d[i] = second_data();
		l[i] = second_list();
		k[i] = second_lists(hidden(2));
		CHECK(d[i] && l[i] && k[i]);
	}
	CHECK(typed_malloc_is(d[0], struct data) == 1 && typed_malloc_is(l[0], struct list) == 1 &&
	      typed_malloc_is(k[0], struct list) == 1 && typed_malloc_is(l[0], struct data) == ANOTHER);
	for (int i = 0; i < MANY; i++) {
		typed_free(d[i]);
		typed_free(l[i]);
		typed_free(k[i]);
	}
	for (int i = 0; i < MANY; i++) {
		const struct data *e = typed_malloc_obj(struct data);
		const struct list *m = typed_malloc_obj(struct list);
		const struct list *q = typed_malloc_objs(struct list, hidden(2));
		for (int j = 0; j < MANY; j++) {
			again[0] += e == d[j];
			again[1] += m == l[j];
			again[2] += q == k[j];
			CHECK((const void *)e != (const void *)l[j] && (const void *)m != (const void *)d[j]);
		}
	}
	CHECK(again[0] > MANY / 2 && again[1] > MANY / 2 && again[2] > MANY / 2);
}

#ifdef __cplusplus
static void only_cxx(void);
#endif

int main(void)
{
	alarm(60);
	void *p = malloc(100);
	struct typed_type t;
	if (typed_malloc_type_of(p, &t) != 0) {
		fprintf(stderr, "malloc is not the library's\n");
		return 90;
	}
	free(p);
	functions();
	objects();
#ifdef COUNTED_BY
	evaluated = 0;
	counted_by();
#endif
	evaluated = 0;
	caches();
	wrappers();
	queries();
	second_unit();
	units_share();
#ifdef __cplusplus
	only_cxx();
#endif
#ifdef MUST_HAVE_TOKENS
#ifndef TYPED_MALLOC_HAS_TOKENS
	CHECK(!"tokens");
#endif
#if !defined(COUNTED_BY) && !defined(__cplusplus)
	CHECK(!"counted_by");
#endif
#endif
	fprintf(stderr, "header_matrix: %s\n", failures ? "FAILED" : "passed");
	return failures != 0;
}
#endif
