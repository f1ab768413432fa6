/* stock.c: see stock.h. */
#include "stock.h"
#include "remote.h"

#define EMPTY_KEPT 1 /* empty slabs a stock keeps for itself */
#define LEAST 4	     /* entries to choose from; of long slots, half of what there is room for */
/* Slots to take at first, and to make present at least, so that there is a choice; of long ones fewer, as each is a page or so. */
#define AHEAD(size) ((size) <= TY_LONG_SLOT ? 4 : 2)
/*
 * What a stock goes round with is what it has taken out of slabs and not given up: with few entries there is a fill every few calls.
 * So a busy one looks at TRIES words of slots for as many as it wants, and keeps all freed ones until half of its room is taken.
 */
#define TRIES 4
#define GOLDEN 0x9e3779b97f4a7c15ull

/* Records are powers of two, of which an eighth or a quarter is no entries. */
static size_t record(u32 room) { return room > 30 ? 2048 : room > 14 ? 1024 : room > 6 ? 512 : 256; }

static struct ty_stock *new_stock(const struct ty_cache *c, u32 room)
{
	struct ty_stock *st = ty_meta_alloc(record(room));

	if (st) {
		st->size = (u16)c->size;
		st->cache = ty_meta_id(c);
		st->room = (u8)room;
		st->top = TY_STOCK_READY;
		st->freed = st->put = (u16)(TY_STOCK_READY + room * TY_ENTRY);
		st->end = (u16)(TY_STOCK_READY + 2 * room * TY_ENTRY);
		st->want = AHEAD(c->size);
	}
	return st;
}

struct ty_stock *ty_stock_new(const struct ty_tcache *tc, const struct ty_cache *c)
{
	u32 room = TY_STOCK_BYTES / c->size;
	struct ty_stock *st = new_stock(c, room >= TY_STOCK_FIRST ? TY_STOCK_FIRST : room >= 6 ? 6 : TY_STOCK_LEAST);

	if (st)
		st->since = tc->fills;
	return st;
}

static void stock_free(struct ty_stock *st) { ty_meta_free(st, record(st->room)); }

void ty_stock_show(struct ty_mag *m)
{
	size_t up = ty_class_source(m->cls) == TY_SOURCE_SITE ? ty_site_up(m->key) : 0;

	m->up = (u16)up;
	m->cls = (m->cls & ~TY_CLASS_HIDDEN) | (up ? TY_CLASS_HIDDEN : 0);
}

struct ty_mag *ty_mag_of(struct ty_tcache *tc, const struct ty_slab *s)
{
	const struct ty_cache *c = ty_cache_ptr(s->cache);
	return ty_mag_find(tc, c->key, c->cls);
}

void ty_stock_shelve(struct ty_stock *st, struct ty_slab *s)
{
	s->stock = ty_meta_id(st);
	if (s->used == s->nslots) {
		s->state = TY_SLAB_FULL;
		ty_list_push(&st->full, s);
	} else {
		s->state = TY_SLAB_PARTIAL;
		st->nempty += s->used == 0;
		ty_list_push(&st->partial, s);
	}
}

void ty_stock_relist(struct ty_slab *s)
{
	struct ty_stock *st = ty_stock_ptr(s->stock);

	if (s->state == TY_SLAB_FULL) {
		ty_list_remove(&st->full, s);
		s->state = TY_SLAB_PARTIAL;
		/* Last, so that it has gathered more free slots when its turn comes. */
		ty_list_push_back(&st->partial, s);
	}
	if (s->used)
		return;
	if (++st->nempty > EMPTY_KEPT) {
		st->nempty--;
		ty_list_remove(&st->partial, s);
		ty_cache_abandon(s);
		ty_cache_tick("free");
	}
}

/* Entries are aligned to 16. */
TY_INLINE void copy(struct ty_entry *to, const struct ty_entry *from) { *(ty_v2 *)(void *)to = *(const ty_v2 *)(const void *)from; }

/* All ready ones are in the stock, up to `top`... */
static void open_stock(const struct ty_mag *m, struct ty_stock *st)
{
	u32 n = ty_mag_ready(m);

	if (n)
		copy(&st->entry[n - 1], &m->next);
	st->top = (u16)(TY_STOCK_READY + n * TY_ENTRY);
}
/* ... and the last is the next again, for malloc. */
static void close_stock(struct ty_mag *m, struct ty_stock *st)
{
	u32 n = ty_stock_n(st);

	copy(&m->next, n ? &st->entry[n - 1] : &st->none);
	TY_STORE(&m->more, n ? &st->entry[n - 1] : st->entry);
}

