/* malloc_usable_size, malloc_trim, mallinfo, mallinfo2, mallopt, malloc_info, malloc_stats. */
#include "attack/attack.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations" /* mallinfo: programs still call it */

static void usable(void)
{
	CHECK(malloc_usable_size(NULL) == 0);
	void *none = hide(malloc(0));
	CHECK(none && malloc_usable_size(none) == 0);
	free(none);
	for (size_t n = 1; n < 70000; n += 1 + n / 40) {
		char *p = hide(malloc(n));
		size_t u = malloc_usable_size(p);
		CHECK(u == n && u == malloc_usable_size(p));
		memset(p, 0xff, u);
		char *q = hide(realloc(p, u)); /* all of it is ours: asking for it moves nothing that is lost */
		MUST(q);
		for (size_t i = 0; i < u; i++)
			MUST(q[i] == (char)0xff);
		free(q);
	}
}

enum { N = 20000, SIZE = 1000 };

static void info_and_trim(void)
{
	static char *all[N];
	struct mallinfo2 before = mallinfo2();
	size_t rss_before = rss_kib();
	for (int i = 0; i < N; i++)
		memset(all[i] = hide(malloc(SIZE)), 1, SIZE);
	struct mallinfo2 full = mallinfo2();
	CHECK(full.uordblks >= before.uordblks + (size_t)N * SIZE);
	CHECK(full.uordblks <= before.uordblks + (size_t)N * SIZE * 2);
	CHECK(full.arena + full.hblkhd >= full.uordblks);
	size_t rss_full = rss_kib();
	CHECK(rss_full >= rss_before + (size_t)N * SIZE / 1024);
	for (int i = 0; i < N; i++)
		free(all[i]);
	struct mallinfo2 after = mallinfo2();
	CHECK(after.uordblks < before.uordblks + (size_t)N * SIZE / 10);
	int gave = malloc_trim(0);
	CHECK(gave == 0 || gave == 1);
	size_t rss_after = rss_kib();
	CHECK(rss_after < rss_before + 4096, " (trim gives memory back)");
	char *large = hide(malloc(30 * MIB));
	CHECK(mallinfo2().uordblks + mallinfo2().hblkhd >= after.uordblks + 30 * MIB);
	free(large);
	struct mallinfo old = mallinfo();
	CHECK((size_t)(unsigned)old.uordblks <= full.uordblks + 31 * MIB);
	errno = 0;
	malloc_trim(SIZE_MAX);
	malloc_trim(1);
}

/* Well-formed: every tag that opens closes, in order; attributes are quoted. */
static void xml(const char *text)
{
	char stack[32][32];
	int depth = 0, elements = 0;
	const char *s = text;
	CHECK(!strncmp(s, "<malloc version=\"", 17));
	while (*s) {
		if (*s != '<') {
			CHECK(*s != '>' && *s != '&');
			s++;
			continue;
		}
		bool closing = s[1] == '/';
		const char *name = s + 1 + closing, *end = name + strcspn(name, " \t\n/>");
		size_t n = (size_t)(end - name);
		MUST(n > 0 && n < sizeof *stack);
		bool quoted = false, empty = false;
		for (; *end && (quoted || *end != '>'); end++) {
			quoted ^= *end == '"';
			empty = !quoted && *end == '/';
		}
		MUST(*end == '>');
		s = end + 1;
		if (closing) {
			depth--;
			MUST(depth >= 0);
			CHECK(strlen(stack[depth]) == n && !memcmp(stack[depth], name, n));
		} else if (!empty) {
			MUST(depth < 32);
			memcpy(stack[depth], name, n);
			stack[depth++][n] = 0;
			elements++;
		}
	}
	CHECK(depth == 0 && elements > 0);
}

static void reports(void)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	MUST(f);
	CHECK(malloc_info(0, f) == 0);
	fclose(f);
	MUST(text);
	xml(text);
	free(text);
	f = open_memstream(&text, &n);
	CHECK(malloc_info(1, f) == EINVAL, " (options must be 0)");
	fclose(f);
	CHECK(n == 0);
	free(text);

	int saved = dup(2);
	FILE *t = tmpfile();
	MUST(t && dup2(fileno(t), 2) == 2);
	malloc_stats();
	dup2(saved, 2);
	close(saved);
	CHECK(lseek(fileno(t), 0, SEEK_END) > 0, " (malloc_stats writes to stderr)");
	fclose(t);
}

/* Nothing here asks the dynamic linker: who does waits for whoever is opening a module, and makes it forget the last error. */
static void linker_left_alone(void)
{
	typedef FILE *opens(char **text, size_t *n, size_t token);
	opens *token_open = (opens *)need_symbol("__alloc_token_open_memstream");
	char *text = NULL;
	size_t n = 0;

	for (int i = 0; i < 2; i++) {
		MUST(!dlopen("/no/such/module.so", RTLD_NOW));
		FILE *f = i ? token_open(&text, &n, (size_t)1 << 40) : open_memstream(&text, &n);
		MUST(f);
		if (!i)
			CHECK(malloc_info(0, f) == 0);
		fclose(f);
		free(text);
		const char *error = dlerror();
		CHECK(error && strstr(error, "/no/such/module.so"));
	}
}

int main(void)
{
	need_library();
	watchdog(60);
	usable();
	info_and_trim();
	reports();
	linker_left_alone();
	static const int parameters[] = {M_MXFAST,	 M_TRIM_THRESHOLD, M_TOP_PAD,	 M_MMAP_THRESHOLD, M_MMAP_MAX,
					 M_CHECK_ACTION, M_PERTURB,	   M_ARENA_TEST, M_ARENA_MAX,	   12345,
					 -12345};
	for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++) {
		int done = mallopt(parameters[i], 64);
		CHECK(done == 0 || done == 1);
	}
	CHECK(mallopt(M_MMAP_THRESHOLD, 65536) == 1, " (accepted, as programs test for it)");
	char *p = hide(malloc(100));
	CHECK(p && all_zero(p, 100), " (M_PERTURB changes nothing)");
	free(p);
	return test_result("conform_info");
}
