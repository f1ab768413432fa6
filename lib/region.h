/*
 * region.h: the address space of the heap, and the granule map that leads from an address to its slab.
 *
 * One reservation, made at start at a random place. Slabs are carved upward from its bottom, large objects
 * downward from its top; the hole between has no access. Memory is enabled and sealed in growing steps, and equal
 * neighbours merge, so the heap is three mappings however much it holds.
 *
 *   base                    small_end          large_start                base + size
 *   |  slabs, chunk by chunk |     no access    |   large spans, each + guard |
 *
 * A chunk holds slabs of one kind only (untyped, with pointers, pointer-free: P7). Nothing carved here is ever
 * given back: an address belongs to its first cache until the process ends (P1).
 *
 * The granule map has one 32-bit entry for each 4 KiB: the id of the slab there (every granule of a slab) or
 * of the span (its first granule only); 0: none. An entry is stored once, with release, after what it points to is
 * complete. The map and all other metadata live in a second reservation elsewhere, each part between pages without
 * access (P2):
 *
 *   | no access | granule map | no access | slab metadata | no access | other metadata | no access |
 *
 * Invariants
 *   - map entries of [0, small_end) and [large_start, size) may be read by anyone at any time.
 *   - small_end only grows, large_start only shrinks; both are written under the region lock.
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

struct ty_frontier {
	size_t small_end;   /* offset of the first byte above the slabs' enabled memory */
	size_t large_start; /* offset of the first byte of the large spans */
};

extern struct ty_frontier ty_frontier;
extern struct ty_lock ty_region_lock;

/* Make both reservations. False: not even the smallest fits. Once, at start. */
bool ty_region_init(void);

/* Memory for a slab: bytes (a power of two, 4 KiB to TY_SLAB_MAX), zero, enabled. 0: out of memory. */
uintptr_t ty_region_slab(enum ty_kind kind, size_t bytes);

/* Memory for a span: bytes (a multiple of 4 KiB) at a multiple of align, enabled, zero. 0: out of memory. */
uintptr_t ty_region_span(size_t bytes, size_t align);

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
