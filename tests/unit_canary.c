#include "unit.h"

#include "bucket.h"
#include "canary.h"
#include "conf.h"
#include "os.h"

#include <sys/mman.h>

/* Linked without the heap: the keys are drawn here, and the slots are a page's whose neighbours fault. */
enum { ROOM = 5 * TY_PAGE };
static char *memory;

static void start(void)
{
	ty_os_init();
	ty_conf_init();
	char *p = mmap(NULL, ROOM + 2 * 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cr_assert(p != MAP_FAILED);
	memory = p + 65536;
	cr_assert(!mprotect(memory, ROOM, PROT_READ | PROT_WRITE));
}

/* An object of n bytes in its slot; what the program wrote is one of: zeros, 0xff, the look of canaries. */
static char *make(char *p, size_t slot, size_t n, int content)
{
	memset(p, 0, slot);
	ty_canary_put(p, n);
	if (content == 1)
		memset(p, 0xff, n);
	else if (content == 2)
		for (size_t i = 0; i + 8 <= n; i += 8) {
			u64 c = ty_canary_at(p + n + 16 + i);
			memcpy(p + i, &c, 8);
		}
	return p;
}

#if defined(__x86_64__)
TY_AVX2 static bool near64(const char *p, size_t slot) { return ty_canary_near64(p, slot); }
#else
static bool near64(const char *p, size_t slot) { return ty_canary_size(p, slot) != TY_NO_CANARY; }
#endif

/* All of the ways to ask say so; the quick ones may leave it to the slow one, but only when the canary is far from the end. */
static bool intact(const char *p, size_t slot, size_t n)
{
	size_t is = ty_canary_size(p, slot);
	bool wide = ty_conf.avx2 && slot > TY_INLINE_BYTES;
	return is == n && (ty_canary_near(p, slot) || n + TY_CANARY + 16 <= slot) &&
	       (!wide || near64(p, slot) || n + TY_CANARY + 64 <= slot);
}
static bool found(const char *p, size_t slot)
{
	bool wide = ty_conf.avx2 && slot > TY_INLINE_BYTES;
	return !ty_canary_near(p, slot) && !(wide && near64(p, slot)) && ty_canary_size(p, slot) == TY_NO_CANARY;
}

/* Lengths of objects to try in a slot: all of a small one, else those at either end and some between. */
static size_t next_n(size_t n, size_t slot)
{
	if (slot <= 512 || n < 20 || n + 60 > slot)
		return n + 1;
	return n + slot / 97;
}

Test(canary, size_of_every_object, .timeout = 60)
{
	start();
	for (unsigned b = 0; b < TY_BUCKETS; b++) {
		size_t slot = ty_bucket_bytes[b];
		for (size_t n = 1; n + TY_CANARY <= slot; n++)
			for (int content = 0; content < 3; content++) {
				cr_assert(intact(make(memory, slot, n, content), slot, n), "%zu in %zu", n, slot);
				/* The same at the end of accessible memory. */
				char *p = memory + ROOM - slot;
				cr_assert(slot > 1024 || intact(make(p, slot, n, content), slot, n), "%zu in %zu", n,
					  slot);
			}
	}
	memset(memory, 0, ROOM);
	ty_canary_put(memory, TY_NO_CANARY);
	cr_assert(ty_all_zero_long(memory, TY_PAGE), "objects of a fixed size have none");
}

Test(canary, every_changed_byte_is_found, .timeout = 120)
{
	start();
	for (unsigned b = 0; b < TY_BUCKETS; b++) {
		size_t slot = ty_bucket_bytes[b];
		/* The first slot of all has nothing accessible before it. */
		for (size_t n = 1; n + TY_CANARY <= slot; n = next_n(n, slot)) {
			char *p = make(memory, slot, n, (int)(n % 3));
			for (size_t i = n; i < slot; i += i < n + 40 || i + 40 > slot || slot <= 512 ? 1 : slot / 61) {
				char was = p[i];
				unsigned step = slot <= 64 ? 1 : slot <= 512 ? 37 : 101;
				for (unsigned flip = 1; flip < 256; flip += step) {
					p[i] = (char)(was ^ flip);
					cr_assert(found(p, slot), "byte %zu ^ %x, %zu in %zu", i, flip, n, slot);
				}
				p[i] = 0;
				cr_assert(!was || found(p, slot), "byte %zu zeroed, %zu in %zu", i, n, slot);
				p[i] = was;
			}
			cr_assert(intact(p, slot, n));
		}
	}
}

/* Runs of one value from the object's end on, and from any gap behind it: what strings and memset write. */
Test(canary, every_run_is_found, .timeout = 120)
{
	static const int values[] = {0, 1, 'A', 0x80, 0xff};
	start();
	for (unsigned b = 0; b < TY_BUCKETS; b += b < 16 ? 1 : 5) {
		size_t slot = ty_bucket_bytes[b];
		for (size_t n = 1; n + TY_CANARY <= slot; n = slot <= 128 ? n + 1 : n + 1 + slot / 37)
			for (size_t k = 0; k < sizeof values / sizeof *values; k++)
				for (size_t from = n; from < slot; from += from < n + 16 ? 1 : slot / 8)
					for (size_t len = 1; from + len <= slot; len += len < 16 ? 1 : slot / 8) {
						char *p = make(memory, slot, n, (int)(len % 3));
						char before[16384];
						memcpy(before, p + n, slot - n);
						memset(p + from, values[k], len);
						bool same = !memcmp(before, p + n, slot - n);
						cr_assert(same ? intact(p, slot, n) : found(p, slot),
							  "%zu of %x from %zu, %zu in %zu", len, values[k], from, n,
							  slot);
					}
	}
}

/* An overflow that takes its own object's canary, or another's, along to where the object is to seem to end. */
Test(canary, ends_cannot_be_forged, .timeout = 60)
{
	start();
	for (unsigned b = 0; b < TY_BUCKETS; b += b < 16 ? 1 : 3) {
		size_t slot = ty_bucket_bytes[b];
		for (size_t n = 1; n + TY_CANARY <= slot; n = next_n(n, slot))
			for (size_t to = 0; to + TY_CANARY <= slot; to += slot <= 512 ? 1 : slot / 61) {
				if (to == n)
					continue;
				char *p = make(memory, slot, n, 1);
				u64 c = ty_load64(p + n);
				memset(p + n, to > n ? 0x41 : 0, slot - n);
				memset(p + to, 0, slot - to);
				memcpy(p + to, &c, 8);
				cr_assert(found(p, slot), "%zu in %zu forged to %zu", n, slot, to);
				/* The other slot's of the same length. */
				c = ty_canary_at(p + slot + to);
				memcpy(p + to, &c, 8);
				cr_assert(found(p, slot), "%zu in %zu forged to %zu by the neighbour's", n, slot, to);
				/* Who knows the place's own value can: so the value is of that place. */
				c = ty_canary_at(p + to);
				memcpy(p + to, &c, 8);
				cr_assert(ty_canary_size(p, slot) == to);
			}
	}
}

static int by_value(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;
	return (x > y) - (x < y);
}

Test(canary, values)
{
	enum { N = 200000 };
	static u64 all[2 * N];
	static u32 ones[64];
	start();
	for (size_t i = 0; i < N; i++) {
		all[i] = ty_canary_at((void *)(0x7f1234560000 + i));
		all[N + i] = ty_canary_at((void *)(0x7fff00000000 + i * 16));
	}
	for (size_t i = 0; i < 2 * N; i++) {
		cr_assert(!(all[i] & 0xff) && all[i] >> 56, "%lx: first and last byte", (unsigned long)all[i]);
		for (unsigned k = 0; k < 64; k++)
			ones[k] += all[i] >> k & 1;
	}
	qsort(all, 2 * N, sizeof *all, by_value);
	for (size_t i = 1; i < 2 * N; i++)
		cr_assert(all[i] != all[i - 1], "two places have one value");
	unsigned known = 0;
	for (unsigned k = 0; k < 64; k++)
		known += ones[k] == 0 || ones[k] == 2 * N;
	cr_assert(known <= 8, "%u bits are always the same", known);
}

/* Over many processes (keys), each bit of one place's value, and of the difference of two places', is as often 0 as 1. */
Test(canary, keys)
{
	enum { N = 20000 };
	static u32 ones[4][64];
	static u64 all[N];
	start();
	for (int i = 0; i < N; i++) {
		cr_assert(ty_os_random(ty_conf.canary, sizeof ty_conf.canary));
		ty_conf.canary[1] |= 1;
		u64 c = ty_canary_at((void *)0x7f1234567890);
		u64 d[4] = {c, c ^ ty_canary_at((void *)0x7f1234567891), c ^ ty_canary_at((void *)0x7f12345678a0),
			    c ^ ty_canary_at((void *)0x7f1234568890)};
		all[i] = c;
		for (int k = 0; k < 4; k++)
			for (unsigned bit = 0; bit < 64; bit++)
				ones[k][bit] += d[k] >> bit & 1;
	}
	/* 8 standard deviations. */
	for (int k = 0; k < 4; k++)
		for (unsigned bit = 0; bit < 64; bit++) {
			if (bit < 8) {
				cr_assert(!ones[k][bit]);
				continue;
			}
			int off = (int)ones[k][bit] - N / 2;
			/* In a difference the lowest free bits may depend on few key bits; that they are never known is enough. */
			cr_assert(k ? off > -N / 2 && off < N / 2 : off > -566 && off < 566,
				  "difference %d, bit %u: %u of %d", k, bit, ones[k][bit], N);
		}
	qsort(all, N, sizeof *all, by_value);
	for (int i = 1; i < N; i++)
		cr_assert(all[i] != all[i - 1]);
}
