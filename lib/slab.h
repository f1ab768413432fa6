/*
 * slab.h: pages cut into equal slots, and the record that describes them. The heart of P1, P3 and P4.
 *
 * A slab belongs to one cache for ever (P1). Its record lies out of line (P2):
 *
 *   struct ty_slab, 48 bytes                      one byte a slot          one bit a slot
 *   +---------------------------------------------+-----------------------+----------------------+
 *   | start recip size owner used stock cache ... | state of each slot    | remote: words of 64  |
 *   +---------------------------------------------+-----------------------+----------------------+
 *
 * Slot i, at start + i * size, is
 *
 *   TY_SLOT_LIVE    handed out
 *   TY_SLOT_FREE    free: its memory is zero
 *   TY_SLOT_CACHED  the same, and in the stock of the slab's owner (tcache.h), which will hand it out
 *   TY_SLOT_REMOTE  freed by a thread that is not the owner, not yet collected: its memory is zero, its remote bit is
 *                   set, or about to be
 *   TY_SLOT_HELD    freed with option never_reuse or quarantine (ty_conf.hold): dead for good, or until ty_cache_release
 *
 * Whatever is not LIVE must not be freed: one load tells.
 *
 * Who may write
 *   - owner != 0 names a thread cache. Only its thread writes states (but for LIVE -> REMOTE, LIVE -> HELD), `used`, `state`, the links;
 *     plain stores.
 *   - owner == 0: the slab belongs to its cache, and the holder of the cache's stripe lock writes all of these.
 *   - LIVE -> REMOTE by anyone who is not the owner, by an atomic exchange; then he sets the remote bit (atomic or). Bits are
 *     collected (atomic exchange with 0) by the owner, or under the stripe lock when there is none.
 *   - LIVE -> HELD under the stripe lock, whoever owns the slab.
 *   - owner changes 0 -> t and t -> 0 only under the stripe lock, t -> 0 only by thread t. So a thread that
 *     reads its own id in owner may rely on it, and one that holds the stripe lock may rely on 0.
 *
 * free, in a thread T with slab S, after the slot number is known and is exact:
 *   T owns S:      LIVE, else double free; zero the slot; CACHED; into the stock. No atomic operation.
 *   nobody owns S: the same under the stripe lock, but FREE.
 *   else:          LIVE, else double free; zero the slot; exchange for REMOTE: what was not LIVE means double free; or of the
 *                  remote bit: set before means double free. Then ty_remote_notify.
 * malloc, by the owner: take a slot from the stock, check that it is zero, LIVE.
 * Collecting a remote bit: the state must be REMOTE, else double free; FREE.
 *
 * Why two racing frees are never both believed. Both by non-owners: the exchange shows the second its loss. One by the
 * owner, one not: either one sees the other's state, or (the owner looked before the exchange and stored after it) the
 * state is CACHED or FREE, or later LIVE again, and the remote bit is set: nobody but the owner's stock or the slab has
 * the slot, so that it is handed out once at most. Whoever takes a FREE slot looks at its bit (ty_slab_take), and
 * before CACHED ones become ready bits are collected: a bit whose slot is not REMOTE ends the process. (A slot that is
 * REMOTE in earnest stays so until it is collected, as nobody else changes it.) A free of the other thread that comes
 * after the slot has been handed out again is a free of the new object, which no allocator can tell from an honest one.
 * (The owner must not collect between his look and his store, or look again.)
 *
 * Collection never gets lost. After setting a remote bit the freer makes sure that S is on its owner's pending
 * stack (field `pending`: 0 not there, else the id below it, TY_PENDING_END at the bottom); when nobody owns S it
 * collects by itself, under the lock. The owner, emptying the stack, stores 0 in `pending` before it exchanges the words,
 * so a bit set too late for the exchange finds 0 and pushes again.
 *
 * used counts the slots that are not FREE. Those in the stock are among them: a slab with a slot in a stock is never empty.
 *
 * touched: pages from the start that have been made present and zero; only slots that lie in them are handed out, so
 * an untouched page costs nothing. Purging sets it back to 0.
 *
 * Parts. In a program with many caches the first slab of a cold one is a quarter of a page, TY_PART bytes, where its slots are small
 * enough: thousands of caches with a handful of objects each would be mostly empty pages. The others of the page
 * are such slabs of other caches of the same kind (P7), for ever (P1). The page's granule leads to a record without slots,
 * TY_SLAB_DIVIDED, whose recip is 0, so that no address is the start of a slot of it, and whose slot bytes are the ids of
 * the parts' records (0: none yet; stored once, with release). A part is nobody's: no thread owns it; else it lives as any slab. Its page
 * is purged when all parts that there are have been: of the page's record `used` counts those that have not, guarded by ty_parts_lock,
 * and is raised before a purged one is touched.
 */
