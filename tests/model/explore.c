/* explore.c: see explore.h. */
#define _GNU_SOURCE
#include "explore.h"

#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

enum { STACK = 24 << 10, BUFFER = 6, REGIONS = 16, DEPTH = 4000, TABLE_BITS = 23 };

struct store {
	void *at;
	u64 value;
	int bytes;
};

struct thread {
	ucontext_t context;
	bool ready, done;
	bool waits;	  /* for a lock that somebody holds */
	struct ty_lock *lock;
	bool in_object;   /* the last stop was at an object's memory */
	int nstores;
	struct store stores[BUFFER];
	char tls[4096];
};

/* All that is part of the state lies here: thread 0 is whoever sets up and judges. */
static struct state {
	struct world world;
	struct thread thread[THREADS_MAX + 1];
} *state;
static char *stacks; /* THREADS_MAX + 1 of them */
struct world *world;
const struct scenario *now;

/* Not part of the state. In memory of their own, so that restoring a state leaves them alone. */
static struct search {
	int running; /* 0: nobody, or the judge: nothing stops */
	ucontext_t main;
	bool searching;
	char *tls;
	size_t tls_bytes;
	struct {
		char *at;
		size_t n;
	} region[REGIONS];
	int nregions;
	size_t bytes;
	char *first; /* the regions as they were at the start */
	u64 *seen;
	unsigned long states, ends;
	int path[DEPTH];
	int depth;
	void (*thread_exit)(void *);
	const char *what;
	size_t slabs, meta;
	char *saved[DEPTH]; /* states to go back to, by depth */
} *search;

/* ---- what the library asks of its surroundings (--wrap) ---- */

static void stop_here(void);

int __wrap_pthread_key_create(pthread_key_t *key, void (*f)(void *));
int __wrap_pthread_key_create(pthread_key_t *key, void (*f)(void *))
{
	*key = 0;
	search->thread_exit = f;
	return 0;
}
int __wrap_pthread_setspecific(pthread_key_t key, const void *value);
int __wrap_pthread_setspecific(pthread_key_t key, const void *value) { return (void)key, (void)value, 0; }
u64 __wrap_ty_os_now_ms(void);
u64 __wrap_ty_os_now_ms(void) { return 1000; }
bool __wrap_ty_os_random(void *buf, size_t n);
bool __wrap_ty_os_random(void *buf, size_t n)
{
	static u64 x = 88172645463325252u;
	for (size_t i = 0; i < n; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		((char *)buf)[i] = (char)x;
	}
	return true;
}
/* A child draws what its parent would, so that it can look ahead. */
void *__wrap_ty_os_zero_in_child(void);
void *__wrap_ty_os_zero_in_child(void) { return NULL; }
void __wrap_ty_lock_slow(struct ty_lock *l);
void __wrap_ty_lock_slow(struct ty_lock *l)
{
	struct thread *t = &state->thread[search->running];
	while (l->word) {
		if (!search->running)
			abort();
		t->waits = true;
		t->lock = l;
		stop_here();
	}
	l->word = 1;
}
TY_NORETURN void __wrap_ty_die(const char *fn, const char *crime, const void *p, const char *detail);
void __wrap_ty_die(const char *fn, const char *crime, const void *p, const char *detail)
{
	(void)fn, (void)p, (void)detail;
	snprintf(world->crime, sizeof world->crime, "%s", crime);
	state->thread[search->running].done = true;
	for (;;)
		setcontext(&search->main);
}

/* ---- coroutines ---- */

static void tls_in(int t) { memcpy(search->tls, state->thread[t].tls, search->tls_bytes); }
static void tls_out(int t) { memcpy(state->thread[t].tls, search->tls, search->tls_bytes); }

static void stop_here(void)
{
	int t = search->running;
	if (!t)
		return;
	tls_out(t);
	search->running = 0;
	swapcontext(&state->thread[t].context, &search->main);
}

