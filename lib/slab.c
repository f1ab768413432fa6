/* slab.c: see slab.h. */
#include "slab.h"
#include "cache.h"

unsigned ty_slab_collect(struct ty_slab *s)
{
	unsigned gained = 0;

	TY_FOR_WORDS(s, i) {
		struct ty_word *w = &s->w[i];
		if (!TY_LOAD(&w->remote))
			continue;
		u64 r = __atomic_exchange_n(&w->remote, 0, __ATOMIC_ACQ_REL);
		if (unlikely(r & w->free))
			ty_cache_die("free", "double free of", s, i * 64 + ty_ctz(r & w->free));
		w->free |= r;
		gained += ty_popcount(r);
	}
	return gained;
}

unsigned ty_slab_find_write(const struct ty_slab *s)
{
	size_t n = (size_t)s->touched << TY_PAGE_SHIFT;

	if (likely(!n || s->nil || ty_all_zero_long((void *)s->start, n)))
		return s->nslots;
	for (unsigned i = 0; i < s->nslots; i++)
		if (!ty_all_zero_long((char *)s->start + (size_t)i * s->size, s->size))
			return i;
	return 0; /* behind the last slot */
}

unsigned ty_slab_count_used(const struct ty_slab *s)
{
	unsigned n = 0;
	TY_FOR_WORDS(s, i)
		n += ty_popcount(s->w[i].free);
	return s->nslots - n;
}

/* The low slots first, so that a slab with little in it has few pages. */
bool ty_slab_take(struct ty_slab *s, unsigned *word, u64 *limit)
{
	for (int again = 0; again < 2; again++) {
		TY_FOR_WORDS(s, i) {
			u64 f = s->w[i].free;
			if (!f)
				continue;
			u64 mask = ty_slab_limit(s, i);
			if (!(f & mask)) {
				/* Slots are touched in order, so this word holds the first untouched one, or a later one. */
				u32 slot = i * 64 + ty_ctz(f);
				size_t end = ((size_t)slot + 1) * s->size;
				while (((size_t)s->touched << TY_PAGE_SHIFT) < end) {
					ty_touch((char *)s->start + ((size_t)s->touched << TY_PAGE_SHIFT));
					s->touched++;
				}
				mask = ty_slab_limit(s, i);
			}
			*word = i;
			*limit = mask;
			return true;
		}
		if (!ty_slab_collect(s))
			break;
	}
	return false;
}
