/*
 * heap.h: policy. Which partition a call gets, what size and alignment mean, and what realloc does.
 *
 * The front hands over: where the call came from (site), the token if it has one (else 0), the name of the public
 * function (fn, for messages). What every allocation returns is zero, aligned to 16 if it is of 16 bytes or more,
 * and NULL with errno ENOMEM when it cannot be had. Frees keep errno.
 */
#ifndef TY_HEAP_H
#define TY_HEAP_H

#include "large.h"
#include "tcache.h"

extern int ty_heap_state; /* 0 before start, 1 starting, 2 ready, 3 no address space to be had. Atomic. */
bool ty_heap_start_slow(void);

/* The heap is ready; false: it cannot be. */
TY_INLINE bool ty_heap_start(void) { return likely(TY_LOAD_ACQ(&ty_heap_state) == 2) || ty_heap_start_slow(); }

/* A partition: the key and where it comes from. */
struct ty_part {
	u64 key;
	u32 source;
};

/* The partition of an untyped call that is not simply its return address; starts the heap if need be. */
struct ty_part ty_part_of_site(uintptr_t site);

/* Tokens of void and its qualified forms: a cast that names no type. */
#define TY_TOKEN_VOID 0x4a2f84459ea703e6ull
#define TY_TOKEN_CONST_VOID 0x1a176e88f4090641ull
#define TY_TOKEN_VOLATILE_VOID 0x74a6ab69aa930417ull
#define TY_TOKEN_CV_VOID 0x097f97ff85edd191ull

TY_INLINE bool ty_token_is_void(size_t token)
{
	return token == TY_TOKEN_VOID || token == TY_TOKEN_CONST_VOID || token == TY_TOKEN_VOLATILE_VOID ||
	       token == TY_TOKEN_CV_VOID;
}

TY_INLINE struct ty_part ty_part_of(uintptr_t site, size_t token)
{
	if (token && likely(ty_conf.use_tokens) && likely(!ty_token_is_void(token)))
		return (struct ty_part){token, TY_SOURCE_TYPE};
	if (likely(ty_conf.sites_direct))
		return (struct ty_part){site, TY_SOURCE_SITE};
	struct ty_part part = ty_part_of_site(site);
	if (token && ty_conf.use_tokens && !ty_token_is_void(token)) /* the first call started the heap */
		return (struct ty_part){token, TY_SOURCE_TYPE};
	return part;
}

TY_COLD void *ty_alloc_large(struct ty_part part, size_t size, size_t align, const char *fn);

TY_INLINE void *ty_alloc(struct ty_part part, size_t size, const char *fn)
{
	if (unlikely(size > TY_SMALL_MAX))
		return ty_alloc_large(part, size, 16, fn);
	return ty_alloc_class(part.key, ty_bucket_of(size) | TY_CLASS_SOURCE(part.source), size, fn);
}

/* The size is known at the call site: a cache of just that size. */
TY_INLINE void *ty_alloc_fixed(struct ty_part part, size_t size, const char *fn)
{
	if (unlikely(size > TY_SMALL_MAX))
		return ty_alloc_large(part, size, 16, fn);
	u32 cls = (u32)((size + (size == 0) + 15) / 16) | TY_CLASS_FIXED;
	return ty_alloc_class(part.key, cls | TY_CLASS_SOURCE(part.source), size, fn);
}

/* align: a power of two. */
void *ty_alloc_aligned(struct ty_part part, size_t align, size_t size, const char *fn);

/* Not in the slabs' part of the heap: a span, or nothing of ours. */
TY_COLD void ty_free_other(void *p, const char *fn);

TY_INLINE void ty_free(void *p, const char *fn)
{
	size_t off = (uintptr_t)p - ty_conf.base;

	if (likely(off < TY_LOAD(&ty_frontier.small_end)))
		ty_free_small(p, off, fn);
	else if (p)
		ty_free_other(p, fn);
}

/* free with an alignment that must be the object's. */
void ty_free_aligned(void *p, size_t align, const char *fn);

/* free with a size, an alignment (0: none given) that must be the object's. */
void ty_free_sized(void *p, size_t size, size_t align, const char *fn);

/*
 * token 0: the object keeps its partition. site and token stand for a new object (p NULL).
 * size 0 frees p and returns NULL. On failure p is as it was.
 */
void *ty_realloc(void *p, size_t size, uintptr_t site, size_t token, bool fixed, const char *fn);

/* Bytes that the program may use at p; 0 for NULL; anything but a live object ends the process. */
size_t ty_usable_size(const void *p, const char *fn);

/* fork.c: register the fork handlers. Once. */
void ty_fork_init(void);

#endif