static void resume(int t)
{
	state->thread[t].waits = false;
	tls_in(t);
	search->running = t;
	swapcontext(&search->main, &state->thread[t].context);
	search->running = 0;
}

static void flush(int t, int n)
{
	struct thread *x = &state->thread[t];
	for (int i = 0; i < n; i++)
		memcpy(x->stores[i].at, &x->stores[i].value, (size_t)x->stores[i].bytes);
	x->nstores -= n;
	memmove(x->stores, x->stores + n, (size_t)x->nstores * sizeof *x->stores);
	memset(x->stores + x->nstores, 0, (size_t)(BUFFER - x->nstores) * sizeof *x->stores);
}

static void body(int t)
{
	now->run[t - 1]();
	if (state->thread[t].nstores)
		flush(t, state->thread[t].nstores);
	tls_out(t);
	state->thread[t].done = true;
	search->running = 0;
	for (;;)
		setcontext(&search->main);
}

static void make_ready(int t)
{
	struct thread *x = &state->thread[t];
	getcontext(&x->context);
	x->context.uc_stack.ss_sp = stacks + (size_t)t * STACK;
	x->context.uc_stack.ss_size = STACK;
	makecontext(&x->context, (void (*)(void))body, 1, t);
	x->ready = true;
}

static void (*job)(void);
static void job_body(void)
{
	job();
	for (;;)
		setcontext(&search->main);
}

bool alone_as(int t, void (*f)(void))
{
	struct thread *me = &state->thread[0];
	if (*world->crime)
		return false;
	job = f;
	getcontext(&me->context);
	me->context.uc_stack.ss_sp = stacks;
	me->context.uc_stack.ss_size = STACK;
	makecontext(&me->context, job_body, 0);
	tls_in(t);
	search->running = 0;
	swapcontext(&search->main, &me->context);
	tls_out(t);
	return !*world->crime;
}

void end_thread(void)
{
	if (ty_mine)
		search->thread_exit((void *)3);
}

bool wrong(const char *what)
{
	if (!search->what)
		search->what = what;
	return false;
}

/* ---- announced accesses ---- */

static bool in_records(uintptr_t p)
{
	return p - (uintptr_t)ty_conf.slabs < search->slabs;
}

/* The record that an address lies in. The library's own walk would be announced. */
static const struct ty_slab *record_of(uintptr_t p)
{
	for (u32 id = TY_META_SLAB_FIRST;;) {
		const struct ty_slab *s = ty_slab_ptr(id);
		size_t bytes = ty_round_up(ty_slab_record(s->nslots ? s->nslots : 1), TY_META_UNIT);
		if (p < (uintptr_t)s + bytes || !s->nslots)
			return s;
		id += (u32)(bytes / TY_META_STEP);
	}
}

/* Is it what more than one thread may look at? */
static bool is_word(const struct ty_slab *s, uintptr_t p)
{
	return p >= (uintptr_t)&s->slot || p == (uintptr_t)&s->owner || p == (uintptr_t)&s->pending;
}

/* Plain loads, of several states at once for instance, cannot look into the buffer. */
static bool has_stored(const struct thread *x, uintptr_t p, unsigned n)
{
	for (int i = 0; i < x->nstores; i++)
		if ((uintptr_t)x->stores[i].at - p < n || p - (uintptr_t)x->stores[i].at < (unsigned)x->stores[i].bytes)
			return true;
	return false;
}

/* An access is about to be made; stop first if others can tell. */
static void announce(uintptr_t p, unsigned n, bool atomic, bool write)
{
	int t = search ? search->running : 0;
	if (!t)
		return;
	struct thread *x = &state->thread[t];
	bool stop = false, object = false;
	if (p - ty_conf.base < ty_conf.size) {
		object = stop = true;
		stop = !x->in_object;
	} else if (in_records(p)) {
		stop = now->fine || (is_word(record_of(p), p) && (atomic || write));
	} else if (p - (uintptr_t)ty_conf.meta < search->meta) {
		stop = atomic;
	} else if (p - (uintptr_t)ty_stripes < sizeof ty_stripes) {
		stop = atomic;
	}
	x->in_object = object;
	if (stop)
		stop_here();
	if (!atomic && x->nstores && in_records(p) && (write || has_stored(x, p, n)))
		flush(t, x->nstores);
}

