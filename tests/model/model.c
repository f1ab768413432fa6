/*
 * The lock-free parts under all interleavings of two or three threads (explore.h): frees by other threads against the owner's frees,
 * its collecting, its end, and against who claims, adopts or collects a slab that nobody owns. What must be true at each end, by the
 * headers slab.h, remote.h, tcache.h:
 *
 *   - no slot is handed out while somebody holds it, and what is handed out is zero (checked on the way)
 *   - no slot is lost: once each thread has collected, every slot that nobody holds is free, of a slab that can be found again
 *   - `used`, the lists and the stocks agree with the states; nobody who has ended owns a slab
 *   - a double free ends the process, at the latest when the slot would be handed out again
 *
 * usage: model [SCENARIO]
 */
#define _GNU_SOURCE
#include "explore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TYPED_MALLOC_NO_MACROS
#include "typed_malloc.h"

enum { TOKEN = 0x123456789 };
static const uintptr_t site = 0x1000;

static void *alloc(void) { return ty_alloc_fixed(&site, TOKEN, now->size, "malloc"); }
static void give(void *p) { ty_free(p, "free"); }

static void hold(void *p, int t)
{
	for (int i = 0; i < OBJECTS; i++)
		if (world->object[i] == p) {
			if (world->holder[i])
				snprintf(world->crime, sizeof world->crime, "TWICE");
			world->holder[i] = t;
			return;
		}
	for (int i = 0; i < OBJECTS; i++)
		if (!world->object[i]) {
			world->object[i] = p;
			world->holder[i] = t;
			return;
		}
	abort();
}
static void drop(void *p)
{
	for (int i = 0; i < OBJECTS; i++)
		if (world->object[i] == p)
			world->holder[i] = 0;
}
/* Thread t allocates: what it gets is nobody's, and zero. */
static void *take(int t)
{
	char *p = alloc();
	if (!p)
		return NULL;
	for (size_t i = 0; i < now->size; i++)
		if (p[i] && !*world->crime)
			snprintf(world->crime, sizeof world->crime, "NOT ZERO");
	memset(p, 0x50 + t, now->size);
	hold(p, t);
	return p;
}
static void release(void *p)
{
	drop(p);
	give(p);
}

/* ---- setting up: thread 1 owns a slab that it has objects of ---- */

static void warm(void)
{
	for (size_t i = 0; i < 20 + now->size / 32; i++)
		give(alloc());
}
static void owner_start(void)
{
	warm();
	for (int i = 0; i < 3; i++)
		world->got[i] = take(1);
}
static void other_start(void)
{
	/* A hot magazine, with a slab of its own, and nothing alive. */
	warm();
}
static void with_owner(void)
{
	alone_as(1, owner_start);
}
static void with_hot_others(void)
{
	alone_as(1, owner_start);
	for (int t = 2; t <= now->threads; t++)
		alone_as(t, other_start);
}
/* The owner has ended: its slab is nobody's. */
static void without_owner(void)
{
	with_hot_others();
	alone_as(1, end_thread);
}

/* The magazine of a stock of this thread cache. */
static const struct ty_mag *mag_of(const struct ty_tcache *tc, const struct ty_stock *st) { return &tc->table[st->place]; }

