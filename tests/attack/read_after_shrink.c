/* What realloc cut off in place must be gone when the object grows again. read_after_shrink SIZE TO */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 119), to = argument(argc, argv, 2, 50);
	sow(n);
	int victim = chosen(n);
	unsigned char *p = hide(realloc(field[victim], to));
	size_t usable = malloc_usable_size(p);
	p = hide(realloc(p, n));
	MUST(p);
	crime(p);
	for (size_t k = foreign ? to : usable; k < n; k++)
		if (p[k])
			return survived();
	return harmless();
}