static bool buffered(void)
{
	return search && search->running && now->buffers;
}

static u64 load(const volatile void *p, int n, int order)
{
	u64 v = 0;
	(void)order;
	announce((uintptr_t)p, (unsigned)n, true, false);
	memcpy(&v, (const void *)(uintptr_t)p, (size_t)n);
	if (buffered()) {
		const struct thread *x = &state->thread[search->running];
		for (int i = 0; i < x->nstores; i++)
			if (x->stores[i].at == p)
				v = x->stores[i].value;
	}
	return v;
}

static void store(volatile void *p, u64 v, int n, int order)
{
	announce((uintptr_t)p, (unsigned)n, true, true);
	if (buffered() && order != __ATOMIC_SEQ_CST) {
		struct thread *x = &state->thread[search->running];
		if (x->nstores == BUFFER)
			flush(search->running, 1);
		x->stores[x->nstores++] = (struct store){(void *)(uintptr_t)p, v, n};
		return;
	}
	if (buffered())
		flush(search->running, state->thread[search->running].nstores);
	memcpy((void *)(uintptr_t)p, &v, (size_t)n);
}

static void full(volatile void *p)
{
	if (p)
		announce((uintptr_t)p, 1, true, true);
	if (buffered())
		flush(search->running, state->thread[search->running].nstores);
}

#define PLAIN(n)                                                                                                       \
	void __tsan_read##n(void *p);                                                                                  \
	void __tsan_read##n(void *p) { announce((uintptr_t)p, n, false, false); }                                         \
	void __tsan_write##n(void *p);                                                                                 \
	void __tsan_write##n(void *p) { announce((uintptr_t)p, n, false, true); }                                         \
	void __tsan_unaligned_read##n(void *p);                                                                        \
	void __tsan_unaligned_read##n(void *p) { announce((uintptr_t)p, n, false, false); }                               \
	void __tsan_unaligned_write##n(void *p);                                                                       \
	void __tsan_unaligned_write##n(void *p) { announce((uintptr_t)p, n, false, true); }                               \
	void __tsan_read_write##n(void *p);                                                                            \
	void __tsan_read_write##n(void *p) { announce((uintptr_t)p, n, false, true); }                                    \
	void __tsan_unaligned_read_write##n(void *p);                                                                  \
	void __tsan_unaligned_read_write##n(void *p) { announce((uintptr_t)p, n, false, true); }
PLAIN(1) PLAIN(2) PLAIN(4) PLAIN(8) PLAIN(16)

#define ATOMIC(bits, type)                                                                                             \
	type __tsan_atomic##bits##_load(const volatile type *p, int o);                                                \
	type __tsan_atomic##bits##_load(const volatile type *p, int o) { return (type)load(p, bits / 8, o); }          \
	void __tsan_atomic##bits##_store(volatile type *p, type v, int o);                                             \
	void __tsan_atomic##bits##_store(volatile type *p, type v, int o) { store(p, v, bits / 8, o); }                \
	RMW(bits, type, exchange, v) RMW(bits, type, fetch_add, *p + v) RMW(bits, type, fetch_sub, *p - v)             \
	RMW(bits, type, fetch_or, *p | v) RMW(bits, type, fetch_and, *p & v)                                           \
	type __tsan_atomic##bits##_compare_exchange_val(volatile type *p, type want, type v, int o, int f);            \
	type __tsan_atomic##bits##_compare_exchange_val(volatile type *p, type want, type v, int o, int f)             \
	{                                                                                                              \
		(void)o, (void)f;                                                                                      \
		full(p);                                                                                               \
		type was = *p;                                                                                         \
		if (was == want)                                                                                       \
			*p = v;                                                                                        \
		return was;                                                                                            \
	}                                                                                                              \
	int __tsan_atomic##bits##_compare_exchange_strong(volatile type *p, type *want, type v, int o, int f);         \
	int __tsan_atomic##bits##_compare_exchange_strong(volatile type *p, type *want, type v, int o, int f)          \
	{                                                                                                              \
		type was = __tsan_atomic##bits##_compare_exchange_val(p, *want, v, o, f), hoped = *want;               \
		*want = was;                                                                                           \
		return was == hoped;                                                                                   \
	}                                                                                                              \
	int __tsan_atomic##bits##_compare_exchange_weak(volatile type *p, type *want, type v, int o, int f);           \
	int __tsan_atomic##bits##_compare_exchange_weak(volatile type *p, type *want, type v, int o, int f)            \
	{                                                                                                              \
		return __tsan_atomic##bits##_compare_exchange_strong(p, want, v, o, f);                                \
	}
