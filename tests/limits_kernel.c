/*
 * Starts a program as an older kernel would: limits_kernel WHAT[,WHAT...] PROGRAM ARG... Unlike in limits_syscalls, what is refused is
 * refused from the library's own start on. Exit status 77: no filters here, or nothing to refuse.
 */
#include "refuse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FLAGS = 3, ADVICE = 2, NO_ARGUMENT = 9, SKIP = 77, USAGE = 2, KILL_PROCESS = -1, KILL_THREAD = -2, TRAP = -3 };

/* All system calls, or only those with the value, or with that bit, as their argument. */
static const struct {
	const char *name;
	int call;
	unsigned argument, value;
	bool is_bit;
	int error;
} refusals[] = {
	{"guards", SYS_madvise, ADVICE, 102, false, EINVAL}, /* Linux 6.13 */
	{"guards", SYS_madvise, ADVICE, 103, false, EINVAL},
	{"locked", SYS_madvise, ADVICE, 24, false, EINVAL},	    /* 5.18 */
	{"cold", SYS_madvise, ADVICE, 20, false, EINVAL},	    /* 5.4 */
	{"wipe", SYS_madvise, ADVICE, 18, false, EINVAL},	    /* 4.14 */
	{"dontunmap", SYS_mremap, FLAGS, 4, true, EINVAL},	    /* 5.7 */
	{"noreplace", SYS_mmap, FLAGS, 0x100000, true, EOPNOTSUPP}, /* 4.17 */
	{"mseal", SYS_mseal, NO_ARGUMENT, 0, false, ENOSYS},	    /* 6.10 */
	{"getrandom", SYS_getrandom, NO_ARGUMENT, 0, false, ENOSYS}, /* 3.17 */
	{"madvise", SYS_madvise, NO_ARGUMENT, 0, false, EPERM},
	{"mremap", SYS_mremap, NO_ARGUMENT, 0, false, EPERM},
	{"process-mseal", SYS_mseal, NO_ARGUMENT, 0, false, KILL_PROCESS}, /* filters of service managers older than the call */
	{"thread-mseal", SYS_mseal, NO_ARGUMENT, 0, false, KILL_THREAD},
	{"trap-mseal", SYS_mseal, NO_ARGUMENT, 0, false, TRAP},
	{"pretended", SYS_madvise, ADVICE, 102, false, 0}, /* gVisor, qemu: any advice is taken, and nothing done */
	{"pretended", SYS_madvise, ADVICE, 103, false, 0},
	{"prlimit", SYS_prlimit64, NO_ARGUMENT, 0, false, EPERM},
};

/* The filter does what it says: the kernel's guards are what the library asks for first. */
static bool has_guards(void)
{
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED || madvise(p, 4096, 102) == 0;
}

static bool refuse_by_name(const char *name)
{
	bool known = false;

	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
		if (strcmp(refusals[i].name, name) != 0)
			continue;
		known = true;
		int error = refusals[i].error;
		bool ok = error < 0 ? answer(refusals[i].call, error == KILL_PROCESS ? SECCOMP_RET_KILL_PROCESS
								 : error == KILL_THREAD ? SECCOMP_RET_KILL_THREAD : SECCOMP_RET_TRAP)
			  : refusals[i].argument == NO_ARGUMENT ? refuse(refusals[i].call, refusals[i].error)
							      : refuse_only(refusals[i].call, refusals[i].argument, refusals[i].value,
									    refusals[i].is_bit, refusals[i].error);
		if (!ok) {
			fprintf(stderr, "limits_kernel: skipped: no filter here: %s\n", strerror(errno));
			_exit(SKIP);
		}
	}
	return known;
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: limits_kernel WHAT[,WHAT...] PROGRAM ARG...\n");
		return USAGE;
	}
	bool guards = strstr(argv[1], "guards") == NULL;
	for (char *name = strtok(argv[1], ","); name; name = strtok(NULL, ","))
		if (!refuse_by_name(name)) {
			fprintf(stderr, "limits_kernel: nothing to refuse is called %s\n", name);
			return USAGE;
		}
	if (!guards && has_guards()) {
		fprintf(stderr, "limits_kernel: the filter lets guards pass\n");
		return 1;
	}
	execvp(argv[2], argv + 2);
	fprintf(stderr, "limits_kernel: %s: %s\n", argv[2], strerror(errno));
	return 1;
}
