/*
 * Commits a crime in the circumstances named, and says before what and where, as attacks do: report.sh runs it. report_hook is the
 * same with a hook. usage: report_program CIRCUMSTANCE [ARGUMENT]
 */
#include "attack/attack.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

static sigjmp_buf back;
static const char *how = "";

/* Frees an object of make() twice. Little stack is needed: it may be small. */
static NOINLINE void commit(void)
{
	void *p = make(90);
	free(p);
	crime(p);
	free(p);
}

#ifdef WITH_HOOK
#include "../include/typed_malloc.h"

static void hook(const char *line, size_t n)
{
	MUST(write(1, "hook: ", 6) == 6);
	MUST(write(1, line, n) == (ssize_t)n);
	MUST(!line[n] && line[n - 1] == '\n');
	if (!strcmp(how, "malloc")) {
		for (size_t i = 1; i < 3000; i++) {
			void *p = hide(malloc(i * 16));
			MUST(p);
			memset(p, 1, i * 16);
			if (i % 2)
				free(p);
		}
		MUST(write(1, "allocated\n", 10) == 10);
	}
	if (!strcmp(how, "crime"))
		commit();
	if (!strcmp(how, "jump"))
		siglongjmp(back, 1);
}

void (*const typed_malloc_abort_hook)(const char *, size_t) = hook;
#endif

/* ---- handlers ---- */

static void on_abort(int sig)
{
	(void)sig;
	MUST(write(1, "handler\n", 8) == 8);
	if (!strcmp(how, "malloc"))
		for (size_t i = 1; i < 3000; i++) {
			void *p = hide(malloc(i * 16));
			MUST(p);
			memset(p, 1, i * 16);
			if (i % 2)
				free(p);
		}
	if (!strcmp(how, "crime"))
		commit();
	if (!strcmp(how, "jump"))
		siglongjmp(back, 1);
	MUST(write(1, "handler returns\n", 16) == 16);
}

static void on_signal(int sig)
{
	(void)sig;
	commit();
}

static void catch_signal(int sig, void (*f)(int), int flags)
{
	struct sigaction a = {.sa_handler = f, .sa_flags = flags};
	MUST(!sigaction(sig, &a, NULL));
}

static void signal_stack(size_t n)
{
	stack_t s = {.ss_sp = map_memory(n), .ss_size = n};
	MUST(!sigaltstack(&s, NULL));
}

/* After a jump out of the report the process does not get far. */
static void after_jump(void)
{
	MUST(write(1, "jumped\n", 7) == 7);
	for (size_t i = 1; i < 100; i++)
		hide(malloc(i * 16));
	survived();
}

static void *thread(void *arg)
{
	(void)arg;
	commit();
	return NULL;
}

/* A crime that no lock is held for. */
static void *foreign_free(void *arg)
{
	free(hide((char *)&arg));
	return NULL;
}

static void small_thread(void *(*f)(void *))
{
	pthread_attr_t attr;
	pthread_t t;
	MUST(!pthread_attr_init(&attr));
	MUST(!pthread_attr_setstacksize(&attr, 16384));
	MUST(!pthread_create(&t, &attr, f, NULL));
	MUST(!pthread_join(t, NULL));
}

/* ---- many at once ---- */

static pthread_barrier_t barrier;

static void *racer(void *arg)
{
	void *p = make(90);
	(void)arg;
	free(p);
	pthread_barrier_wait(&barrier);
	free(hide(p));
	return NULL;
}

static void race(int n)
{
	pthread_t t[64];
	MUST(!pthread_barrier_init(&barrier, NULL, (unsigned)n));
	crime(NULL);
	for (int i = 0; i < n; i++)
		MUST(!pthread_create(&t[i], NULL, racer, NULL));
	for (int i = 0; i < n; i++)
		pthread_join(t[i], NULL);
}

/* ---- the other end of /dev/log ---- */

static int listen_at(const char *path, int type)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char buf[2048];
	int fd = socket(AF_UNIX, type, 0);
	snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
	MUST(!bind(fd, (struct sockaddr *)&at, sizeof at));
	if (type == SOCK_STREAM)
		MUST(!listen(fd, 5));
	say("ready");
	watchdog(20);
	if (type == SOCK_STREAM)
		fd = accept(fd, NULL, NULL);
	ssize_t n = read(fd, buf, sizeof buf - 1);
	MUST(n > 0);
	buf[n] = 0;
	printf("%s%s\n", buf, type == SOCK_STREAM && buf[n - 1] ? " without its end" : "");
	return 0;
}

static void refuse(unsigned nr, unsigned answer)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, answer),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {sizeof code / sizeof *code, code};
	MUST(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
		_exit(EXIT_SKIP);
}

