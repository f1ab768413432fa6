/* A large object that realloc has cut or grown in place: its end lies farther from the guard.
 * overflow_large_resized FROM TO OFFSET: a byte OFFSET behind the end. */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	size_t from = argument(argc, argv, 1, 100000), to = argument(argc, argv, 2, 99000),
	       offset = argument(argc, argv, 3, 0);
	sow(from);
	unsigned char *p = hide(realloc(field[10], to));
	MUST(p);
	field[10] = p;
	field_usable[10] = malloc_usable_size(p);
	crime(p);
	scribble(p + field_usable[10] + offset, 0x41, 1);
	return reap(10, from);
}
