/*
 * One thread allocates and frees; another has never allocated, and lets objects grow and shrink where they are. In between an object
 * has no canary, which the free of its neighbour must not take for a crime, as there is only one thread that has ever allocated.
 */
#include "attack/attack.h"

#include <sched.h>

enum { SLOT = 16384, N = 200, SHORT = SLOT - 8 - 5, LONG = SLOT - 8 - 1 };
static char *objects[N];
static int current = -1; /* atomic */
static int stop;	 /* atomic */
static long resized;

static void *resize(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		int i = __atomic_load_n(&current, __ATOMIC_ACQUIRE);
		if (i < 0)
			continue;
		char *p = objects[i];
		for (; __atomic_load_n(&current, __ATOMIC_RELAXED) == i; resized++) {
			MUST(realloc(hide(p), LONG) == p);
			MUST(realloc(hide(p), SHORT) == p);
		}
	}
	return NULL;
}

static int by_address(const void *a, const void *b)
{
	uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;
	return (x > y) - (x < y);
}

int main(void)
{
	need_library();
	watchdog(100);
	/* On one processor, so that the one is interrupted by the other in the middle. */
	cpu_set_t one;
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	MUST(!sched_setaffinity(0, sizeof one, &one));
	for (int i = 0; i < N; i++)
		memset(objects[i] = make(SHORT), 'x', SHORT);
	qsort(objects, N, sizeof *objects, by_address);
	pthread_t t;
	MUST(!pthread_create(&t, NULL, resize, NULL));
	int pairs = 0;
	for (int i = 0; i + 1 < N; i++) {
		if (objects[i + 1] - objects[i] != SLOT)
			continue;
		__atomic_store_n(&current, i, __ATOMIC_RELEASE);
		for (int k = 0; k < 3; k++)
			usleep(300);
		free(objects[++i]);
		pairs++;
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&current, -1, __ATOMIC_RELEASE);
	MUST(!pthread_join(t, NULL));
	CHECK(pairs > N / 8 && resized > 1000);
	return test_result("limits_resizes");
}
