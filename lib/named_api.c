/*
 * named_api.c: caches and buckets that the program makes itself, and what kind of object an address is. typed_malloc.h
 * documents them.
 */
#include "heap.h"
#include "mem_api.h"
#include "named.h"
#include "stats.h"
#include "tracked.h"

#include <errno.h>

#define TYPED_MALLOC_NO_MACROS
#include "typed_malloc.h"

static void *make(const char *name, size_t size, size_t align, unsigned flags)
{
	if (!name || !*name || flags & ~(unsigned)TYPED_NO_POINTERS || !ty_is_pow2(align)) {
		errno = EINVAL;
		return NULL;
	}
	if (!ty_heap_start() || size > PTRDIFF_MAX / 2 || align > PTRDIFF_MAX / 2) {
		errno = ENOMEM;
		return NULL;
	}
	struct ty_named *n = ty_named_new(name, ty_round_up(size, align), align, flags & TYPED_NO_POINTERS);
	if (n)
		n->exact = size;
	return n ? ty_named_handle(n) : NULL;
}

/* The record of a handle of the right sort, or end the process. */
static struct ty_named *of(const void *handle, bool buckets, const char *fn)
{
	struct ty_named *n = ty_named_of(handle);
	if (unlikely(!n || !n->size != buckets))
		ty_die(fn, buckets ? "not a set of buckets:" : "not a cache:", handle, NULL);
	return n;
}

TY_EXPORT typed_cache_t *typed_cache_create(const char *name, size_t size, size_t align, unsigned flags)
{
	if (!size) {
		errno = EINVAL;
		return NULL;
	}
	return make(name, size, align ? align : 16, flags);
}

TY_EXPORT void *typed_cache_alloc(typed_cache_t *cache)
{
	static const char fn[] = "typed_cache_alloc";
	struct ty_named *n = of(cache, false, fn);

	if (unlikely(n->cls & TY_CLASS_LARGE))
		return ty_alloc_large((struct ty_part){n->key, TY_SOURCE_NAMED}, n->size, n->align, fn);
	void *p = ty_try(n->key, n->cls, n->size, fn);
	return likely(p != NULL) ? p : ty_alloc_slow(n->key, n->cls, n->exact, fn);
}

TY_EXPORT void typed_cache_free(typed_cache_t *cache, void *p)
{
	static const char fn[] = "typed_cache_free";
	struct ty_named *n = of(cache, false, fn);

	if (!p)
		return;
	if (unlikely(ty_conf.forward)) {
		ty_tracked_cache_free(n, p, fn);
		return;
	}
	struct ty_cache *c = ty_cache_of_object(p, fn);
	if (unlikely(c->key != n->key || ty_class_source(c->cls) != TY_SOURCE_NAMED))
		ty_cache_die_for(fn, "object of another cache at", c, p);
	ty_free(p, fn);
}

TY_EXPORT int typed_cache_destroy(typed_cache_t *cache)
{
	struct ty_named *n = of(cache, false, "typed_cache_destroy");

	ty_tcache_flush();
	if (ty_stats_live(n->key, TY_SOURCE_NAMED)) {
		errno = EBUSY;
		return -1;
	}
	ty_named_end(n);
	return 0;
}

TY_EXPORT typed_buckets_t *typed_buckets_create(const char *name, unsigned flags) { return make(name, 0, 1, flags); }

TY_EXPORT void *typed_buckets_alloc(typed_buckets_t *buckets, size_t size)
{
	static const char fn[] = "typed_buckets_alloc";
	struct ty_named *n = of(buckets, true, fn);

	if (unlikely(size > TY_VARIABLE_MAX))
		return ty_alloc_large((struct ty_part){n->key, TY_SOURCE_NAMED}, size, 16, fn);
	if (unlikely(!size))
		return ty_alloc_slow(0, TY_CLASS_NIL, 0, fn);
	u32 cls = ty_bucket_of(size + TY_TAIL) | n->cls;
	void *p = ty_try(n->key, cls, size, fn);
	return likely(p != NULL) ? p : ty_alloc_slow(n->key, cls, size, fn);
}

/*
 * The slab whose live slot starts at p; NULL when p, off bytes into the heap, is anything else. Never ends the process: the
 * answer is of use for pointers that are not known to be good.
 */
TY_INLINE const struct ty_slab *slab_of_live(const void *p, size_t off)
{
	const struct ty_slab *s = ty_slab_at(off);
	u32 i;

	if (unlikely(!ty_slot_exact(s, (uintptr_t)p - s->start, &i)))
		return NULL;
	return likely(ty_slot_live(s, i)) ? s : NULL;
}

