/* P1: an address that ever belonged to a (partition key, size class) never serves another until the process ends.
 * Hundreds of types, all sizes, several threads, with realloc that changes the type, purges, idle time past the
 * decay, forks and large objects; shadow.h remembers every address range ever handed out.
 *
 * usage: p1_recorder [--types N] [--threads N] [--seconds N | --ops N] [--forks N] [--seed N] [--pointers]
 * --pointers: only tokens of types that hold pointers, which keep their own partition even past the limit on keys
 * (option max_keys). */
#include "attack/attack.h"
#include "shadow.h"

enum { OWN = 400, EXCHANGE = 2048, PHASES = 4 };

struct object {
	char *p;
	size_t n;
	uint32_t type;
};

static void *(*token_malloc)(size_t, size_t), *(*token_malloc_fixed)(size_t, size_t),
	*(*token_realloc)(void *, size_t, size_t), *(*token_calloc)(size_t, size_t, size_t),
	*(*token_aligned_alloc)(size_t, size_t, size_t);

static _Atomic(struct object *) exchange[EXCHANGE];
static struct run told;
static long types, forks;
static bool pointers;

/* A type's token is any 64-bit value but 0 and those of void; the upper half says "holds pointers". */
static size_t token_of(uint32_t type)
{
	uint64_t state = type * 0x1234567u + 1, token = next_random(&state);
	if (pointers || type % 2)
		token |= (uint64_t)1 << 63;
	else
		token &= ~((uint64_t)1 << 63);
	return (size_t)(token | 1) - (token == UINT64_MAX);
}

/* What sizeof would say for this type: most are small. */
static size_t size_of(uint32_t type)
{
	uint64_t state = type * 0x7654321u;
	return random_size(&state, type % 50 ? 11 : 14);
}

/* Few types are hot, most are cold. */
static uint32_t pick_type(uint64_t *seed)
{
	uint64_t r = next_random(seed);
	return (uint32_t)((r >> 8) % (r % 4 ? 1 + (uint64_t)types / 16 : (uint64_t)types)) + 1;
}

static size_t pick_size(uint64_t *seed)
{
	uint64_t r = next_random(seed) % 256;
	return random_size(seed, r < 3 ? 20 : r < 20 ? 16 : r < 60 ? 14 : 10);
}

static void mark(struct object *o)
{
	fill(o->p, o->n < 32 ? o->n : 32, o->type);
	if (o->n >= 64)
		fill(o->p + o->n - 16, 16, o->type);
}

static void check_mark(const struct object *o)
{
	MUST(filled(o->p, o->n < 32 ? o->n : 32, o->type));
	if (o->n >= 64)
		MUST(filled(o->p + o->n - 16, 16, o->type));
}

static void make_object(struct object *o, uint64_t *seed)
{
	uint32_t type = pick_type(seed);
	size_t token = token_of(type), n = pick_size(seed), align = 16;
	void *p;
	switch (next_random(seed) % 10) {
	case 0:
	case 1:
	case 2:
	case 3:
		p = token_malloc_fixed(n = size_of(type), token);
		break;
	case 4:
		p = token_calloc(n, 1, token);
		break;
	case 5:
		p = token_calloc(3, n / 3 + 1, token);
		break;
	case 6:
		p = token_aligned_alloc(align = (size_t)16 << next_random(seed) % 9, n, token);
		break;
	case 7:
		p = token_realloc(NULL, n, token);
		break;
	default:
		p = token_malloc(n, token);
	}
	MUST(p);
	*o = (struct object){p, n, type};
	shadow_record_aligned(p, type, align);
	MUST(all_zero(p, n < 256 ? n : 256));
	mark(o);
}

static void change_object(struct object *o, uint64_t *seed)
{
	check_mark(o);
	size_t n = pick_size(seed), old = o->n < n ? o->n : n;
	uint64_t r = next_random(seed);
	char *p;
	if (r % 3 == 0) /* untyped: the object keeps its partition */
		p = realloc(o->p, n);
	else if (r % 3 == 1)
		p = token_realloc(o->p, n, token_of(o->type));
	else { /* becomes another type, in that one's partition */
		uint32_t was = o->type;
		p = token_realloc(o->p, n, token_of(o->type = pick_type(seed)));
		MUST(p);
		MUST(filled(p, (old < 32 ? old : 32) & ~(size_t)7, was));
	}
	MUST(p);
	o->p = p;
	o->n = n;
	shadow_record(p, o->type);
	mark(o);
}

static void end_object(struct object *o)
{
	check_mark(o);
	free(o->p);
	o->p = NULL;
}

static void run(struct object **own, uint64_t *seed, long n)
{
	for (long i = 0; i < n; i++) {
		struct object **at = &own[next_random(seed) % OWN], *o = *at;
		uint64_t r = next_random(seed) % 16;
		if (!o->p)
			make_object(o, seed);
		else if (r < 8)
			end_object(o);
		else if (r < 11)
			change_object(o, seed);
		else if (r < 14) {
			struct object *other = atomic_exchange(&exchange[next_random(seed) % EXCHANGE], o);
			*at = other ? other : map_memory(sizeof *other);
		}
	}
}

static void in_child(struct object **own, uint64_t *seed)
{
	pid_t child = fork();
	MUST(child >= 0);
	if (!child) {
		run(own, seed, 3000);
		malloc_trim(0);
		run(own, seed, 3000);
		_exit(failures ? 1 : 0);
	}
	int status;
	MUST(waitpid(child, &status, 0) == child);
	CHECK(status == 0, " (a child)");
}

static void *work(void *arg)
{
	uint64_t me = (uint64_t)(uintptr_t)arg, seed = told.seed + me * 0x1234567;
	struct object **own = map_memory(OWN * sizeof *own), *pool = map_memory((OWN + 1) * sizeof *pool);
	for (int i = 0; i < OWN; i++)
		own[i] = &pool[i];
	long phases = told.seconds ? 1000000 : PHASES;
	for (long phase = 0; phase < phases && !run_is_over(&told); phase++) {
		run(own, &seed, told.ops / PHASES);
		/* Free most, give the memory back, and wait until idle slabs decay; then start over with other types first. */
		for (int i = 0; i < OWN; i++)
			if (own[i]->p && i % 16)
				end_object(own[i]);
		if (me % 2)
			malloc_trim(0);
		else
			sleep_ms(60);
		if (me <= (uint64_t)forks && phase < PHASES)
			in_child(own, &seed);
	}
	for (int i = 0; i < OWN; i++)
		if (own[i]->p)
			end_object(own[i]);
	return NULL;
}

int main(int argc, char **argv)
{
	need_library();
	token_malloc = (void *(*)(size_t, size_t))need_symbol("typed_malloc_token");
	token_malloc_fixed = (void *(*)(size_t, size_t))need_symbol("typed_malloc_token_fixed");
	token_realloc = (void *(*)(void *, size_t, size_t))need_symbol("typed_realloc_token");
	token_calloc = (void *(*)(size_t, size_t, size_t))need_symbol("typed_calloc_token");
	token_aligned_alloc = (void *(*)(size_t, size_t, size_t))need_symbol("typed_aligned_alloc_token");
	types = option_number(argc, argv, "--types", 500);
	told = run_options(argc, argv, 8, 60000);
	forks = option_number(argc, argv, "--forks", 2);
	pointers = option_given(argc, argv, "--pointers");
	run_threads(told.threads, work);
	say("p1_recorder: %zu objects over %zu pages", (size_t)shadow_objects, (size_t)shadow_pages_seen);
	return test_result("p1_recorder");
}
