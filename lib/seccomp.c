/*
 * seccomp.c: a filter of system calls that the program sets itself, as sshd and chronyd do, may end who makes a call that it
 * does not know. So what the start asks for is asked for before; and mseal is newer than many filters, so that memory that the
 * heap takes from then on is not sealed. (Filters that were there before the program: os_linux.c.)
 */
#define _GNU_SOURCE
#include "dlopen.h"
#include "heap.h"
#include "os_linux.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef __GLIBC__
/* libseccomp's, for who uses it. Its argument is a pointer. */
int seccomp_load(const void *filter);

/* NULL until the heap has started, and in a static program. */
static int (*libcs_prctl)(int, ...);

/* Is memory to be sealed no more when the filter is set? A child of vfork limits itself, not its parent. (The filter may forbid to ask.) */
static bool before_filter(void)
{
	ty_heap_start();
	return ty_os_sealing() && ty_random_own();
}

static TY_NOINLINE void filter_comes(void)
{
	if (before_filter())
		ty_os_stop_sealing();
}

TY_HOOK int prctl(int option, ...)
{
	unsigned long a[4];
	va_list list;

	va_start(list, option);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(list, unsigned long);
	va_end(list);
	bool stop = option == PR_SET_SECCOMP && before_filter();
	int (*f)(int, ...) = TY_LOAD(&libcs_prctl);
	int r = f ? f(option, a[0], a[1], a[2], a[3]) : (int)syscall(SYS_prctl, (long)option, a[0], a[1], a[2], a[3]);
	if (stop && r == 0)
		ty_os_stop_sealing();
	return r;
}

#ifdef TY_SYSTEM_CALL
/* libc's syscall takes so many, whatever it is given, and hands them on where they are. */
typedef long calls(long number, long a, long b, long c, long d, long e, long f);
static calls *libcs_syscall;

static long by_hand(long number, long a, long b, long c, long d, long e, long f)
{
	long r = ty_system_call(number, a, b, c, d, e, f);

	if (r >= 0 || r < -4095)
		return r;
	errno = (int)-r;
	return -1;
}

/* For libc's headers it takes any number of arguments. */
TY_HOOK calls syscall_hook __asm__("syscall");
TY_HOOK long syscall_hook(long number, long a, long b, long c, long d, long e, long f)
{
	bool sets = number == SYS_seccomp ? a == SECCOMP_SET_MODE_STRICT || a == SECCOMP_SET_MODE_FILTER
					  : number == SYS_prctl && (int)a == PR_SET_SECCOMP;

	if (unlikely(sets))
		filter_comes();
	calls *next = TY_LOAD(&libcs_syscall);
	if (unlikely(!next))
		return by_hand(number, a, b, c, d, e, f);
	return next(number, a, b, c, d, e, f);
}
#endif

TY_START void ty_seccomp_init(void)
{
	TY_STORE(&libcs_prctl, (int (*)(int, ...))dlsym(RTLD_NEXT, "prctl"));
#ifdef TY_SYSTEM_CALL
	TY_STORE(&libcs_syscall, (calls *)dlsym(RTLD_NEXT, "syscall"));
#endif
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
	filter_comes();
	return f(filter);
}
#endif
