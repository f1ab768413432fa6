/* Wrappers of malloc as projects have them: compiled apart, without any flag or header of ours. As C or, for xnew, C++. */
#include <stdlib.h>
#include <string.h>
#ifdef __cplusplus
#include <new>
extern "C" {
#endif
void *xmalloc(size_t n);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s);
void *xdeep(size_t n);
void *xnew(size_t n);
void *xcall(size_t n, void (*f)(void));
void *xnothing(size_t n);
void *xtwo(size_t n, void **other);

/* noinline and barriers: the allocation happens as it stands here. */
#define KEPT __attribute__((noinline))
static void *out(void *p)
{
	__asm__ volatile("" : "+r"(p) : : "memory");
	return p;
}
static void *checked(void *p)
{
	if (!p)
		abort();
	return out(p);
}

KEPT void *xmalloc(size_t n) { return checked(malloc(n)); }
KEPT void *xcalloc(size_t n, size_t size) { return checked(calloc(n, size)); }
KEPT void *xrealloc(void *p, size_t n) { return checked(realloc(p, n)); }
KEPT char *xstrdup(const char *s) { return (char *)out(strcpy((char *)checked(malloc(strlen(s) + 1)), s)); }
static KEPT void *deeper(size_t n) { return out(xmalloc(n)); }
KEPT void *xdeep(size_t n) { return out(deeper(n)); }
KEPT void *xnew(size_t n)
{
#ifdef __cplusplus
	return out(::operator new(n));
#else
	(void)n;
	return NULL;
#endif
}
KEPT void *xcall(size_t n, void (*f)(void))
{
	f();
	return checked(malloc(n));
}
KEPT void *xnothing(size_t n)
{
	static char spare[64];
	return n <= sizeof spare ? out(spare) : NULL;
}
KEPT void *xtwo(size_t n, void **other)
{
	void *p = checked(malloc(n));
	*other = checked(malloc(n));
	return p;
}
#ifdef __cplusplus
}
#endif
