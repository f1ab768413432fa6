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

/* ---- parts of pages ---- */

static struct ty_cache *nth(u32 i, u32 size)
{
	u64 key = (i % 2 ? TY_TOKEN_POINTERS : TY_TOKEN_BOUNDED) + i;
	return ty_index_cache(key, size / 16 | TY_CLASS_FIXED | TY_CLASS_SOURCE(TY_SOURCE_TYPE));
}

static void free_quietly(void *p)
{
	ty_free_small(p, (uintptr_t)p - ty_conf.base, "free");
}

Test(cache, parts)
{
	enum { N = 2000 };
	static char *all[N], *more[N];
	unsigned parts = 0;
	cr_assert(ty_heap_start() && ty_conf.parts);
	for (u32 i = 0; i < N; i++) {
		u32 size = 16 + i / 2 % 12 * 16; /* up to 192 */
		struct ty_cache *c = nth(i, size);
		all[i] = ty_cache_alloc(c, TY_NO_CANARY, "malloc");
		struct ty_slab *s = ty_slab_at((uintptr_t)all[i] - ty_conf.base);
		cr_assert(s->cache == ty_meta_id(c) && s->size == size && ty_all_zero_long(all[i], size));
		cr_assert(s->part == (c->nth >= TY_PARTS_FROM && size <= TY_PART / 8), "cache %u, size %u", c->nth, size);
		cr_assert(c->bytes == (s->part ? TY_PART : TY_PAGE) && s->nslots == c->bytes / size);
		parts += s->part;
		memset(all[i], 0x33, size);
		struct ty_slab *page = ty_slab_ptr(ty_map_get((uintptr_t)all[i] - ty_conf.base));
		cr_assert((page->state == TY_SLAB_DIVIDED) == s->part && (page == s) == !s->part);
		/* P7 */
		for (u32 k = 0; s->part && k < TY_PARTS; k++)
			if (ty_slab_parts(page)[k])
				cr_assert(ty_cache_ptr(ty_slab_ptr(ty_slab_parts(page)[k])->cache)->kind == c->kind);
	}
	cr_assert(parts > 1000);
	/* Pages are not all in a row, nor the parts of one: some neighbours of the same size are on one page, most are not. */
	unsigned together = 0;
	for (u32 i = 24; i < N; i++)
		together += ((uintptr_t)all[i] ^ (uintptr_t)all[i - 24]) < TY_PAGE;
	cr_assert(together < N / 3, "%u", together);
	/* A full part is followed by slabs of the usual size; a thread gets none of it; and its address is the cache's for ever (P1). */
	for (u32 i = 1000; i < 1100; i++) {
		struct ty_slab *s = ty_slab_at((uintptr_t)all[i] - ty_conf.base);
		struct ty_cache *c = ty_cache_ptr(s->cache);
		if (!s->part)
			continue;
		cr_assert(!ty_cache_claim(s, 77));
		struct ty_slab *own = ty_cache_adopt(c, 77);
		cr_assert(own && !own->part && own->nslots == TY_PAGE / c->size);
		ty_cache_abandon(own);
		unsigned in = 1;
		for (u32 k = 0; k < 3u * s->nslots; k++) {
			char *p = ty_cache_alloc(c, TY_NO_CANARY, "malloc");
			cr_assert(p && ty_all_zero_long(p, c->size));
			in += p >= (char *)s->start && p < (char *)s->start + TY_PART;
		}
		cr_assert(in <= s->nslots);
	}
	/* Freed, they are given back to the system when all of a page are: half of them first, of either kind... */
	for (u32 i = 0; i < N; i++)
		if (i / 2 % 2)
			free_quietly(all[i]);
	ty_cache_trim();
	for (u32 i = 0; i < N; i++)
		for (u32 k = 0; k < 16 && !(i / 2 % 2); k++)
			cr_assert(all[i][k] == 0x33);
	/* ... some of which are used again, before the others go... */
	for (u32 i = 0; i < N; i++)
		if (i / 2 % 4 == 1) {
			more[i] = ty_cache_alloc(ty_cache_ptr(ty_slab_at((uintptr_t)all[i] - ty_conf.base)->cache), TY_NO_CANARY, "malloc");
			memset(more[i], 0x44, 16);
		}
	for (u32 i = 0; i < N; i++)
		if (!(i / 2 % 2))
			free_quietly(all[i]);
	ty_cache_trim();
	for (u32 i = 0; i < N; i++)
		for (u32 k = 0; k < 16 && i / 2 % 4 == 1; k++)
			cr_assert(more[i][k] == 0x44);
	/* ... and those at last. */
	for (u32 i = 0; i < N; i++)
		if (i / 2 % 4 == 1)
			free_quietly(more[i]);
	ty_cache_trim();
	unsigned gone = 0;
	for (u32 i = 0; i < N; i++) {
		struct ty_slab *s = ty_slab_at((uintptr_t)all[i] - ty_conf.base);
		gone += s->part && s->state == TY_SLAB_PURGED && !s->touched && !ty_slab_ptr(ty_map_get((uintptr_t)all[i] - ty_conf.base))->used;
	}
	for (u32 i = 0; i < N; i++) {
		struct ty_slab *s = ty_slab_at((uintptr_t)all[i] - ty_conf.base);
		more[i] = ty_cache_alloc(ty_cache_ptr(s->cache), TY_NO_CANARY, "malloc");
		cr_assert(ty_all_zero_long(more[i], s->size));
	}
	/* All but those of a hundred caches that got more above, and what shares their pages. */
	cr_assert(gone > parts - 400, "%u of %u", gone, parts);
	char *victim = more[N - 24]; /* of 16 bytes */
	cr_assert(ty_slab_at((uintptr_t)victim - ty_conf.base)->part);
	free_quietly(victim);
	ASSERT_DIES(free_quietly, victim, "free(): double free of 0x");
	ASSERT_DIES(free_quietly, victim + 8, "free(): interior pointer 0x");
	/* A part that is nobody's yet. */
	for (u32 i = 0; i < N; i++) {
		uintptr_t page = ty_round_down((uintptr_t)more[i], TY_PAGE);
		struct ty_slab *d = ty_slab_ptr(ty_map_get(page - ty_conf.base));
		for (u32 k = 0; d->state == TY_SLAB_DIVIDED && k < TY_PARTS; k++)
			if (!ty_slab_parts(d)[k]) {
				ASSERT_DIES(free_quietly, (void *)(page + k * TY_PART), "free(): unallocated pointer 0x");
				return;
			}
	}
}
