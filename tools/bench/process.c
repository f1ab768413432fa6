/* SPDX-License-Identifier: MIT */
/*
 * process.c: workloads of processes, and the measuring of a command.
 */
#define _GNU_SOURCE
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			fail("waitpid: %s", strerror(errno));
	if (status)
		fail("a child ended with %s %d", WIFEXITED(status) ? "exit status" : "signal",
		     WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

uint64_t work_start(void)
{
	char *const command[] = {(char[]){"/bin/true"}, NULL};

	for (uint64_t i = 0; i < set.ops; i++) {
		pid_t pid;
		int e = posix_spawn(&pid, command[0], NULL, NULL, command, environ);
		if (e)
			fail("%s: %s", command[0], strerror(e));
		wait_for(pid);
	}
	return set.ops;
}

/* The child reads some of what it has got, allocates and frees. */
static _Noreturn void be_child(struct held *all, size_t n, uint64_t number)
{
	struct rng r = rng_make(number);

	for (size_t i = 0; i < 200; i++) {
		struct held *h = &all[rng_below(&r, n)];
		size_t size = mixed_size(&r);
		let_go(h);
		hold(h, malloc(size), size, (uint32_t)i);
	}
	_exit(0);
}

uint64_t work_fork(void)
{
	size_t n = set.live / MIXED_MEAN + 1;
	struct held *all = need(calloc(n, sizeof *all));
	struct rng r = rng_make(0);
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		size_t size = mixed_size(&r);
		hold(&all[i], malloc(size), size, (uint32_t)i);
	}
	timed();
	for (uint64_t i = 0; i < set.ops; i++) {
		pid_t pid = fork();
		if (pid < 0)
			fail("fork: %s", strerror(errno));
		if (!pid)
			be_child(all, n, i);
		wait_for(pid);
	}
	timed_end();
	for (size_t i = 0; i < n; i++)
		sum += let_go(&all[i]);
	free(all);
	return sum;
}

/* ---- Measuring ---- */

static double seconds(struct timeval t) { return (double)t.tv_sec + (double)t.tv_usec / 1e6; }

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static _Noreturn void become(int told, int tell, const char *preload, char **command)
{
	close(told);
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (preload)
		setenv("LD_PRELOAD", preload, 1);
	execvp(command[0], command);
	int e = errno;
	ssize_t n = write(tell, &e, sizeof e);
	_exit(n == sizeof e ? 127 : 126);
}

/*
 * Two lines to fd: the process's number, once the command has been executed, and at its end its status, user and system
 * time, time that went by, and the greatest resident set in KiB, children included. The process is our own child and not
 * the measuring script's, as the kernel hands the greatest resident set on from the caller of fork to what it executes.
 */
void measure(int fd, const char *preload, char **command)
{
	int ends[2], status, e = 0;
	struct rusage use;

	set.name = "--measure";
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) || pipe2(ends, O_CLOEXEC))
		fail("%s", strerror(errno));
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* nothing is left behind */
	double begin = now();
	pid_t pid = fork();
	if (pid < 0)
		fail("fork: %s", strerror(errno));
	if (!pid)
		become(ends[0], ends[1], preload, command);
	close(ends[1]);
	if (read(ends[0], &e, sizeof e) > 0) {
		fprintf(stderr, "bench-workloads: %s: %s\n", command[0], strerror(e));
		exit(127);
	}
	dprintf(fd, "%d\n", (int)pid);
	while (wait4(pid, &status, 0, &use) < 0)
		if (errno != EINTR)
			fail("wait4: %s", strerror(errno));
	dprintf(fd, "%d %.6f %.6f %.6f %ld\n", status, seconds(use.ru_utime), seconds(use.ru_stime), now() - begin,
		use.ru_maxrss);
	exit(0);
}
