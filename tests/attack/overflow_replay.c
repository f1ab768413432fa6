/* The 16 bytes behind one object, read by an over-read, are written behind another, whose end has been run over: a canary that
 * has leaked must be good for its own place only. overflow_replay SIZE */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 104);
	sow(n);
	unsigned char *from = field[FIELD / 4], *to = field[FIELD / 2];
	unsigned char leaked[8];
	for (size_t i = 0; i < sizeof leaked; i++)
		leaked[i] = ((volatile unsigned char *)hide(from))[field_usable[FIELD / 4] + i];
	crime(to);
	for (size_t i = 0; i < sizeof leaked; i++)
		((volatile unsigned char *)hide(to))[field_usable[FIELD / 2] + i] = leaked[i];
	return reap(FIELD / 2, n);
}
