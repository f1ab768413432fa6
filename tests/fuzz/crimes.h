/* The attacker's moves, continued: bad frees, wrong arguments, bad handles, and what only an option finds. */
#ifndef FUZZ_CRIMES_H
#define FUZZ_CRIMES_H

#include "moves.h"

/* ---- bad frees ---- */

static void move_double_free(struct actor *a)
{
	struct object o = dead(a, ANY);
	meanwhile(a, &o);
	struct typed_type t;
	TRUE(typed_malloc_type_of(o.p, &t) == -1 && typed_malloc_room(o.p) == 0 && !typed_malloc_token_at(o.p),
	     "%p, freed, has a type", (void *)o.p);
	if (one_in(a, 8)) {
		crime_of(a, o.p, ONE(USED));
		hide_size(malloc_usable_size(o.p));
	} else {
		crime_of(a, o.p, ONE(DOUBLE));
		if (one_in(a, 6))
			hide(realloc(o.p, o.n + below(a, 100) + 1));
		else
			free_anyhow(a, &o, o.p);
	}
	missed("%p of %zu bytes freed twice", (void *)o.p, o.n);
}

struct race {
	struct call call[4];
	pthread_barrier_t start;
};
struct racer {
	struct race *race;
	int i;
};
static void *racer(void *arg)
{
	struct racer *r = arg;
	struct call *c = &r->race->call[r->i];
	pthread_barrier_wait(&r->race->start);
	if (c->how == FREES)
		hide(realloc(c->p, c->o.n + 40));
	else
		free_as(&c->o, c->p, c->how, c->a);
	return NULL;
}

/* Frees at the same time: one may win; nobody may get the memory twice. */
static void move_race(struct actor *a)
{
	struct object *o = victim(a, ANY), was = *o;
	static struct race race;
	struct racer racers[4];
	pthread_t t[4];
	int n = 2 + (int)below(a, 3);
	bury_object(a, o);
	o->p = NULL;
	crime_of(a, was.p, ONE(DOUBLE) | ONE(OVERFLOWS) | ONE(CONTAINED));
	pthread_barrier_init(&race.start, NULL, (unsigned)n);
	for (int i = 0; i < n; i++) {
		race.call[i] = (struct call){was, a, was.p, below(a, 4) ? 15 : (unsigned)below(a, FREES - 1)};
		/*
		 * realloc, after which a size may be wrong. In place it writes a canary: if the object is freed between its look at the slot
		 * and that, then into a free slot.
		 */
		if (one_in(a, 8) && was.n) {
			race.call[i].how = FREES;
			a->verdict->allow |= ONE(SIZE) | ONE(WRITTEN);
		}
		if (race.call[i].how == 13)
			race.call[i].how = 0; /* it checks its result */
		racers[i] = (struct racer){&race, i};
	}
	for (int i = 1; i < n; i++)
		MUST(!pthread_create(&t[i], NULL, racer, &racers[i]));
	racer(&racers[0]);
	for (int i = 1; i < n; i++)
		pthread_join(t[i], NULL);
	aftermath_of(a, &was);
	contained();
}

static void move_interior(struct actor *a)
{
	struct object *o = victim(a, ANY);
	size_t n = o->usable < 16 ? 16 : o->usable;
	static const size_t often[] = {1, 8, 16, 32, 64, 4096};
	size_t d = one_in(a, 2) ? often[below(a, 6)] : one_in(a, 3) ? round_to(below(a, n), 16) : 1 + below(a, n - 1);
	if (!d || d >= n)
		no_crime();
	crime_of(a, o->p + d, ONE(INTERIOR));
	struct object as = *o;
	as.n = n - d;
	if (one_in(a, 3)) {
		if (one_in(a, 2))
			hide_size(malloc_usable_size(o->p + d));
		else
			hide(realloc(o->p + d, 1 + below(a, 3000)));
	} else {
		free_anyhow(a, &as, o->p + d);
	}
	missed("interior %zu of %p of %zu bytes freed", d, (void *)o->p, o->n);
}

