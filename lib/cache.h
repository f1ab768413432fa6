/*
 * cache.h: the slabs of one key and one size.
 *
 *   cache --partial--> slabs with a free slot     (nobody's)
 *         --empty----> slabs without a live slot, pages present, newest first
 *         --purged---> the same, pages given back
 *   and, not listed here, the slabs that thread caches own, and the full ones.
 *
 * Cold threads allocate from these under the stripe lock; a thread that uses a cache often takes slabs from here into
 * its magazine (tcache.h), and gives them back when they are empty or when it ends.
 *
 * A new slab is as big as half of what the cache has already, from 4 KiB (or what a slot needs) to 256 KiB. In a program with many
 * caches the first one that serves threads under the lock is a part of a page (slab.h), if so many small slots fit in it that
 * there is a choice (P6). What is empty gives its pages back: purge.h.
 *
 * Synchronization: fields are guarded by the cache's stripe lock unless marked constant.
 */
#ifndef TY_CACHE_H
#define TY_CACHE_H

#include "bucket.h"
#include "slab.h"
#include "type.h"

#define TY_STRIPES 64
#define TY_PARTS_FROM 256 /* caches that are made after so many may share pages: few do not cost much */

struct ty_cache {
	u64 key;  /* constant: of its type */
	u32 cls;  /* constant */
	u32 type; /* constant: id */
	u32 size; /* constant: bytes of a slot (small) */
	u8 kind;  /* constant: enum ty_kind */
	u8 stripe; /* constant */
	u8 min_shift; /* constant: log2 of the smallest slab's bytes */
	u8 max_shift; /* constant: log2 of the largest slab's bytes */
	bool on_purge_list;
	u32 partial, empty, purged; /* slab ids; spans: empty = warm, purged = cold */
	u32 nslabs;
	u64 bytes;	 /* of all slabs */
	u64 allocations; /* made without a magazine, or by magazines that have ended */
	u64 live, peak;	 /* objects, as far as the transitions of slabs show */
	u64 token; /* constant: the key if it is a type's token, else 0 */
	struct ty_cache *made_before; /* constant */
	u32 nth; /* constant: caches made before it */
	struct ty_cache *purge_next;
};

struct ty_stripe {
	struct ty_lock lock;
	struct ty_cache *purge_list, *purge_last; /* caches with empty slabs or warm spans, the last to get some last; purge_last: if there is any */
	char pad[TY_LINE - sizeof(struct ty_lock) - 4 - 2 * sizeof(void *)];
};
extern TY_HIDDEN struct ty_stripe ty_stripes[TY_STRIPES];
extern struct ty_lock ty_parts_lock;

TY_INLINE struct ty_cache *ty_cache_ptr(u32 id) { return ty_meta_ptr(id); }
TY_INLINE struct ty_lock *ty_cache_lock_of(const struct ty_cache *c) { return &ty_stripes[c->stripe].lock; }

/* Made by the index, under its lock. NULL: out of memory. */
struct ty_cache *ty_cache_new(const struct ty_type *y, u32 cls);

/*
 * An object of n bytes (TY_NO_CANARY: as long as its slot) out of the cache's own slabs; NULL: out of memory. fn: whom to
 * name when the slot has been written to.
 */
void *ty_cache_alloc(struct ty_cache *c, size_t n, const char *fn);

/* free of slot i of a slab that nobody owned a moment ago; false: somebody owns it now. */
bool ty_cache_free(struct ty_slab *s, u32 i, const char *fn);

/*
 * With ty_conf.hold: free of slot i of s, whoever owns it. It is zero, and not to be had before ty_cache_release, if ever:
 * with never_reuse a slab whose slots are all dead is guarded.
 */
void ty_cache_hold(struct ty_slab *s, u32 i, const char *fn);
/* A slot that is held, of a slab that nobody owns, may be handed out again. */
void ty_cache_release(struct ty_slab *s, u32 i, const char *fn);

/* With option mismatch: end the process unless an object of c, at p, may be given to `form`... */
void ty_cache_check_form(const struct ty_cache *c, const void *p, enum ty_form form, const char *fn);
/* ... or to fn: malloc's family, but for the deletes, which have checked by themselves. */
TY_INLINE void ty_cache_check_free(const struct ty_cache *c, const void *p, const char *fn)
{
	if (*fn != 'o') /* operator delete */
		ty_cache_check_form(c, p, TY_FORM_MALLOC, fn);
}

/* Slot i of s, if it is free and the slab nobody's, has been written to: end the process. No lock held. */
void ty_cache_watch(struct ty_slab *s, u32 i, const char *fn);

/* A slab with a free slot for thread cache `owner`; NULL: out of memory. */
struct ty_slab *ty_cache_adopt(struct ty_cache *c, u32 owner);

/* Make a slab that nobody owns, and that has a live slot, the property of `owner`, on no list. False: it is not so. */
bool ty_cache_claim(struct ty_slab *s, u32 owner);

/* Give an owned, unlisted slab back to the cache, whatever it holds. By its owner. */
void ty_cache_abandon(struct ty_slab *s);

/* Remote bits of a slab that nobody owned a moment ago: collect them. False: somebody owns it now. */
bool ty_cache_collect(struct ty_slab *s);

/* A part without a live object is being purged: its page goes back if it was the last. False: refused. */
bool ty_part_unused(const struct ty_slab *s);

/* Put a cache on its stripe's purge list. Stripe lock held. */
void ty_cache_will_purge(struct ty_cache *c);

/* Doubly linked lists of slabs through next and prev; *head is an id. The prev of the first is the last. */
void ty_list_push(u32 *head, struct ty_slab *s);
void ty_list_push_back(u32 *head, struct ty_slab *s);
TY_INLINE struct ty_slab *ty_list_last(u32 head) { return head ? ty_slab_ptr(ty_slab_ptr(head)->prev) : NULL; }
void ty_list_remove(u32 *head, struct ty_slab *s);

/* Live objects of c changed by n; keeps the peak. Any lock state: atomic, approximate. */
void ty_cache_live(struct ty_cache *c, long n);

/* "type token 0x..., 96-byte cache" */
void ty_cache_describe(struct ty_text *t, const struct ty_cache *c);
/* End the process over an address and a cache (NULL: unknown). */
TY_NORETURN TY_COLD void ty_cache_die_for(const char *fn, const char *crime, const struct ty_cache *c, const void *p);
/* "wrong size 48 for 0x...": the number that was given does not fit. c: NULL, not known. */
TY_NORETURN TY_COLD void ty_cache_die_mismatch(const char *fn, const char *what, size_t n, const struct ty_cache *c, const void *p);
/* End the process over slot i of a slab. */
TY_NORETURN TY_COLD void ty_cache_die(const char *fn, const char *crime, const struct ty_slab *s, u32 i);
/* End the process over an address in a slab, with a sentence of its own. */
TY_NORETURN TY_COLD void ty_cache_die_at(const char *fn, const char *crime, const struct ty_slab *s, const void *p);

#endif
