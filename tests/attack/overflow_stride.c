/* A write that skips what lies right behind the object: overflow_stride WHERE SIZE. rest: 16 bytes on, within what the slot has
 * left over; free: a whole slot on, where a free one is; type: a whole slot on from each object of a type, to change one
 * of another type. */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	const char *where = word(argc, argv, 1, "rest");
	size_t n = argument(argc, argv, 2, 520);
	if (!strcmp(where, "rest")) {
		sow(n);
		int victim = chosen(n);
		crime(field[victim]);
		scribble(field[victim] + field_usable[victim] + 16, 0x41, 1);
		return reap(victim, n);
	}
	if (!strcmp(where, "free")) {
		sow(n);
		int above = 0, lower = neighbours_in_field(&above);
		unsigned char *upper = field[above];
		free(hide(upper));
		field[above] = NULL;
		crime(upper);
		scribble(field[lower] + (upper - field[lower]) + n / 2, 0x41, 8);
		for (int i = 0; i < 200000; i++)
			if (make(n) == upper)
				return survived();
		return reap(lower, n);
	}
	static unsigned char *others[FIELD];
	static unsigned char *mine[FIELD];
	for (int i = 0; i < FIELD; i++) {
		memset(others[i] = make_typed(n, TYPE_B, true), SEED, n);
		mine[i] = make_typed(n, TYPE_A, true);
	}
	size_t slot = (n + 15) & ~(size_t)15;
	crime(mine[0]);
	/* Only where an object of this type lies behind: who knows the layout strides within the slab. */
	for (int i = 0; i < FIELD; i++)
		if (((uintptr_t)mine[i] & 4095) < 2048)
			scribble(mine[i] + slot, 0x41, 8);
	for (int i = 0; i < FIELD; i++)
		for (size_t k = 0; k < n; k++)
			if (others[i][k] != SEED)
				return survived();
	return harmless();
}
