/*
 * slab.h: pages cut into equal slots, and the record that describes them. The heart of P1, P3 and P4.
 *
 * A slab belongs to one cache for ever (P1). Its record lies out of line (P2):
 *
 *   struct ty_slab                one line; a slab of up to 64 slots needs no more
 *   +-----------------------------------------------+----------------+----------------+--
 *   | start recip size owner used trip cache ...    | word 0: free   | word 0: remote | word 1 ...
 *   +-----------------------------------------------+----------------+----------------+--
 *
 * Slot i, at start + i * size, is bit i % 64 of word i / 64:
 *
 *     free  remote
 *       0     0     live: handed out
 *       1     0     free: its memory is zero
 *       0     1     freed by a thread that is not the owner, not yet collected: its memory is zero
 *       1     1     a double free; whoever sees it ends the process
 *
 * With option never_reuse or quarantine (ty_conf.hold) every free sets the remote bit, under the stripe lock, and nobody collects:
 * a slot is dead for good, or comes back by ty_cache_release alone.
 *
 * Who may write
 *   - owner != 0 names a thread cache. Only its thread writes `free`, `used`, `trip`, `state`, the links; plain stores.
 *   - owner == 0: the slab belongs to its cache, and the holder of the cache's stripe lock writes all of these.
 *   - `remote` bits are set by anyone who is not the owner (atomic or), and collected (atomic exchange with 0) by the
 *     owner, or under the stripe lock when there is none.
 *   - owner changes 0 -> t and t -> 0 only under the stripe lock, t -> 0 only by thread t. So a thread that
 *     reads its own id in owner may rely on it, and one that holds the stripe lock may rely on 0.
 *
 * free, in a thread T with slab S, after the slot number is known and is exact:
 *   T owns S:      free and remote bits both 0, else double free; zero the slot; set the free bit. No atomic operation.
 *   nobody owns S: the same under the stripe lock.
 *   else:          free and remote bits both 0; zero the slot; atomic or of the remote bit: set before means double
 *                  free. Then ty_remote_notify.
 * malloc, by the owner: take a free bit whose remote bit is 0 (1: double free), clear it, check that the slot is zero.
 *
 * Why two racing frees are never both believed. Both by non-owners: the atomic or shows the second its loss. One by the
 * owner, one not: either one sees the other's bit, or (each looked before the other wrote) both bits are set; then
 * the next malloc that would take the slot, or the next collection, finds both and ends the process before the slot
 * is handed out. A remote bit set after the slot has been handed out again is a free of the new object, which no
 * allocator can tell from an honest one.
 *
 * Collection never gets lost. After setting a remote bit the freer makes sure that S is on its owner's pending
 * stack (field `pending`: 0 not there, else the id below it, TY_PENDING_END at the bottom); when nobody owns S it
 * collects by itself, under the lock. The owner, emptying the stack, stores 0 in `pending` before it exchanges the words,
 * so a bit set too late for the exchange finds 0 and pushes again.
 *
 * used counts slots whose free bit is 0, and is exact unless the slab is current (TY_SLAB_CURRENT), when it is not
 * looked at. free decrements it; reaching `trip` means that the slab must change lists:
 *   full: trip = nslots - 1;  partial: trip = 0;  current: used starts at TY_USED_CURRENT and never trips in practice.
 *
 * touched: pages from the start that have been made present and zero; only slots that lie in them are handed out, so
 * an untouched page costs nothing. Purging sets it back to 0.
 */
#ifndef TY_SLAB_H
#define TY_SLAB_H

#include "canary.h"
#include "meta.h"
#include "report.h"

#define TY_SLAB_MAX ((size_t)256 << 10) /* bytes */
#define TY_SLAB_SLOTS_MAX 1024
#define TY_WORDS_MAX (TY_SLAB_SLOTS_MAX / 64)
#define TY_PENDING_END 1u	    /* not an id: id 1 is never handed out */
#define TY_USED_CURRENT (1u << 30)