/* The owner takes one more, the first for got[0]; its stock. */
static const struct ty_stock *one_more(void **all, int *n)
{
	all[(*n)++] = take(1);
	world->got[0] = all[0];
	return ty_stock_ptr(ty_slab_ptr(ty_map_get((uintptr_t)all[0] - ty_conf.base))->stock);
}
/* The owner's stock has no room for what it frees next, and few slots are ready. */
static void owner_full(void)
{
	void *all[OBJECTS / 2];
	const struct ty_stock *st;
	int n = 0;
	warm();
	do
		st = one_more(all, &n);
	while (n <= st->room + 1 || ty_mag_ready(mag_of(ty_mine, st)) > st->room / 2u);
	while (ty_stock_nfreed(st) < st->room)
		release(all[--n]);
}
/* The same, but enough are ready: what it frees is FREE at once. */
static void owner_brimful(void)
{
	void *all[OBJECTS / 2];
	const struct ty_stock *st;
	int n = 0;
	warm();
	do
		st = one_more(all, &n);
	while (n <= 2 * st->room + 2);
	while (ty_mag_ready(mag_of(ty_mine, st)) <= st->room / 2u || ty_stock_nfreed(st) < st->room)
		release(all[--n]);
}
static void with_full_owner(void)
{
	alone_as(1, owner_full);
}
/* got[0] is not the only one in its slab, so that the slab stays when it is freed. */
static void owner_mates(void)
{
	void *all[OBJECTS / 2];
	warm();
	for (int n = 0; n < OBJECTS / 2; n++) {
		all[n] = take(1);
		for (int k = 0; k < n; k++)
			if (ty_map_get((uintptr_t)all[k] - ty_conf.base) == ty_map_get((uintptr_t)all[n] - ty_conf.base)) {
				world->got[0] = all[n];
				return;
			}
	}
	abort();
}
static void with_mates(void)
{
	alone_as(1, owner_mates);
}
static void with_brimful_owner(void)
{
	alone_as(1, owner_brimful);
}

/* ---- what threads do ---- */

static void end_now(void) { end_thread(); }
static void take_one(void) { take(1); }
static void take_two(void) { take(1), take(1); }
static void free_own_take(void) { release(world->got[2]), take(1); }
static void free_0(void) { release(world->got[0]); }
static void free_1(void) { release(world->got[1]); }
static void free_0_flush(void) { release(world->got[0]), ty_tcache_flush(); }
static void free_0_take(void) { release(world->got[0]), take(2); }
static void free_1_take(void) { release(world->got[1]), take(3); }
static void free_both(void) { release(world->got[0]), release(world->got[1]); }
static void take_as_3(void) { take(3); }
static void flush_own(void) { ty_tcache_flush(); }

/* ---- the judge ---- */

static void collect_own(void)
{
	if (ty_mine)
		ty_remote_drain(ty_mine, 0);
}

static bool held(const void *p)
{
	for (int i = 0; i < OBJECTS; i++)
		if (world->object[i] == p)
			return world->holder[i] != 0;
	return false;
}

static bool listed(u32 head, u32 id)
{
	for (int n = 0; head && n < 100; head = ty_slab_ptr(head)->next, n++)
		if (head == id)
			return true;
	return false;
}

/* Entries of the owner's stock that name the slot. */
static int entries(const struct ty_slab *s, const char *p)
{
	const struct ty_stock *st = ty_stock_ptr(s->stock);
	const struct ty_mag *m = mag_of(ty_tcache_ptr(s->owner), st);
	int n = 0;

	for (u32 i = 0; i < ty_mag_ready(m); i++)
		n += ty_mag_entry(m, i)->p == p;
	for (u32 i = 0; i < ty_stock_nfreed(st); i++)
		n += ty_stock_at(st, st->freed)[i].p == p;
	return n;
}

