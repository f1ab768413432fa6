/*
 * tcache.h: what a thread has for itself, and the two paths that must be fast.
 *
 * A thread cache is a table of magazines, found by (key, class); a hot one has a stock:
 *
 *   struct ty_mag, a line                        struct ty_stock
 *   +------+-----+------+------+------+-----+      +-----+------------------------+----------------+----------------+
 *   | key  | cls | size | next | more | own | ---> | put | cache, partial, full   | ready          | freed          |
 *   +------+-----+------+------+------+-----+      +-----+------------------------+----------------+----------------+
 *
 * malloc: hash, compare key and class, whole; the next entry, which is in the magazine, and the one after that comes in its place;
 * the slot must be zero; its state becomes LIVE. So with thousands of types, none of which is in the processor's cache, two misses
 * follow one another, magazine and slot; the others (the stock, the state) are waited for by nobody.
 * free: the state must be LIVE; zero; CACHED; an entry behind the freed ones. When nothing is ready the freed
 * ones are, in random order, if they are enough for a choice; else they wait, and random ones of the FREE slots of the stock's slabs
 * come first, if there are any. So nobody knows which comes next (P6); a slot that is freed is not ready before the stock has been used up
 * (a quarantine that takes no memory); and what comes is what the thread had last, which is still in the processor's
 * cache. When there is no room for what is freed, some of that becomes ready, or what is freed now is FREE.
 * A stock that is filled often gets more room (ripen): each fill is a hundred instructions besides ten for each entry, and loops
 * that the processor cannot foresee. The ring that would need no fills, with a swap at each free, was tried: it is no faster.
 *
 * A magazine is cold at first: it counts, and allocations go to the cache's shared slabs, of a coarser bucket if the size
 * is variable. After TY_HOT uses by this thread it becomes hot: it takes slabs for itself, of the exact bucket. When it
 * has handed out nothing for a while (TY_IDLE) it gives them all back and is cold again.
 * Cold magazines may be replaced by others; hot ones stay until the thread ends. The table doubles when a quarter of it
 * is hot, or when as many cold ones have been replaced as it has places: else a thread that goes round more call sites
 * than that would never warm up.
 *
 * Invariants of a stock of thread t
 *   - each entry names one slot, CACHED, of a slab that t owns and whose field `stock` is this one; no two name the same; the slot lies in
 *     touched pages.
 *   - partial and full list the slabs that t owns of the cache; a slab with an entry is not empty (slab.h: used).
 *   - A magazine's ready entries are `next`, and those from the stock's first up to `more`. None: next.p is NULL. While stock.c is at
 *     work on a stock all are in it, up to `top` (open_stock, close_stock).
 *   - A cold magazine has nothing ready. A hot one whose key is a chain that goes on (site.h), or that did at its last fill, is not found by
 *     malloc's first look: its class has TY_CLASS_HIDDEN, and `up` says how to go on. What malloc then finds by the key of two
 *     addresses, and is not hidden, is where the chain ends: the link was there for the class when the magazine came to be, and links stay.
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

#include "purge.h"
#include "random.h"

/* Uses by one thread that make a magazine hot: more for large slots, whose zeroing hides the lock of the cold path. */
#define TY_HOT(size) (8 + (size) / 64)
#define TY_IDLE 8  /* it is cold again after decay_ms / TY_IDLE without a use, or twice that */
#define TY_PROBE 4	   /* places after its hash where a magazine may be */
#define TY_PENDING_CLOSED 0xffffffffu

struct ty_entry {
	char *p;   /* the slot */
	u8 *state; /* its state in the slab's record */
} __attribute__((aligned(16)));

/*
 * Entries that a stock has room for, ready ones and as many freed ones: TY_STOCK_FIRST, of large slots fewer, TY_STOCK_BYTES' worth.
 * A stock that is filled often, once in TY_STOCK_SHARE fills of its thread or more, over TY_STOCK_BUSY fills, has room for 30, then
 * for TY_STOCK_MOST, up to TY_STOCK_BUSY_BYTES' worth: so that a thread has but a few large ones.
 */
