/* meta.c: see meta.h. */
#include "meta.h"
#include "slab.h"

struct ty_lock ty_meta_lock;

/* Guarded by ty_meta_lock. */
static size_t meta_used = TY_META_UNIT; /* unit 0 is nobody's */
static size_t slab_used;
static u32 free_records; /* of one unit, linked through next */
static void *free_tables[40]; /* by log2 of their bytes; linked through their first word */

static void *bump(size_t bytes)
{
	if (!ty_grow_to(&ty_grow_meta, meta_used + bytes))
		return NULL;
	void *p = ty_grow_meta.start + meta_used;
	meta_used += bytes;
	return p;
}

TY_START bool ty_meta_init(void)
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

u32 ty_meta_slab_new(unsigned nslots)
{
	size_t bytes = ty_round_up(ty_slab_record(nslots ? nslots : 1), TY_META_UNIT);
	u32 id = 0;

	ty_lock(&ty_meta_lock);
	if (bytes == TY_META_UNIT && free_records) {
		id = free_records;
		free_records = ty_slab_ptr(id)->next;
		ty_slab_ptr(id)->next = 0;
	} else if (ty_grow_to(&ty_grow_slabs, slab_used + bytes)) {
		id = (u32)(slab_used / TY_META_STEP);
		ty_slab_ptr(id)->nslots = (u16)nslots; /* first: whoever walks the records must find their ends */
		TY_STORE_REL(&slab_used, slab_used + bytes);
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
	return id + (u32)(ty_round_up(ty_slab_record(nslots ? nslots : 1), TY_META_UNIT) / TY_META_STEP);
}

u32 ty_meta_slab_end(void) { return (u32)(TY_LOAD_ACQ(&slab_used) / TY_META_STEP); }
bool ty_meta_has(u32 id) { return id && id % TY_META_IDS == 0 && (size_t)id * TY_META_STEP < TY_LOAD(&meta_used); }
size_t ty_meta_bytes(void) { return TY_LOAD(&meta_used) + TY_LOAD(&slab_used); }

void ty_meta_release(void)
{
	ty_lock(&ty_meta_lock);
	ty_grow_release(&ty_grow_slabs);
	ty_grow_release(&ty_grow_meta);
	ty_unlock(&ty_meta_lock);
}
