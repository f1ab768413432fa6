/* write_after_free_cold_hot HOW: a place allocates once; the object is freed and, later, written to, while nobody allocates but
 * another place, in a loop. That one is cold as well at first (cold: its frees take the victim's place among those that are
 * watched) or has been hot before (hot: only what it does now and then can find the write). */
#include "attack.h"

NOINLINE static void *elsewhere(void) { return hide(malloc(128)); }

int main(int argc, char **argv)
{
	begin();
	bool hot = argc > 1 && !strcmp(argv[1], "hot");
	if (hot)
		for (int i = 0; i < 1000; i++)
			free(elsewhere());
	char *victim = hide(malloc(128));
	free(victim);
	void *volatile kept = malloc(128); /* the free slot is looked at, and is clean still */
	(void)kept;
	crime(victim);
	((volatile char *)victim)[65] = 'W';
	for (int i = 0; i < 2000; i++)
		free(elsewhere());
	return survived();
}
