#include "unit.h"

#include "stats.h"

#include <stdlib.h>

/* A site and a token, as the front hands them over. */
#define type(token) AT(0x1000), (token)

Test(stats, totals_follow_the_objects)
{
	enum { N = 3000 };
	static void *small[N], *large[20];
	struct ty_totals before, full, after;
	cr_assert(ty_heap_start());
	if (!ty_conf.use_tokens)
		cr_skip("configured with other defaults");
	ty_stats_totals(&before);
	for (int i = 0; i < N; i++)
		small[i] = ty_alloc_fixed(type(7), 96, "malloc");
	for (int i = 0; i < 20; i++)
		large[i] = ty_alloc(AT(0x1000), 0, 100000, "malloc");
	ty_stats_totals(&full);
	cr_assert(full.live_objects == before.live_objects + N + 20, "%zu", full.live_objects - before.live_objects);
	cr_assert(full.live_bytes >= before.live_bytes + N * 96 + 20 * 100000);
	cr_assert(full.live_bytes <= before.live_bytes + N * 96 + 20 * 120000);
	cr_assert(full.large_objects == before.large_objects + 20);
	cr_assert(full.allocations == before.allocations + N + 20);
	cr_assert(full.untyped == before.untyped + 20);
	cr_assert(full.committed >= full.live_bytes - 20 * 20000 && full.metadata > 0 && full.slabs >= 20);
	for (int i = 0; i < N; i++)
		ty_free(small[i], "free");
	for (int i = 0; i < 20; i++)
		ty_free(large[i], "free");
	ty_tcache_flush();
	ty_cache_trim();
	ty_stats_totals(&after);
	cr_assert(after.live_objects == before.live_objects && after.live_bytes == before.live_bytes);
	cr_assert(after.allocations == full.allocations);
	cr_assert(after.committed <= before.committed + 65536, "%zu", after.committed);
}

static void print(void *arg)
{
	(void)arg;
	for (int i = 0; i < 50; i++)
		ty_alloc_fixed(type(0xabcdef), 96, "malloc");
	ty_stats_table(2);
}

Test(stats, table)
{
	static char text[1 << 16];
	if (!ty_heap_start() || !ty_conf.use_tokens)
		cr_skip("configured with other defaults");
	cr_assert(death_of(print, NULL, text, sizeof text) == 0);
	cr_assert(!strncmp(text, "typed_malloc statistics: ", 25));
	char *row = strstr(text, "\n0xabcdef ");
	cr_assert(row, "%s", text);
	char kind[32];
	unsigned size, live;
	cr_assert(sscanf(row, " %*s %31s %u %u", kind, &size, &live) == 3, "%s", row);
	cr_assert(!strcmp(kind, "type-fixed") && size == 96 && live == 50);
	cr_assert(strstr(text, "\ntotal ") && strstr(text, "\nmappings ") && strstr(text, "\nuntyped "));
}
