/* SPDX-License-Identifier: MIT */
/*
 * single.c: workloads of one thread.
 */
#define _GNU_SOURCE
#include "bench.h"

#include <stdlib.h>
#include <string.h>

/* Objects of 8 to 256 bytes, each gone 1 to 32 allocations later. */
uint64_t work_short(void)
{
	struct held ring[32] = {{0}};
	struct rng r = rng_make(0);
	uint64_t sum = 0;

	for (uint64_t i = 0; i < set.ops; i++) {
		uint64_t n = rng_next(&r);
		struct held *h = &ring[n >> 59];
		size_t size = 8 + (n >> 32 & 31) * (n >> 40 & 7) + (n >> 48 & 31);

		sum += let_go(h);
		hold(h, malloc(size), size, (uint32_t)n);
	}
	for (size_t i = 0; i < 32; i++)
		sum += let_go(&ring[i]);
	return sum;
}

static void replace(struct held *h, struct rng *r, uint64_t *sum)
{
	size_t size = mixed_size(r);

	*sum += let_go(h);
	hold(h, malloc(size), size, (uint32_t)rng_next(r));
}

/* A heap of `live' bytes, every second object of which has been replaced in one go. One operation in four replaces an object,
 * most of them one of a sixteenth of the heap; the others read. */
uint64_t work_mixed(void)
{
	size_t n = set.live / MIXED_MEAN + 1, young = n / 16 + 1;
	struct held *all = need(calloc(n, sizeof *all));
	struct rng r = rng_make(0);
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		replace(&all[i], &r, &sum);
	for (size_t i = 0; i < n; i += 2)
		sum += let_go(&all[i]);
	for (size_t i = 0; i < n; i += 2)
		replace(&all[i], &r, &sum);
	timed();
	for (uint64_t i = 0; i < set.ops; i++) {
		uint64_t what = rng_below(&r, 64);
		if (what >= 16)
			sum += check(&all[rng_below(&r, n)]);
		else
			replace(&all[rng_below(&r, what ? young : n)], &r, &sum);
	}
	timed_end();
	for (size_t i = 0; i < n; i++)
		sum += let_go(&all[i]);
	free(all);
	return sum;
}

/* 1 byte to 128 KiB, small sizes more often: of two powers of two the lesser, and up to twice of it. */
static size_t random_size(struct rng *r)
{
	unsigned a = (unsigned)rng_below(r, 17), b = (unsigned)rng_below(r, 17), bits = a < b ? a : b;
	return ((size_t)1 << bits) + rng_below(r, 1u << bits);
}

static void allocate(struct held *h, struct rng *r)
{
	size_t size = random_size(r), align = (size_t)16 << rng_below(r, 5);
	uint32_t tag = (uint32_t)rng_next(r);
	unsigned char *p;

	switch (rng_below(r, 16)) {
	case 0:
	case 1:
		p = need(calloc(1, size));
		if (p[0] || p[size / 2] || p[size - 1])
			fail("calloc: %zu bytes are not zero", size);
		break;
	case 2:
		p = aligned_alloc(align, (size + align - 1) & -align);
		break;
	default:
		p = malloc(size);
	}
	hold(h, p, size, tag);
}

/* The lower a place in the table, the longer its objects live. */
uint64_t work_random(void)
{
	enum { PLACES = 20000 };
	struct held *all = need(calloc(PLACES, sizeof *all));
	struct rng r = rng_make(0);
	uint64_t sum = 0;

	for (uint64_t i = 0; i < set.ops; i++) {
		uint64_t a = rng_below(&r, PLACES), b = rng_below(&r, PLACES);
		struct held *h = &all[a > b ? a : b];
		if (!h->p) {
			allocate(h, &r);
		} else if (rng_below(&r, 8)) {
			sum += let_go(h);
		} else {
			size_t size = random_size(&r);
			sum += check(h);
			hold(h, realloc(h->p, size), size, (uint32_t)rng_next(&r));
		}
	}
	for (size_t i = 0; i < PLACES; i++)
		sum += let_go(&all[i]);
	free(all);
	return sum;
}

/* An array of words that grows; word i is i. */
struct array {
	uint32_t *words;
	size_t n;
};

static uint64_t grow(struct array *a, size_t n)
{
	a->words = need(realloc(a->words, n * sizeof *a->words));
	if (a->n && (a->words[a->n - 1] != a->n - 1 || a->words[a->n / 2] != a->n / 2))
		fail("realloc lost the contents of %zu bytes", a->n * sizeof *a->words);
	for (size_t i = a->n; i < n; i += 512)
		a->words[i] = (uint32_t)i;
	if (n > a->n) {
		a->words[n / 2] = (uint32_t)(n / 2);
		a->words[n - 1] = (uint32_t)(n - 1);
	}
	a->n = n;
	return n;
}

static void drop(struct array *a)
{
	free(a->words);
	*a = (struct array){NULL, 0};
}

/* Eight arrays in turn grow by 100 words up to 4 MiB; now and then one of eight others doubles, up to `live' over all. */
uint64_t work_realloc(void)
{
	enum { ARRAYS = 8, STEP = 100, STEPS_MAX = 1 << 20, RARE = 64 };
	struct array steps[ARRAYS] = {{NULL, 0}}, doubles[ARRAYS] = {{NULL, 0}};
	size_t limit = set.live / sizeof(uint32_t) / ARRAYS;
	uint64_t sum = 0;

	for (uint64_t i = 0; i < set.ops; i++) {
		bool rare = i % RARE == 0;
		struct array *a = rare ? &doubles[i / RARE % ARRAYS] : &steps[i % ARRAYS];
		size_t n = rare ? a->n * 2 + 16 : a->n + STEP;
		if (n > (rare ? limit : STEPS_MAX)) {
			drop(a);
			n = STEP;
		}
		sum += grow(a, n);
	}
	for (size_t i = 0; i < ARRAYS; i++) {
		drop(&steps[i]);
		drop(&doubles[i]);
	}
	return sum;
}
