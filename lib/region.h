/*
 * region.h: the address space of the heap, and the granule map that leads from an address to its slab.
 *
 * One reservation, made at start at a random place. Slabs are carved upward from its bottom, spans of large objects
 * downward in zones, one for each kind of memory (P7) and each sort of size: large, middle (TY_MIDDLE_MIN and more),
 * huge (TY_HUGE_MIN and more, with huge pages), giant (TY_GIANT_MIN and more). In a small reservation (not
 * ty_conf.roomy) there is one zone for all spans. The holes between have no access. Memory is enabled and sealed in
 * growing steps, and equal neighbours merge, so the heap is a handful of mappings however much it holds. Middle and
 * huge spans are not sealed, so that some of the free ones can be protected; giant spans have a mapping each while they
 * are live, are not sealed, and are opened and closed whole (large.h).
 *
 *   base          small_end  zone[0].start      5/16          zone[1].start 6/16                       zone[11].start  1
 *   | slabs, chunks | no access | large, untyped | no access | large, pointers | ... | no access | giant, pointer-free |
 *
 * A chunk holds slabs of one kind only (untyped, with pointers, pointer-free: P7), with a guard between two kinds.
 * Nothing carved here is ever given back: an address belongs to its first cache until the process ends (P1).
 *
 * The granule map has one 32-bit entry for each 4 KiB: the id of the slab there (every granule of a slab) or of the
 * span (its first granule, and every 16 MiB again); 0: none. An entry is stored once, with release, after what it
 * points to is complete. The map and all other metadata live in a second reservation elsewhere, each part between pages
 * without access (P2). The first of what is used of each lies within 2 MiB, so that a small program needs one page of the
 * processor's tables for all of it: they are made at its start, and copied and thrown away at each of its forks. So both sorts
 * of metadata are in two parts, near and far; ids count on from the near part's start.
 *
 *   | no access | near: slabs' | no access | near: other | no access | granule map | no access | far: slabs' | no access | far: other | no access |
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
	bool gone, map_gone; /* what lies below these two is not reserved any more (ty_region_release) */
};

/* Spans by size; the thresholds are below. */
enum ty_sort { TY_SORT_LARGE, TY_SORT_MIDDLE, TY_SORT_HUGE, TY_SORT_GIANT, TY_SORTS };

/* A roomy reservation has 16 parts: TY_SLAB_PARTS for slabs, then a zone each. */
#define TY_ZONES (TY_SORTS * TY_KINDS)
#define TY_SLAB_PARTS 4
_Static_assert(TY_SLAB_PARTS + TY_ZONES == 16, "parts of the reservation");

struct ty_frontier {
	size_t small_end; /* offset of the first byte above the slabs' enabled memory */
	u32 part_shift;	  /* constant: log2 of a part's bytes; 63 where there is but zone 0 */
	struct ty_zone zone[TY_ZONES];
};

/* Spans of this many bytes and more are of the middle zone: free ones are protected, which is cheaper than looking at them. */
#define TY_MIDDLE_MIN ((size_t)256 << 10)
/* These are huge, and start at a multiple of TY_HUGE_PAGE. */
#define TY_HUGE_MIN ((size_t)4 << 20)
#define TY_GIANT_MIN ((size_t)64 << 20)
#define TY_HUGE_PAGE ((size_t)2 << 20)

extern TY_HIDDEN struct ty_frontier ty_frontier;

/*
 * The zone that an offset below the reservation's size may belong to. The slabs' parts, as far as they are not theirs,
 * are zone 0's.
 */
TY_INLINE u32 ty_region_zone_of(size_t off)
{
	size_t part = off >> ty_frontier.part_shift;
	return part < TY_SLAB_PARTS ? 0 : (u32)part - TY_SLAB_PARTS;
}

/* Is the offset one where a span may be? */
TY_INLINE bool ty_region_span_at(size_t off)
{
	if (unlikely(off >= ty_conf.size))
		return false;
	const struct ty_zone *z = &ty_frontier.zone[ty_region_zone_of(off)];
	return off < z->top && off >= TY_LOAD_ACQ(&z->start);
}
extern struct ty_lock ty_region_lock;

/* Make both reservations. False: not even the smallest fits. Once, at start. */
bool ty_region_init(void);

/* Memory for a slab: bytes (a power of two, 4 KiB to TY_SLAB_MAX), zero, enabled. 0: out of memory. */
uintptr_t ty_region_slab(enum ty_kind kind, size_t bytes);

/*
 * Memory for a span: bytes (a multiple of 4 KiB) at a multiple of align, enabled, zero; of sort giant: without access.
 * 0: out of memory. A random number of pages below it, 1 to TY_GAP_MAX, and the one above it, are guarded for good
 * where guards are cheap, and never anybody's. (One below it while memory is dear: ty_os_tight.)
 */
#define TY_GAP_MAX 8
uintptr_t ty_region_span(enum ty_kind kind, size_t bytes, size_t align);
/* The sort of a span of so many bytes. */
TY_INLINE enum ty_sort ty_region_sort(size_t bytes)
{
	if (!ty_conf.roomy || bytes < TY_MIDDLE_MIN)
		return TY_SORT_LARGE;
	return bytes < TY_HUGE_MIN ? TY_SORT_MIDDLE : bytes < TY_GIANT_MIN ? TY_SORT_HUGE : TY_SORT_GIANT;
}

/* Point the granules of [p, p + bytes) at id. p: from the two functions above. */
void ty_map_set(uintptr_t p, size_t bytes, u32 id);

/* Id at an offset below the reservation's size; 0 for none. */
TY_INLINE u32 ty_map_get(size_t off) { return TY_LOAD_ACQ(&ty_conf.map[off >> TY_PAGE_SHIFT]); }

/* Bytes enabled in the heap, and the parts of the metadata reservation in use (for reports). */
size_t ty_region_enabled(void);
/* Address space has been limited: give back what is reserved and has never been used. False: that has been done (ty_os_limit). */
bool ty_region_release(void);
/* Is the address in one of our two reservations? */
bool ty_region_owns(uintptr_t p);

/* A growing, enabled prefix of a metadata part. Guarded by the lock of whoever owns it. */
struct ty_grow {
	char *start;
	size_t enabled, max;
	bool gone; /* what lies above `enabled` is not reserved any more */
};
/* Make at least the first `want` bytes usable. */
bool ty_grow_to(struct ty_grow *g, size_t want);
/* ty_region_release for what g may grow into. By whoever may grow it. */
void ty_grow_release(struct ty_grow *g);

/* What meta.c hands out, slabs' records and all other: the near parts and the far ones. */
enum { TY_NEAR, TY_FAR, TY_PLACES };
extern struct ty_grow ty_grow_slabs[TY_PLACES], ty_grow_meta[TY_PLACES];

#endif
