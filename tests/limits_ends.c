/* What must not keep a process from its end, once a crime is found: nobody reads its standard error, a pipe that is full; and its handler of
 * SIGABRT forks, while a lock of the heap is held: the child must be able to allocate in threads of its own. */
#define _GNU_SOURCE
#include "util.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

/* Long enough for a loaded machine; without the library's care it would be for ever. */
enum { PATIENCE_MS = 60000 };

static NOINLINE void free_twice(void *p)
{
	free(p);
	free(hide(p));
}

/* The end of a child in so long, or SIGKILL's. */
static int end_of(pid_t child)
{
	int status;
	for (int ms = 0; ms < PATIENCE_MS; ms += 10) {
		if (waitpid(child, &status, WNOHANG) == child)
			return status;
		sleep_ms(10);
	}
	kill(child, SIGKILL);
	MUST(waitpid(child, &status, 0) == child);
	return status;
}

static void *busy(void *arg)
{
	for (;;) /* serves on while the other ends the process */
		free(hide(malloc(100)));
	return arg;
}

static void full_pipe(size_t size)
{
	int fd[2];
	MUST(!pipe(fd));
	pid_t child = fork();
	MUST(child >= 0);
	if (!child) {
		MUST(dup2(fd[1], 2) == 2 && !fcntl(2, F_SETFL, O_NONBLOCK));
		while (write(2, "x", 1) == 1)
			;
		MUST(!fcntl(2, F_SETFL, 0));
		pthread_t t;
		MUST(!pthread_create(&t, NULL, busy, NULL));
		free_twice(malloc(size));
		_exit(3);
	}
	int status = end_of(child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, " (full pipe)");
	close(fd[0]);
	close(fd[1]);
}

static void *allocate(void *arg)
{
	for (size_t n = 1; n < 50000; n += n / 2 + 1)
		free(hide(malloc(n)));
	return arg;
}

static void fork_in_handler(int sig)
{
	(void)sig;
	pid_t child = fork();
	if (!child) {
		pthread_t t;
		allocate(NULL);
		if (pthread_create(&t, NULL, allocate, NULL) || pthread_join(t, NULL))
			_exit(2);
		_exit(0);
	}
	_exit(child > 0 && end_of(child) == 0 ? 42 : 43);
}

static void handler(size_t size)
{
	pid_t child = fork();
	MUST(child >= 0);
	if (!child) {
		signal(SIGABRT, fork_in_handler);
		free_twice(malloc(size));
		_exit(3);
	}
	int status = end_of(child);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42, " (fork in the handler)");
}

int main(void)
{
	need_library();
	full_pipe(100);
	full_pipe(50000);
	handler(100);
	handler(50000);
	return test_result("limits_ends");
}
