/* A program in phases, each with call sites of its own: memory that one phase has left must make room for the next one's, long before it is
 * old. The peak is that of one phase or two, not the sum. */
#include "attack/attack.h"

enum { PHASES = 16, OBJECTS = 4000, SIZE = 1000, LARGE = 40, LARGE_SIZE = 100000 };

typedef void *allocator(size_t n);
#define PHASE(n)                                                                                                                            \
	static NOINLINE void *site##n(size_t size)                                                                                         \
	{                                                                                                                                  \
		char *p = hide(malloc(size));                                                                                              \
		MUST(p);                                                                                                                   \
		p[n] = n + 1;                                                                                                              \
		return p;                                                                                                                  \
	}
PHASE(0) PHASE(1) PHASE(2) PHASE(3) PHASE(4) PHASE(5) PHASE(6) PHASE(7) PHASE(8) PHASE(9) PHASE(10) PHASE(11) PHASE(12) PHASE(13) PHASE(14) PHASE(15)
static allocator *const sites[PHASES] = {site0, site1, site2, site3, site4, site5, site6, site7, site8, site9, site10, site11, site12, site13,
					 site14, site15};

static void phases(int objects, size_t size)
{
	static char *all[OBJECTS];
	size_t before = rss_kib(), one = (size_t)objects * size / KIB, most = 0;
	for (int k = 0; k < PHASES; k++) {
		for (int i = 0; i < objects; i++) {
			all[i] = sites[k](size - (size_t)k * 16);
			memset(all[i], k + 1, size - (size_t)k * 16);
		}
		size_t now = rss_kib() - before;
		most = now > most ? now : most;
		for (int i = 0; i < objects; i++) {
			MUST(all[i][100] == k + 1);
			free(all[i]);
		}
		sleep_ms(25);
	}
	say("limits_phases: objects of %zu: %zu KiB a phase, most %zu KiB", size, one, most);
	CHECK(most < one * 4, " (most)");
}

int main(void)
{
	need_library();
	watchdog(120);
	phases(OBJECTS, SIZE);
	phases(LARGE, LARGE_SIZE);
	return test_result("limits_phases");
}
