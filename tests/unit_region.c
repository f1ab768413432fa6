#include "unit.h"

#include "region.h"

#include <sys/resource.h>

#define CHUNK ((size_t)64 << 10)

/* Linked without the heap: started here, where a test wants it. */
static void start(void)
{
	ty_os_init();
	ty_conf_init();
	cr_assert(ty_region_init());
}

Test(region, slabs_and_spans_never_overlap)
{
	enum { N = 3000 };
	static struct {
		uintptr_t at;
		size_t bytes;
	} all[N];
	start();
	for (int i = 0; i < N; i++) {
		size_t bytes = TY_PAGE << (i * 7 % 7);
		if (i % 5) {
			all[i].at = ty_region_slab((enum ty_kind)(i % TY_KINDS), bytes);
		} else {
			size_t align = TY_PAGE << (i % 6);
			bytes = TY_PAGE * (size_t)(1 + i % 40);
			all[i].at = ty_region_span(TY_KIND_UNTYPED, bytes, align);
			cr_assert(all[i].at % align == 0);
		}
		all[i].bytes = bytes;
		cr_assert(all[i].at && all[i].at % TY_PAGE == 0);
		cr_assert(all[i].at >= ty_conf.base && all[i].at + bytes <= ty_conf.base + ty_conf.size);
		cr_assert(ty_region_owns(all[i].at) && ty_region_owns(all[i].at + bytes - 1));
		for (size_t k = 0; k < bytes; k += 1024) {
			cr_assert(((char *)all[i].at)[k] == 0, "zero, so nobody had it before");
			((char *)all[i].at)[k] = 1;
		}
	}
	for (int i = 0; i < N; i++)
		for (int k = 0; k < i; k++)
			cr_assert(all[i].at + all[i].bytes <= all[k].at || all[k].at + all[k].bytes <= all[i].at);
	for (int i = 0; i < N; i++) {
		size_t off = all[i].at - ty_conf.base;
		cr_assert((off < ty_frontier.small_end) == (i % 5 != 0));
		cr_assert(ty_region_span_at(off) == (i % 5 == 0));
	}
}

/* What a small program uses of the records lies within 2 MiB, between pages without access. */
Test(region, records_are_near)
{
	start();
	if (!ty_conf.roomy)
		cr_skip("little address space");
	cr_assert(ty_grow_to(&ty_grow_slabs[TY_NEAR], 1) && ty_grow_to(&ty_grow_meta[TY_NEAR], 1));
	uintptr_t slab = ty_region_slab(TY_KIND_UNTYPED, TY_PAGE);
	ty_map_set(slab, TY_PAGE, 8);
	const char *entry = (const char *)&ty_conf.map[(slab - ty_conf.base) >> TY_PAGE_SHIFT];
	uintptr_t huge = TY_HUGE_PAGE;
	cr_assert((uintptr_t)entry / huge == (uintptr_t)ty_conf.slabs / huge && (uintptr_t)ty_conf.meta / huge == (uintptr_t)ty_conf.slabs / huge);
	const struct ty_grow *parts[] = {&ty_grow_slabs[TY_NEAR], &ty_grow_meta[TY_NEAR], &ty_grow_slabs[TY_FAR], &ty_grow_meta[TY_FAR]};
	for (size_t i = 0; i < 4; i++) {
		cr_assert(!ty_os_readable(parts[i]->start - 1) && !ty_os_readable(parts[i]->start + parts[i]->max));
		for (size_t k = 0; k < 4; k++)
			cr_assert(k == i || parts[i]->start + parts[i]->max < parts[k]->start || parts[k]->start + parts[k]->max < parts[i]->start);
	}
}

Test(region, huge_spans)
{
	start();
	if (ty_conf.size < (size_t)1 << 36)
		cr_skip("little address space");
	for (size_t bytes = TY_HUGE_MIN; bytes < (size_t)1 << 30; bytes += bytes / 3 / TY_PAGE * TY_PAGE) {
		uintptr_t p = ty_region_span(TY_KIND_UNTYPED, bytes, TY_PAGE);
		cr_assert(p && p % TY_HUGE_PAGE == 0 && ty_region_span_at(p - ty_conf.base));
		if (ty_region_sort(bytes) == TY_SORT_GIANT) { /* without access until opened */
			cr_assert(ty_os_open((void *)p, bytes));
			*(volatile char *)p = 1;
			((volatile char *)p)[bytes - 1] = 1;
			cr_assert(ty_os_close((void *)p, bytes));
			continue;
		}
		*(volatile char *)p = 1;
		((volatile char *)p)[bytes - 1] = 1;
	}
}

