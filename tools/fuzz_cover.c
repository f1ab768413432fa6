/* SPDX-License-Identifier: MIT */
/*
 * fuzz_cover.c: features of a run. Steps of the heap and comparisons are hashed into a map of counters; a target that was built
 * with -fsanitize-coverage=inline-8bit-counters or trace-pc-guard brings exact counters, and steps are left out then.
 * What counts is which counter had which order of magnitude, as in AFL.
 */
#include "fuzz_driver.h"

#include <string.h>

#define PUBLIC __attribute__((visibility("default"), used))
#define REGIONS 256

__thread int fz_on;
static uint8_t seen_here[FZ_SEEN_BYTES];
uint8_t *fz_seen = seen_here;

static uint8_t map[FZ_MAP];
static uint32_t touched[FZ_MAP];
static unsigned ntouched;
static uint64_t last_step;

/* Counters of the instrumentation: of each module with inline counters, and ours for guards. */
static struct {
	uint8_t *start, *stop;
	size_t base;
} region[REGIONS];
static unsigned nregions;
static size_t ncounters;
static uint8_t guard_counter[FZ_COUNTER_BYTES];
static uint32_t nguards;

uint64_t fz_mix(uint64_t x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ull;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ull;
	return x ^ x >> 32;
}

bool fz_cover_counters(void) { return nregions != 0 || nguards != 0; }

void fz_feature(uint64_t what)
{
	uint32_t i = fz_mix(what) % FZ_MAP;

	if (!map[i] && ntouched < FZ_MAP)
		touched[ntouched++] = i;
	if (map[i] != 255)
		map[i]++;
}

void fz_step(uint64_t what)
{
	if (fz_cover_counters())
		return;
	what = fz_mix(what);
	fz_feature(what ^ last_step);
	last_step = what >> 1;
}

static void add_region(uint8_t *start, uint8_t *stop)
{
	size_t n = (size_t)(stop - start);

	for (unsigned i = 0; i < nregions; i++) {
		if (region[i].start == start)
			return;
	}
	if (nregions == REGIONS || n == 0 || n > FZ_COUNTER_BYTES - ncounters)
		return;
	region[nregions].start = start;
	region[nregions].stop = stop;
	region[nregions++].base = FZ_MAP + ncounters;
	ncounters += n;
}

void fz_cover_begin(void)
{
	while (ntouched)
		map[touched[--ntouched]] = 0;
	for (unsigned i = 0; i < nregions; i++)
		memset(region[i].start, 0, (size_t)(region[i].stop - region[i].start));
	memset(guard_counter, 0, nguards);
	last_step = 0;
}

/* 1, 2, 3, 4-7, 8-15, 16-31, 32-127, 128 and more: a bit each. */
static uint8_t magnitude(uint8_t n)
{
	return n < 4 ? 1u << (n - 1) : n < 8 ? 8 : n < 16 ? 16 : n < 32 ? 32 : n < 128 ? 64 : 128;
}

static unsigned note(size_t i, uint8_t n)
{
	uint8_t bit = magnitude(n);

	if (fz_seen[i] & bit)
		return 0;
	fz_seen[i] |= bit;
	return 1;
}

static unsigned note_counters(const uint8_t *p, const uint8_t *stop, size_t base)
{
	unsigned fresh = 0;

	for (size_t i = 0, n = (size_t)(stop - p), step; i < n; i += step) {
		uint64_t eight;
		step = n - i >= 8 ? 8 : n - i;
		if (step == 8 && (memcpy(&eight, p + i, 8), eight == 0))
			continue;
		for (size_t k = i; k < i + step; k++) {
			if (p[k])
				fresh += note(base + k, p[k]);
		}
	}
	return fresh;
}

unsigned fz_cover_end(void)
{
	unsigned fresh = 0;

	for (unsigned i = 0; i < ntouched; i++)
		fresh += note(touched[i], map[touched[i]]);
	for (unsigned i = 0; i < nregions; i++)
		fresh += note_counters(region[i].start, region[i].stop, region[i].base);
	return fresh + note_counters(guard_counter, guard_counter + nguards, FZ_MAP);
}

/* ---- what the compiler calls (clang's SanitizerCoverage) ---- */

void __sanitizer_cov_8bit_counters_init(uint8_t *start, uint8_t *stop);
void __sanitizer_cov_pcs_init(const uintptr_t *start, const uintptr_t *stop);
void __sanitizer_cov_trace_pc_guard_init(uint32_t *start, uint32_t *stop);
void __sanitizer_cov_trace_pc_guard(uint32_t *guard);
void __sanitizer_cov_trace_pc_indir(uintptr_t callee);
void __sanitizer_cov_trace_switch(uint64_t value, uint64_t *cases);
void __sanitizer_cov_trace_div4(uint32_t value);
void __sanitizer_cov_trace_div8(uint64_t value);
void __sanitizer_cov_trace_gep(uintptr_t index);

PUBLIC void __sanitizer_cov_8bit_counters_init(uint8_t *start, uint8_t *stop) { add_region(start, stop); }
PUBLIC void __sanitizer_cov_pcs_init(const uintptr_t *start, const uintptr_t *stop) { (void)start, (void)stop; }

PUBLIC void __sanitizer_cov_trace_pc_guard_init(uint32_t *start, uint32_t *stop)
{
	if (start == stop || *start)
		return;
	for (uint32_t *g = start; g < stop; g++)
		*g = nguards < FZ_COUNTER_BYTES - 1 ? ++nguards : nguards;
}

PUBLIC void __sanitizer_cov_trace_pc_guard(uint32_t *guard)
{
	if (*guard && guard_counter[*guard - 1] != 255)
		guard_counter[*guard - 1]++;
}

/* Of a comparison: where, and how many bits agree. */
static inline void compared(const void *pc, uint64_t differ)
{
	if (fz_on)
		fz_feature(fz_from_start(pc) << 8 | (unsigned)__builtin_popcountll(differ));
}

#define COMPARE(name, type)                                                                                    \
	void name(type a, type b);                                                                             \
	PUBLIC void name(type a, type b) { compared(__builtin_return_address(0), a ^ b); }
COMPARE(__sanitizer_cov_trace_cmp1, uint8_t)
COMPARE(__sanitizer_cov_trace_cmp2, uint16_t)
COMPARE(__sanitizer_cov_trace_cmp4, uint32_t)
COMPARE(__sanitizer_cov_trace_cmp8, uint64_t)
COMPARE(__sanitizer_cov_trace_const_cmp1, uint8_t)
COMPARE(__sanitizer_cov_trace_const_cmp2, uint16_t)
COMPARE(__sanitizer_cov_trace_const_cmp4, uint32_t)
COMPARE(__sanitizer_cov_trace_const_cmp8, uint64_t)

PUBLIC void __sanitizer_cov_trace_switch(uint64_t value, uint64_t *cases)
{
	for (uint64_t i = 0; i < cases[0] && i < 64; i++)
		compared((const char *)__builtin_return_address(0) + i, value ^ cases[2 + i]);
}

PUBLIC void __sanitizer_cov_trace_pc_indir(uintptr_t callee) { (void)callee; }
PUBLIC void __sanitizer_cov_trace_div4(uint32_t value) { (void)value; }
PUBLIC void __sanitizer_cov_trace_div8(uint64_t value) { (void)value; }
PUBLIC void __sanitizer_cov_trace_gep(uintptr_t index) { (void)index; }
