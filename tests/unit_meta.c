#include "unit.h"

#include "meta.h"
#include "slab.h"

static void set_up(void)
{
	ty_os_init();
	ty_conf_init();
	cr_assert(ty_region_init() && ty_meta_init());
}
TestSuite(meta, .init = set_up);

static bool is_zero(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

Test(meta, fresh_memory)
{
	char *last = NULL;
	for (size_t n = 1; n < 200000; n += n / 3 + 1) {
		char *p = ty_meta_alloc(n);
		cr_assert(p && (uintptr_t)p % TY_META_UNIT == 0 && p >= last && is_zero(p, n));
		memset(p, 0xff, n);
		last = p + n;
		cr_assert(ty_meta_ptr(ty_meta_id(p)) == p && ty_meta_id(p) != 0);
		cr_assert((uintptr_t)p - ty_conf.base >= ty_conf.size, "not in the heap (P2)");
	}
}

Test(meta, tables_come_back_zero)
{
	void *a = ty_meta_alloc(4096), *other = ty_meta_alloc(2048);
	memset(a, 0xff, 4096);
	memset(other, 0xff, 2048);
	ty_meta_free(a, 4096);
	void *b = ty_meta_alloc(2048);
	cr_assert(b != a && b != other);
	void *c = ty_meta_alloc(4096);
	cr_assert(c == a && is_zero(c, 4096));
	void *d = ty_meta_alloc(4096);
	cr_assert(d != c && is_zero(d, 4096));
}

Test(meta, slab_records)
{
	u32 last = 1;
	for (int i = 0; i < 5000; i++) {
		unsigned nslots = (unsigned)i % 1025;
		size_t bytes = ty_slab_record(nslots ? nslots : 1);
		u32 id = ty_meta_slab_new(nslots);
		cr_assert(id > last && ty_meta_slab_end() > id);
		struct ty_slab *s = ty_slab_ptr(id);
		cr_assert(s->nslots == nslots);
		s->nslots = 0;
		cr_assert(is_zero((const char *)s, bytes));
		memset(s, 0xff, bytes);
		last = id;
	}
}

/* What came to nothing is there again, cut into units. */
Test(meta, slab_records_undone)
{
	u32 id = ty_meta_slab_new(1000), end = ty_meta_slab_end();
	unsigned units = (unsigned)(ty_round_up(ty_slab_record(1000), TY_META_UNIT) / TY_META_UNIT);
	ty_meta_slab_undo(id);
	for (unsigned i = 0; i < units; i++) {
		u32 again = ty_meta_slab_new(0);
		cr_assert(again >= id && again < id + units * TY_META_IDS && is_zero((const char *)ty_slab_ptr(again), TY_META_UNIT));
	}
	cr_assert(ty_meta_slab_end() == end);
	cr_assert(ty_meta_slab_new(0) == end);
}

static void *take(void *arg)
{
	for (int i = 0; i < 2000; i++) {
		u64 *p = ty_meta_alloc(128);
		cr_assert(p && *p == 0);
		*p = (uintptr_t)arg;
		cr_assert(ty_meta_slab_new(0));
		if (i % 3 == 0)
			ty_meta_free(p, 128);
	}
	return NULL;
}

Test(meta, threads)
{
	pthread_t t[4];
	for (uintptr_t i = 0; i < 4; i++)
		cr_assert(!pthread_create(&t[i], NULL, take, (void *)(i + 1)));
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	/* More than the near part holds: none is missed, and none met twice, where they go on in the far one. */
	unsigned n = 0, far = 0;
	for (u32 id = TY_META_SLAB_FIRST, last = 0; id < ty_meta_slab_end(); last = id, id = ty_meta_slab_after(id), n++) {
		cr_assert(id > last);
		far += id != TY_META_SLAB_FIRST && id != last + TY_META_IDS;
	}
	cr_assert(n == 4 * 2000 && far == 1);
}

/* The far parts begin when the near ones are full, and all ids lead back. */
Test(meta, far)
{
	u32 id = 0;
	size_t units = 0;

	while ((char *)ty_slab_ptr(id) < ty_grow_slabs[TY_FAR].start) {
		id = ty_meta_slab_new(1000);
		cr_assert(id && ty_slab_id(ty_slab_ptr(id)) == id);
	}
	cr_assert((char *)ty_slab_ptr(id) == ty_grow_slabs[TY_FAR].start && ty_slab_ptr(id)->nslots == 1000);
	u32 last = 0;
	for (u32 i = TY_META_SLAB_FIRST; i < ty_meta_slab_end(); i = ty_meta_slab_after(i))
		last = i;
	cr_assert(last == id);
	cr_assert(!ty_meta_has((u32)((size_t)(ty_grow_meta[TY_NEAR].start + ty_grow_meta[TY_NEAR].max - ty_conf.meta) / TY_META_STEP)));
	char *big = ty_meta_alloc((size_t)1 << 20), *small = ty_meta_alloc(TY_META_UNIT);
	cr_assert(big == ty_grow_meta[TY_FAR].start && is_zero(big, (size_t)1 << 20));
	cr_assert(small < ty_grow_meta[TY_NEAR].start + ty_grow_meta[TY_NEAR].max, "what fits is near");
	cr_assert(ty_meta_ptr(ty_meta_id(big)) == big && ty_meta_has(ty_meta_id(big)) && ty_meta_has(ty_meta_id(small)));
	cr_assert(!ty_meta_has(ty_meta_id(big + ((size_t)1 << 20))));
	for (units = 0; small < ty_grow_meta[TY_FAR].start; units++)
		cr_assert((small = ty_meta_alloc(TY_META_UNIT)) != NULL);
	cr_assert(units > 1000 && small == big + ((size_t)1 << 20));
	/* An id is 32 bits. */
	cr_assert((size_t)(ty_grow_slabs[TY_FAR].start + ty_grow_slabs[TY_FAR].max - ty_conf.slabs) / TY_META_STEP <= UINT32_MAX);
	cr_assert((size_t)(ty_grow_meta[TY_FAR].start + ty_grow_meta[TY_FAR].max - ty_conf.meta) / TY_META_STEP <= UINT32_MAX);
}
