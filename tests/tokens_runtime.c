/*
 * The token runtime as clang calls it: compiled with -fsanitize=alloc-token in several forms (tokens_runtime.sh). Which functions the
 * compiler has really called, the script sees in the object's undefined symbols.
 */
#include "attack/attack.h"

#include "typed_malloc.h"

#include <wchar.h>

void *reallocf(void *p, size_t n); /* BSD's; not in glibc */

struct data {
	int a[12];
};
struct list {
	struct list *next;
	int a[10];
};

/* What the compiler passes for a type, in this mode; bounded modes may give 0. */
#define DATA __builtin_infer_alloc_token(sizeof(struct data))
#define LIST __builtin_infer_alloc_token(sizeof(struct list))

static size_t token_of(const void *p)
{
	struct typed_type t;
	MUST(!typed_malloc_type_of(p, &t));
	return t.token;
}

static NOINLINE size_t of_no_type(void) { return hide_size(100); }

/* An object that works, of the token, and gives back. */
#define GOOD(p, token) good(p, token, #p, __LINE__)
static void good(void *p, size_t token, const char *what, int line)
{
	MUST(p);
	if (token_of(p) != token) {
		say("line %d: %s: token 0x%zx, not 0x%zx", line, what, token_of(p), token);
		failures++;
	}
	size_t n = malloc_usable_size(p);
	CHECK(n >= sizeof(struct data));
	fill(p, n, n);
	CHECK(filled(p, n, n));
	errno = 4242;
	free(hide(p));
	CHECK(errno == 4242);
}

static void every_function(void)
{
	size_t n = hide_size(3);
	GOOD(malloc(n * sizeof(struct data)), DATA);
	GOOD(malloc(sizeof(struct list)), LIST);
	GOOD(calloc(n, sizeof(struct data)), DATA);
	GOOD(realloc(hide(NULL), n * sizeof(struct list)), LIST); /* of NULL itself clang makes malloc, without a type */
	void *p = hide(malloc(n * sizeof(struct data)));
	p = hide(realloc(p, n * 5 * sizeof(struct data)));
	GOOD(p, DATA);
	p = hide(malloc(sizeof(struct data)));
	memset(p, 7, sizeof(struct data));
	void *q = hide(realloc(p, n * sizeof(struct list))); /* moves, if the tokens differ */
	CHECK(p != q || LIST == DATA || !LIST);
	CHECK(((char *)q)[0] == 7 && ((char *)q)[sizeof(struct data) - 1] == 7);
	GOOD(q, LIST ? LIST : DATA);
	p = hide(malloc(sizeof(struct data)));
	p = hide(realloc(p, of_no_type())); /* keeps its type */
	GOOD(p, DATA);
	p = hide(malloc(sizeof(struct data)));
	p = hide(reallocarray(p, n, sizeof(struct data)));
	GOOD(p, DATA);
	p = hide(malloc(sizeof(struct data)));
	GOOD(reallocf(p, n * sizeof(struct data)), DATA);
	GOOD(aligned_alloc(64, sizeof(struct data)), DATA);
	GOOD(memalign(256, n * sizeof(struct list)), LIST);
	p = hide(valloc(n * sizeof(struct data)));
	CHECK(!((uintptr_t)p & (PAGE - 1)));
	GOOD(p, DATA);
	p = hide(pvalloc(sizeof(struct data)));
	CHECK(!((uintptr_t)p & (PAGE - 1)) && malloc_usable_size(p) >= PAGE);
	GOOD(p, DATA);
	p = NULL;
	CHECK(!posix_memalign(&p, 128, sizeof(struct data)));
	CHECK(p && !((uintptr_t)p & 127) && (token_of(p) == 0 || token_of(p) == DATA)); /* clang 22 passes 0 */
	free(p);
	/* Large ones too. */
	GOOD(malloc(n * 100000 * sizeof(struct data)), DATA);
	GOOD(calloc(n * 100000, sizeof(struct list)), LIST);
	GOOD(aligned_alloc(65536, n * sizeof(struct list)), LIST);
	/* No type: the call site stands in. */
	GOOD(malloc(of_no_type()), 0);
#if !defined(BOUNDED)
	struct list *cast = malloc(of_no_type());
	GOOD(cast, LIST);
	GOOD((void *)malloc(of_no_type()), 0);
#endif
}

