/*
 * tcache.h: what a thread has for itself, and the two paths that must be fast.
 *
 * A thread cache is a table of magazines, found by (key, class):
 *
 *   struct ty_mag, one line
 *   +------------+-------+------+------+--------+-------+------+-----------------------------+
 *   | key        | cls   | size | word | limit  | base  | cache, current, partial, full      |
 *   +------------+-------+------+------+--------+-------+------+-----------------------------+
 *                                   |
 *                                   +--> struct ty_word in the record of slab `current`
 *
 * The magazine's stock is the slots of *word whose free bit is set and that are in `stock`. base is the address of
 * the word's slot 0. malloc is: hash, compare key and class, a random bit of the stock, clear it, check for zero. Key and class
 * are compared whole. A refill puts a random half of the word's free slots into the stock, so that nobody knows how far the next
 * object lies from the last (P6); and a slot that is freed is not in the stock before the next refill (a quarantine that
 * takes no memory).
 *
 * A magazine is cold at first: it counts, and allocations go to the cache's shared slabs, of a coarser bucket if the size
 * is variable. After TY_HOT uses by this thread it becomes hot: it takes slabs for itself, of the exact bucket. When it
 * has handed out nothing for a while (TY_IDLE) it gives them all back and is cold again.
 * Cold magazines may be replaced by others; hot ones stay until the thread ends. The table doubles when a quarter of it
 * is hot, or when as many cold ones have been replaced as it has places: else a thread that goes round more call sites
 * than that would never warm up.
 *
 * Slabs of a hot magazine: `current` (state CURRENT), and two lists, partial and full. Who owns a slab is slab.h's.
 *
 * Fields are written by their thread only, except `pending` (atomic): the stack of owned slabs that other threads
 * have freed slots of, TY_PENDING_CLOSED when no thread uses this thread cache.
 *
 * Two thread-local pointers lead here. ty_mine is the thread's cache or NULL. ty_self is the same, or ty_no_tcache (an
 * empty table, an id that owns nothing) when every call must take the slow path: before the first call, after the
 * thread's end, and with the options that need it (ty_conf.slow): statistics, which count there, never_reuse, quarantine, mismatch.
 *
 * Signal safety: none, as for malloc.
 */
#ifndef TY_TCACHE_H
#define TY_TCACHE_H

#include "cache.h"
#include "random.h"

/* Uses by one thread that make a magazine hot: more for large slots, whose zeroing hides the lock of the cold path. */
#define TY_HOT(size) (8 + (size) / 64)
#define TY_IDLE 8  /* it is cold again after decay_ms / TY_IDLE without a use, or twice that */
#define TY_PROBE 4	   /* places after its hash where a magazine may be */
#define TY_PENDING_CLOSED 0xffffffffu

struct ty_mag {
	u64 key;
	u32 cls;
	u16 size;  /* bytes of a slot; cold: uses so far */
	u8 hot : 1, nempty : 7; /* nempty: slabs without a live slot on the partial list */
	u8 seen; /* low bits of allocations when the thread last looked for idle ones */
	struct ty_word *word; /* never NULL: cold ones point to ty_no_word */
	u64 stock;
	uintptr_t base;
	u32 cache;   /* cold: 0 or the shared cache used until hot */
	u32 current; /* slab id, 0: none */
	u32 partial, full;
	u64 allocations; /* by this magazine since it is hot */
};
_Static_assert(sizeof(struct ty_mag) == TY_LINE, "a magazine is one line");

/*
 * Slots this thread freed last, of slots longer than TY_INLINE_BYTES: to hand them out again first saves fetching a cold
 * slot to check it and fetching it again to use it. Hints only: the slot's bits say whether it is still free and ours.
 * Any one of them comes next, once there are TY_RECENT_MIN: which, is not for the program's input to say (P6).
 */
#define TY_RECENT_SETS 64
#define TY_RECENT_DEPTH 7
#define TY_RECENT_MIN 4
#define TY_RECENT_OTHER 32 /* one time in so many, a slot of the stock comes instead: all must have their turn (P4) */

struct ty_recent {
	u32 cache;
	u16 n;	  /* entries that are there */
	u16 next; /* which to replace when all are */
	u64 slot[TY_RECENT_DEPTH]; /* slab id, slot number << 32 */
};
_Static_assert(sizeof(struct ty_recent) == TY_LINE, "one line");
/* Caches are two units of metadata each, so this tells as many apart as there are sets. */
#define TY_RECENT_SET(cache) ((cache) / (2 * TY_META_IDS) % TY_RECENT_SETS)
_Static_assert(sizeof(struct ty_cache) > TY_META_UNIT && sizeof(struct ty_cache) <= 2 * TY_META_UNIT, "two units");

