/* Eight threads free one object at the same moment: double_free_many_threads SIZE [owner]: with "owner" the thread that
 * allocated is one of them. */
#include "attack.h"

enum { THREADS = 8 };
static int arrived;

static void *race(void *p)
{
	__atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST);
	for (long spin = 0; __atomic_load_n(&arrived, __ATOMIC_SEQ_CST) < THREADS && spin < 1000000; spin++)
		if (spin % 1000 == 999)
			sched_yield();
	free(p);
	return NULL;
}

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 100);
	bool owner = argc > 2;
	void *p = surrounded(n);
	crime(p);
	pthread_t t[THREADS];
	for (int i = owner; i < THREADS; i++)
		MUST(!pthread_create(&t[i], NULL, race, p));
	if (owner)
		race(hide(p));
	for (int i = owner; i < THREADS; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < 100000 && n < 20000; i++)
		if (make(n) == p)
			break;
	return aftermath(n);
}
