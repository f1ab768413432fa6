#include "unit.h"

#include "heap.h"

/* A site and a token, as the front hands them over. */
#define type(token) 0x1000, (token)

static const struct ty_cache *cache_of(void *p)
{
	size_t off = (uintptr_t)p - ty_conf.base;
	return ty_cache_ptr(ty_slab_ptr(ty_map_get(off))->cache);
}

Test(heap, partitions)
{
	cr_assert(ty_heap_start());
	if (!ty_conf.use_tokens || ty_conf.untyped != TY_POLICY_CALLSITE)
		cr_skip("configured with other defaults");
	struct ty_part p = ty_part_of(0x1000, 77);
	cr_assert(p.key == 77 && p.source == TY_SOURCE_TYPE);
	p = ty_part_of(0x1000, 0);
	cr_assert(p.key == 0x1000 && p.source == TY_SOURCE_SITE);
	p = ty_part_of(0x1000, TY_TOKEN_VOID);
	cr_assert(p.key == 0x1000 && p.source == TY_SOURCE_SITE, "void names no type");
}

Test(heap, sizes_and_alignments)
{
	for (size_t n = 0; n < 70000; n += 1 + n / 20) {
		char *p = ty_alloc(type(1), n, "malloc"), *q = ty_alloc_fixed(type(1), n, "malloc");
		cr_assert(p && q && p != q && ty_usable_size(p, "test") >= n && ty_usable_size(q, "test") >= n);
		if (n && n <= TY_SMALL_MAX)
			cr_assert(ty_usable_size(q, "test") <= ty_round_up(n, 16), "exactly this size");
		ty_free_sized(p, n, 0, "free_sized");
		ty_free_sized(q, n, 0, "free_sized");
		for (size_t align = 32; align <= 65536; align *= 2) {
			p = ty_alloc_aligned(type(1), align, n, "aligned_alloc");
			cr_assert(p && (uintptr_t)p % align == 0 && ty_usable_size(p, "test") >= n);
			ty_free_sized(p, n, align, "free_aligned_sized");
		}
	}
	cr_assert(ty_usable_size(NULL, "test") == 0);
	ty_free(NULL, "free");
	ty_free_sized(NULL, 5, 0, "free_sized");
}

Test(heap, no_memory)
{
	static const size_t sizes[] = {SIZE_MAX,    SIZE_MAX - 4096, (size_t)PTRDIFF_MAX + 1,
				       PTRDIFF_MAX, (size_t)1 << 62, (size_t)1 << 50};
	void *small = ty_alloc(type(1), 100, "malloc"), *large = ty_alloc(type(1), 100000, "malloc");
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		errno = 0;
		cr_assert(!ty_alloc(type(1), sizes[i], "malloc") && errno == ENOMEM);
		errno = 0;
		cr_assert(!ty_alloc_fixed(type(1), sizes[i], "malloc") && errno == ENOMEM);
		errno = 0;
		cr_assert(!ty_alloc_aligned(type(1), 64, sizes[i], "aligned_alloc") && errno == ENOMEM);
		errno = 0;
		cr_assert(!ty_realloc(small, sizes[i], 0x1000, 0, false, "realloc") && errno == ENOMEM);
		errno = 0;
		cr_assert(!ty_realloc(large, sizes[i], 0x1000, 0, false, "realloc") && errno == ENOMEM, "%zx",
			  sizes[i]);
	}
	for (size_t align = (size_t)1 << 48; align; align <<= 1) {
		errno = 0;
		cr_assert(!ty_alloc_aligned(type(1), align, 100, "aligned_alloc") && errno == ENOMEM);
	}
}

Test(heap, realloc_and_partitions)
{
	if (!ty_conf.use_tokens)
		cr_skip("configured with other defaults");
	for (size_t n = 16; n < 200000; n *= 3) {
		char *p = ty_alloc(type(7), n, "malloc");
		memset(p, 5, n);
		p = ty_realloc(p, n * 4, 0x2000, 0, false, "realloc");
		cr_assert(p && cache_of(p)->key == 7, "no token: keeps its partition");
		p = ty_realloc(p, n * 4, 0x2000, TY_TOKEN_VOID, false, "realloc");
		cr_assert(p && cache_of(p)->key == 7);
		char *same = ty_realloc(p, n * 4, 0x2000, 7, false, "realloc");
		cr_assert(same == p);
		p = ty_realloc(p, n * 4, 0x2000, 8, false, "realloc");
		cr_assert(p && p != same && cache_of(p)->key == 8, "another type: moves there");
		for (size_t i = 0; i < n; i++)
			cr_assert(p[i] == 5);
		cr_assert(!ty_realloc(p, 0, 0x2000, 0, false, "realloc"));
	}
}

static void free_small_wrong(void *p) { ty_free_sized(p, 1000, 0, "free_sized"); }

static void free_misaligned(void *p) { ty_free_sized(p, 100, 4096, "free_aligned_sized"); }

static void free_it(void *p) { ty_free(p, "free"); }

Test(heap, crimes)
{
	char *p;
	do
		p = ty_alloc(type(7), 100, "malloc");
	while ((uintptr_t)p % 4096 == 0);
	ASSERT_DIES(free_small_wrong, p, "free_sized(): wrong size 1000 for 0x");
	ASSERT_DIES(free_misaligned, p, "free_aligned_sized(): wrong alignment 4096 for 0x");
	ASSERT_DIES(free_it, p + 1, "free(): interior pointer 0x");
	ASSERT_DIES(free_it, &p, "free(): foreign pointer 0x");
	ASSERT_DIES(free_it, (void *)ty_conf.map, "free(): foreign pointer 0x");
	ASSERT_DIES(free_it, (void *)(ty_conf.base + ty_frontier.small_end), "free(): unallocated pointer 0x");
	ASSERT_DIES(free_it, (void *)(ty_conf.base + ty_frontier.large.start - 16), "free(): unallocated pointer 0x");
}

static void write_conf(void *arg)
{
	(void)arg;
	ty_conf.secret = 1;
}

Test(heap, options_are_sealed)
{
	cr_assert(ty_heap_start());
	ASSERT_FAULTS(write_conf, NULL);
}
