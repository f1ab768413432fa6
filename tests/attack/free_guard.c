/* Pointers to where nobody's memory is, right at a large object: free_guard WHERE SIZE: above (the page behind its last), below
 * (the page before its first), first_page (where its pages begin), room (kept for it to grow into). */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	const char *where = word(argc, argv, 1, "above");
	size_t n = argument(argc, argv, 2, 100001);
	char *p = surrounded(n);
	uintptr_t first = (uintptr_t)p & ~(PAGE - 1), end = ((uintptr_t)p + n + PAGE - 1) & ~(PAGE - 1);
	char *bad = (char *)(!strcmp(where, "above")	    ? end
			     : !strcmp(where, "below")	    ? first - PAGE
			     : !strcmp(where, "first_page") ? first
							    : end + PAGE);
	hold(p, n);
	crime(bad);
	free(hide(bad));
	return aftermath(n);
}
