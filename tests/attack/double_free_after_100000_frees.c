/* The slot is still free, but 100,000 other frees lie between: no quarantine or ring of recent frees can know it.
 * Others are of another call site and size, once on this thread and once on another. */
#include "attack.h"

static NOINLINE void *make_other(size_t n) { return hide(malloc(n)); }

static void *others(void *arg)
{
	size_t n = *(size_t *)arg;
	static void *live[1000];
	for (int i = 0; i < 100000; i++) {
		free(live[i % 1000]);
		live[i % 1000] = make_other(n * 3 + 200 + (size_t)(i % 7) * 64);
	}
	for (int i = 0; i < 1000; i++)
		free(live[i]);
	return NULL;
}

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 100);
	void *keep = make(n), *p = make(n);
	MUST(keep && p);
	free(p);
	if (argc > 2)
		run_thread(others, &n);
	else
		others(&n);
	crime(p);
	free(hide(p));
	return aftermath(n);
}
