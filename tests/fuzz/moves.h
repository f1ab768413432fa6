/* The attacker's moves. Each runs in a forked child, at a random moment of the sequence, with what the parent has alive.
 *
 * A move says with crime() how it may end, and does it. Then:
 *
 *   missed()    it has had its way, or was not stopped where it had to be
 *   contained() it was not stopped, and never will have its way: the slot is not handed out again (only where allowed)
 *   no_crime()  there was no occasion
 *
 * and everything else is for the parent to judge, by signal and sentence. Accesses that must fault are announced with
 * touch(): a fault elsewhere is the library's own. */
#ifndef FUZZ_MOVES_H
#define FUZZ_MOVES_H

#include "model.h"

enum end {
	OVERFLOWS,
	UNDERFLOWS,
	WRITTEN,
	DOUBLE,
	USED,
	INTERIOR,
	UNALLOCATED,
	FOREIGN,
	SIZE,
	ALIGNMENT,
	OTHER_CACHE,
	OTHER_TYPE,
	NO_CACHE,
	NO_BUCKETS,
	SENTENCES,
	FAULT = SENTENCES,
	CONTAINED,
	INNOCENT,
	NOTHING,
	MISSED,
	ENDS,
};
static const char *const sentences[SENTENCES] = {
	"overflow of", "underflow of", "write after free at", "double free of", "use after free of", "interior pointer",
	"unallocated pointer", "foreign pointer", "wrong size * for", "wrong alignment * for", "object of another cache at",
	"object of another type at", "not a cache:", "not a set of buckets:",
};
enum { EXIT_CONTAINED = 10, EXIT_INNOCENT, EXIT_NOTHING };
#define ONE(end) (1u << (end))

static void crime_of(struct actor *a, const void *p, unsigned allow)
{
	a->verdict->named = (uintptr_t)p;
	a->verdict->allow = allow;
}

/* From here to untouch() a fault in [p, p + n) is right, if FAULT is allowed. */
static void touch(struct actor *a, const void *p, size_t n)
{
	a->verdict->from = (uintptr_t)p;
	a->verdict->to = (uintptr_t)p + n;
	__atomic_store_n(&a->verdict->touching, true, __ATOMIC_SEQ_CST);
}
static void untouch(struct actor *a) { __atomic_store_n(&a->verdict->touching, false, __ATOMIC_SEQ_CST); }

#define missed bad
__attribute__((noreturn)) static void contained(void) { _exit(EXIT_CONTAINED); }
__attribute__((noreturn)) static void no_crime(void) { _exit(EXIT_NOTHING); }

/* k bytes from p up, or from p down, each other than it was. */
NOINLINE static void scrawl(struct actor *a, char *p, size_t k, int step)
{
	volatile unsigned char *c = hide(p);
	for (; k--; c += step)
		*c = (unsigned char)(*c ^ (1 + draw(a) % 255));
}

/* ---- victims ---- */

enum { VARIABLE = 1, OF_FIXED = 2, NONE = 4, LARGE = 8, SMALL = VARIABLE | OF_FIXED, ANY = 15 };
static bool is_of(const struct object *o, unsigned want)
{
	return o->p && want & (o->large ? LARGE : !o->usable ? NONE : o->fixed ? OF_FIXED : VARIABLE);
}

/* An object of the sort wanted, out of the sequence or new. */
static struct object *victim(struct actor *a, unsigned want)
{
	size_t at = below(a, OWN);
	if (one_in(a, 4))
		burst(a, true);
	if (one_in(a, 2))
		for (size_t i = 0; i < OWN; i++)
			if (is_of(&a->own[(at + i) % OWN], want))
				return &a->own[(at + i) % OWN];
	struct object *o = &a->own[at];
	for (int tries = 0; tries < 300; tries++) {
		if (o->p)
			free_some(a, o);
		if (want == NONE ? make_by(a, o, (unsigned)below(a, MAKE_TYPED - 1), 0, some_align(a), 0) : make_some(a, o))
			if (is_of(o, want)) {
				struct object like = *o;
				if (o->large || one_in(a, 2))
					return o;
				free_some(a, o);
				heat(a, &like);
				if (make_like(a, o, &like) && is_of(o, want))
					return o;
			}
	}
	no_crime();
}

struct call {
	struct object o;
	struct actor *a;
	char *p;
	unsigned how;
};
static void *call_in_thread(void *arg)
{
	struct call *c = arg;
	free_as(&c->o, c->p, c->how, c->a);
	return NULL;
}

