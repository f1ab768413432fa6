/* large.c: see large.h. */
#include "large.h"
#include "purge.h"

#define WARM_ALWAYS ((size_t)16 << 20) /* bytes that may be warm however little is live */
#define WARM_SHARE(live) (live)		   /* and this for so many live bytes */

/*
 * Bytes that are present for nobody's use, and bytes in use. Atomic. A LIVE span adds what its extent exceeds its need by
 * to the first and its need to the second; a WARM one its extent to the first; a COLD one nothing.
 */
static size_t warm_total, live_total;

/* Spans that are closed. Atomic. Each may cost two mappings. */
#define CLOSED_MAX 200
static u32 nclosed;

/* Option quarantine: KiB that were ever freed. Atomic. A free span has its value after the free in `when'. */
static u32 freed_kib;

static void count(size_t *what, size_t n) { __atomic_add_fetch(what, n, __ATOMIC_RELAXED); }
static bool warm_has_room(size_t n) { return TY_LOAD(&warm_total) + n <= WARM_ALWAYS + WARM_SHARE(TY_LOAD(&live_total)); }

static size_t page(void) { return ty_os_page_size(); }
static size_t pages_for(size_t req) { return ty_round_up(req, page()); }
static size_t align_of(const struct ty_cache *c)
{
	return ty_class_sampled(c->cls) ? 16 : (size_t)1 << ((c->cls >> TY_CLASS_ALIGN_SHIFT) & 63);
}

/* Where in its pages an object of req bytes starts. */
static u16 lead_of(size_t req, size_t align)
{
	if (align < 16)
		align = 16;
	return align >= page() ? 0 : (u16)ty_round_down(pages_for(req) - req, align);
}

u32 ty_large_class(size_t size, size_t align, u32 source)
{
	/* Half of the address space is more than any reservation; above, roundings could wrap. */
	if (size > PTRDIFF_MAX / 2 || align > PTRDIFF_MAX / 2)
		return 0;
	unsigned a = align > 16 ? ty_log2(align) : 0;
	u32 i = ty_large_index(pages_for(size ? size : 1), ty_conf.roomy && !ty_os_tight());
	return TY_CLASS_LARGE | i | a << TY_CLASS_ALIGN_SHIFT | TY_CLASS_SOURCE(source);
}

static struct ty_span *new_span(struct ty_cache *c, size_t need)
{
	bool sampled = ty_class_sampled(c->cls);
	size_t align = align_of(c), bytes = ty_round_up(sampled ? c->size : ty_large_bytes(c->cls), page());
	/* What cannot be had must not cost address space, which is never given back. */
	if (ty_region_sort(bytes) == TY_SORT_GIANT && !ty_os_tight() && ty_os_too_much(pages_for(need)))
		return NULL;
	u32 record = sampled ? ty_sample_record() : 0, id = sampled && !record ? 0 : ty_meta_slab_new(0);

	if (!id) {
		ty_sample_record_undo(record);
		return NULL;
	}
	size_t all = bytes + (ty_os_cheap_guards() ? 0 : page());
	uintptr_t start = ty_region_span(c->kind, all, align > page() ? align : page());
	if (!start) {
		ty_meta_slab_undo(id);
		ty_sample_record_undo(record);
		return NULL;
	}
	struct ty_span *s = ty_slab_span(ty_slab_ptr(id));
	s->start = start;
	s->bytes = bytes;
	enum ty_sort sort = ty_region_sort(all);
	s->giant = s->guarded = sort == TY_SORT_GIANT;
	s->huge = sort == TY_SORT_HUGE;
	s->middle = sort == TY_SORT_MIDDLE;
	s->fenced = s->giant; /* open to its need only */
	s->cache = ty_meta_id(c);
	s->state = TY_SPAN_BUSY;
	s->record = record;
	ty_map_set(start, sampled ? bytes : page(), id);
	for (size_t at = TY_SPAN_ANCHOR; at < bytes; at += TY_SPAN_ANCHOR)
		ty_map_set(start + at, TY_PAGE, id);
	struct ty_lock *l = ty_cache_lock_of(c);
	ty_lock(l);
	c->nslabs++;
	c->bytes += bytes;
	ty_unlock(l);
	return s;
}

