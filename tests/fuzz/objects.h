/* The fuzzer's model: what an operation does to objects, and what must be true of them before and after. */
#ifndef FUZZ_OBJECTS_H
#define FUZZ_OBJECTS_H

#include "makers.h"

/* ---- sizes ---- */

/* Half of all objects are of few sorts, drawn for the whole run: their caches get hot and their slabs full. */
enum { FAVOURITES = 5 };
static struct {
	size_t n;
	unsigned maker;
	size_t t;
} favourite[FAVOURITES];

static size_t near(struct actor *a, size_t n, size_t by) { return n + below(a, 2 * by + 1) - (n < by ? n : by); }

static size_t some_size(struct actor *a)
{
	uint64_t r = draw(a) % 1000;
	size_t room = a->bytes > 12 * MIB ? 0 : 12 * MIB - a->bytes, n;
	if (r < 25)
		n = 0;
	else if (r < 350)
		n = 1 + below(a, 128);
	else if (r < 600) { /* around slots */
		size_t slot = shadow_round(1 + (size_t)(random_size(&a->rng, 14)), 8);
		n = near(a, slot - (slot > 8 && one_in(a, 2) ? 8 : 0), 2);
	} else if (r < 700)
		n = random_size(&a->rng, 14);
	else if (r < 750)
		n = near(a, one_in(a, 2) ? 16376 : 16384, 3);
	else if (r < 830)
		n = near(a, 4096 * (1 + below(a, 40)), 20);
	else if (r < 900)
		n = random_size(&a->rng, 18);
	else if (r < 940)
		n = near(a, 256 * KIB, 5000);
	else if (r < 985)
		n = random_size(&a->rng, 21);
	else if (r < 998)
		n = near(a, 4 * MIB, 5000);
	else
		return one_in(a, 4) ? near(a, 64 * MIB, 5000) : random_size(&a->rng, 23);
	return n <= room || n < 20000 ? n : n % 20000;
}

static size_t some_align(struct actor *a)
{
	return one_in(a, 40) ? (size_t)4096 << below(a, 10) : (size_t)8 << below(a, 10);
}

/* ---- what must be true of an object ---- */

static void ask(struct actor *a, const struct object *o)
{
	struct typed_type t;
	TRUE(malloc_usable_size(o->p) == o->usable, "usable size %zu of %p, made for %zu", malloc_usable_size(o->p), (void *)o->p,
	     o->n);
	TRUE(!typed_malloc_type_of(o->p, &t), "no type of %p", (void *)o->p);
	TRUE(t.size == o->usable && !t.fixed == !o->fixed && !t.large == !o->large &&
		     (!o->usable || !t.name == !is_named(o->key)),
	     "type of %p: size %zu, fixed %d, large %d", (void *)o->p, t.size, t.fixed, t.large);
	size_t of = is_token(o->key) && o->usable ? token[o->key - KEY_TOKEN] : 0;
	if (o->usable)
		TRUE(t.token == of && typed_malloc_token_at(o->p) == of, "token 0x%zx of %p", t.token, (void *)o->p);
	size_t at = below(a, o->usable ? o->usable : 1);
	TRUE(typed_malloc_room(o->p + at) == o->usable - at, "room %zu at %zu of %p", typed_malloc_room(o->p + at), at,
	     (void *)o->p);
	if (!o->fixed)
		TRUE(typed_malloc_room(o->p + o->usable) == 0, "room behind %p", (void *)o->p);
}

/* p has come from the allocator for n bytes (whose first `kept` are known to be kept): into the model. */
static void born(struct actor *a, struct object *o, char *p, size_t n, size_t kept, const char *when)
{
	struct typed_type t;
	TRUE(!typed_malloc_type_of(p, &t), "%s: %p is no object", when, (void *)p);
	o->p = p;
	o->n = n;
	o->usable = malloc_usable_size(p);
	o->fixed = t.fixed;
	o->large = t.large;
	TRUE(o->fixed && n ? o->usable >= n && o->usable < n + (o->align > 16 ? o->align : 16) : o->usable == n,
	     "%s: usable size %zu of %p, made for %zu", when, o->usable, (void *)p, n);
	TRUE(!((uintptr_t)p & ((n >= 16 && o->align < 16 ? 16 : n || o->align > 16 ? o->align : 1) - 1)), "%s: %p for %zu, aligned to %zu",
	     when, (void *)p, n, o->align);
	TRUE(live_mark((uintptr_t)p, o->usable, true), "%s: %p of %zu bytes overlaps a live object", when, (void *)p, n);
	look_zero(p, kept, n, when);
	shadow_record_aligned(p, n || t.large ? o->key : SHADOW_NIL, o->align); /* large ones of no bytes have pages of their key's */
	a->bytes += n;
	o->pattern = draw(a);
	paint(o);
}

