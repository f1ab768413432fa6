/*
 * Bugs for Memcheck to find, those that the command line names, in C and in C++. Without a name: all of it done right. The line of
 * a bug has its name in a comment, "at NAME"; of a leak, "from NAME" where the object is made. tests/valgrind.sh looks for it.
 */
#include "typed_malloc.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct node {
	struct node *next;
	long x;
};

static char **bugs;
static int is(const char *name)
{
	for (char **b = bugs; *b; b++)
		if (!strcmp(*b, name))
			return 1;
	return 0;
}
/* One more than the last index where the bug is asked for. */
static size_t past(const char *name, size_t n) { return is(name) ? n : n - 1; }

static void *volatile sink;
static char *volatile escape;
static struct node *volatile root;
static volatile int zero;
static volatile long taken;

static char *hide(void *p)
{
	escape = (char *)p;
	return escape;
}

__attribute__((noinline)) static void overflows(void)
{
	char *p;

	p = hide(typed_malloc_obj(struct node));
	p[past("fixed", 16)] = 1; /* at fixed */
	typed_free(p);
	p = hide(typed_malloc(100 + (size_t)zero));
	p[past("variable", 100)] = 1; /* at variable */
	p[is("underflow") ? -1 : 0] = 1; /* at underflow */
	typed_free(p);
	p = hide(typed_malloc_objs(struct node, 3 + (size_t)zero));
	p[past("array", 48)] = 1; /* at array */
	typed_free(p);
	p = hide(typed_aligned_alloc(64, 100 + (size_t)zero));
	p[past("aligned", 100)] = 1; /* at aligned */
	typed_free(p);
	p = hide(typed_malloc(100000 + (size_t)zero));
	p[past("large", 100000)] = 1; /* at large */
	typed_free(p);
	p = hide(typed_strdup("four"));
	taken = p[past("string", 5)]; /* at string */
	typed_free(p);
	typed_cache_t *c = typed_cache_create("c", 24, 8, 0), *d = typed_cache_create("d", 24, 8, 0);
	p = hide(typed_cache_alloc(c));
	p[past("cache", 24)] = 1; /* at cache */
	typed_cache_free(is("mismatch") ? d : c, p); /* at mismatch */
	typed_buckets_t *b = typed_buckets_create("b", 0);
	p = hide(typed_buckets_alloc(b, 30));
	p[past("bucket", 30)] = 1; /* at bucket */
	typed_free(p);
}

/* Others of its size come and go before the freed one is used. */
__attribute__((noinline)) static char *made(void) { return hide(typed_malloc(200000 + (size_t)zero)); }

__attribute__((noinline)) static void used_late(void)
{
	char *p = made();

	p[7] = 1;
	typed_free(is("late") ? p : 0);
	for (int i = 0; i < 20; i++)
		typed_free(made());
	taken = p[7]; /* at late */
	typed_free(is("late") ? 0 : p);
}

__attribute__((noinline)) static void frees(void)
{
	struct node *n = (struct node *)hide(typed_malloc_obj(struct node));
	n->x = 1;
	typed_free(is("use") ? n : 0);
	taken = n->x; /* at use */
	typed_free(is("use") ? 0 : n);
	n = (struct node *)hide(typed_malloc_obj(struct node));
	typed_free(n);
	if (is("double"))
		typed_free(n); /* at double */
	char *p = hide(typed_malloc(50 + (size_t)zero));
	if (is("interior"))
		typed_free(p + 16); /* at interior */
	typed_free_sized(p, is("size") ? 40 : 50); /* at size */
	p = hide(typed_malloc(50 + (size_t)zero));
	char *q = hide(typed_realloc(p, 5000));
	(is("stale") ? p : q)[3] = 1; /* at stale */
	if (is("realloc"))
		q = hide(typed_realloc(p, 60)); /* at realloc */
	q[past("grown", 5000)] = 1; /* at grown */
	typed_free(q);
	p = hide(typed_malloc(200000 + (size_t)zero));
	p[7] = 1;
	typed_free(is("use_large") ? p : 0);
	taken = p[7]; /* at use_large */
	typed_free(is("use_large") ? 0 : p);
}

__attribute__((noinline)) static void reads(void)
{
	int *p = (int *)hide(typed_malloc_obj(int));
	if (!is("uninitialised"))
		*p = 1;
	if (*p == 3) /* at uninitialised */
		puts("three");
	typed_free(p);
	p = (int *)hide(typed_calloc(4, sizeof(int)));
	if (p[3])
		puts("not zero");
	typed_free(p);
}

/* Each in a function of its own, so that no copy of a pointer stays. */
__attribute__((noinline)) static struct node *pair(void)
{
	struct node *n = typed_malloc_obj(struct node); /* from definite */
	n->next = typed_malloc_obj(struct node); /* from indirect */
	n->next->next = 0;
	return n;
}

__attribute__((noinline)) static void leaks(void)
{
	struct node *n = pair();
	if (!is("definite") && !is("indirect")) {
		typed_free(n->next);
		typed_free(n);
	}
	n = 0;
	sink = 0;
	escape = 0;
}

__attribute__((noinline)) static void kept(void)
{
	root = (struct node *)typed_malloc_objs(struct node, 4); /* from reachable */
	if (!is("reachable")) {
		typed_free(root);
		root = 0;
	}
	sink = typed_malloc_objs(struct node, 5); /* from possible */
	if (is("possible"))
		sink = (char *)sink + 24;
	else
		typed_free(sink);
}

__attribute__((noinline)) static void wipe(void)
{
	volatile char stack[4096];
	for (size_t i = 0; i < sizeof stack; i++)
		stack[i] = 0;
}

int main(int argc, char **argv)
{
	bugs = argv + (argc > 0);
	overflows();
	frees();
	used_late();
	reads();
	leaks();
	kept();
	escape = 0;
	wipe();
	puts("end");
	return 0;
}
