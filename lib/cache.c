/* cache.c: see cache.h. */
#include "purge.h"
#include "random.h"
#include "tcache.h"

struct ty_stripe ty_stripes[TY_STRIPES] __attribute__((aligned(TY_LINE)));

void ty_list_push(u32 *head, struct ty_slab *s)
{
	u32 id = ty_slab_id(s);

	s->next = *head;
	s->prev = id;
	if (*head) {
		struct ty_slab *h = ty_slab_ptr(*head);
		s->prev = h->prev;
		h->prev = id;
	}
	*head = id;
}

void ty_list_push_back(u32 *head, struct ty_slab *s)
{
	if (!*head) {
		ty_list_push(head, s);
		return;
	}
	u32 id = ty_slab_id(s);
	struct ty_slab *h = ty_slab_ptr(*head);
	ty_slab_ptr(h->prev)->next = id;
	s->prev = h->prev;
	s->next = 0;
	h->prev = id;
}

void ty_list_remove(u32 *head, struct ty_slab *s)
{
	if (*head == ty_slab_id(s))
		*head = s->next;
	else
		ty_slab_ptr(s->prev)->next = s->next;
	if (s->next)
		ty_slab_ptr(s->next)->prev = s->prev;
	else if (*head)
		ty_slab_ptr(*head)->prev = s->prev;
	s->next = s->prev = 0;
}

