/*
 * hooks.h: what stands before libc's functions to see the call shares this. A hook does what it is asked for by way of the next library's
 * function, and has the heap learn of it: limits on memory (rlimit.c), filters of system calls (seccomp.c). syscall(2), which may do
 * either, is seccomp.c's.
 */
#ifndef TY_HOOKS_H
#define TY_HOOKS_H

#include "dlopen.h"
#include "heap.h"

#include <sys/resource.h>
#include <sys/types.h>

/* setrlimit and prlimit, by a function like them. (The number of a resource as the kernel has it.) */
typedef int ty_sets(int resource, const struct rlimit *);
typedef int ty_changes(pid_t, int resource, const struct rlimit *, struct rlimit *);
int ty_set_limit(ty_sets *f, int resource, const struct rlimit *r);
int ty_change_limit(ty_changes *f, pid_t pid, int resource, const struct rlimit *r, struct rlimit *old);
/* Before mlockall. */
void ty_before_lock(void);
/* Find the next library's functions, for ty_hooks_init. */
void ty_rlimit_init(void);

#endif
