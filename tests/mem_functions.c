/*
 * Every function of libtyped_malloc_mem.so: what fits, passes and does what libc's does; one unit more ends the process with
 * the exact sentence; so does a freed object. Sizes from small to large, pointers to the start and into the object.
 *
 * usage: mem_functions [alone]    alone: without libtyped_malloc.so, where nothing is checked
 */
#include "util.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <wchar.h>

#define MOST (512 * KIB)

static char text[MOST + 8];	  /* 'a's */
static char other[2 * MOST + 16]; /* not in the heap */
static int zeros, nowhere, pair[2];
static FILE *zeros_file, *nowhere_file;

/* ---- how each is called: so that it writes just n bytes at d, or reads just n at s ---- */

typedef void adapter(void *f, char *d, char *s, size_t n);
#define F(result, ...) ((result(*)(__VA_ARGS__))f)

/* The text ends after n - 1 characters while the function runs. */
#define WITH_TEXT(n, call)                                                                                             \
	do {                                                                                                           \
		char *end_ = text + (n)-1, was_ = *end_;                                                               \
		*end_ = 0;                                                                                             \
		call;                                                                                                  \
		*end_ = was_;                                                                                          \
	} while (0)
#define WITH_WIDE(n, call)                                                                                             \
	do {                                                                                                           \
		wchar_t *end_ = (wchar_t *)text + (n)-1, was_ = *end_;                                                 \
		*end_ = 0;                                                                                             \
		call;                                                                                                  \
		*end_ = was_;                                                                                          \
	} while (0)

#define W(p) ((wchar_t *)(p))
enum { WC = sizeof(wchar_t) };

static void copy(void *f, char *d, char *s, size_t n) { F(void *, void *, const void *, size_t)(d, s, n); }
static void copy_chk(void *f, char *d, char *s, size_t n)
{
	F(void *, void *, const void *, size_t, size_t)(d, s, n, SIZE_MAX);
}
static void backward(void *f, char *d, char *s, size_t n) { F(void, const void *, void *, size_t)(s, d, n); }
static void until(void *f, char *d, char *s, size_t n) { F(void *, void *, const void *, int, size_t)(d, s, 'z', n); }
static void set(void *f, char *d, char *s, size_t n) { (void)s, F(void *, void *, int, size_t)(d, 7, n); }
static void set_chk(void *f, char *d, char *s, size_t n)
{
	(void)s, F(void *, void *, int, size_t, size_t)(d, 7, n, SIZE_MAX);
}
static void zero(void *f, char *d, char *s, size_t n) { (void)s, F(void, void *, size_t)(d, n); }
static void zero_chk(void *f, char *d, char *s, size_t n) { (void)s, F(void, void *, size_t, size_t)(d, n, SIZE_MAX); }

static void str(void *f, char *d, char *s, size_t n)
{
	if (s == text)
		WITH_TEXT(n, F(char *, char *, const char *)(d, s));
	else
		F(char *, char *, const char *)(d, s);
}
static void str_chk(void *f, char *d, char *s, size_t n)
{
	if (s == text)
		WITH_TEXT(n, F(char *, char *, const char *, size_t)(d, s, SIZE_MAX));
	else
		F(char *, char *, const char *, size_t)(d, s, SIZE_MAX);
}
static void some(void *f, char *d, char *s, size_t n) { F(char *, char *, const char *, size_t)(d, s, n); }
static void some_chk(void *f, char *d, char *s, size_t n)
{
	F(char *, char *, const char *, size_t, size_t)(d, s, n, SIZE_MAX);
}
/* Behind what is there: one character, which takes `less` bytes of n. */
#define BEHIND_ONE(name, copy, less)                                                                                   \
	static void name(void *f, char *d, char *s, size_t n)                                                          \
	{                                                                                                              \
		strcpy(d, "b");                                                                                        \
		copy(f, d, s, n - (less));                                                                             \
	}
BEHIND_ONE(cat, str, 1)
BEHIND_ONE(cat_chk, str_chk, 1)
BEHIND_ONE(cat_some, some, 2)
BEHIND_ONE(cat_some_chk, some_chk, 2)
BEHIND_ONE(cat_cut, some, 0)
BEHIND_ONE(cat_cut_chk, some_chk, 0)