void ty_cache_live(struct ty_cache *c, long n)
{
	u64 live = __atomic_add_fetch(&c->live, (u64)n, __ATOMIC_RELAXED);
	u64 peak = TY_LOAD(&c->peak);
	while (n > 0 && live > peak &&
	       !__atomic_compare_exchange_n(&c->peak, &peak, live, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

/* The smallest power of two of bytes that wastes at most an eighth behind the last slot. */
static unsigned smallest_slab(u32 size)
{
	unsigned shift = TY_PAGE_SHIFT;
	while ((((size_t)1 << shift) % size) * 8 > (size_t)1 << shift || (size_t)1 << shift < size)
		shift++;
	return shift;
}

struct ty_cache *ty_cache_new(const struct ty_type *y, u32 cls)
{
	struct ty_cache *c = ty_meta_alloc(sizeof *c);
	if (!c)
		return NULL;
	c->key = y->key;
	c->type = y->id;
	c->cls = cls;
	c->kind = y->kind;
	c->token = y->source == TY_SOURCE_TYPE ? y->key : 0;
	c->stripe = (u8)(ty_mix(ty_meta_id(c)) % TY_STRIPES);
	if (!(cls & TY_CLASS_LARGE)) {
		c->size = ty_class_bytes(cls);
		c->min_shift = (u8)smallest_slab(c->size);
		size_t most = (size_t)c->size * TY_SLAB_SLOTS_MAX;
		c->max_shift = (u8)ty_log2(most < TY_SLAB_MAX ? most : TY_SLAB_MAX);
		if (c->max_shift < c->min_shift)
			c->max_shift = c->min_shift;
	}
	return c;
}

static u32 now32(void) { return (u32)ty_os_now_ms(); }

/* The number of the k-th bit of x that is set, from 0 on. */
static u32 one_of(u64 x, u32 k)
{
	while (k--)
		x &= x - 1;
	return ty_ctz(x);
}

/* Pages with parts to be had, several, so that which caches share one is by chance. Guarded by ty_parts_lock. */
#define OPEN_PAGES 4
#define PART_SLOTS 8 /* so many at least: with fewer it would be known which comes next (P6) */
static struct open_page {
	u32 id;
	u8 parts; /* those left, as bits */
} open_pages[TY_KINDS][OPEN_PAGES];
struct ty_lock ty_parts_lock;

/* False: out of memory. */
static bool open_page(struct open_page *o, enum ty_kind kind)
{
	u32 id = ty_meta_slab_new(0);
	uintptr_t p = id ? ty_region_slab(kind, TY_PAGE) : 0;

	if (!p) {
		if (id)
			ty_meta_slab_undo(id);
		return false;
	}
	ty_slab_ptr(id)->start = p;
	ty_slab_ptr(id)->state = TY_SLAB_DIVIDED;
	ty_map_set(p, TY_PAGE, id);
	*o = (struct open_page){id, (1u << TY_PARTS) - 1};
	return true;
}

/* A part of a page, by chance: where it starts, and where the id of its record is to be stored. NULL: out of memory. */
static u32 *take_part(enum ty_kind kind, uintptr_t *start)
{
	struct open_page *o = open_pages[kind];
	u32 n = 0, *place = NULL;

	ty_lock(&ty_parts_lock);
	for (int i = 0; i < OPEN_PAGES; i++)
		if (o[i].parts || open_page(&o[i], kind))
			n += ty_popcount(o[i].parts);
	u32 k = n ? ty_random_below(n) : 0;
	for (int i = 0; n && !place; i++) {
		u32 here = ty_popcount(o[i].parts);
		if (k >= here) {
			k -= here;
			continue;
		}
		u32 j = one_of(o[i].parts, k);
		o[i].parts &= (u8)~(1u << j);
		*start = ty_slab_ptr(o[i].id)->start + j * TY_PART;
		place = &ty_slab_parts(ty_slab_ptr(o[i].id))[j];
	}
	ty_unlock(&ty_parts_lock);
	return place;
}

/* A part that was given back, or is new, will be used. Stripe lock held. */
static void part_used(const struct ty_slab *s)
{
	ty_lock(&ty_parts_lock);
	ty_slab_ptr(ty_map_get(s->start - ty_conf.base))->used++;
	ty_unlock(&ty_parts_lock);
}

bool ty_part_unused(const struct ty_slab *s)
{
	struct ty_slab *page = ty_slab_ptr(ty_map_get(s->start - ty_conf.base));
	bool done = true;

	ty_lock(&ty_parts_lock);
	if (!--page->used)
		done = ty_os_purge((void *)page->start, TY_PAGE);
	ty_unlock(&ty_parts_lock);
	return done;
}

/* A new slab, nobody's, on no list. own: for a thread. Stripe lock held. */
static struct ty_slab *new_slab(struct ty_cache *c, bool own)
{
	unsigned shift = c->bytes ? ty_log2(c->bytes) - 1 : 0;
	shift = shift < c->min_shift ? c->min_shift : shift > c->max_shift ? c->max_shift : shift;

	uintptr_t start = 0;
	struct ty_slab *s;
	unsigned nslots = 0;
	u32 id = 0, *place = NULL;
	if (c->nth >= TY_PARTS_FROM && !c->bytes && !own && ty_conf.parts && c->size <= TY_PART / PART_SLOTS && !ty_class_nil(c->cls)) {
		nslots = (unsigned)(TY_PART / c->size);
		id = ty_meta_slab_new(nslots);
		if (id && !(place = take_part(c->kind, &start)))
			ty_meta_slab_undo(id);
	}
	for (; !place; shift--) {
		nslots = (unsigned)(((size_t)1 << shift) / c->size);
		if (nslots > TY_SLAB_SLOTS_MAX)
			nslots = TY_SLAB_SLOTS_MAX;
		id = ty_meta_slab_new(nslots);
		if (id && (start = ty_region_slab(c->kind, (size_t)1 << shift)))
			break;
		if (id)
			ty_meta_slab_undo(id);
		if (shift == c->min_shift)
			return NULL;
	}
	size_t bytes = place ? TY_PART : (size_t)1 << shift;
	s = ty_slab_ptr(id);
	s->start = start;
	s->size = (u16)c->size;
	s->canary = !(c->cls & TY_CLASS_FIXED);
	s->part = place != NULL;
	s->nil = ty_class_nil(c->cls);
	if (s->nil) {
		/* Where no guard is to be had its memory is like any other. */
		if (!ty_os_guard((char *)start, (size_t)1 << shift))
			s->nil = 0;
		else
			s->touched = (u8)(((size_t)1 << shift) >> TY_PAGE_SHIFT);
	}
	s->recip = (u32)((((u64)1 << 32) + c->size - 1) / c->size);
	s->cache = ty_meta_id(c);
	s->state = TY_SLAB_SHARED;
	c->nslabs++;
	c->bytes += bytes;
	__atomic_add_fetch(&((struct ty_type *)ty_meta_ptr(c->type))->bytes[ty_range(c->size)], bytes, __ATOMIC_RELAXED);
	__atomic_add_fetch(&ty_slab_bytes[ty_range(c->size)], bytes, __ATOMIC_RELAXED);
	if (place) {
		part_used(s);
		TY_STORE_REL(place, id);
	} else {
		ty_map_set(start, bytes, id);
	}
	ty_cache_grows(bytes + bytes / 2); /* and again when its pages are touched */
	return s;
}

/* A slab with a free slot, off every list. own: for a thread. Stripe lock held. */
static struct ty_slab *get_slab(struct ty_cache *c, bool own)
{
	u32 *lists[] = {&c->partial, &c->empty, &c->purged};
	for (int i = 0; i < 3; i++) {
		u32 id = *lists[i];
		if (own && id && ty_slab_ptr(id)->part) /* a cache has but one */
			id = ty_slab_ptr(id)->next;
		if (id) {
			struct ty_slab *s = ty_slab_ptr(id);
			ty_list_remove(lists[i], s);
			if (s->part && s->state == TY_SLAB_PURGED)
				part_used(s);
			return s;
		}
	}
	return new_slab(c, own);
}

void ty_cache_will_purge(struct ty_cache *c)
{
	if (!c->on_purge_list) {
		struct ty_stripe *t = &ty_stripes[c->stripe];
		c->on_purge_list = true;
		c->purge_next = NULL;
		*(t->purge_list ? &t->purge_last->purge_next : &t->purge_list) = c;
		t->purge_last = c;
	}
}

/* A slab that nobody owns and that is on no list goes where its `used` says. Stripe lock held. */
static void shelve(struct ty_cache *c, struct ty_slab *s)
{
	if (s->used == 0) {
		s->state = TY_SLAB_EMPTY;
		s->stock = now32();
		ty_list_push(&c->empty, s);
		ty_cache_will_purge(c);
	} else if (s->used == s->nslots) {
		s->state = TY_SLAB_SHARED_FULL;
	} else {
		s->state = TY_SLAB_SHARED;
		ty_list_push(&c->partial, s);
	}
}

/* Take a slab off whatever list of its cache it is on. Stripe lock held. */
static void unshelve(struct ty_cache *c, struct ty_slab *s)
{
	if (s->state == TY_SLAB_SHARED)
		ty_list_remove(&c->partial, s);
	else if (s->state == TY_SLAB_EMPTY)
		ty_list_remove(&c->empty, s);
	else if (s->state == TY_SLAB_PURGED)
		ty_list_remove(&c->purged, s);
}

void *ty_cache_alloc(struct ty_cache *c, size_t n, const char *fn)
{
	struct ty_lock *l = ty_cache_lock_of(c);
	struct ty_slab *s;
	unsigned w;
	u64 may;

	ty_lock(l);
	/* A page of short slots is a choice; of long ones two are made present, or the next would always be the one behind (P6). */
	do {
		s = get_slab(c, false);
		if (!s) {
			ty_unlock(l);
			return NULL;
		}
	} while (!ty_slab_take(s, c->size > TY_LONG_SLOT ? 2 : 1, &w, &may)); /* a listed slab has a free slot; only a crime says no */
	unsigned bit = one_of(may, ty_random_below(ty_popcount(may)));
	TY_STORE(ty_slot_state(s, w * 64 + bit), TY_SLOT_LIVE);
	s->used++;
	shelve(c, s);
	c->allocations++;
	ty_unlock(l);
	ty_cache_growth(fn);

	char *p = (char *)s->start + (size_t)(w * 64 + bit) * s->size;
	if (s->nil)
		return p;
	if (unlikely(!ty_all_zero_long(p, s->size)))
		ty_cache_die_at(fn, "write after free at", s, p);
	ty_canary_put(p, n);
	return p;
}

/* Something seems wrong beside slot i. If other threads may be at it just now, they get the time to finish. */
TY_COLD static void judge_near(const char *fn, const struct ty_slab *s, u32 i, const char *crime)
{
	u64 end = ty_os_now_ms() + (ty_tcache_alone() ? 0 : 2000);

	do {
		crime = ty_slab_check_near(s, i);
		if (!crime)
			return;
		ty_os_pause();
	} while (ty_os_now_ms() < end);
	ty_cache_die(fn, crime, s, i);
}

/* By whoever may write the slab's states. */
static void set_free(struct ty_slab *s, u32 i)
{
	TY_STORE(ty_slot_state(s, i), TY_SLOT_FREE);
	if (s->first > i / 64)
		s->first = (u8)(i / 64);
}

bool ty_cache_free(struct ty_slab *s, u32 i, const char *fn)
{
	struct ty_cache *c = ty_cache_ptr(s->cache);
	struct ty_lock *l = ty_cache_lock_of(c);
	ty_lock(l);
	if (TY_LOAD(&s->owner) != 0) {
		ty_unlock(l);
		return false;
	}
	if (unlikely(!ty_slot_live(s, i)))
		ty_cache_die(fn, "double free of", s, i);
	if (!s->nil) {
		char *p = (char *)s->start + (size_t)i * s->size;
		size_t used = ty_slot_used(s, i, p, fn);
		const char *crime = ty_slab_check_near(s, i);
		if (unlikely(crime))
			judge_near(fn, s, i, crime);
		ty_zero_long(p, used);
	}
	unshelve(c, s);
	set_free(s, i);
	s->used--;
	shelve(c, s);
	ty_unlock(l);
	return true;
}

static bool all_dead(const struct ty_slab *s)
{
	for (u32 i = 0; i < s->nslots; i++)
		if (TY_LOAD(ty_slot_state(s, i)) != TY_SLOT_HELD)
			return false;
	return true;
}

/*
 * No slot of s will be used again: late accesses fault, if a guard is to be had. Nobody else changes the record of a slab without a
 * free slot. Stripe lock held.
 */
static void bury(struct ty_slab *s, const char *fn)
{
	size_t bytes = ty_round_up((size_t)s->nslots * s->size, TY_PAGE);
	unsigned w = ty_slab_find_write(s);

	if (unlikely(w < s->nslots))
		ty_cache_die(fn, "write after free at", s, w);
	if (s->nil || (!ty_os_guard((char *)s->start, bytes) && !ty_os_purge((char *)s->start, bytes)))
		return;
	TY_STORE(&s->touched, 0);
}

void ty_cache_hold(struct ty_slab *s, u32 i, const char *fn)
{
	struct ty_lock *l = ty_cache_lock_of(ty_cache_ptr(s->cache));

	ty_lock(l);
	if (unlikely(!ty_slot_live(s, i)))
		ty_cache_die(fn, "double free of", s, i);
	if (!s->nil) {
		char *p = (char *)s->start + (size_t)i * s->size;
		if (likely(s->canary) && unlikely(ty_canary_find(p, s->size) == TY_NO_CANARY))
			ty_die_overflow(fn, s, i);
		u32 owner = TY_LOAD(&s->owner);
		const char *crime = !owner || (ty_mine && owner == ty_mine->id) ? ty_slab_check_near(s, i) : NULL;
		if (unlikely(crime))
			judge_near(fn, s, i, crime);
		ty_zero_long(p, s->size);
	}
	TY_STORE(ty_slot_state(s, i), TY_SLOT_HELD);
	if (ty_conf.never_reuse && all_dead(s))
		bury(s, fn);
	ty_unlock(l);
}

void ty_cache_release(struct ty_slab *s, u32 i, const char *fn)
{
	struct ty_cache *c = ty_cache_ptr(s->cache);
	struct ty_lock *l = ty_cache_lock_of(c);

	ty_lock(l);
	if (unlikely(ty_conf.red) && !s->nil) /* Memcheck has told of writes */
		ty_zero_long((char *)s->start + (size_t)i * s->size, s->size);
	if (!s->nil && unlikely(!ty_all_zero_long((char *)s->start + (size_t)i * s->size, s->size)))
		ty_cache_die(fn, "write after free at", s, i);
	unshelve(c, s);
	set_free(s, i);
	s->used--;
	shelve(c, s);
	ty_unlock(l);
}

void ty_cache_watch(struct ty_slab *s, u32 i, const char *fn)
{
	struct ty_cache *c = ty_cache_ptr(s->cache);
	struct ty_lock *l = ty_cache_lock_of(c);
	size_t at = (size_t)i * s->size;

	ty_lock(l);
	bool ours = !TY_LOAD(&s->owner) && s->state != TY_SLAB_PURGING && TY_LOAD(ty_slot_state(s, i)) == TY_SLOT_FREE && !s->nil &&
		    at + s->size <= (size_t)s->touched << TY_PAGE_SHIFT;
	if (ours && unlikely(!ty_all_zero_long((char *)s->start + at, s->size)))
		ty_cache_die(fn, "write after free at", s, i);
	ty_unlock(l);
}

struct ty_slab *ty_cache_adopt(struct ty_cache *c, u32 owner)
{
	struct ty_lock *l = ty_cache_lock_of(c);

	ty_lock(l);
	struct ty_slab *s = get_slab(c, true);
	if (s) {
		s->state = TY_SLAB_LOOSE;
		TY_STORE_REL(&s->owner, owner);
	}
	ty_unlock(l);
	return s;
}

bool ty_cache_claim(struct ty_slab *s, u32 owner)
{
	struct ty_cache *c = ty_cache_ptr(s->cache);
	struct ty_lock *l = ty_cache_lock_of(c);

	ty_lock(l);
	bool ok = TY_LOAD(&s->owner) == 0 && !s->part && (s->state == TY_SLAB_SHARED || s->state == TY_SLAB_SHARED_FULL);
	if (ok) {
		unshelve(c, s);
		ty_slab_collect(s);
		s->used = ty_slab_count_used(s);
		ok = s->used != 0;
		if (ok)
			TY_STORE_REL(&s->owner, owner);
		else
			shelve(c, s);
	}
	ty_unlock(l);
	return ok;
}

void ty_cache_abandon(struct ty_slab *s)
{
	struct ty_cache *c = ty_cache_ptr(s->cache);
	struct ty_lock *l = ty_cache_lock_of(c);

	ty_lock(l);
	ty_slab_collect(s);
	s->used = ty_slab_count_used(s);
	TY_STORE_REL(&s->owner, 0);
	shelve(c, s);
	ty_unlock(l);
}

bool ty_cache_collect(struct ty_slab *s)
{
	struct ty_cache *c = ty_cache_ptr(s->cache);
	struct ty_lock *l = ty_cache_lock_of(c);

	ty_lock(l);
	if (TY_LOAD(&s->owner) != 0) {
		ty_unlock(l);
		return false;
	}
	if (ty_slab_collect(s)) {
		unshelve(c, s);
		s->used = ty_slab_count_used(s);
		shelve(c, s);
	}
	ty_unlock(l);
	return true;
}