/* The last huge page that a span reaches is its zone's to the end, wherever that begins (large.c closes all of it). */
Test(region, huge_zones_end_with_a_huge_page)
{
	start();
	if (!ty_conf.roomy)
		cr_skip("little address space");
	for (int kind = 0; kind < TY_KINDS; kind++) {
		uintptr_t p = ty_region_span((enum ty_kind)kind, TY_HUGE_MIN + TY_PAGE, TY_PAGE);
		cr_assert(p && ty_region_span_at(ty_round_up(p + TY_HUGE_MIN + TY_PAGE, TY_HUGE_PAGE) - 1 - ty_conf.base));
		cr_assert((ty_conf.base + ty_frontier.zone[TY_SORT_HUGE * TY_KINDS + kind].top) % TY_HUGE_PAGE == 0);
	}
}

/* P7: a chunk holds one kind. */
Test(region, kinds_lie_apart)
{
	start();
	uintptr_t at[TY_KINDS];
	for (int i = 0; i < 200; i++)
		for (int kind = 0; kind < TY_KINDS; kind++) {
			at[kind] = ty_region_slab((enum ty_kind)kind, TY_PAGE);
			for (int other = 0; other < kind; other++)
				cr_assert((at[kind] > at[other] ? at[kind] - at[other] : at[other] - at[kind]) >= 2 * TY_PAGE,
					  "a guard between");
		}
}

/* Spans of different kinds are in different zones: gigabytes without access between them. */
Test(region, kinds_have_zones)
{
	static const size_t sizes[] = {TY_PAGE, TY_MIDDLE_MIN, TY_HUGE_MIN, TY_GIANT_MIN};
	start();
	if (!ty_conf.roomy)
		cr_skip("little address space");
	for (int i = 0; i < 100; i++)
		for (int sort = 0; sort < TY_SORTS; sort++)
			for (int kind = 0; kind < TY_KINDS; kind++) {
				uintptr_t off = ty_region_span((enum ty_kind)kind, sizes[sort], TY_PAGE) - ty_conf.base;
				cr_assert(ty_region_zone_of(off) == (u32)(sort * TY_KINDS + kind) && ty_region_span_at(off));
				cr_assert(ty_region_zone_of(off + sizes[sort]) == ty_region_zone_of(off));
			}
	for (int i = 1; i < TY_ZONES; i++)
		cr_assert(ty_frontier.zone[i].start - ty_frontier.zone[i - 1].top > (size_t)1 << 30);
}

Test(region, map)
{
	start();
	uintptr_t a = ty_region_slab(TY_KIND_UNTYPED, 4 * TY_PAGE), b = ty_region_slab(TY_KIND_UNTYPED, TY_PAGE);
	uintptr_t c = ty_region_span(TY_KIND_UNTYPED, TY_PAGE, TY_PAGE);
	cr_assert(ty_map_get(a - ty_conf.base) == 0 && ty_map_get(c - ty_conf.base) == 0);
	ty_map_set(a, 4 * TY_PAGE, 77);
	ty_map_set(c, TY_PAGE, 0xffffffff);
	for (size_t i = 0; i < 4 * TY_PAGE; i++)
		cr_assert(ty_map_get(a - ty_conf.base + i) == 77);
	cr_assert(ty_map_get(a - ty_conf.base + 4 * TY_PAGE) != 77 && ty_map_get(b - ty_conf.base) == 0);
	cr_assert(ty_map_get(c - ty_conf.base + 4095) == 0xffffffff);
	/* Every entry between the frontiers' two sides may be read. */
	for (size_t off = 0; off < ty_frontier.small_end; off += TY_PAGE)
		ty_map_get(off);
	ty_region_span(TY_KIND_UNTYPED, TY_HUGE_MIN, TY_PAGE);
	ty_region_span(TY_KIND_UNTYPED, TY_GIANT_MIN, TY_PAGE);
	ty_region_span(TY_KIND_UNTYPED, TY_MIDDLE_MIN, TY_PAGE);
	for (const struct ty_zone *z = ty_frontier.zone; z < ty_frontier.zone + TY_ZONES; z++)
		for (size_t off = z->start; off < z->top; off += TY_PAGE)
			ty_map_get(off);
}

