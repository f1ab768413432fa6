/* overflow_past_large SIZE [write|read]: the byte behind the last usable one of a large object. */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 100000);
	void *before = make(n);
	char *p = make(n);
	void *after = make(n);
	MUST(before && p && after);
	size_t usable = malloc_usable_size(p);
	memset(p, 1, usable);
	size_t end = (((uintptr_t)p + usable + PAGE - 1) & ~(PAGE - 1)) - (uintptr_t)p;
	crime(p + end);
	if (argc > 2 && !strcmp(argv[2], "read"))
		hide((void *)(uintptr_t)((volatile char *)p)[end]);
	else
		((volatile char *)p)[end] = 1;
	return survived();
}
