/* slab.c: see slab.h. */
#include "slab.h"
#include "purge.h"

#if defined(__SSE2__)
typedef char bytes16 __attribute__((vector_size(16), aligned(1), may_alias));
/* Which of the 16 states at p are x. */
TY_INLINE u64 group(const u8 *p, u8 x)
{
	bytes16 v = *(const bytes16 *)(const void *)p;
	return (u32)__builtin_ia32_pmovmskb128((bytes16)(v == (char)x));
}
#else
TY_INLINE u64 group(const u8 *p, u8 x)
{
	u64 m = 0;
	for (int i = 0; i < 16; i++)
		m |= (u64)(TY_LOAD(&p[i]) == x) << i;
	return m;
}
#endif

/*
 * Which slots of word i are in a state. Groups of 16 are read whole: what lies behind the last slot's state (remote
 * words, the next record) is masked out. Other threads' exchanges may be seen or not.
 */
static u64 in_state(const struct ty_slab *s, unsigned i, enum ty_slot_state x)
{
	const u8 *p = ty_slot_state(s, i * 64);
	unsigned n = s->nslots - i * 64;
	u64 m = 0;

	if (n > 64)
		n = 64;
	for (unsigned k = 0; k < n; k += 16)
		m |= group(p + k, (u8)x) << k;
	return m & ty_low_mask(n);
}

u64 ty_slab_free_word(const struct ty_slab *s, unsigned i) { return in_state(s, i, TY_SLOT_FREE); }

unsigned ty_slab_collect(struct ty_slab *s)
{
	unsigned gained = 0;

	TY_FOR_WORDS(s, i) {
		u64 *remote = ty_slab_remote(s, i);
		if (!TY_LOAD(remote))
			continue;
		for (u64 r = __atomic_exchange_n(remote, 0, __ATOMIC_ACQ_REL); r; r &= r - 1) {
			u32 k = i * 64 + ty_ctz(r);
			u8 *state = ty_slot_state(s, k);
			if (unlikely(TY_LOAD(state) != TY_SLOT_REMOTE))
				ty_cache_die("free", "double free of", s, k);
			TY_STORE(state, TY_SLOT_FREE);
			gained++;
		}
		if (s->first > i)
			s->first = (u8)i;
	}
	return gained;
}

unsigned ty_slab_find_write(const struct ty_slab *s)
{
	size_t n = !s->touched ? 0 : s->part ? TY_PART : (size_t)s->touched << TY_PAGE_SHIFT;

	if (likely(!n || s->nil || ty_all_zero_long((void *)s->start, n)))
		return s->nslots;
	for (unsigned i = 0; i < s->nslots; i++)
		if (!ty_all_zero_long((char *)s->start + (size_t)i * s->size, s->size))
			return i;
	return 0; /* behind the last slot */
}

static bool is_free(const struct ty_slab *s, u32 i) { return !ty_slot_live(s, i); }

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

static unsigned count(const struct ty_slab *s, enum ty_slot_state x)
{
	unsigned n = 0;
	TY_FOR_WORDS(s, i)
		n += ty_popcount(in_state(s, i, x));
	return n;
}

unsigned ty_slab_count_used(const struct ty_slab *s) { return s->nslots - count(s, TY_SLOT_FREE); }
unsigned ty_slab_count_live(const struct ty_slab *s) { return count(s, TY_SLOT_LIVE); }

/* The low slots first, so that a slab with little in it has few pages. */
bool ty_slab_take(struct ty_slab *s, unsigned ahead, unsigned *word, u64 *may)
{
	unsigned words = ty_slab_words(s);

	for (int again = 0; again < 2; again++) {
		for (unsigned i = s->first; i < words; i++) {
			u64 f = ty_slab_free_word(s, i);
			if (!f)
				continue;
			/* Freed by another thread too, at the same moment (slab.h): nobody gets it. */
			u64 both = f & TY_LOAD(ty_slab_remote(s, i));
			if (unlikely(both))
				ty_cache_die("free", "double free of", s, i * 64 + ty_ctz(both));
			s->first = (u8)i;
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
			*may = f & mask;
			return true;
		}
		s->first = (u8)words;
		unsigned gained = ty_slab_collect(s);
		if (!gained)
			break;
		s->used -= gained;
	}
	return false;
}
