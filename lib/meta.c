/* meta.c: see meta.h. */
#include "meta.h"

struct ty_lock ty_meta_lock;

/* Guarded by ty_meta_lock. */
static size_t meta_used = TY_META_UNIT; /* unit 0 is nobody's */
static size_t slab_used;
static void *free_tables[40]; /* by log2 of their bytes; linked through their first word */

static void *bump(size_t bytes)
{
	if (!ty_grow_to(&ty_grow_meta, meta_used + bytes))
		return NULL;
	void *p = ty_grow_meta.start + meta_used;
	meta_used += bytes;
	return p;
}

bool ty_meta_init(void)
{
	/* Slab id 0 is a record that no pointer matches: all zero, so it has no slots. */
	slab_used = 2 * TY_META_UNIT;
	return ty_grow_to(&ty_grow_slabs, slab_used) && ty_grow_to(&ty_grow_meta, meta_used);
}

void *ty_meta_alloc(size_t bytes)
{
	void *p = NULL;

	bytes = ty_round_up(bytes, TY_META_UNIT);
	ty_lock(&ty_meta_lock);
	void **list = ty_is_pow2(bytes) ? &free_tables[ty_log2(bytes)] : NULL;
	if (list && *list) {
		p = *list;
		*list = *(void **)p;
		*(void **)p = NULL; /* the rest was zeroed when it came back */
	} else {
		p = bump(bytes);
	}
	ty_unlock(&ty_meta_lock);
	return p;
}

void ty_meta_free(void *p, size_t bytes)
{
	memset(p, 0, bytes);
	ty_lock(&ty_meta_lock);
	void **list = &free_tables[ty_log2(bytes)];
	*(void **)p = *list;
	*list = p;
	ty_unlock(&ty_meta_lock);
}

u32 ty_meta_slab_new(size_t bytes)
{
	u32 id = 0;

	bytes = ty_round_up(bytes, TY_META_UNIT);
	ty_lock(&ty_meta_lock);
	if (ty_grow_to(&ty_grow_slabs, slab_used + bytes)) {
		id = (u32)(slab_used / TY_META_UNIT);
		TY_STORE_REL(&slab_used, slab_used + bytes);
	}
	ty_unlock(&ty_meta_lock);
	return id;
}

u32 ty_meta_slab_end(void) { return (u32)(TY_LOAD_ACQ(&slab_used) / TY_META_UNIT); }
size_t ty_meta_bytes(void) { return TY_LOAD(&meta_used) + TY_LOAD(&slab_used); }
