/* An object of a type and of fixed size, which has no canary that would be gone after the first free, of a thread that has made
 * many: double_free_typed SIZE. */
#include "attack.h"

#define MANY 2000

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 48);
	void *all[MANY], *again[64];
	for (int i = 0; i < MANY; i++)
		MUST(all[i] = make_typed(n, TYPE_A, true));
	free(all[MANY - 1]);
	free(all[MANY / 2]);
	crime(all[MANY / 2]);
	free(hide(all[MANY / 2]));
	for (int i = 0; i < 64; i++) {
		again[i] = make_typed(n, TYPE_A, true);
		for (int k = 0; k < i; k++)
			if (again[i] == again[k])
				return survived();
	}
	return harmless();
}