#define TY_STOCK_FIRST 14
#define TY_STOCK_MOST 62
#define TY_STOCK_LEAST 4
#define TY_STOCK_BYTES 16384
#define TY_STOCK_BUSY 16
#define TY_STOCK_SHARE 32
#define TY_STOCK_BUSY_BYTES 16384
/* One time in so many, slots that have been free for long come too, or instead of half of those freed last: all must have their turn (P4). */
#define TY_STOCK_OTHER 8

/* Offsets are in bytes from the stock's start: it saves an instruction or two. */
struct ty_stock {
	u16 top;   /* the ready entries end there while the stock is open; they start at TY_STOCK_READY */
	u16 put;   /* the freed ones end there; they start at `freed` */
	u16 end;   /* constant: where both end that there is room for */
	u16 freed; /* constant */
	u16 size;  /* constant: bytes of a slot */
	u8 looked; /* `turns`, when it was last looked whether it is busy... */
	u32 since; /* ... and how often its thread had filled a stock then (ty_tcache.fills) */
	u32 cache; /* constant */
	u32 partial, full; /* slabs */
	u8 nempty; /* slabs without a slot in use on the partial list */
	u8 room;   /* constant: entries of each kind */
	u8 want;   /* how many FREE slots to take next time */
	u8 turns;  /* modulo 256: how often freed ones became ready */
	u64 served; /* objects handed out before the ready ones last became more */
	u32 filled; /* how many were ready then */
	u32 place;  /* of its magazine in the table */
	struct ty_entry none; /* what comes after the last ready one: constant, 0 */
	struct ty_entry entry[]; /* room ready ones, room freed ones */
};
#define TY_STOCK_READY ((u32)offsetof(struct ty_stock, entry))
#define TY_ENTRY ((u32)sizeof(struct ty_entry))
_Static_assert(sizeof(struct ty_stock) == TY_LINE, "one line, and entries");
_Static_assert(sizeof(struct ty_stock) + 2 * TY_STOCK_MOST * sizeof(struct ty_entry) == 2048, "a power of two");
TY_INLINE struct ty_entry *ty_stock_at(const struct ty_stock *st, u32 off)
{
	return (struct ty_entry *)(void *)((char *)(uintptr_t)st + off);
}
/* Ready ones of an open stock. */
TY_INLINE u32 ty_stock_n(const struct ty_stock *st) { return (st->top - TY_STOCK_READY) / TY_ENTRY; }
TY_INLINE u32 ty_stock_nfreed(const struct ty_stock *st) { return (st->put - st->freed) / TY_ENTRY; }

struct ty_mag {
	u64 key;
	u32 cls;
	u16 size; /* hot: bytes of a slot */
	u8 hot;
	u8 unused;
	struct ty_entry next; /* what malloc hands out; p NULL: there is nothing ready */
	const struct ty_entry *more; /* hot: the other ready ones end there, in the stock */
	u32 own;  /* hot: id of its stock; cold: 0, or of the shared cache used until hot */
	u32 seen; /* objects handed out, when the thread last looked for idle ones; low 32 bits */
	u16 uses; /* cold: so far */
	u16 up;   /* hidden: words of the stack from its chain's last address to the next (site.h) */
} __attribute__((aligned(TY_LINE)));
_Static_assert(sizeof(struct ty_mag) == TY_LINE, "a line");
/* In a magazine's class: its key's chain goes on, so that it is not for malloc's first look. (ty_mag_hash has no use for the bit.) */
#define TY_CLASS_HIDDEN (1u << 31)

/*
 * Slots of shared slabs that this thread freed last. Each cold allocation looks at one, the last first, now and then
 * a hot one does, and each is looked at when another comes in its place: so that a write after free into a cold cache, whose slots may
 * never be handed out again, is found soon. Hints only: the slot's state says whether it is still free.
 */
