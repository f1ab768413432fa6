#include "unit.h"

#include "bits.h"
#include "heap.h"
#include "os.h"

Test(bits, rounding)
{
	for (size_t align = 1; align <= 65536; align *= 2)
		for (size_t n = 0; n < 3 * align && n < 9000; n++) {
			size_t up = ty_round_up(n, align), down = ty_round_down(n, align);
			cr_assert(up >= n && up - n < align && up % align == 0);
			cr_assert(down <= n && n - down < align && down % align == 0);
		}
}

Test(bits, powers_of_two)
{
	cr_assert(ty_heap_start()); /* ty_log2_fast asks for it */
	cr_assert(!ty_is_pow2(0));
	for (unsigned i = 0; i < 64; i++) {
		u64 n = 1ull << i;
		cr_assert(ty_is_pow2(n));
		cr_assert(ty_log2(n) == i && ty_log2(n | (n - 1)) == i);
		cr_assert(ty_log2_fast(n) == i && ty_log2_fast(n | (n - 1)) == i);
		cr_assert(ty_ctz(n) == i && ty_ctz(~0ull << i) == i);
		cr_assert(i < 2 || (!ty_is_pow2(n + 1) && !ty_is_pow2(n - 1 + (i == 1))));
		cr_assert(ty_popcount(n - 1) == i && ty_low_mask(i) == n - 1);
	}
	cr_assert(ty_popcount(~0ull) == 64 && ty_low_mask(64) == ~0ull);
	for (u64 n = 1, i = 0; i < 1000; i++, n = ty_mix(n + i))
		cr_assert(ty_popcount(n) == (unsigned)__builtin_popcountll(n));
}

/* A bijection has no collisions; and small differences spread over the top bits. */
Test(bits, mix)
{
	static unsigned char seen[1 << 16];
	unsigned distinct = 0;
	for (u64 i = 0; i < 1 << 16; i++)
		distinct += !seen[ty_mix(i) >> 48]++;
	cr_assert(distinct > 40000 && distinct < 43000, "%u of 65536", distinct); /* 1 - 1/e of them */
}

static char buf[20000] __attribute__((aligned(64)));

/* n bytes and no more, and no byte is overlooked; inline up to TY_INLINE_BYTES, by loops for any length. */
static void zero_and_look(size_t n, void (*zero)(void *, size_t), bool (*all_zero)(const void *, size_t))
{
	char *p = buf + 64 + n % 64;
	memset(buf, 0x55, sizeof buf);
	cr_assert(!all_zero(p, n));
	zero(p, n);
	cr_assert(p[-1] == 0x55 && p[n] == 0x55, "%zu bytes and no more", n);
	cr_assert(all_zero(p, n), "%zu bytes", n);
	for (size_t i = 0; i < n; i += n < 600 ? 1 : 7) {
		p[i] = 1;
		cr_assert(!all_zero(p, n), "byte %zu of %zu", i, n);
		p[i] = 0;
	}
	p[n - 1] = (char)0x80;
	cr_assert(!all_zero(p, n));
}

static void zero_inline(void *p, size_t n) { ty_zero(p, n); }
static bool all_zero_inline(const void *p, size_t n) { return ty_all_zero(p, n); }
static void zero_long(void *p, size_t n) { ty_zero_long(p, n); }
#if defined(__x86_64__)
TY_AVX2 static void zero_wide(void *p, size_t n) { ty_zero_wide(p, n); }
TY_AVX2 static bool all_zero_wide(const void *p, size_t n) { return ty_all_zero_wide(p, n); }
#endif

Test(bits, zero_and_all_zero)
{
	for (size_t n = 16; n <= TY_INLINE_BYTES; n += 16)
		zero_and_look(n, zero_inline, all_zero_inline);
	for (size_t n = 16; n <= 16384; n += n < 600 ? 16 : 1008)
		zero_and_look(n, zero_long, ty_all_zero_long);
#if defined(__x86_64__)
	for (size_t n = TY_INLINE_BYTES; ty_os_avx2() && n <= TY_WIDE_BYTES; n += 16)
		zero_and_look(n, zero_wide, all_zero_wide);
#endif
}

Test(bits, touch_changes_nothing)
{
	char c = 'x';
	ty_touch(&c);
	cr_assert(c == 'x');
}
