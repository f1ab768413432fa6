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

/* P6: whichever slots are free, the next one may be any of them, though some are likelier than others. */
Test(tcache, next_slot_may_be_any)
{
	enum { ROUNDS = 20000, FEW = ROUNDS / 400, MANY = ROUNDS / 10 * 9 };
	static const u64 words[] = {~0ull, 0xffffffffull, 0xf0f0f0f0f0f0f0f0ull, 0x8000000000000003ull};
	make(1);
	struct ty_tcache *tc = ty_tcache_get();
	cr_assert(tc);
	for (size_t k = 0; k < sizeof words / sizeof *words; k++) {
		unsigned times[64] = {0};
		for (int i = 0; i < ROUNDS; i++) {
			cr_assert(ty_os_random(&tc->draw, sizeof tc->draw));
			unsigned bit = ty_draw_bit(tc, words[k]);
			cr_assert(bit < 64 && words[k] >> bit & 1);
			times[bit]++;
		}
		for (unsigned bit = 0; bit < 64; bit++)
			cr_assert(!(words[k] >> bit & 1) || (times[bit] > FEW && times[bit] < MANY), "word %zu, slot %u: %u times of %d",
				  k, bit, times[bit], ROUNDS);
	}
}
