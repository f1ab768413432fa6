/*
 * alloc_token.c: what clang makes of malloc and its family under -fsanitize=alloc-token (the Clang User's Manual,
 * "Allocation Tokens"): __alloc_token_<function>, the type's token as its last argument. A token of 0 or of void is no
 * type: the call site stands in. C++'s forms are in cxx_api.c.
 *
 * Under -fsanitize-alloc-token-extended other functions that return fresh memory are called like that too, where a type is
 * inferred; those of glibc's headers are here. What they allocate inside libc gets the token as a wrapper's would.
 */
#define _GNU_SOURCE
#include "config.h"
#include "chars.h"
#include "heap.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

static void *no_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

#define DEFINE(result, name, params)                                                                         \
	TY_EXPORT_OWN result __alloc_token_##name params;                                                    \
	TY_EXPORT_OWN result __alloc_token_##name params

DEFINE(void *, malloc, (size_t size, size_t token)) { return ty_alloc(TY_CALL(), token, size, "malloc"); }

DEFINE(void *, calloc, (size_t n, size_t size, size_t token))
{
	size_t bytes;
	if (unlikely(__builtin_mul_overflow(n, size, &bytes)))
		return no_memory();
	return ty_alloc(TY_CALL(), token, bytes, "calloc");
}

DEFINE(void *, realloc, (void *p, size_t size, size_t token))
{
	return ty_realloc(p, size, TY_CALL(), token, false, "realloc");
}

DEFINE(void *, reallocarray, (void *p, size_t n, size_t size, size_t token))
{
	size_t bytes;
	if (unlikely(__builtin_mul_overflow(n, size, &bytes)))
		return no_memory();
	return ty_realloc(p, bytes, TY_CALL(), token, false, "reallocarray");
}

/* BSD's: on failure p is freed. */
DEFINE(void *, reallocf, (void *p, size_t size, size_t token))
{
	void *q = ty_realloc(p, size, TY_CALL(), token, false, "reallocf");
	if (!q && size)
		ty_free(p, "reallocf");
	return q;
}

DEFINE(void *, aligned_alloc, (size_t align, size_t size, size_t token))
{
	if (unlikely(!ty_is_pow2(align))) {
		errno = EINVAL;
		return NULL;
	}
	return ty_alloc_aligned(TY_CALL(), token, align, size, "aligned_alloc");
}

DEFINE(void *, memalign, (size_t align, size_t size, size_t token))
{
	align = ty_memalign_rule(align);
	if (unlikely(!align)) {
		errno = EINVAL;
		return NULL;
	}
	return ty_alloc_aligned(TY_CALL(), token, align, size, "memalign");
}

DEFINE(void *, valloc, (size_t size, size_t token))
{
	return ty_alloc_aligned(TY_CALL(), token, ty_os_page_size(), size, "valloc");
}

DEFINE(void *, pvalloc, (size_t size, size_t token))
{
	size_t page = ty_os_page_size();
	if (size > PTRDIFF_MAX)
		return no_memory();
	return ty_alloc_aligned(TY_CALL(), token, page, ty_round_up(size ? size : 1, page), "pvalloc");
}

DEFINE(int, posix_memalign, (void **out, size_t align, size_t size, size_t token))
{
	int saved = errno;
	if (!ty_is_pow2(align) || align % sizeof(void *))
		return EINVAL;
	void *p = ty_alloc_aligned(TY_CALL(), token, align, size, "posix_memalign");
	errno = saved;
	if (!p)
		return ENOMEM;
	*out = p;
	return 0;
}

DEFINE(char *, strdup, (const char *s, size_t token))
{
	size_t n = strlen(s);
	char *p = ty_alloc(TY_CALL(), token, n + 1, "strdup");
	return p ? memcpy(p, s, n) : NULL; /* P4: the end is zero */
}

DEFINE(char *, strndup, (const char *s, size_t max, size_t token))
{
	size_t n = strnlen(s, max);
	char *p = ty_alloc(TY_CALL(), token, n + 1, "strndup");
	return p ? memcpy(p, s, n) : NULL;
}

