/*
 * stock.h: the slabs that a magazine owns, and the slots it hands out of them.
 *
 *   current --> one slab; the magazine's word is one of its words           state CURRENT
 *   partial --> slabs with a free slot, none of them current                state PARTIAL
 *   full ----> slabs without one, as far as their owner has counted         state FULL
 *
 * A slab leaves full when its owner frees or collects a slot of it (slab.h: trip), current when it has nothing free, and
 * the thread when it is empty and EMPTY_KEPT others are. tcache.h has the fast paths; all of this runs in the thread
 * that owns the slabs, without a lock.
 */
#ifndef TY_STOCK_H
#define TY_STOCK_H

#include "mag.h"

/* The magazine of this thread that a slab of this thread belongs to, or might; NULL: none. */
struct ty_mag *ty_mag_of(struct ty_tcache *tc, const struct ty_slab *s);
/* A slab of this thread that is on no list goes where its `used` says. */
void ty_stock_shelve(struct ty_mag *m, struct ty_slab *s);
/* The current slab, of which `used` slots are not free, is current no more. */
void ty_stock_retire(struct ty_mag *m, u32 used);
/* `used` of an owned slab that is not current went down, maybe past `trip`: put it on the right list. */
void ty_stock_relist(struct ty_tcache *tc, struct ty_slab *s);
/* Give everything a magazine has to its cache; it is cold then. */
void ty_stock_cool(struct ty_tcache *tc, struct ty_mag *m);
/* Now and then: magazines that this thread has stopped using give their slabs back. keep is in use. */
void ty_stock_sweep(struct ty_tcache *tc, const struct ty_mag *keep);

#endif
