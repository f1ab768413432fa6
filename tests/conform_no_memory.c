/* P8: a size that cannot be served gives NULL and ENOMEM in every entry point, and leaves what was there alone. */
#include "attack/attack.h"

static void check_size(size_t n, char *small, char *large)
{
	errno = 0;
	CHECK(!hide(malloc(hide_size(n))) && errno == ENOMEM);
	errno = 0;
	CHECK(!hide(calloc(1, hide_size(n))) && errno == ENOMEM);
	errno = 0;
	CHECK(!hide(calloc(hide_size(n), 1)) && errno == ENOMEM);
	errno = 0;
	CHECK(!hide(realloc(hide(NULL), hide_size(n))) && errno == ENOMEM);
	errno = 0;
	CHECK(!hide(realloc(small, hide_size(n))) && errno == ENOMEM);
	errno = 0;
	CHECK(!hide(realloc(large, hide_size(n))) && errno == ENOMEM);
	errno = 0;
	CHECK(!hide(reallocarray(small, hide_size(n), 1)) && errno == ENOMEM);
	errno = 0;
	CHECK(!hide(reallocarray(large, 1, hide_size(n))) && errno == ENOMEM);
	CHECK(filled(small, 100, 1) && filled(large, 100000, 2));
}

int main(void)
{
	need_library();
	watchdog(60);
	char *small = hide(malloc(100)), *large = hide(malloc(100000));
	fill(small, 100, 1);
	fill(large, 100000, 2);
	static const size_t bases[] = {SIZE_MAX,	(size_t)PTRDIFF_MAX + 70000,
				       PTRDIFF_MAX,	SIZE_MAX / 4 * 3,
				       (size_t)1 << 62, (size_t)1 << 56,
				       (size_t)1 << 48};
	for (size_t b = 0; b < sizeof bases / sizeof *bases; b++) {
		for (size_t less = 0; less < 600; less++)
			check_size(bases[b] - less, small, large);
		for (size_t less = 1024; less < 65536; less += 1021)
			check_size(bases[b] - less, small, large);
	}
	for (unsigned bit = 47; bit < 64; bit++)
		for (int d = -1; d <= 1; d++)
			check_size(((size_t)1 << bit) + (size_t)d, small, large);
	/* What the machine may or may not have: an answer, not a crash, and the object is usable at both ends. */
	for (unsigned bit = 30; bit < 47; bit++) {
		errno = 0;
		char *p = hide(malloc(((size_t)1 << bit) - 100));
		if (!p) {
			CHECK(errno == ENOMEM);
			continue;
		}
		p[0] = p[((size_t)1 << bit) - 101] = 1;
		CHECK(malloc_usable_size(p) >= ((size_t)1 << bit) - 100);
		char *q = hide(realloc(p, (size_t)1 << bit << 1));
		free(q ? q : p);
	}
	/* Ordinary work goes on as before. */
	for (int i = 0; i < 1000; i++)
		free(hide(malloc((size_t)i * 100)));
	free(small);
	free(large);
	return test_result("conform_no_memory");
}