static bool good_slab(struct ty_slab *s)
{
	const struct ty_cache *c = ty_cache_ptr(s->cache);
	unsigned nfree = 0;
	for (u32 i = 0; i < s->nslots; i++) {
		char *p = (char *)s->start + (size_t)i * s->size;
		u8 state = *ty_slot_state(s, i);
		if (*ty_slab_remote(s, i / 64) >> (i % 64) & 1 || state == TY_SLOT_REMOTE)
			return wrong("a slot that another thread has freed is lost");
		if ((state != TY_SLOT_LIVE) == held(p))
			return wrong(held(p) ? "a slot that is held is free" : "a slot that nobody holds is not free");
		if (s->owner ? entries(s, p) != (state == TY_SLOT_CACHED) : state == TY_SLOT_CACHED)
			return wrong("a slot is in the stock and does not say so, or says so and is not");
		nfree += state == TY_SLOT_FREE;
	}
	if (s->used != s->nslots - nfree)
		return wrong("used is not what the states say");
	u32 id = ty_slab_id(s);
	int lists = listed(c->partial, id) + listed(c->empty, id) + listed(c->purged, id);
	if (s->owner && !ty_tcache_ptr(s->owner)->in_use)
		return wrong("a thread that has ended owns a slab");
	if (s->owner) {
		const struct ty_stock *st = ty_stock_ptr(s->stock);
		if (listed(st->partial, id) != (nfree != 0) || listed(st->full, id) != (nfree == 0))
			return wrong("a slab is on the wrong list of its owner");
	}
	if (lists != (!s->owner && s->state != TY_SLAB_SHARED_FULL))
		return wrong("a slab is on the wrong number of lists");
	if (!s->owner && (s->state == TY_SLAB_SHARED_FULL) != (nfree == 0))
		return wrong("a slab with free slots cannot be found again");
	if (s->pending)
		return wrong("a slab is said to be on a stack after all have collected");
	return true;
}

static bool good(void)
{
	if (*world->crime)
		return wrong("the process has ended, or worse, without a crime");
	for (int round = 0; round < 2; round++)
		for (int t = 1; t <= now->threads; t++)
			if (!alone_as(t, collect_own))
				return wrong("a crime is found where there is none");
	for (u32 id = TY_META_SLAB_FIRST; id < ty_meta_slab_end(); id = ty_meta_slab_after(id)) {
		struct ty_slab *s = ty_slab_ptr(id);
		if (s->start && s->nslots && s->size == now->size && !good_slab(s))
			return false;
	}
	return true;
}

static bool is_double_free(void) { return !strcmp(world->crime, "double free of"); }
static void take_many(void)
{
	for (int i = 0; i < 9 && !*world->crime; i++)
		take(1);
}
static bool double_free_found(void)
{
	if (*world->crime)
		return is_double_free() || wrong("another crime is found, or a slot is handed out twice");
	for (int t = 1; t <= now->threads; t++)
		if (!alone_as(t, collect_own))
			return is_double_free() || wrong("another crime is found");
	for (int t = 1; t <= now->threads; t++)
		if (!alone_as(t, take_many))
			return is_double_free() || wrong("a slot is handed out twice");
	return wrong("a double free is not found");
}

/* Of an owner's slot: what he hands out next is not it, though nobody has collected yet. */
static void take_until_it(void)
{
	for (int i = 0; i < OBJECTS - 4 && !*world->crime && !held(world->got[0]); i++)
		take(1);
}
static bool double_own_found(void)
{
	if (!*world->crime && alone_as(1, take_until_it) && held(world->got[0]))
		return wrong("a slot that two threads have freed is handed out");
	return double_free_found();
}

/* ---- a slab that is being made, and a thread that asks what is there ---- */

/* So many objects more, the last of them the first one of a new slab; and where that slab's other slot will be. */
static struct {
	int takes;
	char *other;
} ahead;
static void make_new_slab(void)
{
	for (int i = 0; i < ahead.takes; i++)
		take(1);
}
static void look_ahead(void)
{
	u32 end = ty_meta_slab_end(), id = 0;
	for (char *p; id < end; ahead.takes++) {
		p = take(1);
		id = ty_map_get((uintptr_t)p - ty_conf.base);
		ahead.other = p == (char *)ty_slab_ptr(id)->start ? p + now->size : p - now->size;
	}
}
static void before_new_slab(void)
{
	int fd[2];
	alone_as(1, warm);
	if (pipe(fd))
		abort();
	if (!_Fork()) { /* what is by chance is the same in the child; handlers of fork would draw anew */
		alone_as(1, look_ahead);
		_exit(write(fd[1], &ahead, sizeof ahead) != sizeof ahead);
	}
	if (read(fd[0], &ahead, sizeof ahead) != sizeof ahead)
		abort();
	wait(NULL);
}
static void query(void)
{
	struct typed_type t;
	world->seen = typed_malloc_type_of(ahead.other, &t) == 0;
}
static bool query_right(void)
{
	if (*world->crime)
		return wrong("the process has ended without a crime");
	if (!ty_map_get((uintptr_t)ahead.other - ty_conf.base))
		return wrong("the new slab lies elsewhere");
	return !world->seen || wrong("an object is seen where nobody has had one");
}