enum ty_slab_state {
	TY_SLAB_NONE,	 /* record 0 */
	TY_SLAB_CURRENT, /* owned, a magazine allocates from it */
	TY_SLAB_PARTIAL, /* owned, on its magazine's partial list */
	TY_SLAB_FULL,	 /* owned, on its magazine's full list */
	TY_SLAB_SHARED,	 /* nobody's, on its cache's partial list */
	TY_SLAB_SHARED_FULL, /* nobody's, on no list */
	TY_SLAB_EMPTY,	 /* nobody's, on its cache's empty list: pages present */
	TY_SLAB_PURGED,	 /* nobody's, on its cache's purged list: no pages */
	TY_SLAB_PURGING, /* nobody's, being purged */
	TY_SPAN_LIVE,	 /* large.h from here on */
	TY_SPAN_BUSY,
	TY_SPAN_WARM,
	TY_SPAN_COLD,
};

struct ty_word {
	u64 free;
	u64 remote; /* atomic */
};

struct ty_slab {
	uintptr_t start; /* constant */
	u32 recip;	 /* constant: ceil(2^32 / size) */
	u16 size;	 /* constant: bytes of a slot */
	u8 canary;	 /* constant: objects have one */
	u8 nil;		 /* constant: objects of no bytes, memory without access */
	u32 owner;	 /* thread cache id, 0: nobody */
	u32 used;
	u32 trip;   /* when empty and nobody's: low 32 bits of the time in ms */
	u32 cache;  /* constant: id in metadata */
	u16 nslots; /* constant */
	u8 state;   /* enum ty_slab_state */
	u8 touched; /* pages */
	u32 next, prev;
	u32 pending; /* atomic */
	struct ty_word w[1];
};
_Static_assert(sizeof(struct ty_slab) == TY_META_UNIT, "a slab of up to 64 slots is one line");

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
	return sizeof(struct ty_slab) + ((nslots + 63u) / 64 - 1) * sizeof(struct ty_word);
}

/*
 * Slot number of an address d bytes into the slab. recip = ceil(2^32 / size) = (2^32 + e) / size with e < size, so for
 * d = i * size + r the product d * recip is i * 2^32 + i * e + r * recip. As d < 2^18 and size <= 2^14, i * e < 2^18 <= recip:
 * the upper half is i, and the lower half is below recip just when r = 0, i.e. at a slot's start (r * recip + i * e does not
 * reach 2^32: it is at most 2^32 + e - recip + i * e, and (i + 1) * e < 2^18).
 */
TY_INLINE u32 ty_slot_of(const struct ty_slab *s, u32 d) { return (u32)(((u64)d * s->recip) >> 32); }
/* The same; false unless d is a slot's start. d: below TY_SLAB_MAX, in a slab (or any slab's record 0). */
TY_INLINE bool ty_slot_exact(const struct ty_slab *s, size_t d, u32 *i)
{
	u64 x = d * s->recip;

	*i = (u32)(x >> 32);
	return likely((u32)x < s->recip) && likely(*i < s->nslots);
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

/*
 * Take up to a word of free slots for handing out: sets *word to the word's number and *limit to the mask of its
 * slots that may be handed out (their pages are present; if some must be made so, those of `ahead` slots, so that there is a
 * choice). At least one of them is free. False: the slab is full.
 * Collects remote frees. By the owner, or under the stripe lock when nobody owns it.
 */
bool ty_slab_take(struct ty_slab *s, unsigned ahead, unsigned *word, u64 *limit);

/* Move remote bits to free; the number of slots gained. Ends the process on a double free. */
unsigned ty_slab_collect(struct ty_slab *s);
/* A slab without a live slot has been written to: the first such slot, or nslots when all its memory is zero. */
unsigned ty_slab_find_write(const struct ty_slab *s);
/*
 * Has the program written from slot i, a live one, into its neighbours: behind the last one's canary, or into the first 64 bytes of
 * free ones? The crime, or NULL. Other threads may be at work on the neighbours: an answer may be wrong while they are. The holder of
 * the slab's free bits asks.
 */
const char *ty_slab_check_near(const struct ty_slab *s, u32 i);
/* Slots whose free bit is 0. */
unsigned ty_slab_count_used(const struct ty_slab *s);

#define TY_FOR_WORDS(s, i) for (unsigned i = 0, n_##i = ty_slab_words(s); i < n_##i; i++)

#endif
