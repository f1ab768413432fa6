/* stock.c: see stock.h. */
#include "stock.h"
#include "remote.h"

#include <errno.h>

#define EMPTY_KEPT 1 /* empty slabs a magazine keeps for itself */

/* A random half of the slots that may be handed out, in `limit`; all if they are few. */
static void set_word(struct ty_tcache *tc, struct ty_mag *m, struct ty_slab *s, unsigned w, u64 limit)
{
	u64 r = ty_random_next64(&tc->rng), all = s->w[w].free & limit, half = all & r;

	tc->draw = ty_mix(r);
	m->word = &s->w[w];
	m->base = s->start + (size_t)w * 64 * s->size;
	m->stock = half ? half : all;
}

static void make_current(struct ty_mag *m, struct ty_slab *s)
{
	s->state = TY_SLAB_CURRENT;
	s->used = TY_USED_CURRENT;
	s->trip = 0;
	m->current = ty_slab_id(s);
}

/* A slab of this thread that is on no list goes where its `used` says. */
void ty_stock_shelve(struct ty_mag *m, struct ty_slab *s)
{
	if (s->used == s->nslots) {
		s->state = TY_SLAB_FULL;
		s->trip = s->nslots - 1u;
		ty_list_push(&m->full, s);
	} else {
		s->state = TY_SLAB_PARTIAL;
		s->trip = 0;
		m->nempty += s->used == 0;
		ty_list_push(&m->partial, s);
	}
}

/* The current slab, of which `used` slots are not free, is current no more. */
void ty_stock_retire(struct ty_mag *m, u32 used)
{
	struct ty_slab *s = ty_slab_ptr(m->current);

	m->current = 0;
	m->word = &ty_no_word;
	m->stock = 0;
	s->used = used;
	ty_stock_shelve(m, s);
}

struct ty_mag *ty_mag_of(struct ty_tcache *tc, const struct ty_slab *s)
{
	const struct ty_cache *c = ty_cache_ptr(s->cache);
	return ty_mag_find(tc, c->key, c->cls);
}

/* `used` of an owned slab that is not current went down, maybe past `trip`: is it on the right list? */
void ty_stock_relist(struct ty_tcache *tc, struct ty_slab *s)
{
	struct ty_mag *m = ty_mag_of(tc, s);

	if (s->state == TY_SLAB_FULL && s->used <= s->trip) {
		ty_list_remove(&m->full, s);
		s->state = TY_SLAB_PARTIAL;
		s->trip = 0;
		/* Last, so that it has gathered more free slots when its turn comes: each turn costs a refill. */
		ty_list_push_back(&m->partial, s);
		if (s->used == 0)
			m->nempty++;
		else
			return;
	} else if (s->used == 0) {
		m->nempty++;
	} else {
		return;
	}
	if (m->nempty > EMPTY_KEPT) {
		m->nempty--;
		ty_list_remove(&m->partial, s);
		ty_cache_abandon(s);
		ty_cache_tick("free");
	}
}

void ty_tcache_trip(struct ty_tcache *tc, struct ty_slab *s)
{
	if (s->state == TY_SLAB_CURRENT)
		s->used = TY_USED_CURRENT;
	else
		ty_stock_relist(tc, s);
}

/* Give everything a magazine has to its cache; it is cold then. */
void ty_stock_cool(struct ty_tcache *tc, struct ty_mag *m)
{
	struct ty_cache *c = ty_cache_ptr(m->cache);

	__atomic_add_fetch(&c->allocations, m->allocations, __ATOMIC_RELAXED);
	if (m->current) {
		struct ty_slab *s = ty_slab_ptr(m->current);
		m->current = 0;
		m->word = &ty_no_word;
		m->stock = 0;
		ty_cache_abandon(s);
	}
	u32 *lists[] = {&m->partial, &m->full};
	for (int k = 0; k < 2; k++) {
		while (*lists[k]) {
			struct ty_slab *s = ty_slab_ptr(*lists[k]);
			ty_list_remove(lists[k], s);
			ty_cache_abandon(s);
		}
	}
	m->hot = 0;
	m->nempty = 0;
	m->size = 0;
	m->cache = 0;
	m->allocations = 0;
	tc->nhot--;
}

