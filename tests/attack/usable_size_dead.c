/* malloc_usable_size of an object that is no more, by the way it died: usable_size_dead HOW SIZE: freed, moved, thread, reused
 * (other objects have been freed and made since). */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	const char *how = word(argc, argv, 1, "freed");
	size_t n = argument(argc, argv, 2, 100);
	char *p = surrounded(n);
	if (!strcmp(how, "moved"))
		MUST(realloc(p, n * 8 + 64) != hide(p));
	else if (!strcmp(how, "thread"))
		run_thread(free_it, p);
	else
		free(hide(p));
	crime(p);
	return malloc_usable_size(hide(p)) ? survived() : harmless();
}
