/* malloc, calloc, realloc, reallocarray, free, cfree, free_sized and free_aligned_sized, as the manual pages of
 * glibc and POSIX 2024 have them. */
#include "attack/attack.h"

static void sizes_and_alignment(void)
{
	for (size_t n = 0; n < 20000; n += n < 2100 ? 1 : 61) {
		char *p = hide(malloc(n)), *q = hide(calloc(n, 1)), *r = hide(realloc(hide(NULL), n));
		MUST(p && q && r);
		CHECK(p != q && q != r && p != r);
		char *const all[] = {p, q, r};
		for (int i = 0; i < 3; i++) {
			size_t usable = malloc_usable_size(all[i]);
			CHECK(usable == n);
			if (n >= 16)
				CHECK(!((uintptr_t)all[i] & 15));
			else if (n >= 8)
				CHECK(!((uintptr_t)all[i] & 7));
			CHECK(all_zero(all[i], usable));
			fill(all[i], usable, (uintptr_t)all[i]);
		}
		for (int i = 0; i < 3; i++)
			CHECK(filled(all[i], malloc_usable_size(all[i]), (uintptr_t)all[i]));
		free(p);
		cfree(q);
		free_sized(r, n);
	}
	for (size_t n = 16 * KIB - 20; n < 64 * MIB; n += n / 3) {
		char *p = hide(malloc(n));
		MUST(p);
		size_t usable = malloc_usable_size(p);
		CHECK(usable == n);
		CHECK(all_zero(p, usable));
		fill(p, usable, n);
		CHECK(filled(p, usable, n));
		free_sized(p, n);
	}
}

static void zero_size(void)
{
	enum { N = 1000 };
	static void *all[N];
	for (int i = 0; i < N; i++) {
		all[i] = hide(i % 3 == 0 ? malloc(0) : i % 3 == 1 ? calloc(0, 8) : realloc(hide(NULL), 0));
		MUST(all[i]);
		for (int k = 0; k < i; k++)
			MUST(all[k] != all[i]);
	}
	for (int i = 0; i < N; i++)
		free(all[i]);
	free(hide(NULL));
	free_sized(NULL, 0);
	free_sized(NULL, 100);
	free_aligned_sized(NULL, 64, 100);
	cfree(NULL);
}

static void free_keeps_errno(void)
{
	for (size_t n = 1; n < 64 * MIB; n *= 3) {
		for (int round = 0; round < 40; round++) {
			void *p = hide(malloc(n));
			MUST(p);
			if (n < MIB)
				memset(p, 1, n);
			errno = 4242;
			switch (round % 3) {
			case 0:
				free(p);
				break;
			case 1:
				free_sized(p, n);
				break;
			default:
				cfree(p);
			}
			CHECK(errno == 4242);
		}
	}
	errno = 4242;
	free(hide(NULL));
	CHECK(errno == 4242);
	void *p = hide(malloc(10));
	CHECK(!hide(realloc(p, 0)));
	CHECK(errno == 4242, " realloc(p, 0)");
}

static void calloc_and_overflow(void)
{
	static const size_t huge[][2] = {
		{SIZE_MAX, 2},
		{2, SIZE_MAX},
		{SIZE_MAX, SIZE_MAX},
		{SIZE_MAX / 2 + 1, 2},
		{(size_t)1 << 32, (size_t)1 << 32},
		{((size_t)1 << 32) + 1, ((size_t)1 << 32) - 1},
		{SIZE_MAX / 16 + 1, 16},
		{PTRDIFF_MAX, 1},
		{1, PTRDIFF_MAX},
		{1, SIZE_MAX},
		{SIZE_MAX, 1},
		{3, SIZE_MAX / 3},
		{SIZE_MAX / 8, 8},
	};
	char *keep = hide(malloc(500)), *big = hide(malloc(100000));
	fill(keep, 500, 9);
	fill(big, 100000, 10);
	for (size_t i = 0; i < sizeof huge / sizeof *huge; i++) {
		size_t n = hide_size(huge[i][0]), size = hide_size(huge[i][1]);
		errno = 0;
		CHECK(!hide(calloc(n, size)) && errno == ENOMEM);
		errno = 0;
		CHECK(!hide(reallocarray(keep, n, size)) && errno == ENOMEM);
		errno = 0;
		CHECK(!hide(reallocarray(big, n, size)) && errno == ENOMEM);
		errno = 0;
		CHECK(!hide(reallocarray(hide(NULL), n, size)) && errno == ENOMEM);
		CHECK(filled(keep, 500, 9) && filled(big, 100000, 10), " (the old block)");
	}
	keep = hide(reallocarray(keep, 100, 7));
	CHECK(keep && filled(keep, 496, 9));
	CHECK(!hide(reallocarray(keep, 0, 8))); /* realloc(p, 0) frees */
	free(big);
	for (int i = 0; i < 200; i++) {
		char *p = hide(calloc(3, (size_t)i * 41));
		MUST(p);
		CHECK(all_zero(p, (size_t)i * 123));
		memset(p, 0xff, (size_t)i * 123);
		free(p);
	}
}

/* Grows and shrinks through every class, on an object of any kind; the common part stays. */
static void realloc_keeps_content(void)
{
	uint64_t seed = 3;
	for (int object = 0; object < 40; object++) {
		size_t n = 0;
		char *p = NULL;
		for (int i = 0; i < 100; i++) {
			size_t to = random_size(&seed, object % 4 ? 15 : 22);
			if (object % 5 == 0 && p && i % 10 == 0) { /* from an aligned one */
				free(p);
				n = to;
				MUST(p = aligned_alloc(256, n));
				fill(p, n, object);
			}
			char *q = hide(realloc(p, to));
			MUST(q);
			CHECK(to < 16 || !((uintptr_t)q & 15));
			CHECK(malloc_usable_size(q) == to);
			size_t common = (n < to ? n : to) & ~(size_t)7;
			CHECK(filled(q, common, object));
			p = q;
			n = to;
			fill(p, n, object);
		}
		free(p);
	}
	/* Growth by small steps keeps every byte. */
	char *p = NULL;
	for (size_t n = 1; n < 70000; n += 1 + n / 50) {
		MUST(p = hide(realloc(p, n)));
		p[n - 1] = (char)n;
	}
	for (size_t n = 1; n < 70000; n += 1 + n / 50)
		CHECK(p[n - 1] == (char)n);
	CHECK(!hide(realloc(p, 0)));
}

static void sized_free(void)
{
	uint64_t seed = 5;
	for (int i = 0; i < 20000; i++) {
		size_t n = random_size(&seed, i % 50 ? 15 : 20);
		free_sized(hide(malloc(n)), n);
		free_sized(hide(calloc(1, n)), n);
		size_t align = (size_t)1 << (next_random(&seed) % 14);
		void *p = hide(aligned_alloc(align, n));
		MUST(p && !((uintptr_t)p & (align - 1)));
		free_aligned_sized(p, align, n);
		p = hide(realloc(malloc(n), n * 2));
		free_sized(p, n * 2);
		p = hide(realloc(malloc(n), n / 2 + 1));
		free_sized(p, n / 2 + 1);
	}
	for (int i = 0; i < 100; i++)
		free_sized(hide(malloc(0)), 0);
}

int main(void)
{
	need_library();
	watchdog(120);
	sizes_and_alignment();
	zero_size();
	free_keeps_errno();
	calloc_and_overflow();
	realloc_keeps_content();
	sized_free();
	return test_result("conform_malloc");
}
