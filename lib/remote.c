/* remote.c: see remote.h. */
#include "remote.h"
#include "stock.h"

void ty_remote_notify(struct ty_slab *s)
{
	u32 none = 0;

	/* Somebody has put it on a stack and the owner has not yet come: he will see our bit. */
	if (!__atomic_compare_exchange_n(&s->pending, &none, TY_PENDING_END, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return;
	for (;;) {
		u32 owner = TY_LOAD_ACQ(&s->owner);
		if (!owner) {
			TY_STORE(&s->pending, 0);
			__atomic_thread_fence(__ATOMIC_SEQ_CST); /* before the words are read */
			if (ty_cache_collect(s))
				return;
			/* Adopted meanwhile; the new owner's stack must know, unless somebody told it. */
			none = 0;
			if (!__atomic_compare_exchange_n(&s->pending, &none, TY_PENDING_END, false, __ATOMIC_SEQ_CST,
							 __ATOMIC_SEQ_CST))
				return;
			continue;
		}
		u32 *head = &ty_tcache_ptr(owner)->pending;
		u32 top = TY_LOAD(head);
		if (top == TY_PENDING_CLOSED) {
			ty_os_pause(); /* the owner is ending; it gave the slab away before it closed */
			continue;
		}
		TY_STORE(&s->pending, top ? top : TY_PENDING_END);
		if (__atomic_compare_exchange_n(head, &top, ty_slab_id(s), false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
			return;
		TY_STORE(&s->pending, TY_PENDING_END);
	}
}

/* Empty this thread's stack; what replaces it is 0, or CLOSED at the end. */
void ty_remote_drain(struct ty_tcache *tc, u32 with)
{
	u32 id = __atomic_exchange_n(&tc->pending, with, __ATOMIC_SEQ_CST);

	while (id && id != TY_PENDING_END && id != TY_PENDING_CLOSED) {
		struct ty_slab *s = ty_slab_ptr(id);
		id = TY_LOAD(&s->pending);
		TY_STORE(&s->pending, 0);
		__atomic_thread_fence(__ATOMIC_SEQ_CST); /* before the words are read */
		if (TY_LOAD(&s->owner) != tc->id) {
			ty_remote_notify(s); /* given away since it was pushed */
			continue;
		}
		unsigned gained = ty_slab_collect(s);
		if (gained) {
			s->used -= gained;
			ty_stock_relist(s);
		}
	}
}