#define RMW(bits, type, op, result)                                                                                    \
	type __tsan_atomic##bits##_##op(volatile type *p, type v, int o);                                              \
	type __tsan_atomic##bits##_##op(volatile type *p, type v, int o)                                               \
	{                                                                                                              \
		(void)o;                                                                                               \
		full(p);                                                                                               \
		type was = *p;                                                                                         \
		*p = (type)(result);                                                                                   \
		return was;                                                                                            \
	}
ATOMIC(8, u8) ATOMIC(16, u16) ATOMIC(32, u32) ATOMIC(64, u64)

void __tsan_atomic_thread_fence(int o);
void __tsan_atomic_thread_fence(int o)
{
	if (o == __ATOMIC_SEQ_CST)
		full(NULL);
}
void __tsan_atomic_signal_fence(int o);
void __tsan_atomic_signal_fence(int o) { (void)o; }
void *__tsan_memset(void *p, int c, size_t n);
void *__tsan_memset(void *p, int c, size_t n) { return announce((uintptr_t)p, n, false, true), memset(p, c, n); }
void *__tsan_memcpy(void *p, const void *from, size_t n);
void *__tsan_memcpy(void *p, const void *from, size_t n) { return announce((uintptr_t)p, n, false, true), memcpy(p, from, n); }
void *__tsan_memmove(void *p, const void *from, size_t n);
void *__tsan_memmove(void *p, const void *from, size_t n) { return announce((uintptr_t)p, n, false, true), memmove(p, from, n); }
void __tsan_init(void);
void __tsan_init(void) {}
void __tsan_func_entry(void *p);
void __tsan_func_entry(void *p) { (void)p; }
void __tsan_func_exit(void);
void __tsan_func_exit(void) {}

/* ---- states ---- */

static void add_region(void *p, size_t n)
{
	search->region[search->nregions].at = p;
	search->region[search->nregions++].n = n;
	search->bytes += n;
	if (search->nregions == REGIONS)
		abort();
}

static int find_program(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size, (void)arg;
	uintptr_t relro = 0, relro_end = 0;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_GNU_RELRO) {
			relro = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
			relro_end = relro + info->dlpi_phdr[i].p_memsz;
		}
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *h = &info->dlpi_phdr[i];
		uintptr_t from = info->dlpi_addr + h->p_vaddr, to = from + h->p_memsz;
		if (h->p_type == PT_TLS) {
			search->tls_bytes = ty_round_up(h->p_memsz, h->p_align);
			search->tls = (char *)__builtin_thread_pointer() - search->tls_bytes;
		}
		if (h->p_type != PT_LOAD || !(h->p_flags & PF_W))
			continue;
		if (from >= relro && from < relro_end)
			from = ty_round_up(relro_end, 4096);
		uintptr_t frozen = (uintptr_t)&ty_frozen_page, frozen_end = frozen + sizeof ty_frozen_page;
		if (from < frozen && to >= frozen_end) {
			add_region((char *)from, frozen - from);
			from = frozen_end;
		}
		if (from < to)
			add_region((char *)from, to - from);
	}
	return 1; /* the program comes first */
}

