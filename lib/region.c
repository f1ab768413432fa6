/* region.c: see region.h. */
#include "region.h"
#include "random.h"
#include "track.h"

#define RESERVE_MAX ((size_t)1 << 44)	/* 16 TiB: an eighth of a 47-bit space */
#define RESERVE_MIN ((size_t)1 << 20)
/* How far a zone may begin from its end: half a million pages. */
#define ZONE_SPREAD ((size_t)2 << 30)
/* How far the first slab may lie from the heap's start. */
#define SMALL_SPREAD ((size_t)256 << 20)
#define ROOMY ((size_t)1 << 42) /* zones of 256 GiB and more */
#define GUARD ((size_t)64 << 10)	/* between parts: the largest page */
#define STEP_MIN ((size_t)1 << 20)
#define STEP_MAX ((size_t)64 << 20)
#define META_STEP_MIN ((size_t)64 << 10)
#define SLAB_BYTES_PER_META 11		/* a 4 KiB slab of 16-byte slots needs 384 bytes, all others less for each of theirs (slab.h) */
#define SLAB_META_MAX ((size_t)9 << 30) /* of 100 GiB of the smallest slots, 5 TiB of others; with all that lies before, 2^32 ids reach it */
#define META_MIN ((size_t)8 << 20)
#define SPARE_MIN ((size_t)32 << 20)	/* under RLIMIT_AS, for stacks and libraries; else an eighth */
#define META_MAX ((size_t)6 << 30)
#define SLAB_META_NEAR ((size_t)448 << 10)
#define META_NEAR ((size_t)704 << 10)
#define CHUNK_ROOMY ((size_t)1 << 20)
#define CHUNK_TIGHT ((size_t)256 << 10)

struct ty_frontier ty_frontier;
struct ty_lock ty_region_lock;
struct ty_grow ty_grow_slabs[TY_PLACES], ty_grow_meta[TY_PLACES];

/* All below: guarded by ty_region_lock. */
/*
 * Slabs of up to SMALL_SLAB bytes and longer ones have chunks of their own, so that a few small ones do not leave the
 * long no room.
 */
#define SMALL_SLAB ((size_t)16 << 10)
#define CHUNK_GRANULES (CHUNK_ROOMY >> TY_PAGE_SHIFT)
static struct chunk {
	size_t start, end; /* offsets; equal: none yet */
	u64 taken[CHUNK_GRANULES / 64]; /* granules */
} chunk[TY_KINDS][2];
static size_t small_start;	   /* offset of the first chunk */
static size_t chunk_bytes;
static size_t chunk_next;	   /* offset where the next chunk will be */
static bool chunk_any;		   /* there is one */
static enum ty_kind chunk_last;	   /* kind of the chunk below it */
static size_t chunk_fence;	   /* offset of a page to guard once it is enabled; 0: none */
static struct ty_grow map_low;	   /* the map's enabled prefix */
static size_t meta_total;	   /* bytes of the metadata reservation */
static char *meta_start;

static size_t step(size_t used, size_t min, size_t max)
{
	if (ty_os_tight()) /* every page enabled is present, or counts */
		return GUARD;
	size_t s = used / 4;
	return ty_round_up(s < min ? min : s > max ? max : s, GUARD);
}

/*
 * ty_os_enable for what has never been used; gone: nor is it reserved any more, and somebody else may lie there, whom it
 * must not touch (P1, P2).
 */
static bool enable(void *p, size_t len, enum ty_huge huge, bool gone)
{
	if (unlikely(gone) && !ty_os_reserve_at(p, len))
		return false;
	bool ok = ty_os_enable(p, len, huge);
	if (unlikely(gone) && !ok)
		ty_os_release(p, len);
	return ok;
}

bool ty_grow_to(struct ty_grow *g, size_t want)
{
	if (likely(want <= g->enabled))
		return true;
	if (want > g->max)
		return false;
	size_t more = ty_round_up(want - g->enabled, GUARD);
	size_t s = step(g->enabled, META_STEP_MIN, STEP_MAX);
	if (s < more)
		s = more;
	if (s > g->max - g->enabled)
		s = g->max - g->enabled;
	if (!enable(g->start + g->enabled, s, TY_HUGE_NEVER, g->gone)) {
		if (s == more || !enable(g->start + g->enabled, s = more, TY_HUGE_NEVER, g->gone))
			return false;
	}
	g->enabled += s;
	return true;
}

struct layout {
	size_t heap, map, slabs, meta, total;
};

