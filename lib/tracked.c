/* tracked.c: see tracked.h. */
#define _GNU_SOURCE
#include "tracked.h"
#include "chars.h"
#include "heap.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

/* The front defines them, and those who replace malloc replace them too. A unit test has no front. */
#define WEAK __attribute__((weak))
extern void *_ZnwmRKSt9nothrow_t(size_t n, const void *tag) WEAK;
extern void *_ZnamRKSt9nothrow_t(size_t n, const void *tag) WEAK;
extern void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t n, size_t align, const void *tag) WEAK;
extern void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t n, size_t align, const void *tag) WEAK;

/* Does the public function promise zeros? Others give them too, but a program that reads them has forgotten something. */
static bool promises_zero(const char *fn)
{
	return ty_contains(fn, "calloc") || ty_contains(fn, "flex") || ty_contains(fn, "strdup") || ty_contains(fn, "strndup") || ty_contains(fn, "wcsdup") ||
	       (ty_conf.zero_defined && ty_begins(fn, "typed_")) || ty_conf.zero_defined == 2;
}

/* The alignment that a call for a class may rely on. */
static size_t align_of(u32 cls)
{
	size_t own = (size_t)1 << (cls >> TY_CLASS_ALIGN_SHIFT & 63), size;

	if (cls & TY_CLASS_LARGE || ty_class_nil(cls))
		return own > 16 ? own : 16;
	if (ty_sampler.align)
		return (size_t)1 << ty_sampler.align;
	size = ty_class_bytes(cls);
	return !(cls & TY_CLASS_FIXED) ? 16 : (size & -size) < TY_PAGE ? size & -size : TY_PAGE;
}

/* ---- the heap is ours ---- */

/* The class of an object that is longer by a red zone; 0: there is none. */
static u32 red_class(u32 cls, size_t size)
{
	u32 upper = cls & ~(TY_CLASS_SOURCE(1) - 1);
	size_t align = align_of(cls);

	if (!(cls & TY_CLASS_LARGE) && align <= TY_PAGE && size + TY_TAIL <= TY_SMALL_MAX) {
		size_t slot = ty_round_up(size + TY_TAIL, align);
		if (slot <= TY_SMALL_MAX)
			return (align > 16 ? ty_bucket_aligned(size + TY_TAIL, align) : ty_bucket_of(size + TY_TAIL)) | upper;
	}
	u32 large = ty_large_class(size, align, 0);
	return large ? large | upper : 0;
}

static void *our_alloc(u64 key, u32 cls, size_t size, const char *fn)
{
	size_t n = size;

	if (ty_conf.red && (cls & TY_CLASS_LARGE || !ty_class_nil(cls))) {
		n += ty_conf.red;
		cls = red_class(cls, n);
	}
	ty_track_begin();
	void *p = cls ? ty_alloc_plain(key, cls, n, fn) : NULL;
	ty_track_end();
	if (p)
		ty_track_alloc(p, size, promises_zero(fn));
	else
		errno = ENOMEM;
	return p;
}

/* The cache of the live object that starts at p, and its bytes; NULL: there is none. */
static const struct ty_cache *look(const void *p, size_t *size)
{
	size_t off = (uintptr_t)p - ty_conf.base;
	const struct ty_cache *c;
	u32 i;

	if (off >= TY_LOAD(&ty_frontier.small_end)) {
		c = ty_large_look(p, off, size, NULL);
		*size -= c ? ty_conf.red : 0;
		return c;
	}
	const struct ty_slab *s = ty_slab_at(off);
	if (!ty_slot_exact(s, (uintptr_t)p - s->start, &i) || !ty_slot_live(s, i))
		return NULL;
	c = ty_cache_ptr(s->cache);
	ty_track_begin();
	*size = ty_object_size(s, p, "free");
	ty_track_end();
	ty_track_defined(size, sizeof *size);
	*size -= ty_class_nil(c->cls) ? 0 : ty_conf.red;
	return c;
}

/* As look, or end the process; Memcheck has its word first. */
static const struct ty_cache *must(const void *p, size_t *size, const char *fn)
{
	const struct ty_cache *c = look(p, size);

	if (!c) {
		ty_track_free(p);
		c = ty_cache_of_object(p, fn); /* it says what p is, and does not return */
		*size = 0;
	}
	return c;
}

size_t ty_tracked_room(const void *p)
{
	size_t size, off = (uintptr_t)p - ty_conf.base;

	if (off >= ty_conf.size)
		return SIZE_MAX;
	if (off >= TY_LOAD(&ty_frontier.small_end)) {
		size = ty_region_span_at(off) ? ty_large_room(p, NULL) : 0;
		return size > ty_conf.red ? size - ty_conf.red : 0;
	}
	const struct ty_slab *s = ty_slab_at(off);
	u32 i = ty_slot_of(s, (u32)((uintptr_t)p - s->start));
	if (i >= s->nslots)
		return 0;
	uintptr_t start = s->start + (size_t)i * s->size, at = (uintptr_t)p - start;
	return look((const void *)start, &size) && at < size ? size - at : 0;
}

/* ---- malloc is not ours ---- */

/* Objects of caches by name: the address, turned so that no leak check takes it for one, and the cache's key. Lock: its own. */
static struct entry {
	u64 at, key;
} *table;
static size_t entries, used;
struct ty_lock ty_tracked_lock; /* of the table */

static struct entry *find(struct entry *t, size_t n, u64 at)
{
	size_t i = ty_mix(at) & (n - 1);