#define TY_WATCH 4

struct ty_tcache {
	struct ty_mag *table;
	u32 shift; /* 64 - log2 of the table's entries */
	u32 id;	   /* never 0 */
	u32 nhot;
	u32 swept;   /* low 32 bits of the time, in ms, of the last look for idle magazines */
	u32 evicted; /* cold magazines replaced since the table grew */
	u32 fills; /* how often one of its stocks has been filled; modulo 2^32 */
	u32 next_idle; /* list of thread caches without a thread; threads lock */
	struct ty_tcache *made_before; /* constant */
	bool in_use;   /* threads lock */
	int sample;  /* bytes to allocate before the next sample */
	u32 samples; /* so far */
	u32 pending __attribute__((aligned(TY_LINE))); /* atomic; on a line of its own */
	char pad[TY_LINE - 4];
	struct ty_random rng;
	u64 watch[TY_WATCH]; /* slab id, slot number << 32; 0: none */
	u32 watch_next;
	u32 looked; /* at so many of them since the last one came */
	bool lost; /* its thread is not in this process: the child of a fork */
	struct ty_quarantine *quarantine; /* NULL: none so far */
};

extern TY_HIDDEN __thread struct ty_tcache *ty_self __attribute__((tls_model("initial-exec")));
extern TY_HIDDEN __thread struct ty_tcache *ty_mine __attribute__((tls_model("initial-exec")));

extern struct ty_lock ty_threads_lock;
extern TY_HIDDEN const struct ty_tcache ty_no_tcache;
#define TY_NO_TCACHE ((struct ty_tcache *)&ty_no_tcache) /* nobody writes to it */

/* malloc where ty_try has failed. cls: small or large, with its source. fn: the public function. NULL and ENOMEM. */
void *ty_alloc_slow(u64 key, u32 cls, size_t size, const char *fn);
/* The same where nobody watches (tracked.h). */
void *ty_alloc_plain(u64 key, u32 cls, size_t size, const char *fn);
/* At one of those that are watched. Ends the process if it has been written to. */
void ty_look_at_watched(struct ty_tcache *tc, const char *fn);
/* free of slot i of s when this thread does not own s, or counts. The slot is a slot's start. */
void ty_free_slow(struct ty_slab *s, u32 i, const char *fn);
/* An object of n bytes (TY_NO_CANARY: as long as its slot) from a hot magazine of this thread; NULL and ENOMEM. */
void *ty_pop(struct ty_tcache *tc, struct ty_mag *m, size_t n, const char *fn);
/* The same where the caller has seen to it that the magazine is hidden or not (ty_stock_show). */
void *ty_pop_shown(struct ty_tcache *tc, struct ty_mag *m, size_t n, const char *fn);
/* The same from one that has something ready, of slots longer than TY_INLINE_BYTES. */
void *ty_pop_long(struct ty_mag *m, size_t n, const char *fn) __attribute__((returns_nonnull));
/* free of what is no slot's start in a slab, as the page is one of parts; else ends the process. */
void ty_free_part(void *p, size_t off, const char *fn);
/* free of slot i of a slab of this thread. */
void ty_free_own(struct ty_tcache *tc, struct ty_slab *s, u32 i, void *p, const char *fn);
/* The same for slots longer than TY_INLINE_BYTES. */
void ty_free_long(struct ty_tcache *tc, struct ty_slab *s, u32 i, void *p, const char *fn);
/* A slot of s that has just been zeroed, and is LIVE still, for a stock whose freed ones have no room for more. */
void ty_stock_full(struct ty_tcache *tc, struct ty_stock *st, struct ty_slab *s, void *p, u8 *state);
/* This thread's cache, made if need be; NULL before start, after the thread's end, or out of memory. */
struct ty_tcache *ty_tcache_get(void);
/* This thread ends the process, perhaps in the middle of its own cache: serve its handlers without one. */
void ty_tcache_abandon(void);
/* Empty slabs of this thread go to their caches. */
void ty_tcache_flush(void);
TY_INLINE struct ty_tcache *ty_tcache_ptr(u32 id) { return ty_meta_ptr(id); }
/* Has this process never had another thread? (One may free and realloc without a cache.) */
bool ty_tcache_alone(void);
/* Walk every thread cache ever made (reports). */
struct ty_tcache *ty_tcache_next(struct ty_tcache *tc);

