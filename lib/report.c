/* report.c: see report.h. */
#define _GNU_SOURCE
#include "report.h"
#include "lock.h"
#include "os.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 512

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

/* Programs that change their title write over argv, so the name is taken early. */
static char program[64];

const char *ty_program_name(void)
{
	const char *name = program_invocation_short_name;
	return program[0] ? program : name && *name ? name : "?";
}

void ty_report_init(void)
{
	const char *name = ty_program_name();
	size_t n = strlen(name);
	memcpy(program, name, n < sizeof program ? n : sizeof program - 1);
}

void ty_text_prefix(struct ty_text *t)
{
	ty_text_str(t, "typed_malloc: ");
	ty_text_str(t, ty_program_name());
	ty_text_str(t, "[");
	ty_text_dec(t, (u64)ty_os_pid());
	ty_text_str(t, "] ");
}

void ty_warn(const char *a, const char *b, const char *c, const char *d)
{
	char buf[LINE_MAX_BYTES];
	struct ty_text t = {buf, 0, sizeof buf - 1};

	ty_text_prefix(&t);
	ty_text_str(&t, a);
	ty_text_str(&t, b);
	ty_text_str(&t, c);
	ty_text_str(&t, d);
	buf[t.len++] = '\n';
	ty_os_write(2, buf, t.len);
}

void ty_die(const char *fn, const char *crime, const void *p, const char *detail)
{
	char buf[LINE_MAX_BYTES];
	struct ty_text t = {buf, 0, sizeof buf - 1};

	ty_text_prefix(&t);
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
	ty_os_write(2, buf, t.len);
	ty_fork_depth++; /* a handler of SIGABRT may allocate, and this thread may hold a lock */
	abort();
}
