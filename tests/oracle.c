/*
 * What the library says of an address: typed_malloc_type_of(), typed_malloc_is_token(), typed_malloc_is_name(),
 * typed_malloc_room(). It has to be right, or say
 * that it does not know, of any address at all; and with partitions that do not go by type it knows nothing. Then caches by
 * name, and typed_malloc_assert(). Runs itself again with partition=random and partition=none.
 */
#include "typed_malloc.h"

#include "attack/attack.h"

static bool by_type; /* partition=typed */
static size_t mine, other;
static char in_data[8192] = "x";

/* The longest object of variable size in a slot: 8 bytes of its 16384 are the canary's. */
#define VARIABLE_MAX ((size_t)16376)

/* All that is alive, in order of address: what is to be found by asking. */
struct object {
	uintptr_t at;
	size_t token; /* 0: none */
	size_t size;
	bool fixed;
};
enum { MAX_OBJECTS = 4000 };
static struct object objects[MAX_OBJECTS];
static int n_objects;

static const struct object *object_at(const void *p)
{
	for (int i = 0; i < n_objects; i++)
		if (objects[i].at == (uintptr_t)p)
			return &objects[i];
	return NULL;
}

static void *keep(void *p, size_t token, size_t size, bool fixed)
{
	MUST(p && n_objects < MAX_OBJECTS);
	objects[n_objects++] = (struct object){(uintptr_t)p, by_type ? token : 0, size, fixed};
	return p;
}

static void drop(const void *p)
{
	for (int i = 0; i < n_objects; i++)
		if (objects[i].at == (uintptr_t)p) {
			objects[i] = objects[--n_objects];
			return;
		}
	MUST(0);
}

/* Ask of any address; the answer is that of the object that starts there, or there is none. */
#define RIGHT(p) right(p, #p, __LINE__)
static void right(const void *p, const char *what, int line)
{
	const struct object *o = object_at(p);
	struct typed_type t = {.size = 12345};
	int is_mine = typed_malloc_is_token(p, mine), is_other = typed_malloc_is_token(p, other);
	bool good;
	errno = 4242;
	int found = typed_malloc_type_of(p, &t);
	if (!o)
		good = is_mine == -1 && is_other == -1 && found == -1 && errno == EINVAL && t.size == 12345;
	else if (!o->token)
		good = is_mine == -1 && is_other == -1 && found == 0 && t.token == 0;
	else
		good = is_mine == (o->token == mine) && is_other == (o->token == other) && found == 0 && t.token == o->token &&
		       typed_malloc_is_token(p, o->token) == 1;
	if (good && o)
		good = t.size == (o->fixed ? (o->size + 15) & ~(size_t)15 : o->size) &&
		       t.size == malloc_usable_size((void *)(uintptr_t)p) && !t.fixed == !o->fixed &&
		       !t.large == (o->size <= (o->fixed ? 16384 : VARIABLE_MAX)) && !t.name && errno == 4242;
	for (int i = 0; i < n_objects; i++) {
		size_t n = objects[i].fixed ? (objects[i].size + 15) & ~(size_t)15 : objects[i].size;
		if ((uintptr_t)p - objects[i].at < n) /* as far as it goes from inside, too */
			good = good && typed_malloc_room(p) == objects[i].at + n - (uintptr_t)p;
	}
	if (!good) {
		failures++;
		say("line %d: %s %p: is %d %d, type_of %d token 0x%zx size %zu", line, what, p, is_mine, is_other, found, t.token,
		    t.size);
	}
}

static const size_t sizes[] = {1,     16,    48,    100,   1000,   5000,    16000,   VARIABLE_MAX,
			       16384, 16385, 20000, 300000, 3 << 20, 5 << 20, (size_t)80 << 20};
enum { SIZES = sizeof sizes / sizeof *sizes };

static void *make_mine(size_t n, bool fixed)
{
	return keep(fixed ? typed_malloc_token_fixed(n, mine) : typed_malloc_token(n, mine), mine, n, fixed && n <= 16384);
}