/* With option mismatch new and delete have an operation of their own (forms()). */
static bool is_new(unsigned m) { return strstr(makers[m].name, "new") != NULL; }

/* By maker m; false: there is no memory, which only very large ones may meet. */
static bool make_by(struct actor *a, struct object *o, unsigned m, size_t n, size_t align, size_t t)
{
	m = by_form && is_new(m) ? makers[m].is & TYPED ? MAKE_TYPED : 0 : m;
	unsigned is = makers[m].is;
	bool any = is & CACHE && t == CACHES; /* the thread's own */
	if (is & CACHE)
		n = any ? 72 : shape[t].size;
	align = is & ALIGNS ? align : is & PAGES ? 4096 : is & CACHE && !any ? shape[t].align : 0;
	align = align ? align : n < 16 ? 8 : 16;
	if (makers[m].f == make_memalign && n % 3 == 1 && align > 16)
		align -= 1 + n % 7; /* rounded up again */
	errno = 0;
	char *p = any ? typed_cache_alloc(a->mine) : makers[m].f(NULL, n, align, is & CACHE || is & BUCKET ? t : token[t]);
	if (!p) {
		TRUE(errno == ENOMEM && n + align >= 2 * MIB, "%s of %zu: NULL, errno %d", makers[m].name, n, errno);
		return false;
	}
	if (is & WHOLE_PAGES)
		n = round_to(n ? n : 1, 4096);
	while (align & (align - 1))
		align++;
	o->align = align;
	o->key = any ? KEY_MINE + a->id : key_of(m, t);
	born(a, o, p, n, 0, makers[m].name);
	return true;
}

static size_t some_t(struct actor *a, unsigned m)
{
	unsigned is = makers[m].is;
	return is & CACHE ? below(a, CACHES + 1) : is & BUCKET ? below(a, BUCKETS) : is & LAST_TOKEN ? TOKENS - 1 : below(a, TOKENS);
}

static unsigned some_maker(struct actor *a)
{
	uint64_t r = draw(a) % 100;
	return r < 10 ? MAKE_CACHE : r < 20 ? MAKE_BUCKETS : r < 60 ? (unsigned)below(a, MAKE_TYPED)
		      : MAKE_TYPED + (unsigned)below(a, MAKE_CACHE - MAKE_TYPED);
}

static bool make_some(struct actor *a, struct object *o)
{
	unsigned m = some_maker(a), f = (unsigned)below(a, FAVOURITES);
	size_t n = some_size(a), align = some_align(a), t = some_t(a, m);
	if (one_in(a, 2))
		return make_by(a, o, favourite[f].maker, favourite[f].n, 64, favourite[f].t);
	return make_by(a, o, m, n, align, t);
}

static void draw_favourites(uint64_t seed)
{
	struct actor a = {.rng = seed};
	for (unsigned i = 0; i < FAVOURITES; i++) {
		do
			favourite[i].n = some_size(&a);
		while (favourite[i].n > (i ? 20000 : 300000));
		favourite[i].maker = i == 1 ? MAKE_FIXED : some_maker(&a);
		favourite[i].t = some_t(&a, favourite[i].maker);
	}
}

/* One more like o: of its key and size, if there is a way. */
static bool make_like(struct actor *a, struct object *o, const struct object *like)
{
	unsigned key = like->key;
	if (!like->usable)
		return make_by(a, o, 0, 0, 16, 0);
	if (key >= KEY_MINE)
		return make_by(a, o, MAKE_CACHE, 0, 16, CACHES);
	if (key >= KEY_BUCKETS)
		return make_by(a, o, MAKE_BUCKETS, like->n, 16, key - KEY_BUCKETS);
	if (key >= KEY_CACHE)
		return make_by(a, o, MAKE_CACHE, 0, 16, key - KEY_CACHE);
	if (is_token(key))
		return make_by(a, o, like->fixed ? MAKE_FIXED : like->align > 16 ? MAKE_ALIGNED : MAKE_TYPED, like->n, like->align,
			       key - KEY_TOKEN);
	return make_by(a, o, key - 1, like->n, like->align, 0);
}