static char in_bss[256];
static void move_foreign(struct actor *a)
{
	char on_stack[256];
	uint64_t r = draw(a);
	char *where[] = {on_stack + r % 200, in_bss + r % 200, (char *)(uintptr_t)move_foreign, (char *)(uintptr_t)printf,
			 map_memory(65536), (char *)(uintptr_t)(1 + r % 65536), (char *)(uintptr_t)r,
			 (char *)(uintptr_t)(r | (uint64_t)1 << 63), (char *)(uintptr_t)environ, (char *)a->verdict,
			 (char *)(uintptr_t)live_map, (char *)hide(a)};
	char *p = where[below(a, sizeof where / sizeof *where)];
	if (one_in(a, 3))
		p = (char *)((uintptr_t)p & ~(uintptr_t)15);
	struct typed_type t;
	if (!p || !typed_malloc_type_of(p, &t))
		no_crime();
	bool ours = typed_malloc_room(p) != SIZE_MAX;
	crime_of(a, p, ours ? ONE(FOREIGN) | ONE(UNALLOCATED) | ONE(DOUBLE) | ONE(INTERIOR) : ONE(FOREIGN));
	struct object o = {.p = p, .n = 16, .usable = 16};
	free_anyhow(a, &o, p);
	missed("foreign %p freed", (void *)p);
}

/* In the thread that frees: the making of a thread allocates, and that may be the very place. */
static void *free_if_none(void *call)
{
	struct call *c = call;
	struct typed_type t;
	if (!typed_malloc_type_of(c->p, &t))
		no_crime();
	return call_in_thread(c);
}

/* Anywhere in any mapping: metadata, guards, gaps, other libraries; and all over the heap. */
static void move_wild(struct actor *a)
{
	static char text[1 << 17];
	uintptr_t p = 0;
	crime_of(a, NULL, 0);
	if (one_in(a, 2)) {
		int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
		size_t n = 0;
		for (ssize_t got; (got = read(fd, text + n, sizeof text - 1 - n)) > 0;)
			n += (size_t)got;
		close(fd);
		text[n] = 0;
		unsigned lines = 0;
		for (size_t i = 0; i < n; i++)
			lines += text[i] == '\n';
		char *line = text;
		for (size_t skip = below(a, lines ? lines : 1); skip; skip--)
			line = strchr(line, '\n') + 1;
		uintptr_t from = strtoul(line, &line, 16), to = strtoul(line + 1, NULL, 16);
		p = from + draw(a) % (to - from);
		if (one_in(a, 2))
			p = from + draw(a) % (to - from < 65536 ? to - from : 65536);
	} else {
		struct object *o = victim(a, ANY);
		uintptr_t far = (uintptr_t)random_size(&a->rng, 44);
		p = one_in(a, 2) ? (uintptr_t)o->p + far : (uintptr_t)o->p - far;
	}
	p &= one_in(a, 3) ? ~(uintptr_t)0 : one_in(a, 2) ? ~(uintptr_t)15 : ~(uintptr_t)4095;
	/* A slot that a thread, which is not in this child, was just being given has no canary yet. */
	a->verdict->allow = ONE(OVERFLOWS);
	a->verdict->named = p;
	struct typed_type t;
	if (!p || !typed_malloc_type_of((void *)p, &t))
		no_crime();
	crime_of(a, (void *)p, ONE(FOREIGN) | ONE(UNALLOCATED) | ONE(DOUBLE) | ONE(INTERIOR) | ONE(USED));
	struct call c = {{.p = (char *)p, .n = 16, .usable = 16}, a, (char *)p, (unsigned)below(a, FREES)};
	if (one_in(a, 6))
		hide_size(malloc_usable_size((void *)p));
	else if (one_in(a, 4))
		run_thread(free_if_none, &c);
	else
		free_if_none(&c);
	missed("wild 0x%lx freed", (unsigned long)p);
}

