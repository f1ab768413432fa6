/* conf.c: see conf.h. */
#define _GNU_SOURCE
#include "config.h"

#include "conf.h"
#include "chars.h"
#include "os.h"
#include "report.h"
#include "site.h"
#include "track.h"

#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#define CONF_FILE_MAX 4096

/* Until the heap has started nobody is a wrapper, and crimes go to standard error. */
static struct ty_wrapper no_wrappers[1 << TY_WRAPPER_BITS] __attribute__((aligned(TY_WRAPPERS_ALIGN))) = TY_NO_WRAPPERS;
static u32 no_mark[2] = {1};
/* (Behind all other data: a protection in the middle of them would be a mapping more.) */
union ty_frozen_page ty_frozen_page __attribute__((aligned(TY_MAX_PAGE), section(".data1"))) = {.f.wrappers = no_wrappers,
									    .f.mark = no_mark,
									    .f.variable = "TYPED_MALLOC_OPTIONS=",
									    .f.file = "/etc/typed_malloc.conf",
									    .f.faults = true,
									    .f.report = TY_REPORT_STDERR};

/* A program may define it to carry its own options. */
extern const char *typed_malloc_options __attribute__((weak));

/* A program may define it to be told of the end. */
extern void (*const typed_malloc_abort_hook)(const char *line, size_t n) __attribute__((weak));

static const char *const policy_names[] = {"typed", "random", "none", "callsite"};

const char *ty_policy_name(unsigned policy) { return policy_names[policy]; }

static bool set_policy(const char *v, u8 *out, enum ty_policy own)
{
	static const u8 order[] = {TY_POLICY_TYPED, TY_POLICY_CALLSITE, TY_POLICY_RANDOM, TY_POLICY_NONE};
	for (size_t i = 0; i < sizeof order; i++) {
		u8 p = order[i];
		if ((p == TY_POLICY_TYPED || p == TY_POLICY_CALLSITE) && p != own)
			continue;
		if (ty_same(v, policy_names[p])) {
			*out = p;
			return true;
		}
	}
	return false;
}

static bool set_number(const char *v, u32 *out, u64 min, u64 max)
{
	u64 n = 0;
	if (!*v)
		return false;
	for (; *v; v++) {
		if (*v < '0' || *v > '9')
			return false;
		n = n * 10 + (u64)(*v - '0');
		if (n > max)
			return false;
	}
	if (n < min)
		return false;
	*out = (u32)n;
	return true;
}

/* What somebody takes for a switch: a file of that name would be a surprise, and ./yes is still one. */
static bool is_switch(const char *v)
{
	static const char words[][8] = {"yes", "no", "true", "false", "on", "off", "stdout"};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (ty_same(v, words[i]))
			return true;
	while (*v >= '0' && *v <= '9')
		v++;
	return !*v;
}

static bool set_stats(const char *v)
{
	size_t n = strlen(v);
	if (ty_same(v, "0")) {
		ty_conf.stats = false;
		return true;
	}
	bool to_stderr = ty_same(v, "1") || ty_same(v, "stderr");
	if (n >= sizeof ty_conf.stats_path || (!to_stderr && is_switch(v)))
		return false;
	ty_conf.stats = true;
	ty_conf.stats_path[0] = 0;
	if (!to_stderr)
		memcpy(ty_conf.stats_path, v, n + 1);
	return true;
}

static bool set_report(const char *v)
{
	static const char *const names[] = {"none", "stderr", "syslog", "both"}; /* by their bits */
	for (u8 i = 0; i < 4; i++) {
		if (ty_same(v, names[i])) {
			ty_conf.report = i;
			return true;
		}
	}
	return false;
}

/* Large objects always have theirs. */
static bool set_guard(const char *v)
{
	if (!ty_same(v, "large") && !ty_same(v, "slab"))
		return false;
	ty_conf.guard_slabs = ty_same(v, "slab");
	return true;
}

/* A sentence is one line, whatever it quotes. */
static void one_line(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = '?';
}

/* Options that are a number from min to max... */
static const struct {
	char key[14];
	u16 at; /* in the page */
	u32 min, max;
} numbers[] = {
	{"decay_ms", offsetof(struct ty_frozen, decay_ms), 0, 86400000},
	{"site_levels", offsetof(struct ty_frozen, site_levels), 1, TY_CHAIN_MAX},
	{"max_keys", offsetof(struct ty_frozen, max_keys), 0, 1u << 22},
	{"report_fd", offsetof(struct ty_frozen, report_fd), 0, INT32_MAX},
	{"quarantine", offsetof(struct ty_frozen, quarantine), 0, 1u << 20},
	{"sample", offsetof(struct ty_frozen, sample), 0, TY_SAMPLE_MAX},
	{"valgrind_zero", offsetof(struct ty_frozen, zero_defined), 0, 2},
};

