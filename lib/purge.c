/* purge.c: see purge.h. */
#include "purge.h"
#include "large.h"

/* Threads that purge now. Atomic. */
static u32 purging;
/* When the next look for memory to purge is due, in ms, and how much may go then. Atomic. */
static u64 purge_due, credit;

/* ms: see purge.h. To fault in a span again costs more than to look through it. */
#define GROWTH_AGE 16
#define GROWTH_AGE_SPANS 20
/* Costs, in bytes that could be faulted in meanwhile: of a system call, and to look at a cache. */
#define CALL_BYTES ((size_t)32 << 10)
#define LOOK_BYTES ((size_t)256)
/* Of what decays: an eighth of the time or so, and what has not been used of that in the last seconds. */
#define BYTES_PER_MS ((size_t)512 << 10)
#define CREDIT_MAX (BYTES_PER_MS * 8192)

size_t ty_cache_grown;
static u32 begin_at; /* stripe. Atomic. */
static u32 next_stripe(void) { return __atomic_fetch_add(&begin_at, 7, __ATOMIC_RELAXED); }

static u32 now32(void) { return (u32)ty_os_now_ms(); }

/*
 * Purge a cache's empty slabs that are old enough, *budget bytes and a little more. Stripe lock held, and dropped
 * around each system call: the slab is on no list meanwhile. True when none is left to purge.
 */
static bool purge_cache(struct ty_cache *c, struct ty_lock *l, u32 age, u32 spans, const char *fn, size_t *budget)
{
	if (c->cls & TY_CLASS_LARGE)
		return ty_large_purge(c, l, spans, fn, budget);
	while (*budget) {
		struct ty_slab *s = ty_list_last(c->empty); /* the oldest */
		if (!s)
			return true;
		if (now32() - s->stock < age)
			return false;
		ty_list_remove(&c->empty, s);
		s->state = TY_SLAB_PURGING;
		ty_unlock(l);
		/* A write after a free must not vanish with the page (P4). */
		unsigned written = ty_slab_find_write(s);
		if (unlikely(written < s->nslots))
			ty_cache_die(fn, "write after free at", s, written);
		size_t bytes = s->nil ? 0 : (size_t)s->touched << TY_PAGE_SHIFT;
		bool done = !bytes || (s->part ? ty_part_unused(s) : ty_os_purge((void *)s->start, bytes));
		ty_lock(l);
		if (done) {
			bytes += bytes ? CALL_BYTES : 0;
			*budget -= bytes < *budget ? bytes : *budget;
			s->touched = s->nil ? s->touched : 0;
		}
		s->state = TY_SLAB_PURGED;
		ty_list_push(&c->purged, s);
	}
	return false;
}

/* Purge up to about budget bytes that have been unused for age ms, from a stripe on. So many were there. */
static size_t purge_all(u32 age, u32 spans, const char *fn, size_t budget, u32 from)
{
	size_t gone = 0;

	__atomic_add_fetch(&purging, 1, __ATOMIC_SEQ_CST);
	for (u32 i = 0; i < TY_STRIPES && budget; i++) {
		struct ty_stripe *t = &ty_stripes[(from + i) % TY_STRIPES];
		if (!TY_LOAD(&t->purge_list))
			continue;
		ty_lock(&t->lock);
		struct ty_cache *c = t->purge_list, *last = t->purge_last;
		t->purge_list = NULL;
		while (c && budget) {
			struct ty_cache *next = c->purge_next;
			size_t before = budget;
			c->on_purge_list = false;
			if (!purge_cache(c, &t->lock, age, spans, fn, &budget))
				ty_cache_will_purge(c);
			gone += before - budget;
			budget -= budget < LOOK_BYTES ? budget : LOOK_BYTES;
			c = next;
		}
		if (c) { /* those not looked at are the first again */
			last->purge_next = t->purge_list;
			t->purge_last = t->purge_list ? t->purge_last : last;
			t->purge_list = c;
		}
		ty_unlock(&t->lock);
	}
	__atomic_sub_fetch(&purging, 1, __ATOMIC_SEQ_CST);
	return gone;
}

void ty_cache_make_room(const char *fn)
{
	size_t n = __atomic_exchange_n(&ty_cache_grown, 0, __ATOMIC_RELAXED);

	if (n >= TY_GROWTH_STEP && ty_conf.decay_ms >= GROWTH_AGE && !ty_conf.quarantine)
		purge_all(GROWTH_AGE, GROWTH_AGE_SPANS, fn, n, next_stripe());
}

TY_START void ty_cache_after_fork(void)
{
	if (!purging)
		return;
	purging = 0;
	for (int i = 0; i < TY_STRIPES; i++)
		ty_stripes[i].purge_list = NULL;
	for (struct ty_cache *c = ty_index_next(NULL); c; c = ty_index_next(c)) {
		c->on_purge_list = false;
		if (c->empty)
			ty_cache_will_purge(c);
	}
	/* The one slab or span that each of those threads was at is lost to the child. */
}

void ty_cache_tick(const char *fn)
{
	u64 now = ty_os_now_ms();
	u64 due = TY_LOAD(&purge_due);

	if (now < due)
		return;
	/* A quarter of the decay between looks; one thread looks. */
	if (!__atomic_compare_exchange_n(&purge_due, &due, now + ty_conf.decay_ms / 4 + 1, false, __ATOMIC_RELAXED,
					 __ATOMIC_RELAXED))
		return;
	u64 may = TY_LOAD(&credit) + (due ? now - due + ty_conf.decay_ms / 4 + 1 : 1) * BYTES_PER_MS;
	if (may > CREDIT_MAX)
		may = CREDIT_MAX;
	u64 gone = purge_all(ty_conf.decay_ms, ty_conf.decay_ms, fn, ty_conf.decay_ms ? may : SIZE_MAX, next_stripe());
	TY_STORE(&credit, gone < may ? may - gone : 0);
}

bool ty_cache_trim(void) { return purge_all(0, 0, "malloc_trim", SIZE_MAX, 0) != 0; }
