/* SPDX-License-Identifier: MIT */
/*
 * fuzz_compare.c: libc's comparisons. How far two operands agree is a feature of the run, and what a part of the input is compared
 * with is a word for the mutator. Built with -fno-builtin, as are these loops their own library's.
 */
#include "fuzz_driver.h"

#define PUBLIC __attribute__((visibility("default"), used))
#define CALLER __builtin_return_address(0)

static const uint8_t *input;
static size_t input_size;
static uint8_t known[FZ_MAP];

void fz_hooks_input(const uint8_t *data, size_t size)
{
	input = data;
	input_size = size < 4096 ? size : 4096;
}

static bool in_input(const uint8_t *s, size_t n)
{
	for (size_t i = 0; i + n <= input_size; i++) {
		size_t k = 0;
		while (k < n && input[i + k] == s[k])
			k++;
		if (k == n)
			return true;
	}
	return false;
}

static void add_word(const uint8_t *s, size_t n)
{
	uint8_t *t = (uint8_t *)fz_words + FZ_AT_TOKENS;
	uint64_t have = fz_words[FZ_NTOKENS];

	for (uint64_t i = 0; i < have && i < FZ_TOKENS; i++) {
		const uint8_t *e = t + i * FZ_TOKEN_BYTES;
		size_t k = 0;
		while (e[0] == n && k < n && e[1 + k] == s[k])
			k++;
		if (k == n)
			return;
	}
	t += have % FZ_TOKENS * FZ_TOKEN_BYTES;
	t[0] = (uint8_t)n;
	for (size_t k = 0; k < n; k++)
		t[1 + k] = s[k];
	fz_words[FZ_NTOKENS] = have + 1;
}

/* a has n bytes and b has m that count; the first `same' are equal. */
static void compared(const void *pc, const uint8_t *a, size_t n, const uint8_t *b, size_t m, size_t same)
{
	uint64_t at = fz_from_start(pc);
	uint32_t id;
	bool has_a, has_b;

	fz_feature(at << 8 | 1u << 7 | (same < 64 ? same : 64));
	if (!fz_words || n > FZ_TOKEN_BYTES - 1 || m > FZ_TOKEN_BYTES - 1 || n < 2 || m < 2)
		return;
	id = fz_mix(at ^ fz_mix((uint64_t)a[0] << 24 | a[1] << 16 | b[0] << 8 | b[1])) % FZ_MAP;
	if (known[id])
		return;
	known[id] = 1;
	has_a = in_input(a, n);
	has_b = in_input(b, m);
	if (has_a && !has_b)
		add_word(b, m);
	if (has_b && !has_a)
		add_word(a, n);
}

static int lower(int c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; }

static size_t length(const char *s, size_t max)
{
	size_t n = 0;
	while (n < max && s[n])
		n++;
	return n;
}

/* Both as strings of at most n bytes. */
static int strings(const void *pc, const char *a, const char *b, size_t n, bool fold)
{
	size_t i = 0;
	int x = 0, y = 0;

	for (; i < n; i++) {
		x = (unsigned char)a[i];
		y = (unsigned char)b[i];
		if (fold)
			x = lower(x), y = lower(y);
		if (x != y || !x)
			break;
	}
	if (fz_on)
		compared(pc, (const uint8_t *)a, length(a, n < 64 ? n : 64), (const uint8_t *)b, length(b, n < 64 ? n : 64), i);
	return i == n ? 0 : x - y;
}

static int bytes(const void *pc, const void *p, const void *q, size_t n)
{
	const uint8_t *a = p, *b = q;
	size_t i = 0;

	while (i < n && a[i] == b[i])
		i++;
	if (fz_on)
		compared(pc, a, n, b, n, i);
	return i == n ? 0 : a[i] - b[i];
}

int memcmp(const void *a, const void *b, size_t n);
int bcmp(const void *a, const void *b, size_t n);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
int strcasecmp(const char *a, const char *b);
int strncasecmp(const char *a, const char *b, size_t n);

PUBLIC int memcmp(const void *a, const void *b, size_t n) { return bytes(CALLER, a, b, n); }
PUBLIC int bcmp(const void *a, const void *b, size_t n) { return bytes(CALLER, a, b, n); }
PUBLIC int strcmp(const char *a, const char *b) { return strings(CALLER, a, b, SIZE_MAX, false); }
PUBLIC int strncmp(const char *a, const char *b, size_t n) { return strings(CALLER, a, b, n, false); }
PUBLIC int strcasecmp(const char *a, const char *b) { return strings(CALLER, a, b, SIZE_MAX, true); }
PUBLIC int strncasecmp(const char *a, const char *b, size_t n) { return strings(CALLER, a, b, n, true); }