static void w_copy(void *f, char *d, char *s, size_t n)
{
	F(wchar_t *, wchar_t *, const wchar_t *, size_t)(W(d), W(s), n / WC);
}
static void w_copy_chk(void *f, char *d, char *s, size_t n)
{
	F(wchar_t *, wchar_t *, const wchar_t *, size_t, size_t)(W(d), W(s), n / WC, SIZE_MAX);
}
static void w_set(void *f, char *d, char *s, size_t n)
{
	(void)s, F(wchar_t *, wchar_t *, wchar_t, size_t)(W(d), 7, n / WC);
}
static void w_set_chk(void *f, char *d, char *s, size_t n)
{
	(void)s, F(wchar_t *, wchar_t *, wchar_t, size_t, size_t)(W(d), 7, n / WC, SIZE_MAX);
}
static void w_str(void *f, char *d, char *s, size_t n)
{
	if (s == text)
		WITH_WIDE(n / WC, F(wchar_t *, wchar_t *, const wchar_t *)(W(d), W(s)));
	else
		F(wchar_t *, wchar_t *, const wchar_t *)(W(d), W(s));
}
static void w_str_chk(void *f, char *d, char *s, size_t n)
{
	if (s == text)
		WITH_WIDE(n / WC, F(wchar_t *, wchar_t *, const wchar_t *, size_t)(W(d), W(s), SIZE_MAX));
	else
		F(wchar_t *, wchar_t *, const wchar_t *, size_t)(W(d), W(s), SIZE_MAX);
}
static void w_cat(void *f, char *d, char *s, size_t n)
{
	memcpy(d, L"b", 2 * WC);
	w_str(f, d, s, n - WC);
}
static void w_cat_chk(void *f, char *d, char *s, size_t n)
{
	memcpy(d, L"b", 2 * WC);
	w_str_chk(f, d, s, n - WC);
}
static void w_cat_some(void *f, char *d, char *s, size_t n)
{
	memcpy(d, L"b", 2 * WC);
	w_copy(f, d, s, n - 2 * WC);
}
static void w_cat_some_chk(void *f, char *d, char *s, size_t n)
{
	memcpy(d, L"b", 2 * WC);
	w_copy_chk(f, d, s, n - 2 * WC);
}

static void print(void *f, char *d, char *s, size_t n) { WITH_TEXT(n, F(int, char *, const char *, ...)(d, "%s", s)); }
static void print_chk(void *f, char *d, char *s, size_t n)
{
	WITH_TEXT(n, F(int, char *, int, size_t, const char *, ...)(d, 1, SIZE_MAX, "%s", s));
}
static void print_n(void *f, char *d, char *s, size_t n)
{
	F(int, char *, size_t, const char *, ...)(d, n, "%s", s); /* the text is longer: cut */
}
static void print_n_chk(void *f, char *d, char *s, size_t n)
{
	F(int, char *, size_t, int, size_t, const char *, ...)(d, n, 1, SIZE_MAX, "%s", s);
}
static void v_print_to(void *f, char *d, const char *form, ...)
{
	va_list a;
	va_start(a, form);
	F(int, char *, const char *, va_list)(d, form, a);
	va_end(a);
}
static void v_print(void *f, char *d, char *s, size_t n) { WITH_TEXT(n, v_print_to(f, d, "%s", s)); }
static void v_print_chk_to(void *f, char *d, const char *form, ...)
{
	va_list a;
	va_start(a, form);
	F(int, char *, int, size_t, const char *, va_list)(d, 1, SIZE_MAX, form, a);
	va_end(a);
}
static void v_print_chk(void *f, char *d, char *s, size_t n) { WITH_TEXT(n, v_print_chk_to(f, d, "%s", s)); }
static void v_print_n_to(void *f, char *d, size_t n, const char *form, ...)
{
	va_list a;
	va_start(a, form);
	F(int, char *, size_t, const char *, va_list)(d, n, form, a);
	va_end(a);
}
static void v_print_n(void *f, char *d, char *s, size_t n) { v_print_n_to(f, d, n, "%s", s); }
static void v_print_n_chk_to(void *f, char *d, size_t n, const char *form, ...)
{
	va_list a;
	va_start(a, form);
	F(int, char *, size_t, int, size_t, const char *, va_list)(d, n, 1, SIZE_MAX, form, a);
	va_end(a);
}
static void v_print_n_chk(void *f, char *d, char *s, size_t n) { v_print_n_chk_to(f, d, n, "%s", s); }

