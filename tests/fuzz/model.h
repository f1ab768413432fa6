/* The model of the fuzzer: every live object and all that must be true of it. makers.h has the ways to make one, objects.h what is
 * done with them.
 *
 * An object is known to one thread, in a place of its table; tables change hands between rounds only (attacker.c). Three things
 * are shared, without locks: the live map, a bit for each 16 bytes of the address space, which no two objects may set; the
 * P1 recorder (shadow.h); and the caches and buckets by name.
 *
 * What is untrue ends the process by bad(): in a child that commits a crime it is a missed crime, elsewhere a defect or a
 * false alarm. */
#ifndef FUZZ_MODEL_H
#define FUZZ_MODEL_H

#define TYPED_MALLOC_NO_MACROS
#include "typed_malloc.h"

#include "../attack/attack.h"
#include "../shadow.h"

enum { OWN = 256, TOKENS = 6, CACHES = 7, BUCKETS = 3, MAX_THREADS = 16 };
enum { EXIT_BAD = 3, VARIABLE_MAX = 16376, FIXED_MAX = 16384, MIDDLE_MIN = 256 << 10 };

struct object {
	char *p; /* NULL: none */
	size_t n; /* bytes that hold the pattern */
	size_t usable;
	uint64_t pattern;
	size_t align;
	unsigned key;
	bool fixed, large;
};

/* What a child tells its parent before its crime, in shared memory. */
struct verdict {
	unsigned allow;	    /* bits of enum end */
	uintptr_t named;    /* the address that the sentence must name; 0: any */
	uintptr_t from, to; /* where an access may fault, while it is under way */
	uintptr_t fault;    /* where one has */
	bool touching;
	char note[200];
};

struct actor {
	struct object own[OWN];
	size_t bytes;	/* alive */
	uint64_t rng;	/* of the operation under way */
	uint64_t op;	/* its number */
	unsigned id;
	struct verdict *verdict;
	const unsigned char *tape, *tape_end; /* what is drawn comes from here, if there is any (sequence.c) */
	typed_cache_t *mine; /* a cache that only this thread uses, which ends and comes again */
	struct object *out;  /* OWN * MAX_THREADS: handed to others at the end of the round */
	unsigned nout[MAX_THREADS];
};

/* ---- failure ---- */

static struct verdict *in_child; /* NULL: this is the parent */
static __thread struct actor *self;
static struct actor *actors[MAX_THREADS];
static struct {
	uint64_t op;
	unsigned thread;
	bool failed;
} *failure; /* shared with the driver */

__attribute__((noreturn, format(printf, 1, 2))) static void bad(const char *form, ...)
{
	char text[200];
	va_list args;
	va_start(args, form);
	vsnprintf(text, sizeof text, form, args);
	va_end(args);
	if (in_child) {
		memcpy(in_child->note, text, sizeof text);
		_exit(EXIT_BAD);
	}
	if (self) {
		say("thread %u, operation %lu: %s", self->id, (unsigned long)self->op, text);
		failure->op = self->op;
		failure->thread = self->id;
		failure->failed = true;
	} else {
		say("%s", text);
	}
	_exit(EXIT_BAD);
}

#define TRUE(cond, ...)                                                                                                \
	do {                                                                                                           \
		if (!(cond))                                                                                           \
			bad(__VA_ARGS__);                                                                              \
	} while (0)

static uint64_t draw(struct actor *a)
{
	if (a->tape < a->tape_end) /* small numbers decide most things */
		a->rng ^= (uint64_t)*a->tape++ << 56;
	return next_random(&a->rng);
}
static size_t below(struct actor *a, size_t n) { return n ? (size_t)(draw(a) >> 11) % n : 0; }
static bool one_in(struct actor *a, unsigned n) { return !below(a, n); }
static size_t round_to(size_t n, size_t to) { return (n + to - 1) & ~(to - 1); }

