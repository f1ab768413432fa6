#include "unit.h"

#include "cache.h"
#include "heap.h"

static struct ty_cache *cache_of(u32 size)
{
	cr_assert(ty_heap_start());
	struct ty_cache *c = ty_index_cache(0x77, size / 16 | TY_CLASS_FIXED | TY_CLASS_SOURCE(TY_SOURCE_TYPE));
	cr_assert(c && c->size == size);
	return c;
}

static struct ty_slab *slot(void *p, u32 *i) { return ty_slot_at(p, (uintptr_t)p - ty_conf.base, i, "test"); }

static void give_back(void *p)
{
	u32 i;
	struct ty_slab *s = slot(p, &i);
	cr_assert(ty_cache_free(s, i, "free"));
}

static void give_back_quietly(void *p)
{
	u32 i;
	struct ty_slab *s = slot(p, &i);
	ty_cache_free(s, i, "free");
}

Test(cache, objects_are_distinct_and_zero)
{
	static const u32 sizes[] = {16, 48, 112, 1008, 4096, 6000 / 16 * 16, 16384};
	enum { N = 2000 };
	static char *all[N];
	for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
		u32 size = sizes[k];
		struct ty_cache *c = cache_of(size);
		for (int round = 0; round < 2; round++) {
			for (int i = 0; i < N; i++) {
				all[i] = ty_cache_alloc(c, TY_NO_CANARY, "malloc");
				cr_assert(all[i] && ty_all_zero_long(all[i], size));
				memset(all[i], i, size);
			}
			for (int i = 0; i < N; i++)
				for (u32 b = 0; b < size; b += 15)
					cr_assert(all[i][b] == (char)i);
			for (int i = 0; i < N; i++)
				give_back(all[i]);
		}
	}
}

/* Small at first, never more than doubling what there is. */
Test(cache, slabs_grow_with_use)
{
	struct ty_cache *c = cache_of(64);
	cr_assert(ty_cache_alloc(c, TY_NO_CANARY, "malloc"));
	cr_assert(c->nslabs == 1 && c->bytes == TY_PAGE);
	for (int i = 0; i < 20000; i++) {
		u64 before = c->bytes;
		cr_assert(ty_cache_alloc(c, TY_NO_CANARY, "malloc"));
		cr_assert(c->bytes - before <= before && c->bytes - before <= TY_SLAB_MAX);
	}
	cr_assert(c->bytes <= 20001 * 64 * 2 && c->nslabs < 60, "%u slabs", c->nslabs);
}

Test(cache, double_free)
{
	struct ty_cache *c = cache_of(64);
	void *keep = ty_cache_alloc(c, TY_NO_CANARY, "malloc"), *p = ty_cache_alloc(c, TY_NO_CANARY, "malloc");
	cr_assert(keep && p);
	give_back(p);
	ASSERT_DIES(give_back_quietly, p, "free(): double free of 0x");
	ASSERT_DIES(give_back_quietly, p, "(type token 0x77, 64-byte cache)");
	give_back(keep);
	ASSERT_DIES(give_back_quietly, keep, "double free of");
	ty_cache_trim();
	ASSERT_DIES(give_back_quietly, keep, "double free of");
}

static void alloc_all(void *c)
{
	for (int i = 0; i < 1000; i++)
		ty_cache_alloc(c, TY_NO_CANARY, "calloc");
}

Test(cache, write_after_free)
{
	struct ty_cache *c = cache_of(64);
	char *p = ty_cache_alloc(c, TY_NO_CANARY, "malloc");
	give_back(p);
	p[63] = 1;
	ASSERT_DIES(alloc_all, c, "calloc(): write after free at 0x");
}

Test(cache, trim_gives_pages_back_and_keeps_the_address)
{
	struct ty_cache *c = cache_of(4096);
	enum { N = 300 };
	static char *all[N];
	for (int i = 0; i < N; i++)
		memset(all[i] = ty_cache_alloc(c, TY_NO_CANARY, "malloc"), 1, 4096);
	for (int i = 0; i < N; i++)
		give_back(all[i]);
	u64 bytes = c->bytes;
	cr_assert(ty_cache_trim());
	cr_assert(!ty_cache_trim(), "nothing left to give");
	for (struct ty_slab *s = c->purged ? ty_slab_ptr(c->purged) : NULL; s;
	     s = s->next ? ty_slab_ptr(s->next) : NULL)
		cr_assert(s->touched == 0 && s->state == TY_SLAB_PURGED);
	cr_assert(c->purged && !c->empty);
	for (int i = 0; i < N; i++)
		cr_assert(ty_all_zero_long(all[i], 4096));
	for (int i = 0; i < N; i++) {
		char *p = ty_cache_alloc(c, TY_NO_CANARY, "malloc");
		u32 k;
		cr_assert(slot(p, &k)->cache == ty_meta_id(c) && ty_all_zero_long(p, 4096));
	}
	cr_assert(c->bytes == bytes);
}

