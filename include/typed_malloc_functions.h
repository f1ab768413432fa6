/* SPDX-License-Identifier: MIT */
/**
 * @file typed_malloc_functions.h
 * The functions beneath the macros of typed_malloc.h, which includes this and says what holds for all of them; caches and buckets by
 * name; what an address is; what a program may define.
 */
#ifndef TYPED_MALLOC_FUNCTIONS_H
#define TYPED_MALLOC_FUNCTIONS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define TYPED_MALLOC_ATTR(x) __attribute__(x)
#else
#define TYPED_MALLOC_ATTR(x)
#endif
/* Under -fsanitize-alloc-token-extended functions that say they allocate are called by another name: these have theirs. */
#if defined(__SANITIZE_ALLOC_TOKEN__)
#define TYPED_MALLOC_ALLOCATES(x)
#else
#define TYPED_MALLOC_ALLOCATES(x) TYPED_MALLOC_ATTR(x)
#endif

/** The version of this header: major * 10000 + minor * 100 + patch. */
#define TYPED_MALLOC_VERSION 100

/**
 * Allocate an object whose size is not known when the call is compiled.
 *
 * @param size   bytes; 0 gives a unique pointer to an object of no usable size
 * @param token  the type's allocation token; 0, and the token of void, mean "no type": the call site stands in
 * @return zero bytes at an address aligned to 16 (8 if size is below 16), or NULL
 * @exception ENOMEM  there is no memory, or size is above PTRDIFF_MAX
 * @see malloc(3)
 */
void *typed_malloc_token(size_t size, size_t token) TYPED_MALLOC_ALLOCATES((__malloc__, __alloc_size__(1)));

/**
 * Allocate an object whose size is a constant of the call: as typed_malloc_token(), out of a cache of just this
 * (type, size rounded up to 16).
 */
void *typed_malloc_token_fixed(size_t size, size_t token) TYPED_MALLOC_ALLOCATES((__malloc__, __alloc_size__(1)));

/**
 * Allocate an array of n elements of size bytes each.
 *
 * @exception ENOMEM  also when n * size overflows
 * @see calloc(3)
 */
void *typed_calloc_token(size_t n, size_t size, size_t token) TYPED_MALLOC_ALLOCATES((__malloc__, __alloc_size__(1, 2)));

/** As typed_calloc_token(), for a constant n * size. */
void *typed_calloc_token_fixed(size_t n, size_t size, size_t token)
	TYPED_MALLOC_ALLOCATES((__malloc__, __alloc_size__(1, 2)));

/**
 * Allocate a structure of head bytes that ends in an array of n elements of `each` bytes.
 *
 * @exception ENOMEM  also when head + n * each overflows
 */
void *typed_malloc_flex_token(size_t head, size_t each, size_t n, size_t token) TYPED_MALLOC_ALLOCATES((__malloc__));

/**
 * Change the size of an object, moving it if need be.
 *
 * @param p      a live object, or NULL: as typed_malloc_token()
 * @param size   new size in bytes; 0 frees p and returns NULL, as glibc does
 * @param token  0 keeps the object's partition; another type's moves the object into that type's
 * @return the object, its first min(old, new) bytes unchanged, or NULL with p untouched
 * @exception ENOMEM  there is no memory
 * @see realloc(3)
 */
void *typed_realloc_token(void *p, size_t size, size_t token) TYPED_MALLOC_ALLOCATES((__alloc_size__(2)));

/** As typed_realloc_token() for n elements of size bytes; ENOMEM also when n * size overflows. @see reallocarray(3) */
void *typed_reallocarray_token(void *p, size_t n, size_t size, size_t token)
	TYPED_MALLOC_ALLOCATES((__alloc_size__(2, 3)));

/**
 * Allocate at a multiple of align.
 *
 * @param align  a power of two
 * @param size   bytes; need not be a multiple of align (C17 DR 460, glibc)
 * @exception EINVAL  align is not a power of two
 * @exception ENOMEM  there is no memory
 * @see aligned_alloc(3)
 */
