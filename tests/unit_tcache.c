#include "unit.h"

#include "heap.h"

#define CLS (4u | TY_CLASS_FIXED | TY_CLASS_SOURCE(TY_SOURCE_TYPE)) /* 64 bytes */

static void *make(u64 key)
{
	cr_assert(ty_heap_start());
	void *p = ty_try(key, CLS, 64, "malloc");
	if (!p)
		p = ty_alloc_slow(key, CLS, 64, "malloc");
	cr_assert(p && ty_all_zero(p, 64));
	return p;
}

static struct ty_slab *slab_of(void *p)
{
	u32 i;
	return ty_slot_at(p, (uintptr_t)p - ty_conf.base, &i, "test");
}

/* Nothing of the thread's own until it has used a cache often enough. */
Test(tcache, cold_then_hot)
{
	for (int i = 0; i < (int)TY_HOT(64) - 1; i++)
		cr_assert(slab_of(make(1))->owner == 0);
	cr_assert(ty_mine && ty_mine->nhot == 0);
	void *p = NULL;
	for (int i = 0; i < 2; i++)
		p = make(1);
	cr_assert(ty_mine->nhot == 1 && slab_of(p)->owner == ty_mine->id);
}

Test(tcache, many_keys_all_distinct)
{
	enum { KEYS = 1000, EACH = 30 };
	static void *all[KEYS][EACH];
	for (int i = 0; i < EACH; i++)
		for (u64 k = 0; k < KEYS; k++)
			memset(all[k][i] = make(k + 1), (int)k, 64);
	for (u64 k = 0; k < KEYS; k++)
		for (int i = 0; i < EACH; i++) {
			cr_assert(((unsigned char *)all[k][i])[63] == (unsigned char)k);
			cr_assert(ty_cache_ptr(slab_of(all[k][i])->cache)->key == k + 1);
			ty_free(all[k][i], "free");
		}
}

static void *free_all(void *arg)
{
	void **all = arg;
	for (int i = 0; i < 5000; i++)
		ty_free(all[i], "free");
	return NULL;
}

/* What others free comes back, and the number of slabs stays. */
Test(tcache, remote_frees_come_back)
{
	static void *all[5000];
	u64 bytes = 0;
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 5000; i++)
			memset(all[i] = make(1), 1, 64);
		if (round == 1)
			bytes = ty_index_cache(1, CLS)->bytes;
		in_thread(free_all, all);
	}
	cr_assert(ty_index_cache(1, CLS)->bytes <= bytes * 2);
}

static void *made_by_thread[1000];

static void *make_some(void *arg)
{
	(void)arg;
	for (int i = 0; i < 1000; i++)
		made_by_thread[i] = make(1);
	cr_assert(slab_of(made_by_thread[999])->owner != 0);
	for (int i = 0; i < 1000; i += 2)
		ty_free(made_by_thread[i], "free");
	return NULL;
}

/* A thread that ends owns nothing any more; its live objects go on. */
Test(tcache, thread_end)
{
	u32 caches = 0;
	for (int round = 0; round < 30; round++) {
		in_thread(make_some, NULL);
		for (int i = 0; i < 1000; i++)
			cr_assert(slab_of(made_by_thread[i])->owner == 0);
		for (int i = 1; i < 1000; i += 2)
			ty_free(made_by_thread[i], "free");
	}
	for (struct ty_tcache *tc = ty_tcache_next(NULL); tc; tc = ty_tcache_next(tc))
		caches++;
	cr_assert(caches <= 3, "%u thread caches for 30 threads, one after another", caches);
	cr_assert(ty_index_cache(1, CLS)->bytes < 1000 * 64 * 4);
}

static void free_it(void *p) { ty_free(p, "free"); }

static void *free_in_thread(void *p)
{
	ty_free(p, "free");
	return NULL;
}

Test(tcache, double_frees)
{
	void *p = NULL;
	for (int i = 0; i < 100; i++)
		p = make(1);
	cr_assert(slab_of(p)->owner == ty_mine->id);
	in_thread(free_in_thread, p);
	ASSERT_DIES(free_it, p, "free(): double free of 0x");
	void *q = make(1);
	free_it(q);
	ASSERT_DIES(free_it, q, "(type token 0x1, 64-byte cache)");
}

Test(tcache, flush_gives_empty_slabs_back)
{
	static void *all[20000];
	for (int i = 0; i < 20000; i++)
		all[i] = make(1);
	for (int i = 0; i < 20000; i++)
		ty_free(all[i], "free");
	ty_tcache_flush();
	for (int i = 0; i < 20000; i++)
		cr_assert(slab_of(all[i])->owner == 0);
	cr_assert(ty_cache_trim());
}

