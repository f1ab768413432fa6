/* heap.c: see heap.h. */
#include "heap.h"
#include "mag.h"
#include "stats.h"
#include "stock.h"
#include "tracked.h"

#include <errno.h>
#include <string.h>

int ty_heap_state;
bool ty_heap_formless;

/*
 * The heap starts when somebody allocates, as that costs as much as all else that a small program does; or before what might not
 * let it do so (seccomp.c, rlimit.c); or in the constructor, if there are options, of which some concern even who never allocates,
 * or a checker, to whom malloc belongs. What the program may change before it allocates is looked at in the constructor: its name,
 * the environment, files, standard error, the handler of faults. Nothing here allocates.
 */

/* What takes libc's help and waits for the heap. malloc works. */
static void register_with_libc(void)
{
	ty_fork_init();
	ty_stats_init();
	if (&ty_hooks_init)
		ty_hooks_init();
}

TY_START bool ty_heap_start_slow(void)
{
	static __thread bool starting __attribute__((tls_model("initial-exec")));
	int state = 0;

	if (starting) /* a wrapper of something we call has called malloc, or a signal's handler */
		return false;
	starting = true;
	if (__atomic_compare_exchange_n(&ty_heap_state, &state, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)) {
		ty_os_init();
		ty_random_init();
		ty_conf_init();
		bool late = ty_conf.late; /* else it is for the constructor: the dynamic linker may be at work still */
		bool ok = ty_region_init() && ty_meta_init() && ty_type_init() && ty_site_init();
		if (ok)
			ty_os_freeze(&ty_frozen_page, sizeof ty_frozen_page);
		else
			ty_warn("start: no address space for the heap", "", "", "");
		starting = false;
		__atomic_store_n(&ty_heap_state, ok ? 2 : 3, __ATOMIC_RELEASE);
		if (late)
			register_with_libc();
		return ok;
	}
	starting = false;
	while ((state = TY_LOAD_ACQ(&ty_heap_state)) == 1)
		ty_os_pause();
	return state == 2;
}

TY_EVERY_START __attribute__((constructor(101))) static void heap_constructor(void)
{
	/* (As few pages as can be: each costs a hundredth of the start of a small program.) */
	bool now = ty_conf_given() || ty_track_present();

	if (now)
		ty_heap_start();
	else
		ty_conf.late = true;
	ty_report_init();
	ty_sample_init();
	if (now)
		register_with_libc();
}

__thread struct ty_ambient ty_ambient __attribute__((tls_model("initial-exec")));

size_t ty_ambient_take(void)
{
	size_t token = (uintptr_t)__builtin_frame_address(0) < ty_ambient.frame ? ty_ambient.token : 0;

	ty_ambient.token = 0;
	return token;
}

static bool token_names_type(size_t token)
{
	return token && ty_conf.use_tokens && token != TY_TOKEN_VOID && token != TY_TOKEN_CONST_VOID &&
	       token != TY_TOKEN_VOLATILE_VOID && token != TY_TOKEN_CV_VOID;
}

struct ty_part ty_part_of(const uintptr_t *at, size_t token, u32 cls)
{
	if (token_names_type(token))
		return (struct ty_part){token, TY_SOURCE_TYPE};
	switch (ty_conf.partition == TY_POLICY_TYPED ? ty_conf.untyped : ty_conf.partition) {
	case TY_POLICY_RANDOM:
		return (struct ty_part){ty_random_partition(*at), TY_SOURCE_RANDOM};
	case TY_POLICY_NONE:
		return (struct ty_part){0, TY_SOURCE_ALL};
	default:
		return (struct ty_part){ty_site_chain(at, cls), TY_SOURCE_SITE};
	}
}

static void *alloc_large(struct ty_part part, size_t size, size_t align, u32 form, const char *fn)
{
	u32 cls = ty_large_class(size, align, part.source);
	if (!cls) {
		errno = ENOMEM;
		return NULL;
	}
	return ty_alloc_slow(part.key, cls | form, size, fn);
}

