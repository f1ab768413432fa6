/*
 * meta.h: memory for the allocator itself, out of the program's reach (P2).
 *
 * Two growing arrays of 64-byte units, each named by a 32-bit id; id 0 is no object. An id is the offset of the object's
 * first unit in words of TY_META_STEP bytes: base + id * 8 is one instruction.
 *   - slab metadata: struct ty_slab, struct ty_span; never given back, walked from end to end by reports;
 *   - the rest: caches, types, thread caches, tables. Power-of-two tables can be given back and are reused
 *     for tables.
 * Memory is zero when handed out.
 *
 * Lock: meta (see lock.h), taken inside.
 */
#ifndef TY_META_H
#define TY_META_H

#include "region.h"

#define TY_META_UNIT 64
#define TY_META_STEP 8
#define TY_META_IDS (TY_META_UNIT / TY_META_STEP) /* from one unit's id to the next one's */

extern struct ty_lock ty_meta_lock;
/* What records may grow into, likewise; after ty_region_release, once. */
void ty_meta_release(void);

/* Called once at start. */
bool ty_meta_init(void);

/* bytes of zero memory, aligned to 64; NULL: out of memory. */
void *ty_meta_alloc(size_t bytes);
/* Give back a table of bytes (a power of two, at least 64). */
void ty_meta_free(void *p, size_t bytes);

/* Ids of slab metadata: a zero record for a slab of nslots (0: a span); its nslots is set; 0: out of memory. */
u32 ty_meta_slab_new(unsigned nslots);
/* Give back a record that came to nothing. */
void ty_meta_slab_undo(u32 id);
/* For walks over slab metadata: the first id, the one behind the last, and the one after. */
#define TY_META_SLAB_FIRST (2 * TY_META_IDS)
u32 ty_meta_slab_end(void);
u32 ty_meta_slab_after(u32 id);

TY_INLINE void *ty_meta_ptr(u32 id) { return ty_conf.meta + (size_t)id * TY_META_STEP; }
TY_INLINE u32 ty_meta_id(const void *p) { return (u32)((size_t)((const char *)p - ty_conf.meta) / TY_META_STEP); }

/* Does an id of the other array stand for memory handed out? */
bool ty_meta_has(u32 id);
/* Bytes of metadata in use (reports). */
size_t ty_meta_bytes(void);

#endif