static void live_and_inside(void)
{
	for (int i = 0; i < SIZES; i++)
		for (int fixed = 0; fixed < 2; fixed++) {
			size_t n = sizes[i];
			char *before = make_mine(n, fixed), *p = make_mine(n, fixed);
			char *of_other = keep(typed_malloc_token(n, other), other, n, false);
			char *untyped = keep(malloc(n), 0, n, false);
			RIGHT(p);
			RIGHT(of_other);
			RIGHT(untyped);
			const size_t usable = malloc_usable_size(p);
			const size_t inside[] = {1, 8, 16, 32, 4096, n / 2, n - 1, usable - 1, usable - 16};
			for (size_t k = 0; k < sizeof inside / sizeof *inside; k++)
				if (inside[k] && inside[k] < usable) {
					RIGHT(p + inside[k]);
					RIGHT(of_other + inside[k]);
				}
			/* Outside: one past the end may be the next object, and is that one then. */
			const size_t outside[] = {usable, usable + 1, usable + 4096, usable * 2, 1 << 20, 1 << 30};
			for (size_t k = 0; k < sizeof outside / sizeof *outside; k++) {
				RIGHT((char *)((uintptr_t)p + outside[k]));
				RIGHT((char *)((uintptr_t)p - outside[k]));
			}
			for (void **q = (void *[]){before, p, of_other, untyped, NULL}; *q; q++) {
				free(*q);
				drop(*q);
				RIGHT(*q);
				RIGHT((char *)*q + 16);
			}
		}
}

/* Bytes to an object's end from anywhere: none behind it, none in what is free, and any number elsewhere. */
static void room(void)
{
	for (int i = 0; i < SIZES; i++) {
		size_t n = sizes[i];
		char *p = hide(typed_malloc_token(n, mine)), *fixed = hide(typed_malloc_token_fixed(n, mine));
		for (size_t at = 0; at < n; at += 1 + n / 301)
			CHECK(typed_malloc_room(p + at) == n - at);
		CHECK(typed_malloc_room(p + n - 1) == 1 && typed_malloc_room(p + n) == 0 && typed_malloc_room(p + n + 7) == 0);
		size_t whole = malloc_usable_size(fixed);
		CHECK(typed_malloc_room(fixed) == whole && typed_malloc_room(fixed + whole - 1) == 1);
		if (n > 16384)
			CHECK(typed_malloc_room(p - 1) == 0 && typed_malloc_room(fixed - 1) == 0);
		char *q = hide(realloc(p, n + n / 2));
		MUST(q);
		CHECK(typed_malloc_room(q + n / 2) == n);
		CHECK(q == p || (typed_malloc_room(p) == 0 && typed_malloc_room(p + n - 1) == 0));
		free(q);
		free(fixed);
		CHECK(typed_malloc_room(q) == 0 && typed_malloc_room(q + n / 2) == 0 && typed_malloc_room(fixed) == 0);
	}
	char *none = hide(malloc(0));
	CHECK(typed_malloc_room(none) == 0 && typed_malloc_room(none + 8) == 0);
	free(none);
	char local[16];
	CHECK(typed_malloc_room(hide(local)) == SIZE_MAX && typed_malloc_room(in_data) == SIZE_MAX);
	CHECK(typed_malloc_room(NULL) == SIZE_MAX && typed_malloc_room((void *)1) == SIZE_MAX &&
	      typed_malloc_room((void *)UINTPTR_MAX) == SIZE_MAX && typed_malloc_room((void *)need_library) == SIZE_MAX);
}

/* A name with either token. */
static void names(void)
{
	void *p = keep(typed_malloc_token(100, typed_token_of_name("name", 1)), typed_token_of_name("name", 1), 100, false);
	int yes = by_type ? 1 : -1, no = by_type ? 0 : -1;
	RIGHT(p);
	CHECK(typed_malloc_is_name(p, typed_token_of_name("name", 0)) == yes);
	CHECK(typed_malloc_is_name(p, typed_token_of_name("name", 1)) == yes);
	CHECK(typed_malloc_is_token(p, typed_token_of_name("name", 0)) == no);
	CHECK(typed_malloc_is_name(p, mine) == no && typed_malloc_is_name(p, other) == no);
	CHECK(typed_malloc_is_name((char *)p + 8, typed_token_of_name("name", 1)) == -1);
	CHECK(typed_malloc_is_name(in_data, mine) == -1 && typed_malloc_is_name(NULL, mine) == -1);
	drop(p);
	free(p);
}

