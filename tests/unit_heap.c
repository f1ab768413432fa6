#include "unit.h"

#include "heap.h"
#include "refuse.h"

/* A site and a token, as the front hands them over. */
#define type(token) AT(0x1000), (token)

#define PART_OF(site, token) ty_part_of(AT(site), (token), 0)

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
	struct ty_part p = PART_OF(0x1000, 77);
	cr_assert(p.key == 77 && p.source == TY_SOURCE_TYPE);
	p = PART_OF(0x1000, 0);
	cr_assert(p.key == 0x1000 && p.source == TY_SOURCE_SITE);
	p = PART_OF(0x1000, TY_TOKEN_VOID);
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
		cr_assert(!ty_realloc(small, sizes[i], AT(0x1000), 0, false, "realloc") && errno == ENOMEM);
		errno = 0;
		cr_assert(!ty_realloc(large, sizes[i], AT(0x1000), 0, false, "realloc") && errno == ENOMEM, "%zx",
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
		p = ty_realloc(p, n * 4, AT(0x2000), 0, false, "realloc");
		cr_assert(p && cache_of(p)->key == 7, "no token: keeps its partition");
		p = ty_realloc(p, n * 4, AT(0x2000), TY_TOKEN_VOID, false, "realloc");
		cr_assert(p && cache_of(p)->key == 7);
		char *same = ty_realloc(p, n * 4, AT(0x2000), 7, false, "realloc");
		cr_assert(same == p);
		p = ty_realloc(p, n * 4, AT(0x2000), 8, false, "realloc");
		cr_assert(p && p != same && cache_of(p)->key == 8, "another type: moves there");
		for (size_t i = 0; i < n; i++)
			cr_assert(p[i] == 5);
		cr_assert(!ty_realloc(p, 0, AT(0x2000), 0, false, "realloc"));
	}
}

