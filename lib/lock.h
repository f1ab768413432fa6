/*
 * lock.h: a futex mutex of one word, and the order in which locks are taken.
 *
 *   0  free      1  held      2  held, somebody may sleep
 *
 * Lock order (an outer lock is taken first; a lock is never taken while one below it is held):
 *
 *   1  stripe[i]    ascending i, and more than one only by fork      lists of the caches of that stripe
 *   2  index        key -> type, (key, class) -> cache
 *   3  threads      list of thread caches that nobody uses
 *   4  sites        what is known of call sites
 *   5  tracked      the table of what somebody else allocates for caches of ours (tracked.h)
 *   6  parts        pages that caches share
 *   7  region       frontiers and chunks of the address space
 *   8  meta         out-of-line memory
 *   9  random       the shared state of random numbers
 *
 * fork takes all of them, so that the child finds every locked structure whole. Between the first prepare
 * handler and the last parent/child handler the forking thread already holds them all; its calls into
 * the allocator (from other libraries' handlers) then pass through ty_lock without taking anything.
 */
#ifndef TY_LOCK_H
#define TY_LOCK_H

#include "compiler.h"
#include "os.h"

struct ty_lock {
	u32 word;
};

/* Written by the forking thread only: it holds every lock. */
extern TY_HIDDEN __thread unsigned ty_fork_depth __attribute__((tls_model("initial-exec")));

/*
 * The thread ends the process, in a function with this frame: until that returns, which it must not, its calls pass too, as it
 * may hold a lock. Should a handler jump out of it, the next ty_lock ends the process.
 */
void ty_lock_dying(void *frame);
/* This thread ends the process. */
bool ty_lock_is_dying(void);
TY_COLD void ty_lock_pass(void);
TY_COLD void ty_lock_slow(struct ty_lock *l);
TY_COLD void ty_unlock_slow(struct ty_lock *l);

TY_INLINE void ty_lock(struct ty_lock *l)
{
	u32 want = 0;
	if (unlikely(ty_fork_depth)) {
		ty_lock_pass();
		return;
	}
	if (unlikely(!__atomic_compare_exchange_n(&l->word, &want, 1, false, __ATOMIC_ACQUIRE,
						  __ATOMIC_RELAXED)))
		ty_lock_slow(l);
}

TY_INLINE void ty_unlock(struct ty_lock *l)
{
	if (unlikely(ty_fork_depth))
		return;
	if (unlikely(__atomic_exchange_n(&l->word, 0, __ATOMIC_RELEASE) == 2))
		ty_unlock_slow(l);
}

#endif
