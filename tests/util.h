/* What the black-box tests share: the proof that the library is loaded, checks that count, barriers that keep the
 * compiler from deleting a bug under test, patterns, random numbers, and a look at our own process that needs no
 * malloc. */
#ifndef TESTS_UTIL_H
#define TESTS_UTIL_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))
#define UNUSED __attribute__((unused))
#define KIB ((size_t)1024)
#define MIB (1024 * KIB)
#define PAGE ((uintptr_t)sysconf(_SC_PAGESIZE))

enum { EXIT_SKIP = 77, EXIT_NO_LIBRARY = 90 };

static int failures UNUSED;

/* One line on stderr, without stdio's buffers, so that it works whatever state the heap is in. */
__attribute__((format(printf, 1, 2))) static void say(const char *form, ...)
{
	char line[512];
	va_list args;
	va_start(args, form);
	int n = vsnprintf(line, sizeof line - 1, form, args);
	va_end(args);
	if (n > (int)sizeof line - 2)
		n = (int)sizeof line - 2;
	line[n] = '\n';
	if (write(2, line, (size_t)n + 1) < 0)
		_exit(2);
}

#define CHECK(cond, ...)                                                                                               \
	do {                                                                                                           \
		if (!(cond)) {                                                                                         \
			__atomic_add_fetch(&failures, 1, __ATOMIC_RELAXED);                                            \
			say("%s:%d: %s: failed: %s%s", __FILE__, __LINE__, __func__, #cond, "" __VA_ARGS__);           \
		}                                                                                                      \
	} while (0)

/* For what makes going on senseless. */
#define MUST(cond)                                                                                                     \
	do {                                                                                                           \
		if (!(cond)) {                                                                                         \
			say("%s:%d: %s (errno %d)", __FILE__, __LINE__, #cond, errno);                                 \
			_exit(1);                                                                                      \
		}                                                                                                      \
	} while (0)

/* A part of a test in a process of its own, which may come to an end of its own. */
#define APART(part) apart(part, #part)
UNUSED static void apart(void (*part)(void), const char *name)
{
	int status;
	pid_t child = fork();

	MUST(child >= 0);
	if (!child) {
		part();
		_exit(failures != 0);
	}
	MUST(waitpid(child, &status, 0) == child);
	CHECK(status == 0);
	if (status)
		say("%s: status %#x", name, (unsigned)status);
}

UNUSED static int test_result(const char *name)
{
	say("%s: %s", name, failures ? "FAILED" : "passed");
	return failures ? 1 : 0;
}

/* The value comes back unknown to the compiler, and memory may have changed. */
UNUSED NOINLINE static void *hide(void *p)
{
	__asm__ volatile("" : "+r"(p) : : "memory");
	return p;
}

UNUSED static size_t hide_size(size_t n)
{
	__asm__ volatile("" : "+r"(n) : : "memory");
	return n;
}

/* A test of the library that runs without it is no test: every program begins with this. */
UNUSED static void need_library(void)
{
	static const char *const entry[] = {"malloc", "free", "realloc", "calloc"};
	for (size_t i = 0; i < sizeof entry / sizeof *entry; i++) {
		Dl_info info;
		void *f = dlsym(RTLD_DEFAULT, entry[i]);
		if (f && dladdr(f, &info) && info.dli_fname && strstr(info.dli_fname, "typed_malloc"))
			continue;
		say("%s does not come from libtyped_malloc.so: the library is not loaded", entry[i]);
		_exit(EXIT_NO_LIBRARY);
	}
}

UNUSED static void *need_symbol(const char *name)
{
	void *f = dlsym(RTLD_DEFAULT, name);
	if (!f) {
		say("no symbol %s", name);
		_exit(EXIT_NO_LIBRARY);
	}
	return f;
}

/* ---- random numbers: splitmix64, one state per thread ---- */

UNUSED static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* Evenly spread over the orders of magnitude from 1 to 2^bits. */
UNUSED static size_t random_size(uint64_t *state, unsigned bits)
{
	uint64_t r = next_random(state);
	unsigned b = (unsigned)(r % bits) + 1;
	return (size_t)((r >> 8) & (((uint64_t)1 << b) - 1)) + 1;
}

/* ---- patterns ---- */

UNUSED static void fill(void *p, size_t n, uint64_t seed)
{
	unsigned char *c = (unsigned char *)p;
	size_t i = 0;
	for (; i + 8 <= n; i += 8, seed += 0x9e3779b97f4a7c15u)
		memcpy(c + i, &seed, 8);
	memcpy(c + i, &seed, n - i);
}

UNUSED static bool filled(const void *p, size_t n, uint64_t seed)
{
	const unsigned char *c = (const unsigned char *)p;
	size_t i = 0;
	for (; i + 8 <= n; i += 8, seed += 0x9e3779b97f4a7c15u)
		if (memcmp(c + i, &seed, 8))
			return false;
	return !memcmp(c + i, &seed, n - i);
}

UNUSED static bool all_zero(const void *p, size_t n)
{
	const unsigned char *c = (const unsigned char *)p;
	return !n || (!c[0] && !memcmp(c, c + 1, n - 1));
}

/* ---- our own process ---- */

/* Memory that is not the allocator's: book-keeping of a test must not disturb the heap it watches. */
UNUSED static void *map_memory(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	MUST(p != MAP_FAILED);
	return p;
}

UNUSED static long now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

UNUSED static void sleep_ms(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};
	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

UNUSED static size_t status_kib(const char *field)
{
	char text[8192];
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	MUST(fd >= 0);
	ssize_t n = read(fd, text, sizeof text - 1);
	close(fd);
	MUST(n > 0);
	text[n] = 0;
	const char *at = strstr(text, field);
	return at ? (size_t)strtoul(at + strlen(field) + 1, NULL, 10) : 0;
}

UNUSED static size_t rss_kib(void) { return status_kib("VmRSS"); }

/* How many lines of /proc/self/maps name no file, stack or vdso: those of the allocator and a few of libc's. */
UNUSED static unsigned anonymous_mappings(void)
{
	static char text[1 << 16];
	unsigned lines = 0;
	bool named = false;
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	MUST(fd >= 0);
	for (ssize_t n; (n = read(fd, text, sizeof text)) > 0;)
		for (ssize_t i = 0; i < n; i++) {
			if (text[i] == '/' || text[i] == '[')
				named = named || text[i] == '/' || (i + 5 < n && memcmp(text + i, "[anon", 5));
			if (text[i] == '\n') {
				lines += !named;
				named = false;
			}
		}
	close(fd);
	return lines;
}

/* A test that hangs has failed; the bound is far from any honest run time. */
UNUSED static void watchdog(unsigned seconds) { alarm(seconds); }

UNUSED static long option_number(int argc, char **argv, const char *name, long otherwise)
{
	for (int i = 1; i + 1 < argc; i++)
		if (!strcmp(argv[i], name))
			return strtol(argv[i + 1], NULL, 0);
	return otherwise;
}

/* What a long test is told: --threads, --seconds or --ops (for each thread), --seed. */
struct run {
	long threads, ops, seconds, end /* ms; 0 seconds: none */;
	uint64_t seed;
};

UNUSED static struct run run_options(int argc, char **argv, long threads, long ops)
{
	struct run r = {option_number(argc, argv, "--threads", threads), option_number(argc, argv, "--ops", ops),
			option_number(argc, argv, "--seconds", 0), 0, (uint64_t)option_number(argc, argv, "--seed", 1)};
	r.end = now_ms() + r.seconds * 1000;
	watchdog((unsigned)(r.seconds ? r.seconds * 2 + 120 : 300));
	return r;
}

/* work(1), work(2) ... at the same time, each in a thread; returns when all have ended. */
UNUSED static void run_threads(long threads, void *(*work)(void *))
{
	pthread_t t[64];
	MUST(threads <= 64);
	for (long i = 0; i < threads; i++)
		MUST(!pthread_create(&t[i], NULL, work, (void *)(i + 1)));
	for (long i = 0; i < threads; i++)
		MUST(!pthread_join(t[i], NULL));
}

UNUSED static bool run_is_over(const struct run *r) { return r->seconds && now_ms() > r->end; }

UNUSED static bool option_given(int argc, char **argv, const char *name)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return false;
}

#endif
