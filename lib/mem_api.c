/* mem_api.c: memory and strings. See mem_check.h. */
#define _GNU_SOURCE
#include "mem_check.h"

/* ---- memory ---- */

TY_API(void *, memcpy, void *restrict d, const void *restrict s, size_t n)
{
	return ty_mem_checked_move(d, s, n, "memcpy", TY_SITE);
}

TY_API(void *, memmove, void *d, const void *s, size_t n) { return ty_mem_checked_move(d, s, n, "memmove", TY_SITE); }

TY_API(void *, mempcpy, void *restrict d, const void *restrict s, size_t n)
{
	return (char *)ty_mem_checked_move(d, s, n, "mempcpy", TY_SITE) + n;
}
TY_ALIAS(void *, __mempcpy, mempcpy, void *restrict d, const void *restrict s, size_t n);

TY_API(void *, memccpy, void *restrict d, const void *restrict s, int c, size_t n)
{
	const char *end = memchr(s, c, ty_mem_ours(s) ? ty_mem_within(s, n) : n);

	if (end)
		n = (size_t)(end - (const char *)s) + 1;
	ty_mem_checked_move(d, s, n, "memccpy", TY_SITE);
	return end ? (char *)d + n : NULL;
}

TY_API(void, bcopy, const void *s, void *d, size_t n) { ty_mem_checked_move(d, s, n, "bcopy", TY_SITE); }

TY_API(void *, memset, void *d, int c, size_t n) { return ty_mem_checked_set(d, c, n, "memset", TY_SITE); }

TY_API(void, bzero, void *d, size_t n) { ty_mem_checked_set(d, 0, n, "bzero", TY_SITE); }
TY_ALIAS(void, __bzero, bzero, void *d, size_t n);

/* The caller does not see what is called here, so nothing is left out. */
TY_API(void, explicit_bzero, void *d, size_t n) { ty_mem_checked_set(d, 0, n, "explicit_bzero", TY_SITE); }

TY_API(void *, __memcpy_chk, void *restrict d, const void *restrict s, size_t n, size_t room)
{
	ty_mem_fortify(n, room);
	return ty_mem_checked_move(d, s, n, "memcpy", TY_SITE);
}

TY_API(void *, __memmove_chk, void *d, const void *s, size_t n, size_t room)
{
	ty_mem_fortify(n, room);
	return ty_mem_checked_move(d, s, n, "memmove", TY_SITE);
}

TY_API(void *, __mempcpy_chk, void *restrict d, const void *restrict s, size_t n, size_t room)
{
	ty_mem_fortify(n, room);
	return (char *)ty_mem_checked_move(d, s, n, "mempcpy", TY_SITE) + n;
}

TY_API(void *, __memset_chk, void *d, int c, size_t n, size_t room)
{
	ty_mem_fortify(n, room);
	return ty_mem_checked_set(d, c, n, "memset", TY_SITE);
}

TY_API(void, __explicit_bzero_chk, void *d, size_t n, size_t room)
{
	ty_mem_fortify(n, room);
	ty_mem_checked_set(d, 0, n, "explicit_bzero", TY_SITE);
}

/* ---- strings ---- */

/* Characters of s, or n if it has more. A string must end in its object. */
TY_INLINE size_t length(const char *s, size_t n, const char *fn, uintptr_t site)
{
	if (ty_mem_ours(s)) {
		size_t len = strnlen(s, ty_mem_within(s, n));
		ty_mem_ended(s, len + (len < n), 1, fn, site);
		return len;
	}
	return n == SIZE_MAX ? strlen(s) : strnlen(s, n);
}

/* Copy s with its end to d. The end in d. */
TY_INLINE char *copy(char *d, const char *s, size_t room, const char *fn, uintptr_t site)
{
	size_t len = length(s, SIZE_MAX, fn, site);

	ty_mem_fortify(len + 1, room);
	ty_mem_will_write(d, len + 1, fn, site);
	ty_mem_move(d, s, len + 1);
	return d + len;
}

