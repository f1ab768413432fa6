/* Aligned objects: overflow_aligned ALIGNMENT SIZE BYTES */
#include "attack.h"

static size_t align;

static NOINLINE void *make_aligned(size_t n) { return hide(memalign(align, n)); }

int main(int argc, char **argv)
{
	begin();
	align = argument(argc, argv, 1, 64);
	size_t n = argument(argc, argv, 2, 100), bytes = argument(argc, argv, 3, 8);
	sow_with(make_aligned, n);
	int victim = chosen(n);
	MUST((uintptr_t)field[victim] % align == 0);
	crime(field[victim]);
	scribble(field[victim] + field_usable[victim], 0x41, bytes);
	return reap(victim, n);
}
