/*
 * bucket.h: sizes and the classes that serve them.
 *
 * Buckets (variable sizes and the TY_TAIL bytes behind them), in bytes: 16, 32, ... 128, then eight to each doubling up
 * to TY_SMALL_MAX: 144, 160, ... 256, 288, ... 16384. 64 buckets, all multiples of 16, at most 12.5 % of a slot unused
 * above 128. A cold cache uses the coarse ones among them (two to each doubling): fewer first slabs.
 *
 * Fixed sizes (known at the site) have a class each: the size rounded up to 16. Objects of no bytes are of fixed size 0: slots
 * of 16 bytes, or of their alignment, without access.
 *
 * Alignment: a slab starts at a page, so slots whose size is a multiple of a power of two up to a page have that
 * alignment; an aligned request is served by the first bucket that is.
 *
 * A class number (u32) as it stands in caches and tables:
 *
 *   bits  0..11  small: bucket index, or size / 16 when FIXED; large: index of the span's size
 *   bit   12     small: FIXED; large: COARSE
 *   bit   13     LARGE
 *   bits 14..19  large: log2 of an alignment above a page, else 0; fixed size 0: log2 of an alignment above 16, else 0
 *   bits 20..22  source of the key (enum ty_source)
 *   bits 23..25  with option mismatch: what it was made by (enum ty_form), else 0
 */
#ifndef TY_BUCKET_H
#define TY_BUCKET_H

#include "bits.h"

#define TY_SMALL_MAX ((size_t)16384)
#define TY_TAIL 8 /* bytes behind an object of variable size that are not the program's: canary.h */
#define TY_VARIABLE_MAX (TY_SMALL_MAX - TY_TAIL) /* the largest object of variable size in a bucket */
#define TY_BUCKETS 64

#define TY_CLASS_FIXED (1u << 12)
#define TY_CLASS_COARSE (1u << 12)
#define TY_CLASS_LARGE (1u << 13)
#define TY_CLASS_ALIGN_SHIFT 14
#define TY_CLASS_SOURCE_SHIFT 20

/* Where a key comes from. Keys of different sources are different keys, whatever their value. */
enum ty_source {
	TY_SOURCE_SITE,	  /* return address of an untyped call */
	TY_SOURCE_TYPE,	  /* allocation token */
	TY_SOURCE_RANDOM, /* one of TY_RANDOM_PARTITIONS */
	TY_SOURCE_ALL,	  /* the one partition of policy "none" */
	TY_SOURCE_NAMED,  /* a cache or a set of buckets that the program has made (named.h) */
};
#define TY_CLASS_SOURCE(s) ((u32)(s) << TY_CLASS_SOURCE_SHIFT)
TY_INLINE u32 ty_class_source(u32 cls) { return cls >> TY_CLASS_SOURCE_SHIFT & 7; }

/* What an object was made by, and must be given back to. */
enum ty_form {
	TY_FORM_MALLOC, /* malloc, its family, typed_malloc, caches by name */
	TY_FORM_NEW,
	TY_FORM_NEW_ARRAY,
	TY_FORM_NEW_ALIGNED,
	TY_FORM_NEW_ARRAY_ALIGNED,
};
#define TY_CLASS_FORM_SHIFT 23
#define TY_CLASS_FORM(f) ((u32)(f) << TY_CLASS_FORM_SHIFT)
#define TY_CLASS_FORMS TY_CLASS_FORM(7)
TY_INLINE enum ty_form ty_class_form(u32 cls) { return (enum ty_form)(cls >> TY_CLASS_FORM_SHIFT & 7); }

/* The class of objects of no bytes, of all keys: nobody can reach into them. */
#define TY_CLASS_NIL (TY_CLASS_FIXED | TY_CLASS_SOURCE(TY_SOURCE_ALL))

extern const u16 ty_bucket_bytes[TY_BUCKETS];

/* Of more than 128 bytes; e: the log2 of size - 1. */
TY_INLINE unsigned ty_bucket_beyond(size_t size, unsigned e) { return 8 + (e - 7) * 8 + (unsigned)((size - 1) >> (e - 3)) - 8; }
/* The bucket whose slots have size bytes; size 1 to TY_SMALL_MAX. */
TY_INLINE unsigned ty_bucket_of(size_t size)
{
	return likely(size <= 128) ? (unsigned)((size - 1) >> 4) : ty_bucket_beyond(size, ty_log2(size - 1));
}
/* The same once the heap has started; before, a number that means nothing. */
TY_INLINE unsigned ty_bucket_fast(size_t size)
{
	return likely(size <= 128) ? (unsigned)((size - 1) >> 4) : ty_bucket_beyond(size, (unsigned)ty_log2_fast(size - 1));
}

/* The coarse bucket that serves a cold cache's objects of bucket b. */
unsigned ty_bucket_coarse(unsigned b);
/*
 * The first bucket of size bytes and more whose slots are aligned to align (a power of two, at most a page); size and
 * align small.
 */
unsigned ty_bucket_aligned(size_t size, size_t align);

/* The class of a fixed size of at most TY_SMALL_MAX. */
TY_INLINE u32 ty_bucket_fixed(size_t size) { return (u32)((size + 15) / 16) | TY_CLASS_FIXED; }

/* Bytes of a small class's slot. */
TY_INLINE u32 ty_class_bytes(u32 cls)
{
	u32 i = cls & 0xfff, a = cls >> TY_CLASS_ALIGN_SHIFT & 63;
	return !(cls & TY_CLASS_FIXED) ? ty_bucket_bytes[i] : i ? i * 16 : a ? 1u << a : 16;
}
/* Is it the small class of objects of no bytes? */
TY_INLINE bool ty_class_nil(u32 cls) { return (cls & (TY_CLASS_FIXED | 0xfff)) == TY_CLASS_FIXED; }

/*
 * Large sizes: index (and TY_CLASS_COARSE) of the span size for bytes (a multiple of 4 KiB, at least one page), and its
 * bytes. coarse: generous with address space, above 1 MiB.
 */
u32 ty_large_index(size_t bytes, bool coarse);
size_t ty_large_bytes(u32 cls);

/* Is a slot of a bucket's slot_bytes one that an object of variable size would be given (realloc in place)? */
bool ty_bucket_fits(u32 slot_bytes, size_t size);

#endif
