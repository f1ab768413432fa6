/* The header's macros: the right function and token for each call, arguments evaluated once, the semantics of
 * malloc's family, and types that never share. The one black-box test that includes the header and is linked with
 * the library. */
#include "typed_malloc.h"

#include "attack/attack.h"

struct client {
	struct client *next;
	char name[40];
};
struct packet {
	unsigned length;
	char data[60];
};
_Static_assert(sizeof(struct packet) == 64 && sizeof(struct client) == 48, "sizes the tests below rely on");

static int evaluated;
static size_t counted(size_t n)
{
	evaluated++;
	return n;
}

static void semantics(void)
{
	struct client *c = hide(typed_malloc(sizeof *c));
	MUST(c);
	CHECK(all_zero(c, sizeof *c) && malloc_usable_size(c) >= sizeof *c);
	typed_free(c);
	typed_free(NULL);
	int *table = hide(typed_calloc(counted(100), sizeof *table));
	MUST(table);
	CHECK(evaluated == 1 && all_zero(table, 400));
	fill(table, 400, 1);
	table = hide(typed_realloc(table, counted(100) * 10 * sizeof *table));
	CHECK(table && evaluated == 2 && filled(table, 400, 1));
	table = hide(typed_reallocarray(table, counted(5000), sizeof *table));
	CHECK(table && evaluated == 3 && filled(table, 400, 1));
	errno = 0;
	CHECK(!hide(typed_reallocarray(table, hide_size(SIZE_MAX / 2), sizeof *table)) && errno == ENOMEM &&
	      filled(table, 400, 1));
	errno = 0;
	CHECK(!hide(typed_calloc(hide_size(SIZE_MAX / 2), sizeof *table)) && errno == ENOMEM);
	errno = 0;
	CHECK(!hide(typed_malloc(hide_size(SIZE_MAX) - sizeof(int))) && errno == ENOMEM);
	CHECK(!hide(typed_realloc(table, hide_size(0)))); /* frees */

	double *wide = hide(typed_aligned_alloc(256, counted(3) * sizeof *wide));
	CHECK(wide && evaluated == 4 && !((uintptr_t)wide & 255));
	free(wide); /* one heap */
	errno = 0;
	CHECK(!hide(typed_aligned_alloc(hide_size(24), sizeof(double))) && errno == EINVAL);
	void *p = &evaluated;
	errno = 4242;
	CHECK(typed_posix_memalign(&p, hide_size(24), 16) == EINVAL && p == &evaluated);
	CHECK(typed_posix_memalign(&p, hide_size(64), hide_size(SIZE_MAX) - 100) == ENOMEM && p == &evaluated);
	CHECK(typed_posix_memalign(&p, 64, sizeof(struct packet)) == 0 && p != &evaluated && errno == 4242);
	typed_free(p);
	CHECK(errno == 4242);
	p = hide(malloc(100));
	typed_free(p);
	for (size_t n = 0; n < 40000; n = n * 2 + 1) {
		char *q = hide(typed_malloc(n * sizeof *q));
		MUST(q);
		CHECK(all_zero(q, n));
		typed_free(q);
	}
}

#ifdef TYPED_MALLOC_HAS_TOKENS
enum { MANY = 3000 };

/* Two types of one size, one address space each: nothing that was ever a packet becomes a list, and the other way
 * round. */
static void types_never_share(void)
{
	static void *packets[MANY], *words[MANY];
	for (int i = 0; i < MANY; i++)
		packets[i] = hide(typed_malloc(sizeof(struct packet)));
	for (int i = 0; i < MANY; i++)
		typed_free(packets[i]);
	for (int i = 0; i < MANY; i++)
		words[i] = hide(typed_calloc(8, sizeof(long)));
	for (int i = 0; i < MANY; i++)
		for (int k = 0; k < MANY; k++)
			MUST(words[i] != packets[k]);
	/* What was a packet comes back as one, whatever the call site. */
	int again = 0;
	for (int i = 0; i < MANY; i++) {
		struct packet *p = hide(typed_malloc(sizeof *p));
		for (int k = 0; k < MANY; k++)
			again += packets[k] == p;
	}
	CHECK(again > MANY / 2);
	/* realloc into another type moves; without a type it stays. */
	struct packet *p = hide(typed_malloc(sizeof *p));
	void *was = p;
	fill(p, sizeof *p, 7);
	p = hide(realloc(p, sizeof *p));
	CHECK(p == was);
	long *l = hide(typed_realloc(p, 8 * sizeof(long)));
	CHECK((void *)l != was && filled(l, sizeof(struct packet), 7));
	typed_free(l);
}

/* The macro passes what the builtin says: sizeof names the type, else the conversion does. */
static void tokens(void)
{
	_Static_assert(TYPED_MALLOC_TOKEN(sizeof(struct client)) != TYPED_MALLOC_TOKEN(sizeof(struct packet)),
		       "by type");
	_Static_assert(TYPED_MALLOC_TOKEN(sizeof(struct client)) >= SIZE_MAX / 2, "holds pointers");
	_Static_assert(TYPED_MALLOC_TOKEN(sizeof(struct packet)) < SIZE_MAX / 2, "holds none");
	size_t variable = hide_size(sizeof(struct client));
	struct client *by_cast = typed_malloc(variable);
	struct client *by_size = typed_malloc(variable / sizeof *by_size * sizeof *by_size);
	void *untyped[40];
	for (int i = 0; i < 40; i++)
		untyped[i] = hide(typed_malloc(variable));
	char *interior = (char *)hide(by_cast) + 16;
	pid_t child = fork();
	if (!child) { /* the message names the token */
		FILE *t = freopen("/dev/null", "w", stderr);
		MUST(t);
		free(hide(interior));
		_exit(0);
	}
	int status;
	MUST(waitpid(child, &status, 0) == child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	typed_free(by_cast);
	typed_free(by_size);
	for (int i = 0; i < 40; i++)
		typed_free(untyped[i]);
}
#endif

int main(void)
{
	need_library();
	watchdog(60);
	semantics();
#ifdef TYPED_MALLOC_HAS_TOKENS
	types_never_share();
	tokens();
#endif
	return test_result("conform_typed");
}
