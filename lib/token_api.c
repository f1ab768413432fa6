/*
 * token_api.c: the functions beneath the macros of typed_malloc.h, which documents them. The call site is taken here,
 * for calls whose token names no type.
 */
#include "heap.h"

#include <errno.h>
#include <string.h>

#define TYPED_MALLOC_NO_MACROS
#include "typed_malloc.h"

static void *no_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

TY_EXPORT void *typed_malloc_token(size_t size, size_t token)
{
	return ty_alloc(TY_CALL(), token, size, "typed_malloc");
}

TY_EXPORT void *typed_malloc_token_fixed(size_t size, size_t token)
{
	return ty_alloc_fixed(TY_CALL(), token, size, "typed_malloc");
}

TY_EXPORT void *typed_calloc_token(size_t n, size_t size, size_t token)
{
	size_t bytes;
	if (unlikely(__builtin_mul_overflow(n, size, &bytes)))
		return no_memory();
	return ty_alloc(TY_CALL(), token, bytes, "typed_calloc");
}

TY_EXPORT void *typed_calloc_token_fixed(size_t n, size_t size, size_t token)
{
	size_t bytes;
	if (unlikely(__builtin_mul_overflow(n, size, &bytes)))
		return no_memory();
	return ty_alloc_fixed(TY_CALL(), token, bytes, "typed_calloc");
}

TY_EXPORT void *typed_malloc_flex_token(size_t head, size_t each, size_t n, size_t token)
{
	size_t bytes;
	if (unlikely(__builtin_mul_overflow(each, n, &bytes)) || unlikely(__builtin_add_overflow(bytes, head, &bytes)))
		return no_memory();
	return ty_alloc(TY_CALL(), token, bytes, "typed_malloc_flex");
}

TY_EXPORT void *typed_realloc_token(void *p, size_t size, size_t token)
{
	return ty_realloc(p, size, TY_CALL(), token, false, "typed_realloc");
}

TY_EXPORT void *typed_reallocarray_token(void *p, size_t n, size_t size, size_t token)
{
	size_t bytes;
	if (unlikely(__builtin_mul_overflow(n, size, &bytes)))
		return no_memory();
	return ty_realloc(p, bytes, TY_CALL(), token, false, "typed_reallocarray");
}

TY_EXPORT void *typed_aligned_alloc_token(size_t align, size_t size, size_t token)
{
	if (unlikely(!ty_is_pow2(align))) {
		errno = EINVAL;
		return NULL;
	}
	return ty_alloc_aligned(TY_CALL(), token, align, size, "typed_aligned_alloc");
}

TY_EXPORT int typed_posix_memalign_token(void **out, size_t align, size_t size, size_t token)
{
	int saved = errno;
	if (!ty_is_pow2(align) || align % sizeof(void *))
		return EINVAL;
	void *p = ty_alloc_aligned(TY_CALL(), token, align, size, "typed_posix_memalign");
	errno = saved;
	if (!p)
		return ENOMEM;
	*out = p;
	return 0;
}

TY_EXPORT void *typed_memalign_token(size_t align, size_t size, size_t token)
{
	size_t a = ty_memalign_rule(align);
	if (unlikely(!a)) {
		errno = EINVAL;
		return NULL;
	}
	return ty_alloc_aligned(TY_CALL(), token, a, size, "typed_memalign");
}

static char *copy(const uintptr_t *at, size_t token, const char *s, size_t n, const char *fn)
{
	char *p = ty_alloc(at, token, n + 1, fn);
	return p ? memcpy(p, s, n) : NULL; /* P4: the end is zero */
}

TY_EXPORT char *typed_strdup_token(const char *s, size_t token)
{
	return copy(TY_CALL(), token, s, strlen(s), "typed_strdup");
}

TY_EXPORT char *typed_strndup_token(const char *s, size_t n, size_t token)
{
	return copy(TY_CALL(), token, s, strnlen(s, n), "typed_strndup");
}

TY_EXPORT void typed_free(void *p) { ty_free(p, "typed_free"); }
TY_EXPORT void typed_free_sized(void *p, size_t size) { ty_free_sized(p, size, 0, "typed_free_sized"); }

TY_EXPORT void typed_wrap_enter(struct typed_wrap *w, size_t token)
{
	w->token = ty_ambient.token;
	w->frame = ty_ambient.frame;
	ty_ambient.token = token;
	ty_ambient.frame = (uintptr_t)w;
}

TY_EXPORT void typed_wrap_leave(struct typed_wrap *w)
{
	ty_ambient.token = w->token;
	ty_ambient.frame = w->frame;
}

/* clang's default mode: see alloc-token in the Clang User's Manual, and the header for the other half of this. */
TY_EXPORT size_t typed_token_of_name(const char *name, int pointers)
{
	u64 v0 = 0x794a1079ebc9d4b5ull ^ 0x736f6d6570736575ull, v1 = 0xd48187421b8bec6full ^ 0x646f72616e646f6dull,
	    v2 = 0x794a1079ebc9d4b5ull ^ 0x6c7967656e657261ull, v3 = 0xd48187421b8bec6full ^ 0x7465646279746573ull;
	size_t n = strlen(name), left = n;

	for (int last = 0, rounds = 2; last < 2;) {
		u64 m = 0;
		if (left >= 8)
			memcpy(&m, name, 8);
		else if (last++ == 0)
			for (size_t i = 0; i < 8; i++)
				m |= (u64)(i < left ? (unsigned char)name[i] : i == 7 ? n : 0) << (i * 8);
		else {
			rounds = 4;
			v2 ^= 0xff;
		}
		v3 ^= m;
		for (int i = 0; i < rounds; i++) {
			v0 += v1, v1 = (v1 << 13 | v1 >> 51) ^ v0, v0 = v0 << 32 | v0 >> 32;
			v2 += v3, v3 = (v3 << 16 | v3 >> 48) ^ v2;
			v0 += v3, v3 = (v3 << 21 | v3 >> 43) ^ v0;
			v2 += v1, v1 = (v1 << 17 | v1 >> 47) ^ v2, v2 = v2 << 32 | v2 >> 32;
		}
		v0 ^= m;
		name += left >= 8 ? 8 : 0;
		left -= left >= 8 ? 8 : 0;
	}
	return (size_t)((v0 ^ v1 ^ v2 ^ v3) % TY_TOKEN_POINTERS) + (pointers ? TY_TOKEN_POINTERS : 0);
}