/*
 * Slots of shared slabs that this thread freed last: its slow path looks at them again, so that a write after free into a cold
 * cache, whose slots may never be handed out again, is found soon. Hints, as above.
 */
#define TY_WATCH 4

struct ty_tcache {
	struct ty_mag *table;
	u64 draw;  /* random */
	u32 shift; /* 64 - log2 of the table's entries */
	u32 id;	   /* never 0 */
	u32 nhot;
	u32 swept;   /* low 32 bits of the time, in ms, of the last look for idle magazines */
	u32 evicted; /* cold magazines replaced since the table grew */
	u32 next_idle; /* list of thread caches without a thread; threads lock */
	struct ty_tcache *made_before; /* constant */
	bool in_use;   /* threads lock */
	struct ty_recent *recent; /* TY_RECENT_SETS, by cache; NULL: none */
	int sample;  /* bytes to allocate before the next sample */
	u32 samples; /* so far */
	u64 random; /* bits for which recent slot is next, above them a 1; 1: no more */
	u32 pending __attribute__((aligned(TY_LINE))); /* atomic; on a line of its own */
	char pad[TY_LINE - 4];
	struct ty_random rng;
	u64 watch[TY_WATCH]; /* slab id, slot number << 32; 0: none */
	u32 watch_next;
	bool lost; /* its thread is not in this process: the child of a fork */
	struct ty_quarantine *quarantine; /* NULL: none so far */
};

extern TY_HIDDEN __thread struct ty_tcache *ty_self __attribute__((tls_model("initial-exec")));
extern TY_HIDDEN __thread struct ty_tcache *ty_mine __attribute__((tls_model("initial-exec")));

extern struct ty_lock ty_threads_lock;
extern TY_HIDDEN struct ty_word ty_no_word;
extern TY_HIDDEN struct ty_tcache ty_no_tcache;

/* malloc where ty_try has failed. cls: small or large, with its source. fn: the public function. NULL and ENOMEM. */
void *ty_alloc_slow(u64 key, u32 cls, size_t size, const char *fn);
/* The same where nobody watches (tracked.h). */
void *ty_alloc_plain(u64 key, u32 cls, size_t size, const char *fn);
/* free of slot i of s when this thread does not own s, or counts. The slot is a slot's start. */
void ty_free_slow(struct ty_slab *s, u32 i, const char *fn);
/* An object of n bytes (TY_NO_CANARY: as long as its slot) from a hot magazine of this thread; NULL and ENOMEM. */
void *ty_pop(struct ty_tcache *tc, struct ty_mag *m, size_t n, const char *fn);
void *ty_pop_self(struct ty_mag *m, size_t n, const char *fn);
/* free of slot i of a slab of this thread. */
void ty_free_own(struct ty_tcache *tc, struct ty_slab *s, u32 i, void *p, const char *fn);
/* An owned slab's `used` has reached `trip`. */
void ty_tcache_trip(struct ty_tcache *tc, struct ty_slab *s);
/* This thread's cache, made if need be; NULL before start, after the thread's end, or out of memory. */
struct ty_tcache *ty_tcache_get(void);
/* This thread ends the process, perhaps in the middle of its own cache: serve its handlers without one. */
void ty_tcache_abandon(void);
/* Empty slabs of this thread go to their caches. */
void ty_tcache_flush(void);
TY_INLINE struct ty_tcache *ty_tcache_ptr(u32 id) { return ty_meta_ptr(id); }
/* Walk every thread cache ever made (reports). */
struct ty_tcache *ty_tcache_next(struct ty_tcache *tc);

TY_INLINE u64 ty_mag_hash(u64 key, u32 cls) { return (key ^ ((u64)cls << 40)) * 0x9e3779b97f4a7c15ull; }

/* The fast path of malloc: this thread's magazine for (key, class with source), if it is where malloc looks first... */
TY_INLINE struct ty_mag *ty_mag_hit(const struct ty_tcache *tc, u64 key, u32 cls)
{
	struct ty_mag *m = &tc->table[ty_mag_hash(key, cls) >> tc->shift];

	return likely(m->key == key) && likely(m->cls == cls) ? m : NULL;
}

/*
 * One of the bits of word, which is not 0: the first at or above a random place out of a random quarter of them. (Of all of them, the
 * neighbour of the last one would be the likeliest, as in linear probing.) Place and quarter are bits of `draw`, which every refill of
 * a magazine of this thread sets anew.
 */
