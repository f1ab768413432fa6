/* Objects of a type, of fixed size (no canary: what lies behind one is another of the same type, or the slot's rest) and of
 * variable size: overflow_typed fixed|variable SIZE BYTES. The goal with fixed ones: to change an object of another type. */
#include "attack.h"

static NOINLINE void *make_variable(size_t n) { return make_typed(n, TYPE_A, false); }

int main(int argc, char **argv)
{
	begin();
	bool fixed = strcmp(word(argc, argv, 1, "fixed"), "variable") != 0;
	size_t n = argument(argc, argv, 2, 48), bytes = argument(argc, argv, 3, 16);
	static unsigned char *others[FIELD];
	if (!fixed)
		sow_with(make_variable, n);
	for (int i = 0; fixed && i < FIELD; i++) { /* in turns */
		memset(others[i] = make_typed(n, TYPE_B, true), SEED, n);
		memset(field[i] = make_typed(n, TYPE_A, true), SEED, n);
		field_usable[i] = malloc_usable_size(field[i]);
	}
	crime(field[FIELD / 2]);
	if (!fixed) {
		scribble(field[FIELD / 2] + field_usable[FIELD / 2], 0x41, bytes);
		return reap(FIELD / 2, n);
	}
	for (int i = 0; i < FIELD; i++) /* each of them */
		scribble(field[i] + field_usable[i], 0x41, bytes);
	for (int i = 0; i < FIELD; i++)
		for (size_t k = 0; k < n; k++)
			if (others[i][k] != SEED)
				return survived();
	return harmless();
}