static struct layout plan(size_t heap)
{
	struct layout l = {.heap = heap};
	l.map = ty_round_up((heap >> TY_PAGE_SHIFT) * sizeof(u32), GUARD);
	l.slabs = heap / SLAB_BYTES_PER_META;
	if (l.slabs > SLAB_META_MAX)
		l.slabs = SLAB_META_MAX;
	l.slabs = ty_round_up(l.slabs, GUARD);
	l.meta = heap / 64;
	size_t least = heap / 8 < META_MIN ? heap / 8 : META_MIN;
	l.meta = ty_round_up(l.meta < least ? least : l.meta > META_MAX ? META_MAX : l.meta, GUARD);
	l.total = l.map + l.slabs + l.meta + 6 * GUARD;
	return l;
}

/* The next part of the metadata, behind a guard that starts at m; its end. */
static char *part(struct ty_grow *g, char *m, size_t bytes)
{
	*g = (struct ty_grow){.start = m + GUARD, .max = bytes};
	return m + GUARD + bytes;
}

static bool try_layout(const struct layout *l)
{
	char *heap = ty_os_reserve(l->heap);
	if (!heap)
		return false;
	char *m = ty_os_reserve(l->total);
	if (!m) {
		ty_os_release(heap, l->heap);
		return false;
	}
	if (!ty_conf.core)
		ty_os_no_dump(m, l->total);
	ty_track_metadata(m, l->total);
	ty_conf.base = (uintptr_t)heap;
	ty_conf.size = l->heap;
	meta_start = m;
	meta_total = l->total;
	m = part(&ty_grow_slabs[TY_NEAR], m, l->slabs < SLAB_META_NEAR ? l->slabs : SLAB_META_NEAR);
	m = part(&ty_grow_meta[TY_NEAR], m, l->meta < META_NEAR ? l->meta : META_NEAR);
	m = part(&map_low, m, l->map);
	m = part(&ty_grow_slabs[TY_FAR], m, l->slabs - ty_grow_slabs[TY_NEAR].max);
	part(&ty_grow_meta[TY_FAR], m, l->meta - ty_grow_meta[TY_NEAR].max);
	ty_conf.slabs = ty_grow_slabs[TY_NEAR].start;
	ty_conf.meta = ty_grow_meta[TY_NEAR].start;
	ty_conf.map = (u32 *)(void *)map_low.start;
	return true;
}

/* Where a zone's part of the map ends. */
static size_t zone_map_top(const struct ty_zone *z)
{
	return ty_round_up((z->top >> TY_PAGE_SHIFT) * sizeof(u32), GUARD);
}

/* The first span lies at a random distance below the zone's end. */
static void zone_init(struct ty_zone *z, size_t top)
{
	size_t spread = ty_conf.roomy ? ZONE_SPREAD : 1, i = (size_t)(z - ty_frontier.zone);
	top -= GUARD + ty_round_down(ty_random_below((u32)(spread >> TY_PAGE_SHIFT) + 1) << TY_PAGE_SHIFT, GUARD);
	/* Huge spans are closed with the huge page that they end in (large.c): all of it is to be the zone's. */
	if (!ty_conf.roomy || i / TY_KINDS == TY_SORT_HUGE)
		top = ty_round_down(ty_conf.base + top, TY_HUGE_PAGE) - ty_conf.base;
	z->start = z->top = z->enabled = top;
	z->map_high = zone_map_top(z);
}

TY_START bool ty_region_init(void)
{
	size_t left = ty_os_space_left();
	struct layout l;

	if (left != SIZE_MAX) {
		/* A limit: stacks, libraries and the program's own mappings need the rest. */
		size_t spare = left / 8 > SPARE_MIN ? left / 8 : left / 4 < SPARE_MIN ? left / 4 : SPARE_MIN;
		size_t heap = left > spare ? ty_round_down(left - spare, GUARD) : 0;
		for (; heap >= RESERVE_MIN; heap = ty_round_down(heap / 64 * 63, GUARD)) {
			l = plan(heap);
			if (l.heap + l.total <= left - spare && try_layout(&l))
				break;
		}
		if (heap < RESERVE_MIN)
			return false;
	} else {
		size_t heap = RESERVE_MAX;
		for (; heap >= RESERVE_MIN; heap /= 2) {
			l = plan(heap);
			if (try_layout(&l))
				break;
		}
		if (heap < RESERVE_MIN)
			return false;
	}
	ty_conf.roomy = ty_conf.size >= ROOMY;
	chunk_bytes = ty_conf.size >= ((size_t)1 << 36) ? CHUNK_ROOMY : CHUNK_TIGHT;
	chunk_next = ty_conf.roomy ? (size_t)ty_random_below(SMALL_SPREAD >> 16) << 16 : 0;
	ty_frontier.small_end = small_start = chunk_next;
	ty_frontier.part_shift = ty_conf.roomy ? ty_log2(ty_conf.size / 16) : 63;
	for (size_t i = 0; ty_conf.roomy && i < TY_ZONES; i++)
		zone_init(&ty_frontier.zone[i], (TY_SLAB_PARTS + i + 1) << ty_frontier.part_shift);
	if (!ty_conf.roomy)
		zone_init(&ty_frontier.zone[0], ty_conf.size);
	return true;
}

