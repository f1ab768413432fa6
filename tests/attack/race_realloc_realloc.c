/* Two threads move one object by realloc at the same moment: race_realloc_realloc SIZE */
#include "attack.h"

static int arrived;
static size_t size;

static void *move(void *p)
{
	__atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST);
	for (long spin = 0; __atomic_load_n(&arrived, __ATOMIC_SEQ_CST) < 2 && spin < 1000000; spin++)
		if (spin % 1000 == 999)
			sched_yield();
	return hide(realloc(p, size * 8 + 64));
}

int main(int argc, char **argv)
{
	begin();
	size = argument(argc, argv, 1, 100);
	void *p = surrounded(size);
	crime(p);
	pthread_t t;
	MUST(!pthread_create(&t, NULL, move, p));
	void *a = move(hide(p)), *b;
	pthread_join(t, &b);
	if (a == b)
		return survived();
	for (int i = 0; i < 100000 && size < 20000; i++)
		if (make(size) == p)
			break;
	return aftermath(size);
}
