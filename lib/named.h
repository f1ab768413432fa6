/*
 * named.h: caches and buckets that the program makes by name (typed_cache_create, typed_buckets_create).
 *
 * Each is a partition of its own: source TY_SOURCE_NAMED, key = id of its record | TY_NAMED_NO_POINTERS. The record lies in
 * metadata (P2). The program holds its id, as a pointer that leads nowhere, and it is believed only if it names a record:
 * `magic` is a function of the secret and the id that nothing else in metadata holds.
 *
 * A cache that was destroyed keeps its addresses (P1); it comes back when one of the same name and shape is made.
 *
 * Lock: index for `all`, `dead` and creation; the rest is constant.
 */
#ifndef TY_NAMED_H
#define TY_NAMED_H

#include "bucket.h"
#include "meta.h"

#define TY_NAMED_NO_POINTERS ((u64)1 << 63)
#define TY_NAME_MAX 48

struct ty_named {
	u64 magic;
	u64 key;
	size_t size;  /* of an object, a multiple of its alignment; 0: buckets */
	size_t exact; /* bytes that the program asked for */
	size_t align; /* a power of two */
	u32 cls;      /* class of its objects with the source; large ones: their alignment only */
	bool dead;
	struct ty_named *next;
	char name[TY_NAME_MAX]; /* terminated, cut if need be */
};

/* A cache (size not 0) or buckets; NULL and ENOMEM, or EINVAL. The heap has started. */
struct ty_named *ty_named_new(const char *name, size_t size, size_t align, bool no_pointers);
#define TY_NAMED_UNIT 16 /* handles are ids times this: they look aligned */
TY_INLINE void *ty_named_handle(const struct ty_named *n) { return (void *)((uintptr_t)ty_meta_id(n) * TY_NAMED_UNIT); }
/* Nobody uses it any more. */
void ty_named_end(struct ty_named *n);
/* What the program's handle stands for, or NULL. */
struct ty_named *ty_named_of(const void *handle);
TY_INLINE struct ty_named *ty_named_by_key(u64 key) { return ty_meta_ptr((u32)key); }

#endif