void *ty_alloc_large(struct ty_part part, size_t size, size_t align, const char *fn)
{
	return alloc_large(part, size, align, 0, fn);
}

/* The alignment in `how` (heap.h), and the class that goes with it. */
TY_INLINE size_t align_in(u32 how) { return (size_t)1 << (how >> TY_CLASS_ALIGN_SHIFT & 63); }
TY_INLINE u32 class_for(size_t size, u32 how)
{
	size_t align = align_in(how);
	return how & TY_CLASS_FIXED ? ty_bucket_fixed(size)
	       : align > 16	    ? ty_bucket_aligned(size + TY_TAIL, align)
				    : ty_bucket_of(size + TY_TAIL);
}

TY_INLINE void *alloc_miss(const uintptr_t *at, size_t token, size_t size, u32 how, const char *fn)
{
	size_t align = align_in(how), own = token;

	if (unlikely(!ty_heap_start())) {
		errno = ENOMEM;
		return NULL;
	}
	if (unlikely(ty_ambient.token) && !token_names_type(token))
		token = ty_ambient_take();
	u32 form = unlikely(ty_conf.mismatch) && !ty_heap_formless ? how & TY_CLASS_FORMS : 0;
	how &= ~TY_CLASS_FORMS;
	if (size > (how & TY_CLASS_FIXED ? TY_SMALL_MAX : TY_VARIABLE_MAX) || align > TY_PAGE)
		return alloc_large(ty_part_of(at, token, TY_CLASS_LARGE), size, align, form, fn);
	if (!size)
		return ty_alloc_slow(0, TY_CLASS_NIL | form | (align > 16 ? how : 0), 0, fn);
	u32 cls = class_for(size, how);
	struct ty_part part = ty_part_of(at, token, cls);
	cls |= TY_CLASS_SOURCE(part.source) | form;
	if (part.source != (own ? TY_SOURCE_TYPE : TY_SOURCE_SITE)) { /* not what the fast path has tried */
		void *p = ty_try(part.key, cls, size, fn);
		if (p)
			return p;
	}
	ty_sampler.align = align > 16 ? (u8)(how >> TY_CLASS_ALIGN_SHIFT) : 0;
	void *p = ty_alloc_slow(part.key, cls, size, fn);
	ty_sampler.align = 0;
	return p;
}

void *ty_alloc_miss(const uintptr_t *at, size_t token, size_t size, u32 how, const char *fn)
{
	TY_FRAME();
	void *p = alloc_miss(at, token, size, how, fn);

	ty_chain.n = 0;
	return p;
}

static void *alloc_by_tables(const uintptr_t *at, u64 what, size_t size, const char *fn);

/* Calls whose chain leads to m have a wrapper's magazine to pass by, whose distance may have turned out not to be constant. */
static void look_at_wrapper(const struct ty_mag *m, const uintptr_t *at)
{
	struct ty_mag *first = ty_mag_find(ty_self, *at, m->cls & ~TY_CLASS_HIDDEN);

	if (first && first->cls & TY_CLASS_HIDDEN)
		ty_stock_show(first);
}

/* (Six arguments, here and below: called last, without a frame.) */
void *ty_alloc_filled(struct ty_mag *m, size_t token, size_t size, u32 how, const char *fn, const uintptr_t *at)
{
	TY_FRAME();
	if (!token && likely(!m->next.p)) { /* its chain may go on by now, or no more */
		u32 before = m->cls;
		ty_stock_show(m);
		if (unlikely(m->cls != before && m->cls & TY_CLASS_HIDDEN))
			return alloc_by_tables(at, class_for(size, how) | (u64)how << TY_WHAT_HOW, size, fn);
		if (m->key != *at)
			look_at_wrapper(m, at);
	}
	void *p = ty_pop_shown(ty_self, m, how & TY_CLASS_FIXED ? TY_NO_CANARY : size, fn);

	return likely(p != NULL) ? p : ty_alloc_miss(at, token, size, how, fn);
}