/* The stock of this thread that an object's slab belongs to. */
static const struct ty_stock *stock_of(void *p) { return ty_stock_ptr(slab_of(p)->stock); }

/* tcache.h: every entry is CACHED, of a slab of the stock, and there once, and there are no other such; slabs with entries are not empty. */
static void check_stock(const struct ty_stock *st)
{
	static const struct ty_entry *all[2 * TY_STOCK_MOST];
	const struct ty_mag *m = &ty_mine->table[st->place];
	u32 n = 0, k = 0;
	cr_assert(m->hot && ty_stock_ptr(m->own) == st && m->size == st->size && !st->none.p);
	cr_assert(ty_mag_ready(m) <= st->room && ty_stock_nfreed(st) <= st->room);
	for (u32 i = 0; i < ty_mag_ready(m); i++)
		all[n++] = ty_mag_entry(m, i);
	cr_assert(!ty_mag_ready(m) || ty_mag_entry(m, ty_mag_ready(m) - 1) == &st->entry[0] || ty_mag_ready(m) == 1);
	for (u32 i = 0; i < ty_stock_nfreed(st); i++)
		all[n++] = ty_stock_at(st, st->freed) + i;
	for (u32 i = 0; i < n; i++) {
		const struct ty_slab *s = slab_of(all[i]->p);
		cr_assert(ty_stock_ptr(s->stock) == st && s->owner == ty_mine->id && s->used);
		cr_assert(all[i]->state == ty_slot_state(s, (u32)(((uintptr_t)all[i]->p - s->start) / s->size)));
		cr_assert(*all[i]->state == TY_SLOT_CACHED && ty_all_zero_long(all[i]->p, st->size));
		for (u32 j = 0; j < i; j++)
			cr_assert(all[j]->p != all[i]->p);
	}
	const u32 lists[] = {st->partial, st->full};
	u32 cached = 0;
	for (; k < 2; k++) {
		for (u32 id = lists[k]; id; id = ty_slab_ptr(id)->next) {
			const struct ty_slab *s = ty_slab_ptr(id);
			cr_assert(ty_stock_ptr(s->stock) == st && s->used == ty_slab_count_used(s));
			cr_assert((s->used == s->nslots) == (k == 1));
			for (u32 i = 0; i < s->nslots; i++)
				cached += *ty_slot_state(s, i) == TY_SLOT_CACHED;
		}
	}
	cr_assert(cached == n, "%u slots are CACHED, %u entries", cached, n);
}

static void *make_of(u64 key, u32 size)
{
	u32 cls = size / 16 | TY_CLASS_FIXED | TY_CLASS_SOURCE(TY_SOURCE_TYPE);
	void *p = ty_try(key, cls, size, "malloc");
	if (!p)
		p = ty_alloc_slow(key, cls, size, "malloc");
	cr_assert(p && ty_all_zero_long(p, size));
	return p;
}

/* Bursts of all lengths, forward and backward, of slots of all lengths: the stock is what it must be after each. */
Test(tcache, stock_invariants)
{
	enum { MOST = 300 };
	static const u32 sizes[] = {16, 64, 1168, 1184, 2048, 2736, 4096, 16384};
	static void *all[MOST];
	u64 x = 88172645463325252u;
	cr_assert(ty_heap_start());
	for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
		u32 size = sizes[k], most = size > 2048 ? 40 : MOST;
		for (u32 i = 0; i < 50 + size / 32; i++)
			ty_free(make_of(9, size), "free");
		for (int round = 0; round < 1000; round++) {
			x ^= x << 13, x ^= x >> 7, x ^= x << 17;
			u32 n = 1 + (u32)(x % (round % 2 ? 20 : most));
			for (u32 i = 0; i < n; i++)
				memset(all[i] = make_of(9, size), 1, size);
			const struct ty_stock *st = stock_of(all[0]);
			cr_assert(st->size == size);
			check_stock(st);
			for (u32 i = 0; i < n; i++)
				ty_free(all[x >> 40 & 1 ? i : n - 1 - i], "free");
			check_stock(st);
		}
	}
	ty_tcache_flush();
}

static void pairs(u64 key, u32 size, int n)
{
	for (int i = 0; i < n; i++)
		ty_free(make_of(key, size), "free");
}
static u32 room_of(u64 key, u32 size)
{
	void *p = make_of(key, size);
	const struct ty_stock *st = stock_of(p);
	u32 room = st->room;

	check_stock(st);
	ty_free(p, "free");
	return room;
}

