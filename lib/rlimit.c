/*
 * rlimit.c: a limit on address space that is set after the start (vsftpd, uwsgi and many a script do that) would be
 * used up by what the heap has reserved. So that is given back; from then on the heap takes address space as it grows,
 * and the limit binds it, too. It may be raised again, so the heap starts before. And what is to be locked in memory as soon as it
 * is mapped could not be reserved where little may be locked: before that the heap starts, too.
 */
#define _GNU_SOURCE
#include "dlopen.h"
#include "heap.h"
#include "os_linux.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/types.h>

#ifdef __GLIBC__
static int by_system(pid_t pid, int resource, const struct rlimit *r, struct rlimit *old)
{
	return (int)ty_syscall(SYS_prlimit64, (long)pid, (long)resource, r, old);
}

void ty_limit_before(int resource)
{
	if (resource == RLIMIT_AS)
		ty_heap_start();
}

void ty_limit_after(bool failed, int pid, int resource, const struct rlimit *r)
{
	bool limited = !failed && resource == RLIMIT_AS && r && r->rlim_cur != RLIM_INFINITY && (!pid || pid == ty_os_pid());

	if (limited && TY_LOAD_ACQ(&ty_heap_state) == 2 && !ty_conf.checker && ty_random_own() && ty_region_release())
		ty_meta_release();
}

/* On 64-bit systems the two structures are the same. */
_Static_assert(sizeof(struct rlimit) == sizeof(struct rlimit64), "one limit");

/* The next library's functions, libc's as a rule; NULL: a static program's. */
TY_HOOK int setrlimit(__rlimit_resource_t resource, const struct rlimit *r)
{
	ty_limit_before((int)resource);
	int (*f)(__rlimit_resource_t, const struct rlimit *) =
		(int (*)(__rlimit_resource_t, const struct rlimit *))ty_next_symbol("setrlimit", (void *)setrlimit);
	int failed = f ? f(resource, r) : by_system(0, (int)resource, r, NULL);
	ty_limit_after(failed, 0, (int)resource, r);
	return failed;
}

TY_HOOK int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *r)
{
	return setrlimit(resource, (const struct rlimit *)(const void *)r);
}

TY_HOOK int prlimit(pid_t pid, __rlimit_resource_t resource, const struct rlimit *r, struct rlimit *old)
{
	ty_limit_before((int)resource);
	int (*f)(pid_t, __rlimit_resource_t, const struct rlimit *, struct rlimit *) =
		(int (*)(pid_t, __rlimit_resource_t, const struct rlimit *, struct rlimit *))ty_next_symbol("prlimit", (void *)prlimit);
	int failed = f ? f(pid, resource, r, old) : by_system(pid, (int)resource, r, old);
	ty_limit_after(failed, pid, (int)resource, r);
	return failed;
}

TY_HOOK int prlimit64(pid_t pid, __rlimit_resource_t resource, const struct rlimit64 *r, struct rlimit64 *old)
{
	return prlimit(pid, resource, (const struct rlimit *)(const void *)r, (struct rlimit *)(void *)old);
}

void ty_before_lock(void)
{
	ty_heap_start();
	ty_os_may_lock();
}

TY_HOOK int mlockall(int flags)
{
	ty_before_lock();
	int (*f)(int) = (int (*)(int))ty_next_symbol("mlockall", (void *)mlockall);
	return f ? f(flags) : (int)ty_syscall(SYS_mlockall, (long)flags);
}
#endif