/* The policy of TYPED_MALLOC_OPTIONS. */
static bool by_site = true, by_type = true, by_form, sweeping, holding;

/* ---- the live map ---- */

static _Atomic uint64_t *live_map; /* a bit for each granule below 2^47 */

/* Set or clear all bits of [p, p + n), which must have been clear or set. False: one was not. */
static bool live_mark(uintptr_t p, size_t n, bool set)
{
	uintptr_t g = p / GRANULE, last = (p + (n ? n : 1) - 1) / GRANULE;
	while (g <= last) {
		uintptr_t end = (g | 63) < last ? g | 63 : last;
		uint64_t mask = (~(uint64_t)0 >> (63 - (end - g))) << (g & 63);
		uint64_t was = set ? atomic_fetch_or(&live_map[g / 64], mask) : atomic_fetch_and(&live_map[g / 64], ~mask);
		if (was & mask ? set || (was & mask) != mask : !set)
			return false;
		g = end + 1;
	}
	return true;
}

UNUSED static bool live_any(uintptr_t p, size_t n)
{
	for (uintptr_t g = p / GRANULE; g <= (p + (n ? n : 1) - 1) / GRANULE; g++)
		if (atomic_load(&live_map[g / 64]) >> (g & 63) & 1)
			return true;
	return false;
}

/* ---- contents ---- */

enum { WHOLE = 32 << 10, EDGE = 4096, SAMPLE = 64 };

/* The parts of n bytes that are looked at: all; of much, both ends and a little of many pages. False: no more. */
static bool part(size_t n, size_t i, size_t *from, size_t *to)
{
	if (n <= WHOLE) {
		*from = 0;
		*to = n;
		return i == 0;
	}
	size_t step = n <= 256 * KIB ? 4096 : n <= 2 * MIB ? 32768 : 262144;
	*from = i * step;
	*to = *from + (i ? SAMPLE : EDGE);
	if (*from >= n - EDGE) { /* the last, once */
		if (*from >= n - EDGE + step)
			return false;
		*from = n - EDGE;
		*to = n;
	}
	return true;
}

static unsigned char pattern_byte(uint64_t pattern, size_t at)
{
	return (unsigned char)((pattern + (at >> 3) * 0x9e3779b97f4a7c15u) >> (at & 7) * 8);
}

static void paint(struct object *o)
{
	size_t from, to;
	for (size_t i = 0; part(o->n, i, &from, &to); i++) {
		for (; from < to && from & 7; from++)
			o->p[from] = (char)pattern_byte(o->pattern, from);
		for (; from + 8 <= to; from += 8) {
			uint64_t w = o->pattern + (from >> 3) * 0x9e3779b97f4a7c15u;
			memcpy(o->p + from, &w, 8);
		}
		for (; from < to; from++)
			o->p[from] = (char)pattern_byte(o->pattern, from);
	}
}

/* What was painted into o is at p, as far as upto. */
static void look(const struct object *o, const char *p, size_t upto, const char *when)
{
	size_t from, to;
	for (size_t i = 0; part(o->n, i, &from, &to); i++) {
		to = to < upto ? to : upto;
		for (; from < to; from++) {
			if (!(from & 7) && from + 8 <= to) {
				uint64_t w = o->pattern + (from >> 3) * 0x9e3779b97f4a7c15u;
				if (!memcmp(p + from, &w, 8)) {
					from += 7;
					continue;
				}
			}
			TRUE(p[from] == (char)pattern_byte(o->pattern, from), "%s: byte %zu of %zu at %p has changed", when, from,
			     o->n, (const void *)p);
		}
	}
}

static void look_zero(const char *p, size_t at, size_t n, const char *when)
{
	size_t from, to;
	if (at >= n)
		return;
	for (size_t i = 0; part(n - at, i, &from, &to); i++)
		if (!all_zero(p + at + from, to - from))
			bad("%s: %zu bytes at %p are not zero from %zu on", when, n, (const void *)p, at + from);
}

#endif
