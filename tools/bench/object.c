/* SPDX-License-Identifier: MIT */
/*
 * object.c: random numbers, and objects that are checked.
 */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 32) * 0xd6e8feb86659fd93ull;
	x = (x ^ x >> 32) * 0xd6e8feb86659fd93ull;
	return x ^ x >> 32;
}

struct rng rng_make(uint64_t stream)
{
	struct rng r = {mix(set.seed + 0x9e3779b97f4a7c15ull * (stream + 1))};
	r.state += !r.state;
	return r;
}

/* xorshift64*, of which the upper half is good. */
uint64_t rng_next(struct rng *r)
{
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return r->state * 0x2545f4914f6cdd1dull;
}

void *need(void *p)
{
	if (!p)
		fail("no memory: %s", strerror(errno));
	return p;
}

/* At the start up to four bytes, at the end one. */
void hold(struct held *h, void *p, size_t size, uint32_t tag)
{
	*h = (struct held){need(p), (uint32_t)size, tag};
	if (size >= sizeof tag)
		memcpy(h->p, &tag, sizeof tag);
	if (size)
		h->p[size - 1] = (unsigned char)(tag >> 8);
}

uint64_t check(const struct held *h)
{
	uint32_t found = h->tag, n = h->size;

	if (n > sizeof found)
		memcpy(&found, h->p, sizeof found);
	if (found != h->tag || (n && h->p[n - 1] != (unsigned char)(h->tag >> 8)))
		fail("an object of %u bytes is not as it was left", (unsigned)n);
	return h->tag;
}

uint64_t let_go(struct held *h)
{
	if (!h->p)
		return 0;
	uint64_t tag = check(h);
	free(h->p);
	h->p = NULL;
	return tag;
}

/* 75 % up to 128 bytes, 20 % up to 1 KiB, 4.75 % up to 4 KiB, 0.25 % up to 64 KiB. */
size_t mixed_size(struct rng *r)
{
	uint64_t n = rng_below(r, 400);

	if (n < 300)
		return 8 + rng_below(r, 121);
	if (n < 380)
		return 128 + rng_below(r, 897);
	if (n < 399)
		return 1024 + rng_below(r, 3073);
	return 4096 + rng_below(r, 61441);
}
