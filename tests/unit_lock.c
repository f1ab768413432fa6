#include "unit.h"

#include "lock.h"

static struct ty_lock lock;
static long counter, inside;

static void *work(void *arg)
{
	(void)arg;
	for (int i = 0; i < 200000; i++) {
		ty_lock(&lock);
		cr_assert(++inside == 1);
		counter++;
		inside--;
		ty_unlock(&lock);
	}
	return NULL;
}

Test(lock, excludes, .timeout = 60)
{
	pthread_t t[4];
	for (int i = 0; i < 4; i++)
		cr_assert(!pthread_create(&t[i], NULL, work, NULL));
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	cr_assert(counter == 800000 && lock.word == 0);
}

static void *hold(void *arg)
{
	ty_lock(&lock);
	__atomic_store_n((int *)arg, 1, __ATOMIC_SEQ_CST);
	usleep(50000);
	counter = 7;
	ty_unlock(&lock);
	return NULL;
}

/* A waiter sleeps and is woken. */
Test(lock, waits, .timeout = 10)
{
	pthread_t t;
	int held = 0;
	cr_assert(!pthread_create(&t, NULL, hold, &held));
	while (!__atomic_load_n(&held, __ATOMIC_SEQ_CST))
		usleep(100);
	errno = 42;
	ty_lock(&lock);
	cr_assert(counter == 7);
	cr_assert(errno == 42);
	ty_unlock(&lock);
	pthread_join(t, NULL);
}

/* The forking thread holds every lock, so its calls pass. */
Test(lock, passes_during_fork, .timeout = 10)
{
	ty_lock(&lock);
	ty_fork_depth = 1;
	ty_lock(&lock);
	ty_unlock(&lock);
	cr_assert(lock.word != 0);
	ty_fork_depth = 0;
	ty_unlock(&lock);
	cr_assert(lock.word == 0);
}