#define IN (void)s
static void in(void *f, char *d, char *s, size_t n) { IN, F(ssize_t, int, void *, size_t)(zeros, d, n); }
static void in_at(void *f, char *d, char *s, size_t n) { IN, F(ssize_t, int, void *, size_t, off_t)(zeros, d, n, 0); }
static void in_chk(void *f, char *d, char *s, size_t n)
{
	IN, F(ssize_t, int, void *, size_t, size_t)(zeros, d, n, SIZE_MAX);
}
static void in_at_chk(void *f, char *d, char *s, size_t n)
{
	IN, F(ssize_t, int, void *, size_t, off_t, size_t)(zeros, d, n, 0, SIZE_MAX);
}
/* At least the last byte changes. */
static void push(char *d, size_t n)
{
	n = n < KIB ? n : KIB;
	d[n - 1] = 'x';
	MUST(write(pair[1], other, n) == (ssize_t)n);
}
static void in_socket(void *f, char *d, char *s, size_t n)
{
	IN, push(other, n), F(ssize_t, int, void *, size_t, int)(pair[0], d, n, MSG_DONTWAIT);
	d[n - 1] = 0;
}
static void in_from(void *f, char *d, char *s, size_t n)
{
	IN, push(other, n),
		F(ssize_t, int, void *, size_t, int, void *, void *)(pair[0], d, n, MSG_DONTWAIT, NULL, NULL);
	d[n - 1] = 0;
}
static void in_socket_chk(void *f, char *d, char *s, size_t n)
{
	IN, push(other, n), F(ssize_t, int, void *, size_t, size_t, int)(pair[0], d, n, SIZE_MAX, MSG_DONTWAIT);
	d[n - 1] = 0;
}
static void in_from_chk(void *f, char *d, char *s, size_t n)
{
	IN, push(other, n);
	F(ssize_t, int, void *, size_t, size_t, int, void *, void *)(pair[0], d, n, SIZE_MAX, MSG_DONTWAIT, NULL, NULL);
	d[n - 1] = 0;
}
static void in_file(void *f, char *d, char *s, size_t n)
{
	IN, F(size_t, void *, size_t, size_t, FILE *)(d, 1, n, zeros_file);
}
static void in_file_chk(void *f, char *d, char *s, size_t n)
{
	IN, F(size_t, void *, size_t, size_t, size_t, FILE *)(d, SIZE_MAX, 1, n, zeros_file);
}
static void in_line(void *f, char *d, char *s, size_t n) { IN, F(char *, char *, int, FILE *)(d, (int)n, zeros_file); }
static void in_line_chk(void *f, char *d, char *s, size_t n)
{
	IN, F(char *, char *, size_t, int, FILE *)(d, SIZE_MAX, (int)n, zeros_file);
}
static void out(void *f, char *d, char *s, size_t n) { (void)d, F(ssize_t, int, const void *, size_t)(nowhere, s, n); }
static void out_at(void *f, char *d, char *s, size_t n)
{
	(void)d, F(ssize_t, int, const void *, size_t, off_t)(nowhere, s, n, 0);
}
static void out_socket(void *f, char *d, char *s, size_t n)
{
	(void)d, F(ssize_t, int, const void *, size_t, int)(nowhere, s, n, 0);
}
static void out_to(void *f, char *d, char *s, size_t n)
{
	(void)d, F(ssize_t, int, const void *, size_t, int, const void *, socklen_t)(nowhere, s, n, 0, NULL, 0);
}
static void out_file(void *f, char *d, char *s, size_t n)
{
	(void)d, F(size_t, const void *, size_t, size_t, FILE *)(s, 1, n, nowhere_file);
}

enum {
	WRITES = 1,
	READS = 2,
	BOTH = 3,
	STRING = 4, /* the source ends with a zero; no length is passed, or a part of it */
	WIDE_CHARS = 8,
	BEHIND = 16, /* looks at what is in d */
};

