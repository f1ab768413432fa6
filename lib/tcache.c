/* tcache.c: see tcache.h. */
#include "tcache.h"
#include "heap.h"
#include "large.h"
#include "quarantine.h"
#include "remote.h"
#include "sample.h"
#include "stock.h"
#include "tracked.h"

#include <errno.h>
#include <pthread.h>

static const struct ty_mag no_mags[2];
const struct ty_tcache ty_no_tcache = {.table = (struct ty_mag *)no_mags, .shift = 63, .id = UINT32_MAX};
__thread struct ty_tcache *ty_self __attribute__((tls_model("initial-exec"))) = TY_NO_TCACHE;
__thread struct ty_tcache *ty_mine __attribute__((tls_model("initial-exec")));
/* This thread has ended as far as we are concerned: serve what its last destructors want without a cache. */
static __thread bool ended __attribute__((tls_model("initial-exec")));
static __thread bool making __attribute__((tls_model("initial-exec")));

struct ty_lock ty_threads_lock;

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
		ty_self = TY_NO_TCACHE;
		ty_mine = NULL;
		if (unlikely(ty_conf.red))
			ty_track_begin();
		tcache_end(tc);
		if (unlikely(ty_conf.red))
			ty_track_end();
	}
}

void ty_tcache_abandon(void)
{
	ended = true;
	ty_self = TY_NO_TCACHE;
	ty_mine = NULL;
}

static void tcache_end(struct ty_tcache *tc)
{
	u32 size = ty_mag_table_size(tc);

	ty_quarantine_flush(tc);
	for (u32 i = 0; i < size; i++)
		if (tc->table[i].hot)
			ty_stock_cool(tc, &tc->table[i]);
	/* Nothing is ours now; whoever pushed meanwhile is sent on, whoever pushes later finds it closed. */
	ty_remote_drain(tc, TY_PENDING_CLOSED);
	struct ty_mag *table = tc->table;
	ty_lock(&ty_threads_lock); /* whoever has it may be reading the table */
	tc->table = NULL;
	ty_unlock(&ty_threads_lock);
	ty_meta_free(table, sizeof(struct ty_mag) * size);
	ty_lock(&ty_threads_lock);
	tc->in_use = false;
	tc->next_idle = idle;
	idle = tc->id;
	ty_unlock(&ty_threads_lock);
	ty_cache_tick("free");
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
		tc = ty_tcache_ptr(idle);
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
	if (!ty_conf.slow)
		ty_self = tc;
	if (can_end) {
		making = true; /* pthread_setspecific may allocate */
		pthread_setspecific(exit_key, (void *)1);
		making = false;
	}
	return tc;
}

bool ty_tcache_alone(void)
{
	struct ty_tcache *one = ty_tcache_next(NULL);

	return ty_os_threads() == TY_THREADS_ONE && !(one && ty_tcache_next(one));
}

TY_START struct ty_tcache *ty_tcache_next(struct ty_tcache *tc) { return tc ? tc->made_before : TY_LOAD_ACQ(&newest); }

void ty_tcache_flush(void)
{
	struct ty_tcache *tc = ty_mine;
	if (!tc)
		return;
	ty_remote_drain(tc, 0);
	for (u32 i = 0; i < ty_mag_table_size(tc); i++) {
		struct ty_mag *m = &tc->table[i];
		if (!m->hot)
			continue;
		struct ty_stock *st = ty_stock_ptr(m->own);
		ty_stock_flush(m);
		for (u32 id = st->partial; id;) {
			struct ty_slab *s = ty_slab_ptr(id);
			id = s->next;
			if (s->used == 0) {
				st->nempty--;
				ty_list_remove(&st->partial, s);
				ty_cache_abandon(s);
			}
		}
	}
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
	struct ty_stock *st = ty_stock_new(tc, c);
	if (!st)
		return false;
	m->own = ty_meta_id(st);
	m->hot = 1;
	m->seen = 0;
	m->size = st->size;
	m->more = st->entry;
	st->place = (u32)(m - tc->table);
	ty_stock_show(m);
	tc->nhot++;
	return true;
}

static void look_at(u64 watched, const char *fn)
{
	if (watched)
		ty_cache_watch(ty_slab_ptr((u32)watched), (u32)(watched >> 32), fn);
}

/* Slot i of s is free now. What it takes the place of is looked at once more. */
static void watch(struct ty_tcache *tc, const struct ty_slab *s, u32 i, const char *fn)
{
	u64 *place = &tc->watch[tc->watch_next++ % TY_WATCH], before = *place;

	*place = (u64)i << 32 | ty_slab_id(s);
	tc->looked = 0;
	look_at(before, fn);
}

