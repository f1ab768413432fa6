/*
 * purge.h: memory that nobody uses goes back to the system. Its addresses stay its cache's (P1).
 *
 * Empty slabs give their pages back once they have been empty for decay_ms. Nothing runs in the background:
 * slow paths look at the clock (ty_cache_tick). Over some seconds no more goes than takes a small part of the time: a program
 * that comes back to all of its memory more seldom than decay_ms is not slowed down by purges until it never comes back sooner.
 *
 * Memory that grows takes the place of what others have stopped using (ty_cache_growth): when pages of slabs are
 * touched that were not present, half as many bytes as those are given back of what nobody has used for some
 * milliseconds, and for new slabs and spans twice as many. So a program's peak follows its live bytes, not the sum of
 * its caches' peaks. As every round of giving back and touching again is half of the last, all of it together is at
 * most four times what is ever new, and a program that does not grow keeps its pages for decay_ms.
 *
 * What goes has been looked through: a write after the free must not vanish with the page (P4).
 *
 * Lock: that of the stripe, cache by cache; dropped around each system call, while the slab or span is on no list.
 */
#ifndef TY_PURGE_H
#define TY_PURGE_H

#include "cache.h"

extern TY_HIDDEN size_t ty_cache_grown; /* atomic */
#define TY_GROWTH_STEP ((size_t)64 << 10)
/* So many bytes more are in use. Any lock state. */
TY_INLINE void ty_cache_grows(size_t n) { __atomic_add_fetch(&ty_cache_grown, n, __ATOMIC_RELAXED); }
/* If enough has been added, give as much back that nobody has used for a moment. No lock held. */
void ty_cache_make_room(const char *fn);
TY_INLINE void ty_cache_growth(const char *fn)
{
	if (unlikely(TY_LOAD(&ty_cache_grown) >= TY_GROWTH_STEP))
		ty_cache_make_room(fn);
}

/* Give memory back that has been unused for decay_ms, now and then. No lock held. */
void ty_cache_tick(const char *fn); /* fn: whom to name, as everywhere */
/* The child of a fork: what a purge that was under way in another thread has taken off the lists is put back. */
void ty_cache_after_fork(void);
/* Give all unused memory back; true if there was any. No lock held. */
bool ty_cache_trim(void);

#endif
