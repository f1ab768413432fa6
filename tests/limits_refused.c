/*
 * Memory is refused by the system at some moment after the start: every way to get an object says so (NULL, ENOMEM), keeps what there
 * was, and serves again what is freed. Each system call in a process of its own; in a thread that has a heap, and in one that has none.
 */
#include "typed_malloc.h"

#include "attack/attack.h"
#include "refuse.h"

extern void *operator_new(size_t n, const void *tag) __asm__("_ZnwmRKSt9nothrow_t");
extern void *operator_new_array_aligned(size_t n, size_t align, const void *tag) __asm__("_ZnamSt11align_val_tRKSt9nothrow_t");

enum { WAYS = 21, NAMED = 20 /* the way with one size only */, SIZE = 3000, LIVE = 64 };
static const size_t sizes[] = {40, SIZE, 20000, 300000, 5 << 20};
static const char *const calls[] = {"mprotect", "mmap", "madvise", "mremap"};
static const int numbers[] = {SYS_mprotect, SYS_mmap, SYS_madvise, SYS_mremap};

static typed_cache_t *cache;
static typed_buckets_t *buckets;
static char text[(5 << 20) + 1]; /* as long as the longest object, less its end */

static void *of_memalign(size_t n)
{
	void *p = &failures;
	int error = posix_memalign(&p, 64, n);

	MUST(error ? error == ENOMEM && p == &failures : p != &failures);
	errno = error ? ENOMEM : errno;
	return error ? NULL : p;
}

static void *of_typed_memalign(size_t n)
{
	void *p = &failures;
	int error = typed_posix_memalign_token(&p, 128, n, TYPE_B);

	MUST(error ? error == ENOMEM && p == &failures : p != &failures);
	errno = error ? ENOMEM : errno;
	return error ? NULL : p;
}

static char *text_of(size_t n)
{
	static char *last;

	if (last)
		*last = 'x';
	last = text + n - 1;
	*last = 0;
	return text;
}

static NOINLINE void *get(int way, size_t n)
{
	switch (way) {
	case 0: return malloc(n);
	case 1: return calloc(n / 8, 8);
	case 2: return realloc(hide(NULL), n);
	case 3: return reallocarray(hide(NULL), n, 1);
	case 4: return aligned_alloc(64, n);
	case 5: return of_memalign(n);
	case 6: return memalign(4096, n);
	case 7: return strdup(text_of(n));
	case 8: return strndup(text_of(n), n);
	case 9: return typed_malloc_token(n, TYPE_A);
	case 10: return typed_malloc_token_fixed(n, TYPE_A + 1);
	case 11: return typed_calloc_token(n / 8, 8, TYPE_A + 2);
	case 12: return typed_malloc_flex_token(8, 8, n / 8 - 1, TYPE_A + 3);
	case 13: return typed_realloc_token(hide(NULL), n, TYPE_A + 4);
	case 14: return typed_aligned_alloc_token(64, n, TYPE_A + 5);
	case 15: return of_typed_memalign(n);
	case 16: return typed_strdup_token(text_of(n), TYPE_DATA);
	case 17: return operator_new(n, "");
	case 18: return operator_new_array_aligned(n, 256, "");
	case 19: return typed_buckets_alloc(buckets, n);
	default: return typed_cache_alloc(cache);
	}
}

static void mark(char *p, size_t n, uint64_t x)
{
	fill(p, n < 40 ? n : 40, x);
	p[n - 1] = 0;
}

static bool marked(const char *p, size_t n, uint64_t x) { return filled(p, n < 40 ? n - 1 : 39, x) && p[n - 1] == 0; }

/* Objects of one size in one way until there are no more; *refused: it came to that. Then one that was freed is there again. */
static void exhaust(int way, size_t n, bool *refused)
{
	static __thread char *live[LIVE];
	int have = 0;

	while (have < LIVE) {
		errno = 0;
		char *p = hide(get(way, n));
		if (!p) {
			CHECK(errno == ENOMEM);
			*refused = true;
			break;
		}
		mark(p, n, (uint64_t)have);
		live[have++] = p;
	}
	for (int i = 0; i < have; i++)
		CHECK(marked(live[i], n, (uint64_t)i));
	for (int i = 0; i < have; i++) {
		if (way == NAMED)
			typed_cache_free(cache, live[i]);
		else
			free(live[i]);
	}
	char *p = have ? hide(get(way, n)) : NULL;
	CHECK(!have || p);
	free(p);
}

