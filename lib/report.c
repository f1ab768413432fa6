/* report.c: see report.h. */
#define _GNU_SOURCE
#include "report.h"
#include "conf.h"
#include "lock.h"
#include "os.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <string.h>
#include <time.h>

#define LINE_MAX_BYTES 512
#define NAME_MAX_BYTES 64 /* of a module or a program */
#define SYSLOG "/dev/log"
#define SYSLOG_DAEMON_CRIT "<26>" /* facility 3, severity 2 */
#define WAIT_MS 5000		  /* how long one thread waits for another to end the process */

void ty_text_str(struct ty_text *t, const char *s)
{
	while (*s && t->len < t->cap)
		t->buf[t->len++] = *s++;
}

static void number(struct ty_text *t, u64 n, unsigned base)
{
	char digits[24];
	size_t i = sizeof digits - 1;

	digits[i] = 0;
	do
		digits[--i] = "0123456789abcdef"[n % base];
	while (n /= base);
	ty_text_str(t, digits + i);
}

void ty_text_dec(struct ty_text *t, u64 n) { number(t, n, 10); }

void ty_text_hex(struct ty_text *t, u64 n)
{
	ty_text_str(t, "0x");
	number(t, n, 16);
}

void ty_text_col(struct ty_text *t, const char *s, int width)
{
	int pad = (width < 0 ? -width : width) - (int)strlen(s);

	for (; width > 0 && pad > 0; pad--)
		ty_text_str(t, " ");
	ty_text_str(t, s);
	for (; pad > 0; pad--)
		ty_text_str(t, " ");
}

void ty_text_dec_col(struct ty_text *t, u64 n, int width)
{
	char buf[24];
	struct ty_text one = {buf, 0, sizeof buf - 1};

	ty_text_dec(&one, n);
	buf[one.len] = 0;
	ty_text_col(t, buf, width);
}

/* A name from outside may be anything, and a sentence is one line. */
static void text_name(struct ty_text *t, const char *s)
{
	for (int i = 0; i < NAME_MAX_BYTES && *s; i++, s++) {
		char one[2] = {(unsigned char)*s < ' ' || *s == 0x7f ? '?' : *s, 0};
		ty_text_str(t, one);
	}
}

/*
 * Programs that change their title write over argv, so the name is taken early: where it costs no page of its own, or, if
 * that page is read-only by then, here.
 */
static char program[sizeof ty_conf.program];

const char *ty_program_name(void)
{
	const char *name = program_invocation_short_name;
	return ty_conf.program[0] ? ty_conf.program : program[0] ? program : name && *name ? name : "?";
}

static long zone; /* seconds that local time is ahead of UTC, for syslog */

TY_EVERY_START void ty_report_init(void)
{
	const char *name = ty_program_name();
	size_t n = strlen(name);
	memcpy(ty_conf.late ? ty_conf.program : program, name, n < sizeof program ? n : sizeof program - 1);
	if (ty_conf.report & TY_REPORT_SYSLOG) {
		time_t now = (time_t)ty_os_time();
		struct tm tm;
		if (localtime_r(&now, &tm))
			zone = tm.tm_gmtoff;
	}
}

void ty_text_who(struct ty_text *t)
{
	text_name(t, ty_program_name());
	ty_text_str(t, "[");
	ty_text_dec(t, (u64)ty_os_pid());
	ty_text_str(t, "]");
}

void ty_text_prefix(struct ty_text *t)
{
	ty_text_str(t, "typed_malloc: ");
	ty_text_who(t);
	ty_text_str(t, " ");
}

/*
 * The dynamic linker's own table, which it reads without a lock. Its entries of modules that came by dlopen lie in our heap, so
 * that what they point to is looked at with care.
 */