static void move_wrong_size(struct actor *a)
{
	struct object *o = victim(a, ANY);
	size_t n = one_in(a, 3) ? some_size(a) : one_in(a, 10) ? (size_t)draw(a) : o->usable + below(a, 65) - 32;
	if (o->fixed && o->usable ? round_to(n, 16) == o->usable : n == o->usable)
		no_crime();
	if (o->fixed && o->usable && n <= FIXED_MAX && o->align > 16 && round_to(n, o->align) == o->usable)
		no_crime();
	crime_of(a, o->p, ONE(SIZE) | (by_form ? ONE(NOT_MALLOC) : 0));
	switch (below(a, 5)) {
	case 0: lib_free_sized(o->p, n); break;
	case 1: typed_free_sized(o->p, n); break;
	case 2: lib_free_aligned_sized(o->p, 8, n); break;
	case 3: _ZdlPvm(o->p, n); break;
	default: _ZdaPvm(o->p, n);
	}
	missed("%p of %zu bytes freed as %zu", (void *)o->p, o->n, n);
}

static void move_wrong_alignment(struct actor *a)
{
	struct object *o = victim(a, ANY);
	size_t align = one_in(a, 3) ? 3 + below(a, 100) : (size_t)32 << below(a, 20);
	if (!(align & (align - 1)) && !((uintptr_t)o->p & (align - 1)))
		no_crime();
	crime_of(a, o->p, ONE(ALIGNMENT) | (by_form ? ONE(NOT_MALLOC) : 0));
	switch (below(a, 3)) {
	case 0: lib_free_aligned_sized(o->p, align, o->usable); break;
	case 1: _ZdlPvSt11align_val_t(o->p, align); break;
	default: _ZdaPvmSt11align_val_t(o->p, o->usable, align);
	}
	missed("%p freed as aligned to %zu", (void *)o->p, align);
}

static void move_wrong_cache(struct actor *a)
{
	struct object *o = victim(a, ANY);
	size_t t = below(a, CACHES);
	if (o->usable && o->key == KEY_CACHE + t)
		no_crime();
	crime_of(a, o->p, ONE(OTHER_CACHE));
	typed_cache_free(cache[t], o->p);
	missed("%p freed to cache %zu", (void *)o->p, t);
}

static void move_wrong_type(struct actor *a)
{
	struct object *o = victim(a, SMALL | LARGE);
	size_t t = below(a, TOKENS);
	if (!is_token(o->key) || o->key == KEY_TOKEN + t)
		no_crime();
	crime_of(a, o->p, ONE(OTHER_TYPE));
	typed_malloc_assert_token(o->p, token[t]);
	missed("%p taken for type %zu", (void *)o->p, t);
}

static void move_bad_handle(struct actor *a)
{
	struct object *o = victim(a, ANY);
	char *h = one_in(a, 3)	 ? (char *)buckets[0]
		  : one_in(a, 3) ? o->p
		  : one_in(a, 2) ? (char *)cache[1] + 1 + below(a, 100000)
				 : (char *)(uintptr_t)draw(a);
	bool ended = one_in(a, 3) && typed_cache_destroy(a->mine) == 0;
	if (ended)
		h = (char *)a->mine;
	for (int i = 0; i < CACHES; i++)
		if (h == (char *)cache[i])
			no_crime();
	for (unsigned i = 0; i < MAX_THREADS; i++)
		if (actors[i] && h == (char *)actors[i]->mine && !(ended && actors[i] == a))
			no_crime();
	crime_of(a, h, ONE(NO_CACHE));
	if (one_in(a, 2))
		hide(typed_cache_alloc((typed_cache_t *)(void *)h));
	else
		typed_cache_free((typed_cache_t *)(void *)h, o->p);
	missed("%p taken for a cache", (void *)h);
}