/* Copy at most n characters of s to d; what is left of n is zero. The end of the string in d, or d + n. */
TY_INLINE char *copy_padded(char *d, const char *s, size_t n, size_t room, const char *fn, uintptr_t site)
{
	ty_mem_fortify(n, room);
	size_t len = length(s, n, fn, site);

	ty_mem_will_write(d, n, fn, site);
	ty_mem_move(d, s, len);
	ty_mem_set(d + len, 0, n - len);
	return d + len;
}

/* Copy at most n characters of s behind the string d, and an end. */
TY_INLINE char *append(char *d, const char *s, size_t n, size_t room, const char *fn, uintptr_t site)
{
	size_t have = length(d, SIZE_MAX, fn, site), len = length(s, n, fn, site);

	ty_mem_fortify(have + len + 1, room);
	ty_mem_will_write(d, have + len + 1, fn, site);
	ty_mem_move(d + have, s, len);
	d[have + len] = 0;
	return d;
}

/* Copy s into d, of which `have` bytes of size are taken, as far as there is room. The length it would have come to. */
TY_INLINE size_t copy_cut(char *d, size_t have, const char *s, size_t size, const char *fn, uintptr_t site)
{
	size_t len = length(s, SIZE_MAX, fn, site);

	if (have < size) {
		size_t n = len < size - have ? len : size - have - 1;
		ty_mem_will_write(d, have + n + 1, fn, site);
		ty_mem_move(d + have, s, n);
		d[have + n] = 0;
	}
	return have + len;
}

TY_COPIES_CHK(char, strcpy, stpcpy, strncpy, stpncpy, strcat, strncat, copy, copy_padded, append)

TY_API(char *, strcpy, char *restrict d, const char *restrict s)
{
	copy(d, s, SIZE_MAX, "strcpy", TY_SITE);
	return d;
}

TY_API(char *, stpcpy, char *restrict d, const char *restrict s) { return copy(d, s, SIZE_MAX, "stpcpy", TY_SITE); }
TY_ALIAS(char *, __stpcpy, stpcpy, char *restrict d, const char *restrict s);

TY_API(char *, strncpy, char *restrict d, const char *restrict s, size_t n)
{
	copy_padded(d, s, n, SIZE_MAX, "strncpy", TY_SITE);
	return d;
}

TY_API(char *, stpncpy, char *restrict d, const char *restrict s, size_t n)
{
	return copy_padded(d, s, n, SIZE_MAX, "stpncpy", TY_SITE);
}
TY_ALIAS(char *, __stpncpy, stpncpy, char *restrict d, const char *restrict s, size_t n);

TY_API(char *, strcat, char *restrict d, const char *restrict s)
{
	return append(d, s, SIZE_MAX, SIZE_MAX, "strcat", TY_SITE);
}

TY_API(char *, strncat, char *restrict d, const char *restrict s, size_t n)
{
	return append(d, s, n, SIZE_MAX, "strncat", TY_SITE);
}

TY_API(size_t, strlcpy, char *restrict d, const char *restrict s, size_t size)
{
	return copy_cut(d, 0, s, size, "strlcpy", TY_SITE);
}

TY_API(size_t, strlcat, char *restrict d, const char *restrict s, size_t size)
{
	return copy_cut(d, length(d, size, "strlcat", TY_SITE), s, size, "strlcat", TY_SITE);
}

TY_API(size_t, __strlcpy_chk, char *restrict d, const char *restrict s, size_t size, size_t room)
{
	ty_mem_fortify(size, room);
	return copy_cut(d, 0, s, size, "strlcpy", TY_SITE);
}

TY_API(size_t, __strlcat_chk, char *restrict d, const char *restrict s, size_t size, size_t room)
{
	ty_mem_fortify(size, room);
	return copy_cut(d, length(d, size, "strlcat", TY_SITE), s, size, "strlcat", TY_SITE);
}
