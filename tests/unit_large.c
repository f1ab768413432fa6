#include "unit.h"

#include "heap.h"
#include "large.h"
#include "refuse.h"

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

static void give_back(void *p) { ty_large_free(ty_large_at(p, "free", "double free of"), p, "free"); }

static void poke(void *p) { *(volatile char *)p = 1; }

Test(large, classes)
{
	cr_assert(ty_large_class(20000, 1, SOURCE) == ty_large_class(20480, 16, SOURCE));
	cr_assert(ty_large_class(20000, 16, SOURCE) != ty_large_class(20481, 16, SOURCE));
	/* The alignment says where in its pages the object lies. */
	cr_assert(ty_large_class(20000, 16, SOURCE) != ty_large_class(20000, 32, SOURCE));
	cr_assert(ty_large_class(20000, 8192, SOURCE) != ty_large_class(20000, 16, SOURCE));
	cr_assert(ty_large_class(20000, 16, TY_SOURCE_SITE) != ty_large_class(20000, 16, SOURCE));
	static const size_t impossible[] = {SIZE_MAX, SIZE_MAX - 4095, (size_t)PTRDIFF_MAX + 1, PTRDIFF_MAX};
	for (size_t i = 0; i < sizeof impossible / sizeof *impossible; i++)
		cr_assert(!ty_large_class(impossible[i], 16, SOURCE) && !ty_large_class(20000, impossible[i], SOURCE));
}

static struct ty_span *span(void *p) { return ty_large_at(p, "test", "not live:"); }

static bool resize(struct ty_span *s, size_t size) { return ty_large_resize(s, ty_large_object(s), size, false, "realloc"); }

/* Where the pages of the object end: what lies there is a guard. */
static char *last(void *p) { return (char *)ty_round_up((uintptr_t)p + span(p)->req, ty_os_page_size()); }

