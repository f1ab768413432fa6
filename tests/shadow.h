/* The P1 recorder: remembers for every 16 bytes of the address space who owned them first, and fails when another
 * comes.
 *
 *   table[address >> 30] -> page entries of 1 GiB -> 0            nobody yet
 *                                                    large | 1    a page of a large object: key and first page
 *                                                    leaf         256 granules of 16 bytes, each with key and place in the
 *                                                                 slot, the first of a slot with its size class too
 *
 * An entry is written once, by compare-and-swap, and never changes: that is the promise under test. All of it is
 * mmap'ed, so that it neither disturbs the heap nor depends on it; a fork copies it, and the child goes on with what
 * the parent saw.
 *
 * What can be asked of an object is its length, not its slot's. An object of a fixed size fills its slot. One of variable
 * size, n bytes and the canary, is in the smallest bucket that takes it or in the coarse one above, so two such objects may
 * have had the same slot if they have one of these in common. */
#ifndef TESTS_SHADOW_H
#define TESTS_SHADOW_H

#include "util.h"

#include <malloc.h>
#include <stdatomic.h>

enum {
	GRANULE = 16,
	SHADOW_PAGE = 4096,
	TOP_BITS = 47 - 30,
};

typedef _Atomic uint64_t shadow_entry;

static _Atomic(shadow_entry *) shadow_table[1 << TOP_BITS];
static _Atomic(char *) shadow_pool;
static atomic_size_t shadow_pages_seen, shadow_objects;

/* Leaves are 2 KiB; they come from chunks, one chunk a mapping. */
static shadow_entry *shadow_leaf(void)
{
	enum { LEAF = SHADOW_PAGE / GRANULE * sizeof(shadow_entry), CHUNK = 64 << 20 };
	for (;;) {
		char *at = atomic_load(&shadow_pool);
		if (at && ((uintptr_t)at & (CHUNK - 1))) {
			if (atomic_compare_exchange_weak(&shadow_pool, &at, at + LEAF))
				return (shadow_entry *)at;
			continue;
		}
		char *raw = map_memory(2 * (size_t)CHUNK);
		char *chunk = (char *)(((uintptr_t)raw + CHUNK) & ~((uintptr_t)CHUNK - 1));
		/* The first leaf of a chunk stays unused: a pool at a chunk's boundary is an empty one. */
		if (!atomic_compare_exchange_strong(&shadow_pool, &at, chunk + LEAF))
			munmap(raw, 2 * (size_t)CHUNK);
	}
}

static shadow_entry *shadow_page(uintptr_t address)
{
	MUST(address >> 47 == 0);
	_Atomic(shadow_entry *) *top = &shadow_table[address >> 30];
	shadow_entry *pages = atomic_load_explicit(top, memory_order_acquire);
	if (!pages) {
		size_t n = ((size_t)1 << 30) / SHADOW_PAGE * sizeof *pages;
		shadow_entry *mine = map_memory(n);
		if (atomic_compare_exchange_strong(top, &pages, mine))
			pages = mine;
		else
			munmap((void *)mine, n);
	}
	return &pages[(address & (((uintptr_t)1 << 30) - 1)) / SHADOW_PAGE];
}

__attribute__((noreturn)) static void shadow_overlap(const char *what, uintptr_t at, uint64_t was, uint64_t is)
{
	say("P1 broken: %s at 0x%lx: was %lx, now %lx (pid %d)", what, (unsigned long)at, (unsigned long)was,
	    (unsigned long)is, (int)getpid());
	abort();
}

static void shadow_claim(shadow_entry *entry, uint64_t owner, uintptr_t at, const char *what)
{
	uint64_t was = atomic_load_explicit(entry, memory_order_relaxed);
	if (!was && atomic_compare_exchange_strong(entry, &was, owner))
		return;
	if (was != owner)
		shadow_overlap(what, at, was, owner);
}

/* As struct typed_type in typed_malloc.h, which programs that know no types do not include. */
struct shadow_type {
	size_t token, size;
	int fixed, large;
	const char *name;
};

enum { SHADOW_CANARY = 8, SHADOW_NIL = (1 << 22) - 1 /* the key of objects of no bytes, which all keys share */ };

/* Buckets, by size: 16 to 128 in steps of 16, then `steps` to each doubling. */
static size_t shadow_round(size_t n, size_t steps)
{
	if (n <= 128)
		return (n + 15) & ~(size_t)15;
	size_t top = 256;
	while (top < n)
		top *= 2;
	size_t step = top / 2 / steps;
	return (n + step - 1) / step * step;
}

/* The smallest bucket for n bytes whose slots are aligned, in 16 bytes. */
static unsigned shadow_bucket(size_t n, size_t align)
{
	if (n < align)
		n = align;
	for (size_t size = shadow_round(n, 8);; size = shadow_round(size + 1, 8))
		if (!(size & (align - 1)))
			return (unsigned)(size / 16);
}

/* The coarse one for it: 16 32 48 64 96 128, then two to each doubling. */
static unsigned shadow_coarse(unsigned bucket)
{
	size_t n = (size_t)bucket * 16;
	return n <= 64 ? bucket : n <= 96 ? 6 : n <= 128 ? 8 : (unsigned)(shadow_round(n, 2) / 16);
}

enum { SHADOW_FIXED = 1 << 19 };