/* clang-format off */
static const struct function {
	const char *name;
	adapter *call;
	int kind;
} table[] = {
	{"memcpy", copy, BOTH}, {"memmove", copy, BOTH}, {"mempcpy", copy, BOTH}, {"__mempcpy", copy, BOTH},
	{"memccpy", until, BOTH}, {"bcopy", backward, BOTH}, {"memset", set, WRITES}, {"bzero", zero, WRITES},
	{"__bzero", zero, WRITES}, {"explicit_bzero", zero, WRITES},
	{"__memcpy_chk", copy_chk, BOTH}, {"__memmove_chk", copy_chk, BOTH}, {"__mempcpy_chk", copy_chk, BOTH},
	{"__memset_chk", set_chk, WRITES}, {"__explicit_bzero_chk", zero_chk, WRITES},

	{"strcpy", str, BOTH | STRING}, {"stpcpy", str, BOTH | STRING}, {"__stpcpy", str, BOTH | STRING},
	{"strncpy", some, BOTH}, {"stpncpy", some, BOTH}, {"__stpncpy", some, BOTH},
	{"strcat", cat, BOTH | STRING | BEHIND}, {"strncat", cat_some, WRITES | STRING | BEHIND},
	{"strlcpy", some, WRITES | STRING}, {"strlcat", cat_cut, WRITES | STRING | BEHIND},
	{"__strcpy_chk", str_chk, BOTH | STRING}, {"__stpcpy_chk", str_chk, BOTH | STRING},
	{"__strncpy_chk", some_chk, BOTH}, {"__stpncpy_chk", some_chk, BOTH},
	{"__strcat_chk", cat_chk, BOTH | STRING | BEHIND}, {"__strncat_chk", cat_some_chk, WRITES | STRING | BEHIND},
	{"__strlcpy_chk", some_chk, WRITES | STRING}, {"__strlcat_chk", cat_cut_chk, WRITES | STRING | BEHIND},

	{"wmemcpy", w_copy, BOTH | WIDE_CHARS}, {"wmemmove", w_copy, BOTH | WIDE_CHARS},
	{"wmempcpy", w_copy, BOTH | WIDE_CHARS}, {"wmemset", w_set, WRITES | WIDE_CHARS},
	{"wcscpy", w_str, BOTH | STRING | WIDE_CHARS}, {"wcpcpy", w_str, BOTH | STRING | WIDE_CHARS},
	{"wcsncpy", w_copy, BOTH | WIDE_CHARS}, {"wcpncpy", w_copy, BOTH | WIDE_CHARS},
	{"wcscat", w_cat, BOTH | STRING | WIDE_CHARS | BEHIND}, {"wcsncat", w_cat_some, WRITES | STRING | WIDE_CHARS | BEHIND},
	{"__wmemcpy_chk", w_copy_chk, BOTH | WIDE_CHARS}, {"__wmemmove_chk", w_copy_chk, BOTH | WIDE_CHARS},
	{"__wmempcpy_chk", w_copy_chk, BOTH | WIDE_CHARS}, {"__wmemset_chk", w_set_chk, WRITES | WIDE_CHARS},
	{"__wcscpy_chk", w_str_chk, BOTH | STRING | WIDE_CHARS}, {"__wcpcpy_chk", w_str_chk, BOTH | STRING | WIDE_CHARS},
	{"__wcsncpy_chk", w_copy_chk, BOTH | WIDE_CHARS}, {"__wcpncpy_chk", w_copy_chk, BOTH | WIDE_CHARS},
	{"__wcscat_chk", w_cat_chk, BOTH | STRING | WIDE_CHARS | BEHIND},
	{"__wcsncat_chk", w_cat_some_chk, WRITES | STRING | WIDE_CHARS | BEHIND},

	{"sprintf", print, WRITES | STRING}, {"vsprintf", v_print, WRITES | STRING},
	{"snprintf", print_n, WRITES | STRING}, {"vsnprintf", v_print_n, WRITES | STRING},
	{"__sprintf_chk", print_chk, WRITES | STRING}, {"__vsprintf_chk", v_print_chk, WRITES | STRING},
	{"__snprintf_chk", print_n_chk, WRITES | STRING}, {"__vsnprintf_chk", v_print_n_chk, WRITES | STRING},

	{"read", in, WRITES}, {"pread", in_at, WRITES}, {"pread64", in_at, WRITES},
	{"recv", in_socket, WRITES | STRING}, {"recvfrom", in_from, WRITES | STRING},
	{"fread", in_file, WRITES}, {"fread_unlocked", in_file, WRITES},
	{"fgets", in_line, WRITES | STRING}, {"fgets_unlocked", in_line, WRITES | STRING},
	{"__read_chk", in_chk, WRITES}, {"__pread_chk", in_at_chk, WRITES}, {"__pread64_chk", in_at_chk, WRITES},
	{"__recv_chk", in_socket_chk, WRITES | STRING}, {"__recvfrom_chk", in_from_chk, WRITES | STRING},
	{"__fread_chk", in_file_chk, WRITES}, {"__fread_unlocked_chk", in_file_chk, WRITES},
	{"__fgets_chk", in_line_chk, WRITES | STRING}, {"__fgets_unlocked_chk", in_line_chk, WRITES | STRING},
	{"write", out, READS}, {"pwrite", out_at, READS}, {"pwrite64", out_at, READS},
	{"send", out_socket, READS}, {"sendto", out_to, READS}, {"fwrite", out_file, READS}, {"fwrite_unlocked", out_file, READS},
};
/* clang-format on */
enum { FUNCTIONS = sizeof table / sizeof *table };

