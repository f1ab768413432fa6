/* large.c: see large.h. */
#include "large.h"

#define WARM_ALWAYS ((size_t)16 << 20) /* bytes that may be warm however little is live */
#define WARM_SHARE(live) ((live) / 2 * 3) /* and this for so many live bytes */

/*
 * Bytes that are present for nobody's use, and bytes in use. Atomic. A LIVE span adds what its extent exceeds its need by
 * to the first and its need to the second; a WARM one its extent to the first; a COLD one nothing.
 */
static size_t warm_total, live_total;

/* Spans that are closed. Atomic. Each may cost two mappings. */
#define CLOSED_MAX 20
static u32 nclosed;

static void count(size_t *what, size_t n) { __atomic_add_fetch(what, n, __ATOMIC_RELAXED); }
static bool warm_has_room(size_t n) { return TY_LOAD(&warm_total) + n <= WARM_ALWAYS + WARM_SHARE(TY_LOAD(&live_total)); }

static struct ty_slab *as_slab(struct ty_span *s) { return (struct ty_slab *)(void *)s; }
static struct ty_span *as_span(struct ty_slab *s) { return (struct ty_span *)(void *)s; }

static size_t page(void) { return ty_os_page_size(); }
static size_t need_of(size_t req) { return ty_round_up(req, page()); }

u32 ty_large_class(size_t size, size_t align, u32 source)
{
	/* Half of the address space is more than any reservation; above, roundings could wrap. */
	if (size > PTRDIFF_MAX / 2 || align > PTRDIFF_MAX / 2)
		return 0;
	unsigned a = align > page() ? ty_log2(align) : 0;
	u32 i = ty_large_index(need_of(size ? size : 1), ty_conf.roomy && !ty_os_locked());
	return TY_CLASS_LARGE | i | a << TY_CLASS_ALIGN_SHIFT | TY_CLASS_SOURCE(source);
}

static struct ty_span *new_span(struct ty_cache *c)
{
	unsigned a = (c->cls >> TY_CLASS_ALIGN_SHIFT) & 63;
	size_t bytes = ty_round_up(ty_large_bytes(c->cls), page());
	u32 id = ty_meta_slab_new(0);

	if (!id)
		return NULL;
	uintptr_t start = ty_region_span(bytes + page(), a ? (size_t)1 << a : page());
	if (!start) {
		ty_meta_slab_undo(id);
		return NULL;
	}
	struct ty_span *s = as_span(ty_slab_ptr(id));
	s->start = start;
	s->bytes = bytes;
	s->giant = s->guarded = ty_region_is_giant(bytes + page());
	s->huge = ty_region_is_huge(bytes + page());
	s->cache = ty_meta_id(c);
	s->state = TY_SPAN_BUSY;
	ty_map_set(start, TY_PAGE, id);
	struct ty_lock *l = ty_cache_lock_of(c);
	ty_lock(l);
	c->nslabs++;
	c->bytes += bytes;
	ty_unlock(l);
	return s;
}

static void fence(struct ty_span *s)
{
	s->fenced = s->giant || ty_os_guard((char *)s->start + need_of(s->req), page());
}

/* Remove the fence behind the old size. False: refused, and the page is lost to us. */
static bool unfence(struct ty_span *s)
{
	return !s->fenced || s->giant || ty_os_unguard((char *)s->start + need_of(s->req), page(), 1);
}

/* Zero what is not zero; pages that were never written stay untouched. */
static void clean_range(struct ty_span *s, size_t from, size_t to)
{
	char *p = (char *)s->start;
	for (size_t i = from; i < to; i += TY_PAGE)
		if (!ty_all_zero_long(p + i, TY_PAGE))
			ty_zero_long(p + i, TY_PAGE);
}

/*
 * Pages behind the first `from` bytes that become part of the object must be zero, whatever is left there of former objects
 * or wild writes: those within the extent are cleaned, those beyond it dropped (they hold nothing, as a rule).
 */
