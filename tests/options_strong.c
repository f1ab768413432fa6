/*
 * The options that make the library stricter: what each is there to find, and what must go on as before. options_strong.sh
 * runs it with and without them. usage:
 *
 *   options_strong written SIZE exit|trim|thread   a write to a freed object, then the end, malloc_trim, or the end beside others
 *   options_strong written_large SIZE              the same to a large one
 *   options_strong reuse SIZE                      exit 1: an address has come twice
 *   options_strong late SIZE read|write            an access to a freed object after all around it are freed too
 *   options_strong double SIZE here|there|ended    a double free, one free perhaps in another thread
 *   options_strong delay SIZE KIB                  exit 1: a slot has come back too early; 2: none has come back
 *   options_strong random SIZE                     the places in the order of freeing at which slots have come back
 *   options_strong form FROM TO SIZE               an object made by one function and given to another
 *   options_strong work THREADS ROUNDS             objects that threads hand to each other, forks, and an end in the middle of it
 */
#include "attack/attack.h"

#include <sched.h>

enum { MANY = 4000 };
static void *many[MANY];

static void make_many(size_t n, int count)
{
	for (int i = 0; i < count; i++) {
		MUST(many[i] = make(n));
		memset(many[i], 0x11, n);
	}
}

static void *spin(void *arg)
{
	for (;;) {
		void *p[50];
		for (int i = 0; i < 50; i++) {
			MUST(p[i] = make((size_t)(i * 7 + 1) + *(size_t *)arg));
			memset(p[i], 1, (size_t)(i * 7 + 1));
		}
		for (int i = 0; i < 50; i++)
			free(p[i]);
	}
	return NULL;
}

static int written(size_t n, const char *then)
{
	for (int i = 0; i < 3 && !strcmp(then, "thread"); i++) {
		static size_t from = 17000;
		pthread_t t;
		MUST(!pthread_create(&t, NULL, spin, &from));
	}
	make_many(n, 200);
	free(hide(many[100]));
	crime(many[100]);
	scribble((char *)many[100] + n / 2, 0x41, 1);
	if (!strcmp(then, "trim"))
		malloc_trim(0);
	return 0;
}

static int written_large(size_t n)
{
	char *p = make(n);
	MUST(p);
	free(p);
	crime(p);
	scribble(p, 0x41, 1);
	return 0;
}

static int compare(const void *a, const void *b)
{
	uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;
	return x < y ? -1 : x > y;
}

static int reuse(size_t n)
{
	size_t count = n > 16000 ? 300 : 20000, k = 0;
	uintptr_t *all = calloc(2 * count, sizeof *all);
	MUST(all);
	for (size_t i = 0; i < count; i++) {
		void *p = make(n), *q;
		MUST(p);
		all[k++] = (uintptr_t)p;
		q = i % 3 ? p : realloc(hide(p), n * 2 + 100);
		MUST(q);
		if (q != p)
			all[k++] = (uintptr_t)q;
		if (i % 7 == 0)
			run_thread(free_it, q);
		else
			free(hide(q));
	}
	qsort(all, k, sizeof *all, compare);
	for (size_t i = 1; i < k; i++)
		if (all[i] == all[i - 1])
			return 1;
	return 0;
}

static int late(size_t n, const char *how)
{
	int count = n > 16000 ? 20 : MANY, victim = count / 2;
	make_many(n, count);
	for (int i = 0; i < count; i++)
		free(hide(many[i]));
	crime(many[victim]);
	volatile char *p = hide(many[victim]);
	if (!strcmp(how, "read"))
		return p[n / 2] != 0;
	p[n / 2] = 1;
	return 0;
}

static void *twice(void *p)
{
	free(p);
	free(hide(p));
	return NULL;
}

static int double_free(size_t n, const char *where)
{
	make_many(n, 100);
	crime(many[50]);
	if (!strcmp(where, "ended"))
		run_thread(free_it, many[50]);
	else if (!strcmp(where, "there"))
		run_thread(twice, many[50]);
	else
		free(hide(many[50]));
	free(hide(many[50]));
	return 0;
}

/* Bytes that had been freed when the slot at an address was. */
enum { SEEN = 1 << 16 };
static struct {
	uintptr_t p;
	size_t at;
} seen[SEEN];

static size_t *when(uintptr_t p)
{
	for (size_t i = p / 16 * 0x9e3779b1u % SEEN;; i = (i + 1) % SEEN) {
		if (!seen[i].p)
			seen[i].p = p;
		if (seen[i].p == p)
			return &seen[i].at;
	}
}

