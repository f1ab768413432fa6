/*
 * What the attack programs share. A program shapes the heap, says with crime() what it is about to do and to which
 * address, and does it. Where nothing stops it, it goes on to what an attacker is after and says what came of it:
 *
 *   survived()  the attack has reached its goal: memory that serves two, another's bytes changed, a secret read
 *   harmless()  it has not: ignored, zeros, refused
 *
 * run.sh compares the end, and the message, with table.sh. compare.sh runs the same programs under other allocators
 * and sets ATTACK_FOREIGN for it; without that a program refuses to run without the library.
 */
#ifndef ATTACK_H
#define ATTACK_H

/* The crimes are the point. */
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12
#pragma GCC diagnostic ignored "-Wuse-after-free"
#endif
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wfree-nonheap-object"
#endif

#include "../util.h"

#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/wait.h>

static bool foreign UNUSED;

/* Every program begins with this. */
UNUSED static void begin(void)
{
	foreign = getenv("ATTACK_FOREIGN") != NULL;
	if (!foreign)
		need_library();
}

/* A function that not every allocator has; one that has not cannot be attacked there. */
UNUSED static void *need_function(const char *name)
{
	if (foreign && !dlsym(RTLD_DEFAULT, name))
		_exit(EXIT_SKIP);
	return need_symbol(name);
}

UNUSED static void cfree(void *p) { ((void (*)(void *))need_function("cfree"))(p); }

UNUSED static void free_sized(void *p, size_t n) { ((void (*)(void *, size_t))need_function("free_sized"))(p, n); }

UNUSED static void free_aligned_sized(void *p, size_t align, size_t n)
{
	((void (*)(void *, size_t, size_t))need_function("free_aligned_sized"))(p, align, n);
}

/* "crime PID ADDRESS": the last such line is the one the message has to name. */
UNUSED static void crime(const void *p)
{
	char line[80];
	int n = snprintf(line, sizeof line, "crime %d 0x%lx\n", (int)getpid(), (unsigned long)(uintptr_t)p);
	MUST(write(1, line, (size_t)n) == n);
}

UNUSED static int survived(void)
{
	MUST(write(1, "survived\n", 9) == 9);
	return 0;
}

UNUSED static int harmless(void)
{
	MUST(write(1, "harmless\n", 9) == 9);
	return 0;
}

UNUSED static size_t argument(int argc, char **argv, int i, size_t otherwise)
{
	return i < argc ? (size_t)strtoul(argv[i], NULL, 0) : otherwise;
}

UNUSED static const char *word(int argc, char **argv, int i, const char *otherwise)
{
	return i < argc ? argv[i] : otherwise;
}

/* One call site for a whole program: objects made here share a partition. */
UNUSED NOINLINE static void *make(size_t n) { return hide(malloc(n)); }