void *typed_aligned_alloc_token(size_t align, size_t size, size_t token)
	TYPED_MALLOC_ALLOCATES((__malloc__, __alloc_size__(2)));

/**
 * Allocate at a multiple of align; errno is left alone.
 *
 * @param out    receives the object; untouched on failure
 * @param align  a power of two and a multiple of sizeof(void *)
 * @return 0, EINVAL (align) or ENOMEM
 * @see posix_memalign(3)
 */
int typed_posix_memalign_token(void **out, size_t align, size_t size, size_t token);

/** As typed_aligned_alloc_token(), but an align that is no power of two is rounded up to one. @see memalign(3) */
void *typed_memalign_token(size_t align, size_t size, size_t token) TYPED_MALLOC_ALLOCATES((__malloc__, __alloc_size__(2)));

/**
 * A copy of a string.
 *
 * @param s  ends with a zero byte
 * @return the copy, or NULL
 * @exception ENOMEM  there is no memory
 * @see strdup(3)
 */
char *typed_strdup_token(const char *s, size_t token) TYPED_MALLOC_ALLOCATES((__malloc__));

/** A copy of the first n bytes of a string, or of all of it when it is shorter; a zero byte is added. @see strndup(3) */
char *typed_strndup_token(const char *s, size_t n, size_t token) TYPED_MALLOC_ALLOCATES((__malloc__));

/**
 * Give an object back. NULL is ignored, errno is kept. Anything but a live object of this heap ends the process
 * with a message (typed_malloc(7), DIAGNOSTICS).
 *
 * @see free(3)
 */
void typed_free(void *p);

/** typed_free() of an object of `size` bytes: any other size ends the process. @see free_sized(3) in C23 */
void typed_free_sized(void *p, size_t size);

/* ---- caches and buckets of the program's own ---- */

/** @typedef typed_cache_t A cache of equal objects. It leads to no memory. */
typedef struct typed_cache typed_cache_t;
/** @typedef typed_buckets_t A set of size buckets. It leads to no memory. */
typedef struct typed_buckets typed_buckets_t;

/** The objects hold no pointers: keep them away from those that do. */
#define TYPED_NO_POINTERS 1u

/**
 * Make a cache whose objects share memory with no others, until the process ends (the kernel's kmem_cache_create, with
 * SLAB_NO_MERGE).
 *
 * @param name   for tables and messages; cut at 47 bytes, blanks and quotes become underscores
 * @param size   bytes of an object, above 0; rounded up to a multiple of align
 * @param align  a power of two; 0: 16
 * @param flags  0 or TYPED_NO_POINTERS
 * @return the cache, or NULL
 * @exception EINVAL  name is NULL or empty, size is 0, align is no power of two, a flag is unknown
 * @exception ENOMEM  there is no memory, or the size is impossible
 */
typed_cache_t *typed_cache_create(const char *name, size_t size, size_t align, unsigned flags);

/**
 * An object of a cache, zero. Anything but a cache ends the process.
 *
 * @return the object, or NULL
 * @exception ENOMEM  there is no memory
 */
void *typed_cache_alloc(typed_cache_t *cache) TYPED_MALLOC_ALLOCATES((__malloc__));

/** Give an object of this cache back; one of another ends the process. free() does it too, without that check. */
void typed_cache_free(typed_cache_t *cache, void *p);

/**
 * End a cache. Its memory goes back to the system, and its addresses stay its own: a cache of the same name, size,
 * alignment and flags that is made later gets them again.
 *
 * @return 0, or -1
 * @exception EBUSY  it has live objects; it stays
 */
int typed_cache_destroy(typed_cache_t *cache);

/** Make a set of size buckets that nothing else shares (the kernel's kmem_buckets_create). As typed_cache_create(). */
typed_buckets_t *typed_buckets_create(const char *name, unsigned flags);

/** size zero bytes of a set of buckets. NULL and ENOMEM as malloc. Given back with typed_free() or free(). */
void *typed_buckets_alloc(typed_buckets_t *buckets, size_t size)
	TYPED_MALLOC_ALLOCATES((__malloc__, __alloc_size__(2)));

