/* Off by one: a string that fills its buffer, and its NUL behind it ("poison null byte"). overflow_nul LENGTH */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 0x108);
	sow(n);
	int victim = chosen(n);
	char *p = (char *)field[victim];
	size_t usable = field_usable[victim];
	crime(p);
	memset(p, 'a', usable);
	((volatile char *)hide(p))[usable] = 0;
	return reap(victim, n);
}
