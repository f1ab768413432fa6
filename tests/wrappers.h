/* A project's wrappers of malloc, in wrappers_lib.c, and how its header makes them pass types on. */
#ifndef TESTS_WRAPPERS_H
#define TESTS_WRAPPERS_H

#include "typed_malloc.h"

#ifdef __cplusplus
extern "C" {
#endif
/* A declaration may come before or after. */
TYPED_MALLOC_WRAPPER(void *, xmalloc, (size_t n), (n), __alloc_size__(1))
void *xmalloc(size_t n);
void *xcalloc(size_t n, size_t size);
TYPED_MALLOC_WRAPPER(void *, xcalloc, (size_t n, size_t size), (n, size), __alloc_size__(1, 2))
TYPED_MALLOC_WRAPPER(void *, xrealloc, (void *p, size_t n), (p, n), __alloc_size__(2))
void *xrealloc(void *p, size_t n);
TYPED_MALLOC_WRAPPER(char *, xstrdup, (const char *s), (s), __malloc__)
char *xstrdup(const char *s);
/* Out of a chain of three functions. */
TYPED_MALLOC_WRAPPER(void *, xdeep, (size_t n), (n), __alloc_size__(1))
void *xdeep(size_t n);
/* With operator new; NULL when the library of wrappers is not C++. */
TYPED_MALLOC_WRAPPER(void *, xnew, (size_t n), (n), __alloc_size__(1))
void *xnew(size_t n);
/* Calls back before it allocates. */
TYPED_MALLOC_WRAPPER(void *, xcall, (size_t n, void (*f)(void)), (n, f), __alloc_size__(1))
void *xcall(size_t n, void (*f)(void));
/* Allocates nothing. */
TYPED_MALLOC_WRAPPER(void *, xnothing, (size_t n), (n), __alloc_size__(1))
void *xnothing(size_t n);
/* Two objects; the first is what is asked for. */
TYPED_MALLOC_WRAPPER(void *, xtwo, (size_t n, void **other), (n, other), __alloc_size__(1))
void *xtwo(size_t n, void **other);
#ifdef __cplusplus
}
#endif

#ifdef WRAP_MACROS
#define xmalloc(n) TYPED_MALLOC_WRAP(xmalloc, n)
#define xcalloc(n, size) TYPED_MALLOC_WRAP(xcalloc, n, size)
#define xrealloc(p, n) TYPED_MALLOC_WRAP(xrealloc, p, n)
#define xstrdup(s) TYPED_MALLOC_WRAP(xstrdup, s)
#define xdeep(n) TYPED_MALLOC_WRAP(xdeep, n)
#define xnew(n) TYPED_MALLOC_WRAP(xnew, n)
#define xcall(n, f) TYPED_MALLOC_WRAP(xcall, n, f)
#define xnothing(n) TYPED_MALLOC_WRAP(xnothing, n)
#define xtwo(n, other) TYPED_MALLOC_WRAP(xtwo, n, other)
#endif
#endif
