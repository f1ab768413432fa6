#include "unit.h"

#include "conf.h"

/* Linked without the heap, which would have frozen the options by now. */

static bool option(const char *text) { return ty_conf_option(text, strlen(text)); }

Test(conf, defaults)
{
	ty_conf_init();
	cr_assert(ty_conf.decay_ms == 500 && ty_conf.max_keys == 65536 && !ty_conf.stats);
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
