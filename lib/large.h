/*
 * large.h: objects above TY_SMALL_MAX, each a span of pages of its own with a guard right behind its last page.
 *
 *                       start   start + lead           start + need              start + bytes
 *   | guarded gap, random | zeros | object, req bytes | tail | guard page | room to grow | guarded: the next span's gap
 *                         |<------------ whole pages ------->|
 *
 * (The guard page is 16 pages, where guards are cheap and there is so much room; below it is called one.)
 *
 * The object ends at the guard, but for its alignment: lead is what is left of its pages, a multiple of 16 or of the
 * alignment asked for. So a write past the end faults at once, except in the tail: at most 15 bytes at first, less than
 * a page after a realloc in place, as the object stays where it is. The tail begins with a canary (as much of it as
 * there is room for) and is zero behind it; lead is zero; all of it is looked at by free and realloc (P5). A write
 * before the object faults once it leaves its first page: there lies the gap (ty_region_span), guarded once, for good.
 * Where guards are not cheap there is none, and one page more than bytes, for the guard.
 *
 * A span belongs to its (key, class) for ever (P1) and is described by a struct ty_span among the slabs'
 * records (P2); the granule map names it at its first granule, and every 16 MiB again.
 *
 *   LIVE --free--> BUSY --> WARM   pages present and zero, kept for decay_ms; a write is found at the next malloc
 *                      \--> COLD   no pages; guarded, so that any access faults at once, or (no guards to be had) zero
 *   WARM --decay--> COLD,  WARM, COLD --malloc--> BUSY --> LIVE
 *
 * Giant spans (TY_GIANT_MIN, where address space is plentiful) are simpler: open, from start to need, while LIVE, and closed
 * otherwise, so that all else faults and neither page tables nor accounted memory stay behind. They are never WARM.
 *
 * Huge and middle spans (TY_HUGE_MIN, TY_MIDDLE_MIN, likewise) are protected while they are WARM, if their object was
 * of TY_MIDDLE_MIN bytes and more, so that every access faults from the moment of the free: what nobody can have
 * written to need not be looked at again, and looking costs more than two system calls. As each may cost two mappings,
 * only so many are WARM; the others are COLD and guarded at once.
 *
 * The bytes of warm spans are bounded by a constant and a share of the live ones (WARM_ALWAYS, WARM_SHARE): a page that
 * must be faulted in again costs several times what zeroing and checking it does.
 * BUSY means: one thread prepares it, outside the lock. Any free or realloc that finds another state than LIVE
 * ends the process.
 *
 * With option quarantine a free span, not a sampled one, is served, and cools, only after so many KiB more of large
 * objects were freed, and the oldest first. (If there is no other memory, earlier.)
 *
 * Sampled spans (sample.h) hold one small object each. They are never WARM: guarded from the free on, and reused first
 * in, first out. Their object ends at the end of the span, so it may start behind the first page; every granule of
 * theirs has its entry in the map.
 *
 * Lock: state, list and links under the stripe lock of the cache; the rest by whoever made it BUSY.
 */
#ifndef TY_LARGE_H
#define TY_LARGE_H

#include "sample.h"
#include "span.h"

/* The class for size bytes at a multiple of align (a power of two), with the source's bits; 0: impossible. */
u32 ty_large_class(size_t size, size_t align, u32 source);

/* A span of class cls for size bytes. NULL: out of memory. *from: its cache. */
void *ty_large_alloc(u64 key, u32 cls, size_t size, const char *fn, struct ty_cache **from);

/*
 * A small object in a span by itself, of the sampled class cls, at a multiple of align; *record: what its maker is to
 * fill in. NULL: there may be no more of these, or out of memory.
 */
void *ty_large_sample(u64 key, u32 cls, size_t size, size_t align, const char *fn, struct ty_cache **from,
		      struct ty_sampled **record);

/* Of the object at p, as it was found there. */
void ty_large_free(struct ty_span *s, const void *p, const char *fn);
/*
 * The same in two steps, for realloc, which copies in between: whoever else frees the object from the first on ends the
 * process. It may be read until the second.
 */
void ty_large_take(struct ty_span *s, const void *p, const char *fn);
void ty_large_release(struct ty_span *s);
/* Change its size in place; false: it must move, as it must to become a small one, unless it may be `small' where it is. */
bool ty_large_resize(struct ty_span *s, const void *p, size_t size, bool small, const char *fn);
/*
 * Give the first n bytes of an object that has been taken to the one of another span by moving pages; NULL: they must
 * be copied. The other, of size bytes, that nobody knows of yet, starts at the address returned then.
 */
void *ty_large_move(struct ty_span *from, struct ty_span *to, size_t n, size_t size);
/* A free span that is open has been written to: end the process. */
void ty_large_sweep(struct ty_span *s, const char *fn);

/* For purge_cache: see there. */
bool ty_large_purge(struct ty_cache *c, struct ty_lock *l, u32 age, const char *fn, size_t *budget);

#endif