/* What a span has taken from its zone. */
static size_t whole(const struct ty_span *s) { return s->bytes + (ty_os_cheap_guards() ? 0 : page()); }

/* The page behind the object's last, when it is the first behind the span, is guarded anyway. */
static bool at_gap(const struct ty_span *s) { return ty_span_need(s) == s->bytes && ty_os_cheap_guards(); }

/* Bytes behind the object's pages that no access passes. */
#define FENCE_PAGES 16
static size_t fence_of(const struct ty_span *s)
{
	size_t room = whole(s) - ty_span_need(s), most = ty_os_cheap_guards() ? FENCE_PAGES * page() : page();
	return room < most ? room : most;
}

static void fence(struct ty_span *s)
{
	s->fenced = at_gap(s) || ty_os_guard((char *)s->start + ty_span_need(s), fence_of(s));
	if (!s->fenced && ty_os_cheap_guards()) /* a part of it may be guarded, where the program has locked the rest */
		ty_os_unguard((char *)s->start + ty_span_need(s), fence_of(s), 0);
}

/* Remove the fence behind the old size. False: refused, and the page is lost to us. */
static bool unfence(struct ty_span *s)
{
	return !s->fenced || s->giant || at_gap(s) || ty_os_unguard((char *)s->start + ty_span_need(s), fence_of(s), 1);
}

/*
 * The object's size becomes size, its place lead (the pages are those of both). What is behind it there has been zero.
 */
static void set_object(struct ty_span *s, size_t size, u16 lead)
{
	s->req = size;
	s->lead = lead;
	char *end = (char *)ty_large_object(s) + size;
	size_t tail = ty_span_need(s) - lead - size;
	u64 c = ty_canary_at(end);
	memcpy(end, &c, tail < TY_CANARY ? tail : TY_CANARY);
}

/* The object's canary, or as much of it as there is room for; 0 bytes otherwise. */
static void clear_tail(struct ty_span *s)
{
	size_t tail = ty_span_need(s) - s->lead - s->req;
	memset((char *)ty_large_object(s) + s->req, 0, tail < TY_CANARY ? tail : TY_CANARY);
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
	size_t need = ty_span_need(s);

	if (s->extent < need)
		s->extent = need;
	size_t tail = s->extent - need, kept = s->giant ? 0 : fence_of(s);
	if (tail > kept && !warm_has_room(tail) && ty_os_purge((char *)s->start + need + kept, tail - kept))
		s->extent = need;
	count(&warm_total, s->extent - need);
}

/* Nothing has been written to the object that an open span last held. */
static bool untouched(const struct ty_span *s)
{
	size_t need = ty_span_need(s);

	return ty_all_zero_long((const void *)s->start, need < s->extent ? need : s->extent);
}

/* Huge spans start at a huge page; nobody else has anything but guards in the last one they reach. */
static size_t closable(const struct ty_span *s) { return s->middle ? whole(s) : ty_round_up(whole(s), TY_HUGE_PAGE); }

/*
 * A free one is closed while it is warm: where that is cheaper than to look at what its object was in. A fence that is
 * no cheap guard would not survive being opened again.
 */
static bool wants_closing(const struct ty_span *s)
{
	return (s->huge || s->middle) && ty_span_need(s) >= TY_MIDDLE_MIN && ty_os_cheap_guards() && !ty_os_locked();
}

static bool close_span(struct ty_span *s)
{
	if (__atomic_add_fetch(&nclosed, 1, __ATOMIC_RELAXED) <= CLOSED_MAX) /* refused, a part may be closed: then all is open again */
		s->closed = ty_os_protect((char *)s->start, closable(s)) || !ty_os_unprotect((char *)s->start, closable(s));
	if (!s->closed)
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
	ty_list_push(&c->purged, ty_span_slab(s));
	ty_unlock(l);
}

/* Has a free span waited as long as option quarantine wants? */
static bool ripe(struct ty_slab *s)
{
	return s && TY_LOAD(&freed_kib) - ty_slab_span(s)->when >= ty_conf.quarantine;
}

