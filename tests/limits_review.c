/* What a review found, one case each: limits_review CASE. limits_review.sh says how each has to end: most with
 * "passed", crimes with the library's message or a fault. */
#include "attack/attack.h"

#include <sys/resource.h>

/* One page of a large object is locked: guards stop there half-way, with the pages before it already closed. */
static void mlock_part_of_large(void)
{
	size_t n = 64 * KIB;
	char *p = make(n);
	MUST(p);
	memset(p, 1, n);
	if (mlock(p + n / 2, PAGE)) {
		say("limits_review: skipped: mlock: %s", strerror(errno));
		_exit(EXIT_SKIP);
	}
	free(p);
	sleep_ms(700); /* beyond decay_ms, so that it is purged */
	malloc_trim(0);
	for (int i = 0; i < 4; i++) {
		char *q = make(n);
		MUST(q);
		CHECK(all_zero(q, n));
		memset(q, 2, n);
	}
}

/* Without touching it: the kernel reads it for us. */
static bool readable(const void *p)
{
	int fd[2];
	MUST(!pipe(fd));
	bool yes = write(fd[1], p, 1) == 1;
	close(fd[0]);
	close(fd[1]);
	return yes;
}

/*
 * Below the newest span, and the guarded gap under it (of at most 8 pages), lies memory that is enabled and nobody's yet: what
 * is written there becomes the next object's.
 */
static void write_below_newest_span(void)
{
	size_t n = 100000;
	int wrote = 0;
	for (int i = 0; i < 40; i++) {
		unsigned char *p = hide(calloc(1, n));
		MUST(p);
		CHECK(all_zero(p, n));
		unsigned char *below = (unsigned char *)((uintptr_t)p & ~(PAGE - 1)) - 10 * PAGE;
		if (readable(below)) {
			*(volatile unsigned char *)below = 0x41;
			wrote++;
		}
	}
	CHECK(wrote > 10, " (writes that hit)");
}

/* From the highest of the pointer-free objects that lie below all with pointers, upwards: a fence between the two kinds
 * of chunk stops it. A token's top bit says "has pointers". */
static void overflow_into_pointers(void)
{
	enum { DATA = 0x1234 };
	const size_t pointers = 0x9234567890abcdefu;
	void *(*get)(size_t, size_t) = (void *(*)(size_t, size_t))need_symbol("typed_malloc_token");
	char *high = NULL, *low = NULL;
	for (int i = 0; i < 8; i++)
		MUST(hide(get(16000, DATA)));
	for (int i = 0; i < 64; i++) {
		char *p = get(16000, pointers);
		MUST(p);
		if (!low || p < low)
			low = p;
	}
	for (int i = 0; i < 500; i++) {
		char *p = get(16000, DATA);
		MUST(p);
		if (p > low)
			break;
		if (p > high)
			high = p;
	}
	MUST(high);
	crime(low);
	/* Byte by byte upwards: where it faults, everything below has been written. */
	for (volatile char *p = high; p < low + 64; p++)
		*p = 'A';
	survived();
}

/* A malloc that fails must give back what it took on the way. Run under `ulimit -v 524288`. */
static void failing_huge_mallocs(void)
{
	size_t huge = hide_size((size_t)1 << 40);
	for (int i = 0; i < 600000; i++)
		MUST(!make(huge));
	char *large = hide(calloc(1, 100000));
	CHECK(large);
	int small = 0;
	while (small < 1000 && hide(malloc(8000)))
		small++;
	CHECK(small == 1000);
}

/* mremap unmaps its target before it finds that RLIMIT_AS does not let it go on. The limit comes after start, when the
 * reservation is above it already, so that nothing more can be mapped. */
static void realloc_giant_under_limit(void)
{
	size_t old = 100 * MIB;
	unsigned char *p = make(old);
	MUST(p);
	p[0] = 1;
	p[old - 1] = 2;
	struct rlimit limit = {8192 * MIB, 8192 * MIB};
	MUST(!setrlimit(RLIMIT_AS, &limit));
	for (int i = 0; i < 3; i++) {
		unsigned char *q = hide(realloc(p, (1200 + 100 * (size_t)i) * MIB));
		if (q)
			p = q;
		CHECK(p[0] == 1 && p[old - 1] == 2);
		p[old / 2] = 3;
	}
	free(p);
}

static void allocate_and_leave(int sig)
{
	(void)sig;
	void *p = make(100);
	free(p);
	_exit(write(1, "handled\n", 8) == 8 ? 3 : 4);
}

/* The message is written with the slab's lock held, and crash reporters allocate in their handler. */
static void sigabrt_handler_allocates(void)
{
	signal(SIGABRT, allocate_and_leave);
	void *p = make(100);
	crime(p);
	free(p);
	free(p);
	survived();
}

/* Guards cannot be set in locked memory, where one byte behind a shorter object is the next owner's. */
static void overflow_past_locked_large(void)
{
	if (mlockall(MCL_CURRENT | MCL_FUTURE)) {
		say("limits_review: skipped: mlockall: %s", strerror(errno));
		_exit(EXIT_SKIP);
	}
	size_t longer = 26 * PAGE, shorter = 25 * PAGE; /* two sizes that may share a span */
	char *a = make(longer);
	MUST(a);
	memset(a, 1, longer);
	free(a);
	char *b = make(shorter);
	MUST(b);
	crime(b);
	((volatile char *)b)[shorter] = 0x41;
	free(b);
	char *c = make(longer);
	MUST(c);
	CHECK(all_zero(c, longer));
}

/* Small, large and giant, freed and trimmed, so that every wrapped function had its turn. */
static void wrapped_system_calls(void)
{
	static const size_t sizes[] = {100, 5000, 100000, 4 * MIB, 80 * MIB};
	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
			char *p = make(sizes[i]);
			MUST(p);
			p[0] = p[sizes[i] - 1] = 1;
			free(p);
			malloc_trim(0);
		}
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{"mlock_part_of_large", mlock_part_of_large},
	{"write_below_newest_span", write_below_newest_span},
	{"overflow_into_pointers", overflow_into_pointers},
	{"failing_huge_mallocs", failing_huge_mallocs},
	{"realloc_giant_under_limit", realloc_giant_under_limit},
	{"sigabrt_handler_allocates", sigabrt_handler_allocates},
	{"overflow_past_locked_large", overflow_past_locked_large},
	{"wrapped_system_calls", wrapped_system_calls},
};

int main(int argc, char **argv)
{
	need_library();
	watchdog(60);
	for (size_t i = 0; argc == 2 && i < sizeof cases / sizeof *cases; i++)
		if (!strcmp(argv[1], cases[i].name)) {
			cases[i].run();
			return test_result("limits_review");
		}
	return 2;
}