/* What cannot grow or move stays as it is. */
static void resize(bool *refused)
{
	char *p[8];
	size_t n = 100000;

	for (int i = 0; i < 8; i++) {
		p[i] = hide(malloc(n));
		if (p[i])
			mark(p[i], n, (uint64_t)i);
	}
	for (int i = 0; i < 8; i++) {
		if (!p[i])
			continue;
		size_t size = n;
		for (size_t more = n; more < 96 * MIB; more *= 3) {
			errno = 0;
			char *q = hide(realloc(p[i], more));
			*refused |= !q;
			CHECK(q || errno == ENOMEM);
			if (!q)
				break;
			p[i] = q;
			size = more;
		}
		CHECK(filled(p[i], 40, (uint64_t)i) && malloc_usable_size(p[i]) >= size);
		free(p[i]);
	}
}

/* Partitions that were never used before need records of their own. */
static void strangers(bool *refused)
{
	char name[24];

	for (size_t i = 0; i < 20000; i++) {
		errno = 0;
		char *p = hide(typed_malloc_token(100, TYPE_DATA + 1000 * i));
		CHECK(p || errno == ENOMEM);
		*refused |= !p;
		if (p)
			mark(p, 100, i);
	}
	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof name, "cache %d", i);
		errno = 0;
		typed_cache_t *c = typed_cache_create(name, 64, 0, 0);
		CHECK(c || errno == ENOMEM);
		if (!c)
			break;
		void *p = typed_cache_alloc(c);
		CHECK(p || errno == ENOMEM);
		typed_cache_free(c, p);
		CHECK(typed_cache_destroy(c) == 0);
	}
	errno = 0;
	CHECK(typed_buckets_create("buckets of many names", 0) || errno == ENOMEM);
}

static void *without(void *call)
{
	int number = *(const int *)call;
	bool refused = false;

	if (!refuse(number, number == SYS_mprotect ? ENOMEM : EPERM)) {
		say("limits_refused: skipped: no filter here: %s", strerror(errno));
		_exit(EXIT_SKIP);
	}
	for (int round = 0; round < 2; round++) {
		for (int way = 0; way < WAYS; way++)
			for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
				if (way != NAMED || sizes[k] == SIZE)
					exhaust(way, sizes[k], &refused);
		resize(&refused);
		if (round == 0)
			strangers(&refused);
		malloc_trim(0);
	}
	CHECK(refused == (number == SYS_mprotect), " (only without mprotect is there no more memory)");
	return NULL;
}

static void prepare(void)
{
	memset(text, 'x', sizeof text - 1);
	cache = typed_cache_create("refused", SIZE, 0, 0);
	buckets = typed_buckets_create("refused", 0);
	MUST(cache && buckets);
	for (int way = 0; way < WAYS; way++)
		free(get(way, 40));
}

static void in_process(int k, bool in_thread)
{
	int status;
	pid_t child = fork();

	MUST(child >= 0);
	if (!child) {
		pthread_t t;
		prepare();
		if (in_thread) {
			MUST(!pthread_create(&t, NULL, without, (void *)(uintptr_t)&numbers[k]));
			MUST(!pthread_join(t, NULL));
		} else {
			without((void *)(uintptr_t)&numbers[k]);
		}
		_exit(failures ? 1 : 0);
	}
	MUST(waitpid(child, &status, 0) == child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIP)
		_exit(EXIT_SKIP);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	if (status)
		say("limits_refused: without %s%s: %x", calls[k], in_thread ? ", in a thread" : "", (unsigned)status);
}

int main(void)
{
	need_library();
	watchdog(200);
	for (int k = 0; k < 4; k++)
		for (int in_thread = 0; in_thread < 2; in_thread++)
			in_process(k, in_thread);
	return test_result("limits_refused");
}
