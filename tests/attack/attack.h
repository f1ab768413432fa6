/* What the attack programs share. A program shapes the heap, says with crime() what it is about to do and to which
 * address, does it, and ends with survived(), which it must never reach. run.sh compares the message with both. */
#ifndef ATTACK_H
#define ATTACK_H

/* The crimes are the point. */
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12
#pragma GCC diagnostic ignored "-Wuse-after-free"
#endif

#include "../util.h"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

/* glibc 2.36 has none of these, so they are looked up when the library is there. */
UNUSED static void cfree(void *p) { ((void (*)(void *))need_symbol("cfree"))(p); }

UNUSED static void free_sized(void *p, size_t n) { ((void (*)(void *, size_t))need_symbol("free_sized"))(p, n); }

UNUSED static void free_aligned_sized(void *p, size_t align, size_t n)
{
	((void (*)(void *, size_t, size_t))need_symbol("free_aligned_sized"))(p, align, n);
}

/* "crime PID ADDRESS": the last such line is the one the message has to name. */
UNUSED static void crime(const void *p)
{
	char line[80];
	int n = snprintf(line, sizeof line, "crime %d 0x%lx\n", (int)getpid(), (unsigned long)(uintptr_t)p);
	MUST(write(1, line, (size_t)n) == n);
}

UNUSED static int survived(void)
{
	MUST(write(1, "survived\n", 9) == 9);
	return 0;
}

UNUSED static size_t argument(int argc, char **argv, int i, size_t otherwise)
{
	return i < argc ? (size_t)strtoul(argv[i], NULL, 0) : otherwise;
}

/* One call site for a whole program: objects made here share a partition. */
UNUSED NOINLINE static void *make(size_t n) { return hide(malloc(n)); }

UNUSED static void run_thread(void *(*f)(void *), void *arg)
{
	pthread_t t;
	MUST(!pthread_create(&t, NULL, f, arg));
	MUST(!pthread_join(t, NULL));
}

UNUSED static void *free_it(void *p)
{
	free(p);
	return NULL;
}

/* A child's death becomes our own, so that the runner sees it. */
UNUSED static void die_like(pid_t child)
{
	int status;
	MUST(waitpid(child, &status, 0) == child);
	if (WIFSIGNALED(status)) {
		raise(WTERMSIG(status));
		_exit(3);
	}
	_exit(WEXITSTATUS(status));
}

#endif