DEFINE(wchar_t *, wcsdup, (const wchar_t *s, size_t token))
{
	size_t n = 0;

	while (s[n]) {
		n++;
		TY_LOOP(n);
	}
	wchar_t *p = ty_alloc(TY_CALL(), token, (n + 1) * sizeof *s, "wcsdup");
	return p ? memcpy(p, s, n * sizeof *s) : NULL;
}

/* CALL, with the token for what it allocates first. */
#define WITH_TOKEN(result, call)                                                                             \
	struct ty_ambient old = ty_ambient;                                                                  \
	ty_ambient = (struct ty_ambient){token, (uintptr_t)__builtin_frame_address(0)};                       \
	result r = call;                                                                                     \
	ty_ambient = old;                                                                                    \
	return r

DEFINE(char *, canonicalize_file_name, (const char *path, size_t token))
{
	WITH_TOKEN(char *, canonicalize_file_name(path));
}

DEFINE(char *, tempnam, (const char *dir, const char *prefix, size_t token))
{
	/* Not by name: every program linked with the static library would be told that tempnam is dangerous. */
	char *(*f)(const char *, const char *) = (char *(*)(const char *, const char *))dlsym(RTLD_DEFAULT, "tempnam");
	if (!f) {
		errno = ENOSYS;
		return NULL;
	}
	WITH_TOKEN(char *, f(dir, prefix));
}

DEFINE(FILE *, fmemopen, (void *buf, size_t n, const char *mode, size_t token))
{
	WITH_TOKEN(FILE *, fmemopen(buf, n, mode));
}

DEFINE(FILE *, open_memstream, (char **out, size_t *n, size_t token)) { WITH_TOKEN(FILE *, open_memstream(out, n)); }

DEFINE(FILE *, open_wmemstream, (wchar_t **out, size_t *n, size_t token))
{
	WITH_TOKEN(FILE *, open_wmemstream(out, n));
}

/* The fast ABI: see cxx_api.c. */
#define ALIAS(id, result, name, params, ...)                                                                 \
	TY_EXPORT result __alloc_token_##id##_##name params;                                                 \
	TY_EXPORT result __alloc_token_##id##_##name params { return __alloc_token_##name(__VA_ARGS__, id); }
#define FAST(id)                                                                                             \
	ALIAS(id, void *, malloc, (size_t n), n)                                                             \
	ALIAS(id, void *, calloc, (size_t n, size_t s), n, s)                                                \
	ALIAS(id, void *, realloc, (void *p, size_t n), p, n)                                                \
	ALIAS(id, void *, reallocarray, (void *p, size_t n, size_t s), p, n, s)                              \
	ALIAS(id, void *, reallocf, (void *p, size_t n), p, n)                                               \
	ALIAS(id, void *, aligned_alloc, (size_t a, size_t n), a, n)                                         \
	ALIAS(id, void *, memalign, (size_t a, size_t n), a, n)                                              \
	ALIAS(id, void *, valloc, (size_t n), n)                                                             \
	ALIAS(id, void *, pvalloc, (size_t n), n)                                                            \
	ALIAS(id, int, posix_memalign, (void **p, size_t a, size_t n), p, a, n)                              \
	ALIAS(id, char *, strdup, (const char *s), s)                                                        \
	ALIAS(id, char *, strndup, (const char *s, size_t n), s, n)                                          \
	ALIAS(id, wchar_t *, wcsdup, (const wchar_t *s), s)                                                  \
	ALIAS(id, char *, canonicalize_file_name, (const char *s), s)                                        \
	ALIAS(id, char *, tempnam, (const char *d, const char *s), d, s)                                     \
	ALIAS(id, FILE *, fmemopen, (void *p, size_t n, const char *m), p, n, m)                             \
	ALIAS(id, FILE *, open_memstream, (char **p, size_t *n), p, n)                                       \
	ALIAS(id, FILE *, open_wmemstream, (wchar_t **p, size_t *n), p, n)

TY_FAST_TOKENS(FAST)