static void not_of_the_heap(void)
{
	char on_stack[64];
	char *map = map_memory(1 << 20);
	RIGHT(on_stack);
	RIGHT(in_data);
	RIGHT(in_data + 4096);
	RIGHT((void *)(uintptr_t)&not_of_the_heap);
	RIGHT((void *)(uintptr_t)&printf);
	RIGHT((void *)(uintptr_t)&typed_malloc_is_token);
	RIGHT(map);
	RIGHT(map + 4096);
	munmap(map, 1 << 20);
	RIGHT(map);
	RIGHT(NULL);
	for (unsigned bit = 0; bit < 64; bit++) {
		RIGHT((void *)((uintptr_t)1 << bit));
		RIGHT((void *)(((uintptr_t)1 << bit) - 1));
		RIGHT((void *)-((uintptr_t)1 << bit));
	}
	RIGHT((void *)-1);
	RIGHT((void *)0x4141414141414141);
	RIGHT((void *)0xffffffffff600000);
}

/* Addresses all over the heap, among them many that belong to nothing: gaps, fences, what was never handed out. */
static void anywhere(void)
{
	uint64_t rng = 7;
	static char *live[600];
	for (size_t i = 0; i < 600; i++)
		live[i] = i % 3 ? make_mine(random_size(&rng, 17), i % 2)
				: keep(malloc(1000), 0, 1000, false);
	for (int i = 0; i < 30000; i++) {
		uint64_t r = next_random(&rng);
		uintptr_t p = (uintptr_t)live[r % 600];
		uintptr_t far = (r >> 16) & (((uintptr_t)1 << (r >> 10) % 40) - 1);
		RIGHT((void *)(r >> 63 ? p + far : p - far));
		RIGHT((void *)((r >> 63 ? p + far : p - far) & -(uintptr_t)4096));
	}
	for (size_t i = 0; i < 600; i++) {
		drop(live[i]);
		free(live[i]);
	}
}

static void *many_frees(void *arg)
{
	(void)arg;
	for (int i = 0; i < 100000; i++)
		free(hide(malloc(100)));
	return NULL;
}

static void *thread_makes(void *arg)
{
	void **out = arg;
	for (int i = 0; i < SIZES; i++)
		out[i] = hide(typed_malloc_token(sizes[i], mine));
	free(out[0]); /* freed by a thread that ends; the others live on */
	return NULL;
}

static void freed(void)
{
	void *p[SIZES], *theirs[SIZES];
	for (int round = 0; round < 4; round++) {
		/* A slab that is neither new nor empty. */
		void *more[SIZES][8];
		for (int i = 0; i < SIZES; i++) {
			for (int k = 0; k < 8; k++)
				more[i][k] = sizes[i] < 100000 ? make_mine(sizes[i], false) : NULL;
			p[i] = make_mine(sizes[i], false);
		}
		for (int i = 0; i < SIZES; i++) {
			if (round == 1)
				run_thread(free_it, p[i]);
			else
				free(p[i]);
			drop(p[i]);
			RIGHT(p[i]);
		}
		if (round == 2)
			many_frees(NULL);
		if (round == 3) {
			malloc_trim(0);
			sleep_ms(30);
			malloc_trim(0);
		}
		for (int i = 0; i < SIZES; i++) {
			RIGHT(p[i]);
			RIGHT((char *)p[i] + 16);
			for (int k = 0; k < 8 && more[i][k]; k++) {
				RIGHT(more[i][k]);
				drop(more[i][k]);
				free(more[i][k]);
				RIGHT(more[i][k]);
			}
		}
		malloc_trim(0);
		for (int i = 0; i < SIZES; i++)
			RIGHT(p[i]);
	}
	run_thread(thread_makes, theirs);
	for (int i = 0; i < SIZES; i++) {
		if (i)
			keep(theirs[i], mine, sizes[i], false);
		RIGHT(theirs[i]);
	}
	run_thread(many_frees, NULL);
	for (int i = 0; i < SIZES; i++)
		RIGHT(theirs[i]);
	for (int i = 1; i < SIZES; i++) {
		free(theirs[i]);
		drop(theirs[i]);
	}
	for (int i = 0; i < SIZES; i++)
		RIGHT(theirs[i]);
	/* Moved: the old place is free, the new one of the type. */
	for (int i = 0; i < SIZES; i++) {
		void *q = make_mine(sizes[i], false), *was = q;
		for (size_t n = sizes[i]; q == was && n < (size_t)400 << 20;)
			MUST(q = hide(realloc(hide(q), n = n * 2 + 64)));
		drop(was);
		keep(q, mine, malloc_usable_size(q), false);
		RIGHT(q);
		RIGHT(was);
		drop(q);
		free(q);
	}
}

