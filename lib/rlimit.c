/*
 * rlimit.c: a limit on address space that is set after the start (vsftpd, uwsgi and many a script do that) would be
 * used up by what the heap has reserved. So that is given back; from then on the heap takes address space as it grows,
 * and the limit binds it, too. It may be raised again, so the heap starts before. And what is to be locked in memory as soon as it
 * is mapped could not be reserved where little may be locked: before that the heap starts, too.
 */
#define _GNU_SOURCE
#include "hooks.h"
#include "os_linux.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#ifdef __GLIBC__
static void before(int resource)
{
	/* A child of vfork must not start the heap for its parent, and counts for it. */
	if (resource == RLIMIT_AS && (TY_LOAD_ACQ(&ty_heap_state) || !ty_os_is_cloned()))
		ty_heap_start();
}

static void after(bool failed, pid_t pid, int resource, const struct rlimit *r)
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

static int prlimit_by_hand(pid_t pid, int resource, const struct rlimit *r, struct rlimit *old)
{
	return (int)ty_syscall(SYS_prlimit64, (long)pid, (long)resource, r, old);
}
static int setrlimit_by_hand(int resource, const struct rlimit *r) { return prlimit_by_hand(0, resource, r, NULL); }
static int mlockall_by_hand(int flags) { return (int)ty_syscall(SYS_mlockall, (long)flags); }

int ty_set_limit(ty_sets *f, int resource, const struct rlimit *r)
{
	before(resource);
	int failed = f(resource, r);
	after(failed, 0, resource, r);
	return failed;
}

int ty_change_limit(ty_changes *f, pid_t pid, int resource, const struct rlimit *r, struct rlimit *old)
{
	struct rlimit was;
	bool over = old && old == r; /* what is set is written over */

	before(resource);
	int failed = f(pid, resource, r, over ? &was : old);
	after(failed, pid, resource, r);
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
FIND(setrlimit, ty_sets, setrlimit_by_hand)
FIND(setrlimit64, ty_sets, setrlimit_by_hand)
FIND(prlimit, ty_changes, prlimit_by_hand)
FIND(prlimit64, ty_changes, prlimit_by_hand)
typedef int locks(int flags);
FIND(mlockall, locks, mlockall_by_hand)

TY_HOOK int setrlimit(__rlimit_resource_t resource, const struct rlimit *r) { return ty_set_limit(find_setrlimit(), (int)resource, r); }

TY_HOOK int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *r)
{
	return ty_set_limit(find_setrlimit64(), (int)resource, (const struct rlimit *)(const void *)r);
}

TY_HOOK int prlimit(pid_t pid, __rlimit_resource_t resource, const struct rlimit *r, struct rlimit *old)
{
	return ty_change_limit(find_prlimit(), pid, (int)resource, r, old);
}

TY_HOOK int prlimit64(pid_t pid, __rlimit_resource_t resource, const struct rlimit64 *r, struct rlimit64 *old)
{
	return ty_change_limit(find_prlimit64(), pid, (int)resource, (const struct rlimit *)(const void *)r, (struct rlimit *)(void *)old);
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