/*
 * The map's prefix for [0, end) of the heap. It may meet the part of the zone above, which is enabled: sealed memory
 * cannot be enabled twice.
 */
static bool map_cover_low(size_t end)
{
	size_t want = (end >> TY_PAGE_SHIFT) * sizeof(u32);

	map_low.max = ty_frontier.zone[0].map_high;
	return ty_grow_to(&map_low, want < map_low.max ? want : map_low.max);
}

/* A zone's part of the map, for [start, top); the parts below it are enabled up to floor. */
static bool map_cover_zone(struct ty_zone *z, size_t start)
{
	size_t floor = z == ty_frontier.zone ? map_low.enabled : zone_map_top(z - 1);
	size_t need = ty_round_down((start >> TY_PAGE_SHIFT) * sizeof(u32), GUARD);
	if (need < floor)
		need = floor;
	if (need >= z->map_high)
		return true;
	size_t want = z->map_high - need;
	size_t s = step(zone_map_top(z) - z->map_high, META_STEP_MIN, STEP_MAX);
	if (s < want)
		s = want;
	if (s > z->map_high - floor)
		s = z->map_high - floor;
	if (!enable(map_low.start + z->map_high - s, s, TY_HUGE_NEVER, z->map_gone)) {
		if (s == want || !enable(map_low.start + z->map_high - want, s = want, TY_HUGE_NEVER, z->map_gone))
			return false;
	}
	z->map_high -= s;
	return true;
}

/* Raise the frontier of the slabs to at least `end`. */
static bool raise_small(size_t end)
{
	size_t have = ty_frontier.small_end;
	if (end <= have)
		return true;
	size_t want = ty_round_up(end - have, GUARD);
	size_t s = step(have - small_start, STEP_MIN, STEP_MAX);
	if (s < want)
		s = want;
	size_t room = ty_frontier.zone[0].enabled - have;
	if (s > room)
		s = room;
	if (s < end - have)
		return false;
	if (!map_cover_low(have + s))
		return false;
	bool gone = ty_frontier.zone[0].gone;
	if (!enable((char *)ty_conf.base + have, s, TY_HUGE_NEVER, gone)) {
		s = want;
		if (s > room || !enable((char *)ty_conf.base + have, s, TY_HUGE_NEVER, gone))
			return false;
	}
	TY_STORE_REL(&ty_frontier.small_end, have + s);
	return true;
}

static bool new_chunk(enum ty_kind kind, struct chunk *c)
{
	size_t at = chunk_next;

	/* An overflow must not run from one kind into another. */
	if (chunk_any && kind != chunk_last) {
		chunk_fence = at;
		at = ty_round_up(at + ty_os_page_size(), TY_PAGE);
	}
	if (chunk_bytes > ty_frontier.zone[0].start || at > ty_frontier.zone[0].start - chunk_bytes)
		return false;
	if (!raise_small(at + chunk_bytes))
		return false;
	if (chunk_fence) { /* enabled with what lies above it */
		ty_os_guard((char *)ty_conf.base + chunk_fence, ty_os_page_size());
		chunk_fence = 0;
	}
	chunk_next = at + chunk_bytes;
	chunk_any = true;
	chunk_last = kind;
	c->start = at;
	c->end = chunk_next;
	memset(c->taken, 0, sizeof c->taken);
	return true;
}

#define CHUNK_WORDS (CHUNK_GRANULES / 64)
_Static_assert(CHUNK_TIGHT >> TY_PAGE_SHIFT == 64, "a chunk's granules are whole words");

/* Of the granules in r those after which `by` more are in r too. */
static void keep_runs(u64 *r, size_t by)
{
	for (size_t i = 0; i < CHUNK_WORDS; i++) {
		size_t from = i + by / 64;
		u64 low = from < CHUNK_WORDS ? r[from] : 0, high = from + 1 < CHUNK_WORDS ? r[from + 1] : 0;
		r[i] &= by % 64 ? low >> (by % 64) | high << (64 - by % 64) : low;
	}
}