/* ---- what an address is ---- */

/** What typed_malloc_type_of() says of an object. */
struct typed_type {
	size_t token;	  /**< of its type; 0: it was made without one */
	size_t size;	  /**< bytes that may be used */
	int fixed;	  /**< its cache is of just this size */
	int large;	  /**< it has pages of its own */
	const char *name; /**< of its typed_cache or typed_buckets; NULL: it is of none. Good for ever. */
};

/**
 * What is at an address. Reads the allocator's own records only, never the object.
 *
 * @param p    any address
 * @param out  filled in if p is the start of a live object
 * @return 0, or -1
 * @exception EINVAL  p is anything else: inside an object, freed, not of this heap, NULL
 */
int typed_malloc_type_of(const void *p, struct typed_type *out);

/**
 * Bytes from p, any address, to the end of the object that it lies in: what may be written there.
 * @return SIZE_MAX when p is not in this heap; 0 when it is, but in no live object (freed, past an object's end, a guard).
 * The process ends when the object has been written past its end already. Thread-safe; async-signal-safe but for that.
 */
size_t typed_malloc_room(const void *p);

/**
 * The token of the type of the live object that starts at p; 0: there is none, or it was made without a type. Cheap enough
 * for release builds: 29 instructions.
 */
size_t typed_malloc_token_at(const void *p);
/** 1: a live object of the type of this token starts at p; 0: one of another type; -1: there is no telling. */
int typed_malloc_is_token(const void *p, size_t token);
/** The same, when it is not known whether the type holds pointers: either token of its name will do. */
int typed_malloc_is_name(const void *p, size_t token);
/** End the process when typed_malloc_is_token() says 0. */
void typed_malloc_assert_token(const void *p, size_t token);

/**
 * The token that clang gives the type of a name in its default mode: SipHash-2-4 of the name as clang writes it, in the
 * lower or (pointers) the upper half of the range.
 *
 * @param name      such as "foo" for struct foo, "ns::bar", "unsigned long", "char *"
 * @param pointers  the type holds pointers
 */
size_t typed_token_of_name(const char *name, int pointers);

/* ---- the end ---- */

/**
 * A program may define it, to be told when the heap has found a misuse and the process is about to end:
 *
 *     void (*const typed_malloc_abort_hook)(const char *line, size_t n) = my_hook;
 *
 * It is called once, after the line was printed and before abort(3), in the thread that did it, whatever state the heap is in and
 * whatever locks that thread holds; so it should do as little as a signal handler does. It may allocate and free, though that may
 * fail; it must not wait for another thread, which may wait for such a lock. A crime within it, or a jump out of it and a later
 * allocation, ends the process at once. Nobody can change it when the program runs: it is constant, and the library keeps a copy,
 * taken at its start, in memory that is read-only and sealed. The library must be able to see it: link with the library, or
 * with -rdynamic.
 *
 * @param line  what was printed; its last byte is a newline, and a zero follows
 * @param n     bytes of line, the newline included
 */
extern TYPED_MALLOC_ATTR((__visibility__("default"))) void (*const typed_malloc_abort_hook)(const char *line, size_t n);

/**
 * A program may define it, to carry options of its own; see typed_malloc_options(7). The library must be able to see it, too.
 */
extern TYPED_MALLOC_ATTR((__visibility__("default"))) const char *typed_malloc_options;

/* ---- wrappers ---- */

/** The state around a call of a wrapper, for typed_wrap_enter(); on the caller's stack. */
struct typed_wrap {
	size_t token, frame;
};

/**
 * From here to typed_wrap_leave() the next allocation of this thread that comes without a type gets this one: the one
 * inside a wrapper of malloc that is called meanwhile. They nest.
 *
 * @param w      where the state is kept; it must live until typed_wrap_leave()
 * @param token  of the type; 0: none
 */
void typed_wrap_enter(struct typed_wrap *w, size_t token);
/** Put the state back that typed_wrap_enter() has found. */
void typed_wrap_leave(struct typed_wrap *w);

#ifdef __cplusplus
}
#endif

#endif
