/* span.c: see span.h. */
#include "span.h"

static bool zero_bytes(const char *p, size_t n)
{
	while (n && (uintptr_t)p % 16) {
		if (*p++)
			return false;
		n--;
	}
	size_t whole = n & ~(size_t)15;
	if (whole && !ty_all_zero_long(p, whole))
		return false;
	for (p += whole, n -= whole; n; n--)
		if (*p++)
			return false;
	return true;
}

/* Are the n bytes at p those of c? */
static bool is_canary(const char *p, u64 c, size_t n)
{
	for (; n; n--, c >>= 8)
		if ((u8)*p++ != (u8)c)
			return false;
	return true;
}

void ty_span_check(const struct ty_span *s, const char *fn)
{
	const char *end = (const char *)ty_large_object(s) + s->req;
	size_t tail = ty_span_need(s) - s->lead - s->req, n = tail < TY_CANARY ? tail : TY_CANARY;

	if (unlikely(!is_canary(end, ty_canary_at(end), n)) || unlikely(!zero_bytes(end + n, tail - n)))
		ty_cache_die_at(fn, "overflow of", ty_span_slab((struct ty_span *)(uintptr_t)s), ty_large_object(s));
	if (unlikely(!zero_bytes((const char *)s->start, s->lead)))
		ty_cache_die_at(fn, "underflow of", ty_span_slab((struct ty_span *)(uintptr_t)s), ty_large_object(s));
}

/*
 * Ids of the spans that were found last, by address: deep in a long span the walk back to an entry of the map is long. A span's
 * place is constant, so an old hint is as good as a new one.
 */
#define HINTS 64
static u32 hints[HINTS];

/* The span below p, an address in the spans' part of the heap, or that holds it; NULL: none. */
static struct ty_span *below(uintptr_t p)
{
	size_t off = p - ty_conf.base;

	/* Zero entries of the map, as far as there may be any. */
	for (size_t n = 0; n <= TY_SPAN_ANCHOR && ty_region_span_at(off); n += TY_PAGE, off -= TY_PAGE) {
		u32 id = ty_map_get(off);
		if (id)
			return ty_slab_span(ty_slab_ptr(id));
	}
	return NULL;
}

/* The span that holds p, likewise. */
static struct ty_span *holder(uintptr_t p)
{
	size_t off = p - ty_conf.base;
	u32 *hint = &hints[off / TY_SPAN_ANCHOR % HINTS], found = TY_LOAD(hint);
	struct ty_span *last = ty_slab_span(ty_slab_ptr(found));

	if (found && p - last->start < last->bytes)
		return last;
	struct ty_span *s = below(p);
	if (!s || p - s->start >= s->bytes)
		return NULL;
	TY_STORE(hint, ty_slab_id(ty_span_slab(s)));
	return s;
}

#define NEAR (2 * TY_GAP_MAX) /* pages */

const struct ty_span *ty_large_around(uintptr_t p, bool near)
{
	size_t off = p - ty_conf.base;

	if (off >= ty_conf.size || off < TY_LOAD(&ty_frontier.small_end))
		return NULL;
	/* Behind a zone's highest span its guard is no part of the zone. */
	size_t down = 0;
	while (near && down < NEAR * ty_os_page_size() && !ty_region_span_at(off - down))
		down += ty_os_page_size();
	const struct ty_span *s = below(p - down), *above = NULL;
	if (s && p - s->start < s->bytes)
		return near && TY_LOAD(&s->state) == TY_SPAN_LIVE && p - s->start < ty_span_need(s) ? NULL : s;
	if (!near)
		return NULL;
	for (size_t n = 1; n <= NEAR && !above && ty_region_span_at(off + n * ty_os_page_size()); n++) {
		u32 id = ty_map_get(off + n * ty_os_page_size());
		above = id ? ty_slab_span(ty_slab_ptr(id)) : NULL;
	}
	size_t behind = s ? p - s->start - s->bytes : SIZE_MAX, before = above ? above->start - p : SIZE_MAX;
	if ((behind < before ? behind : before) > NEAR * ty_os_page_size())
		return NULL;
	return behind < before ? s : above;
}

struct ty_span *ty_large_at(const void *p, const char *fn, const char *crime)
{
	u32 id = ty_map_get((uintptr_t)p - ty_conf.base);
	struct ty_span *s = id ? ty_slab_span(ty_slab_ptr(id)) : holder((uintptr_t)p);

	if (!s)
		ty_die(fn, "unallocated pointer", p, NULL);
	if ((uintptr_t)ty_large_object(s) != (uintptr_t)p) {
		if (TY_LOAD(&s->state) != TY_SPAN_LIVE)
			ty_cache_die_at(fn, crime, ty_span_slab(s), p);
		ty_cache_die_at(fn, "interior pointer", ty_span_slab(s), p);
	}
	if (TY_LOAD(&s->state) != TY_SPAN_LIVE)
		ty_cache_die_at(fn, crime, ty_span_slab(s), p);
	return s;
}

const struct ty_cache *ty_large_look(const void *p, size_t off, size_t *size, const char *fn)
{
	if (off >= ty_conf.size || !ty_region_span_at(off))
		return NULL;
	u32 id = ty_map_get(off);
	const struct ty_span *s = ty_slab_span(ty_slab_ptr(id));
	if (!id || (uintptr_t)ty_large_object(s) != (uintptr_t)p || TY_LOAD(&s->state) != TY_SPAN_LIVE)
		return NULL;
	*size = fn ? ty_large_checked(s, fn) : ty_large_usable(s);
	return ty_cache_ptr(s->cache);
}

size_t ty_large_room(const void *p, const char *fn)
{
	const struct ty_span *s = holder((uintptr_t)p);
	if (!s || TY_LOAD(&s->state) != TY_SPAN_LIVE)
		return 0;
	size_t at = (uintptr_t)p - (uintptr_t)ty_large_object(s);
	if (fn && at < s->req)
		ty_span_check(s, fn);
	return at < s->req ? s->req - at : 0;
}

size_t ty_large_usable(const struct ty_span *s) { return s->req; }

size_t ty_large_checked(const struct ty_span *s, const char *fn)
{
	ty_span_check(s, fn);
	return s->req;
}
