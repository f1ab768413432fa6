#include "unit.h"

#include "heap.h"

Test(bucket, smallest_that_serves)
{
	cr_assert(ty_heap_start()); /* ty_bucket_fast asks for it */
	for (unsigned b = 0; b < TY_BUCKETS; b++) {
		cr_assert(ty_bucket_bytes[b] % 16 == 0);
		cr_assert(!b || ty_bucket_bytes[b] > ty_bucket_bytes[b - 1]);
	}
	cr_assert(ty_bucket_bytes[TY_BUCKETS - 1] == TY_SMALL_MAX);
	for (size_t n = 1; n <= TY_SMALL_MAX; n++) {
		unsigned b = ty_bucket_of(n);
		cr_assert(b < TY_BUCKETS && ty_bucket_bytes[b] >= n && ty_bucket_fast(n) == b);
		cr_assert(!b || ty_bucket_bytes[b - 1] < n, "%zu", n);
		if (n > 128)
			cr_assert((ty_bucket_bytes[b] - n) * 8 <= ty_bucket_bytes[b], "waste at %zu", n);
	}
}

Test(bucket, coarse)
{
	unsigned distinct = 0;
	for (unsigned b = 0; b < TY_BUCKETS; b++) {
		unsigned c = ty_bucket_coarse(b);
		cr_assert(c >= b && c < TY_BUCKETS);
		cr_assert(ty_bucket_coarse(c) == c, "coarse buckets serve themselves");
		cr_assert(ty_bucket_bytes[c] <= ty_bucket_bytes[b] * 2);
		distinct += c == b;
	}
	cr_assert(distinct < TY_BUCKETS / 2);
}

/* Whatever the alignment, the bucket, also the coarse one in its place, keeps it. */
Test(bucket, aligned)
{
	for (size_t align = 1; align <= TY_PAGE; align *= 2)
		for (size_t n = 1; n <= TY_SMALL_MAX; n++) {
			unsigned b = ty_bucket_aligned(n, align);
			cr_assert(b < TY_BUCKETS && ty_bucket_bytes[b] >= n);
			cr_assert(ty_bucket_bytes[b] % align == 0 || align < 16);
			if (align >= 16)
				cr_assert(ty_bucket_bytes[ty_bucket_coarse(b)] % align == 0, "%zu at %zu", n, align);
		}
}

static void check_large(bool coarse)
{
	size_t last = 0;
	for (size_t pages = 1; pages < (size_t)1 << 30; pages += 1 + pages / 100) {
		size_t bytes = pages << TY_PAGE_SHIFT;
		u32 i = ty_large_index(bytes, coarse);
		cr_assert((i & ~TY_CLASS_COARSE) < 4096);
		size_t span = ty_large_bytes(i);
		cr_assert(span >= last && span >= bytes && span % TY_PAGE == 0);
		/* Address space only: one eighth, or (coarse, above 1 MiB) one half. */
		cr_assert((span - bytes) * (coarse && pages > 256 ? 2 : 8) <= span, "%zu pages", pages);
		cr_assert(ty_large_index(span, coarse) == i, "%zu pages", pages);
		last = span;
	}
	cr_assert((ty_large_index((size_t)1 << 62, coarse) & ~TY_CLASS_COARSE) < 4096);
}

Test(bucket, large)
{
	check_large(false);
	check_large(true);
}

Test(bucket, class_numbers)
{
	for (unsigned b = 0; b < TY_BUCKETS; b++)
		for (u32 source = 0; source < 4; source++)
			cr_assert(ty_class_bytes(b | TY_CLASS_SOURCE(source)) == ty_bucket_bytes[b]);
	for (u32 n = 16; n <= TY_SMALL_MAX; n += 16)
		cr_assert(ty_class_bytes(n / 16 | TY_CLASS_FIXED | TY_CLASS_SOURCE(1)) == n);
	cr_assert(TY_SMALL_MAX / 16 < 4096, "fixed sizes fit 12 bits");
}

/* A realloc stays in place exactly in the slots that malloc could have chosen for that size. */
Test(bucket, fits)
{
	for (size_t n = 1; n <= TY_VARIABLE_MAX; n += 1 + n / 64) {
		unsigned b = ty_bucket_of(n + TY_TAIL);
		for (u32 slot = 16; slot <= TY_SMALL_MAX; slot += 16)
			cr_assert(ty_bucket_fits(slot, n) ==
					  (slot == ty_bucket_bytes[b] || slot == ty_bucket_bytes[ty_bucket_coarse(b)]),
				  "%zu in %u", n, slot);
	}
	cr_assert(ty_bucket_fits(16, 8) && !ty_bucket_fits(16, 9) && ty_bucket_fits(16384, TY_VARIABLE_MAX));
	cr_assert(!ty_bucket_fits(16, 0), "objects of no bytes have slots of their own");
	for (u32 slot = 16; slot <= TY_SMALL_MAX; slot += 16)
		for (size_t less = 0; less < 20; less++)
			cr_assert(!ty_bucket_fits(slot, TY_SMALL_MAX - 7 + less) &&
				  !ty_bucket_fits(slot, SIZE_MAX - less) && !ty_bucket_fits(slot, PTRDIFF_MAX - less));
}

/* Room for the canary of any object, also an aligned one, and an alignment's slots of no bytes. */
Test(bucket, tails)
{
	for (size_t n = 1; n <= TY_VARIABLE_MAX; n++) {
		cr_assert(ty_bucket_bytes[ty_bucket_of(n + TY_TAIL)] >= n + TY_TAIL);
		for (size_t align = 32; align <= TY_PAGE; align *= 2)
			cr_assert(ty_bucket_bytes[ty_bucket_aligned(n + TY_TAIL, align)] >= n + TY_TAIL);
	}
	cr_assert(ty_class_nil(TY_CLASS_NIL) && ty_class_bytes(TY_CLASS_NIL) == 16);
	for (unsigned a = 5; a <= 12; a++) {
		u32 cls = TY_CLASS_NIL | a << TY_CLASS_ALIGN_SHIFT;
		cr_assert(ty_class_nil(cls) && ty_class_bytes(cls) == 1u << a);
	}
	cr_assert(!ty_class_nil(ty_bucket_fixed(1)) && !ty_class_nil(0));
}