/* The last, then those before it in turn. */
void ty_look_at_watched(struct ty_tcache *tc, const char *fn)
{
	look_at(tc->watch[(tc->watch_next - ++tc->looked) % TY_WATCH], fn);
}

static void *alloc_small(u64 key, u32 cls, size_t n, const char *fn, struct ty_cache **from)
{
	/* Objects of no bytes are for the shared path: its slots may have no memory. */
	struct ty_tcache *tc = ty_class_nil(cls) ? NULL : ty_tcache_get();
	struct ty_mag *m = NULL;

	for (int hop = 0; tc && hop < 2; hop++) {
		m = ty_mag_find(tc, key, cls);
		if (!m && !(m = ty_mag_add(tc, key, cls)))
			break;
		if (!m->hot) {
			struct ty_cache *c = m->own ? ty_cache_ptr(m->own) : ty_index_cache(key, coarse_class(cls));
			if (!c)
				return NULL;
			m->own = ty_meta_id(c);
			if (unlikely(c->key != key || ty_class_source(c->cls) != ty_class_source(cls))) {
				/* Past the limit on keys: a shared partition's magazine serves. */
				key = c->key;
				cls = (cls & (TY_CLASS_SOURCE(1) - 1)) |
				      (c->cls & ~(TY_CLASS_SOURCE(1) - 1));
				continue;
			}
			if (ty_conf.quarantine || ++m->uses < TY_HOT(c->size) || !make_hot(tc, m)) {
				*from = c;
				tc->sample -= (int)c->size;
				ty_look_at_watched(tc, fn);
				return ty_cache_alloc(c, n, fn);
			}
			m = ty_mag_move_home(tc, m);
		}
		*from = ty_cache_ptr(ty_stock_ptr(m->own)->cache);
		return ty_pop(tc, m, n, fn);
	}
	struct ty_cache *c = ty_index_cache(key, coarse_class(cls));
	*from = c;
	return c ? ty_cache_alloc(c, n, fn) : NULL;
}

/*
 * The call under way is a sample, whatever its key. The first ones are close together, so that a program that is short learns too.
 */
static void take_sample(struct ty_tcache *tc, const struct ty_cache *c)
{
	const struct ty_type *y = ty_meta_ptr(c->type);

	bool learn = ty_sample_spent(tc, (int)(TY_SAMPLE << (tc->samples >> 6 < 9 ? tc->samples >> 6 : 9)));
	if (!ty_conf.slow) /* the next call takes the slow path too, if its object is to be a sample */
		ty_self = ty_sampler.due ? TY_NO_TCACHE : tc;
	if (!learn)
		return;
	tc->samples += tc->samples < 1000;
	unsigned range = ty_range(c->size);
	if (ty_chain.n && y->nsites && TY_LOAD(&y->bytes[range]) * TY_SITE_SHARE >= TY_LOAD(&ty_slab_bytes[range]))
		ty_site_learn(ty_site_links(TY_LOAD(&ty_slab_bytes[0]) + TY_LOAD(&ty_slab_bytes[1])));
}

static TY_NOINLINE void *sample_object(u64 key, u32 cls, size_t size, const char *fn, struct ty_cache **from)
{
	void *p = ty_sample_alloc(key, cls, size, fn, from);

	if (!ty_conf.slow && ty_mine)
		ty_self = ty_mine;
	return p;
}

void *ty_alloc_slow(u64 key, u32 cls, size_t size, const char *fn)
{
	return unlikely(ty_conf.checker) ? ty_tracked_alloc(key, cls, size, fn) : ty_alloc_plain(key, cls, size, fn);
}

void *ty_alloc_plain(u64 key, u32 cls, size_t size, const char *fn)
{
	struct ty_cache *from = NULL;
	void *p;

	if (unlikely(!ty_heap_start())) {
		errno = ENOMEM;
		return NULL;
	}
	if (cls & TY_CLASS_LARGE) {
		p = ty_large_alloc(key, cls, size, fn, &from);
	} else {
		p = unlikely(ty_sampler.due) ? sample_object(key, cls, size, fn, &from) : NULL;
		if (likely(!p))
			p = alloc_small(key, cls, cls & TY_CLASS_FIXED ? TY_NO_CANARY : size, fn, &from);
		if (ty_mine && unlikely(ty_mine->sample <= 0) && p)
			take_sample(ty_mine, from);
	}
	if (unlikely(!p))
		errno = ENOMEM;
	else if (unlikely(ty_conf.stats))
		ty_cache_live(from, 1);
	return p;
}

/*
 * Nobody's slab, as a thread that has ended leaves them, and this thread uses its cache much: take it, so that the frees
 * to come need no lock. True: it is ours.
 */
static bool claim(struct ty_tcache *tc, struct ty_slab *s)
{
	struct ty_mag *m = tc ? ty_mag_of(tc, s) : NULL;

	if (!m || !m->hot || !ty_cache_claim(s, tc->id))
		return false;
	ty_stock_shelve(ty_stock_ptr(m->own), s);
	return true;
}

