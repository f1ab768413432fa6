/*
 * tracked.h: what the heap does while a checker watches (track.h): ty_conf.checker.
 *
 *   the heap is ours (valgrind)     an object of n bytes is one of n + red, of variable size, whose last `red` bytes are nobody's:
 *
 *        slot start          n                 n + red        slot end
 *        | the program's     | no access       | canary, zeros | next slot
 *
 *   malloc is not ours (forward)    everything is handed to the public malloc, new, free..., through the symbol, which valgrind or
 *                                   the sanitizer has replaced. All that is kept here is which cache by name an object is of.
 *
 * Every function stands for the one of its name in tcache.c or heap.c, which asks it first.
 */
#ifndef TY_TRACKED_H
#define TY_TRACKED_H

#include "named.h"
#include "track.h"

void *ty_tracked_alloc(u64 key, u32 cls, size_t size, const char *fn);
/* A large object, or with forward any. */
void ty_tracked_free(void *p, const char *fn);
void ty_tracked_free_sized(void *p, size_t size, size_t align, const char *fn);
/* p is not NULL. */
void *ty_tracked_realloc(void *p, size_t size, const uintptr_t *at, size_t token, const char *fn);
/* Bytes that the program has asked for; ends the process unless p is a live object. */
size_t ty_tracked_size(const void *p, const char *fn);
/* typed_malloc_room. */
size_t ty_tracked_room(const void *p);
extern struct ty_lock ty_tracked_lock;
/* Forward: p must be of the cache n. */
void ty_tracked_cache_free(const struct ty_named *n, void *p, const char *fn);

#endif
