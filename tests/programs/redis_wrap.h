/*
 * Redis 7.0's wrappers of malloc, for -include with -fsanitize=alloc-token -fsanitize-alloc-token-extended.
 *
 * alloc_size promises that nobody uses more than was asked for, so the *_usable functions, whose callers do, and sds strings,
 * which have a header in front and a zero byte behind, are marked malloc instead.
 */
#include <stddef.h>
#include <typed_malloc.h>

TYPED_MALLOC_WRAPPER(void *, zmalloc, (size_t n), (n), __malloc__)
TYPED_MALLOC_WRAPPER(void *, zcalloc, (size_t n), (n), __malloc__)
TYPED_MALLOC_WRAPPER(void *, zcalloc_num, (size_t num, size_t n), (num, n), __malloc__)
TYPED_MALLOC_WRAPPER(void *, zrealloc, (void *p, size_t n), (p, n), __malloc__)
TYPED_MALLOC_WRAPPER(void *, ztrymalloc, (size_t n), (n), __malloc__)
TYPED_MALLOC_WRAPPER(void *, ztrycalloc, (size_t n), (n), __malloc__)
TYPED_MALLOC_WRAPPER(void *, ztryrealloc, (void *p, size_t n), (p, n), __malloc__)
TYPED_MALLOC_WRAPPER(void *, zmalloc_usable, (size_t n, size_t *usable), (n, usable), __malloc__)
TYPED_MALLOC_WRAPPER(void *, zcalloc_usable, (size_t n, size_t *usable), (n, usable), __malloc__)
TYPED_MALLOC_WRAPPER(void *, zrealloc_usable, (void *p, size_t n, size_t *usable), (p, n, usable), __malloc__)
TYPED_MALLOC_WRAPPER(void *, ztrymalloc_usable, (size_t n, size_t *usable), (n, usable), __malloc__)
TYPED_MALLOC_WRAPPER(void *, ztrycalloc_usable, (size_t n, size_t *usable), (n, usable), __malloc__)
TYPED_MALLOC_WRAPPER(void *, ztryrealloc_usable, (void *p, size_t n, size_t *usable), (p, n, usable), __malloc__)
TYPED_MALLOC_WRAPPER(char *, zstrdup, (const char *s), (s), __malloc__)

/* It allocates nothing, but Redis itself marks it alloc_size. */
TYPED_MALLOC_WRAPPER(void *, extend_to_usable, (void *p, size_t n), (p, n), __alloc_size__(2))

TYPED_MALLOC_WRAPPER(void *, sds_malloc, (size_t n), (n), __malloc__)
TYPED_MALLOC_WRAPPER(void *, sds_realloc, (void *p, size_t n), (p, n), __malloc__)

/*
 * Strings and listpacks, most of what a server holds, are bytes after a header for which Redis has no type, allocated in a
 * handful of places through the macros of sdsalloc.h and listpack_malloc.h. Those get a cast to a type of ours.
 */
#include "fmacros.h" /* the features that Redis wants of libc, before the first header of libc */
#include <stdlib.h>
#include "sdsalloc.h"
#include "listpack_malloc.h"

struct redis_string {
	char bytes[1];
};
struct redis_listpack {
	unsigned char bytes[1];
};
#undef s_malloc_usable
#undef s_trymalloc_usable
#undef s_realloc_usable
#define s_malloc_usable(n, usable) ((void *)(struct redis_string *)zmalloc_usable(n, usable))
#define s_trymalloc_usable(n, usable) ((void *)(struct redis_string *)ztrymalloc_usable(n, usable))
#define s_realloc_usable(p, n, usable) ((void *)(struct redis_string *)zrealloc_usable(p, n, usable))
#undef lp_malloc
#undef lp_realloc
#define lp_malloc(n) ((void *)(struct redis_listpack *)zmalloc_usable(n, NULL))
#define lp_realloc(p, n) ((void *)(struct redis_listpack *)zrealloc_usable(p, n, NULL))
