/* SPDX-License-Identifier: MIT */
/**
 * @file typed_malloc.h
 * Allocation with a partition for each type.
 *
 * The macros below look like malloc and its family. Each passes the type of the object, as far as the compiler can
 * infer it from the call (clang 22 and later: __builtin_infer_alloc_token), to the function beneath, and the object
 * comes from memory that only objects of this type ever use, until the process ends. Where no type can be inferred, and
 * with compilers that cannot infer any (gcc, older clang), the call site stands in for the type. typed_malloc_obj() and
 * its like name the type themselves, for any compiler.
 *
 * A size that is a compile-time constant is served from a cache of just that size; others from the type's own set of
 * size buckets.
 *
 * What comes back is always zero, aligned to 16 bytes if it has 16 or more (else to 8 at least), and is given back with
 * typed_free() or free(), whichever is at hand: there is one heap.
 *
 * All functions are thread-safe; none is async-signal-safe. Sizes and alignments are in bytes. Arguments of the
 * macros are evaluated once.
 *
 * Defined before this header is included, or on the command line:
 *   TYPED_MALLOC_REPLACE         malloc, calloc, realloc, ... become the typed ones; see the end
 *   TYPED_MALLOC_TYPE_AWARE_NEW  C++: new T and delete of T go by type (P2719), and delete checks it
 *   TYPED_MALLOC_NO_MACROS       the functions alone
 *   TYPED_MALLOC_KEEP_FEATURES   with TYPED_MALLOC_REPLACE: the program has said before which features of libc it wants
 */
#if !defined(TYPED_MALLOC_H) && !defined(__ASSEMBLER__)
#define TYPED_MALLOC_H

/*
 * The headers that declare what TYPED_MALLOC_REPLACE replaces must have been read before. A program that says later
 * which features of libc it wants would come too late: it gets all of them.
 */
#ifdef TYPED_MALLOC_REPLACE
#if !defined(_GNU_SOURCE) && !defined(TYPED_MALLOC_KEEP_FEATURES)
#define _GNU_SOURCE
#define TYPED_MALLOC_UNDEF_GNU_SOURCE
#endif
#ifdef __cplusplus
#include <cstdlib>
#include <cstring>
#else
#include <stdlib.h>
#include <string.h>
#endif
#if defined(__has_include)
#if __has_include(<malloc.h>)
#include <malloc.h>
#endif
#if __has_include(<mm_malloc.h>) && defined(__SSE__) /* x86 intrinsics declare posix_memalign */
#include <mm_malloc.h>
#endif
#endif
#ifdef TYPED_MALLOC_UNDEF_GNU_SOURCE
#undef _GNU_SOURCE
#undef TYPED_MALLOC_UNDEF_GNU_SOURCE
#endif
#endif

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
 * fail; it must not wait for another thread, which may wait for such a lock. A crime within it, or a jump out of it and a later allocation, ends the process at once. Nobody can change it when the
 * program runs: it is constant, and the library keeps a copy, taken at its start, in memory that is read-only and sealed. The
 * library must be able to see it: link with the library, or with -rdynamic.
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

#ifndef TYPED_MALLOC_NO_MACROS

/* ---- tokens ---- */

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
/*
 * Other modes than clang's default (typehashpointersplit, 64 bits) give tokens that this library would misread: those that
 * count or draw them are no constants, and bounded ones are small.
 */
#ifdef __cplusplus
#define TYPED_MALLOC_ASSERT_(x) static_assert(x, "typed_malloc.h needs clang's default allocation-token mode and no -falloc-token-max")
#else
#define TYPED_MALLOC_ASSERT_(x) __extension__ _Static_assert(x, "typed_malloc.h needs clang's default allocation-token mode and no -falloc-token-max")
#endif
TYPED_MALLOC_ASSERT_(__builtin_constant_p(__builtin_infer_alloc_token(sizeof(int))));
TYPED_MALLOC_ASSERT_(__builtin_infer_alloc_token(sizeof(void *)) >= (size_t)-1 / 2);
#define TYPED_MALLOC_TOKEN_OF_(name, ...) __builtin_infer_alloc_token(sizeof(__typeof__(__VA_ARGS__)))
#else
#define TYPED_MALLOC_TOKEN(...) ((size_t)0)
#if !defined(__GNUC__)
#define TYPED_MALLOC_TOKEN_OF_(name, ...) ((size_t)0)
#endif
#endif

