/* SPDX-License-Identifier: MIT */
/*
 * fuzz_mutate.c: inputs out of inputs. The same seed and `in' area give the same input, in every process.
 */
#include "fuzz_driver.h"

#include <string.h>

static uint64_t state;

void fz_random_seed(uint64_t seed) { state = seed; }

uint64_t fz_random(void) { return fz_mix(state += 0x9e3779b97f4a7c15ull); }

static size_t below(size_t n) { return n ? fz_random() % n : 0; }

const uint8_t *fz_entry(unsigned i, size_t *size)
{
	const uint8_t *p = (const uint8_t *)fz_words + FZ_AT_IN;
	uint32_t n;

	for (memcpy(&n, p, 4); i; i--) {
		p += 4 + n;
		memcpy(&n, p, 4);
	}
	*size = n;
	return p + 4;
}

/* n bytes of room at `at', when they fit. */
static bool open_gap(uint8_t *d, size_t *size, size_t max, size_t at, size_t n)
{
	if (n > max - *size)
		return false;
	memmove(d + at + n, d + at, *size - at);
	*size += n;
	return true;
}

static void cut(uint8_t *d, size_t *size, size_t at, size_t n)
{
	memmove(d + at, d + at + n, *size - at - n);
	*size -= n;
}

/* A length for a block: mostly short. */
static size_t some(size_t max)
{
	size_t limit = below(4) ? 16 : below(4) ? 256 : max;
	return max ? 1 + below(max < limit ? max : limit) : 0;
}

