/* One thread frees an object while another moves it by realloc: race_free_realloc SIZE [there]: with "there" the thread that
 * allocated is the one that frees. */
#include "attack.h"

static int arrived;
static size_t size;

static void meet(void)
{
	__atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST);
	for (long spin = 0; __atomic_load_n(&arrived, __ATOMIC_SEQ_CST) < 2 && spin < 1000000; spin++)
		if (spin % 1000 == 999)
			sched_yield();
}

static void *free_then(void *p)
{
	meet();
	free(p);
	return NULL;
}

static void *move(void *p)
{
	meet();
	return hide(realloc(p, size * 8 + 64));
}

int main(int argc, char **argv)
{
	begin();
	size = argument(argc, argv, 1, 100);
	bool there = argc > 2;
	void *p = surrounded(size);
	crime(p);
	pthread_t t;
	MUST(!pthread_create(&t, NULL, there ? move : free_then, p));
	if (there)
		free_then(hide(p));
	else
		move(hide(p));
	pthread_join(t, NULL);
	for (int i = 0; i < 100000 && size < 20000; i++)
		if (make(size) == p)
			break;
	return aftermath(size);
}
