/* Writes before an object: they hit the tail of the one below, whose free finds them. underflow_small SIZE BYTES [free]: with
 * "free" the one below is free, and its next owner is told. */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 104), bytes = argument(argc, argv, 2, 1);
	sow(n);
	int above = 0, lower = neighbours_in_field(&above);
	unsigned char *below = field[lower];
	if (argc > 3) {
		free(hide(below));
		field[lower] = NULL;
	}
	crime(below);
	scribble(field[above] - bytes, 0x41, bytes);
	if (argc > 3)
		for (int i = 0; i < 200000; i++)
			if (make(n) == below)
				return survived();
	if (argc <= 3)
		free(hide(below));
	field[lower] = NULL;
	return reap(above, n);
}