static void freshen(struct ty_span *s, size_t from, size_t need)
{
	clean_range(s, from, need < s->extent ? need : s->extent);
	if (need > s->extent && !ty_os_purge((char *)s->start + s->extent, need - s->extent))
		clean_range(s, s->extent, need);
}

/* Present pages behind the object's fence stay for the next one where there is room for such. Counts them. */
static void settle(struct ty_span *s)
{
	size_t need = need_of(s->req);

	if (s->extent < need)
		s->extent = need;
	size_t tail = s->extent - need;
	if (tail > page() && !warm_has_room(tail) &&
	    ty_os_purge((char *)s->start + need + page(), tail - page()))
		s->extent = need;
	count(&warm_total, s->extent - need);
}

/* Nothing has been written to the object that an open span last held. */
static bool untouched(const struct ty_span *s)
{
	size_t need = need_of(s->req);

	return ty_all_zero_long((const void *)s->start, need < s->extent ? need : s->extent);
}

/* What a span takes from its zone. */
static size_t whole(const struct ty_span *s) { return s->bytes + page(); }

/* Huge spans start at a huge page; nobody else has anything in the last one they reach. */
static size_t closable(const struct ty_span *s) { return ty_round_up(whole(s), TY_HUGE_PAGE); }

/* A fence that is no cheap guard would not survive being opened again. */
static bool close_span(struct ty_span *s)
{
	if (!s->huge || ty_os_locked() || !ty_os_cheap_guards())
		return false;
	if (__atomic_add_fetch(&nclosed, 1, __ATOMIC_RELAXED) <= CLOSED_MAX && ty_os_protect((char *)s->start, closable(s)))
		s->closed = 1;
	else
		__atomic_sub_fetch(&nclosed, 1, __ATOMIC_RELAXED);
	return s->closed;
}

/* False: refused, and the span is lost to us. */
static bool reopen(struct ty_span *s)
{
	if (!ty_os_unprotect((char *)s->start, closable(s)))
		return false;
	s->closed = 0;
	__atomic_sub_fetch(&nclosed, 1, __ATOMIC_RELAXED);
	return true;
}

static void shelve_cold(struct ty_cache *c, struct ty_lock *l, struct ty_span *s)
{
	ty_lock(l);
	s->state = TY_SPAN_COLD;
	ty_list_push(&c->purged, as_slab(s));
	ty_unlock(l);
}

void *ty_large_alloc(u64 key, u32 cls, size_t size, const char *fn, struct ty_cache **from)
{
	struct ty_cache *c = ty_index_cache(key, cls);
	if (!c)
		return NULL;
	struct ty_lock *l = ty_cache_lock_of(c);
	*from = c;
	for (;;) {
		struct ty_slab *found = NULL;
		size_t zero = 0; /* bytes from start, as far as the extent goes, that are known to be zero */
		ty_lock(l);
		u32 *list = c->empty ? &c->empty : &c->purged;
		if (*list) {
			found = ty_slab_ptr(*list);
			ty_list_remove(list, found);
			if (found->state == TY_SPAN_WARM)
				count(&warm_total, -as_span(found)->extent);
			found->state = TY_SPAN_BUSY;
		}
		ty_unlock(l);
		struct ty_span *s = found ? as_span(found) : new_span(c);
		if (!s)
			return NULL;
		if (s->guarded && s->giant) {
			if (!ty_os_open((char *)s->start, need_of(size))) {
				shelve_cold(c, l, s);
				return NULL;
			}
			s->guarded = 0;
			s->fenced = 1;
			s->req = size;
			s->extent = need_of(size);
		} else if (s->guarded) {
			if (!ty_os_unguard((char *)s->start, whole(s), 1 + s->fenced))
				continue; /* refused: the span is lost, try another */
			s->guarded = s->fenced = 0;
			s->extent = 0;
			/* Guards leave page tables behind, without which huge pages can come again. */
			if (s->bytes >= TY_HUGE_MIN)
				ty_os_purge((char *)s->start, s->bytes);
		} else if (s->closed) {
			if (!reopen(s))
				continue;
		} else {
			if (s->extent && unlikely(!untouched(s)))
				ty_cache_die_at(fn, "write after free at", as_slab(s), (void *)s->start);
			zero = need_of(s->req);
		}
		if (s->giant && need_of(size) != need_of(s->req)) {
			/* It could not be closed, and can hardly be reopened otherwise: it stays away. */
			continue;
		}
		if (!s->fenced || need_of(size) != need_of(s->req)) {
			if (!unfence(s))
				continue;
			s->req = size;
			fence(s);
		}
		if (!s->giant)
			freshen(s, zero, need_of(size));
		s->req = size;
		settle(s);
		count(&live_total, need_of(size));
		ty_lock(l);
		c->allocations++;
		s->state = TY_SPAN_LIVE;
		ty_unlock(l);
		return (void *)s->start;
	}
}