static void add_regions(void)
{
	dl_iterate_phdr(find_program, NULL);
	add_region(state, sizeof *state);
	search->slabs = 2 * TY_META_UNIT * 64;
	search->meta = 64 << 10;
	add_region(ty_conf.slabs, search->slabs);
	add_region(ty_conf.meta, search->meta);
	/* All slabs made by setting up; the cache's next one too, which is of the chunk. */
	uintptr_t low = UINTPTR_MAX, high = 0;
	for (u32 id = TY_META_SLAB_FIRST; id < ty_meta_slab_end(); id = ty_meta_slab_after(id)) {
		const struct ty_slab *s = ty_slab_ptr(id);
		if (!s->start || !s->nslots)
			continue;
		low = s->start < low ? s->start : low;
		high = s->start + (size_t)s->size * s->nslots > high ? s->start + (size_t)s->size * s->nslots : high;
	}
	if (low < high) {
		if (high - low > (1 << 20))
			abort();
		add_region((char *)low, high - low);
	}
	if (now->fine && low < high) { /* the map, for the chunk that the next slab will come from */
		size_t off = low - ty_conf.base, chunk = (size_t)1 << 20;
		add_region((char *)(ty_conf.map + ((off < chunk ? 0 : off - chunk) >> TY_PAGE_SHIFT)), 2 * chunk / TY_PAGE * 4);
	}
}

static void save(char *to)
{
	for (int i = 0; i < search->nregions; to += search->region[i++].n)
		memcpy(to, search->region[i].at, search->region[i].n);
	for (int t = 1; t <= now->threads; t++, to += STACK)
		memcpy(to, stacks + (size_t)t * STACK, STACK);
}

/* Compare first: most pages are the same, and the write would cost more. */
static void put_back(char *at, const char *from, size_t n)
{
	for (size_t i = 0; i < n; i += 256) {
		size_t k = n - i < 256 ? n - i : 256;
		if (memcmp(at + i, from + i, k))
			memcpy(at + i, from + i, k);
	}
}

static void restore(const char *from)
{
	/* A slab that was made on the way is in no region, and was zero. */
	for (int i = 0; i < OBJECTS; i++)
		if (world->object[i])
			memset(world->object[i], 0, now->size);
	for (int i = 0; i < search->nregions; from += search->region[i++].n)
		put_back(search->region[i].at, from, search->region[i].n);
	for (int t = 1; t <= now->threads; t++, from += STACK)
		put_back(stacks + (size_t)t * STACK, from, STACK);
}

static u64 mix(u64 h, const char *p, size_t n)
{
	for (size_t i = 0; i + 8 <= n; i += 8) {
		u64 x;
		memcpy(&x, p + i, 8);
		if (x)
			h = (h ^ x ^ (i << 32)) * 0x9e3779b97f4a7c15u, h ^= h >> 29;
	}
	return h;
}

static u64 hash_state(void)
{
	u64 h = 1;
	const char *first = search->first;
	for (int i = 0; i < search->nregions; first += search->region[i++].n) {
		const char *at = search->region[i].at;
		if (at == (char *)state)
			continue;
		for (size_t k = 0; k < search->region[i].n; k += 512) {
			size_t n = search->region[i].n - k < 512 ? search->region[i].n - k : 512;
			if (memcmp(at + k, first + k, n))
				h = mix(h ^ (u64)(i * 7919) ^ k, at + k, n);
		}
	}
	h = mix(h, (char *)&state->world, sizeof state->world);
	for (int t = 1; t <= now->threads; t++) {
		const struct thread *x = &state->thread[t];
		h = (h ^ (u64)(x->done + 2 * x->waits + 4 * x->in_object + 8 * x->nstores)) * 0x9e3779b97f4a7c15u;
		if (x->done)
			continue;
		h = mix(h, (const char *)x->stores, sizeof x->stores);
		h = mix(h, x->tls, search->tls_bytes);
		h = mix(h, (const char *)x->context.uc_mcontext.gregs, sizeof x->context.uc_mcontext.gregs);
		char *top = stacks + (size_t)(t + 1) * STACK, *sp = (char *)x->context.uc_mcontext.gregs[REG_RSP];
		h = mix(h, sp, (size_t)(top - sp) & ~(size_t)7);
	}
	return h | 1;
}

