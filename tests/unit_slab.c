#include "unit.h"

#include "cache.h"
#include "heap.h"

/* Slot number and exactness for every size and every offset of the largest slab: the reciprocal never lies. */
Test(slab, slot_of_every_offset)
{
	for (u32 size = 16; size <= TY_SMALL_MAX; size += 16) {
		struct ty_slab s = {.size = size, .recip = (u32)((((u64)1 << 32) + size - 1) / size)};
		u32 n = (u32)(TY_SLAB_MAX / size);
		if (n > TY_SLAB_SLOTS_MAX)
			n = TY_SLAB_SLOTS_MAX;
		for (u32 i = 0; i < n; i++)
			cr_assert(ty_slot_of(&s, i * size) == i, "slot %u of %u", i, size);
		for (u32 d = 0; d < n * size; d += size % 48 ? 7 : 1) {
			u32 i = ty_slot_of(&s, d);
			cr_assert((i * size == d) == (d % size == 0), "offset %u of %u", d, size);
		}
		/* Below the slab's start offsets wrap around: never exact and in range. */
		for (u32 d = 1; d < 70000; d += 13) {
			u32 i = ty_slot_of(&s, 0u - d);
			cr_assert(i * size != 0u - d || i >= n);
		}
	}
}

Test(slab, records)
{
	cr_assert(ty_slab_record(1) == 64 && ty_slab_record(64) == 64 && ty_slab_record(65) == 80);
	cr_assert(ty_slab_record(TY_SLAB_SLOTS_MAX) == 64 + 15 * 16);
	struct ty_slab s = {.nslots = 64};
	cr_assert(ty_slab_words(&s) == 1);
	s.nslots = 65;
	cr_assert(ty_slab_words(&s) == 2);
}

static struct ty_slab *slab_of(void *p) { return ty_slab_ptr(ty_map_get((uintptr_t)p - ty_conf.base)); }

/* A slab nobody owns, with one live slot: the first. */
static struct ty_slab *some_slab(u32 size, void **live)
{
	cr_assert(ty_heap_start());
	struct ty_cache *c = ty_index_cache(0xabc, size / 16 | TY_CLASS_FIXED | TY_CLASS_SOURCE(TY_SOURCE_TYPE));
	cr_assert(c && (*live = ty_cache_alloc(c, TY_NO_CANARY, "test")));
	struct ty_slab *s = slab_of(*live);
	cr_assert(s->size == size && s->owner == 0 && ty_slab_count_used(s) == 1);
	return s;
}

Test(slab, take_gives_slots_with_pages)
{
	void *live;
	struct ty_slab *s = some_slab(112, &live);
	unsigned w, taken = 1;
	u64 limit;
	while (ty_slab_take(s, 1, &w, &limit)) {
		u64 take = s->w[w].free & limit;
		cr_assert(take);
		for (; take; take &= take - 1, taken++) {
			u32 i = w * 64 + ty_ctz(take);
			cr_assert(i < s->nslots);
			cr_assert(((size_t)i + 1) * s->size <= (size_t)s->touched << TY_PAGE_SHIFT);
			s->w[w].free &= ~(take & -take);
		}
	}
	cr_assert(taken == s->nslots && ty_slab_count_used(s) == s->nslots);
}

Test(slab, collect)
{
	void *live;
	struct ty_slab *s = some_slab(64, &live);
	u32 i = (u32)(((uintptr_t)live - s->start) / 64);
	cr_assert(ty_slab_collect(s) == 0);
	s->w[i / 64].remote |= 1ull << i % 64;
	cr_assert(ty_slab_collect(s) == 1);
	cr_assert(s->w[i / 64].remote == 0 && s->w[i / 64].free >> i % 64 & 1 && ty_slab_count_used(s) == 0);
}

static void collect(void *s) { ty_slab_collect(s); }

Test(slab, collect_finds_double_frees)
{
	void *live;
	struct ty_slab *s = some_slab(64, &live);
	s->w[0].remote |= s->w[0].free & -s->w[0].free; /* a slot that is free already */
	ASSERT_DIES(collect, s, "double free of");
}
