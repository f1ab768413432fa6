/* tcache.c: see tcache.h. */
#include "tcache.h"
#include "heap.h"
#include "large.h"
#include "mag.h"

#include <errno.h>
#include <pthread.h>

#define EMPTY_KEPT 1	   /* empty slabs a magazine keeps for itself */

static struct ty_mag no_mags[2] = {{.word = &ty_no_word}, {.word = &ty_no_word}};
struct ty_tcache ty_no_tcache = {.table = no_mags, .shift = 63, .id = UINT32_MAX};
__thread struct ty_tcache *ty_self __attribute__((tls_model("initial-exec"))) = &ty_no_tcache;
__thread struct ty_tcache *ty_mine __attribute__((tls_model("initial-exec")));
/* This thread has ended as far as we are concerned: serve what its last destructors want without a cache. */
static __thread bool ended __attribute__((tls_model("initial-exec")));
static __thread bool making __attribute__((tls_model("initial-exec")));

struct ty_lock ty_threads_lock;
struct ty_word ty_no_word; /* always 0 */

/* Guarded by ty_threads_lock. */
static struct ty_tcache *newest;
static u32 idle;

static pthread_key_t exit_key;
static int exit_key_state; /* 0 not made, 1 made, -1 none to be had; threads lock */

/*
 * Objects given out by destructors that run after ours are served without a cache; run as late as POSIX lets us:
 * destructors that set their key again are called again, PTHREAD_DESTRUCTOR_ITERATIONS times in all.
 */
#define EXIT_ROUNDS 3

static void tcache_end(struct ty_tcache *tc);

static void thread_exit(void *arg)
{
	uintptr_t round = (uintptr_t)arg;
	struct ty_tcache *tc = ty_mine;

	if (round < EXIT_ROUNDS && pthread_setspecific(exit_key, (void *)(round + 1)) == 0)
		return;
	if (tc) {
		ended = true;
		ty_self = &ty_no_tcache;
		ty_mine = NULL;
		tcache_end(tc);
	}
}

/* ------------------------------------------------------------------ slabs of a magazine */

static void set_word(struct ty_mag *m, struct ty_slab *s, unsigned w, u64 limit)
{
	m->word = &s->w[w];
	m->base = s->start + (size_t)w * 64 * s->size;
	/* Begin at a random slot of those that may be handed out; the ones below it follow with the next refill. */
	unsigned n = ty_log2(limit) + 1;
	unsigned first = (unsigned)((ty_mix((uintptr_t)m->word ^ ty_conf.secret ^ m->allocations) >> 32) * n >> 32);
	u64 above = limit & ~ty_low_mask(first);
	m->limit = s->w[w].free & above ? above : limit;
}

static void make_current(struct ty_mag *m, struct ty_slab *s)
{
	s->state = TY_SLAB_CURRENT;
	s->used = TY_USED_CURRENT;
	s->trip = 0;
	m->current = ty_slab_id(s);
}

/* A slab of this thread that is on no list goes where its `used` says. */
static void shelve_own(struct ty_mag *m, struct ty_slab *s)
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
static void retire_current(struct ty_mag *m, u32 used)
{
	struct ty_slab *s = ty_slab_ptr(m->current);

	m->current = 0;
	m->word = &ty_no_word;
	m->limit = 0;
	s->used = used;
	shelve_own(m, s);
}

static struct ty_mag *mag_of(struct ty_tcache *tc, const struct ty_slab *s)
{
	const struct ty_cache *c = ty_cache_ptr(s->cache);
	return ty_mag_find(tc, c->key, c->cls);
}

/* `used` of an owned slab that is not current went down, maybe past `trip`: is it on the right list? */
static void relist(struct ty_tcache *tc, struct ty_slab *s)
{
	struct ty_mag *m = mag_of(tc, s);

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
		ty_cache_tick();
	}
}

void ty_tcache_trip(struct ty_tcache *tc, struct ty_slab *s)
{
	if (s->state == TY_SLAB_CURRENT)
		s->used = TY_USED_CURRENT;
	else
		relist(tc, s);
}

