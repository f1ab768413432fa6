#include "unit.h"

#include "heap.h"
#include "large.h"

#define SOURCE TY_SOURCE_TYPE

static char *make(u64 key, size_t size, size_t align)
{
	struct ty_cache *from;
	cr_assert(ty_heap_start());
	u32 cls = ty_large_class(size, align, SOURCE);
	cr_assert(cls & TY_CLASS_LARGE);
	char *p = ty_large_alloc(key, cls, size, "malloc", &from);
	cr_assert(p && (uintptr_t)p % align == 0 && from->key == key);
	return p;
}

static void give_back(void *p) { ty_large_free(ty_large_at(p, "free"), "free"); }

static void poke(void *p) { *(volatile char *)p = 1; }

Test(large, classes)
{
	cr_assert(ty_large_class(20000, 16, SOURCE) == ty_large_class(20480, 4096, SOURCE));
	cr_assert(ty_large_class(20000, 16, SOURCE) != ty_large_class(20481, 16, SOURCE));
	cr_assert(ty_large_class(20000, 8192, SOURCE) != ty_large_class(20000, 16, SOURCE));
	cr_assert(ty_large_class(20000, 16, TY_SOURCE_SITE) != ty_large_class(20000, 16, SOURCE));
	static const size_t impossible[] = {SIZE_MAX, SIZE_MAX - 4095, (size_t)PTRDIFF_MAX + 1, PTRDIFF_MAX};
	for (size_t i = 0; i < sizeof impossible / sizeof *impossible; i++)
		cr_assert(!ty_large_class(impossible[i], 16, SOURCE) && !ty_large_class(20000, impossible[i], SOURCE));
}

Test(large, zero_usable_and_guarded)
{
	for (size_t size = 16385; size < 3000000; size += size / 2) {
		char *p = make(5, size, 16);
		size_t usable = ty_large_usable(ty_large_at(p, "test"));
		cr_assert(usable >= size && usable < size + 4096);
		for (int round = 0; round < 2; round++) {
			for (size_t i = 0; i < usable; i += 61)
				cr_assert(p[i] == 0);
			memset(p, 1, usable);
			ASSERT_FAULTS(poke, p + usable);
			give_back(p);
			cr_assert(make(5, size, 16) == p, "its own place again");
		}
	}
}

Test(large, keys_and_classes_never_meet)
{
	enum { N = 200 };
	static char *p[N], *q;
	for (int i = 0; i < N; i++)
		give_back(p[i] = make((u64)i % 7, 20000 + (size_t)(i % 5) * 8192, 4096u << i % 3));
	for (int i = 0; i < N; i++) {
		q = make((u64)i % 7 + 100, 20000 + (size_t)(i % 5) * 8192, 4096);
		for (int k = 0; k < N; k++)
			cr_assert(q != p[k]);
	}
}

Test(large, crimes)
{
	char *p = make(5, 100000, 16);
	ASSERT_DIES(give_back, p + 16, "free(): interior pointer 0x");
	ASSERT_DIES(give_back, p + 50000, "interior pointer 0x");
	give_back(p);
	ASSERT_DIES(give_back, p, "free(): double free of 0x");
	ty_cache_trim();
	ASSERT_DIES(give_back, p, "double free of 0x");
}

static void make_again(void *arg)
{
	(void)arg;
	make(5, 100000, 16);
}

static void trim(void *arg)
{
	(void)arg;
	ty_cache_trim();
}

Test(large, write_after_free)
{
	char *p = make(5, 100000, 16), text[512];
	give_back(p);
	if (death_of(poke, p + 70000, text, sizeof text) == SIGSEGV)
		return; /* guarded: as good */
	p[70000] = 1;
	ASSERT_DIES(make_again, NULL, "write after free at 0x");
	ASSERT_DIES(trim, NULL, "write after free at 0x");
}

Test(large, resize)
{
	char *p = make(5, 300000, 16);
	struct ty_span *s = ty_large_at(p, "test");
	memset(p, 7, 300000);
	cr_assert(ty_large_resize(s, 100000, "realloc") && s->req == 100000);
	ASSERT_FAULTS(poke, p + ty_large_usable(s));
	cr_assert(ty_large_resize(s, 250000, "realloc"));
	for (int i = 0; i < 100000; i++)
		cr_assert(p[i] == 7);
	for (size_t i = 102400; i < 250000; i++)
		cr_assert(p[i] == 0, "what was given back is zero");
	cr_assert(!ty_large_resize(s, 100, "realloc"), "small objects live elsewhere");
	cr_assert(!ty_large_resize(s, s->bytes + 1, "realloc"));
	cr_assert(s->req == 250000 && s->state == TY_SPAN_LIVE);
}

