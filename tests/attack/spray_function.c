/* Freed objects of malloc, then calloc, realloc, aligned_alloc, memalign, strdup, asprintf and libc's own of the same size.
 * spray_function SIZE */
#include "attack.h"

static NOINLINE void *by_calloc(size_t n) { return hide(calloc(1, n)); }
static NOINLINE void *by_realloc(size_t n) { return hide(realloc(hide(NULL), n)); }
static NOINLINE void *by_aligned(size_t n) { return hide(aligned_alloc(32, n)); }
static NOINLINE void *by_memalign(size_t n) { return hide(memalign(64, n)); }
static NOINLINE void *by_strdup(size_t n)
{
	static char text[65536];
	memset(text, 'a', n - 1);
	text[n - 1] = 0;
	return hide(strdup(text));
}
static NOINLINE void *by_asprintf(size_t n)
{
	char *p = NULL;
	MUST(asprintf(&p, "%*d", (int)n - 1, 1) > 0);
	return p;
}

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 100);
	void *(*const all[])(size_t) = {by_calloc, by_realloc, by_aligned, by_memalign, by_strdup, by_asprintf};
	dig(n);
	bury(n);
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (spray_with(all[i], n))
			return survived();
	return harmless();
}