static int delay(size_t n, size_t kib)
{
	size_t freed = n, slot = 0, back = 0;
	for (int i = 0; i < 1000; i++) { /* a slot's bytes: no two are nearer */
		MUST(many[i] = make(n));
		for (int k = 0; k < i; k++) {
			size_t d = (size_t)labs((char *)many[i] - (char *)many[k]);
			slot = !slot || d < slot ? d : slot;
		}
	}
	for (size_t i = 0; i < (kib << 10) / slot * 4 + 5000 && i < SEEN * 8; i++) {
		void *p = make(n);
		MUST(p);
		size_t *t = when((uintptr_t)p);
		if (*t) {
			back++;
			if (freed - *t < (kib << 10))
				return 1;
		}
		free(hide(p));
		freed += slot;
		*t = freed;
	}
	return back ? 0 : 2;
}

/* The same for large objects: 0 if an address comes back, and not before kib KiB were freed after it. */
static int large_delay(size_t n, size_t kib)
{
	char *first = make(n);
	size_t later = 0;

	free(hide(first));
	for (char *p; (p = make(n)) != first; later += n) {
		MUST(p && later < (kib << 10) * 2);
		*p = 1;
		free(hide(p));
	}
	return later + 4096 < (kib << 10) * 9 / 10;
}

static int randomly(size_t n)
{
	for (int i = 0; i < 2000; i++)
		free(hide(many[i] = make(n)));
	for (int i = 0, shown = 0; i < 2000 && shown < 6; i++) {
		void *p = make(n);
		for (int k = 0; k < 2000; k++)
			if (p == many[k]) {
				printf("%d ", k);
				shown++;
				break;
			}
	}
	printf("\n");
	return 0;
}

static void *made_by(const char *from, size_t n)
{
	typedef void *(*plain)(size_t);
	typedef void *(*two)(size_t, size_t);
	typedef void *(*three)(size_t, size_t, size_t);
	void *p;
	if (!strcmp(from, "malloc"))
		return malloc(n);
	if (!strcmp(from, "calloc"))
		return calloc(n, 1);
	if (!strcmp(from, "realloc"))
		return realloc(hide(malloc(n / 2)), n);
	if (!strcmp(from, "memalign"))
		return posix_memalign(&p, 64, n) ? NULL : p;
	if (!strcmp(from, "strdup")) {
		static char text[100000];
		memset(text, 'x', n < sizeof text - 1 ? n : sizeof text - 1);
		return strdup(text);
	}
	if (!strcmp(from, "typed"))
		return ((two)need_symbol("typed_malloc_token"))(n, TYPE_A);
	if (!strcmp(from, "new"))
		return ((plain)need_symbol("_Znwm"))(n);
	if (!strcmp(from, "new[]"))
		return ((plain)need_symbol("_Znam"))(n);
	if (!strcmp(from, "anew"))
		return ((two)need_symbol("_ZnwmSt11align_val_t"))(n, 64);
	if (!strcmp(from, "anew[]"))
		return ((two)need_symbol("_ZnamSt11align_val_t"))(n, 64);
	if (!strcmp(from, "tnew"))
		return ((two)need_symbol("__alloc_token__Znwm"))(n, TYPE_A);
	if (!strcmp(from, "tnew[]"))
		return ((two)need_symbol("__alloc_token__Znam"))(n, TYPE_A);
	if (!strcmp(from, "tanew"))
		return ((three)need_symbol("__alloc_token__ZnwmSt11align_val_t"))(n, 64, TYPE_A);
	if (!strcmp(from, "tanew[]"))
		return ((three)need_symbol("__alloc_token__ZnamSt11align_val_t"))(n, 64, TYPE_A);
	MUST(0);
	return NULL;
}

static void given_to(const char *to, void *p, size_t n)
{
	typedef void (*plain)(void *);
	typedef void (*two)(void *, size_t);
	typedef void (*three)(void *, size_t, size_t);
	if (!strcmp(to, "free"))
		free(p);
	else if (!strcmp(to, "free_sized"))
		free_sized(p, n);
	else if (!strcmp(to, "realloc"))
		free(hide(realloc(p, n + 1)));
	else if (!strcmp(to, "realloc_zero"))
		MUST(!realloc(p, 0));
	else if (!strcmp(to, "typed_free"))
		((plain)need_symbol("typed_free"))(p);
	else if (!strcmp(to, "delete"))
		((plain)need_symbol("_ZdlPv"))(p);
	else if (!strcmp(to, "delete[]"))
		((plain)need_symbol("_ZdaPv"))(p);
	else if (!strcmp(to, "sdelete"))
		((two)need_symbol("_ZdlPvm"))(p, n);
	else if (!strcmp(to, "sdelete[]"))
		((two)need_symbol("_ZdaPvm"))(p, n);
	else if (!strcmp(to, "adelete"))
		((two)need_symbol("_ZdlPvSt11align_val_t"))(p, 64);
	else if (!strcmp(to, "adelete[]"))
		((two)need_symbol("_ZdaPvSt11align_val_t"))(p, 64);
	else if (!strcmp(to, "sadelete"))
		((three)need_symbol("_ZdlPvmSt11align_val_t"))(p, n, 64);
	else
		MUST(0);
}