/* Free p, taken for o, in some way, sometimes from another thread. */
static void free_anyhow(struct actor *a, const struct object *o, char *p)
{
	struct call c = {*o, a, p, (unsigned)below(a, FREES)};
	if (one_in(a, 4))
		run_thread(call_in_thread, &c);
	else
		call_in_thread(&c);
}

/* It may be a sampled one, which ends at a page's end: queries do not look at what is left of the page. */
static bool at_page_end(const struct object *o) { return (-(uintptr_t)(o->p + o->n) & 4095) < 16; }

/* Any call that has to look at a live object. */
static void use_anyhow(struct actor *a, const struct object *o, char *p, bool queries)
{
	struct typed_type t;
	size_t n = below(a, 2) ? some_size(a) : near(a, o->n, 16);
	switch (below(a, queries ? 8 : 5)) {
	case 0: hide(realloc(p, n % (8 * MIB) + 1)); break;
	case 1: hide(typed_realloc_token(p, n % (8 * MIB) + 1, token[below(a, TOKENS)])); break;
	case 5: hide_size(malloc_usable_size(p)); break;
	case 6: typed_malloc_type_of(p, &t); break;
	case 7: hide_size(typed_malloc_room(p + (o->n ? below(a, o->n) : 0))); break;
	default: free_anyhow(a, o, p);
	}
}

/* ---- after the crime: whoever gets the memory again must find it zero and his alone ---- */

enum { GRAZING = 2000 };
/* Make objects like o until memory comes round, giving some back; the model looks at each. */
static void graze(struct actor *a, const struct object *o)
{
	static struct object got[GRAZING];
	size_t n = 0, most = o->usable ? 4 * MIB / o->usable + 8 : 50;
	most = most < GRAZING ? most : GRAZING;
	for (size_t i = 0; i < most; i++) {
		if (n && one_in(a, 8)) {
			size_t at = below(a, n);
			free_some(a, &got[at]);
			got[at] = got[--n];
		}
		if (make_like(a, &got[n], o))
			n++;
	}
	while (n)
		free_some(a, &got[--n]);
}

static void *graze_in_thread(void *arg)
{
	struct call *c = arg;
	graze(c->a, &c->o);
	return NULL;
}

static void aftermath_of(struct actor *a, const struct object *o)
{
	struct call c = {*o, a, NULL, 0};
	for (int i = 0; i < 3; i++)
		switch (below(a, 6)) {
		case 0: malloc_trim(0); break;
		case 1: run_thread(graze_in_thread, &c); break;
		case 2: burst(a, true); break;
		default: graze(a, o);
		}
	graze(a, o);
	malloc_trim(0);
	graze(a, o);
}

/* Other things happen between a free and the crime. */
static void meanwhile(struct actor *a, const struct object *o)
{
	struct object x = {0};
	for (size_t i = below(a, 3) ? 0 : below(a, 40); i--;)
		if (one_in(a, 2) ? make_like(a, &x, o) : make_some(a, &x)) {
			struct object *at = &a->own[below(a, OWN)];
			if (at->p)
				free_some(a, at);
			*at = x;
		}
	if (one_in(a, 10))
		malloc_trim(0);
	/* It has an owner again: the crime would be another. */
	if (live_any((uintptr_t)o->p, o->usable))
		no_crime();
}

/* Out of the model, and freed; a copy stays. */
static struct object dead(struct actor *a, unsigned want)
{
	struct object *o = victim(a, want), was = *o;
	look(o, o->p, o->n, "free");
	bury_object(a, o);
	o->p = NULL;
	if (was.n && one_in(a, 8)) { /* moved away */
		char *q = hide(realloc(was.p, was.large ? was.n * 5 : was.n * 3 + 300));
		if (!q || q == was.p)
			no_crime();
		hide(realloc(q, 0));
	} else {
		free_anyhow(a, &was, was.p);
	}
	return was;
}

/* ---- writes out of bounds ---- */

static void move_overflow(struct actor *a)
{
	struct object *o = victim(a, VARIABLE);
	size_t gap = one_in(a, 3) ? below(a, round_to(o->n + 8, 16) - o->n) : 0, k = 1 + below(a, one_in(a, 4) ? 300 : 12);
	char *end = o->p + o->n, *page = (char *)round_to((uintptr_t)end, 4096);
	crime_of(a, o->p, ONE(OVERFLOWS) | (end + gap + k > page ? ONE(FAULT) : 0));
	touch(a, page, end + gap + k > page ? (size_t)(end + gap + k - page) : 0);
	scrawl(a, end + gap, k, 1);
	untouch(a);
	use_anyhow(a, o, o->p, !at_page_end(o));
	missed("overflow of %p by %zu after %zu", (void *)o->p, k, gap);
}

