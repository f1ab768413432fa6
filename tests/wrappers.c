/*
 * Types through wrappers: the caller of xmalloc knows the type, the malloc inside does not. Compiled with the sanitizer's extended form
 * (TYPED_MALLOC_WRAPPER) and with macros (TYPED_MALLOC_WRAP), and as C++ with the latter. wrappers.sh says how.
 */
#include "attack/attack.h"

#include "wrappers.h"

#include <setjmp.h>
#ifdef __cplusplus
#include <new>
#endif

struct data {
	int a[12];
};
struct list {
	struct list *next;
	int a[10];
};

#ifdef __cplusplus
#define AS(T, e) static_cast<T>(e)
#else
#define AS(T, e) (e)
#endif

static size_t data_token, list_token;

static size_t token_of(const void *p)
{
	struct typed_type t;
	MUST(!typed_malloc_type_of(p, &t));
	return t.token;
}

#define IS(want, p) is(want, p, #p, __LINE__)
static void is(size_t want, void *p, const char *what, int line)
{
	size_t token = token_of(hide(p));
	if (token != want) {
		say("line %d: %s: token 0x%zx, not 0x%zx", line, what, token, want);
		failures++;
	}
	free(p);
}
/* A call without a type, at one site, shallow in the stack as the caller is; nothing must be left over for it. */
#define NOTHING_LEFT() IS(0, malloc(hide_size(100)))

static void each(void)
{
	size_t n = hide_size(3);
	IS(data_token, xmalloc(n * sizeof(struct data)));
	IS(list_token, xmalloc(sizeof(struct list)));
	IS(list_token, xcalloc(n, sizeof(struct list)));
	IS(list_token, xrealloc(NULL, n * sizeof(struct list)));
	IS(list_token, xdeep(n * sizeof(struct list)));
	struct list *l = AS(struct list *, xmalloc(n * 50));
	IS(list_token, l);
	l = AS(struct list *, xcalloc(n, n * 20));
	IS(list_token, l);
	l = AS(struct list *, xrealloc(NULL, n * 50));
	IS(list_token, l);
	struct data *d = (struct data *)xstrdup("some text");
	CHECK(!strcmp((char *)d, "some text"));
	IS(data_token, d);
	IS(data_token, xmalloc(100000 * sizeof(struct data))); /* large */
	IS(list_token, xcalloc(100000 * n, sizeof(struct list)));
	NOTHING_LEFT();
	IS(0, xmalloc(n * 50)); /* says nothing */
	IS(0, xcalloc(n, n * 50));
	IS(0, xstrdup("some text"));
	void *(*pointer)(size_t) = &xmalloc;
	IS(0, pointer(n * sizeof(struct data)));
	/* realloc: keeps the type, or moves to another, or gives one. */
	void *p = xmalloc(n * sizeof(struct data)), *q;
	fill(p, n * sizeof(struct data), 5);
	p = xrealloc(p, n * 500 * sizeof(struct data));
	CHECK(token_of(p) == data_token && filled(p, n * sizeof(struct data), 5));
	p = xrealloc(p, n * 4000);
	CHECK(token_of(p) == data_token && filled(p, n * sizeof(struct data), 5));
	q = xrealloc(p, n * sizeof(struct list));
	CHECK(q != p && filled(q, n * sizeof(struct list), 5));
	IS(list_token, q);
	p = hide(malloc(n * 50));
	fill(p, n * 50, 6);
	q = xrealloc(p, n * 2 * sizeof(struct list));
	CHECK(filled(q, n * 50, 6));
	IS(list_token, q);
	/* A second object inside is not of the type. */
	IS(list_token, xtwo(n * sizeof(struct list), &p));
	IS(0, p);
	q = xnew(n * sizeof(struct list));
	if (q)
		IS(list_token, q);
	NOTHING_LEFT();
}

static void early_return(void)
{
	void *p = xnothing(sizeof(struct list));
	CHECK(p);
	NOTHING_LEFT();
	for (int i = 0; i < 100; i++) {
		CHECK(!xnothing(2 * sizeof(struct list)));
		NOTHING_LEFT();
	}
}

static void *inner, *bare;
static void allocates(void)
{
	inner = xmalloc(hide_size(2) * sizeof(struct data));
	CHECK(xnothing(sizeof(struct data)));
}
static void allocates_bare(void) { bare = hide(malloc(hide_size(100))); }
static void nests(void) { inner = xcall(hide_size(2) * sizeof(struct data), allocates_bare); }

static void nesting(void)
{
	/* Each of two, one inside the other, its own. */
	IS(list_token, xcall(hide_size(2) * sizeof(struct list), allocates));
	IS(data_token, inner);
	/* The innermost counts for what comes without a type; the outer one's is there again afterwards. */
	void *p = xcall(hide_size(2) * sizeof(struct list), nests);
	IS(data_token, bare);
	IS(0, inner);
	IS(list_token, p);
	NOTHING_LEFT();
	/* By hand. */
	struct typed_wrap a, b;
	typed_wrap_enter(&a, data_token);
	typed_wrap_enter(&b, 0); /* none */
	IS(0, malloc(hide_size(100)));
	typed_wrap_leave(&b);
	IS(data_token, malloc(hide_size(100)));
	IS(0, malloc(hide_size(100))); /* it was for one */
	typed_wrap_leave(&a);
	NOTHING_LEFT();
}

