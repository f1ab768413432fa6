/*
 * seccomp.c: a filter of system calls that the program sets itself, after the start, as sshd and chronyd do, may end who
 * makes a call that it does not know, and mseal is newer than many. So memory that the heap takes from then on is not
 * sealed. (Filters that were there before: os_linux.c.)
 */
#define _GNU_SOURCE
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

/* What would be called without us: the program's scope may have none, where a module has brought libseccomp along for itself. */
static void *next(const char *name, const void *caller)
{
	void *f = dlsym(RTLD_NEXT, name);
	Dl_info info;

	if (!f && dladdr(caller, &info) && info.dli_fname) {
		void *module = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
		if (module) {
			f = dlsym(module, name);
			dlclose(module);
		}
	}
	void *filters = f ? NULL : dlopen("libseccomp.so.2", RTLD_LAZY | RTLD_NOLOAD); /* the call may have been the caller's last */
	if (filters) {
		f = dlsym(filters, name);
		dlclose(filters);
	}
	return f;
}

TY_HOOK int seccomp_load(const void *filter)
{
	int (*f)(const void *) = (int (*)(const void *))next("seccomp_load", __builtin_return_address(0));

	if (!f || f == seccomp_load)
		return -ENOSYS;
	if (ty_os_sealing() && ty_random_own())
		ty_os_stop_sealing();
	return f(filter);
}
#endif