Test(large, zero_usable_and_guarded)
{
	for (size_t size = 16385; size < 3000000; size += size / 2) {
		char *p = make(5, size, 16);
		cr_assert(ty_large_usable(span(p)) == size);
		for (int round = 0; round < 2; round++) {
			for (size_t i = 0; i < size; i += 61)
				cr_assert(p[i] == 0);
			memset(p, 1, size);
			ASSERT_FAULTS(poke, last(p));
			cr_assert(last(p) - (p + size) < 16);
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
	struct ty_span *s = span(p);
	memset(p, 7, 300000);
	cr_assert(resize(s, 100000) && s->req == 100000);
	ASSERT_FAULTS(poke, last(p));
	cr_assert(resize(s, 250000));
	for (int i = 0; i < 100000; i++)
		cr_assert(p[i] == 7);
	for (size_t i = 100000; i < 250000; i++)
		cr_assert(p[i] == 0, "what was given back is zero");
	cr_assert(!resize(s, 100), "small objects live elsewhere");
	cr_assert(!resize(s, s->bytes + 1));
	cr_assert(s->req == 250000 && s->state == TY_SPAN_LIVE);
}

/* Sizes whose rounding to pages wraps. */
Test(large, resize_to_the_impossible)
{
	struct ty_span *s = ty_large_at(make(5, 100000, 16), "test", "not live:");
	for (size_t less = 0; less < 5000; less++)
		cr_assert(!resize(s, SIZE_MAX - less), "SIZE_MAX - %zu", less);
	cr_assert(!resize(s, (size_t)1 << 63) && !resize(s, PTRDIFF_MAX));
	cr_assert(s->req == 100000);
}

/* Huge spans (more than TY_HUGE_MIN): inaccessible while free, though their pages stay. */
Test(large, huge_is_closed_while_free)
{
	enum { SIZE = 5 << 20 };
	char *p = make(5, SIZE, 16);
	cr_assert(ty_region_sort(SIZE) == TY_SORT_HUGE);
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

/* Only so many are kept closed; the others are guarded, and their pages gone. Nobody can reach any of them. */
Test(large, huge_beyond_the_closed)
{
	enum { N = 40, SIZE = 4 << 20 };
	static char *p[N];
	unsigned closed = 0, guarded = 0;

	for (int i = 0; i < N; i++)
		memset(p[i] = make(7, SIZE, 16), 1, 100);
	for (int i = 0; i < N; i++)
		give_back(p[i]);
	for (int i = 0; i < N; i++) {
		struct ty_span *s = (struct ty_span *)(void *)ty_slab_ptr(ty_map_get((uintptr_t)p[i] - ty_conf.base));
		closed += s->closed;
		guarded += s->state == TY_SPAN_COLD && s->guarded;
		ASSERT_FAULTS(poke, p[i]);
	}
	cr_assert(closed && guarded && closed + guarded == N, "%u closed, %u guarded", closed, guarded);
}

/* A stride of less than 16 pages does not pass the end, however much room there is behind it, nor after realloc in place. */
Test(large, guard_is_wide)
{
	static const size_t sizes[][2] = {{1100000, 1200000}, {5 << 20, 6 << 20}, {(size_t)70 << 20, (size_t)71 << 20}};
	cr_assert(ty_heap_start());
	if (!ty_os_cheap_guards() || !ty_conf.roomy)
		cr_skip("one page");
	for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
		char *p = make(21, sizes[k][0], 16);
		for (int round = 0; round < 2; round++) {
			cr_assert(span(p)->bytes > span(p)->req + 16 * ty_os_page_size());
			for (size_t i = 0; i < 16; i++)
				ASSERT_FAULTS(poke, last(p) + i * ty_os_page_size() + i * 7);
			cr_assert(round || resize(span(p), sizes[k][1]));
		}
		give_back(p);
	}
}

/* What a wild write leaves behind the guard, 16 pages, or a longer object before, is not handed out. */
Test(large, tail_is_cleaned)
{
	static const size_t sizes[][3] = {{200000, 50000, 180000}, {8 << 20, 5 << 20, 7 << 20}};
	for (int k = 0; k < 2; k++) {
		u32 cls = ty_large_class(sizes[k][0], 16, SOURCE);
		struct ty_cache *from;
		char *p = ty_large_alloc(8, cls, sizes[k][0], "malloc", &from);
		memset(p, 3, sizes[k][0]);
		uintptr_t start = span(p)->start;
		give_back(p);
		cr_assert((p = ty_large_alloc(8, cls, sizes[k][1], "malloc", &from)) && span(p)->start == start);
		memset(p, 3, sizes[k][1]);
		char *behind = last(p) + 16 * ty_os_page_size();
		memset(behind, 4, start + sizes[k][2] - (uintptr_t)behind);
		if (k == 0) {
			cr_assert(resize(span(p), sizes[k][2]));
		} else {
			give_back(p);
			cr_assert((p = ty_large_alloc(8, cls, sizes[k][2], "malloc", &from)) &&
				  span(p)->start == start);
		}
		for (size_t i = k ? 0 : sizes[k][1]; i < sizes[k][2]; i++)
			cr_assert(p[i] == 0, "size %zu byte %zu", sizes[k][0], i);
	}
}

/* As near to the guard as the alignment allows, whatever the size. */
Test(large, ends_at_the_guard, .timeout = 60)
{
	static const size_t bases[] = {TY_SMALL_MAX - 7, 20480 - 8, 100000};
	for (size_t align = 16; align <= 4096; align *= 2)
		for (size_t k = 0; k < sizeof bases / sizeof *bases; k++)
			for (size_t n = bases[k]; n < bases[k] + 16; n++) {
				char *p = make(9, n, align);
				cr_assert(ty_large_usable(span(p)) == n);
				size_t tail = (size_t)(last(p) - (p + n));
				cr_assert(tail < align, "%zu at %zu: %zu behind it", n, align, tail);
				memset(p, 1, n);
				ASSERT_FAULTS(poke, last(p));
				for (size_t i = 0; i < span(p)->lead; i++)
					cr_assert(((char *)span(p)->start)[i] == 0);
				if (span(p)->start == (uintptr_t)p - span(p)->lead)
					ASSERT_FAULTS(poke, (char *)span(p)->start - 1);
				give_back(p);
			}
}

struct change {
	char *p; /* the object */
	char *at;
	unsigned char x;
};

static void change_and_free(void *arg)
{
	struct change *c = arg;
	*c->at ^= c->x;
	give_back(c->p);
}

static void change_and_resize(void *arg)
{
	struct change *c = arg;
	*c->at ^= c->x;
	resize(span(c->p), span(c->p)->req - 1000);
}

static void change_and_move(void *arg)
{
	struct change *c = arg;
	*c->at ^= c->x;
	ty_realloc(c->p, 40 << 20, AT(0x1000), 0, false, "realloc");
}

static void overflow_at(char *p, char *at)
{
	for (unsigned x = 1; x < 256; x += 127) {
		struct change c = {p, at, (unsigned char)x};
		ASSERT_DIES(change_and_free, &c, "free(): overflow of 0x");
		ASSERT_DIES(change_and_resize, &c, "realloc(): overflow of 0x");
		ASSERT_DIES(change_and_move, &c, "realloc(): overflow of 0x");
	}
}

/* Every byte behind an object in its pages; the alignment of 16 leaves the fewest, 64 more than a canary. */
Test(large, overflow, .timeout = 60)
{
	for (size_t n = 50001; n < 50017; n += 3)
		for (size_t align = 16; align <= 64; align *= 4) {
			char *p = make(10, n, align);
			for (char *at = p + n; at < last(p); at += at < p + n + 16 ? 1 : 5)
				overflow_at(p, at);
			give_back(p);
		}
	/* And after a realloc in place, with up to a page behind it. */
	char *p = make(10, 300000, 16);
	memset(p, 7, 300000);
	cr_assert(resize(span(p), 123456));
	cr_assert(last(p) - (p + 123456) > 16);
	for (char *at = p + 123456; at < last(p); at += at < p + 123456 + 9 ? 1 : 997)
		overflow_at(p, at);
	overflow_at(p, last(p) - 1);
	give_back(p);
}

Test(large, underflow)
{
	char *p = make(11, 50001, 16);
	struct ty_span *s = span(p);
	cr_assert(s->lead > 16);
	for (size_t i = 1; i <= s->lead; i += i < 20 ? 1 : 307) {
		struct change c = {p, p - i, 0x41};
		ASSERT_DIES(change_and_free, &c, "free(): underflow of 0x");
		ASSERT_DIES(change_and_resize, &c, "realloc(): underflow of 0x");
		ASSERT_DIES(change_and_move, &c, "realloc(): underflow of 0x");
	}
	struct change c = {p, (char *)s->start, 1};
	ASSERT_DIES(change_and_free, &c, "free(): underflow of 0x");
}

/* Behind the object's end nothing of it is left, and what it grows by is zero, wherever the ends fall. */
Test(large, resize_in_place)
{
	uintptr_t seed = 12345;
	char *p = make(12, 400000, 16);
	struct ty_span *s = span(p);
	size_t n = 400000;
	memset(p, 7, n);
	for (int i = 0; i < 3000; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		size_t to = i % 3 ? n + (seed >> 33) % 300 - 150 : TY_SMALL_MAX + 1 + (seed >> 33) % 380000;
		if (to <= TY_SMALL_MAX || to > s->bytes - s->lead)
			continue;
		cr_assert(resize(s, to) && ty_large_usable(s) == to && span(p) == s);
		size_t common = n < to ? n : to;
		for (size_t k = common > 5000 ? common - 5000 : 0; k < common; k++)
			cr_assert(p[k] == 7, "byte %zu of %zu, then %zu", k, n, to);
		for (size_t k = n; k < to; k++)
			cr_assert(p[k] == 0, "byte %zu of %zu, then %zu", k, n, to);
		char *end = last(p);
		for (char *k = p + to + TY_CANARY; k < end; k++)
			cr_assert(*k == 0, "%zu behind the end, %zu then %zu", (size_t)(k - p) - to, n, to);
		memset(p, 7, to);
		n = to;
	}
	ASSERT_FAULTS(poke, last(p));
	give_back(p);
}

/* Objects of many MiB move by their pages: contents, zeros behind, the place in the first page, and both ends. */
Test(large, giants_move)
{
	cr_assert(ty_heap_start());
	if (!ty_conf.roomy)
		cr_skip("little address space");
	for (size_t n = TY_GIANT_MIN + 1; n < TY_GIANT_MIN + 5000; n += 1237) {
		char *p = make(13, n, 16);
		size_t lead = span(p)->lead;
		cr_assert(span(p)->giant && lead == (uintptr_t)p % ty_os_page_size());
		for (size_t i = 0; i < n; i++)
			p[i] = (char)(i * 7 + i / 4096 + 1);
		size_t to = span(p)->bytes + 4096 + n % 1000;
		cr_assert(!resize(span(p), to));
		char *q = ty_realloc(p, to, AT(0x1000), 0, false, "realloc");
		cr_assert(q && q != p && ty_large_usable(span(q)) == to && span(q)->giant);
		cr_assert((uintptr_t)q % ty_os_page_size() == lead);
		for (size_t i = 0; i < n; i++)
			cr_assert(q[i] == (char)(i * 7 + i / 4096 + 1), "byte %zu", i);
		for (size_t i = n; i < to; i++)
			cr_assert(q[i] == 0, "byte %zu", i);
		memset(q, 1, to);
		ASSERT_FAULTS(poke, last(q));
		struct change c = {q, q + to, 1};
		if (q + to != last(q))
			ASSERT_DIES(change_and_free, &c, "free(): overflow of 0x");
		if (lead) {
			c.at = q - 1;
			ASSERT_DIES(change_and_free, &c, "free(): underflow of 0x");
		}
		ASSERT_FAULTS(poke, p);
		/* And back, in place, past one of its own pages. */
		cr_assert(ty_realloc(q, n, AT(0x1000), 0, false, "realloc") == q);
		for (size_t i = 0; i < n; i += 4093)
			cr_assert(q[i] == 1);
		cr_assert(ty_realloc(q, to, AT(0x1000), 0, false, "realloc") == q);
		for (size_t i = n; i < to; i++)
			cr_assert(q[i] == 0, "byte %zu", i);
		give_back(q);
	}
}

/* Before a giant span takes address space the kernel is asked whether there is so much memory, but not while memory is dear. */
Test(large, giants_while_memory_is_dear)
{
	enum { SIZE = 80 << 20 };
	struct ty_cache *from;
	cr_assert(ty_heap_start());
	if (!ty_conf.roomy)
		cr_skip("little address space");
	if (!refuse_only(SYS_mmap, 1, SIZE, false, ENOMEM))
		cr_skip("no filters here");
	cr_assert(!ty_large_alloc(22, ty_large_class(SIZE, 16, SOURCE), SIZE, "malloc", &from));
	ty_os_limit();
	char *p = make(22, SIZE, 16);
	cr_assert(span(p)->giant);
	p[0] = p[SIZE - 1] = 1;
	give_back(p);
}

Test(large, room_from_inside)
{
	static const size_t sizes[] = {20001, 300000, 5 << 20, (size_t)40 << 20, (size_t)100 << 20};
	for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
		size_t n = sizes[k];
		char *p = make(14, n, 16);
		for (size_t i = 0; i < n; i += 1 + n / 999)
			cr_assert(ty_large_room(p + i, "test") == n - i, "%zu in %zu", i, n);
		cr_assert(ty_large_room(p + n - 1, "test") == 1 && ty_large_room(p + n, "test") == 0 && ty_large_room(last(p), "test") == 0);
		cr_assert(!span(p)->lead || ty_large_room(p - 1, "test") == 0);
		cr_assert(ty_large_room((char *)span(p)->start - 1, "test") == 0);
		uintptr_t start = span(p)->start;
		give_back(p);
		cr_assert(ty_large_room(p, "test") == 0 && ty_large_room(p + n / 2, "test") == 0 && ty_large_room((void *)start, "test") == 0);
	}
}
