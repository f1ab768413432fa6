/*
 * What type the compiler infers from a call: each row of the table that the header relies on, through its macros. A row is the
 * call, and the name of the type and its pointer bit that the object must then have; NULL is no type.
 */
#include "typed_malloc.h"

#include "util.h"

struct data {
	int a[12];
};
struct list {
	struct list *next;
	int a[10];
};
struct head {
	size_t count;
};
struct family {
	size_t count;
	struct data fam[];
};
union both {
	void *p;
	double d;
};
typedef struct {
	short s[9];
} only_typedef;
typedef struct data other_name;
enum colour { RED, GREEN };

struct name {
	const char *text;
	int pointers;
};
#define TYPE(text, pointers) ((struct name){text, pointers})
#define DATA TYPE("data", 0)
#define LIST TYPE("list", 1)
#define NONE TYPE(NULL, 0)

static int rows;
static void expect(int line, const char *call, void *p, struct name name)
{
	struct typed_type t;
	MUST(p);
	MUST(!typed_malloc_type_of(hide(p), &t));
	size_t want = name.text ? typed_token_of_name(name.text, name.pointers) : 0;
	rows++;
	if (t.token != want) {
		failures++;
		say("line %d: %s: token 0x%zx, not 0x%zx of %s", line, call, t.token, want, name.text ? name.text : "nothing");
	}
	typed_free(p);
}