/* A canary that has leaked, put elsewhere. */
static void move_replay(struct actor *a)
{
	struct object *o = victim(a, VARIABLE), *from = one_in(a, 2) ? o : victim(a, VARIABLE);
	if (!o->p || !from->p)
		no_crime();
	size_t room = round_to(o->n + 8, 16) - o->n - 8, by = from == o ? 1 + below(a, 7) : 0, k = one_in(a, 2) ? 8 : by;
	char canary[8];
	memcpy(canary, hide(from->p + from->n), 8);
	if (by > room || from->p + from->n == o->p + o->n + by)
		no_crime();
	crime_of(a, o->p, ONE(OVERFLOWS));
	scrawl(a, o->p + o->n, k < by ? k : by, 1);
	memcpy(hide(o->p + o->n + by), canary, 8);
	use_anyhow(a, o, o->p, !at_page_end(o));
	missed("a canary from %p at %p", (void *)from->p, (void *)o->p);
}

/* Fixed sizes have no canary; a free neighbour that was written to must not be handed out. */
static void move_into_free(struct actor *a)
{
	struct object *o = victim(a, OF_FIXED), like = *o;
	char *q = o->p + o->usable;
	if (!((uintptr_t)q & 4095) || typed_malloc_room(q) != 0)
		no_crime();
	if (live_any((uintptr_t)q, 1))
		missed("no room at the live %p", (void *)q);
	crime_of(a, NULL, ONE(OVERFLOWS) | ONE(UNDERFLOWS) | ONE(WRITTEN) | ONE(CONTAINED));
	scrawl(a, q, 1 + below(a, 16), 1);
	if (one_in(a, 2))
		free_some(a, o);
	aftermath_of(a, &like);
	free_all(a);
	malloc_trim(0);
	contained();
}

/* Down into what lies below: a live object of variable size must be found damaged; a free slot never handed out. */
static void move_underflow(struct actor *a)
{
	struct object *o = victim(a, SMALL), like = *o;
	size_t k = 1 + below(a, 16), room = (uintptr_t)o->p & 4095;
	bool must = false;
	for (int i = 0; i < OWN; i++) {
		const struct object *b = &a->own[i];
		if (!is_of(b, VARIABLE) || b->p >= o->p || b->key != o->key || b->p + b->n + 8 > o->p)
			continue;
		size_t slot = (size_t)(o->p - b->p);
		unsigned bucket = shadow_bucket(b->n + 8, b->align > 16 ? b->align : 16);
		must = must || slot == (size_t)bucket * 16 || slot == (size_t)shadow_coarse(bucket) * 16;
	}
	crime_of(a, NULL, ONE(OVERFLOWS) | ONE(UNDERFLOWS) | ONE(WRITTEN) | (must ? 0 : ONE(CONTAINED)) | (k > room ? ONE(FAULT) : 0));
	touch(a, o->p - k, k > room ? k - room : 0);
	scrawl(a, o->p - 1, k, -1);
	untouch(a);
	if (one_in(a, 2))
		use_anyhow(a, o, o->p, false), o->p = NULL;
	/* The damaged one may be an object whose contents nobody can vouch for. */
	char *low = like.p - 16384 - 16;
	for (int i = 0; i < OWN; i++)
		if (a->own[i].p && a->own[i].p > low && a->own[i].p <= like.p)
			free_as(&a->own[i], a->own[i].p, 15, a), a->own[i].p = NULL;
	if (must)
		missed("the object below %p is damaged", (void *)like.p);
	contained();
}

/* Behind a large object: canary and zeros to the page's end, then nothing that may be touched. */
static void move_overflow_large(struct actor *a)
{
	struct object *o = victim(a, LARGE);
	char *end = o->p + o->n, *page = (char *)round_to((uintptr_t)end, 4096);
	size_t tail = (size_t)(page - end), gap = tail && one_in(a, 3) ? below(a, tail) : 0, k = 1 + below(a, one_in(a, 4) ? 5000 : 16);
	bool far = gap + k > tail;
	crime_of(a, o->p, far ? ONE(FAULT) : ONE(OVERFLOWS));
	touch(a, page, far ? gap + k - tail : 0);
	scrawl(a, end + gap, k, 1);
	untouch(a);
	if (far)
		missed("overflow of %p of %zu bytes past its page", (void *)o->p, o->n);
	use_anyhow(a, o, o->p, false);
	missed("overflow of %p of %zu bytes by %zu", (void *)o->p, o->n, k);
}