/* Drop a span's pages; afterwards it is COLD. Nobody else may touch it. False: it cannot be used again. */
static bool cool(struct ty_span *s)
{
	if (s->giant) {
		s->guarded = ty_os_close((char *)s->start, need_of(s->req));
		if (!s->guarded && !ty_os_purge((char *)s->start, need_of(s->req)))
			clean_range(s, 0, need_of(s->req));
		return true;
	}
	if (s->extent < whole(s)) /* what a wild write may have left there */
		ty_os_purge((char *)s->start + s->extent, whole(s) - s->extent);
	enum ty_guard g = ty_os_guard_all((char *)s->start, s->extent);
	if (s->closed && !reopen(s))
		return false;
	s->guarded = g == TY_GUARD_SET;
	if (s->guarded)
		return true;
	if (g == TY_GUARD_FAILED) {
		/* A part of it may be guarded now: all of it must be open before it is looked at again. */
		if (!ty_os_unguard((char *)s->start, whole(s), s->fenced))
			return false;
		s->fenced = 0;
	}
	/* Behind the need nothing has been written, or it is the fence. */
	if (!ty_os_purge((char *)s->start, s->extent))
		clean_range(s, 0, need_of(s->req));
	return true;
}

/* The span that holds p, if any: for messages only. */
static struct ty_span *holder(uintptr_t p)
{
	for (u32 id = TY_META_SLAB_FIRST, end = ty_meta_slab_end(); id < end; id = ty_meta_slab_after(id)) {
		struct ty_slab *s = ty_slab_ptr(id);
		if (s->state >= TY_SPAN_LIVE) {
			struct ty_span *x = as_span(s);
			if (p - x->start < x->bytes)
				return x;
		}
	}
	return NULL;
}

struct ty_span *ty_large_at(const void *p, const char *fn)
{
	u32 id = ty_map_get((uintptr_t)p - ty_conf.base);
	struct ty_span *s = id ? as_span(ty_slab_ptr(id)) : holder((uintptr_t)p);

	if (!s)
		ty_die(fn, "unallocated pointer", p, NULL);
	if (s->start != (uintptr_t)p) {
		if (TY_LOAD(&s->state) != TY_SPAN_LIVE)
			ty_cache_die_at(fn, "double free of", as_slab(s), p);
		ty_cache_die_at(fn, "interior pointer", as_slab(s), p);
	}
	if (TY_LOAD(&s->state) != TY_SPAN_LIVE)
		ty_cache_die_at(fn, "double free of", as_slab(s), p);
	return s;
}

const struct ty_cache *ty_large_look(const void *p, size_t off, size_t *size)
{
	if (off >= ty_conf.size || !ty_region_span_at(off))
		return NULL;
	u32 id = ty_map_get(off);
	const struct ty_span *s = as_span(ty_slab_ptr(id));
	if (!id || s->start != (uintptr_t)p || TY_LOAD(&s->state) != TY_SPAN_LIVE)
		return NULL;
	*size = ty_large_usable(s);
	return ty_cache_ptr(s->cache);
}