#ifndef TY_SLAB_H
#define TY_SLAB_H

#include "canary.h"
#include "meta.h"
#include "report.h"

#define TY_SLAB_MAX ((size_t)256 << 10) /* bytes */
#define TY_PART ((size_t)1024)
#define TY_PARTS (TY_PAGE / TY_PART)
#define TY_SLAB_SLOTS_MAX 1024
#define TY_LONG_SLOT 2048 /* bytes; longer ones are one to a page or so: fewer are made present before they are needed */
#define TY_WORDS_MAX (TY_SLAB_SLOTS_MAX / 64)
#define TY_PENDING_END 1u	    /* not an id: id 1 is never handed out */

enum ty_slab_state {
	TY_SLAB_NONE,	 /* record 0 */
	TY_SLAB_LOOSE,	 /* owned, on no list: on its way from one to another */
	TY_SLAB_PARTIAL, /* owned, on its stock's partial list */
	TY_SLAB_FULL,	 /* owned, on its stock's full list: no slot is FREE */
	TY_SLAB_SHARED,	 /* nobody's, on its cache's partial list */
	TY_SLAB_SHARED_FULL, /* nobody's, on no list */
	TY_SLAB_EMPTY,	 /* nobody's, on its cache's empty list: pages present */
	TY_SLAB_PURGED,	 /* nobody's, on its cache's purged list: no pages */
	TY_SLAB_PURGING, /* nobody's, being purged */
	TY_SLAB_DIVIDED,	 /* a page of parts */
	TY_SPAN_LIVE,	 /* large.h from here on */
	TY_SPAN_BUSY,
	TY_SPAN_WARM,
	TY_SPAN_COLD,
};

enum ty_slot_state { TY_SLOT_FREE, TY_SLOT_LIVE, TY_SLOT_CACHED, TY_SLOT_REMOTE, TY_SLOT_HELD };

struct ty_slab {
	uintptr_t start; /* constant */
	u32 recip;	 /* constant: ceil(2^32 / size); 0: a page of parts */
	u16 size;	 /* constant: bytes of a slot */
	u8 canary : 1;	 /* constant: objects have one */
	u8 nil : 1;	 /* constant: objects of no bytes, memory without access */
	u8 part : 1;	 /* constant: a part of a page */
	u8 first;	 /* no slot below word `first` is FREE. By whoever may write states */
	u32 owner;	 /* thread cache id, 0: nobody */
	u32 used;
	u32 stock;  /* owned: id of the owner's stock; when empty and nobody's: low 32 bits of the time in ms */
	u32 cache;  /* constant: id in metadata */
	u16 nslots; /* constant */
	u8 state;   /* enum ty_slab_state */
	u8 touched; /* pages */
	u32 next, prev;
	u32 pending; /* atomic */
	/*
	 * enum ty_slot_state, nslots of them, and FREE for what is left behind the last slot; then, at a multiple of 8, remote
	 * words
	 */
	u8 slot[16];
};
_Static_assert(sizeof(struct ty_slab) == TY_META_UNIT, "a record is at least a line");
_Static_assert(sizeof(u32) * TY_PARTS == 16, "the ids of a page's parts are as many bytes as the shortest record has slots");

TY_INLINE struct ty_slab *ty_slab_ptr(u32 id)
{
	return (struct ty_slab *)(ty_conf.slabs + (size_t)id * TY_META_STEP);
}
TY_INLINE u32 ty_slab_id(const struct ty_slab *s)
{
	return (u32)((size_t)((const char *)s - ty_conf.slabs) / TY_META_STEP);
}
TY_INLINE unsigned ty_slab_words(const struct ty_slab *s) { return (s->nslots + 63u) / 64; }
/* Bytes of a record with n slots. */
TY_INLINE size_t ty_slab_record(unsigned nslots)
{
	return offsetof(struct ty_slab, slot) + ty_round_up(nslots + 1u, 8) + (nslots + 63u) / 64 * sizeof(u64);
}
/* States are read by anyone at any time. */
TY_INLINE u8 *ty_slot_states(const struct ty_slab *s) { return (u8 *)(uintptr_t)s + offsetof(struct ty_slab, slot); }
TY_INLINE u8 *ty_slot_state(const struct ty_slab *s, u32 i) { return ty_slot_states(s) + i; }
TY_INLINE bool ty_slot_live(const struct ty_slab *s, u32 i) { return TY_LOAD(ty_slot_state(s, i)) == TY_SLOT_LIVE; }
/* Word i of the remote bits. */
TY_INLINE u64 *ty_slab_remote(const struct ty_slab *s, unsigned i)
{
	return (u64 *)(void *)(ty_slot_states(s) + ty_round_up(s->nslots + 1u, 8)) + i;
}

