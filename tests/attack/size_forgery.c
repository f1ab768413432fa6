/* The word before an object, its size for allocators that keep it there, is made larger; the object is freed and the memory of
 * it and its neighbour handed out as one. The word belongs to the object below, whose free finds it. size_forgery SIZE */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 0x108);
	sow(n);
	int above = 0, lower = neighbours_in_field(&above);
	crime(field[lower]);
	((volatile uint64_t *)hide(field[above]))[-1] = ((n + 8) & ~(size_t)15) * 2 | 1;
	for (int i = 0; i < FIELD; i++)
		if (i != above)
			hold(field[i], n);
	free(hide(field[above]));
	for (int i = 0; i < 100; i++) {
		void *p = make(((n + 8) & ~(size_t)15) * 2 - 8);
		if (taken(p, n * 2))
			return survived();
	}
	free(hide(field[lower]));
	return aftermath(n);
}