	while (t[i].at && t[i].at != at)
		i = (i + 1) & (n - 1);
	return &t[i];
}

static bool more_entries(void)
{
	size_t n = entries ? entries * 2 : 256;
	struct entry *t = ty_meta_alloc(n * sizeof *t);

	if (!t)
		return false;
	for (size_t i = 0; i < entries; i++)
		if (table[i].at)
			*find(t, n, table[i].at) = table[i];
	if (table)
		ty_meta_free(table, entries * sizeof *table);
	table = t;
	entries = n;
	return true;
}

static void remember(const void *p, u64 key)
{
	u64 at = ~(u64)(uintptr_t)p;

	ty_lock(&ty_tracked_lock);
	if (used * 2 < entries || more_entries()) {
		struct entry *e = find(table, entries, at);
		used += !e->at;
		*e = (struct entry){at, key};
	}
	ty_unlock(&ty_tracked_lock);
}

static void *their_aligned(size_t align, size_t size)
{
	void *p = memalign(align, size);

	return p ? memset(p, 0, size) : NULL;
}

static void *their_alloc(u64 key, u32 cls, size_t size, const char *fn)
{
	size_t align = align_of(cls);
	void *p;

	switch (&_ZnwmRKSt9nothrow_t ? ty_class_form(cls) : TY_FORM_MALLOC) {
	case TY_FORM_NEW:
		return _ZnwmRKSt9nothrow_t(size, "");
	case TY_FORM_NEW_ARRAY:
		return _ZnamRKSt9nothrow_t(size, "");
	case TY_FORM_NEW_ALIGNED:
		return _ZnwmSt11align_val_tRKSt9nothrow_t(size, align, "");
	case TY_FORM_NEW_ARRAY_ALIGNED:
		return _ZnamSt11align_val_tRKSt9nothrow_t(size, align, "");
	default:
		p = align > 16 ? their_aligned(align, size) : calloc(1, size);
	}
	if (!p) {
		errno = ENOMEM;
		return NULL;
	}
	if (!promises_zero(fn))
		ty_track_undefined(p, size);
	if (ty_class_source(cls) == TY_SOURCE_NAMED)
		remember(p, key);
	return p;
}

void ty_tracked_cache_free(const struct ty_named *n, void *p, const char *fn)
{
	ty_lock(&ty_tracked_lock);
	struct entry *e = entries ? find(table, entries, ~(u64)(uintptr_t)p) : NULL;
	u64 key = e && e->at ? e->key : n->key ^ 1;
	ty_unlock(&ty_tracked_lock);
	if (key != n->key)
		ty_die(fn, "object of another cache at", p, NULL);
	free(p);
}

static void *their_realloc(void *p, size_t size)
{
	if (size)
		return realloc(p, size);
	free(p);
	return NULL;
}

/* ---- either ---- */

void *ty_tracked_alloc(u64 key, u32 cls, size_t size, const char *fn)
{
	TY_FRAME();
	return ty_conf.forward ? their_alloc(key, cls, size, fn) : our_alloc(key, cls, size, fn);
}

void ty_tracked_free(void *p, const char *fn)
{
	if (ty_conf.forward) {
		free(p);
		return;
	}
	ty_track_free(p);
	ty_track_begin();
	ty_free_plain(p, fn);
	ty_track_end();
}

size_t ty_tracked_size(const void *p, const char *fn)
{
	size_t size;

	if (ty_conf.forward)
		return malloc_usable_size((void *)(uintptr_t)p);
	must(p, &size, fn);
	return size;
}

void ty_tracked_free_sized(void *p, size_t size, size_t align, const char *fn)
{
	size_t is;
	const struct ty_cache *c = NULL;

	if (ty_conf.forward)
		is = malloc_usable_size(p);
	else
		c = must(p, &is, fn);
	/* Without red zones an object of fixed size has its slot's, as ever. */
	if (is != size && !(c && !ty_conf.red && c->cls & TY_CLASS_FIXED && is == ty_round_up(size, align > 16 ? align : 16)))
		ty_cache_die_mismatch(fn, "wrong size", size, c, p);
	if (align > 1 && (!ty_is_pow2(align) || (uintptr_t)p & (align - 1)))
		ty_cache_die_mismatch(fn, "wrong alignment", align, c, p);
	ty_free(p, fn);
}

void *ty_tracked_realloc(void *p, size_t size, const uintptr_t *at, size_t token, const char *fn)
{
	size_t old;
	int saved = errno;

	if (ty_conf.forward)
		return their_realloc(p, size);
	const struct ty_cache *c = must(p, &old, fn);
	if (ty_conf.mismatch)
		ty_check_form(p, TY_FORM_MALLOC, fn);
	if (!size) {
		ty_free(p, fn);
		return NULL;
	}
	if (ty_ambient.token && !token)
		token = ty_ambient_take();
	u32 cls = size > TY_VARIABLE_MAX ? ty_large_class(size, 16, 0) : ty_bucket_of(size + TY_TAIL);
	struct ty_part part = {c->key, ty_class_source(c->cls)}, other = ty_part_of(at, token, cls);
	if (other.source == TY_SOURCE_TYPE || ty_class_nil(c->cls))
		part = other;
	void *q = ty_alloc_slow(part.key, cls | TY_CLASS_SOURCE(part.source), size, fn);
	ty_chain.n = 0;
	if (!q)
		return NULL;
	memcpy(q, p, old < size ? old : size);
	ty_free(p, fn);
	errno = saved;
	return q;
}
