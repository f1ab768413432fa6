/* An overflow without an end, out of an object of some pages: overflow_page SIZE. It must end at a guard. */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 100000);
	sow(n);
	unsigned char *p = field[10];
	for (int i = 0; i < 20; i++)
		if (field[i] < p)
			p = field[i]; /* others of them above */
	int victim = 0;
	while (field[victim] != p)
		victim++;
	crime(p);
	scribble(p + field_usable[victim], 0x41, 64 * KIB);
	return reap(victim, n);
}