/* ... or 0 or 1. */
static const struct {
	char key[14];
	u16 at;
	bool one; /* what 1 makes of it */
} flags[] = {
	{"sweep", offsetof(struct ty_frozen, sweep), true},
	{"never_reuse", offsetof(struct ty_frozen, never_reuse), true},
	{"mismatch", offsetof(struct ty_frozen, mismatch), true},
	{"faults", offsetof(struct ty_frozen, faults), true},
	{"core", offsetof(struct ty_frozen, core), true},
	{"deepbind", offsetof(struct ty_frozen, deepbind), true},
	{"sized", offsetof(struct ty_frozen, unsized), false},
	{"seal", offsetof(struct ty_frozen, unsealed), false},
	{"valgrind", offsetof(struct ty_frozen, unwatched), false},
};
#define COUNT(a) (sizeof(a) / sizeof *(a))

enum set { DONE, BAD_VALUE, UNKNOWN };

static enum set set(const char *key, const char *v)
{
	char *page = (char *)&ty_conf;
	u32 n;

	for (size_t i = 0; i < COUNT(numbers); i++)
		if (ty_same(key, numbers[i].key))
			return set_number(v, (u32 *)(void *)(page + numbers[i].at), numbers[i].min, numbers[i].max)
				       ? DONE
				       : BAD_VALUE;
	for (size_t i = 0; i < COUNT(flags); i++)
		if (ty_same(key, flags[i].key)) {
			if (!set_number(v, &n, 0, 1))
				return BAD_VALUE;
			*(bool *)(page + flags[i].at) = n ? flags[i].one : !flags[i].one;
			return DONE;
		}
	bool ok;
	if (ty_same(key, "partition"))
		ok = set_policy(v, &ty_conf.partition, TY_POLICY_TYPED);
	else if (ty_same(key, "untyped"))
		ok = set_policy(v, &ty_conf.untyped, TY_POLICY_CALLSITE);
	else if (ty_same(key, "stats"))
		ok = set_stats(v);
	else if (ty_same(key, "guard"))
		ok = set_guard(v);
	else if (ty_same(key, "report"))
		ok = set_report(v);
	else
		return UNKNOWN;
	return ok ? DONE : BAD_VALUE;
}

bool ty_conf_option(const char *text, size_t n)
{
	char key[512];

	if (n >= sizeof key) {
		ty_warn("option: longer than 511 bytes", "", "", "");
		return false;
	}
	memcpy(key, text, n);
	key[n] = 0;
	char *v = (char *)(uintptr_t)ty_find(key, '=');
	if (v)
		*v++ = 0;
	else
		v = key + n; /* its end */
	enum set is = set(key, v);
	if (is == UNKNOWN) {
		one_line(key);
		ty_warn("option: unknown option \"", key, "\"", "");
		return false;
	}
	if (is == BAD_VALUE) {
		char what[600];
		struct ty_text t = {what, 0, sizeof what - 1};
		one_line(v);
		ty_text_str(&t, "option: bad value \"");
		ty_text_str(&t, v);
		ty_text_str(&t, "\" for option \"");
		ty_text_str(&t, key);
		ty_text_str(&t, "\"");
		what[t.len] = 0;
		ty_warn(what, "", "", "");
	}
	return is == DONE;
}

/* Each item between separators; blanks around it and comments (in the file) do not count. */
static void options(const char *s, size_t n, char sep, bool comments)
{
	const char *end = s + n;
	while (s < end) {
		const char *stop = s;
		while (stop < end && *stop != sep)
			stop++;
		const char *a = s, *b = stop;
		while (a < b && (*a == ' ' || *a == '\t' || *a == '\r'))
			a++;
		while (b > a && (b[-1] == ' ' || b[-1] == '\t' || b[-1] == '\r'))
			b--;
		if (a < b && !(comments && *a == '#'))
			ty_conf_option(a, (size_t)(b - a));
		s = stop + 1;
	}
}