static void put_number(uint8_t *d, size_t width, uint64_t value, bool big)
{
	for (size_t i = 0; i < width; i++)
		d[big ? width - 1 - i : i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get_number(const uint8_t *d, size_t width, bool big)
{
	uint64_t v = 0;
	for (size_t i = 0; i < width; i++)
		v |= (uint64_t)d[big ? width - 1 - i : i] << 8 * i;
	return v;
}

/* An interesting value, or a small step up or down, of 1 to 8 bytes. */
static void number(uint8_t *d, size_t size)
{
	static const int64_t values[] = {0,   1,   2,	3,   4,	  7,   8,   15,	 16,	17,    31,    32,      33,	63,	   64,
					 65,  100, 127, 128, 129, 255, 256, 257, 511,	512,   1000,  1023,    1024,	4095,	   4096,
					 -1,  -2,  -8,	-16, -128, -129, 32767, 32768, 65535, 65536, 2147483647, 2147483648LL, INT64_MAX,
					 INT64_MIN};
	size_t width = (size_t)1 << below(4);
	bool big = below(2);

	if (width > size)
		width = 1;
	uint8_t *p = d + below(size - width + 1);
	uint64_t v = get_number(p, width, big);
	if (below(2))
		v = (uint64_t)values[below(sizeof values / sizeof *values)];
	else
		v += below(2) ? 1 + below(35) : -(1 + below(35));
	put_number(p, width, v, big);
}

/* A number in decimal digits becomes another. */
static void digits(uint8_t *d, size_t *size, size_t max)
{
	size_t at = below(*size), n;
	uint64_t v = 0;
	char text[24];
	int len = 0;

	while (at < *size && (d[at] < '0' || d[at] > '9'))
		at++;
	for (n = 0; at + n < *size && n < 18 && d[at + n] >= '0' && d[at + n] <= '9'; n++)
		v = v * 10 + (d[at + n] - '0');
	if (!n)
		return;
	switch (below(4)) {
	case 0: v++; break;
	case 1: v = v ? v - 1 : 0; break;
	case 2: v = below(1 << (1 + below(20))); break;
	default: v *= 2;
	}
	do
		text[len++] = (char)('0' + v % 10);
	while (v /= 10);
	if ((size_t)len > n && !open_gap(d, size, max, at, (size_t)len - n))
		return;
	if ((size_t)len < n)
		cut(d, size, at, n - (size_t)len);
	for (int i = 0; i < len; i++)
		d[at + (size_t)i] = (uint8_t)text[len - 1 - i];
}

/* A word of the dictionary; typed-fuzz adds what was met in comparisons. */
static const uint8_t *word(size_t *size)
{
	if (!fz_words[FZ_NDICT])
		return NULL;
	return fz_entry((unsigned)(fz_words[FZ_NBASE] + below(fz_words[FZ_NDICT])), size);
}

static void put(uint8_t *d, size_t *size, size_t max, const uint8_t *from, size_t n, bool insert)
{
	size_t at = below(*size + 1);

	if (insert ? !open_gap(d, size, max, at, n) : n > *size - at)
		return;
	memmove(d + at, from, n);
}

/* A block of this input, or of another, is copied to another place. */
static void copy_block(uint8_t *d, size_t *size, size_t max, bool insert)
{
	static uint8_t block[4096];
	const uint8_t *from = d;
	size_t n = *size;

	if (fz_words && fz_words[FZ_NBASE] > 1 && below(3) == 0)
		from = fz_entry((unsigned)below(fz_words[FZ_NBASE]), &n);
	if (!n)
		return;
	size_t at = below(n), len = some(n - at < sizeof block ? n - at : sizeof block);
	memcpy(block, from + at, len);
	put(d, size, max, block, len, insert);
}

/* The head of this one, the tail of another. */
static void splice(uint8_t *d, size_t *size, size_t max)
{
	size_t n, at = below(*size + 1);
	const uint8_t *other = fz_entry((unsigned)below(fz_words[FZ_NBASE]), &n);
	size_t from = below(n + 1);

	n -= from;
	if (n > max - at)
		n = max - at;
	memcpy(d + at, other + from, n);
	*size = at + n;
}

static void repeat(uint8_t *d, size_t *size, size_t max)
{
	size_t at = below(*size + 1), n = some(below(8) ? 64 : 1024);
	uint8_t c = below(2) && at < *size ? d[at] : (uint8_t)fz_random();

	if (open_gap(d, size, max, at, n))
		memset(d + at, c, n);
}

static void mutate_once(uint8_t *d, size_t *size, size_t max)
{
	const uint8_t *w;
	size_t n, at;

	if (!*size) {
		repeat(d, size, max);
		return;
	}
	switch (below(14)) {
	case 0: d[below(*size)] ^= (uint8_t)(1u << below(8)); break;
	case 1: d[below(*size)] = (uint8_t)fz_random(); break;
	case 2: d[below(*size)] = (uint8_t)(32 + below(95)); break;
	case 3:
	case 4: number(d, *size); break;
	case 5: digits(d, size, max); break;
	case 6:
	case 7:
		at = below(*size);
		cut(d, size, at, some(*size - at));
		break;
	case 8: copy_block(d, size, max, true); break;
	case 9: copy_block(d, size, max, false); break;
	case 10: repeat(d, size, max); break;
	case 11:
	case 12:
		if (fz_words && (w = word(&n)))
			put(d, size, max, w, n, below(3) != 0);
		break;
	default:
		if (fz_words && fz_words[FZ_NBASE] > 1)
			splice(d, size, max);
	}
}

__attribute__((visibility("default"), used)) size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max)
{
	for (size_t n = (size_t)1 << below(4); n; n--)
		mutate_once(data, &size, max);
	return size;
}

size_t fz_make(uint8_t *out, size_t max)
{
	size_t n, m;
	unsigned base = (unsigned)below(fz_words[FZ_NBASE]);
	const uint8_t *p = fz_entry(base, &n), *q;

	if (n > max)
		n = max;
	if (LLVMFuzzerCustomCrossOver && fz_words[FZ_NBASE] > 1 && below(8) == 0) {
		q = fz_entry((unsigned)below(fz_words[FZ_NBASE]), &m);
		return LLVMFuzzerCustomCrossOver(p, n, q, m, out, max, (unsigned)fz_random());
	}
	memcpy(out, p, n);
	if (LLVMFuzzerCustomMutator)
		return LLVMFuzzerCustomMutator(out, n, max, (unsigned)fz_random());
	return LLVMFuzzerMutate(out, n, max);
}
