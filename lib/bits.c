/* bits.c: the loops over memory of P4, for slots too long to handle inline. */
#include "bits.h"

bool ty_all_zero_long(const void *p, size_t n)
{
	const ty_v2 *v = p;
	const ty_v2 *end = (const ty_v2 *)((const char *)p + n);

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
