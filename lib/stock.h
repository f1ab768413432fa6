/*
 * stock.h: the slabs that a hot magazine owns, and the slots it has ready (but for the next, which is in the magazine).
 *
 *   partial --> slabs with a FREE slot            state PARTIAL
 *   full ----> slabs without one                  state FULL
 *
 * A slab goes from partial to full when the stock takes its last FREE slot, back when the stock gives one of its slots up or when
 * remote frees are collected, and to its cache when it is empty and EMPTY_KEPT others are. tcache.h has the fast paths and the
 * invariants; all of this runs in the thread that owns the slabs, without a lock.
 */
#ifndef TY_STOCK_H
#define TY_STOCK_H

#include "mag.h"

/* A stock for slots of cache c; NULL: out of memory. */
struct ty_stock *ty_stock_new(const struct ty_tcache *tc, const struct ty_cache *c);
/* A hot magazine has nothing ready: see to it. False: out of memory. */
bool ty_stock_fill(struct ty_tcache *tc, struct ty_mag *m, const char *fn);
/* A hot magazine is hidden or not, as its key's chain goes on or not by now. */
void ty_stock_show(struct ty_mag *m);
/* The magazine of this thread that a slab of nobody's would belong to; NULL: none. */
struct ty_mag *ty_mag_of(struct ty_tcache *tc, const struct ty_slab *s);
/* A slab of this thread that is on no list belongs to a stock, and goes where its `used` says. */
void ty_stock_shelve(struct ty_stock *st, struct ty_slab *s);
/* `used` of an owned slab went down: put it on the right list. */
void ty_stock_relist(struct ty_slab *s);
/* All entries are FREE slots again; slabs that are empty then, but EMPTY_KEPT, go to their cache. */
void ty_stock_flush(struct ty_mag *m);
/* Give everything a magazine has to its cache; it is cold then. */
void ty_stock_cool(struct ty_tcache *tc, struct ty_mag *m);
/* Now and then: magazines that this thread has stopped using give their slabs back. keep is in use. */
void ty_stock_sweep(struct ty_tcache *tc, const struct ty_stock *keep);
/* Objects that a hot magazine has handed out; for another thread, which may see some of a change, about so many. */
TY_INLINE u64 ty_stock_served(const struct ty_mag *m)
{
	const struct ty_stock *st = ty_stock_ptr(TY_LOAD(&m->own));
	u64 made = TY_LOAD(&st->served) + TY_LOAD(&st->filled), n = 0;

	if (TY_LOAD(&m->next.p))
		n = (u64)(TY_LOAD(&m->more) - st->entry) + 1;
	return n <= st->room && made > n ? made - n : made;
}

#endif
