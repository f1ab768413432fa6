/* sprintf into a buffer that is too short by a few bytes: overflow_text SIZE EXCESS */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 24), excess = argument(argc, argv, 2, 12);
	sow(n);
	int victim = chosen(n);
	char *p = (char *)field[victim];
	static char text[70000];
	MUST(field_usable[victim] + excess < sizeof text);
	memset(text, 'x', field_usable[victim] + excess - 1);
	crime(p);
	int (*volatile print)(char *, const char *, ...) = sprintf;
	print(hide(p), "%s", text);
	return reap(victim, n);
}