/*
 * n granules at a multiple of `step` (1, or a power of two up to 64) from the chunk's start, one of the places where
 * they are free, at random; its number, or -1.
 */
static int place_in(struct chunk *c, size_t n, size_t step)
{
	u64 r[CHUNK_WORDS], steps = ~0ull / ty_low_mask((unsigned)step);
	size_t words = (c->end - c->start) >> TY_PAGE_SHIFT >> 6;
	u32 count = 0;

	for (size_t i = 0; i < CHUNK_WORDS; i++)
		r[i] = i < words ? ~c->taken[i] : 0;
	for (size_t run = 1, more; run < n; run += more) {
		more = run < n - run ? run : n - run;
		keep_runs(r, more);
	}
	for (size_t i = 0; i < words; i++)
		count += ty_popcount(r[i] &= steps);
	if (!count)
		return -1;
	u32 k = ty_random_below(count);
	size_t i = 0;
	for (u32 here; k >= (here = ty_popcount(r[i])); i++)
		k -= here;
	while (k--)
		r[i] &= r[i] - 1;
	size_t found = i * 64 + ty_ctz(r[i]);
	for (size_t g = found; g < found + n; g++)
		c->taken[g / 64] |= 1ull << (g % 64);
	return (int)found;
}

uintptr_t ty_region_slab(enum ty_kind kind, size_t bytes)
{
	/* One granule before a slab is guarded if the slab is long and address space plentiful, or if so chosen. */
	bool guard = ((bytes > SMALL_SLAB && ty_conf.roomy && !ty_os_tight()) || ty_conf.guard_slabs) &&
		     ty_os_cheap_guards() && ty_os_page_size() == TY_PAGE && bytes + TY_PAGE <= chunk_bytes;
	size_t n = (bytes >> TY_PAGE_SHIFT) + guard;
	uintptr_t p = 0;

	ty_lock(&ty_region_lock);
	/* What is left of a chunk that has no place for this slab stays unused: address space only. */
	struct chunk *c = &chunk[kind][bytes > SMALL_SLAB];
	int at = place_in(c, n, guard ? 1 : n);
	if (at < 0 && new_chunk(kind, c))
		at = place_in(c, n, guard ? 1 : n);
	if (at >= 0) {
		p = ty_conf.base + c->start + ((size_t)at << TY_PAGE_SHIFT);
		if (guard) {
			ty_os_guard((char *)p, TY_PAGE);
			p += TY_PAGE;
		}
	}
	ty_unlock(&ty_region_lock);
	return p;
}

/* Make [at, top) of a zone usable, if nothing but the zone lies above floor. */
static bool lower(struct ty_zone *z, size_t at, size_t floor, enum ty_huge huge)
{
	if (!map_cover_zone(z, at))
		return false;
	if (at >= z->enabled)
		return true;
	size_t want = z->enabled - ty_round_down(at, GUARD);
	size_t s = step(z->top - z->enabled, STEP_MIN, STEP_MAX);
	if (s < want)
		s = want;
	if (s > z->enabled - floor)
		s = z->enabled - floor;
	if (s < z->enabled - at)
		return false;
	if (!enable((char *)ty_conf.base + z->enabled - s, s, huge, z->gone)) {
		s = want;
		if (s > z->enabled - floor || !enable((char *)ty_conf.base + z->enabled - s, s, huge, z->gone))
			return false;
	}
	z->enabled -= s;
	return true;
}

/* The same for spans that are opened one by one. */
static bool keep(struct ty_zone *z, size_t at)
{
	return map_cover_zone(z, at) && (!z->gone || ty_os_reserve_at((char *)ty_conf.base + at, z->start - at));
}

/* How the memory of a zone is enabled. */
static enum ty_huge huge_of(enum ty_sort sort)
{
	return sort == TY_SORT_HUGE ? TY_HUGE_WANTED : sort == TY_SORT_MIDDLE ? TY_HUGE_NEVER_UNSEALED : TY_HUGE_NEVER;
}

/* The lowest offset that a zone may come down to. */
static size_t floor_of(const struct ty_zone *z)
{
	size_t i = (size_t)(z - ty_frontier.zone);
	if (i) /* its part: what lies below is looked for in the zone below (ty_region_zone_of) */
		return (TY_SLAB_PARTS + i) << ty_frontier.part_shift;
	return ty_frontier.small_end > chunk_next ? ty_frontier.small_end : chunk_next;
}

