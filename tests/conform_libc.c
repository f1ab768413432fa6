/* What libc allocates for us is ours to free, and __libc_malloc and its siblings are the same heap. */
#include "attack/attack.h"

#include <dirent.h>
#include <glob.h>
#include <iconv.h>
#include <locale.h>
#include <netdb.h>
#include <regex.h>
#include <search.h>
#include <wchar.h>

void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t),
	*__libc_memalign(size_t, size_t);
void __libc_free(void *), *__libc_valloc(size_t), *__libc_pvalloc(size_t);

static void ours(void *p, size_t at_least)
{
	MUST(p);
	CHECK(malloc_usable_size(p) >= at_least);
	free(p);
}

static void buffers(void)
{
	ours(strdup("text"), 5);
	ours(strndup("text", 2), 3);
	ours(wcsdup(L"text"), 5 * sizeof(wchar_t));
	char *s = NULL;
	CHECK(asprintf(&s, "%0300d", 1) == 300);
	ours(s, 301);
	ours(realpath("/", NULL), 2);
	ours(getcwd(NULL, 0), 2);

	FILE *f = fopen("/proc/self/maps", "r");
	MUST(f);
	size_t n = 0;
	s = NULL;
	while (getline(&s, &n, f) > 0)
		;
	ours(s, n);
	fclose(f);
	f = fopen("/proc/self/maps", "r");
	n = 16;
	s = malloc(n); /* a buffer of ours, grown by libc */
	while (getdelim(&s, &n, 0, f) > 0)
		;
	ours(s, n);
	fclose(f);

	f = open_memstream(&s, &n);
	for (int i = 0; i < 20000; i++)
		fprintf(f, "%d ", i);
	fclose(f);
	CHECK(n > 100000);
	ours(s, n);
	wchar_t *wide;
	f = open_wmemstream(&wide, &n);
	fputws(L"wide", f);
	fclose(f);
	ours(wide, 5 * sizeof(wchar_t));

	struct dirent **names;
	int count = scandir("/", &names, NULL, alphasort);
	CHECK(count > 0);
	for (int i = 0; i < count; i++)
		ours(names[i], 1);
	ours(names, sizeof *names);

	CHECK(sscanf("word rest", "%ms", &s) == 1 && !strcmp(s, "word"));
	ours(s, 5);
}

static void users_of_the_heap(void)
{
	regex_t r;
	CHECK(!regcomp(&r, "^(a|b)*c+[[:alpha:]]{2,5}$", REG_EXTENDED));
	CHECK(!regexec(&r, "ababccxyz", 0, NULL, 0));
	regfree(&r);
	glob_t g;
	CHECK(!glob("/*", 0, NULL, &g));
	globfree(&g);
	iconv_t i = iconv_open("UTF-16", "ISO-8859-1");
	if (i != (iconv_t)-1)
		iconv_close(i);
	setlocale(LC_ALL, "C.UTF-8");
	setlocale(LC_ALL, "C");
	struct addrinfo *a, hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_family = AF_INET};
	if (!getaddrinfo("127.0.0.1", "80", &hints, &a))
		freeaddrinfo(a);
	CHECK(!setenv("TEST_VARIABLE", "value", 1) && !unsetenv("TEST_VARIABLE"));
	FILE *p = popen("echo out", "r");
	char line[16] = "";
	CHECK(p && fgets(line, sizeof line, p) && !strcmp(line, "out\n"));
	pclose(p);
	CHECK(hcreate(1000));
	hdestroy();
	void *l = dlopen("libm.so.6", RTLD_NOW);
	CHECK(l);
	if (l)
		dlclose(l);
}

static void aliases(void)
{
	static const char *const names[] = {"__libc_malloc",   "__libc_calloc", "__libc_realloc", "__libc_free",
					    "__libc_memalign", "__libc_valloc", "__libc_pvalloc"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		Dl_info info;
		CHECK(dladdr(need_symbol(names[i]), &info) && strstr(info.dli_fname, "typed_malloc"));
	}
	ours(__libc_malloc(100), 100);
	ours(__libc_calloc(10, 10), 100);
	ours(__libc_realloc(malloc(10), 100), 100);
	ours(__libc_valloc(100), 100);
	ours(__libc_pvalloc(100), 4096);
	void *p = __libc_memalign(256, 100);
	CHECK(!((uintptr_t)p & 255));
	ours(p, 100);
	__libc_free(hide(malloc(100)));
	__libc_free(NULL);
}

int main(void)
{
	need_library();
	watchdog(60);
	for (int i = 0; i < 3; i++) {
		buffers();
		users_of_the_heap();
		aliases();
	}
	return test_result("conform_libc");
}
