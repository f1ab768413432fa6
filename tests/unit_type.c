#include "unit.h"

#include "cache.h"
#include "heap.h"

#define SITE TY_CLASS_SOURCE(TY_SOURCE_SITE)
#define TYPE TY_CLASS_SOURCE(TY_SOURCE_TYPE)

static void set_up(void) { cr_assert(ty_heap_start()); }
TestSuite(type, .init = set_up);

Test(type, whole_keys)
{
	struct ty_cache *a = ty_index_cache(0x1234, 3 | SITE);
	cr_assert(a && a->key == 0x1234 && a->size == ty_bucket_bytes[3]);
	cr_assert(ty_index_cache(0x1234, 3 | SITE) == a);
	cr_assert(ty_index_cache(0x1234, 4 | SITE) != a, "another class");
	cr_assert(ty_index_cache(0x1234, 4 | TY_CLASS_FIXED | SITE) != a, "64 bytes, but fixed");
	cr_assert(ty_index_cache(0x1234, 3 | TYPE) != a, "another source");
	for (unsigned bit = 0; bit < 64; bit++) {
		struct ty_cache *b = ty_index_cache(0x1234 ^ 1ull << bit, 3 | SITE);
		cr_assert(b && b != a && b->type != a->type, "bit %u", bit);
	}
	cr_assert(ty_index_sibling(a, 4 | SITE) == ty_index_cache(0x1234, 4 | SITE));
}

Test(type, kinds)
{
	cr_assert(ty_index_cache(TY_TOKEN_POINTERS, TYPE)->kind == TY_KIND_POINTERS);
	cr_assert(ty_index_cache(SIZE_MAX, TYPE)->kind == TY_KIND_POINTERS);
	cr_assert(ty_index_cache(TY_TOKEN_POINTERS - 1, TYPE)->kind == TY_KIND_DATA);
	cr_assert(ty_index_cache(TY_TOKEN_BOUNDED, TYPE)->kind == TY_KIND_DATA);
	cr_assert(ty_index_cache(TY_TOKEN_BOUNDED - 1, TYPE)->kind == TY_KIND_UNTYPED, "a number tells nothing");
	cr_assert(ty_index_cache(1, TYPE)->kind == TY_KIND_UNTYPED);
	cr_assert(ty_index_cache(SIZE_MAX, SITE)->kind == TY_KIND_UNTYPED);
}

/* The tables grow; nobody is lost and nobody is found under another's name. */
Test(type, many_keys)
{
	enum { N = 50000 };
	static struct ty_cache *all[N];
	for (u64 i = 0; i < N; i++) {
		all[i] = ty_index_cache(i * 16 + 1, i % 64 | (i % 2 ? SITE : TYPE));
		cr_assert(all[i]);
	}
	for (u64 i = 0; i < N; i++) {
		cr_assert(ty_index_cache(i * 16 + 1, i % 64 | (i % 2 ? SITE : TYPE)) == all[i]);
		cr_assert(all[i]->key == i * 16 + 1);
	}
	unsigned walked = 0;
	for (struct ty_cache *c = ty_index_next(NULL); c; c = ty_index_next(c))
		walked++;
	struct ty_index_totals totals;
	ty_index_totals(&totals);
	cr_assert(walked == totals.caches && walked >= N && totals.types >= N && totals.shared_keys == 0);
}

/* Past max_keys call sites and pointer-free tokens share 16 partitions, each kind its own; pointers never. */
Test(type, limit_on_keys)
{
	u64 limit = ty_conf.max_keys;
	for (u64 i = 0; i <= limit; i++)
		cr_assert(ty_index_cache(i * 8 + 1, SITE));
	static struct ty_cache *site[1000], *data[1000], *pointers[1000];
	for (u64 i = 0; i < 1000; i++) {
		site[i] = ty_index_cache(~i, SITE);
		data[i] = ty_index_cache(TY_TOKEN_BOUNDED + i, TYPE);
		pointers[i] = ty_index_cache(TY_TOKEN_POINTERS + i, TYPE);
		cr_assert(site[i] && data[i] && pointers[i]);
	}
	unsigned sites = 0, datas = 0;
	for (int i = 0; i < 1000; i++) {
		bool new_site = true, new_data = true;
		for (int k = 0; k < i; k++) {
			new_site &= site[k] != site[i];
			new_data &= data[k] != data[i];
			cr_assert(pointers[k] != pointers[i], "a type with pointers has its own");
		}
		for (int k = 0; k < 1000; k++)
			cr_assert(site[i] != data[k] && site[i] != pointers[k] && data[i] != pointers[k]);
		sites += new_site;
		datas += new_data;
		cr_assert(site[i]->kind == TY_KIND_UNTYPED && data[i]->kind == TY_KIND_DATA);
	}
	cr_assert(sites > 8 && sites <= TY_RANDOM_PARTITIONS && datas > 8 && datas <= TY_RANDOM_PARTITIONS);
	struct ty_index_totals totals;
	ty_index_totals(&totals);
	cr_assert(totals.shared_keys >= 2000);
	/* Those who were there before still have their own. */
	cr_assert(ty_index_cache(9, SITE)->key == 9);
}

static void *look_up(void *arg)
{
	struct ty_cache **out = arg;
	for (u64 i = 0; i < 5000; i++)
		out[i] = ty_index_cache(i + 1, SITE);
	return NULL;
}

Test(type, threads_agree)
{
	static struct ty_cache *a[5000], *b[5000];
	pthread_t t;
	cr_assert(!pthread_create(&t, NULL, look_up, a));
	look_up(b);
	pthread_join(t, NULL);
	cr_assert(!memcmp(a, b, sizeof a));
}
