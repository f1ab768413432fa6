/* mag.c: a thread's table of magazines. See tcache.h. */
#include "mag.h"

#define TABLE_BITS_MAX 16

struct ty_mag *ty_mag_table_new(u32 bits)
{
	return ty_meta_alloc(sizeof(struct ty_mag) << bits);
}

u32 ty_mag_table_size(const struct ty_tcache *tc) { return 1u << (64 - tc->shift); }

/* The magazine of (key, class); NULL: none. */
struct ty_mag *ty_mag_find(struct ty_tcache *tc, u64 key, u32 cls)
{
	u32 mask = ty_mag_table_size(tc) - 1;
	u32 home = (u32)(ty_mag_hash(key, cls) >> tc->shift);

	for (u32 i = 0; i < TY_PROBE; i++) {
		struct ty_mag *m = &tc->table[(home + i) & mask];
		if (m->key == key && (m->cls & ~TY_CLASS_HIDDEN) == cls)
			return m;
	}
	return NULL;
}

/* Move a hot magazine to the place its hash names, where malloc looks first, unless a hot one is there. */
struct ty_mag *ty_mag_move_home(struct ty_tcache *tc, struct ty_mag *m)
{
	struct ty_mag *h = &tc->table[ty_mag_hash(m->key, m->cls) >> tc->shift];

	if (h == m || h->hot)
		return m;
	/* The cold one that was there starts again: elsewhere its own hash might not find it. */
	*h = *m;
	ty_stock_ptr(h->own)->place = (u32)(h - tc->table);
	memset(m, 0, sizeof *m);
	return h;
}

/* A place for (key, class): an unused or a cold one. NULL: all its places are hot. */
static struct ty_mag *place_for(struct ty_mag *table, u32 shift, u64 key, u32 cls)
{
	u32 mask = (1u << (64 - shift)) - 1;
	u32 home = (u32)(ty_mag_hash(key, cls) >> shift);
	struct ty_mag *best = NULL;

	for (u32 i = 0; i < TY_PROBE; i++) {
		struct ty_mag *m = &table[(home + i) & mask];
		if (m->hot)
			continue;
		if (!m->own)
			return m;
		if (!best || m->uses < best->uses)
			best = m;
	}
	return best;
}

/* Double the table until every hot magazine has a place. False: it stays as it is. */
static bool grow(struct ty_tcache *tc)
{
	u32 size = ty_mag_table_size(tc);

	tc->evicted = 0;
	for (u32 bits = 64 - tc->shift + 1; bits <= TABLE_BITS_MAX; bits++) {
		struct ty_mag *bigger = ty_mag_table_new(bits);
		bool fits = bigger != NULL;
		if (!bigger)
			return false;
		for (int hot = 1; hot >= 0 && fits; hot--) {
			for (u32 i = 0; i < size; i++) {
				struct ty_mag *m = &tc->table[i];
				if (!m->own || m->hot != hot)
					continue;
				struct ty_mag *to = place_for(bigger, 64 - bits, m->key, m->cls);
				if (to)
					*to = *m;
				else if (hot)
					fits = false;
			}
		}
		struct ty_mag *old = fits ? tc->table : bigger;
		size_t bytes = sizeof(struct ty_mag) << (fits ? 64 - tc->shift : bits);
		for (u32 i = 0; i < 1u << bits && fits; i++)
			if (bigger[i].hot)
				ty_stock_ptr(bigger[i].own)->place = i;
		ty_lock(&ty_threads_lock); /* reports read other threads' tables */
		if (fits) {
			tc->table = bigger;
			tc->shift = 64 - bits;
		}
		ty_meta_free(old, bytes);
		ty_unlock(&ty_threads_lock);
		if (fits)
			return true;
	}
	return false;
}

struct ty_mag *ty_mag_add(struct ty_tcache *tc, u64 key, u32 cls)
{
	/* Of two hot ones with the same first place one needs a slow look-up: keep the table at most a quarter hot. */
	if (tc->nhot * 4 > ty_mag_table_size(tc) || tc->evicted >= ty_mag_table_size(tc))
		grow(tc);
	struct ty_mag *m = place_for(tc->table, tc->shift, key, cls);
	if (!m && grow(tc))
		m = place_for(tc->table, tc->shift, key, cls);
	if (!m)
		return NULL;
	tc->evicted += m->own != 0;
	memset(m, 0, sizeof *m);
	m->key = key;
	m->cls = cls;
	return m;
}