/* The magazine is cold, or at another place of the table than its first one. */
static TY_NOINLINE void *alloc_third(u64 key, size_t token, size_t size, u32 how, const char *fn, const uintptr_t *at)
{
	struct ty_tcache *tc = ty_self;
	u32 cls = class_for(size, how);

	TY_FRAME();
	struct ty_mag *m = tc->nhot ? ty_mag_find(tc, key, cls | TY_CLASS_SOURCE(token ? TY_SOURCE_TYPE : TY_SOURCE_SITE)) : NULL;

	if (unlikely(!m || !m->hot))
		return ty_alloc_miss(at, token, size, how, fn);
	void *p = ty_mag_get(m, how & TY_CLASS_FIXED ? TY_NO_CANARY : size, fn);
	return likely(p != NULL) ? p : ty_alloc_filled(m, token, size, how, fn, at);
}

void *ty_alloc_second_typed(size_t token, size_t size, u32 how, const char *fn, const uintptr_t *at)
{
	return alloc_third(token, token, size, how, fn, at);
}

/* ty_alloc_as for a call in a wrapper, from a magazine where malloc looks first... */
static TY_NOINLINE void *alloc_from(const uintptr_t *at, u64 what, size_t size, const char *fn, struct ty_mag *m)
{
	u32 how = (u32)(what >> TY_WHAT_HOW);
	void *p = ty_mag_get(m, how & TY_CLASS_FIXED ? TY_NO_CANARY : size, fn);

	if (likely(p != NULL))
		return p;
	return m->hot ? ty_alloc_filled(m, 0, size, how, fn, at) : ty_alloc_miss(at, 0, size, how, fn);
}

/* ... or from that of a key, hidden or not, wherever it is. */
static TY_NOINLINE void *alloc_key(u64 key, u64 what, size_t size, const char *fn, const uintptr_t *at)
{
	u32 cls = (u32)what | TY_CLASS_SOURCE(TY_SOURCE_SITE);
	struct ty_mag *m = ty_mag_home(ty_self, key, cls);

	if (likely(m->key == key) && likely((m->cls & ~TY_CLASS_HIDDEN) == cls))
		return alloc_from(at, what, size, fn, m);
	return alloc_third(key, 0, size, (u32)(what >> TY_WHAT_HOW), fn, at);
}

/* The chain may go on. second: where its second address lies. */
static TY_NOINLINE void *alloc_deeper(u64 key, u64 what, size_t size, const char *fn, const uintptr_t *at, const uintptr_t *second)
{
	return alloc_key(ty_site_key(key, second, (u32)what), what, size, fn, at);
}

/* By the tables of site.h. */
static TY_NOINLINE void *alloc_by_tables(const uintptr_t *at, u64 what, size_t size, const char *fn)
{
	const struct ty_wrapper *w = ty_wrapper_at(*at);

	if (likely(TY_LOAD_ACQ(&w->site) == *at)) {
		size_t up = w->up;
		u64 key = *at;
		if (likely(ty_site_step(&key, at, (u32)what, &up, true)) && up)
			return alloc_deeper(key, what, size, fn, at, at + w->up);
		return alloc_key(key, what, size, fn, at);
	}
	return alloc_third(*at, 0, size, (u32)(what >> TY_WHAT_HOW), fn, at);
}

