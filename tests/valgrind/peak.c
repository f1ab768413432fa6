/*
 * Objects of known sizes, all live at once: 1,000 of 1,000 bytes by type, 500 of 2,000 from malloc, 100 of 3,000 from a cache, 10 of
 * 100,000. Twice, with all freed in between. For Massif and DHAT.
 */
#include "typed_malloc.h"
#include <stdlib.h>

struct thousand {
	char c[1000];
};

static char *volatile all[1610];

int main(void)
{
	typed_cache_t *cache = typed_cache_create("three", 3000, 8, 0);

	for (int round = 0; round < 2; round++) {
		int n = 0;
		for (int i = 0; i < 1000; i++)
			all[n++] = (char *)typed_malloc_obj(struct thousand);
		for (int i = 0; i < 500; i++)
			all[n++] = malloc(2000);
		for (int i = 0; i < 100; i++)
			all[n++] = typed_cache_alloc(cache);
		for (int i = 0; i < 10; i++)
			all[n++] = typed_malloc(100000);
		for (int i = 0; i < n; i++)
			all[i][0] = 1;
		for (int i = 0; i < n; i++) {
			if (i >= 1500 && i < 1600)
				typed_cache_free(cache, all[i]);
			else
				typed_free(all[i]);
		}
	}
	return 0;
}
