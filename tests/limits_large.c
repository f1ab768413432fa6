/* Large objects where there is no more of something: address space, memory, what the kernel lets one do. Each part is a process of its own. */
#define _GNU_SOURCE
#include "refuse.h"
#include "util.h"

#include <malloc.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define GIB ((size_t)1 << 30)
enum { MOST = 4000 };
static char *got[MOST];

static void filter(bool there)
{
	if (!there) {
		say("limits_large: no filters here: %s", strerror(errno));
		_exit(0);
	}
}

/* All address space for giant objects is taken: each of them is found again, and can be freed. */
static void all_taken(void)
{
	int n = 0;

	for (size_t size = 9 * GIB; size >= 80 * MIB; size = size * 2 / 3)
		while (n < (int)MOST && (got[n] = hide(malloc(size))))
			*got[n++] = 'x';
	CHECK(n > 50);
	while (n--) {
		CHECK(*got[n] == 'x' && malloc_usable_size(got[n]) >= 80 * MIB);
		free(got[n]);
	}
}

/* What could not be had takes no address space: lengths out of a file, of which the program refuses those that fail. */
static void refused(void)
{
	for (int i = 0; i < 40; i++) {
		char *p = hide(malloc((GIB << (i % 10)) - (size_t)i * 100000));
		if (p)
			*p = 1;
		free(p);
		p = hide(calloc(1, (512 * GIB) - (size_t)i * MIB));
		CHECK(!p || *p == 0);
		free(p);
	}
	for (int i = 0; i < 300; i++)
		MUST(got[i] = hide(malloc(100 * MIB)));
}

/* There is no more memory: realloc to a smaller size works, and keeps what is there. */
static void smaller(void)
{
	struct rlimit limit = {1 << 16, 1 << 16};
	char *large = hide(malloc(100000)), *small = hide(malloc(3000)), *p;

	MUST(large && small);
	memset(large, 1, 100000);
	memset(small, 2, 3000);
	MUST(!setrlimit(RLIMIT_DATA, &limit));
	for (size_t n = 8000; n > 50; n /= 2)
		for (int i = 0; i < 4000000 && hide(malloc(n)); i++)
			;
	errno = 77;
	CHECK((p = hide(realloc(large, 1000))) && p[0] == 1 && p[999] == 1 && malloc_usable_size(p) == 1000);
	CHECK((p = hide(realloc(p, 500))) && p[0] == 1 && p[499] == 1 && malloc_usable_size(p) == 500);
	free(p);
	CHECK((p = hide(realloc(small, 1500))) && p[0] == 2 && p[1499] == 2 && malloc_usable_size(p) == 1500);
	free(p);
	CHECK(errno == 77);
}

/* The program has locked the upper part of an object, and guards cannot be set there: shrink(true) it grows again, or is freed. */
static void locked_part(bool grows)
{
	size_t n = 200000;
	char *p = hide(malloc(n));

	MUST(p);
	memset(p, 1, n);
	char *up = (char *)(((uintptr_t)p + 100000) & ~(uintptr_t)4095);
	if (mlock(up, (size_t)(p + n - up)))
		return;
	MUST(p = hide(realloc(p, (size_t)(up - 3 * 4096 - p))));
	if (grows) {
		MUST(p = hide(realloc(p, n)));
		CHECK(p[0] == 1 && p[n - 1] == 0);
		memset(p, 2, n);
	}
	munlock(up, n / 2);
	free(p);
	for (int i = 0; i < 20; i++) {
		MUST(p = hide(malloc(n)));
		CHECK(p[0] == 0 && p[n - 1] == 0);
		memset(p, 3, n);
		free(p);
	}
}
static void locked_grows(void) { locked_part(true); }
static void locked_freed(void) { locked_part(false); }

/* madvise is refused from some time on, with any error: freed objects are used again. */
static void unadvised(int error)
{
	free(hide(malloc(5000000)));
	filter(refuse(SYS_madvise, error));
	for (int i = 0; i < 60; i++) {
		char *p[8];
		for (int k = 0; k < 8; k++) {
			MUST(p[k] = hide(malloc(1000000)));
			CHECK(p[k][0] == 0 && p[k][999999] == 0);
			memset(p[k], 1, 1000000);
		}
		for (int k = 0; k < 8; k++)
			free(p[k]);
		sleep_ms(3);
		malloc_trim(0);
	}
	struct rusage use;
	getrusage(RUSAGE_SELF, &use);
	CHECK(use.ru_maxrss < 64 << 10);
}
static void unadvised_einval(void) { unadvised(EINVAL); }
static void unadvised_eacces(void) { unadvised(EACCES); }
static void unadvised_enomem(void) { unadvised(ENOMEM); }

/* ... and mremap, too: a giant object that must move is copied. */
static void unmoved(void)
{
	char *p = hide(malloc(70 * MIB));

	MUST(p);
	strcpy(p, "abc");
	filter(refuse(SYS_madvise, EPERM) && refuse(SYS_mremap, EPERM));
	for (int i = 0; i < 3; i++)
		MUST((p = hide(realloc(p, 700 * MIB << 2 * i))) && !strcmp(p, "abc"));
	free(p);
}

int main(void)
{
	need_library();
	APART(all_taken);
	APART(refused);
	APART(smaller);
	APART(locked_grows);
	APART(locked_freed);
	APART(unadvised_einval);
	APART(unadvised_eacces);
	APART(unadvised_enomem);
	APART(unmoved);
	return test_result("limits_large");
}