/* A constant size, for the functions below: 1 or 0. */
#if defined(__GNUC__)
#define TYPED_MALLOC_FIXED(size) __builtin_constant_p(size)
#else
#define TYPED_MALLOC_FIXED(size) 0
#endif

#if !defined(TYPED_MALLOC_HAS_TOKENS) && defined(__GNUC__)
#include "typed_malloc_name.h" /* tokens of names */
#else
/* The other half of the range: gcc may have made it, which cannot tell whether the type holds pointers. */
static inline int typed_malloc_is_(const void *p, size_t token)
{
	size_t is = typed_malloc_token_at(p);
	return is == token ? 1 : is == 0 || is - token == (size_t)-1 / 2 || token - is == (size_t)-1 / 2 ? -1 : 0;
}
#endif

/* ---- malloc and its family ---- */

/* Which function a call becomes; the token has to be inferred in the macro, where the cast is. */
TYPED_MALLOC_ALLOCATES((__malloc__, __alloc_size__(1))) TYPED_MALLOC_ATTR((__always_inline__))
static inline void *typed_malloc_at(size_t size, size_t token, int fixed)
{
	return fixed ? typed_malloc_token_fixed(size, token) : typed_malloc_token(size, token);
}

TYPED_MALLOC_ALLOCATES((__malloc__, __alloc_size__(1, 2))) TYPED_MALLOC_ATTR((__always_inline__))
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
/** memalign; the alignment names no type. See typed_memalign_token(). */
#define typed_memalign(align, size) typed_memalign_token((align), (size), TYPED_MALLOC_TOKEN(size))
/** posix_memalign. See typed_posix_memalign_token(). */
#define typed_posix_memalign(out, align, size)                                                               \
	typed_posix_memalign_token((void **)(out), (align), (size), TYPED_MALLOC_TOKEN(size))
/** strdup: the type is char. See typed_strdup_token(). */
#define typed_strdup(s) typed_strdup_token((s), TYPED_MALLOC_TOKEN_OF_("char", char))
/** strndup: the type is char. See typed_strndup_token(). */
#define typed_strndup(s, n) typed_strndup_token((s), (n), TYPED_MALLOC_TOKEN_OF_("char", char))

/* ---- objects by type ---- */

#if defined(__GNUC__)
/**
 * An object of a type: T *, or NULL and ENOMEM. The kernel's kmalloc_obj. @param ... a type, or an expression of that type
 * (not evaluated)
 */