static u32 length(u32 list)
{
	u32 n = 0;
	for (; list; list = ty_slab_ptr(list)->next)
		n++;
	return n;
}

/* New slabs of one cache take the place of what another has stopped using; a cache that goes round in its own keeps its pages. */
Test(cache, growth_gives_back_what_others_left)
{
	setenv("TYPED_MALLOC_OPTIONS", "decay_ms=86400000", 1);
	struct ty_cache *a = cache_of(4096), *b = cache_of(2048);
	enum { N = 500 };
	static char *all[2 * N];
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < N; i++)
			all[i] = ty_cache_alloc(a, TY_NO_CANARY, "malloc");
		for (int i = 0; i < N; i++)
			give_back(all[i]);
		for (u64 end = ty_os_now_ms() + 20; ty_os_now_ms() < end;)
			ty_os_pause();
	}
	cr_assert(length(a->empty) == a->nslabs && !a->purged, "%u of %u", length(a->empty), a->nslabs);
	for (int i = 0; i < 2 * N; i++)
		all[i] = ty_cache_alloc(b, TY_NO_CANARY, "malloc");
	cr_assert(length(a->purged) == a->nslabs && !a->empty, "%u of %u", length(a->purged), a->nslabs);
	cr_assert(length(b->purged) == 0 && b->live == 0);
	for (int i = 0; i < N; i++)
		cr_assert(ty_all_zero_long(ty_cache_alloc(a, TY_NO_CANARY, "malloc"), 4096));
}

/* A write after the free is found before the page goes. */
static void grow(void *c)
{
	for (u64 end = ty_os_now_ms() + 20; ty_os_now_ms() < end;)
		ty_os_pause();
	for (int i = 0; i < 1000; i++)
		ty_cache_alloc(c, TY_NO_CANARY, "malloc");
}

Test(cache, growth_finds_a_write)
{
	struct ty_cache *a = cache_of(4096), *b = cache_of(2048);
	char *p = ty_cache_alloc(a, TY_NO_CANARY, "malloc");
	give_back(p);
	p[4000] = 1;
	ASSERT_DIES(grow, b, "malloc(): write after free at 0x");
}

Test(cache, adopt_and_abandon)
{
	struct ty_cache *c = cache_of(64);
	void *p = ty_cache_alloc(c, TY_NO_CANARY, "malloc");
	u32 i;
	struct ty_slab *s = slot(p, &i);
	cr_assert(ty_cache_adopt(c, 123) == s && s->owner == 123);
	cr_assert(!ty_cache_free(s, i, "free"), "somebody owns it");
	void *q = ty_cache_alloc(c, TY_NO_CANARY, "malloc"); /* from another slab now */
	u32 k;
	cr_assert(slot(q, &k) != s);
	*ty_slot_state(s, i) = TY_SLOT_REMOTE; /* freed by another thread meanwhile */
	*ty_slab_remote(s, i / 64) |= 1ull << i % 64;
	cr_assert(!ty_cache_collect(s));
	ty_cache_abandon(s);
	cr_assert(s->owner == 0 && s->used == 0 && s->state == TY_SLAB_EMPTY && !*ty_slab_remote(s, i / 64));
}

Test(cache, lists)
{
	cr_assert(ty_heap_start());
	struct ty_slab *a = ty_slab_ptr(ty_meta_slab_new(64)), *b = ty_slab_ptr(ty_meta_slab_new(64)),
		       *c = ty_slab_ptr(ty_meta_slab_new(64));
	u32 head = 0;
	ty_list_push(&head, a);
	ty_list_push(&head, b);
	ty_list_push(&head, c);
	cr_assert(head == ty_slab_id(c) && c->next == ty_slab_id(b) && b->next == ty_slab_id(a) && a->next == 0);
	ty_list_remove(&head, b);
	cr_assert(c->next == ty_slab_id(a) && a->prev == ty_slab_id(c) && !b->next && !b->prev);
	ty_list_remove(&head, c);
	cr_assert(head == ty_slab_id(a) && a->prev == ty_slab_id(a) && ty_list_last(head) == a);
	ty_list_push_back(&head, b);
	ty_list_push_back(&head, c);
	cr_assert(head == ty_slab_id(a) && a->next == ty_slab_id(b) && b->next == ty_slab_id(c) && ty_list_last(head) == c);
	ty_list_remove(&head, c);
	cr_assert(ty_list_last(head) == b && b->next == 0);
	ty_list_remove(&head, b);
	cr_assert(ty_list_last(head) == a && a->next == 0);
	ty_list_remove(&head, a);
	cr_assert(head == 0);
}
