/*
 * One program, made type-partitioned in one of three ways by how it is compiled (three_ways.sh). Threads make, grow and give back
 * objects and arrays of three types of one size. Each place that ever held something is recorded with its type; at the end,
 * no two types may have shared a byte. Exit status 3: they have, 4: large ones too.
 */
#include "attack/attack.h"

struct record { /* three types of one size: two with pointers, one without */
	struct record *next;
	long v[5];
};
struct object {
	void (*call)(void);
	long v[5];
};
struct text {
	char v[48];
};
enum { RECORD, OBJECT, TEXT, TYPES };
_Static_assert(sizeof(struct record) == sizeof(struct object) && sizeof(struct object) == sizeof(struct text), "one size");

#ifdef EXPLICIT
#include "typed_malloc.h"
#define ONE(T) typed_malloc_obj(T)
#define PLAIN_ARRAY(T, n) typed_malloc((n) * sizeof(T))
#define ZERO_ARRAY(T, n) typed_malloc_objs(T, n)
#define RESIZE(T, p, n) typed_realloc(p, (n) * sizeof(T))
#define ALIGNED(T, n) typed_aligned_alloc(256, (n) * sizeof(T))
#define FREE(p) typed_free(p)
#else
#define ONE(T) malloc(sizeof(T))
#define PLAIN_ARRAY(T, n) malloc((n) * sizeof(T))
#define ZERO_ARRAY(T, n) calloc(n, sizeof(T))
#define RESIZE(T, p, n) realloc(p, (n) * sizeof(T))
#define ALIGNED(T, n) aligned_alloc(256, (n) * sizeof(T))
#define FREE(p) free(p)
#endif

/* One function for each type. kind: 0 one object, 1..3 arrays, 4 an array that grows from p. */
#define MAKER(T)                                                                                             \
	static NOINLINE void *make_##T(int kind, void *p, size_t n)                                          \
	{                                                                                                    \
		switch (kind) {                                                                              \
		case 0:                                                                                      \
			return ONE(struct T);                                                                \
		case 1:                                                                                      \
			return PLAIN_ARRAY(struct T, n);                                                     \
		case 2:                                                                                      \
			return ZERO_ARRAY(struct T, n);                                                      \
		case 3:                                                                                      \
			return ALIGNED(struct T, n);                                                         \
		default:                                                                                     \
			return RESIZE(struct T, p, n);                                                       \
		}                                                                                            \
	}
MAKER(record)
MAKER(object)
MAKER(text)
static void *(*const makers[TYPES])(int, void *, size_t) = {make_record, make_object, make_text};

enum { THREADS = 4, LIVE = 600, OPS = 60000 };
struct place {
	uintptr_t at, end;
	int type;
};
static struct place *places; /* not in the heap */
static size_t n_places;
static void *exchange[TYPES][64]; /* from thread to thread; entries are objects or NULL */

static void record_place(void *p, int type)
{
	size_t i = __atomic_fetch_add(&n_places, 1, __ATOMIC_RELAXED);
	places[i] = (struct place){(uintptr_t)p, (uintptr_t)p + malloc_usable_size(p), type};
}

static void *thread(void *arg)
{
	uint64_t rng = (uint64_t)(uintptr_t)arg;
	void **live = map_memory(LIVE * sizeof *live);
	unsigned char *types = map_memory(LIVE);
	for (int op = 0; op < OPS; op++) {
		uint64_t r = next_random(&rng);
		size_t i = r % LIVE, large = r >> 54 & 63 ? 0 : 400;
		size_t n = large + (r >> 10 & 63 ? r >> 20 & 15 : r >> 20 & 255) + 1;
		if (!live[i]) {
			int type = (int)((r >> 40) % TYPES);
			live[i] = makers[type]((int)(r >> 44 & 3), NULL, n);
			MUST(live[i]);
			types[i] = (unsigned char)type;
		} else if ((r >> 40 & 3) == 0) {
			live[i] = makers[types[i]](4, live[i], n);
			MUST(live[i]);
		} else { /* give it away; what comes back, another thread's, as a rule, is freed here */
			FREE(__atomic_exchange_n(&exchange[types[i]][r >> 50 & 63], live[i], __ATOMIC_ACQ_REL));
			live[i] = NULL;
			continue;
		}
		record_place(live[i], types[i]);
	}
	for (size_t i = 0; i < LIVE; i++)
		FREE(live[i]);
	return NULL;
}

static int by_start(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	return x->at < y->at ? -1 : x->at > y->at;
}

int main(void)
{
	need_library();
	watchdog(60);
	pthread_t t[THREADS];
	places = map_memory(sizeof *places * THREADS * OPS);
	for (size_t i = 0; i < THREADS; i++)
		MUST(!pthread_create(&t[i], NULL, thread, (void *)(i + 1)));
	for (size_t i = 0; i < THREADS; i++)
		MUST(!pthread_join(t[i], NULL));
	qsort(places, n_places, sizeof *places, by_start);
	uintptr_t end[TYPES] = {0};
	size_t shared = 0, large = 0, reused = 0, shared_large = 0;
	for (size_t i = 0; i < n_places; i++) {
		const struct place *p = &places[i];
		large += p->end - p->at > 16384;
		reused += i && p->at == places[i - 1].at;
		for (int type = 0; type < TYPES; type++)
			if (type != p->type && end[type] > p->at) {
				shared++;
				shared_large += p->end - p->at > 16384;
			}
		if (end[p->type] < p->end)
			end[p->type] = p->end;
	}
	say("%zu places, %zu large, %zu used again, %zu shared by types, %zu large", n_places, large, reused, shared,
	    shared_large);
	MUST(n_places > 10000 && large > 100 && reused > 1000);
	return shared_large ? 4 : shared ? 3 : 0;
}
