/* The few bytes behind a large object before its guard page, where its alignment leaves some: overflow_large SIZE BYTES VALUE */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 100001), bytes = argument(argc, argv, 2, 1),
	       value = argument(argc, argv, 3, 0x41);
	sow(n);
	crime(field[10]);
	scribble(field[10] + field_usable[10], (int)value, bytes);
	return reap(10, n);
}