static const struct ty_cache *cache_at(const void *p, size_t *size, const char *fn)
{
	size_t off = (uintptr_t)p - ty_conf.base;

	if (off >= TY_LOAD(&ty_frontier.small_end))
		return ty_large_look(p, off, size, ty_conf.valgrind ? NULL : fn);
	const struct ty_slab *s = slab_of_live(p, off);
	if (!s)
		return NULL;
	*size = unlikely(ty_conf.valgrind) ? ty_tracked_size(p, fn) : ty_object_size(s, p, fn);
	return ty_cache_ptr(s->cache);
}

/* The answer for an object of cache c, NULL when there is none. */
static int is_of(const struct ty_cache *c, size_t token)
{
	return !c || !c->token ? -1 : c->token == token;
}

static TY_NOINLINE size_t large_token(const void *p)
{
	size_t size;
	const struct ty_cache *c = ty_large_look(p, (uintptr_t)p - ty_conf.base, &size, NULL);
	return c ? c->token : 0;
}

/*
 * cache_at, for release builds: every instruction counts. What other threads write is read without atomics, each word
 * once: whoever asks about an object that another thread frees meanwhile gets one of the two answers either way.
 */
TY_EXPORT size_t typed_malloc_token_at(const void *p)
{
	size_t off = (uintptr_t)p - ty_conf.base;

	if (unlikely(off >= ty_frontier.small_end))
		return large_token(p);
	const struct ty_slab *s = ty_slab_ptr(ty_conf.map[off >> TY_PAGE_SHIFT]);
	u64 x = ((uintptr_t)p - s->start) * s->recip; /* as ty_slot_exact */
	if (likely((u32)x < s->recip) && likely((u32)(x >> 32) < s->nslots)) {
		if (likely(ty_slot_states(s)[x >> 32] == TY_SLOT_LIVE))
			return ty_cache_ptr(s->cache)->token;
	} else if (unlikely(!s->recip) && (s = slab_of_live(p, off)) != NULL) {
		return ty_cache_ptr(s->cache)->token;
	}
	return 0;
}

TY_EXPORT int typed_malloc_is_token(const void *p, size_t token)
{
	size_t is = typed_malloc_token_at(p);

	return is == 0 ? -1 : is == token;
}

TY_EXPORT int typed_malloc_is_name(const void *p, size_t token)
{
	size_t size, other = token >= TY_TOKEN_POINTERS ? token - TY_TOKEN_POINTERS : token + TY_TOKEN_POINTERS;
	const struct ty_cache *c = cache_at(p, &size, "typed_malloc_is");

	return is_of(c, token) == 0 ? is_of(c, other) : is_of(c, token);
}

TY_EXPORT void typed_malloc_assert_token(const void *p, size_t token)
{
	size_t size;

	if (unlikely(typed_malloc_is_token(p, token) == 0))
		ty_cache_die_for("typed_malloc_assert", "object of another type at", cache_at(p, &size, "typed_malloc_assert"), p);
}

TY_EXPORT int typed_malloc_type_of(const void *p, struct typed_type *out)
{
	size_t size = 0;
	const struct ty_cache *c = cache_at(p, &size, "typed_malloc_type_of");

	if (!c) {
		errno = EINVAL;
		return -1;
	}
	u32 source = ty_class_source(c->cls);
	out->token = c->token;
	out->size = size;
	out->fixed = !(c->cls & TY_CLASS_LARGE) && c->cls & TY_CLASS_FIXED;
	out->large = (c->cls & TY_CLASS_LARGE) != 0;
	out->name = source == TY_SOURCE_NAMED ? ty_named_by_key(c->key)->name : NULL;
	return 0;
}

static TY_NOINLINE size_t large_room(uintptr_t p, const char *fn)
{
	size_t off = p - ty_conf.base;

	if (off >= ty_conf.size)
		return SIZE_MAX;
	return ty_region_span_at(off) ? ty_large_room((const void *)p, fn) : 0;
}

/* large: as fn, for large objects, whose ends it takes long to look at; NULL: not. */
TY_INLINE size_t room_of(const void *p, const char *fn, const char *large)
{
	size_t off = (uintptr_t)p - ty_conf.base;

	if (unlikely(off >= TY_LOAD(&ty_frontier.small_end)))
		return large_room((uintptr_t)p, large);
	const struct ty_slab *s = ty_slab_at(off);
	size_t d = (uintptr_t)p - s->start;
	u32 i = ty_slot_of(s, (u32)d);
	if (unlikely(i >= s->nslots))
		return 0;
	if (unlikely(!ty_slot_live(s, i)))
		return 0;
	size_t at = d - (size_t)i * s->size, n = s->size;
	if (likely(s->canary)) {
		n = ty_canary_find((const char *)p - at, s->size);
		if (unlikely(n == TY_NO_CANARY))
			ty_die_overflow(fn, s, i);
	} else if (s->nil) {
		n = 0;
	}
	return at < n ? n - at : 0;
}