/* (Most chains have two addresses.) */
void *ty_alloc_second(const uintptr_t *at, u64 what, size_t size, const char *fn, struct ty_mag *m)
{
	u32 cls = (u32)what | TY_CLASS_SOURCE(TY_SOURCE_SITE);

	if (likely(m->key == *at) && likely(m->cls == (cls | TY_CLASS_HIDDEN))) {
		const uintptr_t *second = at + m->up;
		if (likely(ty_site_readable(at, second))) {
			u64 key = ty_chain_mix(*at, *second, true);
			struct ty_mag *to = ty_mag_home(ty_self, key, cls);
			if (likely(to->key == key) && likely(to->cls == cls))
				return alloc_from(at, what, size, fn, to);
			size_t up;
			if (!ty_link_goes(key, (u32)what, &up))
				return alloc_from(at, what, size, fn, m);
			return up ? alloc_deeper(key, what, size, fn, at, second) : alloc_key(key, what, size, fn, at);
		}
	}
	return alloc_by_tables(at, what, size, fn);
}

void *ty_alloc_untyped(const uintptr_t *at, u32 cls, size_t size, u32 how, const char *fn)
{
	return ty_alloc_as(at, 0, cls, size, how, fn);
}

/* Of a call site's key only as much of the chain as counts for the class. */
static struct ty_part part_for(struct ty_part part, const struct ty_cache *c, u32 cls)
{
	const struct ty_type *y = c ? ty_meta_ptr(c->type) : NULL;

	if (part.source == TY_SOURCE_SITE && y && y->nsites > 1 && y->key == part.key)
		part.key = ty_site_rekey(y->site, y->nsites, cls);
	return part;
}

/* size bytes in the partition that part, the one of cache c if there is one, is for their class. */
static void *alloc_in(struct ty_part part, const struct ty_cache *c, size_t size, bool fixed, const char *fn)
{
	if (size > (fixed ? TY_SMALL_MAX : TY_VARIABLE_MAX))
		return ty_alloc_large(part_for(part, c, TY_CLASS_LARGE), size, 16, fn);
	u32 cls = fixed ? ty_bucket_fixed(size) : ty_bucket_of(size + TY_TAIL);
	part = part_for(part, c, cls);
	cls |= TY_CLASS_SOURCE(part.source);
	void *p = ty_try(part.key, cls, size, fn);
	return p ? p : ty_alloc_slow(part.key, cls, size, fn);
}

/* The span that starts at p, or end the process. */
static struct ty_span *span_at(const void *p, const char *fn, const char *crime)
{
	size_t off = (uintptr_t)p - ty_conf.base;

	if (ty_heap_start() && off < ty_conf.size) {
		if (ty_region_span_at(off))
			return ty_large_at(p, fn, crime);
		ty_die(fn, "unallocated pointer", p, NULL);
	}
	ty_die(fn, "foreign pointer", p, NULL);
}

void ty_free_plain(void *p, const char *fn) { ty_large_free(span_at(p, fn, TY_DOUBLE_FREE), p, fn); }

void ty_free_other(void *p, const char *fn)
{
	if (unlikely(ty_conf.checker))
		ty_tracked_free(p, fn);
	else
		ty_free_plain(p, fn);
}

/* The slab of a live slot, or NULL when p is not in the slabs' part of the heap. */
static struct ty_slab *live_slot(const void *p, u32 *i, const char *fn, const char *crime)
{
	size_t off = (uintptr_t)p - ty_conf.base;

	if (off >= TY_LOAD(&ty_frontier.small_end))
		return NULL;
	struct ty_slab *s = ty_slot_at(p, off, i, fn);
	if (unlikely(!ty_slot_live(s, *i)))
		ty_cache_die(fn, crime, s, *i);
	return s;
}

void ty_free_aligned(void *p, size_t align, const char *fn)
{
	if (!p)
		return;
	if (unlikely(ty_conf.forward)) {
		ty_tracked_free(p, fn);
		return;
	}
	if (unlikely(!ty_is_pow2(align) || (uintptr_t)p & (align - 1)) && !ty_conf.unsized)
		ty_cache_die_mismatch(fn, "wrong alignment", align, ty_cache_of_object(p, fn), p);
	ty_free(p, fn);
}

