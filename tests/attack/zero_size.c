/* Objects of no bytes: no byte of them can be read or written. zero_size MAKER read|write */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	const char *maker = word(argc, argv, 1, "malloc");
	size_t zero = hide_size(0);
	void *p = NULL;
	for (int i = 0; i < 40; i++)
		p = !strcmp(maker, "calloc")	       ? calloc(zero, 8)
		    : !strcmp(maker, "aligned")	       ? aligned_alloc(64, zero)
		    : !strcmp(maker, "posix_memalign") ? (posix_memalign(&p, 4096, zero) ? NULL : p)
		    : !strcmp(maker, "realloc")	       ? realloc(hide(NULL), zero)
		    : !strcmp(maker, "reallocarray")   ? reallocarray(hide(NULL), zero, 8)
						       : malloc(zero);
	MUST(p);
	crime(p);
	if (!strcmp(word(argc, argv, 2, "read"), "read"))
		hide((void *)(uintptr_t) * (volatile char *)hide(p));
	else
		*(volatile char *)hide(p) = 1;
	return survived();
}
