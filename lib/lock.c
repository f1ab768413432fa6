/* lock.c: the contended half of lock.h (Drepper, "Futexes Are Tricky", mutex 3, with a short spin). */
#include "lock.h"

#define SPINS 100

__thread unsigned ty_fork_depth __attribute__((tls_model("initial-exec")));

static __thread uintptr_t dying __attribute__((tls_model("initial-exec"))); /* the frame; 0: not */
static __thread bool dying_on_signal_stack __attribute__((tls_model("initial-exec")));

bool ty_lock_is_dying(void) { return dying; }

void ty_lock_dying(void *frame)
{
	dying = (uintptr_t)frame;
	dying_on_signal_stack = ty_os_on_signal_stack();
	ty_fork_depth++;
}

void ty_lock_pass(void)
{
	if (likely(!dying))
		return;
	bool now = ty_os_on_signal_stack();
	if (now == dying_on_signal_stack ? (uintptr_t)__builtin_frame_address(0) > dying : !now)
		ty_os_abort(false);
}

void ty_lock_slow(struct ty_lock *l)
{
	for (int i = 0; i < SPINS; i++) {
		u32 want = 0;
		if (TY_LOAD(&l->word) == 0 &&
		    __atomic_compare_exchange_n(&l->word, &want, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return;
		ty_os_pause();
	}
	while (__atomic_exchange_n(&l->word, 2, __ATOMIC_ACQUIRE) != 0)
		ty_os_futex_wait(&l->word, 2);
}

void ty_unlock_slow(struct ty_lock *l) { ty_os_futex_wake(&l->word); }
