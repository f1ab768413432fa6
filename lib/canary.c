/* canary.c: see canary.h. */
#include "canary.h"

size_t ty_canary_size(const void *p, size_t slot)
{
	const char *c = p;
	size_t end = slot;

	/* Skip zeros backward, 64 bytes at a time while there are as many. */
	while (slot > 512 && end >= 64 && ty_all_zero(c + end - 64, 64))
		end -= 64;
#if defined(__SSE2__)
	u32 zeros = 0xffff;
	while (end && (zeros = ty_zero_bytes16(c + end - 16)) == 0xffff)
		end -= 16;
	if (!end)
		return TY_NO_CANARY;
	size_t n = end - 16 + (31u - (unsigned)__builtin_clz(zeros ^ 0xffff)) - 7;
#else
	while (end >= 8 && !ty_load64(c + end - 8))
		end -= 8;
	if (end < 8)
		return TY_NO_CANARY;
	size_t n = end - 8 - (size_t)(__builtin_clzll(ty_load64(c + end - 8)) >> 3);
#endif
	/* Below 0 it wraps: no object is that long. */
	return n <= slot && ty_load64(c + n) == ty_canary_at(c + n) ? n : TY_NO_CANARY;
}
