#include "unit.h"

#include "conf.h"

#include <stdlib.h>

/* Linked without the heap, which would have frozen the options by now. */

static bool option(const char *text) { return ty_conf_option(text, strlen(text)); }

Test(conf, defaults)
{
	ty_conf_init();
	cr_assert(ty_conf.decay_ms == 100 && ty_conf.max_keys == 65536 && !ty_conf.stats);
	cr_assert(ty_conf.secret != 0);
	cr_assert_str_eq(ty_policy_name(TY_POLICY_CALLSITE), "callsite");
	cr_assert_str_eq(ty_policy_name(TY_POLICY_TYPED), "typed");
}

Test(conf, good_options)
{
	cr_assert(option("partition=none") && ty_conf.partition == TY_POLICY_NONE);
	cr_assert(option("partition=random") && ty_conf.partition == TY_POLICY_RANDOM);
	cr_assert(option("partition=typed") && ty_conf.partition == TY_POLICY_TYPED);
	cr_assert(option("untyped=callsite") && ty_conf.untyped == TY_POLICY_CALLSITE);
	cr_assert(option("untyped=none") && ty_conf.untyped == TY_POLICY_NONE);
	cr_assert(option("decay_ms=0") && ty_conf.decay_ms == 0);
	cr_assert(option("decay_ms=1234") && ty_conf.decay_ms == 1234);
	cr_assert(option("max_keys=16") && ty_conf.max_keys == 16);
	cr_assert(option("stats=1") && ty_conf.stats && !ty_conf.stats_path[0]);
	cr_assert(option("stats=/tmp/x.%p") && ty_conf.stats && !strcmp(ty_conf.stats_path, "/tmp/x.%p"));
	cr_assert(option("stats=stderr") && ty_conf.stats && !ty_conf.stats_path[0]);
	cr_assert(option("stats=0") && !ty_conf.stats);
	cr_assert(ty_conf_option("decay_ms=77junk behind", 11) && ty_conf.decay_ms == 77, "n bytes, not more");
}

/* What is refused changes nothing. */
Test(conf, bad_options)
{
	static const char *const bad[] = {"partition=callsite",
					  "untyped=typed",
					  "partition=",
					  "partition",
					  "decay_ms=",
					  "decay_ms=-1",
					  "decay_ms=1x",
					  "decay_ms=0x10",
					  "decay_ms= 1",
					  "decay_ms=18446744073709551617",
					  "max_keys=99999999999",
					  "stats=",
					  "unknown=1",
					  "",
					  "=",
					  "=x",
					  "partition=none=none"};
	union ty_frozen_page before;
	ty_conf_init();
	memcpy(&before, &ty_frozen_page, sizeof before);
	int null = dup(2);
	cr_assert(freopen("/dev/null", "w", stderr));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		cr_assert(!option(bad[i]), "%s", bad[i]);
		cr_assert(!memcmp(&before, &ty_frozen_page, sizeof before), "%s", bad[i]);
	}
	char longest[2000];
	memset(longest, 'x', sizeof longest);
	cr_assert(!ty_conf_option(longest, sizeof longest));
	memcpy(longest, "stats=", 6);
	cr_assert(!ty_conf_option(longest, sizeof longest) && !ty_conf_option(longest, 400));
	dup2(null, 2);
}

static void unknown(void *arg)
{
	(void)arg;
	option("nonsense=1");
	option("partition=maybe");
	abort();
}

Test(conf, messages)
{
	ASSERT_DIES(unknown, NULL, "] option: unknown option \"nonsense\"\n");
	ASSERT_DIES(unknown, NULL, "] option: bad value \"maybe\" for option \"partition\"\n");
}