/* Could objects of both classes (in 16 bytes, and SHADOW_FIXED) have had one slot? */
static bool shadow_may_share(uint64_t a, uint64_t b)
{
	if (a == b || (a | b) & SHADOW_FIXED)
		return a == b;
	unsigned x = (unsigned)a, y = (unsigned)b;
	return shadow_coarse(x) == y || x == shadow_coarse(y) || shadow_coarse(x) == shadow_coarse(y);
}

/* The granules of a page of slots. */
static shadow_entry *shadow_granules(uintptr_t at, uint64_t key)
{
	shadow_entry *page = shadow_page(at);
	uint64_t leaf = atomic_load_explicit(page, memory_order_acquire);
	if (!leaf) {
		uint64_t mine = (uint64_t)(uintptr_t)shadow_leaf();
		if (atomic_compare_exchange_strong(page, &leaf, mine)) {
			leaf = mine;
			atomic_fetch_add_explicit(&shadow_pages_seen, 1, memory_order_relaxed);
		}
	}
	if (leaf & 1)
		shadow_overlap("a slot where a large object was", at, leaf, key);
	return (shadow_entry *)(uintptr_t)leaf;
}

/* anchor: an address of the first page of a large object, or of the last of a sampled one, which ends at its span's end. */
static void shadow_record_pages(uintptr_t start, size_t n, uint64_t key, uintptr_t anchor)
{
	uint64_t owner = key << 40 | (anchor / SHADOW_PAGE) << 1 | 1; /* 24 bits of key, 35 of page number */
	for (uintptr_t at = start & ~(uintptr_t)(SHADOW_PAGE - 1); at < start + n; at += SHADOW_PAGE) {
		shadow_entry *entry = shadow_page(at);
		if (!atomic_load_explicit(entry, memory_order_relaxed))
			atomic_fetch_add_explicit(&shadow_pages_seen, 1, memory_order_relaxed);
		shadow_claim(entry, owner, at, "a large object");
	}
}

/* Is the small object at p a sampled one, with pages of its own? They are terabytes away from the slabs, if address space is plentiful. */
static int shadow_sampled(uintptr_t p)
{
	static uintptr_t slabs;
	uintptr_t at = __atomic_load_n(&slabs, __ATOMIC_RELAXED);
	if (!at) { /* of so many most are none, and lie together */
		enum { SOME = 15 };
		char *one[SOME];
		for (int i = 0; i < SOME; i++)
			MUST((one[i] = hide(malloc(24))));
		for (int i = 0, most = 0; i < SOME; i++) {
			int near = 0;
			for (int k = 0; k < SOME; k++)
				near += one[i] - one[k] < (intptr_t)1 << 38 && one[k] - one[i] < (intptr_t)1 << 38;
			if (near > most) {
				most = near;
				at = (uintptr_t)one[i];
			}
		}
		for (int i = 0; i < SOME; i++)
			free(one[i]);
		__atomic_store_n(&slabs, at, __ATOMIC_RELAXED);
	}
	return (p > at ? p - at : at - p) > (uintptr_t)1 << 40;
}

/* An object of this key was handed out, aligned to align if that is above 16. Keys are numbers from 1 to SHADOW_NIL - 1. */
UNUSED static void shadow_record_aligned(const void *p, uint64_t key, size_t align)
{
	static int (*type_of)(const void *, struct shadow_type *);
	int (*ask)(const void *, struct shadow_type *) = __atomic_load_n(&type_of, __ATOMIC_RELAXED);
	if (!ask) {
		ask = (int (*)(const void *, struct shadow_type *))need_symbol("typed_malloc_type_of");
		__atomic_store_n(&type_of, ask, __ATOMIC_RELAXED);
	}
	uintptr_t start = (uintptr_t)p;
	struct shadow_type t;
	MUST(!ask(p, &t));
	atomic_fetch_add_explicit(&shadow_objects, 1, memory_order_relaxed);
	if (t.large) {
		shadow_record_pages(start, t.size ? t.size : 1, key, start);
		return;
	}
	if (t.size && shadow_sampled(start)) {
		shadow_record_pages(start, t.size, key, start + t.size - 1);
		return;
	}
	MUST(!(start % GRANULE));
	if (!t.size)
		key = SHADOW_NIL;
	size_t n = !t.size ? 1 : t.fixed ? t.size : t.size + SHADOW_CANARY;
	uint64_t class = !t.size ? 0 : t.fixed ? SHADOW_FIXED | t.size / 16 : shadow_bucket(n, align > 16 ? align : 16);
	for (size_t i = 0; i * GRANULE < n; i++) {
		uintptr_t at = start + i * GRANULE;
		shadow_entry *entry = &shadow_granules(at, key)[at % SHADOW_PAGE / GRANULE];
		if (i) {
			shadow_claim(entry, key << 40 | (i + 1), at, "a slot");
			continue;
		}
		uint64_t mine = key << 40 | class << 20 | 1, was = 0;
		if (!atomic_compare_exchange_strong(entry, &was, mine) &&
		    (was >> 40 != key || (was & 0xfffff) != 1 || !shadow_may_share(was >> 20 & 0xfffff, class)))
			shadow_overlap("a slot", at, was, mine);
	}
}

UNUSED static void shadow_record(const void *p, uint64_t key) { shadow_record_aligned(p, key, 16); }

#endif