/* Now and then: magazines that this thread has stopped using give their slabs back. keep is in use. */
void ty_stock_sweep(struct ty_tcache *tc, const struct ty_mag *keep)
{
	u32 now = (u32)ty_os_now_ms();
	u32 rest = ty_conf.decay_ms / TY_IDLE, large = ty_mag_table_size(tc) / 128; /* a large table takes a while to look through */

	if (rest < large)
		rest = large < ty_conf.decay_ms ? large : ty_conf.decay_ms;
	if (now - tc->swept < rest)
		return;
	tc->swept = now;
	for (u32 i = 0; i < ty_mag_table_size(tc); i++) {
		struct ty_mag *m = &tc->table[i];
		if (!m->hot || m == keep)
			continue;
		if (m->seen == (u8)m->allocations)
			ty_stock_cool(tc, m);
		else
			m->seen = (u8)m->allocations;
	}
}

/* Bytes have been taken out of a slab. When a sample is due, the next call takes the slow path, with nothing else changed. */
static void spend(struct ty_tcache *tc, const struct ty_mag *m)
{
	tc->sample -= (int)(ty_popcount(m->stock) * m->size);
	if (unlikely(tc->sample <= 0))
		ty_self = &ty_no_tcache;
}

/* The stock is used up: find more. False: out of memory. */
static bool refill(struct ty_tcache *tc, struct ty_mag *m, const char *fn)
{
	unsigned w;
	u64 limit;

	for (bool drained = false;;) {
		if (m->current) {
			struct ty_slab *s = ty_slab_ptr(m->current);
			if (ty_slab_take(s, s->size <= 2048 ? 4 : 2, &w, &limit)) {
				set_word(tc, m, s, w, limit);
				spend(tc, m);
				return true;
			}
			ty_stock_retire(m, s->nslots); /* nothing is free */
		}
		if (!m->partial && !drained) {
			drained = true;
			if (TY_LOAD(&tc->pending))
				ty_remote_drain(tc, 0);
			ty_stock_sweep(tc, m);
			ty_cache_tick(fn);
		}
		struct ty_slab *s;
		if (m->partial) {
			s = ty_slab_ptr(m->partial);
			ty_list_remove(&m->partial, s);
			m->nempty -= s->used == 0;
		} else {
			s = ty_cache_adopt(ty_cache_ptr(m->cache), tc->id);
			if (!s)
				return false;
			ty_cache_growth(fn);
		}
		make_current(m, s);
	}
}

/* The slot at p, which is the program's from now on, if it is zero as it must be; n of its bytes. */
static void *checked(void *p, size_t size, size_t n, const char *fn)
{
	u32 i;

	if (likely(ty_all_zero_long(p, size))) {
		ty_canary_put(p, n);
		return p;
	}
	struct ty_slab *s = ty_slot_at(p, (uintptr_t)p - ty_conf.base, &i, fn);
	ty_cache_die(fn, "write after free at", s, i);
}

/* Slot i of an owned slab, whose free bit is set, to the program. */
TY_INLINE void *hand_out(struct ty_mag *m, struct ty_slab *s, u32 i, size_t n, const char *fn)
{
	struct ty_word *w = &s->w[i / 64];
	u64 bit = 1ull << (i % 64);

	if (unlikely(TY_LOAD(&w->remote) & bit))
		ty_cache_die("free", "double free of", s, i);
	TY_STORE(&w->free, w->free & ~bit);
	m->allocations++;
	return checked((char *)s->start + (size_t)i * s->size, s->size, n, fn);
}

static TY_NOINLINE void forget(struct ty_recent *r, u32 cache)
{
	r->cache = cache;
	r->n = 0;
}

TY_INLINE void remember(struct ty_tcache *tc, const struct ty_slab *s, u32 i)
{
	struct ty_recent *r = &tc->recent[TY_RECENT_SET(s->cache)];

	if (unlikely(r->cache != s->cache))
		forget(r, s->cache);
	u32 at = r->n;
	if (at < TY_RECENT_DEPTH)
		r->n++;
	else if (++r->next >= TY_RECENT_DEPTH)
		at = r->next = 0;
	else
		at = r->next;
	r->slot[at] = (u64)i << 32 | ty_slab_id(s);
}

static TY_NOINLINE void *pop_word(struct ty_tcache *tc, struct ty_mag *m, size_t n, const char *fn)
{
	if (!(m->word->free & m->stock) && unlikely(!refill(tc, m, fn))) {
		errno = ENOMEM;
		return NULL;
	}
	struct ty_slab *s = ty_slab_ptr(m->current);
	unsigned bit = ty_draw_bit(tc, m->word->free & m->stock);
	m->stock &= ~(1ull << bit);
	return hand_out(m, s, (u32)(m->word - s->w) * 64 + bit, n, fn);
}

