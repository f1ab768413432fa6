/*
 * bits.h: arithmetic on powers of two and words, and the two loops over memory that P4 needs.
 */
#ifndef TY_BITS_H
#define TY_BITS_H

#include "conf.h"
#include <string.h>

#define TY_PAGE ((size_t)4096) /* the granule: the smallest slab, and the unit of the granule map */
#define TY_PAGE_SHIFT 12

TY_INLINE size_t ty_round_up(size_t n, size_t align) { return (n + align - 1) & ~(align - 1); }
TY_INLINE size_t ty_round_down(size_t n, size_t align) { return n & ~(align - 1); }
TY_INLINE bool ty_is_pow2(size_t n) { return n && !(n & (n - 1)); }
/* floor(log2(n)), n > 0 */
TY_INLINE unsigned ty_log2(u64 n) { return 63u - (unsigned)__builtin_clzll(n); }
#if defined(__x86_64__)
/*
 * The same, once the heap has started. BSR takes eight operations of some processors, LZCNT one of most; as an instruction both are
 * the same, but for a prefix that processors without LZCNT ignore. They count from opposite ends: flip is what that of 1 is.
 */
TY_INLINE u64 ty_lzcnt(u64 n)
{
	u64 r;
	__asm__("rep bsr %1, %0" : "=r"(r) : "r"(n) : "cc");
	return r;
}
TY_INLINE u64 ty_log2_fast(u64 n) { return ty_lzcnt(n) ^ ty_conf.flip; }
#else
TY_INLINE u64 ty_log2_fast(u64 n) { return ty_log2(n); }
#endif
TY_INLINE unsigned ty_ctz(u64 n) { return (unsigned)__builtin_ctzll(n); }
TY_INLINE unsigned ty_popcount(u64 n)
{
	/* No POPCNT in the baseline x86-64; this compiles to a dozen plain instructions. */
	n -= (n >> 1) & 0x5555555555555555ull;
	n = (n & 0x3333333333333333ull) + ((n >> 2) & 0x3333333333333333ull);
	n = (n + (n >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return (unsigned)((n * 0x0101010101010101ull) >> 56);
}
/* Bits 0..n-1 set; n in 0..64. */
TY_INLINE u64 ty_low_mask(unsigned n) { return n >= 64 ? ~0ull : (1ull << n) - 1; }

/* Bit n modulo 64. */
TY_INLINE bool ty_bit(u64 x, unsigned n)
{
#if defined(__x86_64__) && defined(__GCC_ASM_FLAG_OUTPUTS__)
	bool r;
	__asm__("bt %2, %1" : "=@ccc"(r) : "r"(x), "r"((u64)n)); /* compilers make a mask, for which n must be in one certain register */
	return r;
#else
	return x >> (n & 63) & 1;
#endif
}

/* A bijective mix (the finaliser of splitmix64, Steele et al. 2014). */
TY_INLINE u64 ty_mix(u64 x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ull;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

typedef u64 ty_v2 __attribute__((vector_size(16), aligned(16), may_alias));

#if defined(__SSE2__)
/* Which of the 16 bytes at p, of any alignment, are 0: a bit each. */
TY_INLINE u32 ty_zero_bytes16(const void *p)
{
	typedef char v16 __attribute__((vector_size(16), aligned(1), may_alias));
	v16 v = *(const v16 *)p;
	return (u32)__builtin_ia32_pmovmskb128((v16)(v == 0));
}
#endif

/* Slots are zeroed and checked inline up to this many bytes, out of line beyond. */
#define TY_INLINE_BYTES 128
/* Beyond, up to this many, by ty_zero_wide and ty_all_zero_wide where ty_conf.avx2. */
#define TY_WIDE_BYTES 1024

/* Any n that is a multiple of 16, p aligned to 16. */
bool ty_all_zero_sse(const void *p, size_t n);
/* n also 256 at least; where ty_conf.avx2. */
bool ty_all_zero_avx2(const void *p, size_t n);
TY_INLINE bool ty_all_zero_long(const void *p, size_t n)
{
	return likely(n >= 256) && likely(ty_conf.avx2) ? ty_all_zero_avx2(p, n) : ty_all_zero_sse(p, n);
}
/* Never a tail call: a checked memset (mem_check.h) knows us by the address that it returns to. */
TY_INLINE void ty_zero_long(void *p, size_t n)
{
	memset(p, 0, n);
	__asm__ volatile("");
}

/*
 * True when the n bytes at p are zero. n: a multiple of 16, 16 to TY_INLINE_BYTES; p: aligned to 16. First and last
 * parts overlap, so that there is one branch and no loop: where sizes come in any order the processor guesses wrong.
 */
TY_INLINE bool ty_all_zero(const void *p, size_t n)
{
	const char *first = p, *last = first + n - 16;
	size_t m = n < 32 ? n : 32;
#define TY_AT(q) (*(const ty_v2 *)(const void *)(q))
	ty_v2 a = TY_AT(first) | TY_AT(first + m - 16) | TY_AT(last - m + 16) | TY_AT(last);

	if (n > 64)
		a |= TY_AT(first + 32) | TY_AT(first + 48) | TY_AT(last - 48) | TY_AT(last - 32);
#undef TY_AT
	return (a[0] | a[1]) == 0;
}

/* Zero n bytes at p; same conditions. */
TY_INLINE void ty_zero(void *p, size_t n)
{
	const ty_v2 z = {0, 0};
	char *first = p, *last = first + n - 16;
	size_t m = n < 32 ? n : 32;
#define TY_AT(q) (*(ty_v2 *)(void *)(q))
	TY_AT(first) = z;
	TY_AT(first + m - 16) = z;
	TY_AT(last - m + 16) = z;
	TY_AT(last) = z;
	if (n > 64) {
		TY_AT(first + 32) = z;
		TY_AT(first + 48) = z;
		TY_AT(last - 48) = z;
		TY_AT(last - 32) = z;
	}
#undef TY_AT
}

#if defined(__x86_64__)
/*
 * The same for n from TY_INLINE_BYTES to TY_WIDE_BYTES, in functions compiled for AVX2. No loops: where sizes come in
 * any order the processor guesses wrong how often one goes round.
 */
#define TY_AVX2 __attribute__((target("avx2")))
typedef u64 ty_v4 __attribute__((vector_size(32), aligned(16), may_alias));

TY_INLINE TY_AVX2 ty_v4 ty_or4(const ty_v4 *v) { return (v[0] | v[1]) | (v[2] | v[3]); }
TY_INLINE TY_AVX2 bool ty_none(ty_v4 a)
{
	typedef long long q4 __attribute__((vector_size(32)));
	return __builtin_ia32_ptestz256((q4)a, (q4)a);
}
TY_INLINE TY_AVX2 bool ty_all_zero_wide(const void *p, size_t n)
{
	const ty_v4 *v = p;
	const ty_v4 *e = (const ty_v4 *)(const void *)((const char *)p + n);
	ty_v4 a = ty_or4(v) | ty_or4(e - 4);

	if (n > 256) {
		a |= ty_or4(v + 4) | ty_or4(e - 8);
		if (n > 512)
			a |= (ty_or4(v + 8) | ty_or4(e - 12)) | (ty_or4(v + 12) | ty_or4(e - 16));
	}
	return ty_none(a);
}

TY_INLINE TY_AVX2 void ty_clear4(ty_v4 *v)
{
	const ty_v4 z = {0, 0, 0, 0};
	v[0] = z;
	v[1] = z;
	v[2] = z;
	v[3] = z;
}
TY_INLINE TY_AVX2 void ty_zero_wide(void *p, size_t n)
{
	ty_v4 *v = p;
	ty_v4 *e = (ty_v4 *)(void *)((char *)p + n);

	ty_clear4(v);
	ty_clear4(e - 4);
	if (n > 256) {
		ty_clear4(v + 4);
		ty_clear4(e - 8);
		if (n > 512) {
			ty_clear4(v + 8);
			ty_clear4(e - 12);
			if (n > 768) {
				ty_clear4(v + 12);
				ty_clear4(e - 16);
			}
		}
	}
}

/* Which of the 64 bytes at p, of any alignment, are 0: a bit each. */
TY_INLINE TY_AVX2 u64 ty_zero_bytes64(const void *p)
{
	typedef char v32 __attribute__((vector_size(32), aligned(1), may_alias));
	const v32 *v = p;
	v32 a = v[0], b = v[1];
	u64 low = (u32)__builtin_ia32_pmovmskb256((v32)(a == 0)), high = (u32)__builtin_ia32_pmovmskb256((v32)(b == 0));
	return high << 32 | low;
}
#endif

/*
 * Make the page of p present for writing without changing it: a read-modify-write, so that an untouched
 * page costs one write fault and not a read fault (zero page) followed by a write fault.
 */
TY_INLINE void ty_touch(void *p)
{
#if defined(__x86_64__) || defined(__i386__)
	__asm__ volatile("orb $0, %0" : "+m"(*(char *)p));
#else
	*(volatile char *)p |= 0;
#endif
}

#endif
