/* double_free_other_thread WHO SIZE: freed by its owner and again by another thread (there), the other way
 * round (back), or twice by others (both). */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	MUST(argc >= 3);
	size_t n = argument(argc, argv, 2, 100);
	void *p = make(n);
	if (!strcmp(argv[1], "there"))
		free(p);
	else
		run_thread(free_it, p);
	crime(p);
	if (!strcmp(argv[1], "back"))
		free(hide(p));
	else
		run_thread(free_it, hide(p));
	return aftermath(n);
}
