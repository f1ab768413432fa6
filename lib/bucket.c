/* bucket.c: see bucket.h. */
#include "bucket.h"

#define EIGHT(b) (b) * 9 / 8, (b) * 10 / 8, (b) * 11 / 8, (b) * 12 / 8, (b) * 13 / 8, (b) * 14 / 8, (b) * 15 / 8, (b) * 2

const u16 ty_bucket_bytes[TY_BUCKETS] = {
	16, 32, 48, 64, 80, 96, 112, 128, EIGHT(128), EIGHT(256), EIGHT(512), EIGHT(1024),
	EIGHT(2048), EIGHT(4096), EIGHT(8192),
};

unsigned ty_bucket_coarse(unsigned b)
{
	/* 16 32 48 64 96 128, then x1.5 and x2 of each doubling: the 4th and 8th of its eight buckets. */
	if (b < 4)
		return b;
	if (b < 8)
		return b < 6 ? 5 : 7;
	return (b | 3);
}

unsigned ty_bucket_aligned(size_t size, size_t align)
{
	unsigned b = ty_bucket_of(size < align ? align : size);
	while (ty_bucket_bytes[b] & (align - 1))
		b++; /* the power of two at the end of each doubling stops it */
	return b;
}

/*
 * Spans in pages: 1..8; then eight to each doubling up to 256 (1 MiB); above, powers of two if coarse. The room
 * behind an object is address space only, and few classes let freed spans be used again.
 */
#define COARSE_LOG 8u	  /* log2 of 256 */
#define COARSE_INDEX 49u /* of 512 pages: 9 + 5 * 8 */

u32 ty_large_index(size_t bytes, bool coarse)
{
	size_t pages = bytes >> TY_PAGE_SHIFT;
	if (pages <= 8)
		return (u32)pages;
	unsigned e = ty_log2(pages - 1);
	if (coarse && e >= COARSE_LOG)
		return (COARSE_INDEX + e - COARSE_LOG) | TY_CLASS_COARSE;
	return 9 + (e - 3) * 8 + (u32)((pages - 1) >> (e - 3)) - 8;
}

size_t ty_large_bytes(u32 cls)
{
	u32 index = cls & 0xfff;
	if (cls & TY_CLASS_COARSE)
		return (size_t)512 << (index - COARSE_INDEX) << TY_PAGE_SHIFT;
	if (index <= 8)
		return (size_t)index << TY_PAGE_SHIFT;
	unsigned e = (index - 9) / 8, k = (index - 9) % 8;
	return (size_t)(9 + k) << e << TY_PAGE_SHIFT;
}

bool ty_bucket_fits(u32 slot, size_t size)
{
	if (size - 1 >= TY_VARIABLE_MAX)
		return false;
	unsigned b = ty_bucket_of(size + TY_TAIL);
	return slot == ty_bucket_bytes[b] || slot == ty_bucket_bytes[ty_bucket_coarse(b)];
}