/* A free span of a cache, then BUSY; NULL: none. With option quarantine the oldest, if it is ripe, or any. Under the lock. */
static struct ty_span *take_free(struct ty_cache *c, bool any)
{
	u32 *list = c->empty ? &c->empty : &c->purged;
	struct ty_slab *s = *list ? ty_slab_ptr(*list) : NULL;

	if (ty_conf.quarantine && s && !ty_slab_span(s)->record) {
		list = ripe(ty_list_last(c->purged)) ? &c->purged : list;
		s = ty_list_last(*list);
		s = any || ripe(s) ? s : NULL;
	}
	if (!s)
		return NULL;
	ty_list_remove(list, s);
	if (s->state == TY_SPAN_WARM)
		count(&warm_total, -ty_slab_span(s)->extent);
	s->state = TY_SPAN_BUSY;
	return ty_slab_span(s);
}

/* A span of a cache, BUSY, for need bytes: a free one, or a new one. NULL: out of memory, or no more sampled ones. */
static struct ty_span *find_span(struct ty_cache *c, struct ty_lock *l, size_t need, const char *fn)
{
	bool sampled = ty_class_sampled(c->cls);

	ty_lock(l);
	bool more = sampled && ty_sample_more(c->nslabs);
	struct ty_span *s = more ? NULL : take_free(c, false);
	ty_unlock(l);
	if (s)
		return s;
	s = sampled && !more ? NULL : new_span(c, need);
	if (s && !sampled) {
		ty_cache_grows(2 * need);
		ty_cache_growth(fn);
	}
	if (!s && more)
		ty_sample_undo();
	if (!s && !sampled && ty_conf.quarantine) {
		ty_lock(l);
		s = take_free(c, true);
		ty_unlock(l);
	}
	return s;
}

enum ready { READY, LOST, NO_MEMORY };

/*
 * Open a BUSY span for need bytes; *zero: so many bytes from its start, as far as the extent goes, are known to be
 * zero. LOST: something was refused, the span cannot be used again.
 */
static enum ready open_span(struct ty_span *s, size_t need, size_t *zero, const char *fn)
{
	*zero = 0;
	if (s->giant && s->guarded) {
		if (need && !ty_os_open((char *)s->start, need))
			return NO_MEMORY;
		s->guarded = 0;
		s->extent = need;
		return READY;
	}
	if (s->guarded) {
		if (!ty_os_unguard((char *)s->start, whole(s), 1 + s->fenced))
			return LOST;
		s->guarded = s->fenced = 0;
		s->extent = 0;
		if (s->record && ty_os_cheap_guards()) /* sampled: nobody can have written to it, and its pages are gone */
			s->extent = *zero = need;
		/* Guards leave page tables behind, without which huge pages can come again. */
		if (s->bytes >= TY_HUGE_MIN)
			ty_os_purge((char *)s->start, s->bytes);
		return READY;
	}
	if (s->closed)
		return reopen(s) ? READY : LOST;
	if (s->extent && unlikely(!untouched(s)))
		ty_cache_die_at(fn, "write after free at", ty_span_slab(s), ty_large_object(s));
	*zero = ty_span_need(s);
	/* A giant one that could not be closed can hardly be reopened otherwise. */
	return s->giant && need != ty_span_need(s) ? LOST : READY;
}

/* A span of a cache, LIVE, its object at a multiple of align. NULL: out of memory, or no more sampled ones. */
static struct ty_span *serve(struct ty_cache *c, size_t size, size_t align, const char *fn)
{
	struct ty_lock *l = ty_cache_lock_of(c);
	struct ty_span *s;

	while ((s = find_span(c, l, size, fn)) != NULL) {
		u16 lead = s->record ? (u16)ty_round_down(s->bytes - size, align) : lead_of(size, align);
		size_t need = pages_for(size + lead), zero;
		enum ready r = open_span(s, need, &zero, fn);
		if (r == NO_MEMORY) {
			shelve_cold(c, l, s);
			return NULL;
		}
		bool refence = !s->giant && (!s->fenced || need != ty_span_need(s));
		if (r == LOST || (refence && !unfence(s)))
			continue; /* try another */
		s->req = size;
		s->lead = lead;
		if (refence)
			fence(s);
		if (!s->giant)
			freshen(s, zero, need);
		set_object(s, size, lead);
		settle(s);
		count(&live_total, need);
		ty_lock(l);
		c->allocations++;
		s->state = TY_SPAN_LIVE;
		ty_unlock(l);
		return s;
	}
	return NULL;
}

