/*
 * canary.h: what stands right behind an object of variable size, and how its size is found again. P5, and P3 for sizes.
 *
 *   slot start                       n              n + 8                       slot end
 *   | the program's n bytes          | canary       | zeros                         |
 *
 * The slot is zero when malloc takes it (P4), so the zeros need no writing. The canary is 8 bytes. The first is 0, so
 * that a string that is not terminated ends there and shows nothing of it. The last never is: the last byte of the slot
 * that is not 0 is the canary's last, which tells where the canary is and with it n, to the byte; no size is kept
 * anywhere. A write behind the object, of any length and after any gap, changes the canary, or puts something that is
 * not 0 behind it, after which the place where the canary then seems to be holds no canary; or it changes nothing (a 0
 * written where a 0 is). An object's end cannot be forged without knowing the canary of the forged place.
 *
 * The value belongs to the place: a keyed mix of the address n bytes into the slot. Seven bytes of it are unknown (one
 * of 255 * 2^48 values), and one that has leaked is good for that very address only. The keys are on the read-only page
 * (conf.h).
 *
 * Objects of a fixed size have none: every object of the cache has the same size, known at each of its uses, and the slot is
 * that size up to the alignment of 16. Large objects have theirs in the rest of their last page (large.h).
 */
#ifndef TY_CANARY_H
#define TY_CANARY_H

#include "bits.h"

#define TY_CANARY 8 /* bytes */
#define TY_NO_CANARY SIZE_MAX /* as an object's size: its slot has none */

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the last byte in memory is a word's highest");

TY_INLINE u64 ty_load64(const void *p)
{
	u64 x;
	memcpy(&x, p, sizeof x);
	return x;
}

/* Two keyed products, folded: nothing about the value of one place follows from those of others. */
TY_INLINE u64 ty_canary_at(const void *p)
{
#ifdef __SIZEOF_INT128__
	unsigned __int128 x = (unsigned __int128)((uintptr_t)p ^ ty_conf.canary[0]) * ty_conf.canary[1];
	x = (unsigned __int128)((u64)x ^ (u64)(x >> 64) ^ ty_conf.canary[2]) * ty_conf.canary[3];
	u64 c = (u64)x ^ (u64)(x >> 64);
#else
	u64 c = ty_mix(ty_mix((uintptr_t)p ^ ty_conf.canary[0]) * ty_conf.canary[1] ^ ty_conf.canary[2]);
#endif
	/* A last byte of 0 is replaced by the first, which is not needed. */
	return likely(c >> 56) ? c & ~(u64)0xff : (c & ~(u64)0xff) | (c & 0xff ? c & 0xff : 0x5a) << 56;
}

/* Behind the n bytes at p, in a slot that is zero; n may be TY_NO_CANARY. */
TY_INLINE void ty_canary_put(void *p, size_t n)
{
	if (n != TY_NO_CANARY) {
		u64 c = ty_canary_at((char *)p + n);
		memcpy((char *)p + n, &c, sizeof c);
	}
}

/*
 * n of the object in the slot at p; TY_NO_CANARY when its canary, or what lies behind it, has been written to. slot: the slot's
 * bytes, a multiple of 16.
 */
size_t ty_canary_size(const void *p, size_t slot);

/* Where the canary starts that seems to end in the last 16 bytes of the slot, as it does as a rule; NULL: there are but zeros. */
TY_INLINE const char *ty_canary_seen(const void *p, size_t slot)
{
	const char *end = (const char *)p + slot;
#if defined(__SSE2__)
	u32 zeros = ty_zero_bytes16(end - 16);
	if (unlikely(zeros == 0xffff))
		return NULL;
	return end - 23 + ty_log2_fast(zeros ^ 0xffff);
#else
	u64 last = ty_load64(end - 8);
	if (!last) {
		end -= 8;
		last = ty_load64(end - 8);
		if (unlikely(!last))
			return NULL;
	}
	return end - 8 - (__builtin_clzll(last) >> 3);
#endif
}

/*
 * Is it there, where it may be? (In a slot of 16 bytes it may seem to start before the slot: a crime.) Nothing is
 * behind it then.
 */
TY_INLINE bool ty_canary_near(const void *p, size_t slot)
{
	const char *c = ty_canary_seen(p, slot);
	return likely(c >= (const char *)p) && ty_load64(c) == ty_canary_at(c);
}

#if defined(__x86_64__)
/* The same, ending in the last 64 bytes of a slot longer than those, as it does in hot slots of up to 1024 bytes. */
TY_INLINE TY_AVX2 bool ty_canary_near64(const void *p, size_t slot)
{
	const char *end = (const char *)p + slot;
	u64 used = ~ty_zero_bytes64(end - 64);
	if (unlikely(!used))
		return false;
	const char *c = end - 71 + ty_log2_fast(used);
	return ty_load64(c) == ty_canary_at(c);
}
#endif

/* ty_canary_size, without a call as a rule. */
TY_INLINE size_t ty_canary_find(const void *p, size_t slot)
{
	const char *c = ty_canary_seen(p, slot);
	if (likely(c >= (const char *)p) && likely(ty_load64(c) == ty_canary_at(c)))
		return (size_t)(c - (const char *)p);
	return ty_canary_size(p, slot);
}

#endif