/* Out of the model; the next call gives it back. */
static void bury_object(struct actor *a, struct object *o)
{
	TRUE(live_mark((uintptr_t)o->p, o->usable, false), "%p was not alive", (void *)o->p);
	a->bytes -= o->n;
}

enum { FREES = 17 };
/* Free p as if it were o, in one of many ways. */
static void free_as(const struct object *o, char *p, unsigned how, struct actor *a)
{
	size_t n = o->usable, align = (size_t)1 << (__builtin_ctzl((unsigned long)(uintptr_t)o->p | 4096) * how % 13);
	if (align > 16 && (o->fixed || !n))
		align = 16;
	while ((uintptr_t)o->p & (align - 1))
		align /= 2;
	if (by_form && ((how >= 3 && how <= 5) || (how >= 9 && how <= 12)))
		how = 15;
	switch (how) {
	case 0: typed_free(p); break;
	case 1: __libc_free(p); break;
	case 2: lib_cfree(p); break;
	case 3: _ZdlPv(p); break;
	case 4: _ZdaPv(p); break;
	case 5: _ZdlPvRKSt9nothrow_t(p, ""); break;
	case 6: lib_free_sized(p, n); break;
	case 7: typed_free_sized(p, n); break;
	case 8: lib_free_aligned_sized(p, align, n); break;
	case 9: _ZdlPvm(p, n); break;
	case 10: _ZdaPvm(p, n); break;
	case 11: _ZdlPvSt11align_val_t(p, align); break;
	case 12: _ZdaPvmSt11align_val_t(p, n, align); break;
	case 13: TRUE(!realloc(p, 0), "realloc(p, 0) is not NULL"); break;
	case 14:
		if (o->key >= KEY_MINE && o->key < SHADOW_NIL && o->usable && o->key == KEY_MINE + a->id)
			typed_cache_free(a->mine, p);
		else if (o->key >= KEY_CACHE && o->key < KEY_BUCKETS && o->usable)
			typed_cache_free(cache[o->key - KEY_CACHE], p);
		else
			free(p);
		break;
	default: free(p);
	}
}

static void free_some(struct actor *a, struct object *o)
{
	look(o, o->p, o->n, "free");
	bury_object(a, o);
	char *p = o->p;
	errno = 4242;
	free_as(o, p, (unsigned)below(a, FREES), a);
	TRUE(errno == 4242, "free of %p sets errno to %d", (void *)p, errno);
	o->p = NULL;
}

static void resize(struct actor *a, struct object *o)
{
	static const unsigned resizers[] = {7, 8, 9, 10, MAKE_TYPED + 3, MAKE_TYPED + 4, MAKE_TYPED + 7, MAKE_CACHE - 1};
	unsigned m = resizers[below(a, sizeof resizers / sizeof *resizers)];
	bool typed = makers[m].is & TYPED && by_type;
	size_t t = is_token(o->key) && one_in(a, 2) ? o->key - KEY_TOKEN : below(a, TOKENS), n = some_size(a);
	if (one_in(a, 3))
		n = near(a, o->n, 24);
	else if (one_in(a, 3))
		n = o->n < 4 * MIB ? o->n * 2 : o->n / 2;
	look(o, o->p, o->n, "before realloc");
	struct object was = *o;
	bury_object(a, o);
	errno = 4242;
	char *q = makers[m].f(o->p, n, 0, token[t]);
	if (!n) {
		TRUE(!q, "realloc to 0 bytes: %p", (void *)q);
		o->p = NULL;
		return;
	}
	if (!q) {
		TRUE(errno == ENOMEM && n >= 2 * MIB, "realloc to %zu: NULL, errno %d", n, errno);
		live_mark((uintptr_t)o->p, o->usable, true);
		a->bytes += o->n;
		look(o, o->p, o->n, "realloc that failed");
		return;
	}
	TRUE(errno == 4242, "realloc sets errno to %d", errno);
	look(&was, q, was.n < n ? was.n : n, "realloc");
	if (q != was.p)
		o->align = n < 16 ? 8 : 16;
	if (typed || !was.usable)
		o->key = key_of(m, t);
	born(a, o, q, n, was.usable, "realloc");
	TRUE(!o->fixed || (was.fixed && q == was.p), "realloc makes a fixed %p of %p", (void *)q, (void *)was.p);
}

