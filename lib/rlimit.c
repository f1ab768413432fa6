/*
 * rlimit.c: a limit on address space that is set after the start (vsftpd, uwsgi and many a script do that) would be
 * used up by what the heap has reserved. So that is given back; from then on the heap takes address space as it grows,
 * and the limit binds it, too.
 */
#define _GNU_SOURCE
#include "heap.h"

#include <dlfcn.h>
#include <errno.h>
#include <sys/resource.h>
#include <sys/types.h>

#ifdef __GLIBC__
static void *libcs(const char *name)
{
	void *f = dlsym(RTLD_NEXT, name);

	if (!f)
		errno = ENOSYS;
	return f;
}

static void note(int failed, int resource, const struct rlimit *r)
{
	bool limited = !failed && resource == RLIMIT_AS && r && r->rlim_cur != RLIM_INFINITY;

	if (limited && TY_LOAD_ACQ(&ty_heap_state) == 2 && !ty_conf.checker && ty_random_own() && ty_region_release())
		ty_meta_release();
}

/* On 64-bit systems the two structures are the same. */
_Static_assert(sizeof(struct rlimit) == sizeof(struct rlimit64), "one limit");

TY_EXPORT int setrlimit(__rlimit_resource_t resource, const struct rlimit *r)
{
	int (*f)(__rlimit_resource_t, const struct rlimit *) =
		(int (*)(__rlimit_resource_t, const struct rlimit *))libcs("setrlimit");
	int failed = f ? f(resource, r) : -1;
	note(failed, (int)resource, r);
	return failed;
}

TY_EXPORT int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *r)
{
	return setrlimit(resource, (const struct rlimit *)(const void *)r);
}

TY_EXPORT int prlimit(pid_t pid, __rlimit_resource_t resource, const struct rlimit *r, struct rlimit *old)
{
	int (*f)(pid_t, __rlimit_resource_t, const struct rlimit *, struct rlimit *) =
		(int (*)(pid_t, __rlimit_resource_t, const struct rlimit *, struct rlimit *))libcs("prlimit");
	int failed = f ? f(pid, resource, r, old) : -1;
	if (!pid || pid == ty_os_pid())
		note(failed, (int)resource, r);
	return failed;
}

TY_EXPORT int prlimit64(pid_t pid, __rlimit_resource_t resource, const struct rlimit64 *r, struct rlimit64 *old)
{
	return prlimit(pid, resource, (const struct rlimit *)(const void *)r, (struct rlimit *)(void *)old);
}
#endif