bool ty_text_object(struct ty_text *t, uintptr_t at)
{
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 35)
	struct dl_find_object found;

	if (_dl_find_object((void *)at, &found) != 0)
		return false;
	const struct link_map *m = found.dlfo_link_map;
	if (!ty_os_readable(&m->l_addr) || !ty_os_readable(&m->l_name) || !ty_os_readable(m->l_name))
		return false;
	const char *name = m->l_name;
	for (const char *s = name; s - name < 4096; s++) {
		if ((uintptr_t)s % 4096 == 0 && !ty_os_readable(s))
			return false;
		if (!*s)
			break;
		if (*s == '/')
			name = s + 1;
	}
	text_name(t, *name ? name : ty_program_name());
	ty_text_str(t, "+");
	ty_text_hex(t, at - m->l_addr);
	return true;
#else
	(void)t;
	(void)at;
	return false;
#endif
}

static void two_digits(struct ty_text *t, u64 n, const char *pad)
{
	if (n < 10)
		ty_text_str(t, pad);
	ty_text_dec(t, n);
}

/* "Oct  9 07:05:01 ", as RFC 3164 wants it. */
static void text_time(struct ty_text *t, u64 now)
{
	static const char months[12][4] = {"Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Jan", "Feb"};
	u64 day = now / 86400 + 719468, s = now % 86400; /* days since the 1st of March of year 0 */
	u64 of_era = day % 146097;			 /* 400 years */
	u64 year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	u64 of_year = of_era - (365 * year + year / 4 - year / 100), month = (5 * of_year + 2) / 153;

	ty_text_str(t, months[month]);
	ty_text_str(t, " ");
	two_digits(t, of_year - (153 * month + 2) / 5 + 1, " ");
	ty_text_str(t, " ");
	two_digits(t, s / 3600, "0");
	ty_text_str(t, ":");
	two_digits(t, s / 60 % 60, "0");
	ty_text_str(t, ":");
	two_digits(t, s % 60, "0");
	ty_text_str(t, " ");
}

/* what: the sentence without the prefix. */
static void TY_NOINLINE to_syslog(const char *what)
{
	char buf[LINE_MAX_BYTES + 80];
	struct ty_text t = {buf, 0, sizeof buf - 1};

	ty_text_str(&t, SYSLOG_DAEMON_CRIT);
	text_time(&t, ty_os_time() + (u64)zone);
	text_name(&t, ty_program_name());
	ty_text_str(&t, "[");
	ty_text_dec(&t, (u64)ty_os_pid());
	ty_text_str(&t, "]: typed_malloc: ");
	ty_text_str(&t, what);
	if (t.buf[t.len - 1] == '\n')
		t.len--;
	buf[t.len] = 0;
	ty_os_send(SYSLOG, buf, t.len);
}

/*
 * A whole line, which a zero follows; its sentence begins at `prefix`. A filter may end us at any step, so the surest
 * comes first.
 */
/*
 * A process that must end does not wait for the reader of its standard error, who may be asleep: the others would go on
 * all the while.
 */
#define PATIENCE_MS 1000
static void write_out(int fd, const char *line, size_t n)
{
	if (ty_os_may_write(fd, PATIENCE_MS))
		ty_os_write(fd, line, n);
}

static void emit(const char *line, size_t n, size_t prefix)
{
	u64 fd2 = ty_os_file_id(2);

	if (ty_conf.report & TY_REPORT_STDERR && ty_os_is_log(2, ty_conf.stderr_file))
		write_out(2, line, n);
	else
		fd2 = 0;
	if (ty_conf.report_out) {
		u64 file = ty_os_file_id(ty_conf.report_out);
		if (file == ty_conf.report_file && file != fd2)
			write_out(ty_conf.report_out, line, n);
	}
	if (ty_conf.report & TY_REPORT_SYSLOG)
		to_syslog(line + prefix);
}

void ty_warn(const char *a, const char *b, const char *c, const char *d)
{
	char buf[LINE_MAX_BYTES];
	struct ty_text t = {buf, 0, sizeof buf - 2};

	ty_text_prefix(&t);
	size_t prefix = t.len;
	ty_text_str(&t, a);
	ty_text_str(&t, b);
	ty_text_str(&t, c);
	ty_text_str(&t, d);
	buf[t.len++] = '\n';
	buf[t.len] = 0;
	u64 mask = ty_os_block_signals(); /* nobody may read standard error any more */
	emit(buf, t.len, prefix);
	ty_os_set_signals(mask);
}

