/* The part that realloc cut off is written to through the old end: found by free. write_after_shrink SIZE TO OFFSET */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 119), to = argument(argc, argv, 2, 109),
	       offset = argument(argc, argv, 3, 118);
	int victim = sow_resized(n, to);
	unsigned char *p = field[victim];
	size_t usable = field_usable[victim];
	crime(p);
	scribble(p + (usable > offset ? usable : offset), 0x41, 1);
	return reap(victim, n);
}
