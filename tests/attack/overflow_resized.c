/* The end that counts is the one realloc has made in place: overflow_resized FROM TO BYTES, both in one slot. */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	size_t from = argument(argc, argv, 1, 100), to = argument(argc, argv, 2, 98),
	       bytes = argument(argc, argv, 3, 1);
	int victim = sow_resized(from, to);
	unsigned char *p = field[victim];
	crime(p);
	scribble(p + field_usable[victim], 0x41, bytes);
	return reap(victim, from);
}
