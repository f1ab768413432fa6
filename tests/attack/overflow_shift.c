/* An object's own canary, read by an over-read, is put 8 bytes farther on and the gap filled, so that the object seems longer.
 * overflow_shift SIZE */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 520);
	sow(n);
	unsigned char *p = field[FIELD / 2];
	size_t usable = field_usable[FIELD / 2];
	uint64_t leaked;
	memcpy(&leaked, hide(p + usable), 8);
	crime(p);
	scribble(p + usable, 0x41, 8);
	for (size_t i = 0; i < 8; i++)
		((volatile unsigned char *)hide(p))[usable + 8 + i] = (unsigned char)(leaked >> 8 * i);
	return reap(FIELD / 2, n);
}
