/* SPDX-License-Identifier: MIT */
/**
 * @file typed_malloc.h
 * Allocation with a partition for each type.
 *
 * The macros below look like malloc and its family. Each passes the type of the object, as far as the compiler can
 * infer it from the call (clang 22 and later: __builtin_infer_alloc_token), to the function beneath, and the object
 * comes from memory that only objects of this type ever use, until the process ends. Where no type can be inferred, and
 * with compilers that cannot infer any (gcc, older clang), the call site stands in for the type.
 *
 * A size that is a compile-time constant is served from a cache of just that size; others from the type's own set of
 * size buckets.
 *
 * What comes back is always zero, aligned to 16 bytes if it has 16 or more (else to 8 at least), and is given back with
 * typed_free() or free(), whichever is at hand: there is one heap.
 *
 * All functions are thread-safe; none is async-signal-safe. Sizes and alignments are in bytes. Arguments of the
 * macros are evaluated once.
 */
#ifndef TYPED_MALLOC_H
#define TYPED_MALLOC_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define TYPED_MALLOC_ATTR(x) __attribute__(x)
#else
#define TYPED_MALLOC_ATTR(x)
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
void *typed_malloc_token(size_t size, size_t token) TYPED_MALLOC_ATTR((__malloc__, __alloc_size__(1)));

/**
 * Allocate an object whose size is a constant of the call: as typed_malloc_token(), out of a cache of just this
 * (type, size rounded up to 16).
 */
void *typed_malloc_token_fixed(size_t size, size_t token) TYPED_MALLOC_ATTR((__malloc__, __alloc_size__(1)));

/**
 * Allocate an array of n elements of size bytes each.
 *
 * @exception ENOMEM  also when n * size overflows
 * @see calloc(3)
 */
void *typed_calloc_token(size_t n, size_t size, size_t token) TYPED_MALLOC_ATTR((__malloc__, __alloc_size__(1, 2)));

/** As typed_calloc_token(), for a constant n * size. */
void *typed_calloc_token_fixed(size_t n, size_t size, size_t token)
	TYPED_MALLOC_ATTR((__malloc__, __alloc_size__(1, 2)));

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
void *typed_realloc_token(void *p, size_t size, size_t token) TYPED_MALLOC_ATTR((__alloc_size__(2)));

/** As typed_realloc_token() for n elements of size bytes; ENOMEM also when n * size overflows. @see reallocarray(3) */
void *typed_reallocarray_token(void *p, size_t n, size_t size, size_t token)
	TYPED_MALLOC_ATTR((__alloc_size__(2, 3)));

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
	TYPED_MALLOC_ATTR((__malloc__, __alloc_size__(2)));

/**
 * Allocate at a multiple of align; errno is left alone.
 *
 * @param out    receives the object; untouched on failure
 * @param align  a power of two and a multiple of sizeof(void *)
 * @return 0, EINVAL (align) or ENOMEM
 * @see posix_memalign(3)
 */
int typed_posix_memalign_token(void **out, size_t align, size_t size, size_t token);

/**
 * Give an object back. NULL is ignored, errno is kept. Anything but a live object of this heap ends the process
 * with a message (typed_malloc(7), DIAGNOSTICS).
 *
 * @see free(3)
 */
void typed_free(void *p);

#ifdef __cplusplus
}
#endif

#ifndef TYPED_MALLOC_NO_MACROS

#if defined(__has_builtin)
#if __has_builtin(__builtin_infer_alloc_token)
#define TYPED_MALLOC_HAS_TOKENS 1
#endif
#endif

/**
 * @def TYPED_MALLOC_TOKEN
 * The token of the type that the arguments, or the cast around the call, name. Must be expanded at the call site.
 */
#ifdef TYPED_MALLOC_HAS_TOKENS
#define TYPED_MALLOC_TOKEN(...) __builtin_infer_alloc_token(__VA_ARGS__)
/* Other modes than clang's default (typehashpointersplit, 64 bits) give tokens that this library would misread. */
#ifdef __cplusplus
static_assert(__builtin_infer_alloc_token(sizeof(void *)) >= (size_t)-1 / 2,
	      "typed_malloc.h needs clang's default allocation-token mode and no -falloc-token-max");
#else
_Static_assert(__builtin_infer_alloc_token(sizeof(void *)) >= (size_t)-1 / 2,
	       "typed_malloc.h needs clang's default allocation-token mode and no -falloc-token-max");
#endif
#else
#define TYPED_MALLOC_TOKEN(...) ((size_t)0)
#endif

/* A constant size, for the functions below: 1 or 0. */
#if defined(__GNUC__)
#define TYPED_MALLOC_FIXED(size) __builtin_constant_p(size)
#else
#define TYPED_MALLOC_FIXED(size) 0
#endif

/* Which function a call becomes; the token has to be inferred in the macro, where the cast is. */
TYPED_MALLOC_ATTR((__malloc__, __alloc_size__(1), __always_inline__))
static inline void *typed_malloc_at(size_t size, size_t token, int fixed)
{
	return fixed ? typed_malloc_token_fixed(size, token) : typed_malloc_token(size, token);
}

TYPED_MALLOC_ATTR((__malloc__, __alloc_size__(1, 2), __always_inline__))
static inline void *typed_calloc_at(size_t n, size_t size, size_t token, int fixed)
{
	return fixed ? typed_calloc_token_fixed(n, size, token) : typed_calloc_token(n, size, token);
}

/** malloc of the type that the size or the cast around the call names. See typed_malloc_token(). */
#define typed_malloc(size) typed_malloc_at((size), TYPED_MALLOC_TOKEN(size), TYPED_MALLOC_FIXED(size))
/** calloc; the element size names the type. See typed_calloc_token(). */
#define typed_calloc(n, size)                                                                                \
	typed_calloc_at((n), (size), TYPED_MALLOC_TOKEN(size, n), TYPED_MALLOC_FIXED((n) * (size)))
/** realloc. See typed_realloc_token(). */
#define typed_realloc(p, size) typed_realloc_token((p), (size), TYPED_MALLOC_TOKEN(size))
/** reallocarray; the element size names the type. See typed_reallocarray_token(). */
#define typed_reallocarray(p, n, size) typed_reallocarray_token((p), (n), (size), TYPED_MALLOC_TOKEN(size, n))
/** aligned_alloc; the alignment names no type. See typed_aligned_alloc_token(). */
#define typed_aligned_alloc(align, size) typed_aligned_alloc_token((align), (size), TYPED_MALLOC_TOKEN(size))
/** posix_memalign. See typed_posix_memalign_token(). */
#define typed_posix_memalign(out, align, size)                                                               \
	typed_posix_memalign_token((void **)(out), (align), (size), TYPED_MALLOC_TOKEN(size))

#endif /* TYPED_MALLOC_NO_MACROS */
#endif
