/* quarantine.c: see quarantine.h. */
#include "quarantine.h"

#define FIRST_ROOM 64
#define TICK 64 /* slots between two looks for memory to give back: cold magazines never look */

static void release(u64 entry, const char *fn)
{
	if (entry)
		ty_cache_release(ty_slab_ptr((u32)entry), (u32)(entry >> 32), fn);
}

static u64 oldest(struct ty_quarantine *q)
{
	u64 e = q->ring[q->first];

	q->first = (q->first + 1) & (q->room - 1);
	q->n--;
	q->bytes -= ty_slab_ptr((u32)e)->size;
	return e;
}

static void to_pool(struct ty_tcache *tc, u64 entry, const char *fn)
{
	u64 *place = &tc->quarantine->pool[ty_random_of(&tc->rng, TY_QUARANTINE_POOL)], out = *place;

	*place = entry;
	release(out, fn);
}

/* Room for one more in the ring. */
static bool make_room(struct ty_quarantine *q)
{
	if (q->n < q->room)
		return true;
	u32 room = q->room ? q->room * 2 : FIRST_ROOM;
	u64 *ring = ty_meta_alloc(room * sizeof *ring);
	if (!ring)
		return false;
	for (u32 i = 0; i < q->n; i++)
		ring[i] = q->ring[(q->first + i) & (q->room - 1)];
	if (q->ring)
		ty_meta_free(q->ring, q->room * sizeof *ring);
	q->ring = ring;
	q->room = room;
	q->first = 0;
	return true;
}

void ty_quarantine_add(struct ty_slab *s, u32 i, const char *fn)
{
	struct ty_tcache *tc = ty_tcache_get();
	u64 e = (u64)i << 32 | ty_slab_id(s);

	if (tc && !tc->quarantine)
		tc->quarantine = ty_meta_alloc(sizeof *tc->quarantine);
	struct ty_quarantine *q = tc ? tc->quarantine : NULL;
	if (!q || (!make_room(q) && !q->n)) { /* a thread that has ended, or no memory */
		release(e, fn);
		return;
	}
	if (q->n == q->room)
		to_pool(tc, oldest(q), fn);
	q->ring[(q->first + q->n++) & (q->room - 1)] = e;
	q->bytes += s->size;
	while (q->bytes > (size_t)ty_conf.quarantine << 10) {
		to_pool(tc, oldest(q), fn);
		if (q->first % TICK == 0)
			ty_cache_tick("free");
	}
}

void ty_quarantine_flush(struct ty_tcache *tc)
{
	struct ty_quarantine *q = tc->quarantine;

	if (!q)
		return;
	while (q->n)
		to_pool(tc, oldest(q), "free");
	for (int k = 0; k < TY_QUARANTINE_POOL; k++) {
		release(q->pool[k], "free");
		q->pool[k] = 0;
	}
	if (q->ring)
		ty_meta_free(q->ring, q->room * sizeof *q->ring);
	q->ring = NULL;
	q->room = q->first = 0;
}