/* Was a live slot of s, of an object without a canary, made for size bytes? */
static bool fixed_fits(const struct ty_slab *s, size_t size, size_t align)
{
	return ty_class_nil(ty_cache_ptr(s->cache)->cls) ? !size
							  : s->size == ty_round_up(size, align > 16 ? align : 16);
}

/* Likewise for a sampled one; such an object has the size of its slot. */
static bool fixed_sample_fits(const struct ty_span *x, size_t size, size_t align)
{
	return x->record && ty_cache_ptr(x->cache)->cls & TY_CLASS_FIXED && size <= TY_SMALL_MAX &&
	       x->req == ty_round_up(size, align > 16 ? align : 16);
}

void ty_free_sized(void *p, size_t size, size_t align, const char *fn)
{
	u32 i;

	if (!p)
		return;
	if (unlikely(ty_conf.unsized)) {
		ty_free(p, fn);
		return;
	}
	if (unlikely(ty_conf.checker)) {
		ty_tracked_free_sized(p, size, align, fn);
		return;
	}
	__builtin_prefetch(p, 1);
	__builtin_prefetch((const void *)((uintptr_t)p + size), 1); /* its canary, while the slab's record comes */
	struct ty_slab *s = live_slot(p, &i, fn, TY_DOUBLE_FREE);
	struct ty_span *x = s ? NULL : span_at(p, fn, TY_DOUBLE_FREE);
	if (align > 1 && (!ty_is_pow2(align) || (uintptr_t)p & (align - 1)))
		ty_cache_die_mismatch(fn, "wrong alignment", align, ty_cache_of_object(p, fn), p);
	if (!s && x->req != size && !fixed_sample_fits(x, size, align))
		ty_cache_die_mismatch(fn, "wrong size", size, ty_cache_ptr(x->cache), p);
	if (s && (s->canary ? ty_object_size(s, p, fn) != size : size > TY_SMALL_MAX || !fixed_fits(s, size, align)))
		ty_cache_die_mismatch(fn, "wrong size", size, ty_cache_ptr(s->cache), p);
	if (s)
		ty_free_slot(s, i, p, fn);
	else
		ty_large_free(x, p, fn);
}

/*
 * A large object that grows once will often grow again: where address space is plentiful its next span is of a
 * class four times as large, and the growth after that is in place. Only touched pages cost memory.
 */
static void *alloc_growing(struct ty_part part, size_t size, const char *fn)
{
	u32 cls = ty_large_class(size, 16, part.source);
	if (cls && ty_conf.roomy && !ty_os_tight() && size < ((size_t)1 << 36)) {
		u32 wide = ty_large_class(size * 4, 16, part.source);
		void *p = wide ? ty_alloc_slow(part.key, wide, size, fn) : NULL;
		if (p)
			return p;
	}
	return alloc_in(part, NULL, size, false, fn);
}

/*
 * The object of variable size at p grows or shrinks in its slot. What is behind its end is zero again. Whoever looks at the canary
 * meanwhile (ty_slab_check_near) finds the old one or the new, but for a few instructions.
 */
static void resize_slot(char *p, size_t old, size_t size)
{
	if (size < old) {
		ty_canary_put(p, size);
		if (old > size + TY_CANARY)
			memset(p + size + TY_CANARY, 0, old - size - TY_CANARY);
		size_t from = old > size + TY_CANARY ? old : size + TY_CANARY;
		memset(p + from, 0, old + TY_CANARY - from);
	} else if (size > old) {
		memset(p + old, 0, TY_CANARY);
		ty_canary_put(p, size);
	}
}

/* What the object at p, in span x, holds is moved to the new one of size bytes at q, and p is freed; the new place. */
static void *move_large(struct ty_span *x, const void *p, void *q, size_t size, const char *fn)
{
	ty_large_take(x, p, fn);
	size_t old = ty_large_usable(x), n = old < size ? old : size;
	void *moved = size > TY_SMALL_MAX ? ty_large_move(x, span_at(q, fn, TY_DOUBLE_FREE), n, size) : NULL;

	if (!moved)
		memcpy(q, p, n);
	ty_large_release(x);
	return moved ? moved : q;
}