/* LIVE -> BUSY; the process ends when it is not live. */
static struct ty_lock *take(struct ty_span *s, const char *fn)
{
	struct ty_lock *l = ty_cache_lock_of(ty_cache_ptr(s->cache));

	ty_lock(l);
	if (unlikely(s->state != TY_SPAN_LIVE))
		ty_cache_die_at(fn, "double free of", as_slab(s), (void *)s->start);
	s->state = TY_SPAN_BUSY;
	ty_unlock(l);
	return l;
}

void ty_large_free(struct ty_span *s, const char *fn)
{
	struct ty_cache *c = ty_cache_ptr(s->cache);
	struct ty_lock *l = take(s, fn);
	size_t need = need_of(s->req);
	bool warm = !s->giant && warm_has_room(need), usable = true;

	count(&live_total, -need);
	if (warm) {
		count(&warm_total, need); /* the tail is in it already */
		if (!close_span(s))
			clean_range(s, 0, need);
	} else {
		count(&warm_total, -(s->extent - need));
		usable = cool(s);
	}
	s->when = (u32)ty_os_now_ms();
	ty_lock(l);
	s->state = warm ? TY_SPAN_WARM : TY_SPAN_COLD;
	if (usable)
		ty_list_push(warm ? &c->empty : &c->purged, as_slab(s));
	if (warm)
		ty_cache_will_purge(c);
	ty_unlock(l);
	if (unlikely(ty_conf.stats))
		ty_cache_live(c, -1);
	ty_cache_tick();
}

bool ty_large_resize(struct ty_span *s, size_t size, const char *fn)
{
	size_t need = need_of(size), old = need_of(s->req);

	if (size <= TY_SMALL_MAX || size > s->bytes || need > s->bytes)
		return false;
	struct ty_lock *l = take(s, fn);
	bool ok = true;
	if (need == old) {
		s->req = size;
	} else if (s->giant) {
		ok = need > old ? ty_os_open((char *)s->start + old, need - old)
				: ty_os_close((char *)s->start + need, old - need);
		if (ok) {
			s->req = size;
			s->extent = need;
			count(&live_total, need - old);
		}
	} else if (!unfence(s)) {
		ok = false;
	} else {
		count(&warm_total, -(s->extent - old));
		if (need < old)
			clean_range(s, need, old);
		else
			freshen(s, old, need);
		s->req = size;
		fence(s);
		settle(s);
		count(&live_total, need - old);
	}
	ty_lock(l);
	s->state = TY_SPAN_LIVE;
	ty_unlock(l);
	return ok;
}

bool ty_large_move(struct ty_span *from, struct ty_span *to, size_t n)
{
	/* Only giant spans are not sealed. Whole pages, so that what lies behind n moves too: it is inside from's need. */
	return from->giant && to->giant && ty_os_move((char *)from->start, (char *)to->start, need_of(n));
}

size_t ty_large_usable(const struct ty_span *s) { return need_of(s->req); }

bool ty_large_purge(struct ty_cache *c, struct ty_lock *l, u32 decay, const char *fn, bool *any)
{
	for (;;) {
		struct ty_slab *old = ty_list_last(c->empty);
		if (!old)
			return true;
		struct ty_span *s = as_span(old);
		if ((u32)ty_os_now_ms() - s->when < decay)
			return false;
		ty_list_remove(&c->empty, old);
		s->state = TY_SPAN_BUSY;
		ty_unlock(l);
		count(&warm_total, -s->extent);
		/* A write after the free must not vanish with the page (P4). */
		if (!s->closed && unlikely(!untouched(s)))
			ty_cache_die_at(fn, "write after free at", old, (void *)s->start);
		bool usable = cool(s);
		*any = true;
		ty_lock(l);
		s->state = TY_SPAN_COLD;
		if (usable)
			ty_list_push(&c->purged, old);
	}
}