void *ty_large_alloc(u64 key, u32 cls, size_t size, const char *fn, struct ty_cache **from)
{
	struct ty_cache *c = ty_index_cache(key, cls);
	if (!c)
		return NULL;
	*from = c;
	struct ty_span *s = serve(c, size, align_of(c), fn);
	return s ? ty_large_object(s) : NULL;
}

void *ty_large_sample(u64 key, u32 cls, size_t size, size_t align, const char *fn, struct ty_cache **from,
		      struct ty_sampled **record)
{
	struct ty_cache *c = ty_index_cache(key, cls);
	struct ty_span *s = c ? serve(c, size, align, fn) : NULL;
	if (!s)
		return NULL;
	*from = c;
	*record = ty_meta_ptr(s->record);
	(*record)->nmade = (*record)->nfreed = 0;
	return ty_large_object(s);
}

/* Drop a span's pages; afterwards it is COLD. Nobody else may touch it. False: it cannot be used again. */
static bool cool(struct ty_span *s)
{
	if (s->giant) {
		s->guarded = ty_os_close((char *)s->start, ty_span_need(s));
		if (!s->guarded && !ty_os_purge((char *)s->start, ty_span_need(s)))
			clean_range(s, 0, ty_span_need(s));
		return true;
	}
	if (s->extent < whole(s)) /* what a wild write may have left there */
		ty_os_purge((char *)s->start + s->extent, whole(s) - s->extent);
	/* Memcheck tells of an access, and the program goes on, as it does with valgrind's malloc. */
	enum ty_guard g = ty_conf.red ? TY_GUARD_REFUSED : ty_os_guard_all((char *)s->start, s->extent);
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
		clean_range(s, 0, ty_span_need(s));
	return true;
}

/*
 * LIVE -> BUSY; the process ends when it is not live, or no longer with the object at p: another thread has freed it
 * since it was looked up, and a third has the span.
 */
static struct ty_lock *take(struct ty_span *s, const void *p, const char *fn)
{
	struct ty_lock *l = ty_cache_lock_of(ty_cache_ptr(s->cache));

	ty_lock(l);
	if (unlikely(s->state != TY_SPAN_LIVE) || unlikely((uintptr_t)ty_large_object(s) != (uintptr_t)p))
		ty_cache_die_at(fn, "double free of", ty_span_slab(s), p);
	s->state = TY_SPAN_BUSY;
	ty_unlock(l);
	return l;
}

void ty_large_free(struct ty_span *s, const void *p, const char *fn)
{
	if (unlikely(ty_conf.mismatch))
		ty_cache_check_free(ty_cache_ptr(s->cache), p, fn);
	ty_large_take(s, p, fn);
	ty_large_release(s);
}

void ty_large_take(struct ty_span *s, const void *p, const char *fn)
{
	take(s, p, fn);
	ty_span_check(s, fn);
}

void ty_large_release(struct ty_span *s)
{
	struct ty_cache *c = ty_cache_ptr(s->cache);
	struct ty_lock *l = ty_cache_lock_of(c);
	size_t need = ty_span_need(s);
	bool warm = !s->giant && !s->record && !ty_conf.never_reuse && warm_has_room(need), usable = true;
	if (s->record)
		ty_sample_freed(ty_meta_ptr(s->record));
	bool closes = warm && wants_closing(s), closed = closes && close_span(s);

	count(&live_total, -need);
	warm = warm && closed == closes; /* what cannot be closed is guarded, and its pages go */
	if (warm) {
		count(&warm_total, need); /* the tail is in it already */
		if (!closed)
			clean_range(s, 0, need);
	} else {
		count(&warm_total, -(s->extent - need));
		usable = cool(s) && !ty_conf.never_reuse;
	}
	s->when = ty_conf.quarantine ? __atomic_add_fetch(&freed_kib, (u32)(need >> 10), __ATOMIC_RELAXED) : (u32)ty_os_now_ms();
	ty_lock(l);
	s->state = warm ? TY_SPAN_WARM : TY_SPAN_COLD;
	if (usable && s->record)
		ty_list_push_back(&c->purged, ty_span_slab(s));
	else if (usable)
		ty_list_push(warm ? &c->empty : &c->purged, ty_span_slab(s));
	if (warm)
		ty_cache_will_purge(c);
	ty_unlock(l);
	if (unlikely(ty_conf.stats))
		ty_cache_live(c, -1);
	ty_cache_tick("free");
}

