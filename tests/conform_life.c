/* From before the first constructor to after the last destructor, in threads that end, on 16 KiB stacks and under a
 * rain of signals: the heap is there. */
#include "attack/attack.h"

#include <limits.h>
#include <signal.h>
#include <sys/time.h>

static char *early[3], *late[64];

static void before_everything(int argc, char **argv, char **env)
{
	(void)argc, (void)argv, (void)env;
	early[0] = hide(malloc(111));
	MUST(early[0] && all_zero(early[0], 111));
	fill(early[0], 111, 1);
}
__attribute__((section(".preinit_array"), used)) static void (*const preinit)(int, char **,
									      char **) = before_everything;

__attribute__((constructor(101))) static void first_constructor(void)
{
	early[1] = hide(calloc(3, 37));
	fill(early[1], 111, 2);
	early[2] = hide(malloc(50000));
	fill(early[2], 50000, 3);
	free(strdup("freed at once"));
}

__attribute__((destructor(101))) static void last_destructor(void)
{
	for (size_t i = 0; i < 64; i++) {
		MUST(filled(late[i], i * 700, i));
		free(late[i]);
		free(hide(malloc(i * 300)));
		MUST(late[i] = realloc(hide(malloc(i)), i * 1000 + 1));
		free(late[i]);
	}
}

static void at_end(void)
{
	free(hide(malloc(77)));
	free(hide(malloc(77000)));
}

/* ---- threads ---- */

static pthread_key_t key;
static int destroyed;

/* Runs up to PTHREAD_DESTRUCTOR_ITERATIONS times, before or after the allocator's own clean-up. */
static void destructor(void *p)
{
	uintptr_t *round = p;
	uintptr_t left = *round;
	free(p);
	for (size_t n = 1; n < 40000; n = n * 2 + 1)
		free(hide(malloc(n)));
	__atomic_add_fetch(&destroyed, 1, __ATOMIC_RELAXED);
	if (left) {
		MUST(round = malloc(sizeof *round));
		*round = left - 1;
		pthread_setspecific(key, round);
	}
}

static void *short_life(void *arg)
{
	uintptr_t *rounds = malloc(sizeof *rounds);
	*rounds = 3;
	pthread_setspecific(key, rounds);
	char *p = hide(malloc((size_t)(uintptr_t)arg * 13));
	return p; /* freed by who joins */
}

static void thread_exits(void)
{
	MUST(!pthread_key_create(&key, destructor));
	for (uintptr_t i = 0; i < 300; i++) {
		pthread_t t;
		void *p;
		MUST(!pthread_create(&t, NULL, short_life, (void *)i));
		MUST(!pthread_join(t, &p));
		MUST(p);
		free(p);
	}
	CHECK(destroyed == 300 * 4);
	pthread_key_delete(key);
}

static void *on_small_stack(void *arg)
{
	uint64_t seed = (uintptr_t)arg + 1;
	void *live[32] = {0};
	for (int i = 0; i < 3000; i++) {
		size_t k = next_random(&seed) % 32, n = random_size(&seed, 16);
		if (next_random(&seed) % 3 == 0)
			MUST(live[k] = realloc(live[k], n));
		else {
			free(live[k]);
			MUST(live[k] = next_random(&seed) % 2 ? malloc(n) : aligned_alloc(128, n));
		}
		memset(live[k], 7, n);
	}
	for (int k = 0; k < 32; k++)
		free(live[k]);
	return NULL;
}

static void small_stacks(void)
{
	pthread_attr_t attr;
	pthread_attr_init(&attr);
	MUST(!pthread_attr_setstacksize(&attr, (size_t)sysconf(_SC_THREAD_STACK_MIN)));
	if (sysconf(_SC_THREAD_STACK_MIN) <= 16384)
		MUST(!pthread_attr_setstacksize(&attr, 16384));
	for (uintptr_t round = 0; round < 10; round++) {
		pthread_t t[8];
		for (uintptr_t i = 0; i < 8; i++)
			MUST(!pthread_create(&t[i], &attr, on_small_stack, (void *)(round * 8 + i)));
		for (int i = 0; i < 8; i++)
			pthread_join(t[i], NULL);
	}
	pthread_attr_destroy(&attr);
}

/* ---- signals ---- */

static volatile sig_atomic_t signals;

static void handler(int sig)
{
	(void)sig;
	signals = signals + 1;
}

static void under_signals(void)
{
	struct sigaction act = {.sa_handler = handler, .sa_flags = SA_RESTART};
	sigaction(SIGPROF, &act, NULL);
	sigaction(SIGALRM, &act, NULL);
	struct itimerval fast = {{0, 200}, {0, 200}}, none = {{0, 0}, {0, 0}};
	setitimer(ITIMER_PROF, &fast, NULL);
	setitimer(ITIMER_REAL, &fast, NULL);
	long end = now_ms() + 1000;
	while (now_ms() < end)
		small_stacks();
	setitimer(ITIMER_PROF, &none, NULL);
	setitimer(ITIMER_REAL, &none, NULL);
	CHECK(signals > 100);
}

int main(void)
{
	need_library();
	CHECK(filled(early[0], 111, 1) && filled(early[1], 111, 2) && filled(early[2], 50000, 3));
	MUST(early[0] = realloc(early[0], 5000));
	CHECK(filled(early[0], 104, 1));
	for (int i = 0; i < 3; i++)
		free(early[i]);
	thread_exits();
	small_stacks();
	under_signals();
	for (size_t i = 0; i < 64; i++)
		fill(late[i] = hide(malloc(i * 700)), i * 700, i);
	atexit(at_end);
	return test_result("conform_life");
}
