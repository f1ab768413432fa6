/*
 * seccomp.c: a filter of system calls that the program sets itself, as sshd and chronyd do, may end who makes a call that it
 * does not know. So what the start asks for is asked for before; and mseal is newer than many filters, so that memory that the
 * heap takes from then on is not sealed. (Filters that were there before the program: os_linux.c.) Filters are set by prctl,
 * syscall and libseccomp; syscall may also do what rlimit.c has to know.
 */
#define _GNU_SOURCE
#include "hooks.h"
#include "os_linux.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#ifdef __GLIBC__
/* libseccomp's, for who uses it. Its argument is a pointer. */
int seccomp_load(const void *filter);

/* A filter may come. What after_filter is to be told. */
static bool before_filter(void)
{
	ty_heap_start();
	/* A child of vfork limits itself, not its parent. (The filter may forbid to ask. One that we know is there already may, too.) */
	bool counts = ty_os_sealing() && ty_random_own();
	if (counts)
		ty_os_filter_comes();
	return counts;
}

static void after_filter(bool counts, bool set)
{
	if (counts)
		ty_os_filter_came(set);
}

typedef int prctls(int, ...);
static int prctl_by_hand(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
	return (int)ty_syscall(SYS_prctl, (long)option, a, b, c, d);
}
static prctls *find_prctl(void)
{
	static void *next;
	return (prctls *)ty_next_kept(&next, "prctl", (void *)prctl, (void *)prctl_by_hand);
}

TY_HOOK int prctl(int option, ...)
{
	unsigned long a[4];
	va_list list;

	va_start(list, option);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(list, unsigned long);
	va_end(list);
	bool counts = option == PR_SET_SECCOMP && before_filter();
	int r = find_prctl()(option, a[0], a[1], a[2], a[3]);
	after_filter(counts, r >= 0);
	return r;
}

#ifdef TY_SYSTEM_CALL
/* libc's syscall takes so many, whatever it is given, and hands them on where they are. */
typedef long calls(long number, long a, long b, long c, long d, long e, long f);
static void *next_syscall;

/* For libc's headers it takes any number of arguments. */
TY_HOOK calls syscall_hook __asm__("syscall");

static calls *find_syscall(void)
{
	return (calls *)ty_next_kept(&next_syscall, "syscall", (void *)syscall_hook, (void *)ty_call);
}

/* May it be one of those below? (To the kernel it is an int.) */
static bool is_ours(long number)
{
	switch ((int)number) {
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

static int prlimit_call(pid_t pid, int resource, const struct rlimit *r, struct rlimit *old)
{
	return (int)find_syscall()(SYS_prlimit64, pid, resource, (long)r, (long)old, 0, 0);
}
#ifdef SYS_setrlimit
static int setrlimit_call(int resource, const struct rlimit *r)
{
	return (int)find_syscall()(SYS_setrlimit, resource, (long)r, 0, 0, 0, 0);
}
#endif

static TY_NOINLINE long call_ours(long number, long a, long b, long c, long d, long e, long f)
{
	bool counts = false;

	switch ((int)number) {
	case SYS_prlimit64:
		return ty_change_limit(prlimit_call, (pid_t)a, (int)b, (const struct rlimit *)c, (struct rlimit *)d);
#ifdef SYS_setrlimit
	case SYS_setrlimit:
		return ty_set_limit(setrlimit_call, (int)a, (const struct rlimit *)b);
#endif
	case SYS_seccomp:
		counts = ((u32)a == SECCOMP_SET_MODE_STRICT || (u32)a == SECCOMP_SET_MODE_FILTER) && before_filter();
		break;
	case SYS_prctl:
		counts = (int)a == PR_SET_SECCOMP && before_filter();
		break;
	case SYS_mlockall:
		ty_before_lock();
		break;
	default:
		break;
	}
	long r = find_syscall()(number, a, b, c, d, e, f);
	after_filter(counts, r >= 0);
	return r;
}

/* (Without a frame, as libc's: clone may have changed the stack.) */
static TY_NOINLINE long call_first(long number, long a, long b, long c, long d, long e, long f)
{
	calls *next = find_syscall();

	TY_TAIL_CALL return next(number, a, b, c, d, e, f);
}

TY_HOOK long syscall_hook(long number, long a, long b, long c, long d, long e, long f)
{
	calls *next = (calls *)TY_LOAD(&next_syscall);

	if (unlikely(is_ours(number)))
		TY_TAIL_CALL return call_ours(number, a, b, c, d, e, f);
	if (unlikely(!next))
		TY_TAIL_CALL return call_first(number, a, b, c, d, e, f);
	TY_TAIL_CALL return next(number, a, b, c, d, e, f);
}
#endif

TY_START void ty_hooks_init(void)
{
	ty_rlimit_init();
	find_prctl();
#ifdef TY_SYSTEM_CALL
	find_syscall();
#endif
}

typedef int loads(const void *);

/* Of a module and what it is linked with; not the one here, which a module that is linked with us would find. */
static loads *load_of(const char *module)
{
	void *f = ty_loaded_symbol(module, "seccomp_load");
	return f == (void *)seccomp_load ? NULL : (loads *)f;
}

TY_HOOK int seccomp_load(const void *filter)
{
	loads *f = (loads *)ty_next_symbol("seccomp_load", (void *)seccomp_load);
	Dl_info caller;

	/* A module may have brought libseccomp along for itself. If this is its last call, it is not the caller as seen from here. */
	if (!f && dladdr(__builtin_return_address(0), &caller) && caller.dli_fname)
		f = load_of(caller.dli_fname);
	if (!f)
		f = load_of("libseccomp.so.2");
	if (!f)
		return -ENOSYS;
	bool counts = before_filter();
	int r = f(filter);
	after_filter(counts, r >= 0);
	return r;
}
#endif