/* Sizes whose rounding to pages wraps. */
Test(large, resize_to_the_impossible)
{
	struct ty_span *s = ty_large_at(make(5, 100000, 16), "test");
	for (size_t less = 0; less < 5000; less++)
		cr_assert(!ty_large_resize(s, SIZE_MAX - less, "realloc"), "SIZE_MAX - %zu", less);
	cr_assert(!ty_large_resize(s, (size_t)1 << 63, "realloc") && !ty_large_resize(s, PTRDIFF_MAX, "realloc"));
	cr_assert(s->req == 100000);
}

/* Huge spans (more than TY_HUGE_MIN): inaccessible while free, though their pages stay. */
Test(large, huge_is_closed_while_free)
{
	enum { SIZE = 5 << 20 };
	char *p = make(5, SIZE, 16);
	cr_assert(ty_region_is_huge(SIZE));
	memset(p, 7, SIZE);
	for (int round = 0; round < 3; round++) {
		give_back(p);
		struct ty_span *s = (struct ty_span *)(void *)ty_slab_ptr(ty_map_get((uintptr_t)p - ty_conf.base));
		cr_assert(s->state == TY_SPAN_WARM && s->closed, "round %d", round);
		ASSERT_FAULTS(poke, p);
		ASSERT_FAULTS(poke, p + SIZE - 1);
		cr_assert(make(5, SIZE, 16) == p && !s->closed);
		for (size_t i = 0; i < SIZE; i++)
			cr_assert(p[i] == 0, "byte %zu", i);
		memset(p, 7, SIZE);
		ASSERT_FAULTS(poke, p + SIZE);
	}
	give_back(p);
	ty_cache_trim();
	ASSERT_FAULTS(poke, p);
	cr_assert(make(5, SIZE, 16) == p);
	for (size_t i = 0; i < SIZE; i++)
		cr_assert(p[i] == 0, "byte %zu", i);
	memset(p, 7, SIZE);
}

/* Only so many may be closed, as each costs mappings: the others are watched as smaller ones are. */
Test(large, huge_beyond_the_closed)
{
	enum { N = 40, SIZE = 4 << 20, KEEP = 64 };
	static char *p[N];
	unsigned closed = 0, open = 0;

	/* Live bytes make room for warm ones. */
	for (int i = 0; i < KEEP; i++)
		make(6, SIZE, 16);
	for (int i = 0; i < N; i++)
		memset(p[i] = make(7, SIZE, 16), 1, 100);
	for (int i = 0; i < N; i++)
		give_back(p[i]);
	char *written = NULL, text[512];
	for (int i = 0; i < N; i++) {
		struct ty_span *s = (struct ty_span *)(void *)ty_slab_ptr(ty_map_get((uintptr_t)p[i] - ty_conf.base));
		closed += s->closed;
		if (s->state == TY_SPAN_WARM && !s->closed) {
			open++;
			written = p[i];
		}
	}
	cr_assert(closed && open, "%u closed, %u open", closed, open);
	cr_assert(death_of(poke, written, text, sizeof text) == 0);
	written[SIZE - 1] = 1;
	ASSERT_DIES(trim, NULL, "write after free at 0x");
}

/* What a wild write leaves behind the guard, or a longer object before, is not handed out. */
Test(large, tail_is_cleaned)
{
	static const size_t sizes[][3] = {{200000, 50000, 180000}, {8 << 20, 5 << 20, 7 << 20}};
	for (int k = 0; k < 2; k++) {
		u32 cls = ty_large_class(sizes[k][0], 16, SOURCE);
		struct ty_cache *from;
		char *p = ty_large_alloc(8, cls, sizes[k][0], "malloc", &from);
		memset(p, 3, sizes[k][0]);
		give_back(p);
		cr_assert(ty_large_alloc(8, cls, sizes[k][1], "malloc", &from) == p);
		memset(p, 3, sizes[k][1]);
		size_t behind = ty_large_usable(ty_large_at(p, "test")) + 4096;
		memset(p + behind, 4, sizes[k][2] - behind);
		if (k == 0)
			cr_assert(ty_large_resize(ty_large_at(p, "test"), sizes[k][2], "realloc"));
		else {
			give_back(p);
			cr_assert(ty_large_alloc(8, cls, sizes[k][2], "malloc", &from) == p);
		}
		for (size_t i = k ? 0 : sizes[k][1] + 4096; i < sizes[k][2]; i++)
			cr_assert(p[i] == 0, "size %zu byte %zu", sizes[k][0], i);
	}
}
