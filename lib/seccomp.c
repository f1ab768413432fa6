/*
 * seccomp.c: a filter of system calls that the program sets itself, as sshd and chronyd do, may end who makes a call that it
 * does not know. So what the start asks for is asked for before; and mseal is newer than many filters, so that memory that the
 * heap takes from then on is not sealed. (Filters that were there before the program: os_linux.c.) Filters are set by prctl,
 * syscall and libseccomp; syscall may also do what rlimit.c has to know.
 */
#define _GNU_SOURCE
#include "dlopen.h"
#include "heap.h"
#include "os_linux.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#ifdef __GLIBC__
/* libseccomp's, for who uses it. Its argument is a pointer. */
int seccomp_load(const void *filter);

/* A filter may come. What after_filter is to be told. */
static int before_filter(void)
{
	ty_heap_start();
	/* A child of vfork limits itself, not its parent. (The filter may forbid to ask. One that we know is there already may, too.) */
	return ty_os_sealing() && ty_random_own() ? ty_os_stop_sealing() : -1;
}

static void after_filter(int before, bool failed)
{
	if (before >= 0 && failed)
		ty_os_go_on_sealing(before);
}

/* The next library's, of which libc's is the last; found at the start of the heap, or before that when they are used. */
typedef int prctls(int, ...);
static prctls *next_prctl;

static prctls *find_prctl(void)
{
	if (!TY_LOAD(&next_prctl))
		TY_STORE(&next_prctl, (prctls *)ty_next_symbol("prctl", (void *)prctl));
	return TY_LOAD(&next_prctl);
}

TY_HOOK int prctl(int option, ...)
{
	unsigned long a[4];
	va_list list;

	va_start(list, option);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(list, unsigned long);
	va_end(list);
	int before = option == PR_SET_SECCOMP ? before_filter() : -1;
	prctls *f = find_prctl();
	int r = f ? f(option, a[0], a[1], a[2], a[3]) : (int)ty_syscall(SYS_prctl, (long)option, a[0], a[1], a[2], a[3]);
	after_filter(before, r < 0);
	return r;
}

#ifdef TY_SYSTEM_CALL
/* libc's syscall takes so many, whatever it is given, and hands them on where they are. */
typedef long calls(long number, long a, long b, long c, long d, long e, long f);
static calls *next_syscall;

/* For libc's headers it takes any number of arguments. */
TY_HOOK calls syscall_hook __asm__("syscall");

static calls *find_syscall(void)
{
	if (!TY_LOAD(&next_syscall))
		TY_STORE(&next_syscall, (calls *)ty_next_symbol("syscall", (void *)syscall_hook));
	return TY_LOAD(&next_syscall);
}

/* May it be one of those below? */
static bool is_ours(long number)
{
	switch (number) {
	case SYS_seccomp:
	case SYS_prctl:
	case SYS_mlockall:
	case SYS_prlimit64:
#ifdef SYS_setrlimit
	case SYS_setrlimit:
#endif
		return true;
	default:
		return false;
	}
}

static TY_NOINLINE long call_ours(long number, long a, long b, long c, long d, long e, long f)
{
	bool filter = number == SYS_seccomp ? (u32)a == SECCOMP_SET_MODE_STRICT || (u32)a == SECCOMP_SET_MODE_FILTER
					    : number == SYS_prctl && (int)a == PR_SET_SECCOMP;
	int before = filter ? before_filter() : -1;

	if (number == SYS_mlockall)
		ty_before_lock();
#ifdef SYS_setrlimit
	if (number == SYS_setrlimit)
		ty_limit_before((int)a);
#endif
	if (number == SYS_prlimit64)
		ty_limit_before((int)b);
	calls *next = find_syscall();
	long r = next ? next(number, a, b, c, d, e, f) : ty_call(number, a, b, c, d, e, f);
	after_filter(before, r < 0);
#ifdef SYS_setrlimit
	if (number == SYS_setrlimit)
		ty_limit_after(r < 0, 0, (int)a, (const struct rlimit *)b);
#endif
	if (number == SYS_prlimit64)
		ty_limit_after(r < 0, (pid_t)a, (int)b, (const struct rlimit *)c);
	return r;
}

/* (Without a frame, as libc's: clone may have changed the stack.) */
static TY_NOINLINE long call_first(long number, long a, long b, long c, long d, long e, long f)
{
	calls *next = find_syscall();

	if (!next) /* a static program */
		next = ty_call;
	TY_TAIL_CALL return next(number, a, b, c, d, e, f);
}

TY_HOOK long syscall_hook(long number, long a, long b, long c, long d, long e, long f)
{
	calls *next = TY_LOAD(&next_syscall);

	if (unlikely(is_ours(number)))
		TY_TAIL_CALL return call_ours(number, a, b, c, d, e, f);
	if (unlikely(!next))
		TY_TAIL_CALL return call_first(number, a, b, c, d, e, f);
	TY_TAIL_CALL return next(number, a, b, c, d, e, f);
}
#endif

TY_START void ty_seccomp_init(void)
{
	find_prctl();
#ifdef TY_SYSTEM_CALL
	find_syscall();
#endif
}

typedef int loads(const void *);

/* Not the one here, which a module that is linked with us would find. */
static loads *not_ours(void *f) { return f == (void *)seccomp_load ? NULL : (loads *)f; }

TY_HOOK int seccomp_load(const void *filter)
{
	loads *f = (loads *)ty_next_symbol("seccomp_load", (void *)seccomp_load);
	Dl_info caller;

	/* A module may have brought libseccomp along for itself. If this is its last call, it is not the caller as seen from here. */
	if (!f && dladdr(__builtin_return_address(0), &caller) && caller.dli_fname)
		f = not_ours(ty_loaded_symbol(caller.dli_fname, "seccomp_load"));
	if (!f)
		f = not_ours(ty_loaded_symbol("libseccomp.so.2", "seccomp_load"));
	if (!f)
		return -ENOSYS;
	int before = before_filter();
	int r = f(filter);
	after_filter(before, r < 0);
	return r;
}
#endif
