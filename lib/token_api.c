/*
 * token_api.c: the functions beneath the macros of typed_malloc.h, which documents them. The call site is taken here,
 * for calls whose token names no type.
 */
#include "heap.h"

#include <errno.h>

#define TYPED_MALLOC_NO_MACROS
#include "typed_malloc.h"

static void *no_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

TY_EXPORT void *typed_malloc_token(size_t size, size_t token)
{
	return ty_alloc(TY_SITE(), token, size, "typed_malloc");
}

TY_EXPORT void *typed_malloc_token_fixed(size_t size, size_t token)
{
	return ty_alloc_fixed(TY_SITE(), token, size, "typed_malloc");
}

TY_EXPORT void *typed_calloc_token(size_t n, size_t size, size_t token)
{
	size_t bytes;
	if (unlikely(__builtin_mul_overflow(n, size, &bytes)))
		return no_memory();
	return ty_alloc(TY_SITE(), token, bytes, "typed_calloc");
}

TY_EXPORT void *typed_calloc_token_fixed(size_t n, size_t size, size_t token)
{
	size_t bytes;
	if (unlikely(__builtin_mul_overflow(n, size, &bytes)))
		return no_memory();
	return ty_alloc_fixed(TY_SITE(), token, bytes, "typed_calloc");
}

TY_EXPORT void *typed_realloc_token(void *p, size_t size, size_t token)
{
	return ty_realloc(p, size, TY_SITE(), token, false, "typed_realloc");
}

TY_EXPORT void *typed_reallocarray_token(void *p, size_t n, size_t size, size_t token)
{
	size_t bytes;
	if (unlikely(__builtin_mul_overflow(n, size, &bytes)))
		return no_memory();
	return ty_realloc(p, bytes, TY_SITE(), token, false, "typed_reallocarray");
}

TY_EXPORT void *typed_aligned_alloc_token(size_t align, size_t size, size_t token)
{
	if (unlikely(!ty_is_pow2(align))) {
		errno = EINVAL;
		return NULL;
	}
	return ty_alloc_aligned(TY_SITE(), token, align, size, "typed_aligned_alloc");
}

TY_EXPORT int typed_posix_memalign_token(void **out, size_t align, size_t size, size_t token)
{
	int saved = errno;
	if (!ty_is_pow2(align) || align % sizeof(void *))
		return EINVAL;
	void *p = ty_alloc_aligned(TY_SITE(), token, align, size, "typed_posix_memalign");
	errno = saved;
	if (!p)
		return ENOMEM;
	*out = p;
	return 0;
}

TY_EXPORT void typed_free(void *p) { ty_free(p, "typed_free"); }
