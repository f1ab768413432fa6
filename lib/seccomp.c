/*
 * seccomp.c: a filter of system calls that the program sets itself, after the start, as sshd and chronyd do, may end who
 * makes a call that it does not know, and mseal is newer than many. So memory that the heap takes from then on is not
 * sealed. (Filters that were there before: os_linux.c.)
 */
#define _GNU_SOURCE
#include "dlopen.h"
#include "heap.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef __GLIBC__
/* libseccomp's, for who uses it. Its argument is a pointer. */
int seccomp_load(const void *filter);

static int (*libcs)(int, ...);

TY_START __attribute__((constructor(102))) static void seccomp_constructor(void)
{
	TY_STORE(&libcs, (int (*)(int, ...))dlsym(RTLD_NEXT, "prctl"));
}

TY_HOOK int prctl(int option, ...)
{
	unsigned long a[4];
	va_list list;

	va_start(list, option);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(list, unsigned long);
	va_end(list);
	/* A child of vfork limits itself, not its parent. Asked before: the filter may forbid it. (One that is there already may, too.) */
	bool filter = option == PR_SET_SECCOMP && ty_os_sealing() && ty_random_own();
	int (*f)(int, ...) = TY_LOAD(&libcs);
	int r = f ? f(option, a[0], a[1], a[2], a[3]) : (int)syscall(SYS_prctl, (long)option, a[0], a[1], a[2], a[3]);
	if (filter && r == 0)
		ty_os_stop_sealing();
	return r;
}

typedef int loads(const void *);

/* Not the one here, which a module that is linked with us would find. */
static loads *not_ours(void *f) { return f == (void *)seccomp_load ? NULL : (loads *)f; }

TY_HOOK int seccomp_load(const void *filter)
{
	loads *f = (loads *)dlsym(RTLD_NEXT, "seccomp_load");
	Dl_info caller;

	/* A module may have brought libseccomp along for itself. If this is its last call, it is not the caller as seen from here. */
	if (!f && dladdr(__builtin_return_address(0), &caller) && caller.dli_fname)
		f = not_ours(ty_loaded_symbol(caller.dli_fname, "seccomp_load"));
	if (!f)
		f = not_ours(ty_loaded_symbol("libseccomp.so.2", "seccomp_load"));
	if (!f)
		return -ENOSYS;
	if (ty_os_sealing() && ty_random_own())
		ty_os_stop_sealing();
	return f(filter);
}
#endif
