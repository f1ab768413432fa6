/* The P1 recorder: remembers for every 16 bytes of the address space who owned them first, and fails when another
 * comes.
 *
 *   table[address >> 30] -> page entries of 1 GiB -> 0            nobody yet
 *                                                    large | 1    a page of a large object: key and first page
 *                                                    leaf         256 granules of 16 bytes, each with key, size and
 *                                                                 place in the slot
 *
 * An entry is written once, by compare-and-swap, and never changes: that is the promise under test. All of it is
 * mmap'ed, so that it neither disturbs the heap nor depends on it; a fork copies it, and the child goes on with what
 * the parent saw. */
#ifndef TESTS_SHADOW_H
#define TESTS_SHADOW_H

#include "util.h"

#include <malloc.h>
#include <stdatomic.h>

enum {
	GRANULE = 16,
	SHADOW_PAGE = 4096,
	SHADOW_SMALL = 16 * 1024, /* up to here slots, above whole pages */
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

/* An object of this key was handed out. Keys are small numbers from 1, fewer than 2^22. */
UNUSED static void shadow_record(const void *p, uint64_t key)
{
	uintptr_t start = (uintptr_t)p;
	size_t usable = malloc_usable_size((void *)p);
	atomic_fetch_add_explicit(&shadow_objects, 1, memory_order_relaxed);
	if (!usable)
		usable = 1;
	if (usable > SHADOW_SMALL) {
		uint64_t owner = key << 40 | (start / SHADOW_PAGE) << 1 | 1; /* 24 bits of key, 35 of page number */
		for (uintptr_t at = start & ~(uintptr_t)(SHADOW_PAGE - 1); at < start + usable; at += SHADOW_PAGE) {
			shadow_entry *entry = shadow_page(at);
			if (!atomic_load_explicit(entry, memory_order_relaxed))
				atomic_fetch_add_explicit(&shadow_pages_seen, 1, memory_order_relaxed);
			shadow_claim(entry, owner, at, "a large object");
		}
		return;
	}
	MUST(!(start % GRANULE));
	uint64_t size = (usable + GRANULE - 1) / GRANULE;
	for (uint64_t i = 0; i < size;) {
		uintptr_t at = start + i * GRANULE;
		shadow_entry *page = shadow_page(at);
		uint64_t leaf = atomic_load_explicit(page, memory_order_acquire);
		if (leaf & 1)
			shadow_overlap("a slot where a large object was", at, leaf, key);
		if (!leaf) {
			uint64_t mine = (uint64_t)(uintptr_t)shadow_leaf();
			if (atomic_compare_exchange_strong(page, &leaf, mine)) {
				leaf = mine;
				atomic_fetch_add_explicit(&shadow_pages_seen, 1, memory_order_relaxed);
			} else if (leaf & 1)
				shadow_overlap("a slot where a large object was", at, leaf, key);
		}
		shadow_entry *granules = (shadow_entry *)(uintptr_t)leaf;
		for (uint64_t k = at % SHADOW_PAGE / GRANULE; k < SHADOW_PAGE / GRANULE && i < size; k++, i++)
			shadow_claim(&granules[k], key << 40 | size << 20 | (i + 1), start + i * GRANULE, "a slot");
	}
}

#endif
