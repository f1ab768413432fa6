/* site.c: see site.h. */
#include "site.h"
#include "bits.h"
#include "meta.h"
#include "trace.h"

#define CHECKS 3	   /* by the unwinder, before a distance is believed */
#define SAMPLES 2	   /* of a link and a class, before it is a partition */
#define SAMPLES_ALL 12	   /* of a link in all classes */
#define ALL_COST 4	   /* links for one class that one for all counts as */
#define LOOK_AGAIN 64	   /* samples of which one is looked at by the unwinder whatever is known */
#define LOOK 8		   /* levels in which chains may differ */
#define LOOK_SAME 8	   /* likewise of a key whose callers were the same at PATIENCE looks */
#define PATIENCE 16
#define FIRST_LOOKS 3
#define LOOK_FIRST 3	   /* those of the first samples: every frame looked at costs memory, its unwind table */
#define FACTS_MAX 14 /* log2 */

/* What is known of a site, of a key, or of a link that is none yet; which, is in the low bits of `what`. */
struct fact {
	u64 what; /* 0: none */
	union {
		struct {
			u32 up;
			u8 checks, odd, wrapper;
		} site;
		struct {
			u32 above; /* of the first sample: a hash of the addresses above */
			u8 differs, looks;
		} key;
		u32 samples;
	};
};
enum { SITE = 1, KEY, LINK, SORT = 3 };

__thread struct ty_chain ty_chain __attribute__((tls_model("initial-exec")));
struct ty_lock ty_sites_lock;

/* Guarded by ty_sites_lock: open addressing, at most three quarters full. */
static struct fact *facts;
static u32 used, bits = 7;
static u32 same_looks, key_looks, link_cost;
static uintptr_t *link_last; /* the last address of each of ty_conf.links */
static struct ty_site_totals totals;

extern void *__libc_stack_end; /* of the dynamic linker */

TY_START bool ty_site_init(void)
{
	ty_conf.stack_end = (uintptr_t)__libc_stack_end;
	facts = ty_meta_alloc(sizeof *facts << bits);
	ty_conf.wrappers = ty_meta_alloc(sizeof(struct ty_wrapper) << TY_WRAPPER_BITS);
	ty_conf.links = ty_meta_alloc(sizeof(struct ty_linked) << TY_LINK_BITS);
	link_last = ty_meta_alloc(sizeof *link_last << TY_LINK_BITS);
	if (ty_conf.wrappers)
		memcpy(ty_conf.wrappers, (struct ty_wrapper[])TY_NO_WRAPPERS, TY_WRAPPERS_ALIGN);
	ty_conf.chain = ty_mix(ty_conf.secret ^ 0x73697465) | 1;
	return facts && ty_conf.wrappers && ty_conf.links && link_last;
}

static struct fact *place(struct fact *table, u32 log, u64 what)
{
	u32 mask = (1u << log) - 1, i = (u32)(what >> 32) & mask;

	while (table[i].what && table[i].what != what)
		i = (i + 1) & mask;
	return &table[i];
}

/* Which facts are kept when room is made: those of sites are wrappers' and of such as cannot be any. */
enum keep { ALL, SITES, WRAPPERS };
static bool keeps(enum keep keep, const struct fact *f)
{
	return keep == ALL || ((f->what & SORT) == SITE && (f->site.wrapper || (keep == SITES && f->site.odd)));
}

/* The facts that are kept, in a new table of 1 << log; false: out of memory. Lock held. */
static bool rebuild(u32 log, enum keep keep)
{
	struct fact *copy = ty_meta_alloc(sizeof *copy << log);
	u32 had = used;

	used = 0;
	for (u32 i = 0; copy && i < 1u << bits; i++)
		if (facts[i].what && keeps(keep, &facts[i])) {
			*place(copy, log, facts[i].what) = facts[i];
			used++;
		}
	if (!copy) {
		used = had;
		return false;
	}
	ty_meta_free(facts, sizeof *facts << bits);
	facts = copy;
	bits = log;
	return true;
}

/*
 * Room for five facts more, which do not move until the next call; false: none. Of FACTS_MAX most are forgotten: what matters is soon
 * learnt again, and the rest is callers seen once. Sites that cannot be wrappers are kept for as long as they leave half of
 * the room: a program that compiles as it runs makes them without end. Lock held.
 */
