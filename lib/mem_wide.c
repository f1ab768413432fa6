/* mem_wide.c: wide characters; room is in characters. See mem_check.h. */
#define _GNU_SOURCE
#include "mem_check.h"

#define WIDE(n) ty_mem_times(n, sizeof(wchar_t))

TY_INLINE wchar_t *wide_set(wchar_t *d, wchar_t c, size_t n, const char *fn, uintptr_t site)
{
	ty_mem_will_write(d, WIDE(n), fn, site);
	for (size_t i = 0; i < n; i++)
		d[i] = c;
	return d;
}

TY_INLINE wchar_t *wide_move(wchar_t *d, const wchar_t *s, size_t n, const char *fn, uintptr_t site)
{
	return ty_mem_checked_move(d, s, WIDE(n), fn, site);
}

TY_INLINE size_t wide_length(const wchar_t *s, size_t n, const char *fn, uintptr_t site)
{
	if (ty_mem_ours(s)) {
		size_t len = wcsnlen(s, ty_mem_within(s, WIDE(n)) / sizeof *s);
		ty_mem_ended(s, WIDE(len + (len < n)), sizeof *s, fn, site);
		return len;
	}
	return n == SIZE_MAX ? wcslen(s) : wcsnlen(s, n);
}

TY_INLINE wchar_t *wide_copy(wchar_t *d, const wchar_t *s, size_t room, const char *fn, uintptr_t site)
{
	size_t len = wide_length(s, SIZE_MAX, fn, site);

	ty_mem_fortify(len + 1, room);
	ty_mem_will_write(d, WIDE(len + 1), fn, site);
	ty_mem_move(d, s, WIDE(len + 1));
	return d + len;
}

TY_INLINE wchar_t *wide_padded(wchar_t *d, const wchar_t *s, size_t n, size_t room, const char *fn, uintptr_t site)
{
	ty_mem_fortify(n, room);
	size_t len = wide_length(s, n, fn, site);

	ty_mem_will_write(d, WIDE(n), fn, site);
	ty_mem_move(d, s, WIDE(len));
	ty_mem_set(d + len, 0, WIDE(n - len));
	return d + len;
}

TY_INLINE wchar_t *wide_append(wchar_t *d, const wchar_t *s, size_t n, size_t room, const char *fn, uintptr_t site)
{
	size_t have = wide_length(d, SIZE_MAX, fn, site), len = wide_length(s, n, fn, site);

	ty_mem_fortify(have + len + 1, room);
	ty_mem_will_write(d, WIDE(have + len + 1), fn, site);
	ty_mem_move(d + have, s, WIDE(len));
	d[have + len] = 0;
	return d;
}

TY_API(wchar_t *, wmemset, wchar_t *d, wchar_t c, size_t n) { return wide_set(d, c, n, "wmemset", TY_SITE); }

TY_API(wchar_t *, wmemcpy, wchar_t *restrict d, const wchar_t *restrict s, size_t n)
{
	return wide_move(d, s, n, "wmemcpy", TY_SITE);
}

TY_API(wchar_t *, wmemmove, wchar_t *d, const wchar_t *s, size_t n) { return wide_move(d, s, n, "wmemmove", TY_SITE); }

TY_API(wchar_t *, wmempcpy, wchar_t *restrict d, const wchar_t *restrict s, size_t n)
{
	return wide_move(d, s, n, "wmempcpy", TY_SITE) + n;
}

TY_API(wchar_t *, wcscpy, wchar_t *restrict d, const wchar_t *restrict s)
{
	wide_copy(d, s, SIZE_MAX, "wcscpy", TY_SITE);
	return d;
}

TY_API(wchar_t *, wcpcpy, wchar_t *restrict d, const wchar_t *restrict s)
{
	return wide_copy(d, s, SIZE_MAX, "wcpcpy", TY_SITE);
}

TY_API(wchar_t *, wcsncpy, wchar_t *restrict d, const wchar_t *restrict s, size_t n)
{
	wide_padded(d, s, n, SIZE_MAX, "wcsncpy", TY_SITE);
	return d;
}

TY_API(wchar_t *, wcpncpy, wchar_t *restrict d, const wchar_t *restrict s, size_t n)
{
	return wide_padded(d, s, n, SIZE_MAX, "wcpncpy", TY_SITE);
}

TY_API(wchar_t *, wcscat, wchar_t *restrict d, const wchar_t *restrict s)
{
	return wide_append(d, s, SIZE_MAX, SIZE_MAX, "wcscat", TY_SITE);
}

TY_API(wchar_t *, wcsncat, wchar_t *restrict d, const wchar_t *restrict s, size_t n)
{
	return wide_append(d, s, n, SIZE_MAX, "wcsncat", TY_SITE);
}

TY_API(wchar_t *, __wmemset_chk, wchar_t *d, wchar_t c, size_t n, size_t room)
{
	ty_mem_fortify(n, room);
	return wide_set(d, c, n, "wmemset", TY_SITE);
}

TY_API(wchar_t *, __wmemcpy_chk, wchar_t *restrict d, const wchar_t *restrict s, size_t n, size_t room)
{
	ty_mem_fortify(n, room);
	return wide_move(d, s, n, "wmemcpy", TY_SITE);
}

TY_API(wchar_t *, __wmemmove_chk, wchar_t *d, const wchar_t *s, size_t n, size_t room)
{
	ty_mem_fortify(n, room);
	return wide_move(d, s, n, "wmemmove", TY_SITE);
}

TY_API(wchar_t *, __wmempcpy_chk, wchar_t *restrict d, const wchar_t *restrict s, size_t n, size_t room)
{
	ty_mem_fortify(n, room);
	return wide_move(d, s, n, "wmempcpy", TY_SITE) + n;
}

TY_COPIES_CHK(wchar_t, wcscpy, wcpcpy, wcsncpy, wcpncpy, wcscat, wcsncat, wide_copy, wide_padded, wide_append)