/* A stock that is filled often gets room, if its slots are small; one of many that are filled as often as each other does not. */
Test(tcache, busy_stocks_are_large)
{
	enum { FEW = 5, MANY = 2 * TY_STOCK_SHARE };
	static const u32 size[FEW] = {16, TY_STOCK_BUSY_BYTES / 62 / 16 * 16, TY_STOCK_BUSY_BYTES / 30 / 16 * 16, 1024, 4096};
	static const u32 room[FEW] = {TY_STOCK_MOST, TY_STOCK_MOST, 30, TY_STOCK_FIRST, TY_STOCK_LEAST};
	cr_assert(ty_heap_start());
	for (int k = 0; k < FEW; k++) {
		pairs(100, size[k], 100); /* hot */
		cr_assert(room_of(100, size[k]) <= TY_STOCK_FIRST);
		pairs(100, size[k], 10000);
		cr_assert(room_of(100, size[k]) == room[k], "%u bytes: %u", size[k], room_of(100, size[k]));
	}
	for (int round = 0; round < 10000; round++)
		for (u64 key = 0; key < MANY; key++)
			pairs(1000 + key, 64, 1);
	for (u64 key = 0; key < MANY; key++)
		cr_assert(room_of(1000 + key, 64) == TY_STOCK_FIRST);
	pairs(1001, 64, 10000);
	cr_assert(room_of(1001, 64) == TY_STOCK_MOST);
	/* The slabs that it had with less room are its own still. */
	static void *all[150];
	for (int i = 0; i < 150; i++)
		all[i] = make_of(2, 64);
	const struct ty_slab *s = slab_of(all[149]);
	cr_assert(s->owner == ty_mine->id && stock_of(all[149])->room == TY_STOCK_FIRST);
	for (int i = 0; i < 100; i++)
		ty_free(all[i], "free");
	pairs(2, 64, 10000);
	for (int i = 100; i < 150; i++)
		cr_assert(stock_of(all[i]) == stock_of(all[149]) && stock_of(all[i])->room == TY_STOCK_MOST && slab_of(all[i])->owner == s->owner);
	check_stock(stock_of(all[149]));
	for (int i = 100; i < 150; i++)
		ty_free(all[i], "free");
	ty_tcache_flush();
}

/* Free slots of a stock's slabs have their turn, however few it goes round with (P4: what was written to them is found). */
Test(tcache, free_slots_have_their_turn)
{
	enum { ALL = 200, KEPT = 10, SIZES = 6 };
	static const u32 size[SIZES] = {16, 64, 256, 416, 1024, 4096};
	static void *all[ALL];
	static bool seen[ALL];
	for (u64 k = 0; k < SIZES; k++) {
		pairs(300 + k, size[k], 10000); /* as large as it becomes */
		u32 room = room_of(300 + k, size[k]);
		for (int i = 0; i < ALL; i++)
			all[i] = make_of(300 + k, size[k]);
		memset(seen, 0, sizeof seen);
		for (int i = 0; i < ALL; i++)
			if (i % KEPT)
				ty_free(all[i], "free");
		for (int round = 0; round < 200000; round++) {
			void *p = make_of(300 + k, size[k]);
			for (int i = 0; i < ALL; i++)
				seen[i] |= all[i] == p;
			ty_free(p, "free");
		}
		u32 n = 0;
		for (int i = 0; i < ALL; i++)
			n += seen[i];
		/* (A slab's low words come first.) */
		cr_assert(n >= (size[k] < 64 ? 64 : 150), "%u bytes, room for %u: %u", size[k], room, n);
	}
}

/* P6: of what was freed last, anything may come next. */
Test(tcache, next_slot_may_be_any)
{
	enum { ROUNDS = 6000, N = 10, TRIES = 2 * TY_STOCK_MOST };
	static void *few[N], *others[TRIES];
	unsigned times[N] = {0}, hits = 0;
	for (int i = 0; i < 50; i++)
		ty_free(make(1), "free");
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < N; i++)
			few[i] = make(1);
		for (int i = 0; i < N; i++)
			ty_free(few[i], "free");
		int n = 0, k = N;
		while (k == N && n < TRIES) {
			others[n++] = make(1);
			for (k = 0; k < N && few[k] != others[n - 1]; k++)
				;
		}
		if (k < N) {
			times[k]++;
			hits++;
		}
		while (n)
			ty_free(others[--n], "free");
	}
	cr_assert(hits > ROUNDS / 2, "%u hits", hits);
	for (int i = 0; i < N; i++)
		cr_assert(times[i] > hits / 40 && times[i] < hits / 3, "the one freed as number %d comes first %u times of %u", i, times[i], hits);
}