/* What the program has put in the place of standard error: nothing may be written there. */
static void replace_stderr(const char *what)
{
	int pair[2], fd = -1;
	char c;

	close(2);
	if (!strcmp(what, "socket")) {
		MUST(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
		fd = pair[0];
		MUST(fd == 2);
		if (fork() == 0) {
			int n = 0;
			close(2);
			while (read(pair[1], &c, 1) == 1)
				n++;
			MUST(write(1, n ? "read it\n" : "read none\n", n ? 8 : 10) > 0);
			_exit(0);
		}
		close(pair[1]);
	} else if (!strcmp(what, "database") || !strcmp(what, "log") || !strcmp(what, "append")) {
		int flags = *what == 'd' ? O_RDWR : *what == 'l' ? O_WRONLY : O_RDWR | O_APPEND;
		fd = open("replaced", O_CREAT | O_TRUNC | flags, 0644);
		MUST(fd == 2);
	}
}

static int report_main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	how = argc > 2 ? argv[2] : "";
	if (!strcmp(what, "listen"))
		return listen_at(how, SOCK_DGRAM);
	if (!strcmp(what, "listen_stream"))
		return listen_at(how, SOCK_STREAM);
	need_library();
	watchdog(60);
	/* A thread with stock of its own. */
	for (int i = 0; i < 500; i++)
		free(make(90));
	if (!strcmp(what, "plain")) {
		Dl_info info;
		char line[80];
		MUST(dladdr((void *)(uintptr_t)report_main, &info));
		int n = snprintf(line, sizeof line, "make 0x%lx\n", (unsigned long)((uintptr_t)make - (uintptr_t)info.dli_fbase));
		MUST(write(1, line, (size_t)n) == n);
		commit();
	} else if (!strcmp(what, "libc")) {
		char *p = strdup("a string"), *q = hide(p);
		free(p);
		crime(q);
		free(q);
	} else if (!strcmp(what, "handler") || !strcmp(what, "handler_stack")) {
		bool own = !strcmp(what, "handler_stack");
		if (own)
			signal_stack(65536);
		catch_signal(SIGABRT, on_abort, own ? SA_ONSTACK : 0);
		if (!sigsetjmp(back, 1))
			commit();
		else
			after_jump();
	} else if (!strcmp(what, "ignored")) {
		signal(SIGABRT, SIG_IGN);
		commit();
	} else if (!strcmp(what, "blocked")) {
		sigset_t all;
		sigfillset(&all);
		sigprocmask(SIG_SETMASK, &all, NULL);
		commit();
	} else if (!strcmp(what, "in_handler")) {
		catch_signal(SIGUSR1, on_signal, 0);
		raise(SIGUSR1);
	} else if (!strcmp(what, "in_handler_stack")) {
		signal_stack((size_t)argument(argc, argv, 2, 8192));
		catch_signal(SIGUSR1, on_signal, SA_ONSTACK);
		raise(SIGUSR1);
	} else if (!strcmp(what, "small_stack")) {
		small_thread(thread);
	} else if (!strcmp(what, "jump")) { /* out of the hook */
		how = "jump";
		if (!sigsetjmp(back, 1))
			commit();
		else
			after_jump();
#ifdef WITH_HOOK
	} else if (!strcmp(what, "overwrite")) {
		*(void *volatile *)hide((void *)(uintptr_t)&typed_malloc_abort_hook) = NULL;
#endif
	} else if (!strcmp(what, "hook")) {
		commit();
	} else if (!strcmp(what, "race")) {
		race((int)argument(argc, argv, 2, 2));
	} else if (!strcmp(what, "stuck")) { /* the reporter never ends: the other thread does it */
		pthread_t t;
		catch_signal(SIGABRT, (void (*)(int))(void (*)(void))pause, 0);
		MUST(!pthread_create(&t, NULL, thread, NULL));
		sleep_ms(500);
		commit();
	} else if (!strcmp(what, "forked")) { /* while another thread is reporting */
		pthread_t t;
		catch_signal(SIGABRT, (void (*)(int))(void (*)(void))pause, 0);
		MUST(!pthread_create(&t, NULL, foreign_free, NULL));
		sleep_ms(500);
		pid_t child = fork();
		if (!child) {
			signal(SIGABRT, SIG_DFL);
			long start = now_ms();
			child = fork();
			if (!child)
				commit();
			int status;
			MUST(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
			MUST(now_ms() - start < 2000);
			_exit(42);
		}
		int status;
		MUST(waitpid(child, &status, 0) == child);
		_exit(WEXITSTATUS(status));
	} else if (!strcmp(what, "replaced")) {
		replace_stderr(how);
		commit();
	} else if (!strcmp(what, "broken_pipe")) {
		int fd[2];
		MUST(!pipe(fd));
		MUST(dup2(fd[1], 2) == 2);
		close(fd[0]);
		close(fd[1]);
		commit();
	} else if (!strcmp(what, "fd")) { /* the descriptor of report_fd becomes another file */
		for (int fd = 3; fd < 1024; fd++)
			close(fd);
		for (int i = 0; i < 300; i++)
			MUST(open("other", O_CREAT | O_RDWR | O_TRUNC, 0644) >= 0);
		commit();
	} else if (!strcmp(what, "closed_3")) { /* only the number that was asked for */
		close(3);
		commit();
	} else if (!strcmp(what, "no_socket")) {
		refuse(SYS_socket, !strcmp(how, "kill") ? SECCOMP_RET_KILL : SECCOMP_RET_ERRNO | EPERM);
		commit();
	} else if (!strcmp(what, "no_fstat")) {
		refuse(SYS_newfstatat, SECCOMP_RET_ERRNO | EPERM);
		commit();
	} else if (!strcmp(what, "core")) {
		char *p = make(100), *big = make(50 * MIB);
		strcpy(p, "a small ");
		strcat(p, "object of 1");
		memset(big, 'B', 5 * MIB);
		strcpy(big + MIB, "a large ");
		strcat(big + MIB, "object of 1");
		commit();
	}
	return survived();
}

int main(int argc, char **argv) { return report_main(argc, argv); }
