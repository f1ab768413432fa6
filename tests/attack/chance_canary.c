/* By chance: the 8 bytes behind an object are overwritten with a guess, and it is freed. chance_canary SIZE */
#include "attack.h"

#include <sys/random.h>

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 104);
	sow(n);
	int victim = chosen(n);
	uint64_t guess;
	MUST(getrandom(&guess, sizeof guess, 0) == (ssize_t)sizeof guess);
	guess |= 0x0100000000000001;
	crime(field[victim]);
	for (size_t i = 0; i < 8; i++)
		((volatile unsigned char *)hide(field[victim]))[field_usable[victim] + i] =
			(unsigned char)(guess >> 8 * i);
	free(hide(field[victim]));
	return survived();
}