/* What the message calls it: the name without __ and _chk. */
static const char *called(const char *name)
{
	static char plain[32];
	name += strncmp(name, "__", 2) ? 0 : 2;
	size_t n = strlen(name);
	if (n > 4 && !strcmp(name + n - 4, "_chk"))
		n -= 4;
	memcpy(plain, name, n);
	plain[n] = 0;
	return plain;
}

static void *function(const struct function *t)
{
	Dl_info info;
	void *f = dlsym(RTLD_DEFAULT, t->name);

	if (!f || !dladdr(f, &info) || !strstr(info.dli_fname, "typed_malloc_mem")) {
		say("%s does not come from libtyped_malloc_mem.so", t->name);
		_exit(EXIT_NO_LIBRARY);
	}
	return f;
}

/* ---- a crime in a child, and its line ---- */

static char line[1024];

/* The child's status; what it wrote to standard error is in `line'. */
static int in_child(adapter *call, void *f, char *d, char *s, size_t n, pid_t *pid)
{
	int to[2], status;

	MUST(!pipe(to));
	MUST((*pid = fork()) >= 0);
	if (!*pid) {
		dup2(to[1], 2);
		call(f, d, s, n);
		_exit(0);
	}
	close(to[1]);
	size_t have = 0;
	for (ssize_t got; (got = read(to[0], line + have, sizeof line - 1 - have)) > 0;)
		have += (size_t)got;
	line[have] = 0;
	close(to[0]);
	MUST(waitpid(*pid, &status, 0) == *pid);
	return status;
}

/* The call ends with SIGABRT and the line "typed_malloc: mem_functions[PID] sentence...-byte cache)\n". */
static void dies(const struct function *t, void *f, char *d, char *s, size_t n, const char *form, ...)
{
	char want[256], sentence[160];
	pid_t pid;
	va_list a;

	va_start(a, form);
	vsnprintf(sentence, sizeof sentence, form, a);
	va_end(a);
	int status = in_child(t->call, f, d, s, n, &pid);
	int len = snprintf(want, sizeof want, "typed_malloc: mem_functions[%d] %s(): %s", (int)pid, called(t->name),
			   sentence);
	size_t have = strlen(line);
	static const char end[] = "-byte cache)\n";
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && !strncmp(line, want, (size_t)len) &&
	    have > sizeof end && !strcmp(line + have - (sizeof end - 1), end) && strchr(line, '\n') == line + have - 1)
		return;
	failures++;
	say("%s of %zu bytes: status %#x, not \"%s...\" but \"%s\"", t->name, n, status, want, line);
}

/* ---- */

static const size_t sizes[] = {24, 40, 200, 1000, 16000, 40000, 300000};

/* An object whose end its user knows, of a site of its own. */
NOINLINE static char *make(size_t n)
{
	char *p = hide(malloc(n));
	memset(p, 'u', n);
	return p;
}

