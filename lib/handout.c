/*
 * handout.c: an object out of a magazine, and back, where the two fast paths (tcache.h) leave it to a call: slots longer than
 * TY_INLINE_BYTES, magazines with nothing ready, crimes. See tcache.h.
 */
#include "stock.h"

#include <errno.h>

/* The next of the ready ones, one at least, to the program; n of its bytes. */
TY_INLINE void *hand_out(struct ty_mag *m, size_t n, const char *fn)
{
	char *p = m->next.p;
	u8 *state = m->next.state;
	u32 i;

	bool zero = m->size <= TY_INLINE_BYTES ? ty_all_zero(p, m->size) : ty_all_zero_long(p, m->size);

	if (unlikely(!zero)) {
		struct ty_slab *s = ty_slot_at(p, (uintptr_t)p - ty_conf.base, &i, fn);
		ty_cache_die(fn, "write after free at", s, i);
	}
	ty_mag_advance(m, 2);
	TY_STORE(state, TY_SLOT_LIVE);
	ty_canary_put(p, n);
	return p;
}

static TY_NOINLINE void *hand_out_long(struct ty_mag *m, size_t n, const char *fn) { return hand_out(m, n, fn); }

#if defined(__x86_64__)
/* Both paths for slots of TY_INLINE_BYTES to TY_WIDE_BYTES. Crimes, and canaries far from the end, are for the general one. */
static TY_AVX2 void *pop_wide(struct ty_mag *m, size_t n, const char *fn)
{
	char *p = m->next.p;
	u8 *state = m->next.state;

	if (unlikely(!ty_all_zero_wide(p, m->size)))
		return hand_out_long(m, n, fn);
	ty_mag_advance(m, 4); /* lines; the processor finds the others by itself */
	TY_STORE(state, TY_SLOT_LIVE);
	ty_canary_put(p, n);
	return p;
}

static TY_AVX2 void free_wide(struct ty_tcache *tc, struct ty_slab *s, u32 i, void *p, const char *fn)
{
	u8 *state = ty_slot_state(s, i);
	size_t size = s->size;

	if (unlikely(TY_LOAD(state) != TY_SLOT_LIVE) || (likely(s->canary) && unlikely(!ty_canary_near64(p, size)))) {
		ty_free_own(tc, s, i, p, fn);
		return;
	}
	ty_zero_wide(p, size);
	ty_stock_put(tc, s, p, state);
}
#define WIDE(size) (likely((size) <= TY_WIDE_BYTES) && likely(ty_conf.avx2))
#else
#define WIDE(size) false
#define pop_wide(m, n, fn) NULL
#define free_wide(tc, s, i, p, fn) (void)0
#endif

void *ty_pop_long(struct ty_mag *m, size_t n, const char *fn)
{
	return WIDE(m->size) ? pop_wide(m, n, fn) : hand_out_long(m, n, fn);
}

void ty_free_long(struct ty_tcache *tc, struct ty_slab *s, u32 i, void *p, const char *fn)
{
	if (WIDE(s->size))
		free_wide(tc, s, i, p, fn);
	else
		ty_free_own(tc, s, i, p, fn);
}

void *ty_pop_shown(struct ty_tcache *tc, struct ty_mag *m, size_t n, const char *fn)
{
	if (!m->next.p && unlikely(!ty_stock_fill(tc, m, fn))) {
		errno = ENOMEM;
		return NULL;
	}
	return hand_out(m, n, fn);
}

void *ty_pop(struct ty_tcache *tc, struct ty_mag *m, size_t n, const char *fn)
{
	if (!m->next.p)
		ty_stock_show(m);
	return ty_pop_shown(tc, m, n, fn);
}

void ty_free_own(struct ty_tcache *tc, struct ty_slab *s, u32 i, void *p, const char *fn)
{
	u8 *state = ty_slot_state(s, i);

	if (unlikely(TY_LOAD(state) != TY_SLOT_LIVE))
		ty_die_not_live(fn, s, i, p);
	ty_zero_long(p, ty_slot_used(s, i, p, fn));
	ty_stock_put(tc, s, p, state);
}
