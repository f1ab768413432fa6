/* SPDX-License-Identifier: MIT */
/*
 * fuzz_exact.c: the cause of what the library found. An input that misuses the heap runs once more, with each object in pages of its
 * own that end where the object does, and that are never used again: the first access that is wrong faults, and is told with its
 * stack and those of the object's making and freeing.
 *
 *   | guard | zeros       object | guard | zeros  object | guard ...      one area; records in the order of addresses
 *
 * What does not fit, and what the hooks do not see, the library serves as ever.
 */
#define _GNU_SOURCE
#include "fuzz_driver.h"

#include <execinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define AREA ((size_t)4 << 30)
#define LARGEST ((size_t)256 << 20)
#define RECORDS (1u << 14) /* two mappings each: fewer than Linux allows a process */
#define PAGE ((size_t)4096)
#define DEPTH 12

struct stack {
	void *pc[DEPTH];
	int n; /* 0: did not happen */
};

static struct record {
	uint8_t *pages, *end; /* the object's pages; end: where the guard begins */
	uint8_t *object;
	size_t size, token;
	struct stack made, freed;
} record[RECORDS];
static unsigned nrecords;
static uint8_t *area, *next_free;
static bool aligned;
bool fz_exact;

void fz_exact_start(bool align)
{
	void *p = mmap(NULL, AREA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return;
	area = next_free = p;
	aligned = align;
	fz_exact = true;
}

/* The last record that begins at p or before; its guard behind counts, and so does the one before the first. */
static struct record *record_at(const void *p)
{
	unsigned low = 0, high = nrecords;

	if (!area || (const uint8_t *)p < area || (const uint8_t *)p >= area + AREA)
		return NULL;
	while (high - low > 1) {
		unsigned middle = (low + high) / 2;
		if ((const uint8_t *)p >= record[middle].pages)
			low = middle;
		else
			high = middle;
	}
	return nrecords ? &record[low] : NULL;
}

/*
 * No alignment that was not asked for, but the one that the size says: so that an array of bytes ends at the guard. Where nothing is
 * known yet, 8 as well: a program may count on that, and must not be blamed for it.
 */
static size_t align_for(size_t align, size_t size)
{
	size_t natural = size & -size;

	if (align)
		return align;
	if (natural < 8 && size > 8 && aligned)
		return 8;
	return natural == 0 || natural > 16 ? 16 : natural;
}

void *fz_exact_alloc(size_t align, size_t size, size_t token)
{
	size_t pages = (size + PAGE - 1) / PAGE * PAGE;

	pages = pages ? pages : PAGE;
	if (size > LARGEST || align > PAGE || nrecords == RECORDS || (size_t)(area + AREA - next_free) < pages + 2 * PAGE)
		return NULL;
	struct record *r = &record[nrecords];
	*r = (struct record){.pages = next_free + PAGE, .end = next_free + PAGE + pages, .size = size, .token = token};
	if (mprotect(r->pages, pages, PROT_READ | PROT_WRITE) != 0)
		return NULL;
	align = align_for(align, size);
	r->object = r->end - (size + align - 1) / align * align;
	r->made.n = backtrace(r->made.pc, DEPTH);
	next_free = r->end;
	nrecords++;
	return r->object;
}

/* ---- what is told ---- */

static void tell(const struct record *r, const char *what)
{
	fz_put("typed_fuzz: exact: ");
	fz_put(what);
	fz_put(" of an object, bytes ");
	fz_put_hex(r->size);
	fz_put(", type token ");
	fz_put_hex(r->token);
	fz_put("\n");
	fz_frames_tell();
	fz_put("typed_fuzz: made by\n");
	fz_frames_put(r->made.pc, r->made.n);
	fz_put("typed_fuzz: freed by\n");
	fz_frames_put(r->freed.pc, r->freed.n);
}

void fz_exact_fault(const void *address)
{
	struct record *r = record_at(address);

	if (!r)
		return;
	if ((const uint8_t *)address >= r->end && r + 1 < record + nrecords &&
	    (size_t)((const uint8_t *)address - r->end) >= PAGE - 64)
		tell(r + 1, "underflow"); /* nearer to the next one */
	else if ((const uint8_t *)address < r->pages)
		tell(r, "underflow");
	else if ((const uint8_t *)address >= r->end)
		tell(r, "overflow");
	else
		tell(r, "use after free");
}

static bool zero(const uint8_t *from, const uint8_t *to)
{
	while (from < to && !*from)
		from++;
	return from >= to;
}

static void end_with(const struct record *r, const char *what)
{
	tell(r, what);
	abort();
}

bool fz_exact_size(const void *p, size_t *size)
{
	struct record *r = record_at(p);

	if (!r)
		return false;
	*size = r->size;
	return true;
}

bool fz_exact_free(void *p)
{
	struct record *r = p ? record_at(p) : NULL;

	if (!r)
		return false;
	if (p != r->object)
		end_with(r, "invalid free");
	if (r->freed.n)
		end_with(r, "double free");
	if (!zero(r->pages, r->object))
		end_with(r, "late underflow");
	if (!zero(r->object + r->size, r->end))
		end_with(r, "late overflow");
	r->freed.n = backtrace(r->freed.pc, DEPTH);
	if (mmap(r->pages, (size_t)(r->end - r->pages), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) ==
	    MAP_FAILED)
		mprotect(r->pages, (size_t)(r->end - r->pages), PROT_NONE);
	return true;
}

/* A larger or smaller one in its place. Only for an object of ours, or none. */
void *fz_exact_resize(void *p, size_t size, size_t token)
{
	struct record *r = p ? record_at(p) : NULL;
	void *q = size || !p ? fz_exact_alloc(0, size, token) : NULL;

	if (!q && size)
		return NULL;
	if (r && r->freed.n)
		end_with(r, "double free");
	if (q && r)
		memcpy(q, p, r->size < size ? r->size : size);
	fz_exact_free(p);
	return q;
}