static jmp_buf out_of_here;
static void jumps(void) { longjmp(out_of_here, 1); }
static NOINLINE void deep_in_the_stack(void)
{
	volatile char frame[4096];
	frame[0] = 0;
	void *volatile p = xcall(hide_size(2) * sizeof(struct list), jumps);
	free(p);
	frame[1] = 0;
}
static NOINLINE void shallow(void)
{
	void *volatile p = xcall(hide_size(2) * sizeof(struct list), jumps);
	free(p);
}
static NOINLINE void deep_afterwards(void)
{
	volatile char frame[8192];
	frame[0] = 0;
	NOTHING_LEFT();
	frame[1] = 0;
}

static void jump_out(void)
{
	/* What is left by a jump out of a wrapper counts for nothing above it in the stack. */
	if (!setjmp(out_of_here))
		deep_in_the_stack();
	NOTHING_LEFT();
	deep_afterwards();
	/* From just below it may count once, no more. */
	if (!setjmp(out_of_here))
		shallow();
	size_t typed = 0;
	for (int i = 0; i < 100; i++) {
		void *p = hide(malloc(hide_size(100)));
		typed += token_of(p) != 0;
		free(p);
	}
	CHECK(typed <= 1);
	IS(data_token, xmalloc(sizeof(struct data)));
	NOTHING_LEFT();
}

static void *from_handler;
static void handler(int sig)
{
	(void)sig;
	from_handler = xmalloc(hide_size(2) * sizeof(struct data));
	CHECK(xnothing(sizeof(struct data)));
}
static void raises(void) { raise(SIGUSR1); }

static void signals(void)
{
	static char stack[65536];
	stack_t other;
	struct sigaction sa;
	memset(&sa, 0, sizeof sa);
	memset(&other, 0, sizeof other);
	other.ss_sp = stack;
	other.ss_size = sizeof stack;
	MUST(!sigaltstack(&other, NULL));
	sa.sa_handler = handler;
	for (int alternate = 0; alternate < 2; alternate++) {
		sa.sa_flags = alternate ? SA_ONSTACK : 0;
		MUST(!sigaction(SIGUSR1, &sa, NULL));
		IS(list_token, xcall(hide_size(2) * sizeof(struct list), raises));
		IS(data_token, from_handler);
		NOTHING_LEFT();
	}
}

/* Functions of their own: of two calls that differ in nothing but the type clang makes one, without a type. */
static NOINLINE void *deep_list(void) { return hide(xdeep(hide_size(1) * sizeof(struct list))); }
static NOINLINE void *deep_data(void) { return hide(xdeep(hide_size(1) * sizeof(struct data))); }

static void *thread(void *arg)
{
	bool lists = arg != NULL;
	for (int i = 0; i < 20000; i++) {
		void *p = lists ? deep_list() : deep_data();
		if (token_of(p) != (lists ? list_token : data_token))
			CHECK(0, ": another thread's type");
		void *q = hide(malloc(hide_size(100)));
		if (token_of(q) != 0)
			CHECK(0, ": an untyped object has a type");
		free(p);
		free(q);
	}
	return NULL;
}

static void threads(void)
{
	pthread_t t[2];
	for (size_t i = 0; i < 2; i++)
		MUST(!pthread_create(&t[i], NULL, thread, (void *)i));
	for (size_t i = 0; i < 2; i++)
		MUST(!pthread_join(t[i], NULL));
}

#ifdef __cplusplus
static void throws() { throw 42; }
static NOINLINE void throw_through()
{
	free(xcall(hide_size(2) * sizeof(struct list), throws));
}
static void exceptions()
{
	for (int i = 0; i < 3; i++) {
		bool caught = false;
		try {
			throw_through();
		} catch (int) {
			caught = true;
		}
		CHECK(caught);
		NOTHING_LEFT();
		IS(data_token, xmalloc(sizeof(struct data)));
		caught = false;
		try { /* and caught where it is called */
			free(xcall(hide_size(2) * sizeof(struct list), throws));
		} catch (int) {
			caught = true;
		}
		CHECK(caught);
		NOTHING_LEFT();
		try {
			hide(xnew((size_t)PTRDIFF_MAX / sizeof(struct list) * sizeof(struct list)));
			CHECK(0, ": operator new has not thrown");
		} catch (const std::bad_alloc &) {
		}
		NOTHING_LEFT();
	}
}
#endif

int main(void)
{
	need_library();
	watchdog(60);
	data_token = typed_token_of_name("data", 0);
	list_token = typed_token_of_name("list", 1);
	each();
	early_return();
	nesting();
	jump_out();
	signals();
	threads();
#ifdef __cplusplus
	exceptions();
#endif
	return test_result("wrappers");
}