/* False: it has been seen before. */
static bool is_new(u64 h)
{
	u64 mask = ((u64)1 << TABLE_BITS) - 1;
	for (u64 i = h >> 20 & mask;; i = (i + 1) & mask) {
		if (search->seen[i] == h)
			return false;
		if (!search->seen[i]) {
			search->seen[i] = h;
			search->states++;
			if (search->states > mask / 2) {
				fprintf(stderr, "%s: too many states\n", now->name);
				_exit(1);
			}
			return true;
		}
	}
}

/* ---- the search ---- */

static void *map(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		abort();
	return p;
}

static bool fail(void)
{
	fprintf(stderr, "%s: %s; crime \"%s\"; schedule", now->name, search->what ? search->what : "wrong", world->crime);
	for (int i = 0; i < search->depth; i++)
		fprintf(stderr, " %s%d", search->path[i] < 0 ? "store-of-" : "", abs(search->path[i]));
	fprintf(stderr, "\n");
	return false;
}

static bool judged(void)
{
	search->ends++;
	search->what = NULL;
	for (int t = 1; t <= now->threads; t++)
		if (state->thread[t].nstores)
			flush(t, state->thread[t].nstores);
	return now->judge() || fail();
}

/* The moves from here: a thread's next access (t), or its oldest store (-t). False: none. */
static int moves(int *out)
{
	int n = 0;
	for (int t = 1; t <= now->threads; t++) {
		struct thread *x = &state->thread[t];
		if (x->nstores)
			out[n++] = -t;
		if (!x->done && !(x->waits && x->lock->word))
			out[n++] = t;
	}
	return n;
}

static bool go_on(void)
{
	int move[2 * THREADS_MAX], n = *world->crime ? 0 : moves(move);
	size_t bytes = search->bytes + (size_t)now->threads * STACK;
	if (!n) {
		bool all = true;
		for (int t = 1; t <= now->threads; t++)
			all = all && state->thread[t].done;
		if (!all && !*world->crime)
			return wrong("deadlock"), fail();
		return judged();
	}
	if (search->depth == DEPTH - 1)
		return wrong("too long"), fail();
	if (n > 1 && !search->saved[search->depth])
		search->saved[search->depth] = map(bytes);
	char *here = n > 1 ? search->saved[search->depth] : NULL;
	bool ok = true;
	if (here)
		save(here);
	for (int i = 0; ok && i < n; i++) {
		if (i)
			restore(here);
		search->path[search->depth++] = move[i];
		if (move[i] < 0)
			flush(-move[i], 1);
		else
			resume(move[i]);
		if (is_new(hash_state()))
			ok = go_on();
		search->depth--;
	}
	return ok;
}

/* Before the library starts. */
__attribute__((constructor(101))) static void prepare(void)
{
	search = map(sizeof *search);
	state = map(sizeof *state);
	stacks = map((THREADS_MAX + 1) * STACK);
	world = &state->world;
}

bool explore(const struct scenario *s, unsigned long *states, unsigned long *ends)
{
	now = s;
	dl_iterate_phdr(find_program, NULL);
	search->nregions = 0;
	search->bytes = 0;
	for (int t = 0; t <= s->threads; t++)
		tls_out(t);
	s->set_up();
	if (*world->crime)
		return wrong("setting up"), fail();
	for (int t = 1; t <= s->threads; t++)
		make_ready(t);
	add_regions();
	search->first = map(search->bytes + (size_t)s->threads * STACK);
	search->seen = map(sizeof(u64) << TABLE_BITS);
	save(search->first);
	bool ok = go_on();
	*states = search->states;
	*ends = search->ends;
	return ok;
}
