/*
 * site.h: the key of a call without a token: who called.
 *
 * One return address says little in programs that allocate through wrappers (xmalloc, g_malloc, strdup): all their objects
 * would be of one partition. So the key is a chain of return addresses, TY_CHAIN_MAX at most:
 *
 *   R0       the call of malloc
 *   R(i+1)   where the function that R(i) lies in was called from; part of the key only where that is worth a partition
 *
 * To find R(i+1) takes one load. In a function with a frame of constant size the distance from the place of the return
 * address R(i) in the stack to that of the function's own is the same at every call from R(i). It is worked out by the
 * unwinder and checked at several calls before it is used, and at some samples afterwards. Two tables, with two places for a hash, side
 * by side (who finds both taken goes without), say where a chain goes on:
 *
 *   ty_conf.wrappers[hash(R0)] = {R0, words up}     R0 lies in a wrapper; its function's return address lies so far up
 *   ty_conf.links[key's top] = {key, words up, classes}
 *                                                   objects of these classes from this chain are a partition of their own; its last
 *                                                   address lies in a wrapper if `up` is not 0
 *
 *   key = R0, up = wrappers[R0].up;  while up: R = the address up there; link = mix(key, R); if links has it not with the class: stop;
 *   key = link, up = links[link].up
 *
 * So the rare callers of a wrapper share the wrapper's own partition, and what matters has its own: isolation costs a slab
 * for each (key, class), and programs have thousands of rare ones. Large objects, and what realloc moves to a class that has
 * no link, belong to the longest chain that has.
 *
 * Learning, by samples: about once in SAMPLE bytes that a thread allocates, its next call takes the slow path. If the
 * call's key has an eighth of all slab memory of its range (type.h: small slots matter, though large ones have most bytes), and the
 * stack above its last address is not always the same, then the
 * caller's link is counted, and after SAMPLES of them of one class, or SAMPLES_ALL of all, it is a partition, if all of
 * them are few enough for the memory there is (ty_site_links). From then on its allocations have a longer key, hence other
 * caches; what the shorter key's caches hold stays theirs (P1). A site whose distance is not constant is never a
 * wrapper.
 *
 * Key of a chain: of one address, the address; else a polynomial of the addresses at a secret odd number c, modulo 2^64 (that of
 * R0 R1 R2 is R0 c^3 + R1 c^2 + R2 c): two chains agree by chance with a probability of about 2^-63. The ten highest bits
 * of a key are its first place in links, so that the entry need not have them: its word is the other 54 bits and `up`.
 *
 * A frame that is of another size than it has been, as by alloca, or code that has been replaced by other code at the
 * same addresses, leads to a word of the stack that is none of ours, until a sample finds out: then some keys are odd,
 * which costs isolation of those objects, never P1. The word may be behind the stack's end, so that a place is read
 * only where there is memory for certain: on the page of the last one, or in this thread's own stack
 * (ty_site_readable).
 *
 * Invariants: of a wrapper `up` is written before `site`, once; site only ever becomes TY_SITE_DEAD after that. A
 * link's key is written once, after its first classes, which only ever become more; `up` beside it is 0, then the
 * distance, then perhaps 0 for good: that of one and the same last address, so whoever reads an old one is no worse off than if he
 * had read it a moment ago. Lock: sites (lock.h), for what is learnt.
 */
#ifndef TY_SITE_H
#define TY_SITE_H

#include "bits.h"
#include "lock.h"

#define TY_CHAIN_MAX 12
#define TY_WRAPPER_BITS 8
#define TY_LINK_BITS 10
#define TY_UP_MAX ((size_t)1 << TY_LINK_BITS) /* words: no wrapper has such a frame */
#define TY_SITE_DEAD 1 /* of a site that was one: its place stays taken */
#define TY_SITE_NONE 2 /* nobody's place, where 0 would be taken for address 0, which the outermost function returns to */
#define TY_SITE_SHARE 8 /* a key with a smaller part of the slab memory is not looked into */
#define TY_SAMPLE ((size_t)8 << 10) /* bytes; less often the longer a thread runs */

struct ty_wrapper {
	uintptr_t site; /* 0, TY_SITE_NONE: none */
	size_t up;	/* words of the stack */
};
#define TY_WRAPPERS_ALIGN (2 * sizeof(struct ty_wrapper))
/* (Address 0 has the first hash.) */
#define TY_NO_WRAPPERS {{.site = TY_SITE_NONE}, {.site = TY_SITE_NONE}}

struct ty_linked {
	u64 word;    /* ty_link_word of its key, and `up`; 0: none */
	u64 classes; /* by ty_link_bit; 0: none */
};

/* The chain of the slow call that is under way in this thread; n == 0: none, or its key is not a chain. */
struct ty_chain {
	u64 key;
	const uintptr_t *last; /* where the last address lies in the stack */
	u32 n;
	u32 cls; /* of the request, without source */
	uintptr_t site[TY_CHAIN_MAX];
};
extern TY_HIDDEN __thread struct ty_chain ty_chain __attribute__((tls_model("initial-exec")));

extern struct ty_lock ty_sites_lock;

/* Called once at start. */
bool ty_site_init(void);

