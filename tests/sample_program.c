/*
 * Sampled objects (option sample) and reports of faults (option faults). sample_run.sh runs it once for each word and compares the ends.
 * A sampled object is known from outside by its end at a page that cannot be read.
 */
#include "util.h"

#include <malloc.h>
#include <signal.h>
#include <sys/wait.h>

#define CHECK_THAT(cond, n)                                                                                            \
	do {                                                                                                           \
		bool ok = (cond);                                                                                      \
		CHECK(ok, ": " #cond);                                                                                 \
		if (!ok)                                                                                               \
			say("    with %ld", (long)(n));                                                                \
	} while (0)

enum { SIZE = 100, SLOT = 112 };

/* The kernel is asked, as a read would fault. */
static bool readable(const void *p)
{
	static int fd[2];
	char byte;

	if (!fd[1])
		MUST(!pipe(fd));
	if (write(fd[1], p, 1) != 1) {
		MUST(errno == EFAULT);
		return false;
	}
	MUST(read(fd[0], &byte, 1) == 1);
	return true;
}

static bool sampled(const void *p, size_t n)
{
	uintptr_t end = ((uintptr_t)p + n + 15) & ~(uintptr_t)15;
	return end % PAGE == 0 && !readable((void *)end);
}

/* As many call sites as there are keys. Not their last calls, so that they are found in traces. */
#define SITE(name) static NOINLINE void *name(size_t n) { void *p = hide(malloc(n)); __asm__ volatile(""); return p; }
SITE(make) SITE(make_a) SITE(make_b) SITE(make_c) SITE(make_d) SITE(make_e) SITE(make_f) SITE(make_g) SITE(make_h)
static void *(*const sites[])(size_t) = {make_a, make_b, make_c, make_d, make_e, make_f, make_g, make_h};
enum { SITES = sizeof sites / sizeof *sites };

static NOINLINE void release(void *p)
{
	free(p);
	__asm__ volatile("");
}

static char *find(void *(*site)(size_t), size_t n)
{
	for (int i = 0; i < 2000000; i++) {
		char *p = site(n);
		if (sampled(p, n)) {
			MUST(malloc_usable_size(p) == n);
			fill(p, n, 7);
			printf("object %p\nmake %p\nrelease %p\n", (void *)p, (void *)(uintptr_t)site, (void *)(uintptr_t)release);
			fflush(stdout);
			return p;
		}
		free(p);
	}
	say("nothing is sampled");
	exit(3);
}

/* ---- crimes ---- */

static volatile char sink;

static void crime(const char *what)
{
	char *p = find(make, SIZE);

	if (!strcmp(what, "overflow1")) {
		p[SIZE] = 1;
		release(p);
	} else if (!strcmp(what, "overflow16")) {
		((volatile char *)p)[SIZE + 16] = 1;
	} else if (!strcmp(what, "over_read")) {
		sink = ((volatile char *)p)[SIZE + 13];
	} else if (!strcmp(what, "underflow")) {
		sink = ((volatile char *)p)[SLOT - (long)PAGE - 1];
	} else if (!strcmp(what, "use")) {
		release(p);
		sink = ((volatile char *)p)[10];
	} else if (!strcmp(what, "double")) {
		release(p);
		release(p);
	} else if (!strcmp(what, "interior")) {
		release(p + 16);
	} else if (!strcmp(what, "sized")) {
		void (*sized)(void *, size_t) = (void (*)(void *, size_t))dlsym(RTLD_DEFAULT, "free_sized");
		MUST(sized);
		sized(p, SIZE + 1);
	} else if (!strcmp(what, "usable")) {
		release(p);
		sink = (char)malloc_usable_size(p);
	} else if (!strcmp(what, "realloc")) {
		release(p);
		sink = *(char *)hide(realloc(p, 2 * SIZE));
	}
}

static void fault(const char *what)
{
	volatile char *p = NULL;

	if (!strcmp(what, "large_use")) {
		p = make(MIB);
		printf("object %p\n", (void *)p);
		fflush(stdout);
		release((void *)p);
		p[5] = 1;
	} else if (!strcmp(what, "large_overflow")) {
		p = make(100000);
		printf("object %p\n", (void *)p);
		fflush(stdout);
		p[100000 + 20] = 1;
	} else if (!strcmp(what, "nothing")) {
		p = make(0);
		printf("object %p\n", (void *)p);
		fflush(stdout);
		sink = p[0];
	} else if (!strcmp(what, "null")) {
		p[0] = 1;
	} else if (!strcmp(what, "sent")) {
		raise(SIGSEGV);
	} else if (!strcmp(what, "killed")) {
		kill(getpid(), SIGSEGV);
		sleep_ms(5000);
	}
}

static void own(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)context;
	dprintf(1, "own handler %p\n", info->si_addr);
	_exit(7);
}