bool ty_large_resize(struct ty_span *s, const void *p, size_t size, bool small, const char *fn)
{
	/* The object stays where it is, so its end may come to lie away from the fence. */
	size_t need = pages_for(s->lead + size), old = ty_span_need(s);

	if ((size <= TY_SMALL_MAX && !small) || size > s->bytes || need > s->bytes)
		return false;
	struct ty_lock *l = take(s, p, fn);
	bool ok = true;
	ty_span_check(s, fn);
	clear_tail(s);
	if (need == old) {
		if (size < s->req)
			memset((char *)ty_large_object(s) + size, 0, s->req - size);
	} else if (s->giant) {
		ok = need > old ? ty_os_open((char *)s->start + old, need - old)
				: ty_os_close((char *)s->start + need, old - need);
		if (ok) {
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
	if (ok && need < old)
		memset((char *)ty_large_object(s) + size, 0, need - s->lead - size);
	set_object(s, ok ? size : s->req, s->lead);
	ty_lock(l);
	s->state = TY_SPAN_LIVE;
	ty_unlock(l);
	return ok;
}

void *ty_large_move(struct ty_span *from, struct ty_span *to, size_t n, size_t size)
{
	/* Only giant spans are not sealed. */
	if (!from->giant || !to->giant)
		return NULL;
	/* Pages move whole, so the object keeps its place in its first page. */
	size_t need = pages_for(from->lead + size), old = ty_span_need(to);
	if (need > to->bytes || (need > old && !ty_os_open((char *)to->start + old, need - old)) ||
	    (need < old && !ty_os_close((char *)to->start + need, old - need)))
		return NULL;
	if (need >= old)
		clear_tail(to);
	count(&live_total, need - old);
	to->extent = need;
	to->lead = from->lead;
	clear_tail(from);
	size_t moved = pages_for(from->lead + n);
	char *p = ty_large_object(to);
	if (ty_os_move((char *)from->start, (char *)to->start, moved))
		memset(p + n, 0, moved - to->lead - n);
	else
		memcpy(p, ty_large_object(from), n);
	set_object(from, from->req, from->lead);
	set_object(to, size, to->lead);
	return p;
}

void ty_large_sweep(struct ty_span *s, const char *fn)
{
	struct ty_lock *l = ty_cache_lock_of(ty_cache_ptr(s->cache));

	ty_lock(l);
	/* A COLD one that is on no list may have guards within. */
	bool open = s->state == TY_SPAN_WARM || (s->state == TY_SPAN_COLD && s->prev && !s->guarded);
	if (open && !s->closed && s->extent && unlikely(!untouched(s)))
		ty_cache_die_at(fn, "write after free at", ty_span_slab(s), ty_large_object(s));
	ty_unlock(l);
}

bool ty_large_purge(struct ty_cache *c, struct ty_lock *l, u32 age, const char *fn, size_t *budget)
{
	while (*budget) {
		struct ty_slab *old = ty_list_last(c->empty);
		if (!old)
			return true;
		struct ty_span *s = ty_slab_span(old);
		if (ty_conf.quarantine ? age && !ripe(old) : (u32)ty_os_now_ms() - s->when < age)
			return false;
		ty_list_remove(&c->empty, old);
		s->state = TY_SPAN_BUSY;
		ty_unlock(l);
		size_t bytes = s->extent;
		count(&warm_total, -bytes);
		/* A write after the free must not vanish with the page (P4). */
		if (!s->closed && unlikely(!untouched(s)))
			ty_cache_die_at(fn, "write after free at", old, ty_large_object(s));
		bool usable = cool(s);
		*budget -= bytes < *budget ? bytes : *budget;
		ty_lock(l);
		s->state = TY_SPAN_COLD;
		if (usable)
			ty_list_push(&c->purged, old);
	}
	return false;
}