TY_INLINE unsigned ty_draw_bit(struct ty_tcache *tc, u64 word)
{
	u64 r = tc->draw;
	unsigned by = r & 63;

	tc->draw = r >> 6 | r << 58;
	word = word >> by | word << (-by & 63);
	u64 some = word & r & (r >> 32 | r << 32);
	return (ty_ctz(some ? some : word) + by) & 63;
}

/* ... and an object of n bytes out of its word; NULL when ty_pop must see to it, if the magazine is hot. */
TY_INLINE void *ty_mag_take(struct ty_tcache *tc, struct ty_mag *m, size_t n)
{
	if (unlikely(m->size > TY_INLINE_BYTES))
		return NULL;
	struct ty_word *w = m->word;
	u64 free = TY_LOAD(&w->free);
	u64 take = free & m->stock;
	if (unlikely(!take))
		return NULL;
	/* Either is a crime, which the slow path will name. */
	if (unlikely(TY_LOAD(&w->remote) & take))
		return NULL;
	unsigned bit = ty_draw_bit(tc, take);
	char *p = (char *)(m->base + (size_t)bit * m->size);
	if (unlikely(!ty_all_zero(p, m->size)))
		return NULL;
	TY_STORE(&w->free, free & ~(1ull << bit));
	m->stock = take & ~(1ull << bit);
	m->allocations++;
	ty_canary_put(p, n);
	return p;
}

/* Both, for callers who do not mind a call: NULL when this thread has no hot magazine in place. */
TY_INLINE void *ty_try(u64 key, u32 cls, size_t n, const char *fn)
{
	struct ty_tcache *tc = ty_self;
	struct ty_mag *m = ty_mag_hit(tc, key, cls);
	if (!m)
		return NULL;
	n = cls & TY_CLASS_FIXED ? TY_NO_CANARY : n;
	void *p = ty_mag_take(tc, m, n);
	return p ? p : m->hot ? ty_pop(tc, m, n, fn) : NULL;
}

/* The bytes that the program asked for at p, a live object in a slot of s; ends the process if its canary is gone. */
size_t ty_object_size(const struct ty_slab *s, const void *p, const char *fn);
/* End the process: the canary of slot i is not there. */
TY_NORETURN TY_COLD void ty_die_overflow(const char *fn, const struct ty_slab *s, u32 i);

/* End the process: p lies in slab s but is no slot's start (s may be record 0). */
TY_NORETURN TY_COLD void ty_die_not_slot(const char *fn, const struct ty_slab *s, const void *p);

/* The slab and slot of an address in the slabs' part of the heap; ends the process unless p is a slot's start. */
TY_INLINE struct ty_slab *ty_slot_at(const void *p, size_t off, u32 *slot, const char *fn)
{
	struct ty_slab *s = ty_slab_ptr(ty_map_get(off));
	if (unlikely(!ty_slot_exact(s, (uintptr_t)p - s->start, slot)))
		ty_die_not_slot(fn, s, p);
	return s;
}

/* free of slot i of s, which starts at p. */
TY_INLINE void ty_free_slot(struct ty_slab *s, u32 i, void *p, const char *fn)
{
	struct ty_tcache *tc = ty_self;

	if (unlikely(TY_LOAD(&s->owner) != tc->id)) {
		ty_free_slow(s, i, fn);
		return;
	}
	if (s->size > TY_INLINE_BYTES) { /* its end is not in the cache, as a rule, and will be looked at */
		__builtin_prefetch((const char *)p + s->size - 8);
		ty_free_own(tc, s, i, p, fn);
		return;
	}
	struct ty_word *w = &s->w[i / 64];
	u64 bit = 1ull << (i % 64);
	u64 free = TY_LOAD(&w->free);
	/* Crimes, and canaries far from the slot's end are for ty_free_own. */
	if (unlikely((free | TY_LOAD(&w->remote)) & bit) ||
	    (likely(s->canary) && unlikely(!ty_canary_near(p, s->size)))) {
		ty_free_own(tc, s, i, p, fn);
		return;
	}
	ty_zero(p, s->size);
	TY_STORE(&w->free, free | bit);
	if (unlikely(--s->used == s->trip))
		ty_tcache_trip(tc, s);
}

/* free of an address in the slabs' part of the heap; off is its offset there. */
TY_INLINE void ty_free_small(void *p, size_t off, const char *fn)
{
	u32 i;
	struct ty_slab *s = ty_slot_at(p, off, &i, fn);

	ty_free_slot(s, i, p, fn);
}

#endif
