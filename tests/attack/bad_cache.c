/* Caches and buckets by name, given a handle that is none, or an object that is not theirs: bad_cache FUNCTION KIND [SIZE]. */
#include "attack.h"

typedef void *(*create_fn)(const char *, size_t, size_t, unsigned);
typedef void *(*create_buckets_fn)(const char *, unsigned);
typedef void *(*alloc_fn)(void *);
typedef void *(*alloc_size_fn)(void *, size_t);
typedef void (*free_fn)(void *, void *);
typedef int (*destroy_fn)(void *);

static char in_data[64];

int main(int argc, char **argv)
{
	begin();
	create_fn create = (create_fn)need_symbol("typed_cache_create");
	create_buckets_fn create_buckets = (create_buckets_fn)need_symbol("typed_buckets_create");
	alloc_fn alloc = (alloc_fn)need_symbol("typed_cache_alloc");
	alloc_size_fn alloc_size = (alloc_size_fn)need_symbol("typed_buckets_alloc");
	alloc_size_fn alloc_typed = (alloc_size_fn)need_symbol("typed_malloc_token_fixed");
	free_fn give_back = (free_fn)need_symbol("typed_cache_free");
	destroy_fn destroy = (destroy_fn)need_symbol("typed_cache_destroy");
	MUST(argc > 2);
	const char *function = argv[1], *kind = argv[2];
	size_t size = argument(argc, argv, 3, 48);

	void *mine = create("mine", size, 0, 0), *same = create("mine", size, 0, 0), *data = create("data", size, 0, 1);
	void *buckets = create_buckets("buckets", 0), *ended = create("ended", size, 0, 0);
	MUST(mine && same && data && buckets && ended && mine != same);
	char *p = hide(alloc(mine));
	MUST(p && alloc(mine) && alloc(same) && alloc(data));
	MUST(destroy(ended) == 0);

	if (!strcmp(function, "free")) {
		char *bad = !strcmp(kind, "of_same_name") ? alloc(same)
			  : !strcmp(kind, "of_data")	  ? alloc(data)
			  : !strcmp(kind, "of_buckets")	  ? alloc_size(buckets, size)
			  : !strcmp(kind, "untyped")	  ? make(size)
			  : !strcmp(kind, "typed")	  ? alloc_typed((void *)size, 0x123456789abcdef)
			  : !strcmp(kind, "interior")	  ? p + 8
			  : !strcmp(kind, "static")	  ? in_data
			  : !strcmp(kind, "freed")	  ? (give_back(mine, p), p)
			  : !strcmp(kind, "freed_elsewhere") ? (free(p), p)
							  : NULL;
		MUST(bad);
		crime(bad);
		give_back(mine, hide(bad));
		return survived();
	}
	void *handle = !strcmp(kind, "mine")	? mine
		     : !strcmp(kind, "buckets") ? buckets
		     : !strcmp(kind, "ended")	? ended
		     : !strcmp(kind, "object")	? (void *)p
		     : !strcmp(kind, "guess")	? (char *)ended + 16 * argument(argc, argv, 4, 1)
		     : !strcmp(kind, "odd")	? (char *)mine + 8
		     : !strcmp(kind, "wide")	? (void *)((uintptr_t)mine | (uintptr_t)1 << 40)
						: (void *)strtoul(kind, NULL, 0);
	crime(handle);
	if (!strcmp(function, "alloc"))
		hide(alloc(handle));
	else if (!strcmp(function, "give_back"))
		give_back(handle, p);
	else if (!strcmp(function, "give_back_nothing"))
		give_back(handle, NULL);
	else if (!strcmp(function, "destroy"))
		destroy(handle);
	else if (!strcmp(function, "alloc_size"))
		hide(alloc_size(handle, size));
	else
		_exit(2);
	return survived();
}
