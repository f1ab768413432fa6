/* 10,000 threads created and ended, in waves: nothing of them stays behind.
 * Each allocates, frees some, hands some to who joins it, and leaves some cached in its magazines. */
#include "attack/attack.h"

enum { THREADS = 10000, WAVE = 50, SITES = 40 };

static void *work(void *arg)
{
	uint64_t seed = (uintptr_t)arg;
	void *live[SITES];
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < SITES; i++) {
			size_t n = random_size(&seed, i % 20 ? 10 : 17);
			MUST(live[i] = hide(malloc(n)));
			memset(live[i], 1, n);
		}
		for (int i = 1; i < SITES; i++)
			free(live[i]);
		if (round < 2)
			free(live[0]);
	}
	return live[0];
}

int main(int argc, char **argv)
{
	need_library();
	watchdog(180);
	long threads = option_number(argc, argv, "--threads", THREADS);
	pthread_attr_t attr;
	pthread_attr_init(&attr);
	MUST(!pthread_attr_setstacksize(&attr, 64 * KIB));
	free(hide(malloc(100)));
	size_t before = rss_kib(), first = 0;
	for (long n = 0; n < threads; n += WAVE) {
		pthread_t t[WAVE];
		for (long i = 0; i < WAVE; i++)
			MUST(!pthread_create(&t[i], &attr, work, (void *)(n + i + 1)));
		for (long i = 0; i < WAVE; i++) {
			void *p;
			MUST(!pthread_join(t[i], &p));
			free(p);
		}
		if (!n)
			first = rss_kib();
	}
	size_t after = rss_kib();
	sleep_ms(700); /* longer than the decay */
	for (int i = 0; i < 1000; i++)
		free(hide(malloc(100)));
	size_t later = rss_kib();
	malloc_trim(0);
	size_t trimmed = rss_kib();
	say("limits_threads: RSS %zu KiB before, %zu after the first wave, %zu after %ld threads, %zu later, %zu "
	    "trimmed",
	    before, first, after, threads, later, trimmed);
	CHECK(trimmed < before + 2048);
	CHECK(later < before + 4096, " (without being asked)");
	CHECK(after < first + 16384, " (no growth from wave to wave)");
	return test_result("limits_threads");
}