static void one(const struct function *t, size_t size, size_t at, bool checked)
{
	void *f = function(t);
	size_t unit = t->kind & WIDE_CHARS ? WC : 1, n = size - at;

	if (t->kind & WRITES) {
		char *p = make(size);
		t->call(f, p + at, text, n);
		CHECK(p[size - 1] != 'u' || p[size - unit] != 'u', " (nothing written)");
		CHECK(!at || p[at - 1] == 'u');
		if (checked) {
			/* What cat and its like read there must end in the object. */
			dies(t, f, p + at, text, n + unit,
			     "overflow of the object at %p (length %zu at offset %zu, size %zu; ", (void *)p, n + unit,
			     at, size);
			if (!(t->kind & BEHIND))
				/* Text is not made where there is no room at all. */
				dies(t, f, p + size, text, 4,
				     "overflow of the object at %p (length %d at offset %zu, size %zu; ", (void *)p,
				     strstr(t->name, "printf") ? 1 : 4, size, size);
		}
		free(p);
		if (checked && size < 16000 && !(t->kind & BEHIND))
			dies(t, f, p + at, text, n, "use after free of %p (", (void *)p);
		t->call(f, other + at, text, n);
	}
	if (t->kind & READS) {
		char *p = make(size);
		size_t end = t->kind & BEHIND ? 1 : 0; /* is called with one unit less */
		if (t->kind & STRING)
			memset(p + size - unit, 0, unit);
		t->call(f, other, p + at, n + end * unit);
		if (!(t->kind & STRING)) {
			CHECK(!(t->kind & WRITES) || !memcmp(other, p + at, n));
			if (checked)
				dies(t, f, other, p + at, n + unit,
				     "read past the end of the object at %p (length %zu at offset %zu, size %zu; ",
				     (void *)p, n + unit, at, size);
		} else if (checked) {
			memset(p + size - unit, 'u', unit);
			dies(t, f, other, p + at, n,
			     "read past the end of the object at %p (length %zu at offset %zu, size %zu; ", (void *)p,
			     n + unit, at, size);
		}
		free(p);
		if (checked && size < 16000)
			dies(t, f, other, p + at, n, "use after free of %p (", (void *)p);
	}
}

/* No bytes: nowhere is wrong. */
static void nothing(const struct function *t)
{
	static char *bad[4];
	void *f = function(t);

	if (t->kind & STRING)
		return;
	if (!bad[0]) {
		free(bad[0] = make(100));
		bad[1] = make(100) + 100;
		bad[2] = hide(malloc(0));
		free(bad[3] = make(100000));
	}
	for (int i = 0; i < 4; i++)
		t->call(f, t->kind & WRITES ? bad[i] : other, t->kind & READS ? bad[i] : text, 0);
}

/* An object that was overrun by other means before. */
static void overrun(void)
{
	char *p = make(100), want[100];
	pid_t pid;

	p[100] ^= 1;
	int status = in_child(copy, function(&table[0]), p, text, 101, &pid);
	snprintf(want, sizeof want, "typed_malloc: mem_functions[%d] memcpy(): overflow of %p (", (int)pid, (void *)p);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && !strncmp(line, want, strlen(want)));
	p[100] ^= 1;
	free(hide(p));
}

/* Text that fits, in less room than was said, is no crime; neither are cut copies. */
static void fits_after_all(void)
{
	char *p = make(6);
	int (*volatile print_n)(char *, size_t, const char *, ...) = snprintf;

	CHECK(print_n(p, 100000, "%d", 12345) == 5 && !strcmp(p, "12345"));
	CHECK(print_n(p, 6, "%d", 1234567) == 7 && !strcmp(p, "12345"));
	CHECK(print_n(NULL, 0, "%d", 12345) == 5);
	size_t (*lcpy)(char *, const char *, size_t) = (size_t(*)(char *, const char *, size_t))need_symbol("strlcpy");
	size_t (*lcat)(char *, const char *, size_t) = (size_t(*)(char *, const char *, size_t))need_symbol("strlcat");
	CHECK(lcpy(p, "abc", 1000) == 3 && !strcmp(p, "abc"));
	CHECK(lcat(p, "de", 1000) == 5 && !strcmp(p, "abcde"));
	CHECK(lcat(p, "fgh", 6) == 8 && !strcmp(p, "abcde"));
	CHECK(lcpy(p, "uvwxyz", 6) == 6 && !strcmp(p, "uvwxy"));
	CHECK(lcpy(p, "uvwxyz", 0) == 6 && lcat(p, "12", 3) == 5 && !strcmp(p, "uvwxy"));
	free(p);
}