/* Numbers and flags: the least, the most, and what is beyond. */
Test(conf, ranges)
{
	static const struct {
		const char *good[3], *bad[3];
	} rows[] = {
		{{"guard=slab", "guard=large"}, {"guard=", "guard=none", "guard=1"}},
		{{"site_levels=1", "site_levels=2"}, {"site_levels=0", "site_levels=1000000"}},
		{{"max_keys=0", "max_keys=4194304"}, {"max_keys=4194305"}},
		{{"report=none", "report=syslog", "report=both"}, {"report=", "report=all"}},
		{{"report_fd=0", "report_fd=2147483647"}, {"report_fd=2147483648", "report_fd=-1"}},
		{{"sweep=0", "sweep=1"}, {"sweep=2", "sweep=yes"}},
		{{"never_reuse=0", "never_reuse=1"}, {"never_reuse=2", "never_reuse="}},
		{{"mismatch=0", "mismatch=1"}, {"mismatch=2", "mismatch=on"}},
		{{"quarantine=0", "quarantine=1048576"}, {"quarantine=1048577", "quarantine"}},
		{{"sample=0", "sample=1"}, {"sample=99999999999", "sample=x"}},
		{{"faults=0", "faults=1"}, {"faults=2"}},
		{{"core=0", "core=1"}, {"core=2"}},
		{{"deepbind=0", "deepbind=1"}, {"deepbind=2", "deepbind"}},
		{{"sized=1", "sized=0"}, {"sized=2", "sized="}},
		{{"seal=1", "seal=0"}, {"seal=2", "seal=no"}},
		{{"valgrind_zero=0", "valgrind_zero=2"}, {"valgrind_zero=3"}},
		{{"decay_ms=86400000"}, {"decay_ms=86400001"}},
	};
	cr_assert(freopen("/dev/null", "w", stderr));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (int k = 0; k < 3; k++) {
			cr_assert(!rows[i].good[k] || option(rows[i].good[k]), "%s", rows[i].good[k]);
			cr_assert(!rows[i].bad[k] || !option(rows[i].bad[k]), "%s", rows[i].bad[k]);
		}
	cr_assert(!ty_conf.guard_slabs && ty_conf.site_levels == 2 && ty_conf.max_keys == 1u << 22);
	cr_assert(ty_conf.report == (TY_REPORT_STDERR | TY_REPORT_SYSLOG));
	cr_assert(ty_conf.sweep && ty_conf.never_reuse && ty_conf.mismatch && ty_conf.quarantine == 1u << 20 && ty_conf.sample == 1);
	cr_assert(ty_conf.faults && ty_conf.core && ty_conf.deepbind && ty_conf.unsized && ty_conf.unsealed && ty_conf.report_fd == INT32_MAX && ty_conf.decay_ms == 86400000);
}

/* The environment is read at the start: blanks around an item do not count, nor does what is empty; what is bad is left out. */
Test(conf, environment)
{
	cr_assert(freopen("/dev/null", "w", stderr));
	setenv("TYPED_MALLOC_OPTIONS", " sweep=1 ::\tdecay_ms=7\t:nonsense:untyped=random:quarantine=5:never_reuse=1:report_fd=2:#core=1", 1);
	ty_conf_init();
	cr_assert(ty_conf.sweep && ty_conf.decay_ms == 7 && ty_conf.untyped == TY_POLICY_RANDOM && !ty_conf.core);
	cr_assert(ty_conf.never_reuse && !ty_conf.quarantine && ty_conf.hold && ty_conf.slow, "nothing is released, so nothing waits");
	cr_assert(ty_conf.report_out >= 200 && ty_conf.report_file, "a copy that the program will hardly close");
	setenv("TYPED_MALLOC_OPTIONS", "partition=none:report_fd=123", 1);
	ty_conf_init();
	cr_assert(!ty_conf.use_tokens && !ty_conf.report_out, "nothing is open there");
	unsetenv("TYPED_MALLOC_OPTIONS");
	ty_conf_init();
	cr_assert(ty_conf.decay_ms == 100 && ty_conf.sample && ty_conf.faults);
}
