/* A linear overflow out of a live object runs over free slots: whoever gets one of them next is told. */
#include "attack.h"

enum { COUNT = 400 };

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 96);
	static char *all[COUNT];
	for (int i = 0; i < 200000; i++) {
		char *p = make(n);
		MUST(p);
		if (i < COUNT)
			all[i] = p;
		if (i != COUNT - 1)
			continue;
		/* Two neighbours: free the upper one, overflow the lower one. */
		char *lower = NULL, *upper = NULL;
		size_t stride = (n + 15) & ~(size_t)15;
		for (int a = 0; a < COUNT && !lower; a++)
			for (int b = 0; b < COUNT; b++)
				if (all[b] > all[a] && (size_t)(all[b] - all[a]) <= stride + 16) {
					lower = all[a];
					upper = all[b];
					break;
				}
		if (foreign && !lower)
			return harmless();
		MUST(lower);
		free(upper);
		crime(upper);
		memset(hide(lower), 0x41, (size_t)(upper - lower) + n);
	}
	return survived();
}