/* Slabs without a live slot, of a cache that nobody else uses, are written to, before their pages go back as a rule: malloc_trim must say so. With
 * option sweep it looks at slabs with live slots too. */
static void move_write_before_trim(struct actor *a)
{
	enum { MANY = 700 };
	static char *p[MANY];
	size_t size = 16 * (1 + below(a, one_in(a, 2) ? 8 : 100)), n = 80 + below(a, MANY - 80), kept = 0;
	typed_cache_t *c = typed_cache_create("fuzz-trim", size, 0, 0);
	if (holding && !sweeping)
		no_crime();
	for (size_t i = 0; i < n; i++) {
		TRUE(c && (p[i] = typed_cache_alloc(c)), "no cache of %zu", size);
		memset(p[i], 1, size);
	}
	unsigned step = sweeping ? 3 : n;
	size_t victim = below(a, n);
	for (size_t i = 0; i < n; i++)
		if (i != victim && i % step == 1 && sweeping)
			kept++;
		else
			free_as(&(struct object){.p = p[i], .usable = size, .fixed = true}, p[i], 15, a);
	crime_of(a, NULL, ONE(WRITTEN) | ONE(FAULT));
	touch(a, p[victim], size);
	scrawl(a, p[victim] + below(a, size), 1, 1);
	untouch(a);
	malloc_trim(0);
	/* A slab may have been empty for so long that its pages had gone before the write: it is found when that slot is handed out again. */
	for (size_t i = 0; i < 4 * n && !holding; i++)
		hide(typed_cache_alloc(c));
	missed("write into %p, freed, of %zu objects of %zu, %zu alive", (void *)p[victim], n, size, kept);
}

struct large_race {
	atomic_int waiting;
	char *p;
	size_t to; /* one of them makes it an object of this size, and moves it as a rule; 0: none */
	atomic_bool stayed;
};
static void *race_free(void *arg)
{
	struct large_race *r = arg;
	atomic_fetch_sub(&r->waiting, 1);
	while (atomic_load(&r->waiting) > 0)
		;
	size_t to = __atomic_exchange_n(&r->to, 0, __ATOMIC_RELAXED);
	if (to)
		atomic_store(&r->stayed, hide(realloc(r->p, to)) == r->p);
	else
		free(r->p);
	return NULL;
}

/* Frees of one large object at the very same time, by realloc perhaps: one of them is too many, and has to be told so before it changes anything. */
static void move_race_large(struct actor *a)
{
	struct object *o = victim(a, LARGE), was = *o;
	struct large_race r = {2 + (int)below(a, 2), was.p, was.n < MIB && one_in(a, 2) ? was.n * 16 + 16 : 0, false};
	pthread_t t[3];
	int n = atomic_load(&r.waiting);
	bury_object(a, o);
	o->p = NULL;
	crime_of(a, was.p, ONE(DOUBLE));
	for (int i = 1; i < n; i++)
		MUST(!pthread_create(&t[i], NULL, race_free, &r));
	race_free(&r);
	for (int i = 1; i < n; i++)
		pthread_join(t[i], NULL);
	if (atomic_load(&r.stayed) && n == 2) /* it grew where it was, and was freed after that */
		no_crime();
	missed("%p of %zu bytes freed by %d threads", (void *)was.p, was.n, n);
}

/* With option mismatch what new has made is for delete alone. */
static void move_wrong_form(struct actor *a)
{
	if (!by_form)
		no_crime();
	size_t n = some_size(a);
	char *p = _Znwm(n < MIB ? n : n % MIB);
	crime_of(a, p, ONE(NOT_NEW));
	switch (below(a, 4)) {
	case 0: free(p); break;
	case 1: _ZdaPv(p); break;
	case 2: hide(realloc(p, 1 + below(a, 3000))); break;
	default: _ZdlPvSt11align_val_t(p, 8);
	}
	missed("%p of new given to another", (void *)p);
}

#endif
