/* sweep.c: see sweep.h. */
#include "sweep.h"
#include "heap.h"

#define LOOKS 100 /* a millisecond apart at least, before what looks written is a crime */

static bool written(const struct ty_slab *s, u32 i)
{
	size_t end = ((size_t)i + 1) * s->size;

	if (ty_slot_live(s, i) || end > (size_t)TY_LOAD(&s->touched) << TY_PAGE_SHIFT)
		return false;
	return !ty_all_zero_long((char *)s->start + end - s->size, s->size);
}

/* The first slot from i on that looks written; nslots: none. */
static u32 find_written(const struct ty_slab *s, u32 i)
{
	struct ty_lock *l = ty_cache_lock_of(ty_cache_ptr(s->cache));

	ty_lock(l);
	while (i < s->nslots && !written(s, i))
		i++;
	ty_unlock(l);
	return i;
}

static bool still_written(const struct ty_slab *s, u32 i)
{
	struct ty_lock *l = ty_cache_lock_of(ty_cache_ptr(s->cache));
	bool yes = true;

	for (int n = ty_tcache_alone() ? 1 : LOOKS; yes && n > 0; n--) {
		if (n > 1)
			ty_os_wait_ms(1);
		ty_lock(l);
		yes = written(s, i);
		ty_unlock(l);
	}
	return yes;
}

static void sweep_slab(struct ty_slab *s, const char *fn)
{
	u32 owner = TY_LOAD_ACQ(&s->owner);

	if (s->nil || (owner && ty_tcache_ptr(owner)->lost))
		return;
	for (u32 i = 0; (i = find_written(s, i)) < s->nslots; i++)
		if (still_written(s, i))
			ty_cache_die(fn, "write after free at", s, i);
}

void ty_sweep(const char *fn)
{
	if (!ty_conf.sweep || TY_LOAD_ACQ(&ty_heap_state) != 2)
		return;
	for (u32 id = TY_META_SLAB_FIRST, end = ty_meta_slab_end(); id < end; id = ty_meta_slab_after(id)) {
		struct ty_slab *s = ty_slab_ptr(id);
		if (!TY_LOAD(&s->cache))
			continue;
		if (s->nslots)
			sweep_slab(s, fn);
		else
			ty_large_sweep((struct ty_span *)(void *)s, fn);
	}
}
