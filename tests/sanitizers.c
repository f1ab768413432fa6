/*
 * Bugs for the sanitizers to find: the one that the command line names, else none. Its line has the name in a comment: "at NAME", or
 * "from NAME" where what is lost is made.
 */
#include "typed_malloc.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct node {
	struct node *next;
	long x;
};

static const char *bug = "";
static int is(const char *name) { return !strcmp(bug, name); }

static void *volatile escape;
static volatile long taken;

static struct node *hide(void *p)
{
	escape = p;
	return (struct node *)escape;
}

static void overflows(void)
{
	struct node *n = hide(malloc(3 * sizeof(struct node)));

	n[is("overflow") ? 3 : 2].x = 1; /* at overflow */
	free(n);
	typed_cache_t *c = typed_cache_create("nodes", sizeof *n, _Alignof(struct node), 0);
	n = hide(typed_cache_alloc(c));
	n[is("cache") ? 1 : 0].x = 1; /* at cache */
	typed_cache_free(c, n);
	typed_cache_destroy(c);
}

static void frees(void)
{
	struct node *n = hide(malloc(sizeof(struct node)));

	n->x = 1;
	free(is("use") ? n : NULL);
	taken = n->x; /* at use */
	free(is("use") ? NULL : n);
	n = hide(malloc(sizeof(struct node)));
	free(n);
	if (is("double"))
		free(hide(escape)); /* at double */
}

static void reads(void)
{
	struct node *n = hide(malloc(sizeof(struct node)));

	if (!is("uninitialised"))
		n->x = 1;
	if (n->x == 3) /* at uninitialised */
		puts("three");
	free(n);
}

static struct node *shared;

static void *count(void *arg)
{
	shared->x++; /* at race */
	return arg;
}

static void races(void)
{
	pthread_t t;

	shared = calloc(1, sizeof(struct node));
	if (pthread_create(&t, NULL, count, NULL))
		abort();
	if (!is("race"))
		pthread_join(t, NULL);
	count(NULL);
	if (is("race"))
		pthread_join(t, NULL);
	free(shared);
	shared = NULL;
}

static void lost(void)
{
	struct node *n = hide(malloc(sizeof(struct node))); /* from leak */

	n->x = 1;
	if (!is("leak"))
		free(n);
	escape = NULL;
}

/* No copy of a pointer stays on the stack. */
static void wipe(void)
{
	volatile char stack[4096];

	for (size_t i = 0; i < sizeof stack; i++)
		stack[i] = 0;
}

int main(int argc, char **argv)
{
	bug = argc > 1 ? argv[1] : "";
	overflows();
	frees();
	reads();
	races();
	lost();
	wipe();
	return 0;
}
