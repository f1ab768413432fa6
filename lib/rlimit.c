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
void ty_limit_before(int resource)
{
	/* A child of vfork must not start the heap for its parent, and counts for it. */
	if (resource == RLIMIT_AS && (TY_LOAD_ACQ(&ty_heap_state) || !ty_os_is_cloned()))
		ty_heap_start();
}

void ty_limit_after(bool failed, int pid, int resource, const struct rlimit *r)
{
	__asm__("" : "+r"(r)); /* libc's headers say that it is never NULL */
	bool limited = !failed && resource == RLIMIT_AS && r && r->rlim_cur != RLIM_INFINITY && (!pid || pid == ty_os_pid());

	if (limited && TY_LOAD_ACQ(&ty_heap_state) == 2 && !ty_conf.checker && ty_random_own() && ty_region_release())
		ty_meta_release();
}

void ty_before_lock(void)
{
	ty_heap_start();
	ty_os_may_lock();
}

/* On 64-bit systems the two structures are the same. */
_Static_assert(sizeof(struct rlimit) == sizeof(struct rlimit64), "one limit");

typedef int sets(int resource, const struct rlimit *);
typedef int gets(pid_t, int resource, const struct rlimit *, struct rlimit *);
static int prlimit_by_hand(pid_t pid, int resource, const struct rlimit *r, struct rlimit *old)
{
	return (int)ty_syscall(SYS_prlimit64, (long)pid, (long)resource, r, old);
}
static int setrlimit_by_hand(int resource, const struct rlimit *r) { return prlimit_by_hand(0, resource, r, NULL); }
static int mlockall_by_hand(int flags) { return (int)ty_syscall(SYS_mlockall, (long)flags); }

static int set(sets *f, int resource, const struct rlimit *r)
{
	ty_limit_before(resource);
	int failed = f(resource, r);
	ty_limit_after(failed, 0, resource, r);
	return failed;
}

static int change(gets *f, pid_t pid, int resource, const struct rlimit *r, struct rlimit *old)
{
	struct rlimit was;
	bool over = old && old == r; /* what is set is written over */

	ty_limit_before(resource);
	int failed = f(pid, resource, r, over ? &was : old);
	ty_limit_after(failed, pid, resource, r);
	if (over && !failed)
		*old = was;
	return failed;
}

/* The next library's functions: FIND(name) returns it. */
#define FIND(name, type, otherwise)                                                                            \
	static type *find_##name(void)                                                                        \
	{                                                                                                     \
		static void *next;                                                                            \
		return (type *)ty_next_kept(&next, #name, (void *)name, (void *)otherwise);                    \
	}
FIND(setrlimit, sets, setrlimit_by_hand)
FIND(setrlimit64, sets, setrlimit_by_hand)
FIND(prlimit, gets, prlimit_by_hand)
FIND(prlimit64, gets, prlimit_by_hand)
typedef int locks(int flags);
FIND(mlockall, locks, mlockall_by_hand)

TY_HOOK int setrlimit(__rlimit_resource_t resource, const struct rlimit *r) { return set(find_setrlimit(), (int)resource, r); }

TY_HOOK int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *r)
{
	return set(find_setrlimit64(), (int)resource, (const struct rlimit *)(const void *)r);
}

TY_HOOK int prlimit(pid_t pid, __rlimit_resource_t resource, const struct rlimit *r, struct rlimit *old)
{
	return change(find_prlimit(), pid, (int)resource, r, old);
}

TY_HOOK int prlimit64(pid_t pid, __rlimit_resource_t resource, const struct rlimit64 *r, struct rlimit64 *old)
{
	return change(find_prlimit64(), pid, (int)resource, (const struct rlimit *)(const void *)r, (struct rlimit *)(void *)old);
}

TY_HOOK int mlockall(int flags)
{
	ty_before_lock();
	return find_mlockall()(flags);
}

TY_START void ty_rlimit_init(void)
{
	find_setrlimit();
	find_setrlimit64();
	find_prlimit();
	find_prlimit64();
	find_mlockall();
}
#endif