Test(region, exhaustion)
{
	struct rlimit r = {(size_t)256 << 20, RLIM_INFINITY};
	cr_assert(!setrlimit(RLIMIT_AS, &r));
	start();
	cr_assert(ty_conf.size < (size_t)256 << 20);
	cr_assert(!ty_region_span(TY_KIND_UNTYPED, SIZE_MAX - TY_PAGE + 1, TY_PAGE));
	cr_assert(!ty_region_span(TY_KIND_UNTYPED, (size_t)1 << 46, TY_PAGE));
	cr_assert(!ty_region_span(TY_KIND_UNTYPED, TY_PAGE, (size_t)1 << 46));
	size_t bytes = 0;
	for (int i = 0;; i++) {
		uintptr_t p = i % 2 ? ty_region_slab(TY_KIND_UNTYPED, CHUNK) : ty_region_span(TY_KIND_UNTYPED, CHUNK, TY_PAGE);
		if (!p)
			break;
		bytes += CHUNK;
		cr_assert(p - ty_conf.base <= ty_conf.size - CHUNK);
		*(volatile char *)p = 1;
		((volatile char *)p)[CHUNK - 1] = 1;
	}
	cr_assert(bytes <= ty_conf.size && bytes > ty_conf.size / 4 * 3, "%zu of %zu", bytes, ty_conf.size);
	cr_assert(ty_frontier.small_end <= ty_frontier.zone[0].start);
	while (ty_region_slab(TY_KIND_DATA, TY_PAGE))
		;
	cr_assert(!ty_region_slab(TY_KIND_DATA, TY_PAGE), "and stays that way");
}

/* What was reserved is given back: a part that could not be enabled, as there was no memory, can be when there is. */
Test(region, memory_comes_back)
{
	struct rlimit r, none;
	size_t small = 0, large = 0;
	start();
	cr_assert(ty_region_slab(TY_KIND_DATA, CHUNK) && ty_region_span(TY_KIND_DATA, CHUNK, TY_PAGE));
	cr_assert(ty_region_release() && !ty_region_release());
	cr_assert(!getrlimit(RLIMIT_DATA, &r));
	none = (struct rlimit){CHUNK, r.rlim_max};
	cr_assert(!setrlimit(RLIMIT_DATA, &none));
	while (ty_region_slab(TY_KIND_DATA, CHUNK))
		small++;
	while (ty_region_span(TY_KIND_DATA, CHUNK, TY_PAGE))
		large++;
	cr_assert(!setrlimit(RLIMIT_DATA, &r));
	cr_assert(small < 10000 && large < 10000, "%zu, %zu: there was memory", small, large);
	for (int i = 0; i < 100; i++) {
		uintptr_t p = ty_region_slab(TY_KIND_DATA, CHUNK), q = ty_region_span(TY_KIND_DATA, CHUNK, TY_PAGE);
		cr_assert(p && q, "%d", i);
		((volatile char *)p)[CHUNK - 1] = ((volatile char *)q)[CHUNK - 1] = 1;
	}
}

/* The heap lies elsewhere in every process: bits of the base that differ over some children. */
static void print_base(void *arg)
{
	(void)arg;
	start();
	dprintf(2, "%lx", (unsigned long)ty_conf.base);
}

Test(region, base_is_random)
{
	unsigned long seen = 0, all = ~0ul;
	char text[64];
	for (int i = 0; i < 24; i++) {
		cr_assert(death_of(print_base, NULL, text, sizeof text) == 0);
		unsigned long base = strtoul(text, NULL, 16);
		seen |= base;
		all &= base;
	}
	cr_assert(ty_popcount(seen & ~all) >= 14, "bits %lx", seen & ~all);
}