/* What cannot be had is NULL, and nothing else happens. */
static void impossible(struct actor *a)
{
	struct object *o = &a->own[below(a, OWN)];
	size_t n = SIZE_MAX - (below(a, 2) ? below(a, 70000) : SIZE_MAX / 2 + random_size(&a->rng, 30)), by = 2 + below(a, 1000);
	void *p = NULL;
	errno = 0;
	p = one_in(a, 2) ? malloc(hide_size(n)) : typed_malloc_token(hide_size(n), token[0]);
	TRUE(!p && errno == ENOMEM, "%zu bytes: %p, errno %d", n, p, errno);
	p = one_in(a, 2) ? calloc(hide_size(SIZE_MAX / by + 1), by) : typed_malloc_flex_token(by, by, hide_size(SIZE_MAX / by), token[1]);
	TRUE(!p && errno == ENOMEM, "product: %p, errno %d", p, errno);
	errno = 0;
	p = aligned_alloc(hide_size(by | 1), 100);
	TRUE(!p && errno == EINVAL, "alignment %zu: %p, errno %d", by | 1, p, errno);
	p = memalign(64, hide_size(n));
	TRUE(!p, "memalign of %zu: %p", n, p);
	if (o->p) {
		p = realloc(o->p, hide_size(n));
		TRUE(!p, "realloc to %zu: %p", n, p);
		look(o, o->p, o->n, "realloc to the impossible");
		ask(a, o);
	}
	errno = 4242;
	free(NULL);
	typed_free_sized(NULL, by);
	TRUE(errno == 4242 && malloc_usable_size(NULL) == 0, "NULL");
}

/* Enough of the sort of o, and back, for its cache to get hot in this thread. */
UNUSED static void heat(struct actor *a, const struct object *like)
{
	struct object few[8];
	for (size_t i = 0; i < 6 + like->usable / 400; i++) {
		size_t n = 0;
		while (n < 8 && make_like(a, &few[n], like))
			n++;
		while (n)
			free_some(a, &few[--n]);
	}
}

/* Many of one sort, freed in any order. */
static void burst(struct actor *a, bool keep_hot)
{
	enum { MANY = 300 };
	static __thread struct object many[MANY];
	struct object first = {0};
	if (!make_some(a, &first))
		return;
	size_t n = 0, most = first.n ? (1 * MIB) / first.n + 2 : MANY;
	most = most < MANY ? most : MANY;
	if (!keep_hot)
		most = below(a, most);
	for (; n < most && make_like(a, &many[n], &first); n++)
		;
	free_some(a, &first);
	while (n) {
		size_t i = below(a, n);
		free_some(a, &many[i]);
		many[i] = many[--n];
	}
}

/* The thread's own cache ends when it is empty, and one of the same name comes again. */
static void end_cache(struct actor *a)
{
	bool used = false;
	errno = 0;
	for (int i = 0; i < OWN; i++)
		used = used || (a->own[i].p && a->own[i].key == KEY_MINE + a->id && a->own[i].usable);
	int e = typed_cache_destroy(a->mine);
	/* Others may have some of them. */
	TRUE(e == 0 ? !used : errno == EBUSY, "typed_cache_destroy: %d, errno %d", e, errno);
	if (e == 0) {
		char name[32];
		snprintf(name, sizeof name, "fuzz-thread-%u", a->id);
		a->mine = typed_cache_create(name, 72, 0, 0);
	}
	TRUE(a->mine != NULL, "no cache");
}

static void free_all(struct actor *a)
{
	for (int i = 0; i < OWN; i++)
		if (a->own[i].p)
			free_some(a, &a->own[i]);
}

