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
	/* One state more than there are slots, which is never LIVE, then remote words. */
	cr_assert(ty_slab_record(1) == 48 + 8 + 8 && ty_slab_record(7) == 64 && ty_slab_record(8) == 72);
	cr_assert(ty_slab_record(64) == 48 + 72 + 8 && ty_slab_record(65) == 48 + 72 + 16);
	static struct {
		struct ty_slab s;
		char rest[2048];
	} r;
	for (u32 n = 1; n <= TY_SLAB_SLOTS_MAX; n++) {
		r.s.nslots = (u16)n;
		cr_assert(ty_slab_words(&r.s) == (n + 63) / 64);
		cr_assert((char *)ty_slab_remote(&r.s, 0) > (char *)ty_slot_state(&r.s, n));
		cr_assert((char *)ty_slab_remote(&r.s, ty_slab_words(&r.s)) == (char *)&r + ty_slab_record(n));
	}
}

/* The states of all slots, in every position, whatever lies behind them. */
Test(slab, states_as_bits)
{
	static struct {
		struct ty_slab s;
		char rest[2048];
	} r;
	for (u32 n = 1; n <= 200; n++) {
		memset(&r, 0xff, sizeof r);
		r.s.nslots = (u16)n;
		for (u32 i = 0; i < n; i++)
			*ty_slot_state(&r.s, i) = i % 3 ? TY_SLOT_LIVE : TY_SLOT_FREE;
		u32 nfree = 0;
		for (u32 i = 0; i < n; i++) {
			u64 w = ty_slab_free_word(&r.s, i / 64);
			cr_assert((w >> i % 64 & 1) == (i % 3 == 0), "slot %u of %u", i, n);
			cr_assert(ty_slot_live(&r.s, i) == (i % 3 != 0));
			nfree += i % 3 == 0;
		}
		if (n % 64)
			cr_assert(!(ty_slab_free_word(&r.s, n / 64) >> n % 64));
		cr_assert(ty_slab_count_used(&r.s) == n - nfree && ty_slab_count_live(&r.s) == n - nfree);
	}
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
	u64 take;
	while (ty_slab_take(s, 1, &w, &take)) {
		cr_assert(take);
		for (; take; take &= take - 1, taken++) {
			u32 i = w * 64 + ty_ctz(take);
			cr_assert(i < s->nslots);
			cr_assert(((size_t)i + 1) * s->size <= (size_t)s->touched << TY_PAGE_SHIFT);
			cr_assert(*ty_slot_state(s, i) == TY_SLOT_FREE);
			*ty_slot_state(s, i) = TY_SLOT_CACHED;
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
	*ty_slot_state(s, i) = TY_SLOT_REMOTE;
	*ty_slab_remote(s, i / 64) |= 1ull << i % 64;
	cr_assert(ty_slab_count_used(s) == 1 && ty_slab_count_live(s) == 0);
	cr_assert(ty_slab_collect(s) == 1);
	cr_assert(!*ty_slab_remote(s, i / 64) && *ty_slot_state(s, i) == TY_SLOT_FREE && ty_slab_count_used(s) == 0);
}

static void collect(void *s) { ty_slab_collect(s); }

/* What another thread has freed, and the owner too: free already, in his stock, or handed out again. */
Test(slab, collect_finds_double_frees)
{
	void *live;
	struct ty_slab *s = some_slab(64, &live);
	u32 i = (u32)(((uintptr_t)live - s->start) / 64);
	*ty_slab_remote(s, i / 64) |= 1ull << i % 64;
	static const u8 states[] = {TY_SLOT_FREE, TY_SLOT_CACHED, TY_SLOT_LIVE, TY_SLOT_HELD};
	for (size_t k = 0; k < sizeof states; k++) {
		*ty_slot_state(s, i) = states[k];
		ASSERT_DIES(collect, s, "double free of");
	}
}