TY_EXPORT size_t typed_malloc_room(const void *p)
{
	return unlikely(ty_conf.red) ? ty_tracked_room(p) : room_of(p, "typed_malloc_room", "typed_malloc_room");
}

/* ---- for libtyped_malloc_mem.so ---- */

TY_EXPORT bool typed_malloc_mem_heap(struct ty_mem_heap *out)
{
	bool started = ty_heap_start();

	*out = started ? (struct ty_mem_heap){ty_conf.base, ty_conf.size} : (struct ty_mem_heap){0, 0};
	return started || TY_LOAD_ACQ(&ty_heap_state) != 1;
}

TY_EXPORT size_t typed_malloc_mem_room(const void *p, const char *fn) { return room_of(p, fn, NULL); }

static TY_NOINLINE bool fits_room(const void *p, size_t n, const char *fn) { return n <= room_of(p, fn, NULL); }

/*
 * Nothing but zeros is behind a canary, whose last byte is not 0: where there is any other byte from the place on where the
 * canary of an object that just holds n bytes would end, the object holds n bytes. As a rule one load tells.
 */
TY_EXPORT bool typed_malloc_mem_fits(const void *p, size_t n, const char *fn)
{
	size_t off = (uintptr_t)p - ty_conf.base;

	if (unlikely(off >= TY_LOAD(&ty_frontier.small_end)))
		return fits_room(p, n, fn);
	const struct ty_slab *s = ty_slab_at(off);
	size_t d = (uintptr_t)p - s->start;
	u32 i = ty_slot_of(s, (u32)d);
	if (unlikely(i >= s->nslots))
		return false;
	if (unlikely(!ty_slot_live(s, i)))
		return false;
	size_t left = (size_t)(i + 1) * s->size - d;
	if (unlikely(n > left))
		return false;
	if (!s->canary)
		return !s->nil;
	if (likely(left - n >= TY_CANARY)) {
		const char *last = (const char *)p + n + TY_CANARY - 1;
		if (likely(left - n >= 2 * TY_CANARY - 1) ? ty_load64(last) != 0 : *last != 0)
			return true;
	}
	return fits_room(p, n, fn);
}

TY_EXPORT size_t typed_malloc_mem_reach(const void *p)
{
	return (uintptr_t)p - ty_conf.base >= TY_LOAD(&ty_frontier.small_end) ? large_room((uintptr_t)p, NULL) : SIZE_MAX;
}

/* The start of the live large object that p, with room bytes to its end, lies in: the last address that has room for more. */
static uintptr_t large_start(uintptr_t p, size_t room)
{
	size_t low = 0, high = 1; /* p - low is in the object, p - high is not */

	while (large_room(p - high, NULL) == room + high) {
		low = high;
		high *= 2;
	}
	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;
		if (large_room(p - mid, NULL) == room + mid)
			low = mid;
		else
			high = mid;
	}
	return p - low;
}

/* The live object, of *size bytes, that p lies in or just behind; NULL: there is none. */
static const struct ty_cache *around(const void *p, uintptr_t *start, size_t *size, const char *fn)
{
	size_t off = (uintptr_t)p - ty_conf.base, room;

	if (off >= TY_LOAD(&ty_frontier.small_end)) {
		uintptr_t in = (uintptr_t)p;
		room = large_room(in, NULL);
		if (!room)
			room = large_room(--in, NULL);
		if (!room || room == SIZE_MAX)
			return NULL;
		*start = large_start(in, room);
		return ty_large_look((const void *)*start, *start - ty_conf.base, size, NULL);
	}
	const struct ty_slab *s = ty_slab_at(off);
	size_t d = (uintptr_t)p - s->start;
	u32 i = ty_slot_of(s, (u32)d);
	if (i >= s->nslots)
		return NULL;
	*start = s->start + (size_t)i * s->size;
	if (!ty_slot_live(s, i))
		ty_cache_die(fn, TY_USE_AFTER_FREE, s, i);
	*size = ty_object_size(s, (const void *)*start, fn);
	return ty_cache_ptr(s->cache);
}

TY_EXPORT void typed_malloc_mem_die(const void *p, size_t n, bool write, const char *fn)
{
	char buf[256];
	struct ty_text t = {buf, 0, sizeof buf - 1};
	uintptr_t start = 0;
	size_t size = 0;
	const struct ty_cache *c = around(p, &start, &size, fn);

	if (!c)
		ty_die(fn, "no live object at", p, NULL);
	ty_text_str(&t, "length ");
	ty_text_dec(&t, n);
	ty_text_str(&t, " at offset ");
	ty_text_dec(&t, (uintptr_t)p - start);
	ty_text_str(&t, ", size ");
	ty_text_dec(&t, size);
	ty_text_str(&t, "; ");
	ty_cache_describe(&t, c);
	buf[t.len] = 0;
	ty_die(fn, write ? "overflow of the object at" : "read past the end of the object at", (const void *)start, buf);
}
