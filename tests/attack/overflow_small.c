/* A linear overflow out of a live object: overflow_small SIZE BYTES VALUE [FINDER]. Found by free at the latest; by realloc,
 * free_sized, malloc_usable_size and a free on another thread too. */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 100), bytes = argument(argc, argv, 2, 1),
	       value = argument(argc, argv, 3, 0x41);
	const char *finder = word(argc, argv, 4, "free");
	sow(n);
	int victim = chosen(n);
	unsigned char *p = field[victim];
	crime(p);
	scribble(p + field_usable[victim], (int)value, bytes);
	if (!strcmp(finder, "realloc"))
		field[victim] = hide(realloc(p, n * 2));
	else if (!strcmp(finder, "realloc_same"))
		field[victim] = hide(realloc(p, n));
	else if (!strcmp(finder, "free_sized"))
		free_sized(p, n);
	else if (!strcmp(finder, "malloc_usable_size"))
		hide((void *)malloc_usable_size(p));
	else if (!strcmp(finder, "thread"))
		run_thread(free_it, p);
	else
		return reap(victim, n);
	return trampled(victim) ? survived() : aftermath(n);
}
