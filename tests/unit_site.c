/* site.h: the chains of calls that are learnt, by real calls through wrappers, and those that are given up. */
#include "unit.h"

#include "meta.h"
#include "site.h"

#if defined(__x86_64__)
#define UNKNOWN_STACK false
#else
#define UNKNOWN_STACK true /* nothing is learnt (trace.h) */
#endif
#define NOINLINE __attribute__((noinline))

enum { CLASS = 5, OTHER = 6, ROUNDS = 16, UNTIL_LOOKED_AT = 130 };

static u64 links = (u64)1 << 14; /* there may be so many: all there are */
static size_t room[2];		 /* bytes that the frames of inner and outer have besides */
static const uintptr_t *inner_place, *outer_place; /* where their return addresses lie */

/* No two words that a chain may take for an address are the same. */
static NOINLINE void fill(uintptr_t *p, size_t n)
{
	static uintptr_t word;
	for (size_t i = 0; i < n / sizeof *p; i++)
		p[i] = word += 0x10001;
}

/* A call of malloc, in the function that calls this one, that is a sample. ty_chain is as it was found. */
static NOINLINE void sample(u32 cls)
{
	ty_site_chain((const uintptr_t *)__builtin_frame_address(0) + 1, cls);
	ty_site_learn(links);
	__asm__ volatile("" : : : "memory"); /* no call is a function's last jump */
}

/* Two call sites in one wrapper. */
static NOINLINE void inner(u32 cls, bool other)
{
	fill(__builtin_alloca(room[0]), room[0]);
	inner_place = (const uintptr_t *)__builtin_frame_address(0) + 1;
	if (other) {
		__asm__ volatile("# before the other" : : : "memory");
		sample(cls);
		__asm__ volatile("# after the other" : : : "memory");
	} else {
		__asm__ volatile("# before the one" : : : "memory");
		sample(cls);
		__asm__ volatile("# after the one" : : : "memory");
	}
}

static NOINLINE void outer(u32 cls, bool other)
{
	fill(__builtin_alloca(room[1]), room[1]);
	outer_place = (const uintptr_t *)__builtin_frame_address(0) + 1;
	inner(cls, other);
	__asm__ volatile("" : : : "memory");
}

