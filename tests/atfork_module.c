/* A library with a lock that it takes around fork, as POSIX says, and holds while it allocates. Preloaded by limits_atfork.sh. */
#include <pthread.h>
#include <stdlib.h>

void module_work(void);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void before(void) { pthread_mutex_lock(&lock); }
static void after(void) { pthread_mutex_unlock(&lock); }
__attribute__((constructor)) static void start(void) { pthread_atfork(before, after, after); }

void module_work(void)
{
	pthread_mutex_lock(&lock);
	void *volatile p = malloc(100000);
	free(p);
	pthread_mutex_unlock(&lock);
}
