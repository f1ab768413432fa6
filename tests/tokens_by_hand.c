/*
 * Every function of the token runtime by its name: the default ABI with tokens of each sort, and the fast ABI with each id. FAST is
 * the number of ids. And where the objects of bounded tokens lie.
 */
#include "attack/attack.h"

#include "typed_malloc.h"

#include <wchar.h>

typedef unsigned char hint;
struct sized {
	void *p;
	size_t n;
};

static size_t want; /* the token that type_of has to say */

static void *good(void *p, size_t align, const char *what)
{
	struct typed_type t;
	MUST(p);
	MUST(!typed_malloc_type_of(p, &t));
	if (t.token != want || (uintptr_t)p & (align - 1)) {
		say("%s: token 0x%zx, not 0x%zx; at %p", what, t.token, want, p);
		failures++;
	}
	CHECK(typed_malloc_is_token(p, want ? want : 1) == (want ? 1 : -1));
	free(hide(p));
	return NULL;
}

/* P: the names' prefix; PARAM and ARG: the token's declaration and value, each with its comma, or nothing. */
#define COMMA ,
#define HAND(P, PARAM, ARG)                                                                                  \
	void *P##malloc(size_t PARAM);                                                                       \
	void *P##calloc(size_t, size_t PARAM);                                                               \
	void *P##realloc(void *, size_t PARAM);                                                              \
	void *P##reallocarray(void *, size_t, size_t PARAM);                                                 \
	void *P##reallocf(void *, size_t PARAM);                                                             \
	void *P##aligned_alloc(size_t, size_t PARAM);                                                        \
	void *P##memalign(size_t, size_t PARAM);                                                             \
	void *P##valloc(size_t PARAM);                                                                       \
	void *P##pvalloc(size_t PARAM);                                                                      \
	int P##posix_memalign(void **, size_t, size_t PARAM);                                                \
	char *P##strdup(const char *PARAM);                                                                  \
	char *P##strndup(const char *, size_t PARAM);                                                        \
	wchar_t *P##wcsdup(const wchar_t *PARAM);                                                            \
	char *P##canonicalize_file_name(const char *PARAM);                                                  \
	char *P##tempnam(const char *, const char *PARAM);                                                   \
	FILE *P##fmemopen(void *, size_t, const char *PARAM);                                                \
	FILE *P##open_memstream(char **, size_t *PARAM);                                                     \
	FILE *P##open_wmemstream(wchar_t **, size_t *PARAM);                                                 \
	void *P##_Znwm(size_t PARAM);                                                                        \
	void *P##_Znam(size_t PARAM);                                                                        \
	void *P##_ZnwmRKSt9nothrow_t(size_t, const void *PARAM);                                             \
	void *P##_ZnamRKSt9nothrow_t(size_t, const void *PARAM);                                             \
	void *P##_ZnwmSt11align_val_t(size_t, size_t PARAM);                                                 \
	void *P##_ZnamSt11align_val_t(size_t, size_t PARAM);                                                 \
	void *P##_ZnwmSt11align_val_tRKSt9nothrow_t(size_t, size_t, const void *PARAM);                      \
	void *P##_ZnamSt11align_val_tRKSt9nothrow_t(size_t, size_t, const void *PARAM);                      \
	void *P##_Znwm12__hot_cold_t(size_t, hint PARAM);                                                    \
	void *P##_Znam12__hot_cold_t(size_t, hint PARAM);                                                    \
	void *P##_ZnwmRKSt9nothrow_t12__hot_cold_t(size_t, const void *, hint PARAM);                        \
	void *P##_ZnamRKSt9nothrow_t12__hot_cold_t(size_t, const void *, hint PARAM);                        \
	void *P##_ZnwmSt11align_val_t12__hot_cold_t(size_t, size_t, hint PARAM);                             \
	void *P##_ZnamSt11align_val_t12__hot_cold_t(size_t, size_t, hint PARAM);                             \
	void *P##_ZnwmSt11align_val_tRKSt9nothrow_t12__hot_cold_t(size_t, size_t, const void *, hint PARAM); \
	void *P##_ZnamSt11align_val_tRKSt9nothrow_t12__hot_cold_t(size_t, size_t, const void *, hint PARAM); \
	struct sized P##__size_returning_new(size_t PARAM);                                                  \
	struct sized P##__size_returning_new_aligned(size_t, size_t PARAM);                                  \
	struct sized P##__size_returning_new_hot_cold(size_t, hint PARAM);                                   \
	struct sized P##__size_returning_new_aligned_hot_cold(size_t, size_t, hint PARAM);                   \
	static void by_hand##P(size_t token)                                                                 \
	{                                                                                                    \
		size_t n = hide_size(100), len = 0;                                                          \
		void *p = NULL;                                                                              \
		char *text = NULL;                                                                           \
		wchar_t *wide = NULL;                                                                        \
		(void)token;                                                                                 \
		ONE(P##malloc(n ARG), 16);                                                                   \
		ONE(P##malloc(n * 1000 ARG), 16);                                                            \
		ONE(P##calloc(n, n ARG), 16);                                                                \
		ONE(P##realloc(NULL, n ARG), 16);                                                            \
		ONE(P##realloc(P##malloc(n ARG), n * 50 ARG), 16);                                           \
		ONE(P##reallocarray(NULL, n, n ARG), 16);                                                    \
		ONE(P##reallocf(NULL, n ARG), 16);                                                           \
		ONE(P##aligned_alloc(64, n ARG), 64);                                                        \
		ONE(P##memalign(64, n ARG), 64);                                                             \
		ONE(P##valloc(n ARG), 4096);                                                                 \
		ONE(P##pvalloc(n ARG), 4096);                                                                \
		CHECK(P##posix_memalign(&p, 64, n ARG) == 0);                                                \
		ONE(p, 64);                                                                                  \
		CHECK(P##posix_memalign(&p, 24, n ARG) == EINVAL);                                           \
		ONE(P##strdup("some text" ARG), 16);                                                         \
		ONE(P##strndup("some text", 4 ARG), 8);                                                      \
		ONE(P##wcsdup(L"some text" ARG), 16);                                                        \
		ONE(P##canonicalize_file_name("/usr" ARG), 8);                                               \
		ONE(P##tempnam("/tmp", "typed" ARG), 16);                                                    \
		FILE *f = P##fmemopen(NULL, n, "w" ARG);                                                     \
		MUST(f);                                                                                     \
		fclose(f);                                                                                   \
		MUST(f = P##open_memstream(&text, &len ARG));                                                \
		CHECK(typed_malloc_is_token(f, want ? want : 1) == (want ? 1 : -1));                         \
		fclose(f);                                                                                   \
		free(text);                                                                                  \
		MUST(f = P##open_wmemstream(&wide, &len ARG));                                               \
		CHECK(typed_malloc_is_token(f, want ? want : 1) == (want ? 1 : -1));                         \
		fclose(f);                                                                                   \
		free(wide);                                                                                  \
		ONE(P##_Znwm(n ARG), 16);                                                                    \
		ONE(P##_Znam(n ARG), 16);                                                                    \
		ONE(P##_ZnwmRKSt9nothrow_t(n, "" ARG), 16);                                                  \
		ONE(P##_ZnamRKSt9nothrow_t(n, "" ARG), 16);                                                  \
		ONE(P##_ZnwmSt11align_val_t(n, 64 ARG), 64);                                                 \
		ONE(P##_ZnamSt11align_val_t(n, 64 ARG), 64);                                                 \
		ONE(P##_ZnwmSt11align_val_tRKSt9nothrow_t(n, 64, "" ARG), 64);                               \
		ONE(P##_ZnamSt11align_val_tRKSt9nothrow_t(n, 64, "" ARG), 64);                               \
		ONE(P##_Znwm12__hot_cold_t(n, 1 ARG), 16);                                                   \
		ONE(P##_Znam12__hot_cold_t(n, 1 ARG), 16);                                                   \
		ONE(P##_ZnwmRKSt9nothrow_t12__hot_cold_t(n, "", 1 ARG), 16);                                 \
		ONE(P##_ZnamRKSt9nothrow_t12__hot_cold_t(n, "", 1 ARG), 16);                                 \
		ONE(P##_ZnwmSt11align_val_t12__hot_cold_t(n, 64, 1 ARG), 64);                                \
		ONE(P##_ZnamSt11align_val_t12__hot_cold_t(n, 64, 1 ARG), 64);                                \
		ONE(P##_ZnwmSt11align_val_tRKSt9nothrow_t12__hot_cold_t(n, 64, "", 1 ARG), 64);              \
		ONE(P##_ZnamSt11align_val_tRKSt9nothrow_t12__hot_cold_t(n, 64, "", 1 ARG), 64);              \
		struct sized s = P##__size_returning_new(n ARG);                                             \
		CHECK(s.n >= n && s.n == malloc_usable_size(s.p));                                           \
		ONE(s.p, 16);                                                                                \
		s = P##__size_returning_new_aligned(n, 64 ARG);                                              \
		CHECK(s.n >= n && s.n == malloc_usable_size(s.p));                                           \
		ONE(s.p, 64);                                                                                \
		s = P##__size_returning_new_hot_cold(n, 1 ARG);                                              \
		CHECK(s.n >= n && s.n == malloc_usable_size(s.p));                                           \
		ONE(s.p, 16);                                                                                \
		s = P##__size_returning_new_aligned_hot_cold(n, 64, 1 ARG);                                  \
		CHECK(s.n >= n && s.n == malloc_usable_size(s.p));                                           \
		ONE(s.p, 64);                                                                                \
	}
#define ONE(call, align) good(call, align, #call)

HAND(__alloc_token_, COMMA size_t, COMMA token)

#ifdef FAST
#define FAST_ABI(id) HAND(__alloc_token_##id##_, , )
FAST_IDS(FAST_ABI)
#endif

/* ---- where they lie: whatever token comes, an object without a known type is not among those that hold no pointers ---- */

/* Is there a page between two addresses that cannot be read? */
static bool fence_between(uintptr_t a, uintptr_t b, int pipe_in)
{
	for (uintptr_t p = (a & -PAGE) + PAGE; p < (b & -PAGE); p += PAGE)
		if (write(pipe_in, (void *)p, 1) != 1) {
			MUST(errno == EFAULT);
			return true;
		}
	return false;
}

static uintptr_t places[20000];
static int by_value(const void *a, const void *b)
{
	uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;
	return x < y ? -1 : x > y;
}

/* Interleaved objects of two tokens: do any lie side by side, with no fence between? */
static bool side_by_side(size_t a, size_t b)
{
	int pipes[2], n = sizeof places / sizeof *places;
	MUST(!pipe(pipes));
	MUST(fcntl(pipes[1], F_SETPIPE_SZ, 1 << 20) > 0);
	for (int i = 0; i < n; i++) /* the lowest bits tell which */
		places[i] = (uintptr_t)hide(__alloc_token_malloc(300, i % 2 ? a : b)) + (uintptr_t)(i % 2);
	qsort(places, (size_t)n, sizeof *places, by_value);
	bool found = false;
	for (int i = 1; i < n && !found; i++)
		if ((places[i - 1] ^ places[i]) & 1)
			found = !fence_between(places[i - 1], places[i], pipes[1]);
	for (int i = 0; i < n; i++)
		free((void *)(places[i] & ~(uintptr_t)1));
	close(pipes[0]);
	close(pipes[1]);
	return found;
}

int main(void)
{
	need_library();
	watchdog(60);
	const size_t data = typed_token_of_name("data", 0), other = typed_token_of_name("other", 0);
	const size_t tokens[] = {1, 5, 15, 1023, 0xffffffff, data, typed_token_of_name("list", 1), SIZE_MAX};
	by_hand__alloc_token_(want = 0);
	by_hand__alloc_token_(typed_token_of_name("void", 0));
	by_hand__alloc_token_(typed_token_of_name("const void", 0));
	by_hand__alloc_token_(typed_token_of_name("volatile void", 0));
	by_hand__alloc_token_(typed_token_of_name("const volatile void", 0));
	for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++)
		by_hand__alloc_token_(want = tokens[i]);
#ifdef FAST
#define CALL(id) by_hand__alloc_token_##id##_(want = id);
	FAST_IDS(CALL)
#endif
	CHECK(side_by_side(data, other)); /* this finds what it looks for */
	CHECK(!side_by_side(data, 0));
	CHECK(!side_by_side(data, typed_token_of_name("list", 1)));
	CHECK(!side_by_side(data, 1));
	CHECK(!side_by_side(other, 15));
	CHECK(!side_by_side(data, 1023));
	return test_result("tokens_by_hand");
}
