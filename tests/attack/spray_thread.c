/* Freed on one thread, sprayed from others: spray_thread SIZE [there]: with "there" another thread frees too. */
#include "attack.h"

SITE(make_b)
static size_t size;
static bool got;

static void *spray(void *unused)
{
	if (spray_with(make_b, size))
		got = true;
	return unused;
}

static void *bury_it(void *unused)
{
	bury(size);
	return unused;
}

int main(int argc, char **argv)
{
	begin();
	size = argument(argc, argv, 1, 100);
	dig(size);
	if (argc > 2)
		run_thread(bury_it, NULL);
	else
		bury(size);
	for (int i = 0; i < 3; i++)
		run_thread(spray, NULL);
	spray(NULL);
	return got ? survived() : harmless();
}
