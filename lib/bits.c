/* bits.c: the loops over memory of P4, for slots too long to handle inline. */
#include "bits.h"

/* As below, in 32-byte steps, on machines that have them. n: at least 256. */
#if defined(__x86_64__)
TY_AVX2 bool ty_all_zero_avx2(const void *mem, size_t n)
{
	const char *p = mem, *end = p + n;

	for (; end - p >= 256; p += 256) {
		const ty_v4 *v = (const ty_v4 *)(const void *)p;
		if (unlikely(!ty_none(ty_or4(v) | ty_or4(v + 4))))
			return false;
	}
	const ty_v4 *v = (const ty_v4 *)(const void *)(end - 256); /* what is left, and some of it again */
	return ty_none(ty_or4(v) | ty_or4(v + 4));
}
#else
bool ty_all_zero_avx2(const void *p, size_t n) { return ty_all_zero_sse(p, n); }
#endif

bool ty_all_zero_sse(const void *p, size_t n)
{
	const ty_v2 *v = p;
	const ty_v2 *end = (const ty_v2 *)((const char *)p + n);

	if (likely(n - 128 <= 128)) { /* its two halves, which may overlap */
		ty_v2 a = v[0] | v[1] | v[2] | v[3] | v[4] | v[5] | v[6] | v[7];
		a |= end[-8] | end[-7] | end[-6] | end[-5] | end[-4] | end[-3] | end[-2] | end[-1];
		return (a[0] | a[1]) == 0;
	}
	for (; (size_t)((const char *)end - (const char *)v) >= 128; v += 8) {
		ty_v2 a = v[0] | v[1] | v[2] | v[3];
		ty_v2 b = v[4] | v[5] | v[6] | v[7];
		a |= b;
		if (unlikely((a[0] | a[1]) != 0))
			return false;
	}
	ty_v2 acc = {0, 0};
	for (; v < end; v++)
		acc |= *v;
	return (acc[0] | acc[1]) == 0;
}