static void argument_rules(void)
{
	size_t huge = hide_size(SIZE_MAX / 2 + 1), n = hide_size(3), bad = hide_size(24);
	void *p;
#define FAILS(error, call) (errno = 0, !hide(call) && errno == (error))
	CHECK(FAILS(ENOMEM, malloc(huge + sizeof(struct data))));
	CHECK(FAILS(ENOMEM, calloc(huge, sizeof(struct data))));
	CHECK(FAILS(ENOMEM, calloc(huge / 8, sizeof(struct data))));
	CHECK(FAILS(ENOMEM, realloc(NULL, huge + sizeof(struct data))));
	p = hide(malloc(n * sizeof(struct data)));
	fill(p, n * sizeof(struct data), 3);
	CHECK(FAILS(ENOMEM, realloc(p, huge + sizeof(struct data))));
	CHECK(FAILS(ENOMEM, reallocarray(p, huge, sizeof(struct data))));
	CHECK(filled(p, n * sizeof(struct data), 3)); /* untouched */
	CHECK(FAILS(ENOMEM, reallocf(p, huge + sizeof(struct data))));
	CHECK(typed_malloc_is_token(p, DATA) == -1); /* reallocf has freed it */
	p = hide(malloc(n * sizeof(struct data)));
	CHECK(!hide(reallocf(p, hide_size(0))) && typed_malloc_is_token(p, DATA) == -1);
	p = hide(malloc(n * sizeof(struct data)));
	CHECK(!hide(realloc(p, hide_size(0))) && typed_malloc_is_token(p, DATA) == -1);
	CHECK(FAILS(EINVAL, aligned_alloc(bad, sizeof(struct data))));
	CHECK(FAILS(EINVAL, aligned_alloc(hide_size(0), sizeof(struct data))));
	CHECK(FAILS(ENOMEM, aligned_alloc(64, huge + sizeof(struct data))));
	CHECK(FAILS(EINVAL, memalign(huge + 1, sizeof(struct data))));
	p = hide(memalign(bad, sizeof(struct data))); /* rounded up */
	CHECK(!((uintptr_t)p & 31));
	GOOD(p, DATA);
	CHECK(FAILS(ENOMEM, valloc(huge + sizeof(struct data))));
	CHECK(FAILS(ENOMEM, pvalloc(huge + sizeof(struct data))));
	CHECK(FAILS(ENOMEM, pvalloc(SIZE_MAX / sizeof(struct data) * sizeof(struct data))));
	p = &failures;
	errno = 4242;
	CHECK(posix_memalign(&p, bad, sizeof(struct data)) == EINVAL && p == &failures);
	CHECK(posix_memalign(&p, hide_size(4), sizeof(struct data)) == EINVAL && p == &failures);
	CHECK(posix_memalign(&p, 64, huge + sizeof(struct data)) == ENOMEM && p == &failures && errno == 4242);
	p = hide(malloc(hide_size(0) * sizeof(struct data)));
	CHECK(p && token_of(p) == 0); /* objects of no bytes are of no type */
	free(p);
}

#ifdef EXTENDED
/* Functions of libc that the extended form rewrites, where a type is inferred. */
static void extended(void)
{
	struct data *d = (struct data *)wcsdup(L"some wide text that is long enough");
	CHECK(!wcscmp((wchar_t *)d, L"some wide text that is long enough"));
	GOOD(d, DATA);
	d = (struct data *)canonicalize_file_name("/./");
	CHECK(!strcmp((char *)d, "/") && token_of(d) == DATA);
	free(d);
	d = (struct data *)tempnam("/tmp", "typed");
	CHECK(!strncmp((char *)d, "/tmp/typed", 10) && token_of(d) == DATA);
	free(d);
	char *text = NULL;
	wchar_t *wide = NULL;
	size_t n = 0;
	struct data *f = (struct data *)open_memstream(&text, &n);
	MUST(fputs("hello", (FILE *)f) >= 0 && !fflush((FILE *)f) && !strcmp(text, "hello"));
	CHECK(token_of(f) == DATA);
	fclose((FILE *)f);
	free(text);
	f = (struct data *)open_wmemstream(&wide, &n);
	MUST(fputws(L"hello", (FILE *)f) >= 0 && !fflush((FILE *)f) && !wcscmp(wide, L"hello"));
	CHECK(token_of(f) == DATA);
	fclose((FILE *)f);
	free(wide);
	char buf[20] = "hello";
	f = (struct data *)fmemopen(buf, sizeof(struct data) * 0 + 6, "r");
	MUST(f && fgets(buf + 10, 6, (FILE *)f) && !strcmp(buf + 10, "hello"));
	fclose((FILE *)f);
	void *p = hide(malloc(of_no_type()));
	CHECK(token_of(p) == 0); /* nothing is left over for the next */
	free(p);
}
#endif

int main(void)
{
	need_library();
	watchdog(60);
	every_function();
	argument_rules();
#ifdef EXTENDED
	extended();
#endif
	return test_result("tokens_runtime");
}