/* What the options ask of free. False: nothing but checks. */
static bool free_strong(struct ty_slab *s, u32 i, const char *fn)
{
	if (ty_conf.mismatch && ty_slot_live(s, i))
		ty_cache_check_free(ty_cache_ptr(s->cache), (char *)s->start + (size_t)i * s->size, fn);
	if (!ty_conf.hold)
		return false;
	ty_cache_hold(s, i, fn);
	if (!ty_conf.never_reuse)
		ty_quarantine_add(s, i, fn);
	if (ty_conf.stats)
		ty_cache_live(ty_cache_ptr(s->cache), -1);
	return true;
}

static void free_slow(struct ty_slab *s, u32 i, const char *fn)
{
	u8 *state = ty_slot_state(s, i);
	u64 bit = 1ull << (i % 64);
	char *p = (char *)s->start + (size_t)i * s->size;
	struct ty_tcache *tc = ty_mine;

	if (unlikely(i >= s->nslots))
		ty_die_not_slot(fn, s, p);
	if (unlikely(ty_conf.slow) && free_strong(s, i, fn))
		return;
	/* A thread that frees much and allocates little must not sit on what others have freed for it. */
	if (tc && unlikely(TY_LOAD(&tc->pending)))
		ty_remote_drain(tc, 0);
	for (;;) {
		u32 owner = TY_LOAD_ACQ(&s->owner);
		if (!owner) {
			if (claim(tc, s) || !ty_cache_free(s, i, fn))
				continue;
			if (tc)
				watch(tc, s, i, fn);
			break;
		}
		if (unlikely(TY_LOAD(state) != TY_SLOT_LIVE))
			ty_cache_die(fn, "double free of", s, i);
		if (tc && owner == tc->id) { /* claimed just now, or statistics count */
			ty_free_own(tc, s, i, p, fn);
			break;
		}
		ty_zero_long(p, ty_slot_used(s, i, p, fn));
		if (unlikely(__atomic_exchange_n(state, TY_SLOT_REMOTE, __ATOMIC_SEQ_CST) != TY_SLOT_LIVE))
			ty_cache_die(fn, "double free of", s, i);
		if (unlikely(__atomic_fetch_or(ty_slab_remote(s, i / 64), bit, __ATOMIC_SEQ_CST) & bit))
			ty_cache_die(fn, "double free of", s, i);
		if (__atomic_load_n(&s->pending, __ATOMIC_SEQ_CST) == 0)
			ty_remote_notify(s);
		break;
	}
	if (unlikely(ty_conf.stats))
		ty_cache_live(ty_cache_ptr(s->cache), -1);
}

void ty_free_slow(struct ty_slab *s, u32 i, const char *fn)
{
	if (unlikely(ty_conf.valgrind)) {
		ty_track_free((char *)s->start + (size_t)i * s->size);
		ty_track_begin();
		free_slow(s, i, fn);
		ty_track_end();
	} else {
		free_slow(s, i, fn);
	}
}

void ty_free_part(void *p, size_t off, const char *fn)
{
	struct ty_slab *s = ty_slab_at(off);
	u32 i;

	if (unlikely(!ty_slot_start(s, (uintptr_t)p - s->start, &i)))
		ty_die_not_slot(fn, s, p);
	ty_free_slow(s, i, fn);
}

/*
 * Another thread may be freeing the object, and have begun to zero it: then that is the crime, and the bits tell as soon as
 * it is done.
 */
void ty_die_overflow(const char *fn, const struct ty_slab *s, u32 i)
{
	u64 wait = ty_tcache_alone() ? 0 : 20;
	for (u64 end = ty_os_now_ms() + wait; ty_os_now_ms() < end; ty_os_pause())
		if (!ty_slot_live(s, i))
			ty_cache_die(fn, "double free of", s, i);
	ty_cache_die(fn, "overflow of", s, i);
}

void ty_die_not_live(const char *fn, const struct ty_slab *s, u32 i, const void *p)
{
	if (i >= s->nslots)
		ty_die_not_slot(fn, s, p);
	ty_cache_die(fn, "double free of", s, i);
}

void ty_die_not_slot(const char *fn, const struct ty_slab *s, const void *p)
{
	if (ty_conf.valgrind)
		ty_track_free(p);
	if (!s->nslots)
		ty_die(fn, "unallocated pointer", p, NULL);
	size_t d = (uintptr_t)p - s->start;
	u32 i = (u32)(d / s->size);
	if (i >= s->nslots)
		ty_die(fn, "unallocated pointer", p, NULL);
	ty_cache_die_at(fn, "interior pointer", s, p);
}