/* There is no memory: an object that would be smaller stays where it is, but not one that would be of another type. */
Test(heap, realloc_without_memory)
{
	static const size_t sizes[] = {3000, 100000};
	char *p[2];
	if (!ty_conf.use_tokens)
		cr_skip("configured with other defaults");
	for (int i = 0; i < 2; i++) {
		cr_assert(p[i] = ty_alloc(type(7), sizes[i], "malloc"));
		memset(p[i], 5, sizes[i]);
	}
	if (!refuse(SYS_mprotect, ENOMEM))
		cr_skip("no filters here");
	for (size_t n = 2000; n > 20; n /= 2)
		while (ty_alloc(type(9), n, "malloc"))
			;
	for (int i = 0; i < 2; i++) {
		errno = 0;
		cr_assert(!ty_realloc(p[i], 50, AT(0x2000), 8, false, "realloc") && errno == ENOMEM);
		cr_assert(ty_usable_size(p[i], "test") == sizes[i] && p[i][0] == 5 && p[i][sizes[i] - 1] == 5);
		errno = 42;
		cr_assert(ty_realloc(p[i], 1000, AT(0x2000), 7, false, "realloc") == p[i] && errno == 42);
		cr_assert(ty_usable_size(p[i], "test") == 1000 && p[i][999] == 5);
		ty_free(p[i], "free");
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
	ASSERT_DIES(free_it, (void *)(ty_conf.base + ty_frontier.zone[0].start - 16), "free(): unallocated pointer 0x");
}

/* To the byte, whatever the size, and all of it and nothing else is the program's. */
Test(heap, usable_size, .timeout = 60)
{
	for (size_t n = 1; n <= TY_VARIABLE_MAX; n++) {
		char *p = ty_alloc(type(1), n, "malloc"), *q = ty_alloc_fixed(type(1), n, "malloc");
		cr_assert(p && ty_usable_size(p, "test") == n, "%zu", n);
		cr_assert(q && ty_usable_size(q, "test") == ty_round_up(n, 16), "%zu", n);
		memset(p, n % 2 ? 0xff : 0, n);
		cr_assert(ty_usable_size(p, "test") == n, "%zu, written", n);
		ty_free(p, "free");
		ty_free(q, "free");
		size_t align = (size_t)32 << n % 8;
		p = ty_alloc_aligned(type(1), align, n, "aligned_alloc");
		cr_assert(p && (uintptr_t)p % align == 0 && ty_usable_size(p, "test") == n, "%zu at %zu", n, align);
		memset(p, 0xff, n);
		ty_free(p, "free");
	}
	for (size_t n = TY_VARIABLE_MAX + 1; n < 200000; n += 1 + n / 999) {
		char *p = ty_alloc(type(1), n, "malloc");
		cr_assert(p && ty_usable_size(p, "test") == n, "%zu", n);
		ty_free(p, "free");
	}
}

/* Small and large, in place and not: no byte of the object is lost, none behind its old end comes along. */
Test(heap, realloc_keeps_bytes_and_zeros, .timeout = 60)
{
	u64 seed = 99, in_place = 0;
	for (int object = 0; object < 300; object++) {
		size_t n = 0, most = object % 10 ? 600 : object % 20 ? 16400 : 60000;
		unsigned char *p = NULL;
		for (int i = 0; i < 60; i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			size_t to = 1 + (seed >> 33) % most;
			if (i % 2 && n > 20)
				to = n + (seed >> 33) % 24 - 12; /* near */
			unsigned char *q = ty_realloc(p, to, AT(0x1000), 3, false, "realloc");
			cr_assert(q && ty_usable_size(q, "test") == to);
			in_place += q == p;
			for (size_t k = 0; k < (n < to ? n : to); k++)
				cr_assert(q[k] == (unsigned char)(object + k), "byte %zu, %zu then %zu", k, n, to);
			for (size_t k = n; k < to; k++)
				cr_assert(q[k] == 0, "byte %zu, %zu then %zu", k, n, to);
			/* Behind the end: the canary, then zeros to the end of the slot, or of the pages. */
			u32 slot;
			size_t off = (uintptr_t)q - ty_conf.base, end = 0;
			if (off < ty_frontier.small_end)
				end = ty_slot_at(q, off, &slot, "test")->size;
			for (size_t k = to + 8; k < end; k++)
				cr_assert(q[k] == 0, "byte %zu behind the end, %zu then %zu", k, n, to);
			for (size_t k = 0; k < to; k++)
				q[k] = (unsigned char)(object + k);
			p = q;
			n = to;
		}
		ty_free(p, "free");
	}
	cr_assert(in_place > 3000, "%lu in place", (unsigned long)in_place);
}

static void read_it(void *p)
{
	volatile char c = *(volatile char *)p;
	(void)c;
}

static void write_it(void *p) { *(volatile char *)p = 0; }

static void size_it(void *p) { ty_usable_size(p, "malloc_usable_size"); }

static void realloc_it(void *p) { ty_realloc(p, 10, AT(0x1000), 0, false, "realloc"); }

/* No bytes: an address of one's own that nobody can read or write. */
Test(heap, objects_of_no_bytes, .timeout = 60)
{
	enum { N = 3000 };
	static char *all[N];
	for (int i = 0; i < N; i++) {
		size_t align = i % 4 ? 16 : (size_t)16 << i / 4 % 14;
		all[i] = i % 3 == 0   ? ty_alloc_aligned(type((size_t)i % 5), align, 0, "aligned_alloc")
			 : i % 3 == 1 ? ty_alloc_fixed(type((size_t)i % 5), 0, "malloc")
				      : ty_alloc(AT((uintptr_t)i), 0, 0, "malloc");
		cr_assert(all[i] && ty_usable_size(all[i], "test") == 0);
		cr_assert(i % 3 || (uintptr_t)all[i] % align == 0);
		if (i < 100) {
			ASSERT_FAULTS(read_it, all[i]);
			ASSERT_FAULTS(write_it, all[i]);
			ASSERT_FAULTS(read_it, all[i] + 15);
		}
	}
	for (int i = 0; i < N; i++)
		for (int k = 0; k < i; k++)
			cr_assert(all[i] != all[k]);
	for (int i = 0; i < N; i += 2)
		if (i % 4)
			ty_free_sized(all[i], 0, 0, "free_sized");
		else
			ty_free(all[i], "free");
	for (int i = 0; i < 20; i += 2) {
		ASSERT_DIES(free_it, all[i], "free(): double free of 0x");
		ASSERT_DIES(size_it, all[i], "malloc_usable_size(): use after free of 0x");
		ASSERT_DIES(realloc_it, all[i], "realloc(): double free of 0x");
		ASSERT_FAULTS(read_it, all[i]);
	}
	ASSERT_DIES(free_small_wrong, all[1], "free_sized(): wrong size 1000 for 0x");
	ASSERT_DIES(free_it, all[1] + 1, "free(): interior pointer 0x");
	/* Objects that grow to some bytes move. */
	for (int i = 1; i < N; i += 2) {
		char *p = ty_realloc(all[i], 100, AT(0x5000), 0, false, "realloc");
		cr_assert(p && p != all[i] && ty_usable_size(p, "test") == 100);
		memset(p, 1, 100);
		ty_free(p, "free");
	}
	/* All slots come back: the number of slabs stays. */
	void *nil[1000];
	u32 slabs = 0;
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 1000; i++)
			cr_assert(nil[i] = ty_alloc(type(1), 0, "malloc"));
		if (!round)
			slabs = ty_index_cache(0, TY_CLASS_NIL)->nslabs;
		ASSERT_FAULTS(write_it, nil[round]);
		for (int i = 0; i < 1000; i++)
			ty_free(nil[i], "free");
		ty_cache_trim();
	}
	cr_assert(ty_index_cache(0, TY_CLASS_NIL)->nslabs == slabs);
}