#define ROW(type, T, ...)                                                                          \
	do {                                                                                                 \
		T p = __VA_ARGS__;                                                                           \
		expect(__LINE__, #T " = " #__VA_ARGS__, p, type);                                  \
	} while (0)

struct with_field {
	size_t size;
};
static NOINLINE size_t of_size(size_t n) { return hide_size(n); }

static void sizeof_names_the_type(void)
{
	size_t n = hide_size(3);
	ROW(DATA, void *, typed_malloc(sizeof(struct data)));
	ROW(LIST, void *, typed_malloc(sizeof(struct list)));
	ROW(DATA, struct data *, typed_malloc(sizeof *p));
	ROW(LIST, struct list *, typed_malloc(sizeof *p));
	ROW(DATA, void *, typed_malloc(n * sizeof(struct data)));
	ROW(LIST, void *, typed_malloc(sizeof(struct list) * n));
	ROW(LIST, void *, typed_malloc(sizeof(struct list) + n));
	ROW(LIST, void *, typed_malloc(n + sizeof(struct list)));
	/* The arguments come before the cast. */
	ROW(DATA, struct list *, typed_malloc(sizeof(struct data)));
	ROW(DATA, char *, typed_malloc(n * sizeof(struct data)));
	/* Through a variable. */
	{
		size_t s = sizeof(struct data) * n;
		ROW(DATA, void *, typed_malloc(s));
		const size_t c = sizeof(struct list);
		ROW(LIST, void *, typed_malloc(c));
	}
	/* The first of two. */
	ROW(DATA, void *, typed_malloc(n * sizeof(struct data) + sizeof(struct head)));
	ROW(TYPE("head", 0), void *, typed_malloc(sizeof(struct head) + n * sizeof(struct data)));
	ROW(DATA, struct family *, typed_malloc(offsetof(struct family, fam) + n * sizeof(struct data)));
	ROW(DATA, struct family *, typed_malloc(offsetof(struct family, fam) + n * sizeof p->fam[0]));
}

static NOINLINE struct data *returns(size_t n) { return typed_malloc(n); }
static NOINLINE void *takes(struct list *l) { return l; }

static void else_the_cast_does(void)
{
	size_t n = hide_size(100), k = hide_size(1);
	struct with_field w = {n};
	ROW(LIST, struct list *, typed_malloc(n));
	ROW(DATA, void *, (struct data *)typed_malloc(n));
	ROW(DATA, struct data *, returns(n));
	ROW(LIST, void *, takes(typed_malloc(n)));
	{
		struct list *assigned;
		ROW(LIST, void *, assigned = typed_malloc(n));
	}
	{
		struct {
			struct data *member;
		} s = {typed_malloc(n)};
		ROW(DATA, void *, s.member);
	}
	/* What says nothing about the type. */
	ROW(LIST, struct list *, typed_malloc(of_size(sizeof(struct data))));
	ROW(LIST, struct list *, typed_malloc(k ? n : 2 * n));
	ROW(LIST, struct list *, typed_malloc(sizeof(struct data) % (n + 1000) + 48));
	ROW(LIST, struct list *, typed_malloc((n | 64) & ~(size_t)15));
	ROW(LIST, struct list *, typed_malloc(w.size));
	ROW(LIST, struct list *, typed_malloc(100));
	ROW(TYPE("family", 0), struct family *, typed_malloc(offsetof(struct family, fam[n])));
	/* And no cast either: no type. */
	ROW(NONE, void *, typed_malloc(n));
	ROW(NONE, void *, typed_malloc(of_size(sizeof(struct data))));
	ROW(NONE, void *, typed_malloc(k ? sizeof(struct data) : n));
	ROW(NONE, void *, typed_malloc(sizeof(struct data) % (n + 1000) + 48));
	ROW(NONE, void *, typed_malloc((sizeof(struct data) | 64) & ~(size_t)15));
	ROW(NONE, void *, typed_malloc(w.size));
	ROW(NONE, void *, typed_malloc(offsetof(struct family, fam[n])));
}

static void void_is_no_type(void)
{
	size_t n = hide_size(100);
	ROW(NONE, void *, (void *)typed_malloc(n));
	ROW(NONE, const void *, typed_malloc(n));
	ROW(NONE, void *, (volatile void *)typed_malloc(n));
	ROW(NONE, void *, (const volatile void *)typed_malloc(n));
	/* They are tokens all the same, which the library knows. */
	ROW(NONE, void *, typed_malloc_token(n, typed_token_of_name("void", 0)));
	ROW(NONE, void *, typed_malloc_token(n, typed_token_of_name("const void", 0)));
	ROW(NONE, void *, typed_malloc_token(n, typed_token_of_name("volatile void", 0)));
	ROW(NONE, void *, typed_malloc_token(n, typed_token_of_name("const volatile void", 0)));
	CHECK(typed_token_of_name("void", 0) == 0x4a2f84459ea703e6);
	ROW(NONE, void *, typed_malloc_token(n, 0));
}

static void names(void)
{
	size_t n = hide_size(5);
	ROW(TYPE("int", 0), void *, typed_malloc(n * sizeof(int)));
	ROW(TYPE("unsigned int", 0), void *, typed_malloc(n * sizeof(unsigned)));
	ROW(TYPE("char", 0), char *, typed_malloc(n));
	ROW(TYPE("unsigned char", 0), unsigned char *, typed_malloc(n));
	ROW(TYPE("unsigned long", 0), unsigned long *, typed_malloc(n * sizeof *p));
	ROW(TYPE("unsigned long", 0), size_t *, typed_malloc(n * sizeof *p));
	ROW(TYPE("double", 0), double *, typed_malloc(n * sizeof *p));
	ROW(TYPE("char *", 1), char **, typed_malloc(n * sizeof *p));
	ROW(TYPE("void *", 1), void **, typed_malloc(n * sizeof *p));
	ROW(TYPE("list *", 1), struct list **, typed_malloc(n * sizeof *p));
	ROW(TYPE("colour", 0), enum colour *, typed_malloc(n * sizeof *p));
	ROW(TYPE("both", 1), union both *, typed_malloc(n * sizeof *p));
	ROW(TYPE("only_typedef", 0), only_typedef *, typed_malloc(n * sizeof *p));
	ROW(DATA, other_name *, typed_malloc(n * sizeof *p));
	/* Another type each. */
	ROW(TYPE("const data", 0), void *, typed_malloc(n * sizeof(const struct data)));
	ROW(TYPE("data[4]", 0), void *, typed_malloc(n * sizeof(struct data[4])));
	ROW(TYPE("data[3]", 0), void *, typed_malloc(n * sizeof(struct data[3])));
	CHECK(TYPED_MALLOC_TOKEN(sizeof(struct data)) != TYPED_MALLOC_TOKEN(sizeof(const struct data)));
	CHECK(TYPED_MALLOC_TOKEN(sizeof(struct data)) != TYPED_MALLOC_TOKEN(sizeof(struct data[4])));
	CHECK(TYPED_MALLOC_TOKEN(sizeof(struct data[3])) != TYPED_MALLOC_TOKEN(sizeof(struct data[4])));
	CHECK(TYPED_MALLOC_TOKEN(sizeof(const struct data)) != TYPED_MALLOC_TOKEN(sizeof(volatile struct data)));
	/* Without a name, by the place of its definition. */
	int line = __LINE__ + 1;
	struct { int x[6]; } first;
	struct { int x[6]; } second;
	char name[200];
	snprintf(name, sizeof name, "(unnamed struct at %s:%d:2)", __FILE__, line);
	ROW(TYPE(name, 0), void *, typed_malloc(n * sizeof first));
	snprintf(name, sizeof name, "(unnamed struct at %s:%d:2)", __FILE__, line + 1);
	ROW(TYPE(name, 0), void *, typed_malloc(n * sizeof second));
	CHECK(TYPED_MALLOC_TOKEN(sizeof first) != TYPED_MALLOC_TOKEN(sizeof second));
}

static void the_rest_of_the_family(void)
{
	size_t n = hide_size(7);
	int a[10];
	ROW(DATA, void *, typed_calloc(sizeof a / sizeof *a, sizeof(struct data)));
	ROW(DATA, void *, typed_calloc(n, sizeof(struct data)));
	ROW(DATA, struct data *, typed_calloc(n, sizeof *p));
	ROW(DATA, void *, typed_calloc(1, sizeof(struct data)));
	ROW(LIST, struct list *, typed_calloc(n, n));
	ROW(LIST, void *, typed_calloc(sizeof(struct list), n)); /* the wrong way round */
	ROW(NONE, void *, typed_calloc(n, n));
	ROW(LIST, void *, typed_realloc(NULL, n * sizeof(struct list)));
	ROW(LIST, struct list *, typed_realloc(NULL, n));
	ROW(LIST, void *, typed_realloc(typed_malloc(sizeof(struct data)), n * sizeof(struct list)));
	ROW(LIST, void *, typed_realloc(typed_malloc(sizeof(struct list)), n * 50)); /* keeps it */
	ROW(NONE, void *, typed_realloc(typed_malloc(n), n * 50));
	ROW(LIST, void *, typed_reallocarray(NULL, n, sizeof(struct list)));
	ROW(LIST, void *, typed_reallocarray(NULL, sizeof a / sizeof *a, sizeof(struct list)));
	ROW(LIST, struct list *, typed_reallocarray(NULL, n, n));
	ROW(DATA, void *, typed_aligned_alloc(64, sizeof(struct data)));
	ROW(DATA, void *, typed_aligned_alloc(sizeof(void *) * 2, sizeof(struct data)));
	ROW(LIST, struct list *, typed_aligned_alloc(sizeof(void *) * 2, n));
	ROW(NONE, void *, typed_aligned_alloc(sizeof(void *) * 2, n));
	ROW(DATA, void *, typed_memalign(sizeof(void *) * 2, sizeof(struct data)));
	ROW(LIST, struct list *, typed_memalign(sizeof(void *) * 2, n));
	ROW(NONE, void *, typed_memalign(sizeof(void *) * 2, n));
	void *out;
	MUST(!typed_posix_memalign(&out, sizeof(void *) * 2, n * sizeof(struct list)));
	ROW(LIST, void *, out);
	MUST(!typed_posix_memalign(&out, sizeof(void *) * 2, n * 8));
	ROW(NONE, void *, out);
	struct data *typed_out;
	MUST(!typed_posix_memalign(&typed_out, 64, sizeof *typed_out));
	ROW(DATA, void *, typed_out);
	ROW(TYPE("char", 0), void *, typed_strdup("text"));
	ROW(TYPE("char", 0), void *, typed_strndup("text", 2));
	/* The objects' forms, and what the others give: one and the same type. */
	ROW(DATA, struct data *, typed_malloc_obj(struct data));
	ROW(LIST, struct list *, typed_malloc_obj(*p));
	ROW(LIST, struct list *, typed_malloc_objs(struct list, n));
	ROW(TYPE("family", 0), struct family *, typed_malloc_flex(struct family, fam, n));
	ROW(TYPE("char *", 1), char **, typed_zalloc_objs(char *, n));
}

#ifdef TYPED_MALLOC_HAS_TOKENS
/* What the header is built around. A compiler in which one of these changes wants another header. */
static NOINLINE size_t got(void *p, size_t token)
{
	(void)p;
	return token;
}
static size_t last;
static NOINLINE void *note(size_t token)
{
	last = token;
	return NULL;
}
static NOINLINE void *note_narrow(unsigned token)
{
	last = token;
	return NULL;
}
static inline void *in_a_function(size_t n) { return note(__builtin_infer_alloc_token(n)); }

static void facts(void)
{
	int count = 0;
	size_t n = hide_size(4);
	struct list *l;
	CHECK(got(NULL, __builtin_infer_alloc_token(count++)) == 0 && count == 0); /* evaluates nothing */
	l = note(__builtin_infer_alloc_token(n));
	CHECK(!l && last == typed_token_of_name("list", 1));
	l = note_narrow((unsigned)__builtin_infer_alloc_token(n));
	CHECK(!l && last == 0); /* a cast to a non-pointer kills it */
	l = in_a_function(sizeof(struct list));
	CHECK(!l && last == 0); /* so it has to be a macro */
	l = note(__builtin_infer_alloc_token(sizeof(int[10]) / sizeof(int), sizeof(struct list)));
	CHECK(!l && last == typed_token_of_name("int[10]", 0)); /* so the element size goes first */
	l = note(__builtin_infer_alloc_token(sizeof(void *) * 2, n));
	CHECK(!l && last == typed_token_of_name("void *", 1)); /* so the alignment stays out */
	/* From the arguments it is a constant expression, from the cast it is not. */
	static const size_t constant = __builtin_infer_alloc_token(sizeof(struct list));
	CHECK(constant == typed_token_of_name("list", 1));
	CHECK(__builtin_constant_p(__builtin_infer_alloc_token(sizeof(struct list))));
}
#endif

int main(void)
{
	need_library();
	watchdog(60);
	sizeof_names_the_type();
	else_the_cast_does();
	void_is_no_type();
	names();
	the_rest_of_the_family();
#ifdef TYPED_MALLOC_HAS_TOKENS
	facts();
#else
	CHECK(0, "this compiler infers no tokens");
#endif
	say("%d rows", rows);
	return test_result("tokens_infer");
}
