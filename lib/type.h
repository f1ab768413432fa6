/*
 * type.h: the index. A partition key becomes a type; a type and a class become a cache.
 *
 * Keys are compared whole (source and all 64 bits), so no two ever share by collision. Types and caches are
 * made on first use and never go away.
 *
 * Limit on keys: once option max_keys types exist, a new key of a call site, or a token without pointers, is given
 * one of the TY_RANDOM_PARTITIONS shared partitions of its kind (chosen by a secret hash) instead of a type of its
 * own; this is counted. A token with pointers always has its own.
 *
 * Lock: index (see lock.h), taken inside.
 */
#ifndef TY_TYPE_H
#define TY_TYPE_H

#include "bucket.h"
#include "lock.h"
#include "region.h"
#include "site.h"

/* Tokens at or above this stand for types that hold pointers (clang's typehashpointersplit). */
#define TY_TOKEN_POINTERS (SIZE_MAX / 2)
/*
 * Tokens below this come from units that number their types (-falloc-token-max, other modes than the default): what they
 * hold is unknown.
 */
#define TY_TOKEN_BOUNDED ((u64)1 << 32)

struct ty_cache;

/* A slot's size is of one of two ranges: what has most of the small slots may have few bytes of all. */
#define TY_RANGES 2
#define TY_RANGE_SMALL 1024
TY_INLINE unsigned ty_range(u32 size) { return size > TY_RANGE_SMALL; }

/* Complete when found, then constant but for bytes. */
struct ty_type {
	u64 key;	     /* token, return address, chain of them, or partition number */
	u32 id;		     /* its own id */
	u8 source;	     /* enum ty_source */
	u8 kind;	     /* enum ty_kind: what its slabs may share pages with */
	u8 nsites;	     /* of a call site's key */
	uintptr_t site[TY_CHAIN_MAX]; /* the chain of return addresses (site.h) */
	u64 bytes[TY_RANGES]; /* of its slabs, by ty_range of their slots. Atomic */
};

extern struct ty_lock ty_index_lock;

/* Called once at start. */
bool ty_type_init(void);

/*
 * The cache of (key, class); class carries the source. Made if it is not there; NULL: out of memory.
 * Past the limit on keys the answer is a cache of a shared partition.
 */
struct ty_cache *ty_index_cache(u64 key, u32 cls);
/* The cache of another class for the same key as c. */
struct ty_cache *ty_index_sibling(const struct ty_cache *c, u32 cls);

/* Partition number, 0 .. TY_RANDOM_PARTITIONS - 1, of a key. */
TY_INLINE u64 ty_random_partition(u64 key) { return ty_mix(key ^ ty_conf.secret) >> 60; }

/* Bytes of all slabs, by ty_range. Atomic. */
extern u64 ty_slab_bytes[TY_RANGES];

struct ty_index_totals {
	u32 types, caches;
	u64 shared_keys; /* look-ups that ended in a shared partition because of the limit */
};
void ty_index_totals(struct ty_index_totals *out);
/* Walk the caches: the one made after c (NULL: the newest). */
struct ty_cache *ty_index_next(struct ty_cache *c);

#endif
