/*
 * quarantine.h: option quarantine, which holds freed slots back.
 *
 *   free --> | ring, in order: the last KIB kibibytes that this thread has freed | --> | pool: 64, no order | --> cache
 *
 * A slot in quarantine is zero and HELD (slab.h), so that a second free of it is found. What leaves the ring takes a
 * random place in the pool, and what was there goes back to its cache: no earlier than KIB kibibytes later, and when
 * from then on, nobody can tell. A write to it meanwhile is found then.
 *
 * Slots go back under the stripe lock, whoever freed them, so no thread owns slabs with this option: every magazine stays
 * cold. At a thread's end its slots go back at once. In the child of a fork those of other threads stay away for good.
 *
 * Fields are their thread's.
 */
#ifndef TY_QUARANTINE_H
#define TY_QUARANTINE_H

#include "tcache.h"

#define TY_QUARANTINE_POOL 64

struct ty_quarantine {
	u64 *ring;    /* slab id, slot number << 32 */
	u32 room;     /* entries in ring: 0 or a power of two */
	u32 first, n; /* of those that are used */
	size_t bytes; /* of their slots */
	u64 pool[TY_QUARANTINE_POOL];
};

/* Slot i of s, which ty_cache_hold has marked, waits with this thread. */
void ty_quarantine_add(struct ty_slab *s, u32 i, const char *fn);
/* All that wait with tc go back. By its thread, at its end. */
void ty_quarantine_flush(struct ty_tcache *tc);

#endif
