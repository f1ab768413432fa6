/* 1,000,000 live objects of mixed sizes and 20,000 large ones under the default vm.max_map_count: the allocator's
 * mappings stay below 100, whatever the heap's size, also while and after it shrinks. */
#include "attack/attack.h"

enum { SMALL = 1000000, LARGE = 20000, MOST = 100 };

static void count(const char *when)
{
	unsigned n = anonymous_mappings();
	say("limits_objects: %s: %u mappings without a name, RSS %zu MiB", when, n, rss_kib() / 1024);
	CHECK(n < MOST);
}

int main(void)
{
	need_library();
	watchdog(120);
	char **small = map_memory(SMALL * sizeof *small), **large = map_memory(LARGE * sizeof *large);
	size_t *size = map_memory(SMALL * sizeof *size);
	uint64_t seed = 1;
	count("at start");
	size_t live = 0;
	for (int i = 0; i < SMALL; i++) {
		size[i] = random_size(&seed, i % 100 ? 8 : 13);
		MUST(small[i] = hide(malloc(size[i])));
		fill(small[i], size[i], (uint64_t)i);
		live += size[i];
	}
	count("1,000,000 small objects");
	CHECK(rss_kib() * 1024 < live * 2 + SMALL * 32 + 64 * MIB, " (overhead)");
	for (int i = 0; i < LARGE; i++) {
		size_t n = 20 * KIB + next_random(&seed) % (40 * KIB);
		MUST(large[i] = hide(malloc(n)));
		large[i][n / 2] = 1;
	}
	count("and 20,000 large ones");
	for (int i = 0; i < LARGE; i += 2)
		free(large[i]);
	count("every second large one free");
	for (int i = 0; i < LARGE; i += 2) {
		MUST(large[i] = hide(malloc(30 * KIB)));
		large[i][0] = 1;
	}
	for (int i = 0; i < LARGE; i++) {
		if (i % 3 == 0)
			MUST(large[i] = hide(realloc(large[i], 20 * KIB + next_random(&seed) % (200 * KIB))));
		if (i % 3 == 1) {
			free(large[i]);
			large[i] = NULL;
		}
	}
	count("reallocated");
	for (int i = 0; i < SMALL; i++) {
		MUST(filled(small[i], size[i], (uint64_t)i));
		if (i % 4)
			free(small[i]);
	}
	malloc_trim(0);
	count("three quarters free");
	for (int i = 0; i < SMALL; i += 4)
		free(small[i]);
	for (int i = 0; i < LARGE; i++)
		free(large[i]);
	malloc_trim(0);
	count("all free");
	return test_result("limits_objects");
}
