/* P4 again: a wild write into the address space that a large object's span has in reserve, behind its guard, must
 * fault, be found, or be gone when the span is handed out with more bytes: the next owner gets zeros.
 * write_behind_large HOW: fresh (the class is larger than the request), shrunk (realloc gave pages back), grown
 * (realloc took room to grow). Ends with exit 0. */
#include "attack.h"

static void faulted(int sig)
{
	(void)sig;
	_exit(harmless());
}

static NOINLINE void *make_or_change(void *p, size_t n)
{
	return hide(realloc(p, n)); /* one call site, one partition */
}

int main(int argc, char **argv)
{
	begin();
	MUST(argc == 2);
	signal(SIGSEGV, faulted);
	signal(SIGABRT, faulted); /* found */
	char *p;
	size_t offset, again;
	if (!strcmp(argv[1], "fresh")) {
		p = make_or_change(hide(NULL), 33 * 4096);
		offset = 34 * 4096 + 1000;
		again = 36 * 4096;
	} else if (!strcmp(argv[1], "shrunk")) {
		p = make_or_change(make_or_change(hide(NULL), 300000), 20000);
		offset = 200000;
		again = 300000;
	} else {
		p = make_or_change(make_or_change(hide(NULL), 100000), 200000);
		offset = 500000;
		again = 800000;
	}
	MUST(p);
	crime(p + offset);
	((volatile char *)p)[offset] = 'W';
	free(p);
	for (int i = 0; i < 1000; i++) {
		char *q = make_or_change(hide(NULL), again);
		MUST(q);
		if (!all_zero(q, again)) {
			say("%p holds a byte that was written behind the object before", (void *)q);
			return survived();
		}
		if (q == p)
			break;
	}
	return harmless();
}