/* Slot i of a partial slab that is empty or has but this one free. */
static TY_NOINLINE void *pop_edge(struct ty_mag *m, struct ty_slab *s, u32 i, size_t n, const char *fn)
{
	if (s->state == TY_SLAB_PARTIAL) {
		m->nempty -= s->used == 0;
		if (++s->used == s->nslots) {
			ty_list_remove(&m->partial, s);
			ty_stock_shelve(m, s);
		}
	}
	return hand_out(m, s, i, n, fn);
}

/* The recent slot was not what it had been. Out of line, so that ty_pop needs no frame. */
static TY_NOINLINE void *pop_again(struct ty_tcache *tc, struct ty_mag *m, size_t n, const char *fn)
{
	return ty_pop(tc, m, n, fn);
}

void *ty_pop_self(struct ty_mag *m, size_t n, const char *fn) { return ty_pop(ty_self, m, n, fn); }

/* Seven draws of 8 bits. */
static TY_NOINLINE void more_random(struct ty_tcache *tc)
{
	tc->random = ty_random_next64(&tc->rng) >> 8 | (u64)1 << 56;
}

/* A slot that was freed a short while ago, if there is one, else the next of the current word. */
void *ty_pop(struct ty_tcache *tc, struct ty_mag *m, size_t n, const char *fn)
{
	struct ty_recent *r = tc->recent + TY_RECENT_SET(m->cache);

	if (unlikely(m->size <= TY_INLINE_BYTES) || unlikely(!tc->recent))
		return pop_word(tc, m, n, fn);
	if (r->n < TY_RECENT_MIN || unlikely(r->cache != m->cache))
		return pop_word(tc, m, n, fn);
	if (unlikely(tc->random == 1))
		more_random(tc);
	u32 draw = tc->random & 0xff;
	tc->random >>= 8;
	if (draw < 256 / TY_RECENT_OTHER)
		return pop_word(tc, m, n, fn);
	u32 at = draw * r->n-- >> 8;
	u64 e = r->slot[at];
	r->slot[at] = r->slot[r->n];
	u32 i = (u32)(e >> 32);
	struct ty_slab *s = ty_slab_ptr((u32)e);
	struct ty_word *w = &s->w[i / 64];
	u64 bit = 1ull << (i % 64);
	size_t at_byte = (size_t)i * m->size;
	if (unlikely(TY_LOAD(&s->owner) != tc->id) || unlikely(!(w->free & bit)) ||
	    unlikely(at_byte + m->size > (size_t)s->touched << TY_PAGE_SHIFT))
		return pop_again(tc, m, n, fn);
	/* Of the current slab `used` starts where it meets neither end. The slow way names crimes too. */
	if (unlikely(s->used == 0) || unlikely(s->used + 1 == s->nslots) || unlikely(TY_LOAD(&w->remote) & bit))
		return pop_edge(m, s, i, n, fn);
	s->used++;
	TY_STORE(&w->free, w->free & ~bit);
	m->allocations++;
	return checked((char *)s->start + at_byte, m->size, n, fn);
}

static TY_NOINLINE void free_trip(struct ty_tcache *tc, struct ty_slab *s, void *p)
{
	ty_zero_long(p, s->size);
	ty_tcache_trip(tc, s);
}

void ty_free_own(struct ty_tcache *tc, struct ty_slab *s, u32 i, void *p, const char *fn)
{
	struct ty_word *w = &s->w[i / 64];
	u64 bit = 1ull << (i % 64);
	u64 free = TY_LOAD(&w->free);

	if (unlikely((free | TY_LOAD(&w->remote)) & bit))
		ty_cache_die(fn, "double free of", s, i);
	if (likely(s->canary) && unlikely(ty_canary_size(p, s->size) == TY_NO_CANARY))
		ty_die_overflow(fn, s, i);
	/* The slab is ours alone, so the order of what follows is for nobody to see, until it changes hands. */
	TY_STORE(&w->free, free | bit);
	if (likely(tc->recent != NULL) && likely(s->size > TY_INLINE_BYTES))
		remember(tc, s, i);
	if (likely(--s->used != s->trip))
		ty_zero_long(p, s->size);
	else
		free_trip(tc, s, p);
}
