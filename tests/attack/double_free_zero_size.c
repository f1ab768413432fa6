/* An object of no bytes, freed twice, by every function that makes one: double_free_zero_size MAKER */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	const char *maker = word(argc, argv, 1, "malloc");
	size_t zero = hide_size(0);
	void *p = !strcmp(maker, "calloc")    ? calloc(zero, 8)
		  : !strcmp(maker, "aligned") ? aligned_alloc(64, zero)
		  : !strcmp(maker, "realloc") ? realloc(hide(NULL), zero)
					      : malloc(zero);
	MUST(p);
	free(hide(p));
	crime(p);
	free(hide(p));
	return aftermath(0);
}
