/* Memory that one thread filled and freed, or that others freed for it, handed to another. uninitialised_handover SIZE */
#include "attack.h"

static size_t size;
static bool found;

static void *fill_and_go(void *unused)
{
	sow(size);
	for (int i = 0; i < FIELD / 2; i++)
		free(hide(field[i]));
	return unused;
}

static void *look(void *unused)
{
	for (int i = 0; i < (size < 20000 ? 2 * FIELD : 40); i++) {
		unsigned char *p = make(size);
		MUST(p);
		found = found || !all_zero(p, size);
	}
	return unused;
}

int main(int argc, char **argv)
{
	begin();
	size = argument(argc, argv, 1, 100);
	run_thread(fill_and_go, NULL);
	for (int i = FIELD / 2; i < FIELD; i++)
		free(hide(field[i]));
	crime(field[0]);
	run_thread(look, NULL);
	look(NULL);
	return found ? survived() : harmless();
}
