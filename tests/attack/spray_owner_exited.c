/* The thread that made and freed the objects has ended: spray_owner_exited SIZE */
#include "attack.h"

SITE(make_b)

static void *live(void *size)
{
	dig(*(size_t *)size);
	bury(*(size_t *)size);
	return NULL;
}

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 100);
	run_thread(live, &n);
	return spray_with(make_b, n) || spray_with(make_b, n * 3 + 100) ? survived() : harmless();
}