/* What they return is libc's. */
static void results(void)
{
	char d[16] = "", *p = hide(d);
	wchar_t w[16] = L"", *q = hide(w);

	CHECK(memcpy(p, "abc", hide_size(4)) == d && memmove(p + 1, p, hide_size(3)) == d + 1 && !memcmp(d, "aabc", 4));
	CHECK(mempcpy(p, "abc", hide_size(4)) == d + 4 && memset(p, 'x', hide_size(2)) == d && !strcmp(d, "xxc"));
	CHECK(memccpy(p, "abcd", 'c', hide_size(5)) == d + 3 && !memccpy(p, "abcd", 'z', hide_size(5)));
	CHECK(strcpy(p, hide("abc")) == d && stpcpy(p, hide("abc")) == d + 3 && strcat(p, hide("de")) == d &&
	      !strcmp(d, "abcde"));
	CHECK(strncpy(p, hide("ab"), hide_size(5)) == d && all_zero(d + 2, 3));
	CHECK(stpncpy(p, hide("ab"), hide_size(5)) == d + 2 && stpncpy(p, hide("abcdef"), hide_size(4)) == d + 4);
	CHECK(strncat(strcpy(p, hide("ab")), hide("cdef"), hide_size(2)) == d && !strcmp(d, "abcd"));
	CHECK(wcscpy(q, hide(L"abc")) == w && wcpcpy(q, hide(L"abc")) == w + 3 && wcscat(q, hide(L"de")) == w &&
	      !wcscmp(w, L"abcde"));
	CHECK(wcsncpy(q, hide(L"ab"), hide_size(5)) == w && all_zero(w + 2, 3 * WC));
	CHECK(wcpncpy(q, hide(L"ab"), hide_size(5)) == w + 2 && wmempcpy(q, L"ab", hide_size(2)) == w + 2);
	CHECK(wmemset(q, L'x', hide_size(3)) == w && w[2] == L'x' && !w[3] &&
	      wcsncat(q, hide(L"yz"), hide_size(1)) == w && !wcscmp(w, L"xxxy"));
	bcopy("abc", p, hide_size(4));
	CHECK(!strcmp(d, "abc"));
	bzero(p, hide_size(2));
	CHECK(!d[1] && d[2] == 'c');
}

/* The room that the compiler knew still counts. */
static void fortified(void)
{
	int status;
	void *f = need_symbol("__memcpy_chk");
	pid_t pid = fork();

	if (!pid) {
		MUST(dup2(nowhere, 2) == 2);
		F(void *, void *, const void *, size_t, size_t)(other, text, hide_size(9), 8);
		_exit(0);
	}
	MUST(waitpid(pid, &status, 0) == pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(int argc, char **argv)
{
	bool checked = argc < 2 || strcmp(argv[1], "alone");

	if (checked)
		need_library();
	watchdog(300);
	MUST((zeros = open("/dev/zero", O_RDONLY)) >= 0 && (nowhere = open("/dev/null", O_RDWR)) >= 0);
	MUST((zeros_file = fopen("/dev/zero", "r")) && (nowhere_file = fopen("/dev/null", "w")));
	MUST(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	memset(text, 'a', sizeof text);
	for (int i = 0; i < FUNCTIONS; i++) {
		function(&table[i]);
		if (option_given(argc, argv, "--names"))
			puts(table[i].name);
	}
	if (option_given(argc, argv, "--names"))
		return 0;
	for (int i = 0; i < FUNCTIONS; i++) {
		for (size_t j = 0; j < sizeof sizes / sizeof *sizes; j++) {
			one(&table[i], sizes[j], 0, checked);
			one(&table[i], sizes[j], sizes[j] / 8 * 4, checked && j % 2);
		}
		nothing(&table[i]);
	}
	if (checked)
		overrun();
	fits_after_all();
	results();
	fortified();
	return test_result("mem_functions");
}