static bool make_room(void)
{
	if (used + 5 <= (3u << bits) / 4)
		return true;
	if (bits < FACTS_MAX)
		return rebuild(bits + 1, ALL);
	return rebuild(bits, SITES) && (used <= 1u << (bits - 1) || rebuild(bits, WRAPPERS));
}

/* The fact of this sort about x, made if need be. Lock held. */
static struct fact *fact(u64 x, unsigned sort)
{
	u64 what = (ty_mix(x ^ (u64)sort << 60) & ~(u64)SORT) | sort; /* a false match, at 2^-62, teaches something wrong about a share */
	struct fact *f = place(facts, bits, what);

	used += !f->what;
	f->what = what;
	return f;
}

u64 ty_site_chain(const uintptr_t *at, u32 cls)
{
	struct ty_chain *c = &ty_chain;
	const struct ty_wrapper *w = ty_wrapper_at(*at);
	size_t up = TY_LOAD_ACQ(&w->site) == *at ? w->up : 0;

	c->key = c->site[0] = *at;
	c->n = 1;
	c->cls = cls;
	c->last = at;
	for (size_t here = up; here && c->n < TY_CHAIN_MAX && ty_site_step(&c->key, c->last, cls, &up, c->n == 1); here = up) {
		c->last += here;
		c->site[c->n++] = *c->last;
	}
	return c->key;
}

u64 ty_site_rekey(const uintptr_t *site, unsigned n, u32 cls)
{
	u64 key = site[0];

	for (unsigned i = 1; i < n; i++) {
		size_t up;
		u64 link = ty_chain_mix(key, site[i], i == 1);
		if (!ty_link_goes(link, cls, &up))
			break;
		key = link;
	}
	return key;
}

static struct ty_wrapper *wrapper_of(uintptr_t site) { return (struct ty_wrapper *)(uintptr_t)ty_wrapper_at(site); }

/* From the last address of the chains that end with site it is so far to the next one; 0: nobody knows. Lock held. */
static void set_up(uintptr_t site, size_t up)
{
	for (unsigned i = 0; i < 1u << TY_LINK_BITS; i++) {
		struct ty_linked *l = &ty_conf.links[i];
		if (l->classes && link_last[i] == site)
			TY_STORE(&l->word, (l->word & ~(u64)(TY_UP_MAX - 1)) | up);
	}
}

/* The distance is not what it was: never again. Lock held. */
static void give_up(struct fact *f, uintptr_t site)
{
	if (f->site.wrapper) {
		totals.wrappers--;
		if (wrapper_of(site)->site == site)
			TY_STORE_REL(&wrapper_of(site)->site, TY_SITE_DEAD);
		set_up(site, 0);
	}
	f->site.wrapper = 0;
	f->site.odd = 1;
	totals.odd++;
}

/* A place for site in the table where malloc looks for a chain's first address: its own, or a free one. NULL: both are taken. Lock held. */
static struct ty_wrapper *wrapper_place(uintptr_t site)
{
	struct ty_wrapper *own = wrapper_of(site), *first = (struct ty_wrapper *)(uintptr_t)ty_wrapper_first(site);
	struct ty_wrapper *second = (struct ty_wrapper *)(uintptr_t)ty_wrapper_beside(first);
#define FREE(w) (!(w)->site || (w)->site == TY_SITE_NONE)
	return own->site == site ? own : FREE(first) ? first : FREE(second) ? second : NULL;
#undef FREE
}

/*
 * site, the last address of a chain, of one address (first) or more, lies in a wrapper. Lock held. False: there is no place for it.
 */
static bool make_wrapper(struct fact *f, uintptr_t site, bool first)
{
	struct ty_wrapper *w = first ? wrapper_place(site) : NULL;

	if (w && w->site != site) {
		TY_STORE(&w->up, f->site.up);
		TY_STORE_REL(&w->site, site);
	}
	bool there = !first || w;
	if (there && !f->site.wrapper) {
		f->site.wrapper = 1;
		totals.wrappers++;
		set_up(site, f->site.up);
	}
	return there;
}

/* A place for the link of this key, which may be its own. NULL: other chains have both. Lock held. */
static struct ty_linked *link_place(u64 key)
{
	struct ty_linked *own = ty_link_at(key), *first = ty_link_first(key), *second = ty_link_beside(first);

	return ty_link_is(own, key) && own->classes ? own : !first->classes ? first : !second->classes ? second : NULL;
}
static u32 cost(u64 classes) { return classes == ~0ull ? ALL_COST : 1; }

