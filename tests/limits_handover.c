/* One thread only allocates, another only frees: memory must not grow, for small objects, large ones and mixed ones.
 * Also a consumer that ends and is followed by another. usage: limits_handover [--objects N] */
#include "attack/attack.h"

#include <sched.h>
#include <stdatomic.h>

enum { RING = 1024 };
static _Atomic(void *) ring[RING];
static long objects;

static void *produce(void *arg)
{
	size_t size = *(size_t *)arg;
	uint64_t seed = size;
	long count = size > 16 * KIB ? objects / 50 : objects;
	for (long i = 0; i < count; i++) {
		size_t n = size ? size : random_size(&seed, i % 100 ? 11 : 16);
		char *p = hide(malloc(n));
		MUST(p);
		p[0] = p[n - 1] = 1;
		while (atomic_load_explicit(&ring[i % RING], memory_order_acquire))
			sched_yield();
		atomic_store_explicit(&ring[i % RING], p, memory_order_release);
	}
	return NULL;
}

static void *consume(void *arg)
{
	size_t size = *(size_t *)arg;
	long count = size > 16 * KIB ? objects / 50 : objects;
	for (long i = 0; i < count; i++) {
		void *p;
		while (!(p = atomic_load_explicit(&ring[i % RING], memory_order_acquire)))
			sched_yield();
		free(p);
		atomic_store_explicit(&ring[i % RING], NULL, memory_order_release);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	need_library();
	watchdog(240);
	objects = option_number(argc, argv, "--objects", 1000000);
	static size_t sizes[] = {16, 64, 1000, 9000, 40000, 300000, 0 /* mixed */};
	for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
		size_t before = rss_kib();
		for (int round = 0; round < 2; round++) {
			pthread_t a, b;
			MUST(!pthread_create(&a, NULL, produce, &sizes[k]));
			MUST(!pthread_create(&b, NULL, consume, &sizes[k]));
			pthread_join(a, NULL);
			pthread_join(b, NULL);
		}
		size_t after = rss_kib(),
		       in_flight = RING * (sizes[k] ? sizes[k] > 16 * KIB ? 8 * KIB : sizes[k] : 2 * KIB) / 1024;
		say("limits_handover: size %zu: RSS %zu -> %zu KiB", sizes[k], before, after);
		CHECK(after < before + 3 * in_flight + 12 * 1024);
	}
	return test_result("limits_handover");
}