static void overflow_and_free(void *arg)
{
	char **a = arg;
	*a[1] ^= 0x41;
	ty_free(a[0], "free");
}

static void overflow_and_realloc(void *arg)
{
	char **a = arg;
	*a[1] ^= 0x41;
	ty_realloc(a[0], 300, AT(0x1000), 0, false, "realloc");
}

static void overflow_and_look(void *arg)
{
	char **a = arg;
	*a[1] ^= 0x41;
	ty_usable_size(a[0], "malloc_usable_size");
}

static void overflow_and_free_sized(void *arg)
{
	char **a = arg;
	*a[1] ^= 0x41;
	ty_free_sized(a[0], 100, 0, "free_sized");
}

static void *run_overflow(void *arg)
{
	overflow_and_free(arg);
	return NULL;
}

static void overflow_elsewhere(void *arg) { in_thread(run_overflow, arg); }

/* Each byte of the rest of the slot, in cold and hot caches, freed here and elsewhere. */
Test(heap, overflow, .timeout = 60)
{
	for (int hot = 0; hot < 2; hot++) {
		char *p = NULL;
		for (int i = 0; i <= hot * 100; i++)
			cr_assert(p = ty_alloc(type(50), 100, "malloc"));
		u32 slot;
		struct ty_slab *s = ty_slot_at(p, (uintptr_t)p - ty_conf.base, &slot, "test");
		cr_assert((s->owner != 0) == hot && s->size >= 108);
		for (size_t i = 100; i < s->size; i++) {
			char *a[2] = {p, p + i};
			ASSERT_DIES(overflow_and_free, a, "free(): overflow of 0x");
			ASSERT_DIES(overflow_and_realloc, a, "realloc(): overflow of 0x");
			ASSERT_DIES(overflow_and_look, a, "malloc_usable_size(): overflow of 0x");
			ASSERT_DIES(overflow_and_free_sized, a, "free_sized(): overflow of 0x");
			ASSERT_DIES(overflow_elsewhere, a, "free(): overflow of 0x");
		}
		for (size_t wrong = 0; wrong < 300; wrong += wrong < 95 || wrong > 110 ? 19 : 1)
			if (wrong != 100)
				cr_assert(ty_usable_size(p, "test") != wrong);
		ASSERT_DIES(free_small_wrong, p, "free_sized(): wrong size 1000 for 0x");
		ty_free_sized(p, 100, 0, "free_sized");
	}
}

/* The first slot of a slab, with nothing accessible before it, and of the shortest slots: zeros over all of it. */
static void zeros_and_free(void *p)
{
	memset(p, 0, 16);
	ty_free(p, "free");
}

Test(heap, zeros_over_the_first_slot)
{
	cr_assert(ty_heap_start());
	bool first = false;
	for (int i = 0; i < 5000; i++) {
		char *p = ty_alloc(type(60), 8, "malloc");
		u32 slot;
		first |= !(ty_slot_at(p, (uintptr_t)p - ty_conf.base, &slot, "test")->start - (uintptr_t)p);
		if (i == 100 || !((uintptr_t)p & (TY_PAGE - 1)))
			ASSERT_DIES(zeros_and_free, p, "free(): overflow of 0x");
	}
	cr_assert(first);
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
