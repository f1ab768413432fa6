/* Large memory after free, and after realloc has moved or cut it: use_after_free_large HOW SIZE: read, write (found when it is
 * handed out again, or a fault), cut (behind the new end). */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	const char *how = word(argc, argv, 1, "read");
	size_t n = argument(argc, argv, 2, 5000000);
	unsigned char *p = make(n);
	MUST(p);
	scribble(p + n - 64, 0xc3, 64);
	p[n / 2] = 0xc3;
	if (!strcmp(how, "cut"))
		MUST(realloc(hide(p), n / 4) == hide(p) || foreign);
	else
		free(hide(p));
	signal(SIGSEGV, SIG_DFL);
	crime(p);
	if (!strcmp(how, "read"))
		return ((volatile unsigned char *)hide(p))[n / 2] ? survived() : harmless();
	((volatile unsigned char *)hide(p))[n / 2] = 'W';
	if (!strcmp(how, "write"))
		for (int i = 0; i < 1000; i++) {
			unsigned char *q = make(n);
			if (q && ((volatile unsigned char *)q)[n / 2])
				return survived();
			if (!q || q == p)
				break;
		}
	return harmless();
}