#define typed_malloc_obj(...)                                                                                \
	((__typeof__(__VA_ARGS__) *)typed_malloc_token_fixed(sizeof(__typeof__(__VA_ARGS__)),                 \
							     TYPED_MALLOC_TOKEN_OF_(#__VA_ARGS__, __VA_ARGS__)))
/** The same; the zeros are meant. All memory is zero, but only here does a checker (valgrind) take reading it for no mistake. */
#define typed_zalloc_obj(...)                                                                                \
	((__typeof__(__VA_ARGS__) *)typed_calloc_token_fixed(1, sizeof(__typeof__(__VA_ARGS__)),              \
							     TYPED_MALLOC_TOKEN_OF_(#__VA_ARGS__, __VA_ARGS__)))
/** An array of n objects: T *, or NULL and ENOMEM, also when its size overflows. The kernel's kmalloc_objs. */
#define typed_malloc_objs(T, n)                                                                              \
	((__typeof__(T) *)typed_calloc_at((n), sizeof(__typeof__(T)), TYPED_MALLOC_TOKEN_OF_(#T, T),          \
					  TYPED_MALLOC_FIXED(n)))
/**
 * A structure whose last member is a flexible array of n elements: T *, or NULL and ENOMEM, also when its size overflows or
 * n is more than the counter of a __counted_by member holds, which is set to n where the compiler has
 * __builtin_counted_by_ref. The kernel's kmalloc_flex.
 */
#define typed_malloc_flex(T, member, n)                                                                      \
	__extension__({                                                                                      \
		size_t typed_n_ = (n);                                                                       \
		__typeof__(T) *typed_p_ = (__typeof__(T) *)0;                                                \
		if (TYPED_MALLOC_COUNT_FITS_(typed_p_, member, typed_n_))                                    \
			typed_p_ = (__typeof__(T) *)typed_malloc_flex_token(sizeof(*typed_p_),               \
									    sizeof(typed_p_->member[0]),     \
									    typed_n_,                        \
									    TYPED_MALLOC_TOKEN_OF_(#T, T));  \
		else                                                                                         \
			typed_p_ = (__typeof__(T) *)typed_malloc_flex_token(0, 1, (size_t)-1, 0);            \
		if (typed_p_)                                                                                \
			TYPED_MALLOC_COUNT_SET_(typed_p_, member, typed_n_);                                 \
		typed_p_;                                                                                    \
	})
/** The same, by other names: both are zero to a checker too. */
#define typed_zalloc_objs(T, n) typed_malloc_objs(T, n)
#define typed_zalloc_flex(T, member, n) typed_malloc_flex(T, member, n)

#define TYPED_MALLOC_COUNT_FITS_(p, member, n) 1
#define TYPED_MALLOC_COUNT_SET_(p, member, n) ((void)0)
#if defined(__has_builtin) && !defined(__cplusplus)
#if __has_builtin(__builtin_counted_by_ref)
#undef TYPED_MALLOC_COUNT_FITS_
#undef TYPED_MALLOC_COUNT_SET_
#define TYPED_MALLOC_COUNTER_(p, member)                                                                     \
	_Generic(__builtin_counted_by_ref((p)->member), void *: &(size_t){0}, default: __builtin_counted_by_ref((p)->member))
#define TYPED_MALLOC_COUNT_FITS_(p, member, n) ((size_t)(__typeof__(*TYPED_MALLOC_COUNTER_(p, member)))(n) == (n))
#define TYPED_MALLOC_COUNT_SET_(p, member, n)                                                                \
	(*TYPED_MALLOC_COUNTER_(p, member) = (__typeof__(*TYPED_MALLOC_COUNTER_(p, member)))(n))
#endif
#endif

/**
 * 1: a live object of type T starts at p; 0: one of another type; -1: there is no telling. Compilers without tokens say 1 or
 * -1. See typed_malloc_token_at().
 */
#define typed_malloc_is(p, ...) typed_malloc_is_((p), TYPED_MALLOC_TOKEN_OF_(#__VA_ARGS__, __VA_ARGS__))
/** End the process when typed_malloc_is() says 0. */
#define typed_malloc_assert(p, ...) typed_malloc_assert_((p), TYPED_MALLOC_TOKEN_OF_(#__VA_ARGS__, __VA_ARGS__))
static inline void typed_malloc_assert_(const void *p, size_t token)
{
	if (typed_malloc_is_(p, token) == 0)
		typed_malloc_assert_token(p, token);
}
#endif

/* ---- wrappers ---- */

#if defined(__GNUC__)
/**
 * A call of fn(...), whose allocation gets the type that the arguments or the cast around the call name. For a project's own
 * header, after the prototype: `#define xmalloc(n) TYPED_MALLOC_WRAP(xmalloc, n)`. Allocations without a type in the
 * arguments themselves would take the token: there are none, as a rule.
 */
#ifdef __cplusplus
#define TYPED_MALLOC_AUTO_ auto
#else
#define TYPED_MALLOC_AUTO_ __auto_type
#endif
#define TYPED_MALLOC_WRAP(fn, ...)                                                                           \
	__extension__({                                                                                      \
		struct typed_wrap typed_w_ __attribute__((__cleanup__(typed_wrap_leave)));                   \
		typed_wrap_enter(&typed_w_, TYPED_MALLOC_TOKEN(__VA_ARGS__));                                \
		TYPED_MALLOC_AUTO_ typed_r_ = fn(__VA_ARGS__);                                               \
		typed_r_;                                                                                    \
	})
#endif

/**
 * @def TYPED_MALLOC_WRAPPER(result, fn, parameters, arguments, attributes...)
 * For -fsanitize=alloc-token -fsanitize-alloc-token-extended, at file scope, before or after fn is declared: calls of fn for
 * which a type is inferred hand it to the allocation inside, with no change in fn. The attributes, alloc_size or malloc,
 * are what tells clang that fn allocates. Nothing with other compilers and in C++. Link with -Wl,--gc-sections: each unit has
 * code that calls fn, whether the unit does or not, and programs that lack fn would not link with it.
 * Example:
 *   TYPED_MALLOC_WRAPPER(void *, xrealloc, (void *p, size_t n), (p, n), __alloc_size__(2))
 */
#if defined(__SANITIZE_ALLOC_TOKEN__) && !defined(__cplusplus)
#define TYPED_MALLOC_OPEN_(...) __VA_ARGS__
#define TYPED_MALLOC_WRAPPER(result, fn, parameters, arguments, ...)                                         \
	result fn parameters __attribute__((__noinline__, __VA_ARGS__));                                     \
	result __alloc_token_##fn(TYPED_MALLOC_OPEN_ parameters, size_t typed_token_);                        \
	__attribute__((__weak__, __visibility__("hidden"), __no_sanitize__("alloc-token"),                    \
		       __section__(".text.typed_malloc." #fn))) result                                        \
	__alloc_token_##fn(TYPED_MALLOC_OPEN_ parameters, size_t typed_token_)                                \
	{                                                                                                    \
		struct typed_wrap typed_w_ __attribute__((__cleanup__(typed_wrap_leave)));                   \
		typed_wrap_enter(&typed_w_, typed_token_);                                                   \
		return fn arguments;                                                                         \
	}
#else
#define TYPED_MALLOC_WRAPPER(result, fn, parameters, arguments, ...)
#endif

/* ---- C++: new by type (P2719) ---- */

#if defined(__cplusplus) && defined(TYPED_MALLOC_TYPE_AWARE_NEW) && defined(TYPED_MALLOC_HAS_TOKENS)
#include <new>
#include <type_traits>
#if __cplusplus >= 202002L
extern "C++" {
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wunknown-warning-option"
#pragma clang diagnostic ignored "-Wext-cxx-type-aware-allocators"
template <class T> void *operator new(std::type_identity<T>, std::size_t size, std::align_val_t align)
{
	for (;;) {
		void *p = typed_aligned_alloc_token((std::size_t)align, size, __builtin_infer_alloc_token(sizeof(T)));
		if (p)
			return p;
		std::new_handler handler = std::get_new_handler();
		if (!handler)
			throw std::bad_alloc();
		handler();
	}
}
template <class T> void *operator new[](std::type_identity<T> t, std::size_t size, std::align_val_t align)
{
	return ::operator new(t, size, align);
}
template <class T> void operator delete(std::type_identity<T>, void *p, std::size_t, std::align_val_t) noexcept
{
	typed_malloc_assert_token(p, __builtin_infer_alloc_token(sizeof(T)));
	typed_free(p);
}
template <class T> void operator delete[](std::type_identity<T> t, void *p, std::size_t size, std::align_val_t align) noexcept
{
	::operator delete(t, p, size, align);
}
#pragma clang diagnostic pop
}
#endif
#endif

/* ---- the standard names ---- */

/*
 * TYPED_MALLOC_REPLACE. Not replaced: free, as there is one heap; what is called through a pointer (&malloc); asprintf, getline
 * and whatever else allocates inside libc. What breaks: a member or a function of the program's own that is called like one
 * of these, as in ops->malloc(n). Write (ops->malloc)(n), or #undef malloc in that file.
 */
#ifdef TYPED_MALLOC_REPLACE
#undef malloc
#undef calloc
#undef realloc
#undef reallocarray
#undef aligned_alloc
#undef memalign
#undef posix_memalign
#undef strdup
#undef strndup
#define malloc(size) typed_malloc(size)
#define calloc(n, size) typed_calloc(n, size)
#define realloc(p, size) typed_realloc(p, size)
#define reallocarray(p, n, size) typed_reallocarray(p, n, size)
#define aligned_alloc(align, size) typed_aligned_alloc(align, size)
#define memalign(align, size) typed_memalign(align, size)
#define posix_memalign(out, align, size) typed_posix_memalign(out, align, size)
#define strdup(s) typed_strdup(s)
#define strndup(s, n) typed_strndup(s, n)
#ifdef __cplusplus
/* std::malloc(n) */
namespace std {
using ::typed_aligned_alloc_token;
using ::typed_calloc_at;
using ::typed_malloc_at;
using ::typed_realloc_token;
} // namespace std
#endif
#endif

#endif /* TYPED_MALLOC_NO_MACROS */
#endif
