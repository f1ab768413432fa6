/*
 * A program that filters its own system calls may know no mseal: from then on nothing is sealed. What filters nothing here changes
 * nothing. limits_sealing HOW, as in the table below; limits_sealing.sh says what is preloaded.
 */
#include "attack/attack.h"
#include "refuse.h"

enum { LOADED = 42 /* seccomp_module.c */, OBJECTS = 8000, SIZE = 1000 };

/* Is the memory sealed that the heap takes now? (All of this is more than any step in which it grows.) */
static bool seals(void)
{
	char *p = NULL;

	for (int i = 0; i < OBJECTS; i++)
		MUST(p = make(SIZE));
	int r = mprotect((void *)((uintptr_t)p & ~(PAGE - 1)), PAGE, PROT_READ | PROT_WRITE); /* what it has anyway */
	MUST(r == 0 || errno == EPERM);
	return r != 0;
}

static bool filter_nothing(void)
{
	struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};

	return install_filter(code, 1);
}

/* In a child that has our memory. */
static void in_child(bool (*limit)(void))
{
	int status;
	pid_t child = vfork();

	if (!child)
		_exit(limit() ? 0 : EXIT_SKIP);
	MUST(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
	if (WEXITSTATUS(status))
		_exit(EXIT_SKIP);
}

static int load(void)
{
	return ((int (*)(const void *))need_symbol("seccomp_load"))(&failures);
}
static bool loads(void) { return load() == LOADED; }

static void filter(void)
{
	if (!filter_nothing())
		_exit(EXIT_SKIP);
}
static void filter_in_child(void) { in_child(filter_nothing); }
static bool filter_nothing_by_call(void)
{
	struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct sock_fprog program = {1, code};

	/* The kernel reads no more than an int of either. */
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       syscall(5l << 32 | SYS_seccomp, 7ul << 32 | SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}
static void call(void)
{
	if (!filter_nothing_by_call())
		_exit(EXIT_SKIP);
}
static void call_in_child(void) { in_child(filter_nothing_by_call); }
static void call_refused(void) /* how one asks for a feature */
{
	CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 1 /* TSYNC */, NULL) == -1);
	CHECK(syscall(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0) == -1);
}
static void refused(void) { CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL) == -1); }
static void other_option(void) { CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)); }
static void load_here(void) { CHECK(loads()); }
static void load_in_child(void) { in_child(loads); }
static void no_libseccomp(void) { CHECK(load() == -ENOSYS); }

static const struct {
	const char *how;
	void (*run)(void);
	bool then_sealed;
} cases[] = {
	{"filter", filter, false},	 {"filter_in_child", filter_in_child, true}, {"refused", refused, true},
	{"other_option", other_option, true}, {"load", load_here, false},		     {"load_in_child", load_in_child, true},
	{"no_libseccomp", no_libseccomp, true}, {"call", call, false},		     {"call_in_child", call_in_child, true},
	{"call_refused", call_refused, true},
};

int main(int argc, char **argv)
{
	need_library();
	watchdog(60);
	for (size_t i = 0; argc == 2 && i < sizeof cases / sizeof *cases; i++)
		if (!strcmp(argv[1], cases[i].how)) {
			if (!seals()) {
				say("limits_sealing: skipped: nothing is sealed here");
				return EXIT_SKIP;
			}
			cases[i].run();
			CHECK(seals() == cases[i].then_sealed);
			return test_result(argv[1]);
		}
	return 2;
}