typedef void wrapper(u32 cls, bool other);
typedef unsigned user(wrapper *w, u32 cls, bool other);
/* How many addresses its chain has. */
#define USER(name)                                                                                                     \
	static NOINLINE unsigned name(wrapper *w, u32 cls, bool other)                                                 \
	{                                                                                                              \
		w(cls, other);                                                                                         \
		__asm__ volatile("# " #name : : : "memory");                                                           \
		return ty_chain.n;                                                                                     \
	}
USER(user_a) USER(user_b) USER(user_c)

static bool took[1 << TY_LINK_BITS];
static bool take(u64 key) { return !__atomic_exchange_n(&took[key >> (64 - TY_LINK_BITS)], true, __ATOMIC_RELAXED); }

/* Have all links of these tests a place of their own? */
static bool spread(void)
{
	static user *const users[] = {user_a, user_b, user_c};
	bool yes = true;

	memset(took, 0, sizeof took);
	for (int k = 0; k < 6; k++) {
		users[k / 2](outer, CLASS, k % 2);
		u64 first = ty_chain.site[0], two = ty_chain_mix(first, *inner_place, true);
		yes = yes && (k > 1 || take(two)) && take(ty_chain_mix(two, *outer_place, false)) &&
		      take(ty_chain_mix(first, *outer_place, true));
	}
	return yes;
}

/* Nothing is left to where the program is loaded. */
static void set_up(void)
{
	ty_os_init();
	ty_conf_init();
	cr_assert(ty_region_init() && ty_meta_init() && ty_site_init());
	ty_conf.site_levels = 0;
	u64 seed = 0;
	do
		ty_conf.chain = ty_mix(++seed) | 1;
	while (!spread());
	ty_conf.site_levels = 2;
}
TestSuite(site, .init = set_up, .disabled = UNKNOWN_STACK);

static void both(wrapper *w, u32 cls, bool other, int rounds)
{
	for (int i = 0; i < rounds; i++) {
		user_a(w, cls, other);
		user_b(w, cls, other);
	}
}

static struct ty_site_totals totals(void)
{
	struct ty_site_totals t;
	ty_site_totals(&t);
	return t;
}

/* The first two addresses of the last chain. */
static u64 pair(void) { return ty_chain_mix(ty_chain.site[0], ty_chain.site[1], true); }

/* A chain goes on for the classes that were seen often enough, and for all after so many samples. */
Test(site, classes)
{
	both(inner, CLASS, false, 4);
	cr_assert(totals().wrappers == 1 && totals().links == 2 && !totals().odd);
	cr_assert(user_a(inner, OTHER, false) == 1 && ty_chain.key == ty_chain.site[0]);
	cr_assert(user_a(inner, CLASS, false) == 2 && ty_chain.key == pair() && ty_chain.key != ty_chain.site[0]);
	cr_assert(ty_site_rekey(ty_chain.site, 2, CLASS) == ty_chain.key && ty_site_rekey(ty_chain.site, 2, OTHER) == ty_chain.site[0]);
	for (u32 cls = OTHER; cls < OTHER + ROUNDS; cls++)
		user_a(inner, cls, false);
	cr_assert(user_a(inner, OTHER + 40, false) == 2 && user_b(inner, OTHER + 40, false) == 1);
}

Test(site, levels)
{
	ty_conf.site_levels = 1;
	both(inner, CLASS, false, ROUNDS);
	cr_assert(!totals().wrappers && !totals().links && !totals().odd && user_a(inner, CLASS, false) == 1);
	ty_conf.site_levels = 2;
	both(outer, CLASS, false, ROUNDS);
	cr_assert(totals().wrappers == 1 && user_a(outer, CLASS, false) == 2);
}

/* Three addresses, from two call sites, until the distance from the second to the third is another. */
Test(site, three_addresses)
{
	ty_conf.site_levels = 3;
	both(outer, CLASS, false, ROUNDS);
	cr_assert(totals().wrappers == 2 && totals().links == 3);
	cr_assert(user_a(outer, CLASS, false) == 3 && user_b(outer, CLASS, false) == 3);
	u64 one = pair();
	both(outer, CLASS, true, ROUNDS);
	cr_assert(totals().wrappers == 3 && user_a(outer, CLASS, true) == 3 && user_b(outer, CLASS, true) == 3);
	u64 other = pair();
	cr_assert(one != other && ty_link_up(one) && ty_link_up(other) == ty_link_up(one));

	room[1] = 64;
	both(outer, CLASS, false, UNTIL_LOOKED_AT / 2);
	cr_assert(totals().wrappers == 2 && totals().odd == 1);
	room[1] = 0;
	cr_assert(!ty_link_up(one) && !ty_link_up(other));
	cr_assert(user_a(outer, CLASS, false) == 2 && user_b(outer, CLASS, true) == 2);
}

/* What has been believed is looked at now and then. */
Test(site, distance_changes)
{
	both(inner, CLASS, false, ROUNDS);
	cr_assert(user_a(inner, CLASS, false) == 2);
	uintptr_t site = ty_chain.site[0];
	room[0] = 64;
	cr_assert(user_a(inner, CLASS, false) == 1);
	both(inner, CLASS, false, UNTIL_LOOKED_AT / 2);
	cr_assert(totals().odd == 1 && !totals().wrappers && ty_wrapper_first(site)->site == TY_SITE_DEAD);
	room[0] = 0;
	both(inner, CLASS, false, ROUNDS);
	cr_assert(user_a(inner, CLASS, false) == 1 && totals().odd == 1 && !totals().wrappers);
}

/* Of three chains with the same two places in the table the first two have them. */
Test(site, place_is_taken)
{
	ty_conf.chain = 1; /* keys are sums of addresses: all have places 0 and 1 */
	for (int i = 0; i < ROUNDS; i++) {
		user_a(inner, CLASS, false);
		user_b(inner, OTHER, false);
		if (i == ROUNDS / 2)
			cr_assert(totals().links == 2 && !totals().crowded);
		if (i >= ROUNDS / 2)
			user_c(inner, CLASS, false);
	}
	cr_assert(user_a(inner, CLASS, false) == 2 && user_b(inner, OTHER, false) == 2 && user_c(inner, CLASS, false) == 1);
	cr_assert(totals().links == 2 && totals().crowded);
}

/* A wrapper has another place if its first is taken, and none if both are. */
Test(site, wrappers_place_is_taken)
{
	for (int taken = 1; taken <= 2; taken++) {
		bool other = taken == 2; /* the other call site of the wrapper */
		user_a(inner, CLASS, other);
		struct ty_wrapper *first = (struct ty_wrapper *)(uintptr_t)ty_wrapper_first(ty_chain.site[0]);
		struct ty_wrapper *second = (struct ty_wrapper *)(uintptr_t)ty_wrapper_beside(first);
		first->site = TY_SITE_DEAD;
		if (taken == 2)
			second->site = TY_SITE_DEAD;
		both(inner, CLASS, other, ROUNDS);
		cr_assert(user_a(inner, CLASS, other) == (taken == 1 ? 2 : 1) && totals().wrappers == 1 && !totals().crowded == (taken == 1));
	}
}

/* Address 0 is nobody's, whatever is at its place. */
Test(site, no_address)
{
	static const uintptr_t none;
	for (int k = 0; k < 3; k++) {
		cr_assert(ty_wrapper_at(none)->site != none && ty_site_chain(&none, CLASS) == 0);
		(k ? (struct ty_wrapper *)(uintptr_t)ty_wrapper_beside(ty_wrapper_first(0)) : (struct ty_wrapper *)(uintptr_t)ty_wrapper_first(0))->site = 0x1000;
	}
}

/* A key whose callers are always the same is looked at less often, but others are found in the end. */
Test(site, same_callers_for_long)
{
	for (int i = 0; i < 40; i++)
		user_a(inner, CLASS, false);
	cr_assert(!totals().wrappers);
	both(inner, CLASS, false, 4 * ROUNDS);
	cr_assert(totals().wrappers == 1 && user_a(inner, CLASS, false) == 2 && user_b(inner, CLASS, false) == 2);
}

/* A frame for which the distance is so many words. */
static void far(size_t words)
{
	user_a(inner, CLASS, true);
	room[0] = (words - (size_t)(inner_place - ty_chain.last)) * sizeof(uintptr_t);
	user_a(inner, CLASS, false);
	cr_assert((size_t)(inner_place - ty_chain.last) == words);
	both(inner, CLASS, false, ROUNDS);
}

Test(site, far_but_near_enough)
{
	far(TY_UP_MAX - 2);
	cr_assert(totals().wrappers == 1 && !totals().odd && user_a(inner, CLASS, false) == 2);
}

Test(site, too_far)
{
	far(TY_UP_MAX);
	cr_assert(!totals().wrappers && totals().odd == 1 && user_a(inner, CLASS, false) == 1);
}

enum { MANY = 13000 }; /* facts: more than there is room for */

/* A wrapper, and a site that cannot be one. */
static void one_of_each(void)
{
	both(inner, CLASS, false, ROUNDS);
	for (room[0] = 0; room[0] < 256; room[0] += 16)
		user_a(inner, CLASS, true);
	room[0] = 0;
	cr_assert(totals().wrappers == 1 && totals().odd == 1);
}

static void see_wrapper_again(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		user_b(inner, OTHER, false);
		user_c(inner, OTHER, false);
	}
	cr_assert(user_a(inner, CLASS, false) == 2 && user_c(inner, OTHER, false) == 2);
}

/* What callers seen once leave behind is forgotten, wrappers and odd sites are not. */
Test(site, too_many_facts)
{
	one_of_each();
	u64 plenty = links;
	links = 0; /* no more */
	for (u32 i = 0; i < MANY; i++)
		user_c(inner, 1000 + i, false);
	links = plenty;
	see_wrapper_again();
	for (room[0] = 0; room[0] < 256; room[0] += 16)
		user_a(inner, CLASS, true);
	cr_assert(totals().wrappers == 1 && totals().odd == 1, "each is counted once: %u, %u", totals().wrappers, totals().odd);
}

/* If it is the odd sites that are too many, they are forgotten, and others are learnt. */
Test(site, too_many_odd_sites)
{
	static uintptr_t site; /* no place in the stack */
	one_of_each();
	for (u32 i = 0; i < MANY; i++) {
		site = 0x7000000 + i;
		ty_site_chain(&site, CLASS);
		ty_site_learn(links);
	}
	cr_assert(totals().odd == 1 + MANY);
	see_wrapper_again();
	cr_assert(totals().wrappers == 1);
	both(inner, CLASS, true, ROUNDS);
	cr_assert(totals().wrappers == 2 && user_a(inner, CLASS, true) == 2);
}
