#include "unit.h"

#include "report.h"

static char buf[64];

Test(report, text)
{
	struct ty_text t = {buf, 0, sizeof buf - 1};
	ty_text_str(&t, "a ");
	ty_text_dec(&t, 0);
	ty_text_str(&t, " ");
	ty_text_dec(&t, 18446744073709551615ull);
	ty_text_str(&t, " ");
	ty_text_hex(&t, 0);
	ty_text_hex(&t, 0xdeadbeef01ull);
	buf[t.len] = 0;
	cr_assert_str_eq(buf, "a 0 18446744073709551615 0x00xdeadbeef01");
}

Test(report, columns)
{
	struct ty_text t = {buf, 0, sizeof buf - 1};
	ty_text_col(&t, "ab", 4);
	ty_text_col(&t, "cd", -4);
	ty_text_dec_col(&t, 7, 3);
	ty_text_dec_col(&t, 12345, 3);
	buf[t.len] = 0;
	cr_assert_str_eq(buf, "  abcd    712345");
}

Test(report, never_overruns)
{
	memset(buf, '#', sizeof buf);
	struct ty_text t = {buf, 0, 20};
	for (int i = 0; i < 20; i++) {
		ty_text_str(&t, "long enough to be cut");
		ty_text_hex(&t, ~0ull);
		ty_text_dec_col(&t, 5, 30);
	}
	cr_assert(t.len == 20);
	for (size_t i = 20; i < sizeof buf; i++)
		cr_assert(buf[i] == '#');
}

static void die(void *detail) { ty_die("free", "double free of", (void *)0x1234, detail); }

static char detail[] = "type token 0x7, 96-byte cache";

Test(report, die)
{
	char want[200];
	ASSERT_DIES(die, NULL, "] free(): double free of 0x1234\n");
	ASSERT_DIES(die, detail, "] free(): double free of 0x1234 (type token 0x7, 96-byte cache)\n");
	snprintf(want, sizeof want, "typed_malloc: %s[", program_invocation_short_name);
	ASSERT_DIES(die, NULL, want);
	static char endless[3000];
	memset(endless, 'x', sizeof endless - 1);
	char text[4096];
	cr_assert(death_of(die, endless, text, sizeof text) == SIGABRT);
	cr_assert(strlen(text) <= 512 && text[strlen(text) - 1] == '\n', "cut, but a line");
}
