/* malloc after a free of the same size: does it hold what the last owner left? uninitialised_malloc SIZE */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 100);
	for (int round = 0; round < 4; round++) {
		sow(n);
		crime(field[0]);
		for (int i = 0; i < FIELD; i++)
			free(hide(field[i]));
		memset(field, 0, sizeof field);
		for (int i = 0; i < FIELD; i++) {
			unsigned char *p = make(n);
			if (!all_zero(p, n))
				return survived();
			field[i] = p;
			if (n >= 20000 && i == 20)
				break;
		}
		for (int i = 0; i < FIELD; i++)
			free(hide(field[i]));
		memset(field, 0, sizeof field);
	}
	return harmless();
}
