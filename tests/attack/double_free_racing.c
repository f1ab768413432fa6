/* Two threads free one object at the same moment. At the latest when the slot would be handed out again, the process
 * is stopped: nobody gets it. double_free_racing SIZE [others]: with "others" neither is the thread that allocated. */
#include "attack.h"

/* Both spin, so that they set off within nanoseconds of each other. */
static int arrived;

static void *race(void *p)
{
	__atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST);
	for (long spin = 0; __atomic_load_n(&arrived, __ATOMIC_SEQ_CST) < 2 && spin < 100000000; spin++)
		;
	free(p);
	return NULL;
}

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 100);
	for (int i = 0; i < 100; i++)
		free(make(n)); /* caches are warm */
	void *p = make(n);
	crime(p);
	pthread_t t[2];
	bool others = argc > 2;
	MUST(!pthread_create(&t[0], NULL, race, p));
	if (others)
		MUST(!pthread_create(&t[1], NULL, race, p));
	else
		race(hide(p));
	pthread_join(t[0], NULL);
	if (others)
		pthread_join(t[1], NULL);
	for (int i = 0; i < 100000; i++)
		if (make(n) == p)
			break;
	return survived();
}
