/* realloc to no bytes has freed it already. double_free_realloc_zero SIZE */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 100);
	char *p = surrounded(n);
	void *q = hide(realloc(hide(p), hide_size(0)));
	MUST(!q || foreign);
	if (q == p)
		_exit(EXIT_SKIP); /* it takes that for a size */
	crime(p);
	free(hide(p));
	return aftermath(n);
}