/* One more call site. The text keeps the compiler from folding two of them into one. */
#define SITE(name)                                                                                                     \
	UNUSED NOINLINE static void *name(size_t n)                                                                    \
	{                                                                                                              \
		void *p = malloc(n);                                                                                   \
		__asm__ volatile("# " #name : "+r"(p) : : "memory");                                                   \
		return p;                                                                                              \
	}

/* An object of fixed or variable size of the type with that token. Other allocators know no types. */
UNUSED NOINLINE static void *make_typed(size_t n, size_t token, bool fixed)
{
	typedef void *(*typed_fn)(size_t, size_t);
	typed_fn f = (typed_fn)dlsym(RTLD_DEFAULT, fixed ? "typed_malloc_token_fixed" : "typed_malloc_token");
	MUST(f || foreign);
	return hide(f ? f(n, token) : malloc(n));
}

/* Tokens as clang makes them: the upper half holds pointers. */
#define TYPE_A ((size_t)-1 / 2 + 0x123456789abcd)
#define TYPE_B ((size_t)-1 / 2 + 0x77777777aaaa1)
#define TYPE_DATA ((size_t)0x135791357ace1)

UNUSED static void run_thread(void *(*f)(void *), void *arg)
{
	pthread_t t;
	MUST(!pthread_create(&t, NULL, f, arg));
	MUST(!pthread_join(t, NULL));
}

UNUSED static void *free_it(void *p)
{
	free(p);
	return NULL;
}

/* A child's death becomes our own, so that the runner sees it. */
UNUSED static void die_like(pid_t child)
{
	int status;
	MUST(waitpid(child, &status, 0) == child);
	if (WIFSIGNALED(status)) {
		raise(WTERMSIG(status));
		_exit(3);
	}
	_exit(WEXITSTATUS(status));
}

/* Objects of this size before and after, so that the slab is neither new nor empty. */
UNUSED static void *surrounded(size_t n)
{
	void *p = NULL;
	for (int i = 0; i < 40; i++) {
		void *q = make(n);
		MUST(q);
		memset(q, 0x55, n < 100000 ? n : 100000);
		if (i == 20)
			p = q;
	}
	return p;
}

/* ---- faults that are looked at ---- */

UNUSED static sigjmp_buf after_fault;
UNUSED static void on_fault(int sig) { siglongjmp(after_fault, sig); }

/* ---- memory that nobody else may get ---- */

enum { HELD_MAX = 16384, SEED = 0x5e };
UNUSED static struct {
	uintptr_t from, to;
} held[HELD_MAX];
UNUSED static size_t nheld;

/* Does the object share a byte with held memory? */
UNUSED static bool taken(const void *p, size_t n)
{
	uintptr_t from = (uintptr_t)p, to = from + n;
	for (size_t i = 0; i < nheld; i++)
		if (from < held[i].to && held[i].from < to)
			return true;
	return false;
}

UNUSED static void hold(const void *p, size_t n)
{
	if (nheld == HELD_MAX)
		return;
	held[nheld].from = (uintptr_t)p;
	held[nheld++].to = (uintptr_t)p + n;
}

/* The crime was not stopped. Has it made the allocator hand out held memory, or one address twice? */
UNUSED static int aftermath(size_t n)
{
	const size_t sizes[] = {n, n, n / 2 + 1, n * 2};
	n += !n;
	for (size_t i = 0, most = (64 * MIB) / n; i < 3000 && i < most + 8; i++) {
		size_t m = sizes[i % 4] + !sizes[i % 4];
		void *p = make(m);
		if (!p)
			break;
		if (taken(p, m))
			return survived();
		hold(p, m);
	}
	return harmless();
}

/* ---- spraying: A is freed, then others fill the heap; none of them may ever lie where A was ---- */

enum { GRAVES = 1000 };
static void *graves[GRAVES] UNUSED;

/* Objects of n bytes by make, large ones fewer, that will be freed. */
UNUSED static int graves_of(size_t n) { return n < 20000 ? GRAVES : n < 10 * MIB ? 30 : 3; }
UNUSED static void dig_with(void *(*maker)(size_t), size_t n)
{
	for (int i = 0; i < graves_of(n); i++) {
		MUST(graves[i] = maker(n));
		memset(graves[i], SEED, n < 4096 ? n : 4096);
		hold(graves[i], n);
	}
	crime(graves[graves_of(n) / 2]);
}
UNUSED static void dig(size_t n) { dig_with(make, n); }
UNUSED static void bury(size_t n)
{
	for (int i = 0; i < graves_of(n); i++)
		free(hide(graves[i]));
}
/* True: an object of m bytes by the maker has come to lie in one of them. */
UNUSED static bool spray_with(void *(*maker)(size_t), size_t m)
{
	for (size_t i = 0; i < 5000 && i * m < 64 * MIB; i++) {
		void *p = maker(m);
		if (!p)
			break;
		if (taken(p, m ? m : 1))
			return true;
	}
	return false;
}

/* ---- a field of live objects of one size, to see what a write reaches ---- */

enum { FIELD = 400 };
UNUSED static unsigned char *field[FIELD];
UNUSED static size_t field_usable[FIELD];

UNUSED static void sow_with(void *(*maker)(size_t), size_t n)
{
	size_t most = n < 20000 ? FIELD : 20;
	for (size_t i = 0; i < most; i++) {
		MUST(field[i] = (unsigned char *)maker(n));
		field_usable[i] = malloc_usable_size(field[i]);
		memset(field[i], SEED, field_usable[i]);
	}
}
UNUSED static void sow(size_t n) { sow_with(make, n); }

/* One of the middle. The bytes from its usable end on are not its own. */
UNUSED static int chosen(size_t n) { return n < 20000 ? FIELD / 2 : 10; }

UNUSED static bool trampled(int except)
{
	for (int i = 0; i < FIELD; i++)
		for (size_t k = 0; i != except && field[i] && k < field_usable[i]; k++)
			if (field[i][k] != SEED)
				return true;
	return false;
}

/* The object right below or above another: lower's index; upper's in *above. */
UNUSED static int neighbours_in_field(int *above)
{
	int lower = 0;
	size_t least = SIZE_MAX;
	for (int a = 0; a < FIELD; a++)
		for (int b = 0; b < FIELD; b++)
			if (field[a] && field[b] > field[a] && (size_t)(field[b] - field[a]) < least) {
				least = (size_t)(field[b] - field[a]);
				lower = a;
				*above = b;
			}
	return lower;
}

/* The victim is freed, then the others; what was changed must be found by now. */
UNUSED static int reap(int victim, size_t n)
{
	bool changed = trampled(victim);
	free(hide(field[victim]));
	for (int i = 0; i < FIELD; i++)
		if (i != victim)
			free(hide(field[i]));
	return changed ? survived() : aftermath(n);
}

/* A field of n bytes each, and one of its objects resized, in its slot; that one's index. */
UNUSED static int sow_resized(size_t n, size_t to)
{
	sow(n);
	int victim = chosen(n);
	unsigned char *p = (unsigned char *)hide(realloc(field[victim], to));
	MUST(p == field[victim] || foreign);
	field[victim] = p;
	field_usable[victim] = malloc_usable_size(p);
	return victim;
}

/*
 * n bytes of that value at p, one at a time, so that no library function checks them. A write that changes nothing is no
 * crime: where that value was there already, another takes its place (zero stays zero).
 */
UNUSED NOINLINE static void scribble(void *p, int value, size_t n)
{
	volatile unsigned char *c = (volatile unsigned char *)hide(p);
	bool changed = false;
	for (size_t i = 0; i < n; i++) {
		changed = changed || c[i] != (unsigned char)value;
		c[i] = (unsigned char)value;
	}
	if (n && !changed && value)
		c[0] = (unsigned char)value ^ 2;
}

/* ---- forgeries ---- */

/* A chunk of glibc's kind at p: 16 bytes of header, then what is freed; behind it one that looks in use. */
UNUSED static void *forge_chunk(void *p, size_t bytes)
{
	uint64_t *w = (uint64_t *)p;
	w[0] = 0;
	w[1] = bytes | 1;
	w[bytes / 8 + 1] = 0x21;
	return hide(w + 2);
}

/* The pointer that glibc keeps in a free chunk, as it hides it since 2.32. */
UNUSED static uintptr_t mangled(const void *where, const void *to) { return (uintptr_t)where >> 12 ^ (uintptr_t)to; }

/* The first word of the free object becomes a pointer to `to`; does any object of n bytes come to lie in held memory? */
UNUSED static int forge_link(uintptr_t *victim, void *to, bool plain, size_t n)
{
	crime(victim);
	*(volatile uintptr_t *)hide(victim) = plain ? (uintptr_t)to : mangled(victim, to);
	for (int i = 0; i < 100000; i++) {
		void *p = make(n);
		if (taken(p, n))
			return survived();
	}
	return harmless();
}

#endif