/*
 * Among the n ready ones, at a random place: whatever the order of arrival, every order may come out (Fisher and
 * Yates). r: random, 6 bits of which are used up. (Of n places some are up to twice as likely as others, where n is large.)
 */
TY_INLINE void ready(struct ty_entry *all, u32 n, const struct ty_entry *e, u64 *r)
{
	struct ty_entry *to = &all[(*r & 63) * (n + 1) >> 6];

	*r >>= 6;
	copy(&all[n], to);
	copy(to, e);
}
#define READY_AT_ONCE 10 /* so many from one number */
_Static_assert(TY_STOCK_MOST <= 64 && READY_AT_ONCE * 6 <= 64, "6 bits choose a place, and one number has enough of them");

/* The first k of the freed ones, whose places in the stock stay as they are. */
static void ready_freed(struct ty_stock *st, u32 k, u64 *r)
{
	const struct ty_entry *e = ty_stock_at(st, st->freed);
	u32 n = ty_stock_n(st), i = 0;

	while (i < k) {
		u64 order = ty_mix(*r += GOLDEN);
		for (u32 end = i + READY_AT_ONCE < k ? i + READY_AT_ONCE : k; i < end; i++)
			ready(st->entry, n + i, &e[i], &order);
	}
	st->top = (u16)(st->top + k * TY_ENTRY);
}

/* What has been handed out since the ready ones last became more is counted. */
static void account(struct ty_stock *st) { TY_STORE(&st->served, st->served + st->filled - ty_stock_n(st)); }

/* So many were ready before they became more. */
static void filled(struct ty_tcache *tc, struct ty_stock *st, u32 before)
{
	u32 n = ty_stock_n(st);

	TY_STORE(&st->filled, n);
	/* When a sample is due, the next call takes the slow path, with nothing else changed. */
	tc->sample -= (int)((n - before) * st->size);
	if (unlikely(tc->sample <= 0))
		ty_self = TY_NO_TCACHE;
}

/* A slot of s that is LIVE or CACHED, in no entry, is FREE. Nothing comes after it, so that it needs no frame. */
TY_INLINE void set_free(struct ty_slab *s, u8 *state)
{
	u32 word = (u32)(state - ty_slot_states(s)) / 64;

	TY_STORE(state, TY_SLOT_FREE);
	if (s->first > word)
		s->first = (u8)word;
	if (unlikely(!--s->used) || unlikely(s->state == TY_SLAB_FULL))
		ty_stock_relist(s);
}

/* A slot that is CACHED, in no entry any more, is FREE. */
static void give_up(const struct ty_entry *e)
{
	struct ty_slab *s = ty_slab_ptr(ty_map_get((uintptr_t)e->p - ty_conf.base));

	set_free(s, e->state);
}

/* The k that were freed first of the freed ones are no more among them. */
static void drop_freed(struct ty_stock *st, u32 k)
{
	struct ty_entry *e = ty_stock_at(st, st->freed);
	u32 n = ty_stock_nfreed(st) - k;

	st->put = (u16)(st->put - k * TY_ENTRY);
	for (u32 i = 0; i < n; i++)
		copy(&e[i], &e[i + k]);
}

/*
 * Collect what others have freed. Before freed ones become ready, too: of those that another thread has freed at the
 * same moment the collection tells (slab.h), so that nobody gets them.
 */
TY_INLINE void look_at_remote(struct ty_tcache *tc)
{
	if (unlikely(TY_LOAD(&tc->pending)))
		ty_remote_drain(tc, 0);
}

/* Half of the freed ones become ready, or when it is time for others FREE; there is room then. */
static TY_NOINLINE void refresh(struct ty_tcache *tc, struct ty_stock *st, struct ty_slab *s, void *p, u8 *state)
{
	u32 half = st->room / 2u, before;
	const struct ty_entry *e = ty_stock_at(st, st->freed);

	struct ty_mag *m = &tc->table[st->place];

	look_at_remote(tc);
	open_stock(m, st);
	before = ty_stock_n(st);
	/* Only now may another thread's free of this very slot have been collected: then it is not ours to believe in. */
	if (unlikely(TY_LOAD(state) != TY_SLOT_LIVE))
		ty_die_not_live("free", s, (u32)(state - ty_slot_states(s)), p);
	account(st);
	tc->fills++;
	if (++st->turns % TY_STOCK_OTHER == 0) {
		for (u32 i = 0; i < half; i++)
			give_up(&e[i]);
	} else {
		u64 r = ty_random_next64(&tc->rng);
		ready_freed(st, half, &r);
	}
	drop_freed(st, half);
	filled(tc, st, before);
	close_stock(m, st);
	ty_stock_show(m);
	ty_stock_put(tc, s, p, state);
}

