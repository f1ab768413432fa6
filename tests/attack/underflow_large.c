/* Writes before a large object: within its first page (found by free), or before its pages (a fault).
 * underflow_large SIZE DISTANCE [FINDER] */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 100001), distance = argument(argc, argv, 2, 1);
	const char *finder = word(argc, argv, 3, "free");
	sow(n);
	unsigned char *p = field[10];
	crime(p);
	scribble(p - distance, 0x41, 1);
	if (!strcmp(finder, "realloc"))
		field[10] = hide(realloc(p, n + 30000));
	return reap(10, n);
}