/* ---- behaviour ---- */

static void check_honest(void)
{
	static const size_t sizes[] = {1, 8, 16, 24, 100, 500, 1000, 3000, 4088, 4089, 8000, 16000, 16376};
	unsigned found = 0;

	for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
		for (unsigned k = 0, n = (unsigned)sizes[i]; k < 20000; k++) {
			char *p = make(n);
			if (!sampled(p, n)) {
				free(p);
				continue;
			}
			found++;
			CHECK(all_zero(p, n));
			CHECK(malloc_usable_size(p) == n);
			fill(p, n, k);
			if (k % 3 == 0) {
				MUST(p = hide(realloc(p, n * 2)));
				CHECK(filled(p, n, k));
			} else if (k % 3 == 1 && n > 1) {
				MUST(p = hide(realloc(p, n / 2)));
				CHECK(filled(p, n / 2, k));
			}
			free(p);
			break;
		}
	CHECK_THAT(found == sizeof sizes / sizeof *sizes, found);
	for (size_t align = 32; align <= 4096; align *= 2) {
		bool any = false;
		for (int k = 0; k < 20000 && !any; k++) {
			char *p;
			MUST(!posix_memalign((void **)&p, align, SIZE));
			CHECK((uintptr_t)p % align == 0);
			/* It ends as near to its pages' end as its alignment lets it. */
			char *end = (char *)(((uintptr_t)p + SIZE + align - 1) & -align);
			any = (uintptr_t)end % PAGE == 0 && !readable(end);
			CHECK(malloc_usable_size(p) == SIZE);
			fill(p, SIZE, 3);
			free(p);
		}
		CHECK_THAT(any, align);
	}
}

/* Objects of SIZE bytes until `bytes` of slots are used; how many are sampled. */
static unsigned count(size_t bytes)
{
	unsigned n = 0;

	for (size_t used = 0; used < bytes; used += SLOT) {
		void *p = make(SIZE);
		n += sampled(p, SIZE);
		free(p);
	}
	return n;
}

static void check_rate(size_t kib)
{
	size_t expected = 400;
	unsigned n = count(expected * kib * KIB);

	CHECK_THAT(n > expected / 2 && n < expected * 3 / 2, n);
	printf("sampled %u, expected %zu\n", n, expected);
}

/* With the default options: some, and no more than one in TY_SAMPLE_MS. */
static void check_default(void)
{
	long start = now_ms();
	unsigned n = count(64 * MIB);
	long ms = now_ms() - start;

	CHECK(n > 0);
	CHECK_THAT(n <= (unsigned)(ms / 8 + 2), n);
}

static void check_off(void) { CHECK(count(64 * MIB) == 0); }

/* Pages of sampled objects, by who had them: site and size. */
#define PAGES (1u << 16)
static struct {
	uintptr_t page;
	unsigned owner;
} *pages;

static unsigned distinct;

static bool owns(uintptr_t page, unsigned owner)
{
	unsigned i = (unsigned)((page / PAGE) * 0x9e3779b97f4a7c15ull >> 48);

	while (pages[i].page && pages[i].page != page)
		i = (i + 1) % PAGES;
	if (!pages[i].page) {
		distinct++;
		pages[i].page = page;
		pages[i].owner = owner;
	}
	return pages[i].owner == owner;
}

/* 10,000 samples of 24 owners: no page has two; late reuse; their number and the mappings are bounded. */
static void check_p1(void)
{
	static const size_t sizes[] = {SIZE, 1000, 3000};
	uint64_t seed = 5;
	unsigned n = 0, others = 0;

	pages = map_memory(PAGES * sizeof *pages);
	for (long i = 0; n < 10000 && i < 20000000; i++) {
		unsigned site = next_random(&seed) % SITES, size = next_random(&seed) % 3;
		char *p = sites[site](sizes[size]);
		if (sampled(p, sizes[size])) {
			uintptr_t page = (uintptr_t)p & -PAGE;
			others += !owns(page, site * 3 + size);
			if (++n == 1000)
				CHECK_THAT(distinct > 990, distinct);
		}
		free(p);
	}
	CHECK_THAT(n == 10000, n);
	CHECK_THAT(others == 0, others);
	CHECK_THAT(distinct > 1000 && distinct <= 4096, distinct);
	unsigned after = anonymous_mappings();
	CHECK_THAT(after < 100, after);
	printf("samples %u, pages %u, mappings %u\n", n, distinct, after);
}

