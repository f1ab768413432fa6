/*
 * random.h: numbers that nobody outside can predict, for P6.
 *
 * ChaCha (RFC 8439) with 8 rounds, keyed by the kernel; four blocks at a time, numbered 0 to 3, whose first two words
 * each become the next key, so that who reads the state learns nothing of what was drawn before. One state for each
 * thread cache, used by its thread only, and a shared one under a lock of its own, the innermost of all. All start
 * anew in the child of a fork, also of one without handlers (clone, _Fork): the kernel zeroes a page there, which has a mark.
 */
#ifndef TY_RANDOM_H
#define TY_RANDOM_H

#include "conf.h"
#include "lock.h"

#define TY_RANDOM_OUT 56 /* numbers from one key: four blocks of 16, but for the next key */

struct ty_random {
	u32 key[8];
	u32 out[TY_RANDOM_OUT]; /* of which `left` are still to be drawn */
	u32 left;
	u32 seeded; /* the process's mark then; 0: not yet */
};

/* Once, at start. Gives the process its mark. */
void ty_random_init(void);
/*
 * The process's mark: a random number, not 0, that no child with memory of its own shares. Beside it is the process's id. (On
 * kernels before Linux 4.14 it stays in the child; ty_random_after_fork sees to that.)
 */
u32 ty_random_mark(void);
/* Has this process the memory for itself? Not so a child of vfork, which runs in its parent's. */
bool ty_random_own(void);

extern struct ty_lock ty_random_lock;

/* Fill `out`. */
TY_COLD void ty_random_fill(struct ty_random *r);
/* Forget everything; the next number comes with a new key. */
TY_INLINE void ty_random_forget(struct ty_random *r) { r->left = r->seeded = 0; }

TY_INLINE u32 ty_random_next(struct ty_random *r)
{
	if (unlikely(!r->left) || unlikely(r->seeded != TY_LOAD(ty_conf.mark)))
		ty_random_fill(r);
	u32 x = r->out[--r->left];
	r->out[r->left] = 0;
	return x;
}

TY_INLINE u64 ty_random_next64(struct ty_random *r) { return (u64)ty_random_next(r) << 32 | ty_random_next(r); }

/* 0 .. n - 1; a value is more likely than another by less than n / 2^32. */
TY_INLINE u32 ty_random_of(struct ty_random *r, u32 n) { return (u32)((u64)ty_random_next(r) * n >> 32); }

/* The same, from the shared state. */
u32 ty_random_below(u32 n);
/* The child of a fork. Its only thread. True: the mark is its parent's, so that every state must be told to forget. */
bool ty_random_after_fork(void);

#endif