/* Each form of new, and its delete. */
static void forms(struct actor *a)
{
	size_t n = some_size(a), align = (size_t)32 << below(a, 6);
	n = n < 1 * MIB ? n : n % MIB;
	void *p = one_in(a, 2) ? _Znwm(n) : _ZnwmRKSt9nothrow_t(n, "");
	void *q = one_in(a, 2) ? _Znam(n) : _ZnamRKSt9nothrow_t(n, "");
	void *r = _ZnwmSt11align_val_t(n, align), *s = _ZnamSt11align_val_tRKSt9nothrow_t(n, align, "");
	TRUE(p && q && r && s, "new of %zu fails", n);
	one_in(a, 2) ? _ZdlPv(p) : _ZdlPvm(p, n);
	one_in(a, 2) ? _ZdaPv(q) : _ZdaPvm(q, n);
	_ZdlPvSt11align_val_t(r, align);
	_ZdaPvmSt11align_val_t(s, n, align);
}

/* Copies of text. */
static void strings(struct actor *a)
{
	char text[300];
	size_t n = below(a, sizeof text), most = below(a, sizeof text), t = below(a, TOKENS);
	memset(text, 'x', n);
	text[n < sizeof text - 1 ? n : sizeof text - 1] = 0;
	n = strlen(text);
	char *p = one_in(a, 2) ? typed_strdup_token(text, token[t]) : strdup(text);
	char *q = one_in(a, 2) ? typed_strndup_token(text, most, token[t]) : strndup(text, most);
	TRUE(p && q && !strcmp(p, text) && strlen(q) == (n < most ? n : most) && !memcmp(q, text, strlen(q)), "a copy of %zu", n);
	TRUE(malloc_usable_size(p) == n + 1 && malloc_usable_size(q) == strlen(q) + 1, "the size of a copy of %zu", n);
	free(p);
	typed_free(q);
}

/* ---- one operation of the sequence ---- */

/* What other threads are to have. False: not this one. */
static bool (*hand_over)(struct actor *, struct object *);

static void step(struct actor *a)
{
	struct object *o = &a->own[below(a, OWN)];
	uint64_t r = draw(a) % 1000;
	if (r < 15)
		impossible(a);
	else if (r < 20)
		malloc_trim(0);
	else if (r < 40)
		burst(a, false);
	else if (r < 45)
		end_cache(a);
	else if (r < 55)
		forms(a);
	else if (r < 65)
		strings(a);
	else if (!o->p)
		make_some(a, o);
	else if (r < 250)
		ask(a, o), look(o, o->p, o->n, "look");
	else if (r < 500)
		resize(a, o);
	else if (r < 650 && hand_over && hand_over(a, o))
		;
	else
		free_some(a, o);
}

UNUSED static void steps(struct actor *a, int n)
{
	while (n--)
		step(a);
}

/* The names and tokens, before the first step. */
static void set_up_model(uint64_t seed)
{
	const char *options = getenv("TYPED_MALLOC_OPTIONS");
	options = options ? options : "";
	by_type = !strstr(options, "partition=random") && !strstr(options, "partition=none");
	by_site = by_type && !strstr(options, "untyped=random") && !strstr(options, "untyped=none");
	by_form = strstr(options, "mismatch=1") != NULL;
	sweeping = strstr(options, "sweep=1") != NULL;
	holding = strstr(options, "never_reuse=1") || strstr(options, "quarantine=");
	draw_favourites(seed);
	live_map = map_memory(((size_t)1 << 47) / GRANULE / 8);
	for (size_t i = 0; i < TOKENS; i++) {
		char name[16];
		snprintf(name, sizeof name, "fuzz%zu", i);
		token[i] = typed_token_of_name(name, i % 3 > 0);
	}
	for (size_t i = 0; i < CACHES; i++)
		MUST(cache[i] = typed_cache_create(shape[i].name, shape[i].size, shape[i].align, shape[i].flags));
	for (size_t i = 0; i < BUCKETS; i++)
		MUST(buckets[i] = typed_buckets_create("fuzz-buckets", i == 1 ? TYPED_NO_POINTERS : 0));
}

static struct actor *new_actor(unsigned id, struct verdict *verdict)
{
	char name[32];
	struct actor *a = actors[id] = map_memory(sizeof *a);
	a->id = id;
	a->verdict = verdict;
	a->out = map_memory(MAX_THREADS * OWN * sizeof *a->out);
	snprintf(name, sizeof name, "fuzz-thread-%u", id);
	MUST(a->mine = typed_cache_create(name, 72, 0, 0));
	return a;
}

#endif
