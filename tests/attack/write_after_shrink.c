/* The part that realloc cut off is written to through the old end: found by free. write_after_shrink SIZE TO OFFSET */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 119), to = argument(argc, argv, 2, 109),
	       offset = argument(argc, argv, 3, 118);
	sow(n);
	int victim = chosen(n);
	unsigned char *p = hide(realloc(field[victim], to));
	MUST(p == field[victim] || foreign);
	field[victim] = p;
	size_t usable = malloc_usable_size(p);
	crime(p);
	scribble(p + (usable > offset ? usable : offset), 0x41, 1);
	return reap(victim, n);
}