static int form(const char *from, const char *to, size_t n)
{
	for (int i = 0; i < 30; i++) { /* hot */
		void *p = made_by(from, n);
		MUST(p);
		if (n)
			memset(p, 'x', 1);
		many[i] = p;
	}
	crime(many[15]);
	given_to(to, many[15], n);
	return 0;
}

enum { PLACES = 500 };
static void *places[PLACES];
static size_t rounds;

/* An object that anyone may take and free: all bytes are its length. */
static void *worker(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	static const size_t sizes[] = {1, 24, 100, 500, 3000, 16000, 20000, 70000};
	for (size_t r = 0; r < rounds || !rounds; r++) {
		seed = seed * 1664525 + 1013904223;
		size_t n = sizes[(seed >> 8) % 16 < 14 ? (seed >> 8) % 5 : 5 + (seed >> 8) % 3] + (seed >> 24);
		unsigned char *p = make(n), *old;
		MUST(p && !p[0] && !p[n - 1]);
		memset(p, (int)(seed >> 16 & 0x7f) + 1, n);
		if (seed >> 20 & 1)
			MUST(p = realloc(p, n + n / 4 + 1));
		old = __atomic_exchange_n(&places[(seed >> 10) % PLACES], p, __ATOMIC_ACQ_REL);
		if (old)
			MUST(old[0] && old[0] < 0x81);
		free(old);
		if (r % 4096 == 0)
			malloc_trim(0);
	}
	return NULL;
}

static int work(size_t threads, size_t n)
{
	pthread_t t;
	for (size_t i = 0; i < threads; i++)
		MUST(!pthread_create(&t, NULL, worker, (void *)(i + 1)));
	for (int k = 0; k < 8; k++) {
		for (size_t i = 0; i < n / 8; i++)
			free(make(i % 3000 + 1));
		pid_t child = fork();
		MUST(child >= 0);
		if (!child) {
			rounds = 2000;
			worker((void *)77);
			exit(0);
		}
		int status;
		MUST(waitpid(child, &status, 0) == child);
		if (status)
			die_like(child);
		run_thread(free_it, make(100));
	}
	return 0; /* the others are at work */
}

/* What some programs do that are not to be stopped. "sized": with wrong sizes; "seal": with pages of an object. */
static int allowed(const char *what)
{
	if (!strcmp(what, "sized"))
		for (size_t n = 100; n < (10 << 20); n *= 20) {
			free_sized(make(n), n + 1);
			((void (*)(void *, size_t, size_t))need_function("free_aligned_sized"))(aligned_alloc(64, n / 64 * 64 + 64), 64, n);
			free_sized(make(n), n);
		}
	else {
		char *p = aligned_alloc(4096, 8192);
		MUST(p);
		if (mprotect(p, 4096, PROT_READ)) {
			MUST(errno == EPERM);
			return 3;
		}
		MUST(!mprotect(p, 4096, PROT_READ | PROT_WRITE));
		memset(p, 1, 8192);
		free(p);
		for (int i = 0; i < 1000; i++)
			make(5000);
	}
	return 0;
}

int main(int argc, char **argv)
{
	need_library();
	const char *what = word(argc, argv, 1, ""), *how = word(argc, argv, 3, "");
	size_t n = argument(argc, argv, 2, 100), m = argument(argc, argv, 3, 0);
	if (!strcmp(what, "written"))
		return written(n, how);
	if (!strcmp(what, "written_large"))
		return written_large(n);
	if (!strcmp(what, "reuse"))
		return reuse(n);
	if (!strcmp(what, "late"))
		return late(n, how);
	if (!strcmp(what, "double"))
		return double_free(n, how);
	if (!strcmp(what, "delay"))
		return delay(n, m);
	if (!strcmp(what, "large_delay"))
		return large_delay(n, m);
	if (!strcmp(what, "random"))
		return randomly(n);
	if (!strcmp(what, "form"))
		return form(word(argc, argv, 2, ""), how, argument(argc, argv, 4, 100));
	if (!strcmp(what, "allowed"))
		return allowed(word(argc, argv, 2, ""));
	if (!strcmp(what, "work"))
		return work(n, m);
	MUST(0);
}
