/*
 * region.h: the address space of the heap, and the granule map that leads from an address to its slab.
 *
 * One reservation, made at start at a random place. Slabs are carved upward from its bottom, spans of large objects
 * downward, in zones by their size: large from the half, middle (TY_MIDDLE_MIN and more) from five eighths, huge (TY_HUGE_MIN and more, which the kernel may
 * back with huge pages) from three quarters, giant (TY_GIANT_MIN and more) from the top. In a small reservation all spans go
 * down from the top. The holes between have no access. Memory is enabled and sealed in growing steps, and equal
 * neighbours merge, so the heap is a handful of mappings however much it holds. Middle and huge spans are not sealed, so that
 * some of the free ones can be protected; giant spans have a mapping each while they are live, are not sealed, and are
 * opened and closed whole (large.h).
 *
 *   base          small_end   large.start     1/2    huge.start      3/4     giant.start           1
 *   | slabs, chunks | no access | spans, guards | no access | huge spans | no access | giant spans, no access between |
 *
 * A chunk holds slabs of one kind only (untyped, with pointers, pointer-free: P7), with a guard between two kinds. Nothing carved here is ever
 * given back: an address belongs to its first cache until the process ends (P1).
 *
 * The granule map has one 32-bit entry for each 4 KiB: the id of the slab there (every granule of a slab) or
 * of the span (its first granule, and every 16 MiB again); 0: none. An entry is stored once, with release, after what it points to is
 * complete. The map and all other metadata live in a second reservation elsewhere, each part between pages without
 * access (P2):
 *
 *   | no access | granule map | no access | slab metadata | no access | other metadata | no access |
 *
 * Invariants
 *   - map entries of [0, small_end) and of [start, top) of any zone of spans may be read by anyone at any time.
 *   - small_end only grows, a zone's start only shrinks; both are written under the region lock.
 *
 * Lock: region (see lock.h).
 */
#ifndef TY_REGION_H
#define TY_REGION_H

#include "bits.h"
#include "conf.h"
#include "lock.h"

/* What may lie together on a page (P7). */
enum ty_kind { TY_KIND_UNTYPED, TY_KIND_POINTERS, TY_KIND_DATA, TY_KINDS };

/* Offsets. What is not said to be constant is guarded by the region lock, and start may be read by anyone. */
struct ty_zone {
	size_t start;	 /* of the lowest span */
	size_t top;	 /* constant: the first span ended here */
	size_t enabled;	 /* of the lowest enabled byte */
	size_t map_high; /* byte offset in the granule map from which the zone's part of it is enabled */
};

struct ty_frontier {
	size_t small_end; /* offset of the first byte above the slabs' enabled memory */
	struct ty_zone large, middle, huge, giant;
};

/* Spans of this many bytes and more are of the middle zone: free ones are protected, which is cheaper than looking at them. */
#define TY_MIDDLE_MIN ((size_t)256 << 10)
/* These are huge, and start at a multiple of TY_HUGE_PAGE. */
#define TY_HUGE_MIN ((size_t)4 << 20)
#define TY_GIANT_MIN ((size_t)64 << 20)
#define TY_HUGE_PAGE ((size_t)2 << 20)

extern TY_HIDDEN struct ty_frontier ty_frontier;

/* Is the offset one where a span may be? */
TY_INLINE bool ty_region_span_at(size_t off)
{
	const struct ty_zone *l = &ty_frontier.large, *m = &ty_frontier.middle, *h = &ty_frontier.huge, *g = &ty_frontier.giant;
	return (off < l->top && off >= TY_LOAD_ACQ(&l->start)) || (off < m->top && off >= TY_LOAD_ACQ(&m->start)) || (off < h->top && off >= TY_LOAD_ACQ(&h->start)) ||
	       (off < g->top && off >= TY_LOAD_ACQ(&g->start));
}
extern struct ty_lock ty_region_lock;

/* Make both reservations. False: not even the smallest fits. Once, at start. */
bool ty_region_init(void);

/* Memory for a slab: bytes (a power of two, 4 KiB to TY_SLAB_MAX), zero, enabled. 0: out of memory. */
uintptr_t ty_region_slab(enum ty_kind kind, size_t bytes);

/*
 * Memory for a span: bytes (a multiple of 4 KiB) at a multiple of align, enabled, zero; giant (where
 * ty_region_is_giant(bytes)): without access. 0: out of memory. A random number of pages below it, 1 to TY_GAP_MAX, and the one
 * above it, are guarded for good where guards are cheap, and never anybody's.
 */
#define TY_GAP_MAX 8
uintptr_t ty_region_span(size_t bytes, size_t align);
TY_INLINE bool ty_region_is_huge(size_t bytes)
{
	return bytes >= TY_HUGE_MIN && ty_frontier.huge.top && !(bytes >= TY_GIANT_MIN && ty_frontier.giant.top);
}
TY_INLINE bool ty_region_is_middle(size_t bytes)
{
	return bytes >= TY_MIDDLE_MIN && bytes < TY_HUGE_MIN && ty_frontier.middle.top;
}
TY_INLINE bool ty_region_is_giant(size_t bytes) { return bytes >= TY_GIANT_MIN && ty_frontier.giant.top; }

/* Point the granules of [p, p + bytes) at id. p: from the two functions above. */
void ty_map_set(uintptr_t p, size_t bytes, u32 id);

/* Id at an offset below the reservation's size; 0 for none. */
TY_INLINE u32 ty_map_get(size_t off) { return TY_LOAD_ACQ(&ty_conf.map[off >> TY_PAGE_SHIFT]); }

/* Bytes enabled in the heap, and the parts of the metadata reservation in use (for reports). */
size_t ty_region_enabled(void);
/* Is the address in one of our two reservations? */
bool ty_region_owns(uintptr_t p);

/* A growing, enabled prefix of a metadata part. Guarded by the lock of whoever owns it. */
struct ty_grow {
	char *start;
	size_t enabled, max;
};
/* Make at least the first `want` bytes usable. */
bool ty_grow_to(struct ty_grow *g, size_t want);

/* The parts that meta.c hands out. */
extern struct ty_grow ty_grow_slabs, ty_grow_meta;

#endif
