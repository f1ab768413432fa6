/* Threads allocate, reallocate and free objects of 0 bytes to 4 MiB, their own and, through a shared exchange array,
 * each other's; every byte of every object is written and verified. Memory stays in proportion to what is alive.
 *
 * usage: stress [--threads N] [--seconds N | --ops N] [--seed N]      (operations are per thread) */
#include "attack/attack.h"

#include <stdatomic.h>

enum { OWN = 200, EXCHANGE = 4096, LARGEST = 22 /* bits: 4 MiB */ };

struct object {
	char *p;
	size_t n, align;
	uint64_t seed;
};

static _Atomic(struct object *) exchange[EXCHANGE];
static atomic_size_t live_bytes, peak_bytes;
static struct run told;

/* Several call sites, so that several partitions are at work. */
static NOINLINE void *site_1(size_t n) { return hide(malloc(n)); }
static NOINLINE void *site_2(size_t n) { return hide(malloc(n)); }
static NOINLINE void *site_3(size_t n) { return hide(calloc(1, n)); }
static NOINLINE void *site_4(size_t n) { return hide(calloc(n, 1)); }

static size_t pick_size(uint64_t *seed)
{
	uint64_t r = next_random(seed) % 1024;
	return r < 10 ? 0 : random_size(seed, r < 20 ? LARGEST : r < 60 ? 16 : r < 300 ? 12 : 8);
}

static void verify(const struct object *o)
{
	if (filled(o->p, o->n, o->seed))
		return;
	for (size_t i = 0; i < o->n; i++) {
		uint64_t want = o->seed + i / 8 * 0x9e3779b97f4a7c15u;
		if ((unsigned char)o->p[i] != (unsigned char)(want >> i % 8 * 8)) {
			say("stress: byte %zu of %zu at %p is wrong (--seed %lu)", i, o->n, (void *)o->p,
			    (unsigned long)told.seed);
			abort();
		}
	}
}

static void account(size_t more, size_t less)
{
	size_t now = atomic_fetch_add(&live_bytes, more - less) + more - less, peak = atomic_load(&peak_bytes);
	while (now > peak && !atomic_compare_exchange_weak(&peak_bytes, &peak, now))
		;
}

static void make_object(struct object *o, uint64_t *seed)
{
	size_t n = pick_size(seed), align = 0; /* 0: not asked for one */
	uint64_t r = next_random(seed);
	void *p;
	switch (r % 16) {
	case 0:
		align = (size_t)16 << (r >> 8) % 9;
		p = hide(aligned_alloc(align, n));
		break;
	case 1:
		align = (size_t)16 << (r >> 8) % 9;
		p = posix_memalign(&p, align, n) ? NULL : hide(p);
		break;
	case 2:
	case 3:
	case 4:
		p = site_3(n);
		break;
	case 5:
		p = site_4(n);
		break;
	case 6:
		p = hide(realloc(hide(NULL), n));
		break;
	case 7:
	case 8:
	case 9:
		p = site_2(n);
		break;
	default:
		p = site_1(n);
	}
	MUST(p);
	MUST(!((uintptr_t)p & ((align ? align : 16) - 1)));
	if (!all_zero(p, n)) {
		say("stress: %zu bytes at %p are not zero", n, p);
		abort();
	}
	*o = (struct object){p, n, align, r};
	fill(p, n, r);
	account(n, 0);
}

static void end_object(struct object *o, uint64_t *seed)
{
	verify(o);
	account(0, o->n);
	switch (next_random(seed) % 32) {
	case 0:
		MUST(!hide(realloc(o->p, 0)));
		break;
	case 1:
		if (o->align)
			free_aligned_sized(o->p, o->align, o->n);
		else
			free_sized(o->p, o->n);
		break;
	default:
		free(o->p);
	}
	o->p = NULL;
}

static void change_object(struct object *o, uint64_t *seed)
{
	size_t n = pick_size(seed) + 1, common = (n < o->n ? n : o->n) & ~(size_t)7;
	verify(o);
	char *p = hide(realloc(o->p, n));
	MUST(p);
	MUST(filled(p, common, o->seed));
	account(n, o->n);
	*o = (struct object){p, n, 0, next_random(seed)};
	fill(p, n, o->seed);
}

static void *work(void *arg)
{
	uint64_t seed = told.seed + (uintptr_t)arg * 0x1234567;
	/* Handles live outside the heap; those in exchange[] travel between threads. */
	struct object **own = map_memory(OWN * sizeof *own), *pool = map_memory((OWN + 1) * sizeof *pool);
	for (int i = 0; i < OWN; i++)
		own[i] = &pool[i];
	for (long i = 0; told.seconds ? i % 64 || !run_is_over(&told) : i < told.ops; i++) {
		struct object **at = &own[next_random(&seed) % OWN], *o = *at;
		uint64_t r = next_random(&seed) % 16;
		if (!o->p)
			make_object(o, &seed);
		else if (r < 7)
			end_object(o, &seed);
		else if (r < 9)
			change_object(o, &seed);
		else if (r < 15) { /* give it away, take another's */
			struct object *other = atomic_exchange(&exchange[next_random(&seed) % EXCHANGE], o);
			if (!other)
				other = map_memory(sizeof *other); /* at most EXCHANGE times */
			*at = other;
		}
	}
	for (int i = 0; i < OWN; i++)
		if (own[i]->p)
			end_object(own[i], &seed);
	munmap(own, OWN * sizeof *own);
	return NULL;
}

int main(int argc, char **argv)
{
	need_library();
	told = run_options(argc, argv, 4, 200000);
	const long threads = told.threads, seconds = told.seconds;
	size_t before = rss_kib();
	pthread_t *t = map_memory((size_t)threads * sizeof *t);
	for (long i = 0; i < threads; i++)
		MUST(!pthread_create(&t[i], NULL, work, (void *)(i + 1)));
	size_t half = 0;
	if (seconds) {
		sleep_ms(seconds * 500);
		half = status_kib("VmHWM") - before;
	}
	for (long i = 0; i < threads; i++)
		MUST(!pthread_join(t[i], NULL));
	uint64_t seed = 0;
	for (int i = 0; i < EXCHANGE; i++)
		if (exchange[i] && exchange[i]->p)
			end_object(exchange[i], &seed);
	CHECK(live_bytes == 0);
	size_t peak = status_kib("VmHWM") - before, live = peak_bytes / 1024;
	malloc_trim(0);
	size_t after = rss_kib() - before;
	say("stress: live at most %zu KiB, RSS at most %zu KiB more than at start, %zu KiB at the end", live, peak,
	    after);
	/* Handles: one page each, EXCHANGE of them at most; each thread's handles, and what it keeps of cold sizes. */
	size_t handles = (size_t)threads * 16 + EXCHANGE * 4, own = (size_t)threads * 1024;
	CHECK(peak < live * 2 + handles + own + 32 * 1024, " (memory in proportion to what is alive)");
	CHECK(after < handles + 16 * 1024 + live / 4, " (what is freed goes back)");
	if (seconds >= 20)
		CHECK(peak < half + half / 4 + 16 * 1024, " (no growth in the second half)");
	return test_result("stress");
}
