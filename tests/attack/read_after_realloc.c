/* What an object held before realloc moved it, read through the old pointer: zeros or a fault. read_after_realloc SIZE TO */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 100), to = argument(argc, argv, 2, 5000);
	sow(n);
	int victim = chosen(n);
	volatile unsigned char *p = hide(field[victim]);
	void *q = hide(realloc(field[victim], to));
	MUST(q);
	if (q == (void *)p)
		_exit(EXIT_SKIP);
	signal(SIGSEGV, on_fault);
	if (sigsetjmp(after_fault, 1))
		return harmless();
	for (size_t k = 0; k < n; k++)
		if (p[k])
			return survived();
	return harmless();
}