/* Questions while others allocate and free: an object that stays is of its type all the time, and no answer is of a type that an
 * address never had. */
static void *volatile seen[64];
static int stop;
static void *churn(void *arg)
{
	uint64_t rng = (uintptr_t)arg;
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		uint64_t r = next_random(&rng);
		void *p = hide(typed_malloc_token(r >> 60 ? 1 + (r >> 8) % 4000 : 20000 + (r >> 8) % 400000, mine));
		free(__atomic_exchange_n(&seen[r % 64], p, __ATOMIC_ACQ_REL));
	}
	return NULL;
}

static void meanwhile(void)
{
	pthread_t t[2];
	void *small = hide(typed_malloc_token(48, mine)), *large = hide(typed_malloc_token(100000, mine));
	for (size_t i = 0; i < 2; i++)
		MUST(!pthread_create(&t[i], NULL, churn, (void *)(i + 1)));
	int yes = 0, wrong = 0;
	for (long end = now_ms() + 300, i = 0; (i & 255) || now_ms() < end; i++) {
		void *p = seen[i & 63];
		int answer = p ? typed_malloc_is_token(p, mine) : -1;
		yes += answer == 1;
		wrong += answer == 0 || (p && typed_malloc_is_token(p, other) == 1);
		wrong += typed_malloc_is_token(small, mine) != (by_type ? 1 : -1);
		wrong += typed_malloc_is_token(large, mine) != (by_type ? 1 : -1);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (size_t i = 0; i < 2; i++)
		MUST(!pthread_join(t[i], NULL));
	CHECK(wrong == 0 && (yes > 0) == by_type);
	for (size_t i = 0; i < 64; i++)
		free(seen[i]);
	free(small);
	free(large);
}

/* ---- caches and buckets by name ---- */

static void named(void)
{
	struct typed_type t;
	static const struct {
		size_t size, align;
	} shape[] = {{48, 0}, {1, 0}, {100, 64}, {5000, 4096}, {16384, 16}, {20000, 0}, {300000, 65536}, {5 << 20, 0}};
	for (size_t i = 0; i < sizeof shape / sizeof *shape; i++) {
		char name[40];
		snprintf(name, sizeof name, "oracle-%zu", i);
		typed_cache_t *c = typed_cache_create(name, shape[i].size, shape[i].align, i % 2 ? TYPED_NO_POINTERS : 0);
		typed_cache_t *d = typed_cache_create("another", shape[i].size, shape[i].align, 0);
		MUST(c && d && c != d);
		enum { MANY = 40 };
		char *p[MANY], *q[MANY];
		for (int k = 0; k < MANY; k++) {
			p[k] = hide(typed_cache_alloc(c));
			q[k] = hide(typed_cache_alloc(d));
			MUST(p[k] && q[k]);
			CHECK(!((uintptr_t)p[k] & ((shape[i].align ? shape[i].align : 16) - 1)));
			CHECK(all_zero(p[k], shape[i].size));
			memset(p[k], 1, shape[i].size);
		}
		CHECK(!typed_malloc_type_of(p[3], &t) && t.token == 0 && t.name && !strcmp(t.name, name));
		CHECK(t.size >= shape[i].size && (t.large ? shape[i].size > 16384 : t.fixed));
		CHECK(!typed_malloc_type_of(q[3], &t) && t.name && !strcmp(t.name, "another"));
		CHECK(typed_malloc_is_token(p[3], mine) == -1 && typed_malloc_is_name(p[3], mine) == -1);
		CHECK(typed_malloc_is_token(p[3], 0) == -1);
		typed_malloc_assert_token(p[3], mine);
		CHECK(typed_malloc_type_of(p[3] + 8, &t) == -1);
		errno = 0;
		CHECK(typed_cache_destroy(c) == -1 && errno == EBUSY);
		char *one_more = typed_cache_alloc(c); /* the cache stays */
		MUST(one_more);
		errno = 4242;
		for (int k = 0; k < MANY; k++)
			k % 2 ? typed_cache_free(c, p[k]) : free(p[k]);
		typed_cache_free(c, NULL);
		CHECK(errno == 4242);
		for (int k = 0; k < MANY; k++)
			CHECK(typed_malloc_type_of(p[k], &t) == -1);
		errno = 0;
		CHECK(typed_cache_destroy(c) == -1 && errno == EBUSY);
		typed_cache_free(c, one_more);
		CHECK(typed_cache_destroy(c) == 0);
		for (int k = 0; k < MANY; k++)
			typed_cache_free(d, q[k]);
		CHECK(typed_cache_destroy(d) == 0);
	}
}

/* A cache that ends keeps its addresses: the next of its name and shape has them, no other. */
static void ends(void)
{
	enum { MANY = 300 };
	static char *was[MANY];
	typed_cache_t *c = typed_cache_create("ending", 96, 0, 0);
	for (int i = 0; i < MANY; i++)
		MUST(was[i] = hide(typed_cache_alloc(c)));
	for (int i = 0; i < MANY; i++)
		typed_cache_free(c, was[i]);
	CHECK(typed_cache_destroy(c) == 0);
	typed_cache_t *e = typed_cache_create("other-name", 96, 0, 0), *f = typed_cache_create("ending", 112, 0, 0),
		      *g = typed_cache_create("ending", 96, 0, 0);
	int again = 0, others = 0;
	for (int i = 0; i < MANY; i++) {
		char *p = hide(typed_cache_alloc(e)), *q = hide(typed_cache_alloc(f)), *r = hide(typed_cache_alloc(g));
		char *s = hide(malloc(96)), *t = hide(typed_malloc_token_fixed(96, mine));
		CHECK(all_zero(r, 96));
		for (int k = 0; k < MANY; k++) {
			others += was[k] == p || was[k] == q || was[k] == s || was[k] == t;
			again += was[k] == r;
		}
	}
	CHECK(others == 0 && again > MANY / 2);
	/* Freed by another thread: no live object. */
	c = typed_cache_create("remote", 96, 0, 0);
	void *p = hide(typed_cache_alloc(c));
	run_thread(free_it, p);
	CHECK(typed_cache_destroy(c) == 0);
}

static void arguments(void)
{
	static const struct {
		const char *name;
		size_t size, align;
		unsigned flags;
		int error;
	} bad[] = {{NULL, 16, 0, 0, EINVAL},	  {"", 16, 0, 0, EINVAL},
		   {"x", 0, 0, 0, EINVAL},	  {"x", 16, 24, 0, EINVAL},
		   {"x", 16, 0, 2, EINVAL},	  {"x", 16, 0, ~0u, EINVAL},
		   {"x", SIZE_MAX, 0, 0, ENOMEM}, {"x", 16, (size_t)1 << 63, 0, ENOMEM}};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		errno = 0;
		CHECK(!typed_cache_create(bad[i].name, bad[i].size, bad[i].align, bad[i].flags) && errno == bad[i].error);
	}
	errno = 0;
	CHECK(!typed_buckets_create(NULL, 0) && errno == EINVAL);
	errno = 0;
	CHECK(!typed_buckets_create("x", 4) && errno == EINVAL);
	char name[100];
	memset(name, 'n', sizeof name - 1);
	name[99] = 0;
	typed_cache_t *c = typed_cache_create(name, 16, 0, 0);
	struct typed_type t;
	void *p = typed_cache_alloc(c);
	MUST(p && !typed_malloc_type_of(p, &t));
	CHECK(strlen(t.name) == 47);
	typed_cache_free(c, p);
	typed_buckets_t *b = typed_buckets_create("buckets", TYPED_NO_POINTERS);
	for (int i = 0; i < SIZES; i++) {
		char *q = typed_buckets_alloc(b, sizes[i]);
		MUST(q);
		CHECK(all_zero(q, sizes[i]) && !typed_malloc_type_of(q, &t) && !strcmp(t.name, "buckets") && !t.fixed &&
		      t.large == (sizes[i] > VARIABLE_MAX) && t.size == sizes[i] && t.token == 0 && typed_malloc_is_token(q, mine) == -1);
		MUST(q = hide(realloc(q, sizes[i] * 2))); /* stays in them */
		CHECK(!typed_malloc_type_of(q, &t) && t.name && !strcmp(t.name, "buckets"));
		free(q);
	}
	errno = 0;
	CHECK(!typed_buckets_alloc(b, hide_size(SIZE_MAX)) && errno == ENOMEM);
}