/* Of a page of parts, where the ids of their records are. */
TY_INLINE u32 *ty_slab_parts(const struct ty_slab *page) { return (u32 *)(void *)(uintptr_t)page->slot; }
/* The slab of an address off bytes into the slabs' part of the heap; record 0, or one without slots: there is none. */
TY_INLINE struct ty_slab *ty_slab_at(size_t off)
{
	struct ty_slab *s = ty_slab_ptr(ty_map_get(off));

	return likely(s->recip) ? s : ty_slab_ptr(TY_LOAD_ACQ(&ty_slab_parts(s)[off / TY_PART % TY_PARTS]));
}

/*
 * Slot number of an address d bytes into the slab. recip = ceil(2^32 / size) = (2^32 + e) / size with e < size, so for
 * d = i * size + r the product d * recip is i * 2^32 + i * e + r * recip. As d < 2^18 and size <= 2^14, i * e < 2^18 <= recip:
 * the upper half is i, and the lower half is below recip just when r = 0, i.e. at a slot's start (r * recip + i * e does not
 * reach 2^32: it is at most 2^32 + e - recip + i * e, and (i + 1) * e < 2^18).
 */
TY_INLINE u32 ty_slot_of(const struct ty_slab *s, u32 d) { return (u32)(((u64)d * s->recip) >> 32); }
/*
 * The same; false unless d is a slot's start, or that of what is left behind the last slot, which is never LIVE. d: in
 * the slab (or any, of record 0).
 */
TY_INLINE bool ty_slot_start(const struct ty_slab *s, size_t d, u32 *i)
{
	u64 x = d * s->recip;

	*i = (u32)(x >> 32);
	return likely((u32)x < s->recip);
}
/* False unless d is a slot's start. */
TY_INLINE bool ty_slot_exact(const struct ty_slab *s, size_t d, u32 *i)
{
	return ty_slot_start(s, d, i) && likely(*i < s->nslots);
}

/* Slots of word i that end within the touched pages. */
TY_INLINE u64 ty_slab_limit(const struct ty_slab *s, unsigned i)
{
	/* floor(bytes / size), exact for the same reason as ty_slot_of */
	u32 slots = ty_slot_of(s, (u32)s->touched << TY_PAGE_SHIFT);
	if (slots >= s->nslots)
		return ~0ull;
	if (slots <= i * 64)
		return 0;
	return ty_low_mask(slots - i * 64 > 64 ? 64 : slots - i * 64);
}

/* FREE slots of word i, as bits. */
u64 ty_slab_free_word(const struct ty_slab *s, unsigned i);

/*
 * Find a word with slots that may be handed out: sets *word to its number and *may to the mask of its slots that are
 * FREE and whose pages are present; if some must be made so, those of `ahead` slots, so that there is a choice. At
 * least one. False: the slab is full. Collects remote frees, and counts them. By the owner, or under the stripe lock
 * when nobody owns it.
 */
bool ty_slab_take(struct ty_slab *s, unsigned ahead, unsigned *word, u64 *may);

/* Slots with a remote bit become FREE; how many. Ends the process on a double free. `used` is the caller's. */
unsigned ty_slab_collect(struct ty_slab *s);
/* A slab without a live slot has been written to: the first such slot, or nslots when all its memory is zero. */
unsigned ty_slab_find_write(const struct ty_slab *s);
/*
 * Has the program written from slot i, a live one, into its neighbours: behind the last one's canary, or into the first
 * 64 bytes of free ones? The crime, or NULL. Other threads may be at work on the neighbours: an answer may be wrong
 * while they are. The holder of the slab asks.
 */
const char *ty_slab_check_near(const struct ty_slab *s, u32 i);
/* Slots that are not FREE. */
unsigned ty_slab_count_used(const struct ty_slab *s);
/* Slots that are LIVE. */
unsigned ty_slab_count_live(const struct ty_slab *s);

#define TY_FOR_WORDS(s, i) for (unsigned i = 0, n_##i = ty_slab_words(s); i < n_##i; i++)

#endif
