/* write_after_free_cold WHICH: some objects of places that allocate once are freed, and the one that was freed WHICH before the last is
 * written to. Nobody allocates there again: what is found is found because the free slot is looked at, soon. */
#include "attack.h"

enum { FREED = 4 };

int main(int argc, char **argv)
{
	begin();
	size_t which = argument(argc, argv, 1, 0);
	MUST(which < FREED);
	/* A place each. */
	char *p[FREED] = {hide(malloc(500)), hide(malloc(700)), hide(malloc(900)), hide(malloc(1100))};
	for (int i = 0; i < FREED; i++)
		free(p[i]);
	char *victim = p[FREED - 1 - which];
	crime(victim);
	((volatile char *)victim)[100] = 'W';
	/* And other places: the first looks at the last that was freed, the next at the one before. */
	void *volatile other[FREED] = {malloc(50), which > 0 ? malloc(60) : NULL, which > 1 ? malloc(70) : NULL,
				       which > 2 ? malloc(80) : NULL};
	(void)other;
	return survived();
}
