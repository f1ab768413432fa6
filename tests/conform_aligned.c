/* posix_memalign, aligned_alloc, memalign, valloc, pvalloc: alignment, and which arguments they refuse in which way. */
#include "attack/attack.h"

static void check(void *p, size_t align, size_t n)
{
	MUST(p);
	CHECK(!((uintptr_t)p & (align - 1)));
	size_t usable = malloc_usable_size(p);
	CHECK(usable == n);
	if (usable < MIB) {
		CHECK(all_zero(p, usable));
		fill(p, usable, n);
		CHECK(filled(p, usable, n));
	}
	free(p);
}

static void every_alignment(void)
{
	static const size_t sizes[] = {0,    1,	   7,	 8,    15,    16,    17,    31,	   33,	  48,	  63,
				       64,   65,   100,	 127,  129,   500,   1000,  1024,  1025,  2049,	  4095,
				       4096, 4097, 5000, 8192, 10000, 16384, 16385, 20000, 65536, 100000, 1 << 20};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		size_t n = sizes[i];
		for (size_t align = 1; align <= 4 * MIB; align *= 2) {
			void *p = NULL;
			check(hide(aligned_alloc(align, n)), align, n);
			check(hide(memalign(align, n)), align, n);
			if (align < sizeof(void *))
				continue;
			errno = 4242;
			CHECK(posix_memalign(&p, align, n) == 0 && errno == 4242);
			check(hide(p), align, n);
		}
		check(hide(valloc(n)), PAGE, n);
		check(hide(pvalloc(n)), PAGE, n ? (n + PAGE - 1) & ~(PAGE - 1) : PAGE);
	}
	for (size_t align = 8 * MIB; align <= 1024 * MIB; align *= 2) { /* address space only */
		void *p = hide(memalign(align, 100));
		if (p)
			check(p, align, 100);
		else
			CHECK(errno == ENOMEM);
	}
	enum { N = 300 };
	static void *live[N]; /* many at once: all different and all aligned */
	for (size_t align = 16; align <= 8192; align *= 2) {
		for (int i = 0; i < N; i++) {
			MUST(live[i] = hide(aligned_alloc(align, (size_t)i * 3)));
			CHECK(!((uintptr_t)live[i] & (align - 1)));
			memset(live[i], i, (size_t)i * 3);
		}
		for (int i = 0; i < N; i++) {
			for (int k = 0; k < i * 3; k++)
				MUST(((unsigned char *)live[i])[k] == (unsigned char)i);
			free(live[i]);
		}
	}
}

static void refusals(void)
{
	void *const untouched = (void *)&failures;
	static const size_t not_for_posix[] = {
		0, 1, 2, 4, 3, 7, 9, 12, 24, 48, 100, 4095, SIZE_MAX, SIZE_MAX / 2, PTRDIFF_MAX};
	for (size_t i = 0; i < sizeof not_for_posix / sizeof *not_for_posix; i++) {
		void *p = untouched;
		errno = 4242;
		CHECK(posix_memalign(&p, hide_size(not_for_posix[i]), 100) == EINVAL);
		CHECK(p == untouched && errno == 4242);
	}
	static const size_t no_power[] = {0, 3, 6, 12, 24, 48, 100, 4095, 4097, SIZE_MAX, PTRDIFF_MAX};
	for (size_t i = 0; i < sizeof no_power / sizeof *no_power; i++) {
		errno = 0;
		CHECK(!hide(aligned_alloc(hide_size(no_power[i]), 100)) && errno == EINVAL);
	}
	/* memalign rounds the alignment up to a power of two, as glibc does, until there is none. */
	check(hide(memalign(hide_size(0), 100)), 16, 100);
	check(hide(memalign(hide_size(3), 100)), 4, 100);
	check(hide(memalign(hide_size(24), 100)), 32, 100);
	check(hide(memalign(hide_size(100), 10000)), 128, 10000);
	check(hide(memalign(hide_size(4097), 10)), 8192, 10);
	errno = 0;
	CHECK(!hide(memalign(hide_size(SIZE_MAX), 100)) && errno == EINVAL);
	errno = 0;
	CHECK(!hide(memalign(hide_size(SIZE_MAX / 2 + 2), 100)) && errno == EINVAL);
}

/* Sums of size, alignment and what the allocator adds must not wrap, for any pair. */
static void no_memory(void)
{
	void *const untouched = (void *)&failures;
	for (unsigned a = 0; a < 64; a++) {
		size_t align = (size_t)1 << a;
		static const size_t bases[] = {SIZE_MAX, (size_t)PTRDIFF_MAX + 1};
		for (size_t b = 0; b < 2; b++)
			for (size_t less = 0; less < 70000; less = less ? less * 2 + 1 : 1) {
				size_t n = hide_size(bases[b] - less);
				void *p = untouched;
				errno = 0;
				CHECK(!hide(aligned_alloc(align, n)) && errno == ENOMEM);
				errno = 0;
				CHECK(!hide(memalign(align, n)) && errno == ENOMEM);
				errno = 4242;
				if (align >= sizeof(void *))
					CHECK(posix_memalign(&p, align, n) == ENOMEM && p == untouched &&
					      errno == 4242);
			}
		if (a >= 47) { /* more than the address space, whatever the size */
			void *p = untouched;
			errno = 0;
			CHECK(!hide(aligned_alloc(align, 16)) && errno == ENOMEM);
			errno = 0;
			CHECK(!hide(memalign(align, 16)) && errno == ENOMEM);
			CHECK(posix_memalign(&p, align, 16) == ENOMEM && p == untouched);
		}
	}
	for (size_t less = 0; less < 70000; less = less ? less * 2 + 1 : 1) {
		errno = 0;
		CHECK(!hide(valloc(hide_size(SIZE_MAX - less))) && errno == ENOMEM);
		errno = 0;
		CHECK(!hide(pvalloc(hide_size(SIZE_MAX - less))) && errno == ENOMEM);
		errno = 0;
		CHECK(!hide(valloc(hide_size((size_t)PTRDIFF_MAX - less))) && errno == ENOMEM);
		errno = 0;
		CHECK(!hide(pvalloc(hide_size((size_t)PTRDIFF_MAX - less))) && errno == ENOMEM);
	}
}

/* After realloc an object is no longer aligned to more than malloc's, but its content is there. */
static void realloc_of_aligned(void)
{
	for (size_t align = 16; align <= 65536; align *= 2)
		for (size_t n = 1; n < 100000; n = n * 3 + 1) {
			char *p = hide(aligned_alloc(align, n));
			MUST(p);
			fill(p, n, align);
			char *q = hide(realloc(p, n * 2));
			MUST(q);
			CHECK(filled(q, n & ~(size_t)7, align));
			free(q);
		}
}

int main(void)
{
	need_library();
	watchdog(120);
	every_alignment();
	refusals();
	no_memory();
	realloc_of_aligned();
	return test_result("conform_aligned");
}