void ty_report_stack(const char *what, const uintptr_t *site, unsigned n, u32 tid)
{
	enum { REST = 32, ONE = 24 }; /* bytes for what follows, for an address */
	char buf[LINE_MAX_BYTES];
	struct ty_text t = {buf, 0, sizeof buf - REST};

	ty_text_prefix(&t);
	size_t prefix = t.len;
	ty_text_str(&t, "  ");
	ty_text_str(&t, what);
	ty_text_str(&t, n ? " " : " an unknown caller");
	for (unsigned i = 0; i < n && t.cap - t.len > ONE; i++) {
		size_t len = t.len;
		if (!i)
			ty_text_hex(&t, site[i]);
		ty_text_str(&t, i ? " < " : " ");
		if (!ty_text_object(&t, site[i]) && i)
			ty_text_hex(&t, site[i]);
		if (t.len == t.cap)
			t.len = i ? len : t.len; /* not half of one */
	}
	t.cap = sizeof buf - 2;
	ty_text_str(&t, " (thread ");
	ty_text_dec(&t, tid);
	ty_text_str(&t, ")\n");
	buf[t.len] = 0;
	u64 mask = ty_os_block_signals();
	emit(buf, t.len, prefix);
	ty_os_set_signals(mask);
}

/* The thread that ends the process: pid << 32 | tid. Atomic. A pid that is not ours is left from before fork. */
static u64 reporter;

/*
 * The first thread reports; others wait for the end, which they bring about themselves if it does not come. False: for
 * a thread that has waited in vain, and for the reporter's second crime, in its hook or a handler.
 */
static bool first_to_report(void)
{
	u64 me = (u64)(u32)ty_os_pid() << 32 | (u32)ty_os_tid(), was = TY_LOAD(&reporter);
	u64 end = ty_os_now_ms() + WAIT_MS;

	for (;;) {
		if (was >> 32 != me >> 32) {
			if (__atomic_compare_exchange_n(&reporter, &was, me, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
				return true;
			continue;
		}
		if (was == me || ty_os_now_ms() >= end)
			return false;
		ty_os_wait_ms(20);
	}
}

/* Above us; what has no heap has no need of it. */
extern TY_HIDDEN void ty_tcache_abandon(void) __attribute__((weak));
extern TY_HIDDEN void ty_sample_say(const void *p) __attribute__((weak));

void ty_die(const char *fn, const char *crime, const void *p, const char *detail)
{
	char buf[LINE_MAX_BYTES];
	struct ty_text t = {buf, 0, sizeof buf - 2};
	u64 mask = ty_os_block_signals();
	bool first = first_to_report();

	ty_text_prefix(&t);
	size_t prefix = t.len;
	ty_text_str(&t, fn);
	ty_text_str(&t, "(): ");
	ty_text_str(&t, crime);
	ty_text_str(&t, " ");
	ty_text_hex(&t, (uintptr_t)p);
	if (detail) {
		ty_text_str(&t, " (");
		ty_text_str(&t, detail);
		ty_text_str(&t, ")");
	}
	buf[t.len++] = '\n';
	buf[t.len] = 0;
	emit(buf, t.len, prefix);
	if (ty_sample_say)
		ty_sample_say(p);
	if (ty_conf.core)
		ty_os_raise_core_limit();
	if (first) {
		/* The hook and handlers of SIGABRT may allocate. */
		ty_lock_dying(__builtin_frame_address(0));
		if (ty_tcache_abandon)
			ty_tcache_abandon();
		ty_os_set_signals(mask | TY_MASK_SIGPIPE);
		if (ty_conf.abort_hook)
			ty_conf.abort_hook(buf, t.len);
	}
	ty_os_abort(first);
}