uintptr_t ty_region_span(enum ty_kind kind, size_t bytes, size_t align)
{
	uintptr_t p = 0;
	size_t page = ty_os_page_size(), most = ty_os_tight() ? 1 : TY_GAP_MAX;
	size_t gap = ty_os_cheap_guards() ? (1 + ty_random_below((u32)most)) * page : 0;
	enum ty_sort sort = ty_region_sort(bytes);
	struct ty_zone *z = &ty_frontier.zone[ty_conf.roomy ? sort * TY_KINDS + kind : 0];

	if ((sort == TY_SORT_HUGE || sort == TY_SORT_GIANT) && align < TY_HUGE_PAGE)
		align = TY_HUGE_PAGE;
	ty_lock(&ty_region_lock);
	if (bytes < z->start && align <= z->start && gap <= z->start) {
		size_t at = ty_round_down(ty_conf.base + z->start - bytes, align) - ty_conf.base;
		/* Above start: the subtraction has wrapped. */
		size_t low = at - gap, floor = floor_of(z);
		if (at <= z->start && low <= at && low >= floor &&
		    (sort == TY_SORT_GIANT ? keep(z, low) : lower(z, low, floor, huge_of(sort)))) {
			p = ty_conf.base + at;
			if (gap && sort != TY_SORT_GIANT) {
				ty_os_guard((char *)ty_conf.base + low, gap);
				if (z->start - at > bytes)
					ty_os_guard((char *)p + bytes, page);
			}
			TY_STORE_REL(&z->start, low);
		}
	}
	ty_unlock(&ty_region_lock);
	return p;
}

void ty_map_set(uintptr_t p, size_t bytes, u32 id)
{
	u32 *e = ty_conf.map + ((p - ty_conf.base) >> TY_PAGE_SHIFT);
	for (size_t i = 0; i < bytes >> TY_PAGE_SHIFT; i++)
		TY_STORE_REL(&e[i], id);
}

size_t ty_region_enabled(void)
{
	size_t n = TY_LOAD(&ty_frontier.small_end) - small_start;

	for (u32 i = 0; i < TY_ZONES; i++) {
		const struct ty_zone *z = &ty_frontier.zone[i];
		n += z->top - (i / TY_KINDS == TY_SORT_GIANT ? TY_LOAD(&z->start) : TY_LOAD(&z->enabled));
	}
	return n;
}

void ty_grow_release(struct ty_grow *g)
{
	g->gone = g->enabled < g->max && ty_os_release(g->start + g->enabled, g->max - g->enabled);
}

/* What lies between two parts in use, the lower of which grows no more, but for a guard above that. */
static bool release(const char *from, const char *to)
{
	return from + GUARD < to && ty_os_release((void *)(uintptr_t)(from + GUARD), (size_t)(to - from) - GUARD);
}

bool ty_region_release(void)
{
	char *heap = (char *)ty_conf.base, *map = (char *)ty_conf.map;
	struct ty_zone *z = ty_frontier.zone;

	ty_lock(&ty_region_lock);
	bool first = ty_os_limit();
	if (first) {
		chunk_bytes = CHUNK_TIGHT; /* of those to come */
		if (small_start > GUARD)
			ty_os_release(heap, small_start - GUARD);
		/* The slabs and their map grow upward, what is above them downward. */
		if (ty_frontier.small_end < z->enabled)
			z->gone = ty_os_release(heap + ty_frontier.small_end, z->enabled - ty_frontier.small_end);
		map_low.max = z->map_high;
		ty_grow_release(&map_low);
		z->map_gone = map_low.gone;
		for (u32 i = 1; i < (ty_conf.roomy ? TY_ZONES : 1); i++, z++) {
			bool giant = i / TY_KINDS == TY_SORT_GIANT; /* each span is opened by itself */
			z[1].gone = release(heap + z->top, heap + ty_round_down(giant ? z[1].start : z[1].enabled, ty_os_page_size()));
			z[1].map_gone = release(map + zone_map_top(z), map + z[1].map_high);
		}
		release(heap + z->top, heap + ty_conf.size);
		release(map + zone_map_top(z), ty_grow_slabs[TY_FAR].start);
	}
	ty_unlock(&ty_region_lock);
	return first;
}

bool ty_region_owns(uintptr_t p)
{
	return p - ty_conf.base < ty_conf.size || p - (uintptr_t)meta_start < meta_total;
}