/* What lives stays, and is bounded; when some of it is freed, others come. */
static void check_live(void)
{
	enum { N = 3000000 };
	void **p = map_memory(N * sizeof *p);
	unsigned n = 0, again = 0;

	for (int i = 0; i < N; i++) {
		p[i] = make(SIZE);
		n += sampled(p[i], SIZE);
	}
	CHECK_THAT(n > 32 && n <= 256, n);
	printf("live %u\n", n);
	for (int i = 0; i < N; i++)
		free(p[i]);
	again = count(MIB);
	CHECK(again > 0);
}

/* Which of a row of allocations are sampled: the first in the lower half, a hash of all in the upper one. */
static uint64_t row(void)
{
	uint32_t hash = 1, first = 0;

	for (unsigned i = 0; i < 20000; i++) {
		void *p = make(SIZE);
		if (sampled(p, SIZE)) {
			hash = hash * 31 + i;
			first = first ? first : i + 1;
		}
		free(p);
	}
	return (uint64_t)hash << 32 | first;
}

static void check_fork(void)
{
	int fd[2];
	uint64_t other[3], mine;
	char *p = find(make, SIZE);

	MUST(!pipe(fd));
	for (int i = 0; i < 3; i++) {
		pid_t child = fork();
		MUST(child >= 0);
		if (!child) {
			/* What was sampled before is the child's too. */
			MUST(filled(p, SIZE, 7));
			free(p);
			uint64_t hash = row();
			MUST(write(fd[1], &hash, sizeof hash) == sizeof hash);
			_exit(0);
		}
		int status;
		MUST(waitpid(child, &status, 0) == child && status == 0);
		MUST(read(fd[0], &other[i], sizeof other[i]) == sizeof other[i]);
		CHECK((uint32_t)other[i] != 0);
	}
	mine = row();
	CHECK((uint32_t)mine != 0);
	CHECK(mine != other[0] && mine != other[1] && other[0] != other[1] && other[1] != other[2]);
	bool same = true;
	for (int i = 0; i < 3; i++)
		same &= (uint32_t)other[i] == (uint32_t)mine;
	CHECK(!same); /* nor was the first one drawn before */
	CHECK(filled(p, SIZE, 7));
	free(p);
}

static void *volatile handed[64];
static unsigned thread_samples[8];

static void *thread(void *arg)
{
	long me = (long)arg;
	uint64_t seed = (uint64_t)me;

	for (int i = 0; i < 200000; i++) {
		char *p = sites[next_random(&seed) % SITES](SIZE);
		thread_samples[me] += ((uintptr_t)p + SLOT) % PAGE == 0;
		*(uint64_t *)p = (uintptr_t)p;
		p = __atomic_exchange_n(&handed[next_random(&seed) % 64], p, __ATOMIC_ACQ_REL);
		if (p) {
			MUST(*(uint64_t *)p == (uintptr_t)p);
			free(p);
		}
	}
	return NULL;
}

static void check_threads(void)
{
	run_threads(4, thread);
	for (int i = 1; i <= 4; i++)
		CHECK_THAT(thread_samples[i] > 10, thread_samples[i]);
}

int main(int argc, char **argv)
{
	need_library();
	watchdog(120);
	const char *what = argc > 1 ? argv[1] : "";
	if (option_given(argc, argv, "--stack")) {
		stack_t s = {.ss_sp = map_memory(64 * KIB), .ss_size = 64 * KIB};
		MUST(!sigaltstack(&s, NULL));
	}
	if (option_given(argc, argv, "--own")) {
		struct sigaction a = {.sa_sigaction = own, .sa_flags = SA_SIGINFO};
		struct sigaction was;
		MUST(!sigaction(SIGSEGV, &a, &was));
	}
	if (!strcmp(what, "installed")) {
		struct sigaction is;
		MUST(!sigaction(SIGSEGV, NULL, &is));
		printf("%s\n", is.sa_handler == SIG_DFL ? "default" : is.sa_handler == SIG_IGN ? "ignored" : "handler");
		return 0;
	}
	if (!strcmp(what, "honest"))
		check_honest();
	else if (!strcmp(what, "rate"))
		check_rate((size_t)option_number(argc, argv, "--kib", 64));
	else if (!strcmp(what, "default"))
		check_default();
	else if (!strcmp(what, "off"))
		check_off();
	else if (!strcmp(what, "p1"))
		check_p1();
	else if (!strcmp(what, "live"))
		check_live();
	else if (!strcmp(what, "fork"))
		check_fork();
	else if (!strcmp(what, "threads"))
		check_threads();
	else if (!strcmp(what, "fault") && argc > 2)
		fault(argv[2]), puts("survived");
	else if (!strcmp(what, "crime") && argc > 2)
		crime(argv[2]), puts("survived");
	else
		return 99;
	return failures != 0;
}