/*
 * Classes of a chain become partitions, at place l; last: its last address, `up` is the distance from there if that lies in a
 * wrapper. Lock held.
 */
static void make_link(struct ty_linked *l, u64 key, uintptr_t last, size_t up, u64 classes)
{
	totals.links++;
	link_cost += cost(classes);
	link_last[l - ty_conf.links] = last;
	TY_STORE(&l->classes, l->classes | classes);
	TY_STORE_REL(&l->word, ty_link_word(key) | up);
}

/* The distance from the chain's last address to the next is `up`, as before? Lock held. */
static bool same_distance(struct fact *f, uintptr_t site, size_t up)
{
	if (f->site.odd)
		return false;
	if (up >= TY_UP_MAX || (f->site.checks && f->site.up != up)) {
		give_up(f, site);
		return false;
	}
	f->site.up = (u32)up;
	f->site.checks += f->site.checks < CHECKS;
	return true;
}

/* What is known of the chain's last address and of its key makes do without the unwinder, which is slow and reads unwind tables. */
static bool known(const struct fact *site, const struct fact *key)
{
	if (site->site.odd || site->site.checks < CHECKS)
		return site->site.odd;
	if (key->key.differs)
		return ++key_looks % LOOK_AGAIN;
	return key->key.looks == PATIENCE && ++same_looks % LOOK_SAME;
}

/* A sample of the link `key`, from a site, of a chain of one address (first) or more, to `next`, and one class of it. Lock held. */
static void count_link(struct fact *f, uintptr_t site, bool first, u64 key, uintptr_t next, u32 cls, u64 links)
{
	struct fact *all = fact(key, LINK), *one = fact(key + (cls + 1) * 0xd6e8feb86659fd93ull, LINK);

	all->samples++;
	one->samples++;
	if (f->site.checks < CHECKS || (all->samples < SAMPLES_ALL && one->samples < SAMPLES))
		return;
	const struct fact *above = fact(next, SITE);
	u64 classes = all->samples >= SAMPLES_ALL ? ~0ull : ty_link_bit(cls);
	/* In a wrapper without links all calls take a longer way for nothing. */
	struct ty_linked *l = link_cost + cost(classes) <= links ? link_place(key) : NULL;
	if (!l || !make_wrapper(f, site, first))
		totals.crowded++;
	else if (classes & ~l->classes)
		make_link(l, key, next, above->site.wrapper ? above->site.up : 0, classes);
}

void ty_site_learn(u64 links)
{
	struct ty_chain *c = &ty_chain;
	const uintptr_t *above[LOOK];
	unsigned n = 0;
	u64 hash = 0;

	if (c->n >= ty_conf.site_levels)
		return;
	ty_lock(&ty_sites_lock);
	bool look = !make_room() || !known(fact(*c->last, SITE), fact(c->key, KEY));
	unsigned depth = LOOK;
	if (make_room() && look) {
		struct fact *key = fact(c->key, KEY);
		if (key->key.looks < FIRST_LOOKS)
			depth = LOOK_FIRST;
		if (key->key.looks == FIRST_LOOKS)
			key->key.above = 0; /* that of another depth */
		key->key.looks += key->key.looks < PATIENCE;
	}
	ty_unlock(&ty_sites_lock);
	if (look) {
		n = ty_trace_places(c->last, above, depth);
		for (unsigned i = 0; i < n; i++)
			hash = ty_mix(hash ^ *above[i]);
	}
	ty_lock(&ty_sites_lock);
	if (make_room()) {
		struct fact *site = fact(*c->last, SITE), *key = fact(c->key, KEY);
		size_t up = !look ? site->site.up : n ? (size_t)(above[0] - c->last) : TY_UP_MAX;
		/* (If it was not looked at, as it was known, it may have been forgotten since.) */
		if ((look || site->site.checks == CHECKS) && same_distance(site, *c->last, up) && ty_site_readable(c->last, c->last + up)) {
			if (look && !key->key.above)
				key->key.above = (u32)hash | 1;
			key->key.differs |= look && key->key.above != ((u32)hash | 1);
			if (key->key.differs)
				count_link(site, *c->last, c->n == 1, ty_chain_mix(c->key, c->last[up], c->n == 1), c->last[up],
					   c->cls, links);
		}
	}
	ty_unlock(&ty_sites_lock);
}

void ty_site_totals(struct ty_site_totals *out)
{
	ty_lock(&ty_sites_lock);
	*out = totals;
	ty_unlock(&ty_sites_lock);
}