/* ---- the assertion ---- */

/* f in a child: how it ends, and its last words in `text`. */
static int ends_with(void (*f)(void *), void *arg, char *text, size_t n)
{
	int io[2], status;
	MUST(!pipe(io));
	pid_t child = fork();
	MUST(child >= 0);
	if (!child) {
		dup2(io[1], 2);
		f(arg);
		_exit(0);
	}
	close(io[1]);
	size_t have = 0;
	for (ssize_t got; (got = read(io[0], text + have, n - 1 - have)) > 0;)
		have += (size_t)got;
	text[have] = 0;
	close(io[0]);
	MUST(waitpid(child, &status, 0) == child);
	for (char *p = strchr(text, '['); p && p[1] >= '0' && p[1] <= '9';) /* the process */
		memmove(p + 1, p + 2, strlen(p + 1));
	return status;
}
static void assert_other(void *p) { typed_malloc_assert_token(p, other); }

static void assertions(void)
{
	static const size_t some[] = {48, 1000, 100000, 5 << 20};
	char in_stack = 0, text[512], want[300];
	for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
		char *p = hide(typed_malloc_token_fixed(some[i], mine));
		typed_malloc_assert_token(p, mine);
		typed_malloc_assert_token(p + 8, other); /* nobody knows */
		int status = ends_with(assert_other, p, text, sizeof text);
		if (by_type) {
			snprintf(want, sizeof want,
				 "typed_malloc: oracle[] typed_malloc_assert(): object of another type at %p (type token 0x%zx, ",
				 (void *)p, mine);
			CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
			CHECK(!strncmp(text, want, strlen(want)) && strchr(text, '\n') == text + strlen(text) - 1);
		} else {
			CHECK(status == 0 && !*text);
		}
		free(p);
		typed_malloc_assert_token(p, other);
	}
	void *untyped = hide(malloc(48));
	typed_malloc_assert_token(untyped, mine);
	typed_malloc_assert_token(&in_stack, mine);
	typed_malloc_assert_token(NULL, mine);
	typed_malloc_assert_token((void *)-1, mine);
	free(untyped);
}

int main(int argc, char **argv)
{
	need_library();
	watchdog(100);
	const char *mode = argc > 1 ? argv[1] : "typed";
	if (argc == 1)
		for (char **m = (char *[]){"typed", "random", "none", NULL}; *m; m++) {
			char options[60]; /* of a sample a report says more */
			int status;
			pid_t child = fork();
			MUST(child >= 0);
			if (!child) {
				snprintf(options, sizeof options, "partition=%s:untyped=callsite:sample=0", *m);
				setenv("TYPED_MALLOC_OPTIONS", options, 1);
				execl("/proc/self/exe", argv[0], *m, (char *)NULL);
				_exit(126);
			}
			MUST(waitpid(child, &status, 0) == child);
			CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		}
	else {
		by_type = !strcmp(mode, "typed");
		mine = typed_token_of_name("mine", 1);
		other = typed_token_of_name("other", 0);
		live_and_inside();
		room();
		names();
		not_of_the_heap();
		anywhere();
		freed();
		meanwhile();
		named();
		ends();
		arguments();
		assertions();
	}
	char name[40];
	snprintf(name, sizeof name, "oracle %s", mode);
	return test_result(name);
}
