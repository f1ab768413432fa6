/* meta.c: see meta.h. */
#include "meta.h"
#include "slab.h"

struct ty_lock ty_meta_lock;

/* Guarded by ty_meta_lock. */
/* Bytes from the start of ty_conf.meta and of ty_conf.slabs, to which what is in use of the near part, and of the far one, extends. */
static size_t meta_used[TY_PLACES] = {TY_META_UNIT}; /* unit 0 is nobody's */
static size_t slab_used[TY_PLACES];
static size_t slab_far; /* bytes from the start to the first record of the far part, from when there is one; else 0 */
static u32 free_records; /* of one unit, linked through next */
static void *free_tables[40]; /* by log2 of their bytes; linked through their first word */

static size_t far_of(const struct ty_grow *g) { return (size_t)(g[TY_FAR].start - g[TY_NEAR].start); }

static void *bump(size_t bytes)
{
	for (int i = TY_NEAR; i < TY_PLACES; i++) {
		struct ty_grow *g = &ty_grow_meta[i];
		char *p = ty_conf.meta + meta_used[i];
		if (g->max - (size_t)(p - g->start) < bytes)
			continue;
		if (!ty_grow_to(g, (size_t)(p - g->start) + bytes)) /* somebody else has taken its place, perhaps (ty_region_release) */
			continue;
		TY_STORE(&meta_used[i], meta_used[i] + bytes);
		return p;
	}
	return NULL;
}

TY_START bool ty_meta_init(void)
{
	/* Slab id 0 is a record that no pointer matches: all zero, so it has no slots. */
	slab_used[TY_NEAR] = 2 * TY_META_UNIT;
	slab_used[TY_FAR] = far_of(ty_grow_slabs);
	meta_used[TY_FAR] = far_of(ty_grow_meta);
	return ty_grow_to(&ty_grow_slabs[TY_NEAR], slab_used[TY_NEAR]) && ty_grow_to(&ty_grow_meta[TY_NEAR], meta_used[TY_NEAR]);
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

u32 ty_meta_slab_new(unsigned nslots)
{
	size_t bytes = ty_round_up(ty_slab_record(nslots ? nslots : 1), TY_META_UNIT);
	u32 id = 0;

	ty_lock(&ty_meta_lock);
	if (bytes == TY_META_UNIT && free_records) {
		id = free_records;
		free_records = ty_slab_ptr(id)->next;
		ty_slab_ptr(id)->next = 0;
	} else {
		int i = slab_far ? TY_FAR : TY_NEAR;
		struct ty_grow *g = &ty_grow_slabs[i];
		size_t at = slab_used[i] - (size_t)(g->start - ty_conf.slabs);
		if (i == TY_NEAR && (g->max - at < bytes || !ty_grow_to(g, at + bytes))) { /* from now on there */
			g = &ty_grow_slabs[i = TY_FAR];
			at = 0;
		}
		if (ty_grow_to(g, at + bytes)) {
			id = (u32)(slab_used[i] / TY_META_STEP);
			ty_slab_ptr(id)->nslots = (u16)nslots; /* first: whoever walks the records must find their ends */
			TY_STORE_REL(&slab_used[i], slab_used[i] + bytes);
			if (i == TY_FAR)
				TY_STORE_REL(&slab_far, far_of(ty_grow_slabs));
		}
	}
	if (id)
		ty_slab_ptr(id)->nslots = (u16)nslots;
	ty_unlock(&ty_meta_lock);
	return id;
}

/* A longer record becomes several short ones. */
void ty_meta_slab_undo(u32 id)
{
	struct ty_slab *s = ty_slab_ptr(id);
	size_t bytes = ty_round_up(ty_slab_record(s->nslots ? s->nslots : 1), TY_META_UNIT);

	memset(s, 0, bytes);
	ty_lock(&ty_meta_lock);
	for (u32 i = 0; i < bytes / TY_META_UNIT; i++) {
		ty_slab_ptr(id + i * TY_META_IDS)->next = free_records;
		free_records = id + i * TY_META_IDS;
	}
	ty_unlock(&ty_meta_lock);
}

u32 ty_meta_slab_after(u32 id)
{
	unsigned nslots = ty_slab_ptr(id)->nslots;
	size_t next = (size_t)id * TY_META_STEP + ty_round_up(ty_slab_record(nslots ? nslots : 1), TY_META_UNIT);
	size_t far = TY_LOAD_ACQ(&slab_far);

	if (far && next == TY_LOAD(&slab_used[TY_NEAR])) /* which is no more written */
		next = far;
	return (u32)(next / TY_META_STEP);
}

u32 ty_meta_slab_end(void)
{
	int i = TY_LOAD_ACQ(&slab_far) ? TY_FAR : TY_NEAR;
	return (u32)(TY_LOAD_ACQ(&slab_used[i]) / TY_META_STEP);
}

bool ty_meta_has(u32 id)
{
	size_t at = (size_t)id * TY_META_STEP;
	return id && id % TY_META_IDS == 0 &&
	       (at < TY_LOAD(&meta_used[TY_NEAR]) || (at >= far_of(ty_grow_meta) && at < TY_LOAD(&meta_used[TY_FAR])));
}

size_t ty_meta_bytes(void)
{
	return TY_LOAD(&meta_used[TY_NEAR]) + TY_LOAD(&meta_used[TY_FAR]) - far_of(ty_grow_meta) + TY_LOAD(&slab_used[TY_NEAR]) +
	       TY_LOAD(&slab_used[TY_FAR]) - far_of(ty_grow_slabs);
}

void ty_meta_release(void)
{
	ty_lock(&ty_meta_lock);
	for (int i = TY_NEAR; i < TY_PLACES; i++) {
		ty_grow_release(&ty_grow_slabs[i]);
		ty_grow_release(&ty_grow_meta[i]);
	}
	ty_unlock(&ty_meta_lock);
}
