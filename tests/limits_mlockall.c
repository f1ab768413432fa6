/* mlockall(MCL_CURRENT | MCL_FUTURE) populates every mapping with access at once: a reservation must not be filled
 * by that. */
#include "attack/attack.h"

#include <sys/resource.h>

int main(int argc, char **argv)
{
	need_library();
	watchdog(60);
	free(hide(malloc(100)));
	int flags = argc > 1 && !strcmp(argv[1], "future") ? MCL_FUTURE : MCL_CURRENT | MCL_FUTURE;
	if (mlockall(flags)) {
		say("limits_mlockall: skipped: mlockall: %s", strerror(errno));
		return EXIT_SKIP;
	}
	CHECK(rss_kib() < 64 * 1024);
	static char *all[10000];
	for (int round = 0; round < 5; round++) {
		uint64_t seed = 1;
		for (int i = 0; i < 10000; i++) {
			size_t n = random_size(&seed, i % 100 ? 10 : 17);
			MUST(all[i] = hide(malloc(n)));
			CHECK(all_zero(all[i], n));
			memset(all[i], 1, n);
		}
		for (int i = 0; i < 10000; i++)
			free(all[i]);
		malloc_trim(0);
	}
	char *large = hide(malloc(20 * MIB));
	MUST(large && all_zero(large, 20 * MIB));
	memset(large, 1, 20 * MIB);
	free(large);
	large = hide(calloc(20, MIB));
	MUST(large && all_zero(large, 20 * MIB));
	free(large);
	size_t peak = status_kib("VmHWM");
	say("limits_mlockall: peak RSS %zu KiB", peak);
	CHECK(peak < 64 * 1024);
	return test_result("limits_mlockall");
}
