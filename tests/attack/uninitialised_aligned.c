/* memalign where memory has been freed: uninitialised_aligned ALIGNMENT SIZE */
#include "attack.h"

static size_t align;

static NOINLINE void *make_aligned(size_t n) { return hide(memalign(align, n)); }

int main(int argc, char **argv)
{
	begin();
	align = argument(argc, argv, 1, 64);
	size_t n = argument(argc, argv, 2, 200);
	sow_with(make_aligned, n);
	crime(field[0]);
	for (int i = 0; i < FIELD; i++)
		free(hide(field[i]));
	for (int i = 0; i < (n < 20000 ? FIELD : 20); i++) {
		unsigned char *p = make_aligned(n);
		if (!all_zero(p, n))
			return survived();
	}
	return harmless();
}
