/*
 * span.h: the record of an object that has pages of its own, which span an address lies in, and whether anything was
 * written around its object. What spans are and go through is large.h's.
 */
#ifndef TY_SPAN_H
#define TY_SPAN_H

#include "cache.h"

struct ty_span {
	uintptr_t start; /* constant */
	size_t req;	 /* bytes the program asked for */
	u32 when;	 /* free: low 32 bits of the time of the free, ms; with option quarantine KiB that were ever freed */
	u8 guarded;	 /* COLD: any access faults; giant: not open */
	u8 fenced;	 /* the page at need is a guard */
	u8 giant;	 /* constant */
	u8 huge;	 /* constant */
	u8 closed;	 /* WARM: any access faults, the pages are there */
	u8 middle;	 /* constant */
	u16 lead;	 /* bytes before the object */
	u32 cache; /* constant; same place as in struct ty_slab */
	u16 nslots; /* 0: no address in it is a slot */
	u8 state;
	u8 pad2;
	u32 next, prev;
	u32 record; /* constant: of a sampled span, the id of its struct ty_sampled; else 0 */
	size_t bytes;  /* constant: of the class */
	size_t extent; /* bytes from start that may have been written since they were last known to be fresh */
};
_Static_assert(sizeof(struct ty_span) == sizeof(struct ty_slab), "spans stand among slabs");
_Static_assert(offsetof(struct ty_span, cache) == offsetof(struct ty_slab, cache), "shared prefix");
_Static_assert(offsetof(struct ty_span, nslots) == offsetof(struct ty_slab, nslots), "shared prefix");
_Static_assert(offsetof(struct ty_span, state) == offsetof(struct ty_slab, state), "shared prefix");
_Static_assert(offsetof(struct ty_span, next) == offsetof(struct ty_slab, next), "shared prefix");

/* The map names a span at its first granule, and again at this distance, so that it is found from the inside. */
#define TY_SPAN_ANCHOR ((size_t)16 << 20)

TY_INLINE struct ty_slab *ty_span_slab(struct ty_span *s) { return (struct ty_slab *)(void *)s; }
TY_INLINE struct ty_span *ty_slab_span(struct ty_slab *s) { return (struct ty_span *)(void *)s; }
TY_INLINE void *ty_large_object(const struct ty_span *s) { return (void *)(s->start + s->lead); }
/* Bytes of the pages that hold the object. */
TY_INLINE size_t ty_span_need(const struct ty_span *s) { return ty_round_up(s->lead + s->req, ty_os_page_size()); }

/* Nothing has been written before and behind the live object in its pages, or end the process. */
void ty_span_check(const struct ty_span *s, const char *fn);

/* The span of the live object that starts at p (in the spans' part of the heap), or end the process; crime: when it is free. */
struct ty_span *ty_large_at(const void *p, const char *fn, const char *crime);
/*
 * The cache of the live object that starts at p, off bytes into the heap, and its usable size; NULL: there is none. fn
 * not NULL: the process ends if something has been written before or behind the object.
 */
const struct ty_cache *ty_large_look(const void *p, size_t off, size_t *size, const char *fn);
/* Bytes from p, an address in the spans' part of the heap, to the end of the live object there; 0: there is none. fn: likewise. */
size_t ty_large_room(const void *p, const char *fn);
/*
 * The span that holds p, any address; NULL: none. near: if there is none, the one that an access at p was meant for,
 * the nearest; NULL, if p lies in the pages of a live object. Takes no lock.
 */
const struct ty_span *ty_large_around(uintptr_t p, bool near);
/* Bytes the program may use. */
size_t ty_large_usable(const struct ty_span *s);
/* The same, or the end of the process if something has been written before or behind them. */
size_t ty_large_checked(const struct ty_span *s, const char *fn);

#endif
