/* os_linux.h: what the files of os.h on Linux share. */
#ifndef TY_OS_LINUX_H
#define TY_OS_LINUX_H

#include "compiler.h"

#include <errno.h>
#include <unistd.h>

/* errno belongs to the program. */
#define KEEP_ERRNO(expr)                                                                                     \
	({                                                                                                   \
		int saved_ = errno;                                                                          \
		__typeof__(expr) r_ = (expr);                                                                \
		errno = saved_;                                                                              \
		r_;                                                                                          \
	})

/* A system call with up to six arguments; its result, or the negative of an error's number. Nothing but registers. */
#if defined(__x86_64__)
#define TY_SYSTEM_CALL
TY_INLINE long ty_system_call(long number, long a, long b, long c, long d, long e, long f)
{
	long r;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return r;
}
#elif defined(__aarch64__)
#define TY_SYSTEM_CALL
TY_INLINE long ty_system_call(long number, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;
	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
}
#endif

/* syscall(2), but nobody's own, and not the one that we are for the program (seccomp.c). */
#ifdef TY_SYSTEM_CALL
long ty_call(long number, long a, long b, long c, long d, long e, long f);
#define TY_CALL_LONG(number, a, b, c, d, e, f, ...)                                                            \
	ty_call((long)(number), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define ty_syscall(...) TY_CALL_LONG(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)
#else
#define ty_syscall syscall
#endif

/* A function of the kernel's own library in this process; NULL: there is none of that name. Start-up only. */
void *ty_vdso_symbol(const char *name);

#endif
