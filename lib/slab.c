/* slab.c: see slab.h. */
#include "slab.h"
#include "cache.h"

unsigned ty_slab_collect(struct ty_slab *s)
{
	unsigned gained = 0;

	if (ty_conf.hold)
		return 0;
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

static bool is_free(const struct ty_slab *s, u32 i)
{
	const struct ty_word *w = &s->w[i / 64];
	return (TY_LOAD(&w->free) | TY_LOAD(&w->remote)) >> (i % 64) & 1;
}

const char *ty_slab_check_near(const struct ty_slab *s, u32 i)
{
	char *p = (char *)s->start + (size_t)i * s->size;
	size_t touched = (size_t)s->touched << TY_PAGE_SHIFT;

	if (unlikely(ty_conf.red)) /* Memcheck has told it */
		return NULL;
	if (i && (size_t)i * s->size <= touched) {
		u64 tail = ty_load64(p - 8) | ty_load64(p - 16);
		/* A live neighbour without any canary is being handed out just now. */
		if (tail && !is_free(s, i - 1) && (s->canary && ty_canary_size(p - s->size, s->size) == TY_NO_CANARY))
			return "underflow of";
	}
	for (u32 k = i; k-- > 0 && (size_t)(i - k - 1) * s->size < 64;) {
		size_t end = ((size_t)k + 1) * s->size, n = s->size < 64 ? s->size : 64;
		if (end <= touched && is_free(s, k) && !ty_all_zero_long((char *)s->start + end - n, n))
			return "underflow of";
	}
	for (u32 k = i + 1; k < s->nslots && (size_t)(k - i - 1) * s->size < 64; k++) {
		size_t at = (size_t)k * s->size;
		if (at + s->size <= touched && is_free(s, k) && !ty_all_zero_long((char *)s->start + at, s->size < 64 ? s->size : 64))
			return "overflow of";
	}
	return NULL;
}

unsigned ty_slab_count_used(const struct ty_slab *s)
{
	unsigned n = 0;
	TY_FOR_WORDS(s, i)
		n += ty_popcount(s->w[i].free);
	return s->nslots - n;
}

/* The low slots first, so that a slab with little in it has few pages. */
bool ty_slab_take(struct ty_slab *s, unsigned ahead, unsigned *word, u64 *limit)
{
	for (int again = 0; again < 2; again++) {
		TY_FOR_WORDS(s, i) {
			u64 f = s->w[i].free;
			if (!f)
				continue;
			u64 mask = ty_slab_limit(s, i);
			if (!(f & mask)) {
				/* Slots are touched in order, so this word holds the first untouched one, or a later one. */
				u32 slot = i * 64 + ty_ctz(f) + ahead;
				size_t end = (size_t)(slot < s->nslots ? slot : s->nslots) * s->size;
				u32 before = s->touched;
				while (((size_t)s->touched << TY_PAGE_SHIFT) < end) {
					ty_touch((char *)s->start + ((size_t)s->touched << TY_PAGE_SHIFT));
					s->touched++;
				}
				ty_cache_grows((size_t)(s->touched - before) << TY_PAGE_SHIFT >> 1);
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