TY_INLINE u64 ty_site_hash(u64 x, unsigned bits) { return x * 0x9e3779b97f4a7c15ull >> (64 - bits); }
TY_INLINE const struct ty_wrapper *ty_wrapper_first(uintptr_t site)
{
	return &ty_conf.wrappers[ty_site_hash(site, TY_WRAPPER_BITS)];
}
TY_INLINE const struct ty_wrapper *ty_wrapper_beside(const struct ty_wrapper *w)
{
	return (const struct ty_wrapper *)((uintptr_t)w ^ sizeof *w);
}
/* Its place, if it is a wrapper; else one with another site. */
TY_INLINE const struct ty_wrapper *ty_wrapper_at(uintptr_t site)
{
	const struct ty_wrapper *w = ty_wrapper_first(site);

	return likely(TY_LOAD(&w->site) == site) ? w : ty_wrapper_beside(w);
}
/* A bit for a class: buckets have one each; the fixed and the large share them, so that one may count for some others too. */
TY_INLINE u64 ty_link_bit(u32 cls) { return 1ull << (cls & 63); }
/* The key of a chain that goes on from one of this key to this address. first: it is of one address. */
TY_INLINE u64 ty_chain_mix(u64 key, uintptr_t site, bool first)
{
	return ((first ? key * ty_conf.chain : key) + site) * ty_conf.chain;
}

TY_INLINE u64 ty_link_word(u64 key) { return key << TY_LINK_BITS; }
TY_INLINE struct ty_linked *ty_link_first(u64 key) { return &ty_conf.links[key >> (64 - TY_LINK_BITS)]; }
TY_INLINE struct ty_linked *ty_link_beside(const struct ty_linked *l) { return (struct ty_linked *)((uintptr_t)l ^ sizeof *l); }
TY_INLINE bool ty_link_is(const struct ty_linked *l, u64 key) { return (TY_LOAD(&l->word) ^ ty_link_word(key)) < TY_UP_MAX; }
/* Its place, if there is one; else one with another link. */
TY_INLINE struct ty_linked *ty_link_at(u64 key)
{
	struct ty_linked *l = ty_link_first(key);

	return likely(ty_link_is(l, key)) ? l : ty_link_beside(l);
}
TY_INLINE size_t ty_link_up(u64 key) { return TY_LOAD(&ty_link_at(key)->word) & (TY_UP_MAX - 1); }
/* Does a chain go on to this key, for this class? Then *up is how far it is to its next address, 0: it has none. */
TY_INLINE bool ty_link_goes(u64 key, u32 cls, size_t *up)
{
	const struct ty_linked *l = ty_link_at(key);

	*up = TY_LOAD_ACQ(&l->word) ^ ty_link_word(key);
	return *up < TY_UP_MAX && ty_bit(TY_LOAD(&l->classes), cls);
}

/*
 * May `at` be read, above `from`, which has been? The first thread's stack has nothing but stack for far below its end;
 * the others' end below their thread pointer, and may be as small as PTHREAD_STACK_MIN (16 KiB, some of it libc's own), with a
 * coroutine's stack right below. What has neither chain beyond a page: coroutines, handlers on a stack of their own,
 * threads deep in calls.
 */
#define TY_STACK_FIRST ((size_t)8 << 20)
#define TY_STACK_THREAD ((size_t)12 << 10)
TY_INLINE bool ty_site_readable(const uintptr_t *from, const uintptr_t *at)
{
	uintptr_t x = (uintptr_t)at;
	return likely(((uintptr_t)from ^ x) < TY_PAGE) || ty_conf.stack_end - 1 - x < TY_STACK_FIRST ||
	       (uintptr_t)__builtin_thread_pointer() - 1 - x < TY_STACK_THREAD;
}

/*
 * A step of a chain: from the key of the addresses up to the one at `at`, *up words below the next one, to that of all these, and
 * further *up. False: the chain does not go on for the class (without source). first: `at` is where the call's return address lies.
 */
TY_INLINE bool ty_site_step(u64 *key, const uintptr_t *at, u32 cls, size_t *up, bool first)
{
	const uintptr_t *next = at + *up;

	if (unlikely(!ty_site_readable(at, next)))
		return false;
	u64 link = ty_chain_mix(*key, *next, first);
	if (!ty_link_goes(link, cls, up)) /* nor does any chain of TY_CHAIN_MAX + 1 */
		return false;
	*key = link;
	return true;
}
/* The key of a call from that of its chain's first two addresses, the second of which lies at `at`. */
TY_INLINE u64 ty_site_key(u64 key, const uintptr_t *at, u32 cls)
{
	size_t up = ty_link_up(key), here = up;

	while (here && ty_site_step(&key, at, cls, &up, false)) {
		at += here;
		here = up;
	}
	return key;
}

/* How far it is from the last address of a key's chain to the next one; 0: it has none. */
TY_INLINE size_t ty_site_up(u64 key)
{
	const struct ty_wrapper *w = ty_wrapper_at(key);

	if (TY_LOAD_ACQ(&w->site) == key)
		return w->up;
	return ty_link_is(ty_link_at(key), key) ? ty_link_up(key) : 0;
}

/* The same, kept in ty_chain. */
u64 ty_site_chain(const uintptr_t *at, u32 cls);
/* The key for a class of a chain of n addresses. */
u64 ty_site_rekey(const uintptr_t *site, unsigned n, u32 cls);

/*
 * How many links there may be, of one class each, in a program with so many bytes of slabs: what one costs, a page or two, is a few
 * hundredths of LINK_BYTES; LINKS_LEAST are a hundredth or two of what a small program has.
 */
#define TY_LINKS_LEAST 16
#define TY_LINK_BYTES ((u64)64 << 10)
TY_INLINE u64 ty_site_links(u64 bytes) { return TY_LINKS_LEAST + bytes / TY_LINK_BYTES; }
/* ty_chain is a sample, and its partition has a good share of the memory; there may be so many links. No lock held. */
TY_COLD void ty_site_learn(u64 links);

/* For reports. crowded: wanted and not there, as their place is taken; odd: sites whose distance is not constant. */
struct ty_site_totals {
	u32 wrappers, links, crowded, odd;
};
void ty_site_totals(struct ty_site_totals *out);

#endif