/* ------------------------------------------------------------------ frees by other threads */

static struct ty_tcache *tcache_ptr(u32 id) { return ty_meta_ptr(id); }

void ty_slab_notify(struct ty_slab *s)
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
		u32 *head = &tcache_ptr(owner)->pending;
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
static void drain(struct ty_tcache *tc, u32 with)
{
	u32 id = __atomic_exchange_n(&tc->pending, with, __ATOMIC_SEQ_CST);

	while (id && id != TY_PENDING_END && id != TY_PENDING_CLOSED) {
		struct ty_slab *s = ty_slab_ptr(id);
		id = TY_LOAD(&s->pending);
		TY_STORE(&s->pending, 0);
		__atomic_thread_fence(__ATOMIC_SEQ_CST); /* before the words are read */
		if (TY_LOAD(&s->owner) != tc->id) {
			ty_slab_notify(s); /* given away since it was pushed */
			continue;
		}
		unsigned gained = ty_slab_collect(s);
		if (gained && s->state != TY_SLAB_CURRENT) {
			s->used -= gained;
			relist(tc, s);
		}
	}
}

/* ------------------------------------------------------------------ threads */

/* Give everything a magazine has to its cache; it is cold then. */
static void cool_mag(struct ty_tcache *tc, struct ty_mag *m)
{
	struct ty_cache *c = ty_cache_ptr(m->cache);

	__atomic_add_fetch(&c->allocations, m->allocations, __ATOMIC_RELAXED);
	if (m->current) {
		struct ty_slab *s = ty_slab_ptr(m->current);
		m->current = 0;
		m->word = &ty_no_word;
		m->limit = 0;
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
static void sweep_idle(struct ty_tcache *tc, const struct ty_mag *keep)
{
	u32 now = (u32)ty_os_now_ms();

	if (now - tc->swept < ty_conf.decay_ms)
		return;
	tc->swept = now;
	for (u32 i = 0; i < ty_mag_table_size(tc); i++) {
		struct ty_mag *m = &tc->table[i];
		if (!m->hot || m == keep)
			continue;
		if (m->seen == (u8)m->allocations)
			cool_mag(tc, m);
		else
			m->seen = (u8)m->allocations;
	}
}

static void tcache_end(struct ty_tcache *tc)
{
	u32 size = ty_mag_table_size(tc);

	for (u32 i = 0; i < size; i++)
		if (tc->table[i].hot)
			cool_mag(tc, &tc->table[i]);
	/* Nothing is ours now; whoever pushed meanwhile is sent on, whoever pushes later finds it closed. */
	drain(tc, TY_PENDING_CLOSED);
	ty_meta_free(tc->table, sizeof(struct ty_mag) * size);
	if (tc->recent)
		ty_meta_free(tc->recent, sizeof(struct ty_recent) * TY_RECENT_SETS);
	tc->recent = NULL;
	ty_lock(&ty_threads_lock);
	tc->table = NULL;
	tc->in_use = false;
	tc->next_idle = idle;
	idle = tc->id;
	ty_unlock(&ty_threads_lock);
	ty_cache_tick();
}

struct ty_tcache *ty_tcache_get(void)
{
	if (likely(ty_mine != NULL))
		return ty_mine;
	if (ended || making || !ty_heap_start())
		return NULL;
	struct ty_mag *table = ty_mag_table_new(TY_MAG_TABLE_BITS);
	if (!table)
		return NULL;
	struct ty_tcache *tc = NULL;
	ty_lock(&ty_threads_lock);
	if (exit_key_state == 0)
		exit_key_state = pthread_key_create(&exit_key, thread_exit) == 0 ? 1 : -1;
	bool can_end = exit_key_state == 1;
	if (idle) {
		tc = tcache_ptr(idle);
		idle = tc->next_idle;
	} else if ((tc = ty_meta_alloc(sizeof *tc)) != NULL) {
		tc->id = ty_meta_id(tc);
		tc->made_before = newest;
		TY_STORE_REL(&newest, tc);
	}
	if (tc) {
		tc->table = table;
		tc->shift = 64 - TY_MAG_TABLE_BITS;
		tc->in_use = true;
		__atomic_store_n(&tc->pending, 0, __ATOMIC_SEQ_CST);
	}
	ty_unlock(&ty_threads_lock);
	if (!tc) {
		ty_meta_free(table, sizeof(struct ty_mag) << TY_MAG_TABLE_BITS);
		return NULL;
	}
	ty_mine = tc;
	if (!ty_conf.stats)
		ty_self = tc;
	if (can_end) {
		making = true; /* pthread_setspecific may allocate */
		pthread_setspecific(exit_key, (void *)1);
		making = false;
	}
	return tc;
}

struct ty_tcache *ty_tcache_next(struct ty_tcache *tc) { return tc ? tc->made_before : TY_LOAD_ACQ(&newest); }

void ty_tcache_flush(void)
{
	struct ty_tcache *tc = ty_mine;
	if (!tc)
		return;
	drain(tc, 0);
	for (u32 i = 0; i < ty_mag_table_size(tc); i++) {
		struct ty_mag *m = &tc->table[i];
		if (!m->hot)
			continue;
		if (m->current && ty_slab_count_used(ty_slab_ptr(m->current)) == 0)
			retire_current(m, 0);
		for (u32 id = m->partial; id;) {
			struct ty_slab *s = ty_slab_ptr(id);
			id = s->next;
			if (s->used == 0) {
				m->nempty--;
				ty_list_remove(&m->partial, s);
				ty_cache_abandon(s);
			}
		}
	}
}

/* ------------------------------------------------------------------ malloc and free, slowly */

/* The stock is used up: find more. False: out of memory. */
static bool refill(struct ty_tcache *tc, struct ty_mag *m)
{
	unsigned w;
	u64 limit;

	for (bool drained = false;;) {
		if (m->current) {
			struct ty_slab *s = ty_slab_ptr(m->current);
			if (ty_slab_take(s, &w, &limit)) {
				set_word(m, s, w, limit);
				return true;
			}
			retire_current(m, s->nslots); /* nothing is free */
		}
		if (!m->partial && !drained) {
			drained = true;
			if (TY_LOAD(&tc->pending))
				drain(tc, 0);
			sweep_idle(tc, m);
			ty_cache_tick();
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
		}
		make_current(m, s);
	}
}

/* Slot i of an owned slab, whose free bit is set, to the program. */
static void *hand_out(struct ty_mag *m, struct ty_slab *s, u32 i, const char *fn)
{
	struct ty_word *w = &s->w[i / 64];
	u64 bit = 1ull << (i % 64);
	char *p = (char *)s->start + (size_t)i * s->size;

	if (unlikely(TY_LOAD(&w->remote) & bit))
		ty_cache_die("free", "double free of", s, i);
	if (unlikely(!ty_all_zero_long(p, s->size)))
		ty_cache_die(fn, "write after free at", s, i);
	TY_STORE(&w->free, w->free & ~bit);
	m->allocations++;
	return p;
}

static void remember(struct ty_tcache *tc, const struct ty_slab *s, u32 i)
{
	struct ty_recent *r = &tc->recent[s->cache % TY_RECENT_SETS];

	if (r->cache != s->cache) {
		r->cache = s->cache;
		r->n = 0;
	}
	r->slab[r->n % TY_RECENT_DEPTH] = ty_slab_id(s);
	r->slot[r->n % TY_RECENT_DEPTH] = (u16)i;
	r->n++;
}

/* The slot that was freed last, if it is there still; NULL: none. */
static void *pop_recent(struct ty_tcache *tc, struct ty_mag *m, const char *fn)
{
	struct ty_recent *r = &tc->recent[m->cache % TY_RECENT_SETS];

	if (r->cache != m->cache)
		return NULL;
	for (int k = 0; k < TY_RECENT_DEPTH && r->n; k++) {
		/* Any one of the last few: which comes next is not for the program's input to say. */
		u32 have = r->n < TY_RECENT_DEPTH ? r->n : TY_RECENT_DEPTH;
		u32 pick = (u32)((ty_mix(ty_conf.secret + m->allocations * 8 + (u32)k) >> 32) * have >> 32);
		u32 last = --r->n % TY_RECENT_DEPTH, at = (r->n - pick) % TY_RECENT_DEPTH;
		u32 i = r->slot[at], id = r->slab[at];
		r->slot[at] = r->slot[last];
		r->slab[at] = r->slab[last];
		r->slab[last] = 0;
		struct ty_slab *s = ty_slab_ptr(id); /* id 0: a record that nobody owns */
		if (TY_LOAD(&s->owner) != tc->id || !(s->w[i / 64].free >> (i % 64) & 1) ||
		    ((size_t)i + 1) * s->size > (size_t)s->touched << TY_PAGE_SHIFT)
			continue;
		void *p = hand_out(m, s, i, fn);
		if (s->state == TY_SLAB_CURRENT)
			return p;
		if (s->state == TY_SLAB_PARTIAL && s->used == 0)
			m->nempty--;
		if (++s->used == s->nslots && s->state == TY_SLAB_PARTIAL) {
			ty_list_remove(&m->partial, s);
			shelve_own(m, s);
		}
		return p;
	}
	r->n = 0;
	return NULL;
}

void *ty_pop(struct ty_tcache *tc, struct ty_mag *m, const char *fn)
{
	void *p = m->size > TY_INLINE_BYTES && tc->recent ? pop_recent(tc, m, fn) : NULL;
	if (p)
		return p;
	if (!(m->word->free & m->limit) && !refill(tc, m))
		return NULL;
	struct ty_slab *s = ty_slab_ptr(m->current);
	u64 take = m->word->free & m->limit;
	return hand_out(m, s, (u32)(m->word - s->w) * 64 + ty_ctz(take), fn);
}

/* The class a cold cache serves a class with. */
static u32 coarse_class(u32 cls)
{
	if (cls & TY_CLASS_FIXED)
		return cls;
	return (cls & ~0xfffu) | ty_bucket_coarse(cls & 0xfff);
}

static bool make_hot(struct ty_tcache *tc, struct ty_mag *m)
{
	struct ty_cache *c = ty_index_cache(m->key, m->cls);
	if (!c)
		return false;
	m->cache = ty_meta_id(c);
	m->size = (u16)c->size;
	m->hot = 1;
	if (c->size > TY_INLINE_BYTES && !tc->recent)
		tc->recent = ty_meta_alloc(sizeof(struct ty_recent) * TY_RECENT_SETS);
	tc->nhot++;
	return true;
}

static void *alloc_small(u64 key, u32 cls, const char *fn, struct ty_cache **from)
{
	struct ty_tcache *tc = ty_tcache_get();
	struct ty_mag *m = NULL;

	for (int hop = 0; tc && hop < 2; hop++) {
		m = ty_mag_find(tc, key, cls);
		if (!m && !(m = ty_mag_add(tc, key, cls)))
			break;
		if (!m->hot) {
			struct ty_cache *c = m->cache ? ty_cache_ptr(m->cache) : ty_index_cache(key, coarse_class(cls));
			if (!c)
				return NULL;
			m->cache = ty_meta_id(c);
			if (unlikely(c->key != key || c->cls >> TY_CLASS_SOURCE_SHIFT != cls >> TY_CLASS_SOURCE_SHIFT)) {
				/* Past the limit on keys: a shared partition's magazine serves. */
				key = c->key;
				cls = (cls & (TY_CLASS_SOURCE(1) - 1)) |
				      (c->cls & ~(TY_CLASS_SOURCE(1) - 1));
				continue;
			}
			if (++m->size < TY_HOT(c->size) || !make_hot(tc, m)) {
				*from = c;
				return ty_cache_alloc(c, fn);
			}
			m = ty_mag_move_home(tc, m);
		}
		*from = ty_cache_ptr(m->cache);
		return ty_pop(tc, m, fn);
	}
	struct ty_cache *c = ty_index_cache(key, coarse_class(cls));
	*from = c;
	return c ? ty_cache_alloc(c, fn) : NULL;
}

void *ty_alloc_slow(u64 key, u32 cls, size_t size, const char *fn)
{
	struct ty_cache *from = NULL;
	void *p;

	if (unlikely(!ty_heap_start())) {
		errno = ENOMEM;
		return NULL;
	}
	if (cls & TY_CLASS_LARGE)
		p = ty_large_alloc(key, cls, size, fn, &from);
	else
		p = alloc_small(key, cls, fn, &from);
	if (unlikely(!p))
		errno = ENOMEM;
	else if (unlikely(ty_conf.stats))
		ty_cache_live(from, 1);
	return p;
}

void ty_free_own(struct ty_tcache *tc, struct ty_slab *s, u32 i, void *p, const char *fn)
{
	struct ty_word *w = &s->w[i / 64];
	u64 bit = 1ull << (i % 64);
	u64 free = TY_LOAD(&w->free);

	if (unlikely((free | TY_LOAD(&w->remote)) & bit))
		ty_cache_die(fn, "double free of", s, i);
	ty_zero_long(p, s->size);
	TY_STORE(&w->free, free | bit);
	if (tc->recent)
		remember(tc, s, i);
	if (unlikely(--s->used == s->trip))
		ty_tcache_trip(tc, s);
}

/*
 * Nobody's slab, as a thread that has ended leaves them, and this thread uses its cache much: take it, so that the frees
 * to come need no lock. True: it is ours.
 */
static bool claim(struct ty_tcache *tc, struct ty_slab *s)
{
	struct ty_mag *m = tc ? mag_of(tc, s) : NULL;

	if (!m || !m->hot || !ty_cache_claim(s, tc->id))
		return false;
	shelve_own(m, s);
	return true;
}

void ty_free_slow(struct ty_slab *s, u32 i, const char *fn)
{
	struct ty_word *w = &s->w[i / 64];
	u64 bit = 1ull << (i % 64);
	char *p = (char *)s->start + (size_t)i * s->size;
	struct ty_tcache *tc = ty_mine;

	/* A thread that frees much and allocates little must not sit on what others have freed for it. */
	if (tc && unlikely(TY_LOAD(&tc->pending)))
		drain(tc, 0);
	for (;;) {
		u32 owner = TY_LOAD_ACQ(&s->owner);
		if (!owner) {
			if (claim(tc, s) || !ty_cache_free(s, i, fn))
				continue;
			break;
		}
		if (unlikely((TY_LOAD(&w->free) | TY_LOAD(&w->remote)) & bit))
			ty_cache_die(fn, "double free of", s, i);
		if (tc && owner == tc->id) { /* claimed just now, or statistics count */
			ty_free_own(tc, s, i, p, fn);
			break;
		}
		ty_zero_long(p, s->size);
		if (unlikely(__atomic_fetch_or(&w->remote, bit, __ATOMIC_SEQ_CST) & bit))
			ty_cache_die(fn, "double free of", s, i);
		if (__atomic_load_n(&s->pending, __ATOMIC_SEQ_CST) == 0)
			ty_slab_notify(s);
		break;
	}
	if (unlikely(ty_conf.stats))
		ty_cache_live(ty_cache_ptr(s->cache), -1);
}

void ty_die_not_slot(const char *fn, const struct ty_slab *s, const void *p)
{
	if (!s->nslots)
		ty_die(fn, "unallocated pointer", p, NULL);
	size_t d = (uintptr_t)p - s->start;
	u32 i = (u32)(d / s->size);
	if (i >= s->nslots)
		ty_die(fn, "unallocated pointer", p, NULL);
	ty_cache_die_at(fn, "interior pointer", s, p);
}
