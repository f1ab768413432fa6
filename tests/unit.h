/* What the unit tests share. Each test runs in a process of its own (Criterion), with its own copy of the modules. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Run f in a child; the signal that ended it (0: none), and what it wrote to stderr. */
__attribute__((unused)) static int death_of(void (*f)(void *), void *arg, char *text, size_t size)
{
	int fd[2], status;
	size_t n = 0;

	cr_assert(!pipe(fd));
	pid_t child = fork();
	if (!child) {
		dup2(fd[1], 2);
		close(fd[0]);
		close(fd[1]);
		signal(SIGABRT, SIG_DFL);
		signal(SIGSEGV, SIG_DFL);
		f(arg);
		_exit(0);
	}
	close(fd[1]);
	for (ssize_t r; (r = read(fd[0], text + n, size - 1 - n)) > 0;)
		n += (size_t)r;
	text[n] = 0;
	close(fd[0]);
	cr_assert(waitpid(child, &status, 0) == child);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* f must end the process with abort and a line that contains the sentence. */
#define ASSERT_DIES(f, arg, sentence)                                                                                  \
	do {                                                                                                           \
		char text_[1024];                                                                                      \
		int sig_ = death_of(f, arg, text_, sizeof text_);                                                      \
		cr_assert(sig_ == SIGABRT, "signal %d, stderr: %s", sig_, text_);                                      \
		cr_assert(strstr(text_, sentence), "stderr: %s", text_);                                               \
	} while (0)

/* f must fault. */
#define ASSERT_FAULTS(f, arg)                                                                                          \
	do {                                                                                                           \
		char text_[1024];                                                                                      \
		int sig_ = death_of(f, arg, text_, sizeof text_);                                                      \
		cr_assert(sig_ == SIGSEGV, "signal %d, stderr: %s", sig_, text_);                                      \
	} while (0)

/* A call site, as the front hands it over. */
#define AT(site) ((const uintptr_t[64]){(site)})

__attribute__((unused)) static void in_thread(void *(*f)(void *), void *arg)
{
	pthread_t t;
	cr_assert(!pthread_create(&t, NULL, f, arg));
	cr_assert(!pthread_join(t, NULL));
}

#endif