static void move_past_large(struct actor *a)
{
	struct object *o = victim(a, LARGE);
	char *page = (char *)round_to((uintptr_t)o->p + o->n, 4096);
	volatile char *at = page + below(a, 4096);
	crime_of(a, o->p, ONE(FAULT));
	touch(a, page, 4096);
	if (one_in(a, 2))
		*at = 1;
	else
		(void)*at;
	missed("access to %p behind %p of %zu bytes", (const void *)at, (void *)o->p, o->n);
}

static void move_underflow_large(struct actor *a)
{
	struct object *o = victim(a, LARGE);
	size_t k = 1 + below(a, one_in(a, 4) ? 5000 : 24), lead = (uintptr_t)o->p & 4095;
	bool far = k > lead;
	crime_of(a, o->p, far ? ONE(FAULT) : ONE(UNDERFLOWS));
	touch(a, o->p - k, far ? k - lead : 0);
	scrawl(a, o->p - 1, k, -1);
	untouch(a);
	if (far)
		missed("underflow of %p of %zu bytes past its page", (void *)o->p, o->n);
	use_anyhow(a, o, o->p, false);
	missed("underflow of %p of %zu bytes by %zu", (void *)o->p, o->n, k);
}

static void move_zero_size(struct actor *a)
{
	struct object *o = victim(a, NONE);
	volatile char *at = o->p + below(a, 16);
	crime_of(a, o->p, ONE(FAULT));
	touch(a, o->p, 16);
	if (one_in(a, 2))
		*at = 1;
	else
		(void)*at;
	missed("access to %p of no bytes", (const void *)at);
}

/* ---- after free ---- */

static void move_write_after_free(struct actor *a)
{
	struct object o = dead(a, SMALL);
	meanwhile(a, &o);
	size_t at = below(a, o.usable), k = 1 + below(a, 16);
	k = k < o.usable - at ? k : o.usable - at;
	/* A sampled one faults. */
	crime_of(a, NULL, ONE(WRITTEN) | ONE(OVERFLOWS) | ONE(UNDERFLOWS) | ONE(CONTAINED) | ONE(FAULT));
	touch(a, o.p + at, k);
	scrawl(a, o.p + at, k, 1);
	untouch(a);
	aftermath_of(a, &o);
	contained();
}

static void move_write_after_free_large(struct actor *a)
{
	struct object o = dead(a, LARGE);
	meanwhile(a, &o);
	size_t at = below(a, o.usable), k = 1 + below(a, 16);
	k = k < o.usable - at ? k : o.usable - at;
	bool closed = o.n >= MIDDLE_MIN;
	crime_of(a, o.p, ONE(FAULT) | (closed ? 0 : ONE(WRITTEN) | ONE(CONTAINED)));
	touch(a, o.p + at, k);
	scrawl(a, o.p + at, k, 1);
	untouch(a);
	if (closed)
		missed("write into %p, freed, of %zu bytes", (void *)o.p, o.n);
	aftermath_of(a, &o);
	contained();
}

static void move_read_after_free(struct actor *a)
{
	struct object o = dead(a, SMALL | LARGE);
	if (!one_in(a, 3))
		meanwhile(a, &o);
	bool closed = o.n >= MIDDLE_MIN;
	crime_of(a, o.p, closed ? ONE(FAULT) : ONE(CONTAINED) | ONE(FAULT));
	touch(a, o.p, o.usable);
	const volatile char *c = o.p;
	for (size_t i = 0; i < o.usable; i += o.usable > 65536 ? 509 : 1)
		if (c[i])
			missed("byte %zu of %p, freed, is not zero", i, (void *)o.p);
	untouch(a);
	if (closed)
		missed("read of %p, freed, of %zu bytes", (void *)o.p, o.n);
	contained();
}

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
		if (one_in(a, 8) && was.n) { /* realloc, after which a size may be wrong */
			race.call[i].how = FREES;
			a->verdict->allow |= ONE(SIZE);
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
	struct object o = {.p = (char *)p, .n = 16, .usable = 16};
	if (one_in(a, 6))
		hide_size(malloc_usable_size((void *)p));
	else
		free_anyhow(a, &o, (char *)p);
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
	crime_of(a, o->p, ONE(SIZE));
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
	crime_of(a, o->p, ONE(ALIGNMENT));
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

#endif
