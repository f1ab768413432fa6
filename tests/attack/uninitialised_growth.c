/* The part that realloc adds, in place or after a move, where others' memory has been freed. uninitialised_growth SIZE TO */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 40), to = argument(argc, argv, 2, 400);
	sow(to);
	crime(field[0]);
	for (int i = 0; i < FIELD; i++)
		free(hide(field[i]));
	for (int i = 0; i < (to < 20000 ? FIELD : 20); i++) {
		unsigned char *p = make(n);
		memset(p, SEED, n);
		p = hide(realloc(p, to));
		MUST(p);
		if (!all_zero(p + n, to - n))
			return survived();
	}
	return harmless();
}