void ty_stock_full(struct ty_tcache *tc, struct ty_stock *st, struct ty_slab *s, void *p, u8 *state)
{
	if (ty_mag_ready(&tc->table[st->place]) <= st->room / 2u) {
		refresh(tc, st, s, p, state);
		return;
	}
	set_free(s, state);
}

void ty_stock_flush(struct ty_mag *m)
{
	struct ty_stock *st = ty_stock_ptr(m->own);

	open_stock(m, st);
	account(st);
	for (u32 i = 0, n = ty_stock_n(st); i < n; i++)
		give_up(&st->entry[i]);
	for (u32 i = 0, n = ty_stock_nfreed(st); i < n; i++)
		give_up(&ty_stock_at(st, st->freed)[i]);
	TY_STORE(&st->filled, 0);
	st->top = TY_STOCK_READY;
	st->put = st->freed;
	close_stock(m, st);
}

/*
 * Up to `most` FREE slots of an owned slab are ready, all of one word: where there is a choice, of each other one by
 * chance, from a place on that is by chance. False: it has none.
 */
static bool take_some(struct ty_stock *st, struct ty_slab *s, u32 most, u64 r)
{
	unsigned w, by = r & 63;
	u64 may, order = ty_mix(r);

	if (!ty_slab_take(s, AHEAD(s->size), &w, &may))
		return false;
	may = may >> by | may << (-by & 63);
	u64 half = may & ~order;
	if (ty_popcount(half) >= most)
		may = half;
	u8 *states = ty_slot_state(s, w * 64);
	char *start = (char *)s->start + (size_t)w * 64 * s->size;
	u32 n = ty_stock_n(st), end = n + most;
	size_t size = s->size;
	while (may && n < end) {
		order = ty_mix(order);
		for (u32 k = READY_AT_ONCE; may && n < end && k; may &= may - 1, n++, k--) {
			u32 i = (ty_ctz(may) + by) & 63;
			TY_STORE(&states[i], TY_SLOT_CACHED);
			ready(st->entry, n, &(struct ty_entry){start + i * size, &states[i]}, &order);
		}
	}
	s->used += n - ty_stock_n(st);
	st->top = (u16)(TY_STOCK_READY + n * TY_ENTRY);
	return true;
}

/*
 * At least one more slot of the stock's slabs is ready, at most `most`. *r: random, and another one each time. False:
 * out of memory.
 */
static bool take_more(struct ty_tcache *tc, struct ty_stock *st, u32 most, u64 *r, const char *fn)
{
	for (bool drained = false;;) {
		struct ty_slab *s = st->partial ? ty_slab_ptr(st->partial) : NULL;
		if (!s && !drained) {
			drained = true;
			look_at_remote(tc);
			ty_stock_sweep(tc, st);
			ty_cache_tick(fn);
			continue;
		}
		if (!s) {
			s = ty_cache_adopt(ty_cache_ptr(st->cache), tc->id);
			if (!s)
				return false;
			ty_stock_shelve(st, s);
			ty_cache_growth(fn);
		}
		bool empty = s->used == 0, some = s->state == TY_SLAB_PARTIAL && take_some(st, s, most, ty_mix(*r += GOLDEN));
		st->nempty -= empty && some;
		if (s->used == s->nslots && s->state == TY_SLAB_PARTIAL) {
			ty_list_remove(&st->partial, s);
			ty_stock_shelve(st, s);
		}
		if (some)
			return true;
	}
}

/* Nothing is ready, and the stock is filled often: how many entries there is to be room for. 0: it is not, or needs no more. */
static u32 deserves(struct ty_tcache *tc, struct ty_stock *st)
{
	u32 share = tc->fills - st->since, room = st->room * 2u + 2;

	if ((u8)(st->turns - st->looked) < TY_STOCK_BUSY)
		return 0;
	st->looked = st->turns;
	st->since = tc->fills;
	return share <= TY_STOCK_BUSY * TY_STOCK_SHARE && st->room >= TY_STOCK_FIRST && room <= TY_STOCK_MOST &&
		room * st->size <= TY_STOCK_BUSY_BYTES ? room : 0;
}

