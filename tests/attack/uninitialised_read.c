/* P4: whatever comes from malloc is zero over all its usable bytes, fresh or used before, of every size, also in the
 * part that realloc adds, on other threads and after other threads' frees. Ends with exit 0. */
#include "attack.h"

enum { LIVE = 64 };

static void *rounds(void *arg)
{
	uint64_t seed = (uintptr_t)arg * 77 + 1;
	static __thread char *live[LIVE];
	for (int i = 0; i < 60000; i++) {
		size_t k = next_random(&seed) % LIVE;
		if (live[k] && next_random(&seed) % 4 == 0) { /* realloc: what is added is zero */
			size_t old = malloc_usable_size(live[k]), n = random_size(&seed, 17);
			char *q = realloc(live[k], n);
			MUST(q);
			size_t usable = malloc_usable_size(q);
			if (usable > old)
				CHECK(all_zero(q + old, usable - old));
			live[k] = q;
			memset(q, 0xa5, usable);
			continue;
		}
		if (live[k])
			free(live[k]);
		size_t n = i < 20000 ? (size_t)i : random_size(&seed, next_random(&seed) % 64 ? 15 : 21);
		char *p = hide(next_random(&seed) % 5 ? malloc(n) : aligned_alloc(64, n));
		MUST(p);
		size_t usable = malloc_usable_size(p);
		CHECK(usable >= n);
		CHECK(all_zero(p, usable), " after reuse");
		memset(p, 0xa5, usable);
		live[k] = p;
	}
	for (int k = 0; k < LIVE; k++)
		free(live[k]);
	return NULL;
}

int main(void)
{
	begin();
	rounds((void *)1);
	pthread_t t[4];
	for (uintptr_t i = 0; i < 4; i++)
		MUST(!pthread_create(&t[i], NULL, rounds, (void *)(i + 2)));
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	return failures ? survived() : harmless();
}