TY_INLINE u64 ty_mag_hash(u64 key, u32 cls) { return (key ^ ((u64)cls << 40)) * 0x9e3779b97f4a7c15ull; }

/* Where malloc looks first. */
TY_INLINE struct ty_mag *ty_mag_home(const struct ty_tcache *tc, u64 key, u32 cls)
{
	return &tc->table[ty_mag_hash(key, cls) >> tc->shift];
}
/* The fast path of malloc: this thread's magazine for (key, class with source), if it is there... */
TY_INLINE struct ty_mag *ty_mag_hit(const struct ty_tcache *tc, u64 key, u32 cls)
{
	struct ty_mag *m = ty_mag_home(tc, key, cls);

	return likely(m->key == key) && likely(m->cls == cls) ? m : NULL;
}

TY_INLINE struct ty_stock *ty_stock_ptr(u32 id) { return ty_meta_ptr(id); }
/* How many are ready. */
TY_INLINE u32 ty_mag_ready(const struct ty_mag *m)
{
	return m->next.p ? (u32)(m->more - ty_stock_ptr(m->own)->entry) + 1 : 0;
}
/* The k-th of them, counted from the next on. */
TY_INLINE const struct ty_entry *ty_mag_entry(const struct ty_mag *m, u32 k) { return k ? m->more - k : &m->next; }
/* The one after it is the next, or none; its slot will be looked at, some time from now. */
TY_INLINE void ty_mag_advance(struct ty_mag *m, size_t lines)
{
	const struct ty_entry *e = m->more - 1;
	char *p = e->p;

	m->more = e;
	for (size_t i = 0; i < lines; i++)
		__builtin_prefetch((const void *)((uintptr_t)p + i * TY_LINE), 1);
	m->next.p = p;
	m->next.state = e->state;
}

/* The next of the ready ones, of slots of up to TY_INLINE_BYTES, for n bytes. NULL: there is none, or a crime. */
TY_INLINE void *ty_mag_take(struct ty_mag *m, size_t n)
{
	char *p = m->next.p;
	u8 *state = m->next.state;

	/* Written to: a crime, which the slow path will name. */
	if (unlikely(!p) || unlikely(!ty_all_zero(p, m->size)))
		return NULL;
	ty_mag_advance(m, 2);
	TY_STORE(state, TY_SLOT_LIVE);
	ty_canary_put(p, n);
	return p;
}

/* ... and an object of n bytes, if one is ready. NULL: ty_pop must see to it, if the magazine is hot. */
TY_INLINE void *ty_mag_get(struct ty_mag *m, size_t n, const char *fn)
{
	if (likely(m->size <= TY_INLINE_BYTES))
		return ty_mag_take(m, n);
	return likely(m->next.p != NULL) ? ty_pop_long(m, n, fn) : NULL;
}

/* Both, for callers who do not mind a call: NULL when this thread has no hot magazine in place. */
TY_INLINE void *ty_try(u64 key, u32 cls, size_t n, const char *fn)
{
	struct ty_tcache *tc = ty_self;
	struct ty_mag *m = ty_mag_hit(tc, key, cls);
	if (!m)
		return NULL;
	n = cls & TY_CLASS_FIXED ? TY_NO_CANARY : n;
	void *p = ty_mag_get(m, n, fn);
	return p ? p : m->hot ? ty_pop(tc, m, n, fn) : NULL;
}

