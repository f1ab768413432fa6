/* The attacker's moves. Each runs in a forked child, at a random moment of the sequence, with what the parent has alive.
 *
 * A move says with crime() how it may end, and does it. Then:
 *
 *   missed()    it has had its way, or was not stopped where it had to be
 *   contained() it was not stopped, and never will have its way: the slot is not handed out again (only where allowed)
 *   no_crime()  there was no occasion
 *
 * and everything else is for the parent to judge, by signal and sentence. Accesses that must fault are announced with
 * touch(): a fault elsewhere is the library's own. crimes.h has those that are a bad free, or a bad argument. */
#ifndef FUZZ_MOVES_H
#define FUZZ_MOVES_H

#include "objects.h"

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
	NOT_NEW,
	NOT_MALLOC,
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
	"object of another type at", "not a cache:", "not a set of buckets:", "object of new at", "object of malloc at",
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
		if (want == NONE ? make_by(a, o, (unsigned)below(a, MAKE_WHOLE_PAGES), 0, some_align(a), 0) : make_some(a, o))
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
	use_anyhow(a, o, o->p, true);
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
	if (by > room || from->p + from->n == o->p + o->n + by || at_page_end(from) || at_page_end(o)) /* a sampled one may have none */
		no_crime();
	memcpy(canary, hide(from->p + from->n), 8);
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
/*
 * Write k bytes at p, one after the other in a direction (1, -1), beside o: in its own pages free finds it; the last `beyond` of them, at `at`, lie
 * behind these pages and fault.
 */
static void scrawl_beside(struct actor *a, struct object *o, char *p, size_t k, int direction, char *at, size_t beyond, unsigned found,
			  const char *what)
{
	crime_of(a, o->p, beyond ? ONE(FAULT) : found);
	touch(a, at, beyond);
	scrawl(a, p, k, direction);
	untouch(a);
	if (beyond)
		missed("%s of %p of %zu bytes past its page", what, (void *)o->p, o->n);
	use_anyhow(a, o, o->p, true);
	missed("%s of %p of %zu bytes by %zu", what, (void *)o->p, o->n, k);
}

static void move_overflow_large(struct actor *a)
{
	struct object *o = victim(a, LARGE);
	char *end = o->p + o->n, *page = (char *)round_to((uintptr_t)end, 4096);
	size_t tail = (size_t)(page - end), gap = tail && one_in(a, 3) ? below(a, tail) : 0, k = 1 + below(a, one_in(a, 4) ? 5000 : 16);
	scrawl_beside(a, o, end + gap, k, 1, page, gap + k > tail ? gap + k - tail : 0, ONE(OVERFLOWS), "overflow");
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
	scrawl_beside(a, o, o->p - 1, k, -1, o->p - k, k > lead ? k - lead : 0, ONE(UNDERFLOWS), "underflow");
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
	/* The one that is open may have held another object meanwhile, which lay elsewhere in its first page: that one is named then. */
	crime_of(a, closed ? o.p : NULL, ONE(FAULT) | (closed ? 0 : ONE(WRITTEN) | ONE(CONTAINED)));
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

#endif
