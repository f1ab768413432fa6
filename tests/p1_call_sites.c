/* P1 by call site, as under LD_PRELOAD: no types are known, so every place that calls malloc is a partition of its
 * own. 256 generated call sites (and the same again for calloc and realloc) stand for 256 types; shadow.h fails on
 * any address that serves two. Each also calls two allocating functions, one of them through a third, too: whatever becomes of their
 * callers' keys while the program runs, the two never share.
 *
 * usage: p1_call_sites [--threads N] [--seconds N | --ops N] [--seed N] */
#include "attack/attack.h"
#include "shadow.h"

enum { SITES = 256, OWN = 300, PHASES = 4, CALLOC = 1, REALLOC, WRAPPED, OTHER, NESTED, HOWS = 8 };

static struct run told;

static NOINLINE void *wrapped(size_t size)
{
	__asm__ volatile("# wrapped");
	return hide(malloc(size));
}
static NOINLINE void *other(size_t size)
{
	__asm__ volatile("# other");
	return hide(malloc(size));
}
static NOINLINE void *nested(size_t size) { return hide(other(size)); }

/* One function a site; the empty asm with its number keeps the compiler from folding them into one. */
#define PLACE(n)                                                                                                        \
	static NOINLINE void *site_##n(unsigned how, size_t size)                                                      \
	{                                                                                                              \
		__asm__ volatile("# site " #n);                                                                        \
		switch (how) {                                                                                         \
		case CALLOC: return hide(calloc(1, size));                                                             \
		case REALLOC: return hide(realloc(hide(NULL), size));                                                  \
		case WRAPPED: return hide(wrapped(size));                                                              \
		case OTHER: return hide(other(size));                                                                  \
		case NESTED: return hide(nested(size));                                                                \
		default: return hide(malloc(size));                                                                    \
		}                                                                                                      \
	}
#define SITES_4(n) PLACE(n##0) PLACE(n##1) PLACE(n##2) PLACE(n##3)
#define SITES_16(n) SITES_4(n##0) SITES_4(n##1) SITES_4(n##2) SITES_4(n##3)
#define SITES_64(n) SITES_16(n##0) SITES_16(n##1) SITES_16(n##2) SITES_16(n##3)
SITES_64(0)
SITES_64(1)
SITES_64(2) SITES_64(3)

#define NAME(n) site_##n,
#define NAMES_4(n) NAME(n##0) NAME(n##1) NAME(n##2) NAME(n##3)
#define NAMES_16(n) NAMES_4(n##0) NAMES_4(n##1) NAMES_4(n##2) NAMES_4(n##3)
#define NAMES_64(n) NAMES_16(n##0) NAMES_16(n##1) NAMES_16(n##2) NAMES_16(n##3)
	static void *(*const site[SITES])(unsigned, size_t) = {NAMES_64(0) NAMES_64(1) NAMES_64(2) NAMES_64(3)};

struct object {
	void *p;
	uint64_t key;
};

/* What never shares with others. */
static uint64_t key_of(unsigned which, unsigned how)
{
	return how == CALLOC || how == REALLOC ? 1 + which + how * SITES
	       : how == WRAPPED		       ? 1 + 3 * SITES
	       : how == OTHER || how == NESTED ? 2 + 3 * SITES
					       : 1 + which;
}

static void *work(void *arg)
{
	uint64_t me = (uint64_t)(uintptr_t)arg, seed = told.seed + me * 0x1234567;
	struct object *own = map_memory(OWN * sizeof *own);
	long phases = told.seconds ? 1000000 : PHASES;
	for (long phase = 0; phase < phases && !run_is_over(&told); phase++) {
		for (long i = 0; i < told.ops / PHASES; i++) {
			struct object *o = &own[next_random(&seed) % OWN];
			uint64_t r = next_random(&seed);
			size_t n = random_size(&seed, r % 64 ? 11 : r % 256 ? 15 : 19);
			if (!o->p) {
				unsigned which = (unsigned)((r >> 16) % (r % 2 ? SITES : SITES / 16)),
					 how = (unsigned)(r >> 32) % HOWS;
				MUST(o->p = site[which](how, n));
				o->key = key_of(which, how);
			} else if (r >> 40 & 1) { /* keeps the object's partition */
				MUST(o->p = hide(realloc(o->p, n)));
			} else {
				free(o->p);
				o->p = NULL;
				continue;
			}
			shadow_record(o->p, o->key);
			memset(o->p, 0x77, n);
		}
		for (int i = 0; i < OWN; i++)
			if (i % 8) {
				free(own[i].p);
				own[i].p = NULL;
			}
		if (me % 2)
			malloc_trim(0);
		else
			sleep_ms(60);
	}
	for (int i = 0; i < OWN; i++)
		free(own[i].p);
	return NULL;
}

int main(int argc, char **argv)
{
	need_library();
	told = run_options(argc, argv, 4, 100000);
	run_threads(told.threads, work);
	say("p1_call_sites: %zu objects over %zu pages", (size_t)shadow_objects, (size_t)shadow_pages_seen);
	return test_result("p1_call_sites");
}
