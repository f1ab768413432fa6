/*
 * early.c: what the start of the heap must come before. What is to be locked in memory as soon as it is mapped could not be
 * reserved, where little may be locked; and a file of options is the system's, not one in a directory that a program confines
 * itself to. (Filters of system calls: seccomp.c. A limit on address space binds the start like any other: rlimit.c.)
 */
#define _GNU_SOURCE
#include "heap.h"

#include <dlfcn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef __GLIBC__
TY_HOOK int mlockall(int flags)
{
	ty_heap_start();
	int (*f)(int) = (int (*)(int))dlsym(RTLD_NEXT, "mlockall");
	return f ? f(flags) : (int)syscall(SYS_mlockall, (long)flags);
}

TY_HOOK int chroot(const char *path)
{
	ty_heap_start();
	int (*f)(const char *) = (int (*)(const char *))dlsym(RTLD_NEXT, "chroot");
	return f ? f(path) : (int)syscall(SYS_chroot, path);
}
#endif
