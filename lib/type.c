/* type.c: see type.h. Two open-addressing tables of ids that double when they are two thirds full. */
#include "type.h"
#include "cache.h"
#include "meta.h"
#include "named.h"

struct ty_lock ty_index_lock;
u64 ty_slab_bytes[TY_RANGES];

struct table {
	u32 *slot;	/* ids in metadata; 0: empty */
	u32 bits, used; /* capacity 1 << bits */
};

/* Guarded by ty_index_lock. */
static struct table types, caches;
static struct ty_cache *newest;
static u64 shared_keys;

#define FIRST_BITS 6

static bool table_init(struct table *t, u32 bits)
{
	t->slot = ty_meta_alloc(sizeof(u32) << bits);
	t->bits = bits;
	return t->slot != NULL;
}

static u64 type_hash(u64 key, u32 source) { return ty_mix(key ^ ty_mix(ty_conf.secret + source)); }
static u64 cache_hash(u32 type, u32 cls) { return ty_mix(((u64)type << 32 | cls) ^ ty_conf.secret); }

static u64 hash_of(const struct table *t, u32 id)
{
	if (t == &types) {
		const struct ty_type *y = ty_meta_ptr(id);
		return type_hash(y->key, y->source);
	}
	const struct ty_cache *c = ty_meta_ptr(id);
	return cache_hash(c->type, c->cls);
}

static void put(struct table *t, u64 hash, u32 id)
{
	u32 mask = (1u << t->bits) - 1;
	u32 i = (u32)(hash >> 32) & mask;
	while (t->slot[i])
		i = (i + 1) & mask;
	t->slot[i] = id;
}

/* Room for one more entry. */
static bool table_grow(struct table *t)
{
	if (t->used + 1 <= (2u << t->bits) / 3)
		return true;
	struct table bigger = {.used = t->used};
	if (t->bits >= 28 || !table_init(&bigger, t->bits + 1))
		return false;
	for (u32 i = 0; i < 1u << t->bits; i++)
		if (t->slot[i])
			put(&bigger, hash_of(t, t->slot[i]), t->slot[i]);
	ty_meta_free(t->slot, sizeof(u32) << t->bits);
	*t = bigger;
	return true;
}

TY_START bool ty_type_init(void) { return table_init(&types, FIRST_BITS) && table_init(&caches, FIRST_BITS); }

static enum ty_kind kind_of(u64 key, u32 source)
{
	if (source == TY_SOURCE_NAMED)
		return key & TY_NAMED_NO_POINTERS ? TY_KIND_DATA : TY_KIND_POINTERS;
	if (source != TY_SOURCE_TYPE || key < TY_TOKEN_BOUNDED)
		return TY_KIND_UNTYPED;
	return key >= TY_TOKEN_POINTERS ? TY_KIND_POINTERS : TY_KIND_DATA;
}

static struct ty_type *find_type(u64 key, u32 source, enum ty_kind kind)
{
	u64 hash = type_hash(key, source);
	u32 mask = (1u << types.bits) - 1;
	for (u32 i = (u32)(hash >> 32) & mask; types.slot[i]; i = (i + 1) & mask) {
		struct ty_type *y = ty_meta_ptr(types.slot[i]);
		if (y->key == key && y->source == source)
			return y;
	}
	if (types.used >= ty_conf.max_keys &&
	    (source == TY_SOURCE_SITE || (source == TY_SOURCE_TYPE && kind == TY_KIND_DATA))) {
		shared_keys++;
		/* Shared partitions are numbered by kind too: data and untyped memory never meet (P7). */
		return find_type(ty_random_partition(key) + (u64)kind * TY_RANDOM_PARTITIONS, TY_SOURCE_RANDOM, kind);
	}
	if (!table_grow(&types))
		return NULL;
	struct ty_type *y = ty_meta_alloc(sizeof *y);
	if (!y)
		return NULL;
	y->key = key;
	y->source = (u8)source;
	y->kind = (u8)kind;
	y->id = ty_meta_id(y);
	if (source == TY_SOURCE_SITE && ty_chain.n && ty_chain.key == key) {
		y->nsites = (u8)ty_chain.n;
		memcpy(y->site, ty_chain.site, sizeof y->site);
	}
	types.used++;
	put(&types, hash, y->id);
	return y;
}

static struct ty_cache *find_cache(struct ty_type *y, u32 cls)
{
	/* The source in the class is the type's: past the limit it is not the caller's. */
	cls = (cls & ~TY_CLASS_SOURCE(7)) | TY_CLASS_SOURCE(y->source);
	u64 hash = cache_hash(y->id, cls);
	u32 mask = (1u << caches.bits) - 1;
	for (u32 i = (u32)(hash >> 32) & mask; caches.slot[i]; i = (i + 1) & mask) {
		struct ty_cache *c = ty_meta_ptr(caches.slot[i]);
		if (c->type == y->id && c->cls == cls)
			return c;
	}
	if (!table_grow(&caches))
		return NULL;
	struct ty_cache *c = ty_cache_new(y, cls);
	if (!c)
		return NULL;
	c->nth = caches.used;
	c->made_before = newest;
	TY_STORE_REL(&newest, c);
	caches.used++;
	put(&caches, hash, ty_meta_id(c));
	return c;
}

struct ty_cache *ty_index_cache(u64 key, u32 cls)
{
	u32 source = ty_class_source(cls);
	struct ty_cache *c = NULL;

	ty_lock(&ty_index_lock);
	struct ty_type *y = find_type(key, source, kind_of(key, source));
	if (y)
		c = find_cache(y, cls);
	ty_unlock(&ty_index_lock);
	return c;
}

struct ty_cache *ty_index_sibling(const struct ty_cache *c, u32 cls)
{
	ty_lock(&ty_index_lock);
	struct ty_cache *s = find_cache(ty_meta_ptr(c->type), cls);
	ty_unlock(&ty_index_lock);
	return s;
}

void ty_index_totals(struct ty_index_totals *out)
{
	ty_lock(&ty_index_lock);
	out->types = types.used;
	out->caches = caches.used;
	out->shared_keys = shared_keys;
	ty_unlock(&ty_index_lock);
}

struct ty_cache *ty_index_next(struct ty_cache *c) { return c ? c->made_before : TY_LOAD_ACQ(&newest); }