/* getenv may not be called before libc has set environ up; this may. NULL: no such variable. */
TY_EVERY_START static const char *environment(void)
{
	for (char **e = environ; e && *e; e++) {
		size_t n = 0;
		while (ty_conf.variable[n] && (*e)[n] == ty_conf.variable[n])
			n++;
		if (!ty_conf.variable[n])
			return *e + n;
	}
	return NULL;
}

/*
 * Where sentences will go. The program may close descriptors and open others in their place, so what they lead to is remembered,
 * and a descriptor that was asked for is copied to where the program will hardly meet it.
 */
static void report_targets(void)
{
	if (ty_conf.report_fd == UINT32_MAX)
		return;
	int fd = (int)ty_conf.report_fd, high = ty_os_dup_high(fd);
	ty_conf.report_out = high > 0 ? high : fd;
	ty_conf.report_file = ty_os_file_id(ty_conf.report_out);
	if (!ty_conf.report_file)
		ty_conf.report_out = 0;
}

static bool is_static(void)
{
	/* (Of a program that is started by naming a dynamic linker libc gives the headers, too.) */
	const ElfW(Phdr) *p = (const ElfW(Phdr) *)getauxval(AT_PHDR);

	for (unsigned long i = 0, n = p ? getauxval(AT_PHNUM) : 0; i < n; i++)
		if (p[i].p_type == PT_INTERP)
			return false;
	return getauxval(AT_BASE) == 0;
}

/* (Apart, as stacks may be short.) */
static TY_NOINLINE void options_in_file(void)
{
	char file[CONF_FILE_MAX + 1];
	size_t n = ty_os_read_file(ty_conf.file, file, sizeof file);

	if (n > CONF_FILE_MAX) {
		ty_warn("option: file longer than 4096 bytes: the rest does not count", "", "", "");
		while (n && file[n - 1] != '\n')
			n--;
	}
	options(file, n, '\n', true);
}

TY_EVERY_START bool ty_conf_given(void)
{
	if (ty_conf.begun)
		return true;
	ty_conf.stderr_file = ty_os_file_id(2);
	return (&typed_malloc_options && typed_malloc_options) || environment() || ty_os_may_exist(ty_conf.file);
}

TY_START void ty_conf_init(void)
{
	bool secure = getauxval(AT_SECURE) != 0;

	ty_conf.begun = true;
	ty_conf.decay_ms = 100;
	ty_conf.max_keys = 65536;
	ty_conf.sample = TY_SAMPLE_KIB;
	ty_conf.faults = true;
	ty_conf.report = TY_REPORT_STDERR;
	ty_conf.report_fd = UINT32_MAX;
	if (!ty_conf.late)
		ty_conf.stderr_file = ty_os_file_id(2);
	ty_conf.site_levels = TY_CHAIN_MAX;
	ty_conf.static_program = is_static();
	set_policy(TY_DEFAULT_PARTITION, &ty_conf.partition, TY_POLICY_TYPED);
	set_policy(TY_DEFAULT_UNTYPED, &ty_conf.untyped, TY_POLICY_CALLSITE);

	if (!ty_conf.late) { /* or there were none at the start */
		if (!secure && &typed_malloc_options && typed_malloc_options)
			options(typed_malloc_options, strlen(typed_malloc_options), ':', false);
		options_in_file();
		const char *env = secure ? NULL : environment();
		if (env)
			options(env, strlen(env), ':', false);
	}

	report_targets();
	if (&typed_malloc_abort_hook)
		ty_conf.abort_hook = typed_malloc_abort_hook;
	ty_conf.avx2 = ty_os_avx2();
#if defined(__x86_64__)
	ty_conf.flip = ty_lzcnt(1);
#endif
	ty_conf.clock = (int (*)(clockid_t, struct timespec *))ty_os_clock();
	ty_conf.use_tokens = ty_conf.partition == TY_POLICY_TYPED;
	if (ty_conf.never_reuse)
		ty_conf.quarantine = 0;
	ty_conf.hold = ty_conf.never_reuse || ty_conf.quarantine;
	ty_conf.slow = ty_conf.stats || ty_conf.mismatch || ty_conf.hold;
	ty_track_init();
	ty_conf.parts = !ty_conf.guard_slabs && !ty_conf.hold && !ty_conf.checker;
	ty_os_random(&ty_conf.secret, sizeof ty_conf.secret);
	ty_os_random(ty_conf.canary, sizeof ty_conf.canary);
	ty_conf.canary[1] |= 1;
	ty_conf.canary[3] |= 1;
}
