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

#include "typed_malloc_functions.h"

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
