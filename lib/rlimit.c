/*
 * rlimit.c: a limit on address space that is set after the start (vsftpd, uwsgi and many a script do that) would be
 * used up by what the heap has reserved. So that is given back; from then on the heap takes address space as it grows,
 * and the limit binds it, too.
 */
#define _GNU_SOURCE
#include "heap.h"

#include <dlfcn.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#ifdef __GLIBC__
/* libc's; NULL: a static program's. */
static void *libcs(const char *name) { return dlsym(RTLD_NEXT, name); }
static int by_system(pid_t pid, int resource, const struct rlimit *r, struct rlimit *old)
{
	return (int)syscall(SYS_prlimit64, (long)pid, (long)resource, r, old);
}

static void note(int failed, int resource, const struct rlimit *r)
{
	bool limited = !failed && resource == RLIMIT_AS && r && r->rlim_cur != RLIM_INFINITY;

	if (limited && TY_LOAD_ACQ(&ty_heap_state) == 2 && !ty_conf.checker && ty_random_own() && ty_region_release())
		ty_meta_release();
}

/* On 64-bit systems the two structures are the same. */
_Static_assert(sizeof(struct rlimit) == sizeof(struct rlimit64), "one limit");

TY_HOOK int setrlimit(__rlimit_resource_t resource, const struct rlimit *r)
{
	int (*f)(__rlimit_resource_t, const struct rlimit *) =
		(int (*)(__rlimit_resource_t, const struct rlimit *))libcs("setrlimit");
	int failed = f ? f(resource, r) : by_system(0, (int)resource, r, NULL);
	note(failed, (int)resource, r);
	return failed;
}

TY_HOOK int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *r)
{
	return setrlimit(resource, (const struct rlimit *)(const void *)r);
}

TY_HOOK int prlimit(pid_t pid, __rlimit_resource_t resource, const struct rlimit *r, struct rlimit *old)
{
	int (*f)(pid_t, __rlimit_resource_t, const struct rlimit *, struct rlimit *) =
		(int (*)(pid_t, __rlimit_resource_t, const struct rlimit *, struct rlimit *))libcs("prlimit");
	int failed = f ? f(pid, resource, r, old) : by_system(pid, (int)resource, r, old);
	if (!pid || pid == ty_os_pid())
		note(failed, (int)resource, r);
	return failed;
}

TY_HOOK int prlimit64(pid_t pid, __rlimit_resource_t resource, const struct rlimit64 *r, struct rlimit64 *old)
{
	return prlimit(pid, resource, (const struct rlimit *)(const void *)r, (struct rlimit *)(void *)old);
}
#endif
