/* SPDX-License-Identifier: MIT */
/*
 * sites.c: ten thousand functions, each with a call of malloc and so with a return address of its own, and the workloads
 * on them. The number in the assembly keeps compilers and linkers from making one of them all.
 */
#include "bench.h"

#include <stdlib.h>

/* clang-format off */
#define TEN(do_, n) \
	do_(n##0) do_(n##1) do_(n##2) do_(n##3) do_(n##4) do_(n##5) do_(n##6) do_(n##7) do_(n##8) do_(n##9)
#define HUNDRED(do_, n) \
	TEN(do_, n##0) TEN(do_, n##1) TEN(do_, n##2) TEN(do_, n##3) TEN(do_, n##4) \
	TEN(do_, n##5) TEN(do_, n##6) TEN(do_, n##7) TEN(do_, n##8) TEN(do_, n##9)
#define THOUSAND(do_, n) \
	HUNDRED(do_, n##0) HUNDRED(do_, n##1) HUNDRED(do_, n##2) HUNDRED(do_, n##3) HUNDRED(do_, n##4) \
	HUNDRED(do_, n##5) HUNDRED(do_, n##6) HUNDRED(do_, n##7) HUNDRED(do_, n##8) HUNDRED(do_, n##9)
#define ALL(do_) \
	THOUSAND(do_, 10) THOUSAND(do_, 11) THOUSAND(do_, 12) THOUSAND(do_, 13) THOUSAND(do_, 14) \
	THOUSAND(do_, 15) THOUSAND(do_, 16) THOUSAND(do_, 17) THOUSAND(do_, 18) THOUSAND(do_, 19)

/* What stands behind the call keeps it from being a jump. */
#define DEFINE(n) \
	static __attribute__((noinline)) void *site_##n(size_t size) \
	{ \
		void *p = malloc(size); \
		__asm__ volatile("" : "+r"(p) : "i"(n)); \
		return p; \
	}
#define NAME(n) site_##n,

ALL(DEFINE)

site *const sites[SITES_MAX] = {ALL(NAME)};
/* clang-format on */

/* A type has one size, as structures do: 16 to 512 bytes, mostly small. */
static size_t size_of(size_t type)
{
	uint64_t n = mix(type);
	return 16 + (n & 15) * 8 * (n >> 8 & 7 ? 1 : 1 + (n >> 16 & 3));
}
#define TYPE_MEAN 90

static void replace(struct held *h, size_t type, uint32_t tag)
{
	size_t size = size_of(type);
	hold(h, sites[type](size), size, tag);
}

/* A heap of `live' bytes of all types alike; each operation replaces an object by one of any type. */
uint64_t work_types(void)
{
	size_t n = set.live / TYPE_MEAN + 1;
	struct held *all = need(calloc(n, sizeof *all));
	struct rng r = rng_make(0);
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		replace(&all[i], rng_below(&r, set.types), (uint32_t)i);
	timed();
	for (uint64_t i = 0; i < set.ops; i++) {
		struct held *h = &all[rng_below(&r, n)];
		sum += let_go(h);
		replace(h, rng_below(&r, set.types), (uint32_t)i);
	}
	timed_end();
	for (size_t i = 0; i < n; i++)
		sum += let_go(&all[i]);
	free(all);
	return sum;
}

/* Eight types in 98 % of the calls, their objects gone soon; the objects of the others, up to four of each, stay. */
uint64_t work_coldhot(void)
{
	enum { HOT = 8, YOUNG = 256, OLD = 4 };
	struct held young[YOUNG] = {{0}};
	struct held *old = need(calloc(set.types * OLD, sizeof *old));
	struct rng r = rng_make(0);
	uint64_t sum = 0;

	for (uint64_t i = 0; i < set.ops; i++) {
		uint64_t type = rng_below(&r, set.types < HOT ? set.types : HOT);
		struct held *h = &young[rng_below(&r, YOUNG)];
		if (rng_below(&r, 50) == 0) {
			type = rng_below(&r, set.types);
			h = &old[type * OLD + rng_below(&r, OLD)];
		}
		sum += let_go(h);
		replace(h, type, (uint32_t)i);
	}
	for (size_t i = 0; i < YOUNG; i++)
		sum += let_go(&young[i]);
	for (size_t i = 0; i < set.types * OLD; i++)
		sum += let_go(&old[i]);
	free(old);
	return sum;
}