void *ty_realloc(void *p, size_t size, const uintptr_t *at, size_t token, bool fixed, const char *fn)
{
	u32 i;
	int saved = errno;

	if (!p)
		return fixed ? ty_alloc_fixed(at, token, size, fn) : ty_alloc(at, token, size, fn);
	if (unlikely(ty_conf.checker))
		return ty_tracked_realloc(p, size, at, token, fn);
	struct ty_slab *s = live_slot(p, &i, fn, TY_DOUBLE_FREE);
	struct ty_span *x = s ? NULL : span_at(p, fn, TY_DOUBLE_FREE);
	if (unlikely(ty_conf.mismatch))
		ty_check_form(p, TY_FORM_MALLOC, fn);
	if (size == 0) {
		ty_free(p, fn);
		return NULL;
	}
	if (unlikely(ty_ambient.token) && !token_names_type(token))
		token = ty_ambient_take();
	struct ty_cache *c = ty_cache_ptr(s ? s->cache : x->cache);
	size_t old = s ? ty_object_size(s, p, fn) : 0;
	if (s && s->canary && ty_bucket_fits(s->size, size) && !(token_names_type(token) && c->token != token)) {
		resize_slot(p, old, size);
		return p;
	}
	struct ty_part part = {.key = c->key, .source = ty_class_source(c->cls)};
	bool nil = s ? ty_class_nil(c->cls) : !x->req;
	if (nil) /* an object of no bytes has none of its own */
		part = ty_part_of(at, token, ty_bucket_of((size < TY_VARIABLE_MAX ? size : TY_VARIABLE_MAX) + TY_TAIL));
	if (token_names_type(token) && (part.key != token || part.source != TY_SOURCE_TYPE))
		part = (struct ty_part){token, TY_SOURCE_TYPE}; /* moves into another type's memory */
	else if (s ? !s->canary && !ty_class_nil(c->cls) && s->size == ty_round_up(size, 16) : !nil && ty_large_resize(x, p, size, false, fn))
		return p;
	void *q = x && !x->record && size > x->req ? alloc_growing(part, size, fn) : alloc_in(part, c, size, fixed, fn);
	ty_chain.n = 0;
	if (!q) {
		/* There is no memory; an object that becomes smaller, and stays what it is, has it. */
		bool stays = part.key == c->key && part.source == ty_class_source(c->cls) && !nil;
		if (s && s->canary && stays && size < old)
			resize_slot(p, old, size);
		else if (!x || x->record || !stays || size >= x->req || !ty_large_resize(x, p, size, true, fn))
			return NULL;
		errno = saved;
		return p;
	}
	if (x) {
		q = move_large(x, p, q, size, fn);
	} else {
		memcpy(q, p, old < size ? old : size);
		ty_free(p, fn);
	}
	errno = saved;
	return q;
}

void ty_check_form(const void *p, enum ty_form form, const char *fn)
{
	if (!ty_heap_formless && !ty_conf.forward)
		ty_cache_check_form(ty_cache_of_object(p, fn), p, form, fn);
}

size_t ty_usable_size(const void *p, const char *fn)
{
	u32 i;

	if (!p)
		return 0;
	if (unlikely(ty_conf.checker))
		return ty_tracked_size(p, fn);
	struct ty_slab *s = live_slot(p, &i, fn, TY_USE_AFTER_FREE);
	return s ? ty_object_size(s, p, fn) : ty_large_checked(span_at(p, fn, TY_USE_AFTER_FREE), fn);
}

struct ty_cache *ty_cache_of_object(const void *p, const char *fn)
{
	u32 i;
	struct ty_slab *s = live_slot(p, &i, fn, TY_DOUBLE_FREE);
	return ty_cache_ptr(s ? s->cache : span_at(p, fn, TY_DOUBLE_FREE)->cache);
}