/* End the process: the canary of slot i is not there. */
TY_NORETURN TY_COLD void ty_die_overflow(const char *fn, const struct ty_slab *s, u32 i);

/* End the process: slot i, which starts at p, is not live; it may be what is left behind the last one. */
TY_NORETURN TY_COLD void ty_die_not_live(const char *fn, const struct ty_slab *s, u32 i, const void *p);

/* End the process: p lies in slab s but is no slot's start (s may be record 0). */
TY_NORETURN TY_COLD void ty_die_not_slot(const char *fn, const struct ty_slab *s, const void *p);

/* The bytes that the program asked for at p, a live object in a slot of s; ends the process if its canary is gone. */
TY_INLINE size_t ty_object_size(const struct ty_slab *s, const void *p, const char *fn)
{
	if (unlikely(!s->canary))
		return s->nil ? 0 : s->size;
	size_t n = ty_canary_find(p, s->size);
	if (unlikely(n == TY_NO_CANARY))
		ty_die_overflow(fn, s, ty_slot_of(s, (u32)((uintptr_t)p - s->start)));
	return n;
}

/* Bytes of live slot i of s, which starts at p, behind which is nothing but zeros; ends the process if its canary is gone. */
TY_INLINE size_t ty_slot_used(const struct ty_slab *s, u32 i, const void *p, const char *fn)
{
	if (unlikely(!s->canary))
		return s->size;
	size_t n = ty_canary_find(p, s->size);
	if (unlikely(n == TY_NO_CANARY))
		ty_die_overflow(fn, s, i);
	return n + TY_CANARY;
}

/* The slab and slot of an address in the slabs' part of the heap; ends the process unless p is a slot's start. */
TY_INLINE struct ty_slab *ty_slot_at(const void *p, size_t off, u32 *slot, const char *fn)
{
	struct ty_slab *s = ty_slab_at(off);
	if (unlikely(!ty_slot_exact(s, (uintptr_t)p - s->start, slot)))
		ty_die_not_slot(fn, s, p);
	return s;
}

/* A slot of s, of this thread, that has just been zeroed is free. */
TY_INLINE void ty_stock_put(struct ty_tcache *tc, struct ty_slab *s, void *p, u8 *state)
{
	struct ty_stock *st = ty_stock_ptr(s->stock);
	u32 put = st->put;

	if (unlikely(put == st->end)) {
		ty_stock_full(tc, st, s, p, state);
		return;
	}
	/* The slab is ours alone, so the order of what follows is for nobody to see, until it changes hands. */
	TY_STORE(state, TY_SLOT_CACHED);
	*ty_stock_at(st, put) = (struct ty_entry){p, state};
	st->put = (u16)(put + TY_ENTRY);
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
		ty_free_long(tc, s, i, p, fn);
		return;
	}
	u8 *state = ty_slot_state(s, i);
	/* Crimes, and canaries far from the slot's end are for ty_free_own. */
	if (unlikely(TY_LOAD(state) != TY_SLOT_LIVE) || (likely(s->canary) && unlikely(!ty_canary_near(p, s->size)))) {
		ty_free_own(tc, s, i, p, fn);
		return;
	}
	ty_zero(p, s->size);
	ty_stock_put(tc, s, p, state);
}

/* free of an address in the slabs' part of the heap; off is its offset there. */
TY_INLINE void ty_free_small(void *p, size_t off, const char *fn)
{
	struct ty_slab *s = ty_slab_ptr(ty_map_get(off));
	u32 i;

	/* What is behind the last slot is not live: ty_free_slow and ty_free_own see to it. */
	if (unlikely(!ty_slot_start(s, (uintptr_t)p - s->start, &i)))
		ty_free_part(p, off, fn);
	else
		ty_free_slot(s, i, p, fn);
}

#endif