/* ---- a large object, freed by two threads ---- */

static void one_large(void) { world->got[0] = alloc(); }
static void with_large(void) { alone_as(1, one_large); }
static void free_large(void) { give(world->got[0]); }
static bool double_large_found(void) { return is_double_free() || wrong("a double free is not found"); }

#define TWO(f, g) {f, g, NULL}
#define THREE(f, g, h) {f, g, h}
static const struct scenario scenarios[] = {
	{"free_and_take", 2, true, false, 2048, with_owner, TWO(take_two, free_0), good},
	{"free_and_free", 2, true, false, 2048, with_owner, TWO(free_own_take, free_both), good},
	{"two_free", 3, false, false, 2048, with_owner, THREE(take_one, free_0, free_1), good},
	{"two_free_one_word", 3, false, false, 64, with_owner, THREE(flush_own, free_0, free_1), good},
	{"free_and_end", 2, true, false, 64, with_owner, TWO(end_now, free_both), good},
	{"free_and_end_long", 2, true, false, 2048, with_owner, TWO(end_now, free_both), good},
	{"two_free_and_end", 3, false, false, 64, with_owner, THREE(end_now, free_0, free_1), good},
	{"end_and_claim", 3, false, false, 64, with_hot_others, THREE(end_now, free_0_take, free_1), good},
	{"nobodys", 3, false, false, 64, without_owner, THREE(NULL, free_0_take, free_1_take), good},
	{"nobodys_long", 3, false, false, 2048, without_owner, THREE(NULL, free_0_take, free_1_take), good},
	{"adopted", 3, false, false, 2048, without_owner, THREE(NULL, free_0, take_as_3), good},
	{"double_own", 2, true, false, 64, with_owner, TWO(free_0, free_0), double_own_found},
	{"double_own_long", 2, true, false, 2048, with_owner, TWO(free_0, free_0), double_own_found},
	{"double_full", 2, true, false, 2048, with_full_owner, TWO(free_0, free_0), double_own_found},
	{"double_brimful", 2, true, false, 2048, with_brimful_owner, TWO(free_0, free_0), double_own_found},
	{"double_flush", 2, true, false, 512, with_mates, TWO(free_0_flush, free_0), double_own_found},
	{"double_two", 3, false, false, 64, with_owner, THREE(flush_own, free_0, free_0), double_free_found},
	{"double_end", 3, false, false, 64, with_owner, THREE(end_now, free_0, free_0), double_free_found},
	{"double_nobodys", 3, false, false, 64, without_owner, THREE(NULL, free_0, free_0), double_free_found},
	{"double_large", 2, false, true, 20000, with_large, TWO(free_large, free_large), double_large_found},
	{"new_slab", 2, false, true, 2048, before_new_slab, TWO(make_new_slab, query), query_right},
};

static void idle(void) {}

int main(int argc, char **argv)
{
	unsigned long states, ends;
	if (argc != 2 || !strcmp(argv[1], "--list")) {
		for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
			puts(scenarios[i].name);
		return argc == 2 ? 0 : 2;
	}
	for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
		if (strcmp(scenarios[i].name, argv[1]))
			continue;
		struct scenario s = scenarios[i];
		for (int t = 0; t < s.threads; t++)
			s.run[t] = s.run[t] ? s.run[t] : idle;
		bool ok = explore(&s, &states, &ends);
		printf("%-20s %8lu states %6lu ends %s\n", s.name, states, ends, ok ? "" : "WRONG");
		return !ok;
	}
	fprintf(stderr, "model: no scenario %s\n", argv[1]);
	return 2;
}