/* A stock with room for so many in the place of one that has nothing ready; or the same, out of memory. */
static TY_NOINLINE struct ty_stock *ripen(struct ty_mag *m, struct ty_stock *st, u32 room)
{
	struct ty_stock *to = new_stock(ty_cache_ptr(st->cache), room);

	if (!to)
		return st;
	u32 have = ty_stock_nfreed(st);
	memcpy(ty_stock_at(to, to->freed), ty_stock_at(st, st->freed), have * TY_ENTRY);
	to->put = (u16)(to->put + have * TY_ENTRY);
	to->looked = to->turns = st->turns;
	to->since = st->since;
	to->partial = st->partial;
	to->full = st->full;
	to->nempty = st->nempty;
	to->want = st->want;
	to->served = st->served + st->filled;
	to->place = st->place;
	for (int k = 0; k < 2; k++)
		for (u32 s = k ? to->full : to->partial; s; s = ty_slab_ptr(s)->next)
			ty_slab_ptr(s)->stock = ty_meta_id(to);
	TY_STORE(&m->own, ty_meta_id(to));
	TY_STORE(&m->more, to->entry);
	stock_free(st);
	return to;
}

bool ty_stock_fill(struct ty_tcache *tc, struct ty_mag *m, const char *fn)
{
	struct ty_stock *st = ty_stock_ptr(m->own);
	u32 room = deserves(tc, st);

	if (unlikely(room))
		st = ripen(m, st, room);
	tc->fills++;
	u32 have = ty_stock_nfreed(st), least = st->room >= 2 * LEAST ? LEAST : st->room / 2u;
	const struct ty_entry *e = ty_stock_at(st, st->freed);
	bool other = ++st->turns % TY_STOCK_OTHER == 0;

	if (have)
		look_at_remote(tc);
	open_stock(m, st);
	account(st);
	if (other)
		ty_look_at_watched(tc, fn);
	u32 want = st->want;
	bool busy = st->room > TY_STOCK_FIRST;
	if (other && have > (busy ? st->room / 2u : least)) {
		/* What comes instead is of another slab, if there is one. */
		u32 k = have / 2;
		for (u32 i = 0; i < k; i++)
			give_up(&e[i]);
		drop_freed(st, k);
		have -= k;
		want = want > k ? want : k;
		if (st->partial && ty_slab_ptr(st->partial)->next) {
			struct ty_slab *s = ty_slab_ptr(st->partial);
			ty_list_remove(&st->partial, s);
			ty_list_push_back(&st->partial, s);
		}
	}
	u64 r = ty_random_next64(&tc->rng);
	bool few = have < least && !other; /* no choice: they wait for others, if there is something else, but not for ever */
	if (!few)
		ready_freed(st, have, &r);
	if (few || other) {
		/* One place stays: who frees as much as he allocates shall come here, not to ty_stock_full. */
		u32 space = st->room - have - (have < st->room), enough = ty_stock_n(st) + (want < space ? want : space);
		for (u32 n, tries = 0; (n = ty_stock_n(st)) < enough && (!tries || (busy && tries < TRIES && st->partial)); tries++)
			if (!take_more(tc, st, enough - n, &r, fn))
				break;
		for (u32 n; (n = ty_stock_n(st)) < least && take_more(tc, st, least - n, &r, fn);)
			;
		/* More than the first stock's room would leave the next fill no choice. */
		u32 most = st->room < TY_STOCK_FIRST ? st->room : TY_STOCK_FIRST;
		st->want = st->want * 2u < most ? (u8)(st->want * 2) : (u8)most;
	}
	if (few && !ty_stock_n(st))
		ready_freed(st, have, &r);
	else if (few)
		have = 0;
	drop_freed(st, have);
	filled(tc, st, 0);
	close_stock(m, st);
	return ty_stock_n(st) != 0;
}

/* Give everything a magazine has to its cache; it is cold then. */
void ty_stock_cool(struct ty_tcache *tc, struct ty_mag *m)
{
	struct ty_stock *st = ty_stock_ptr(m->own);
	struct ty_cache *c = ty_cache_ptr(st->cache);

	__atomic_add_fetch(&c->allocations, ty_stock_served(m), __ATOMIC_RELAXED);
	ty_stock_flush(m);
	u32 *lists[] = {&st->partial, &st->full};
	for (int k = 0; k < 2; k++) {
		while (*lists[k]) {
			struct ty_slab *s = ty_slab_ptr(*lists[k]);
			ty_list_remove(lists[k], s);
			ty_cache_abandon(s);
		}
	}
	m->hot = 0;
	m->uses = 0;
	m->own = 0;
	m->seen = 0;
	m->cls &= ~TY_CLASS_HIDDEN;
	stock_free(st);
	tc->nhot--;
}

void ty_stock_sweep(struct ty_tcache *tc, const struct ty_stock *keep)
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
		if (!m->hot || ty_stock_ptr(m->own) == keep)
			continue;
		u32 served = (u32)ty_stock_served(m);
		if (m->seen == served)
			ty_stock_cool(tc, m);
		else
			m->seen = served;
	}
}
