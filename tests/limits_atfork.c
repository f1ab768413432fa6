/*
 * fork while other threads allocate with a lock held that is taken around fork, too: whoever takes it after malloc's waits for ever.
 * usage: limits_atfork module (the lock of a library that is initialised before ours, atfork_module.c) | stdio (libc's of its files)
 */
#include "attack/attack.h"

#include <sys/wait.h>

static int stop;
static bool stopped(void) { return __atomic_load_n(&stop, __ATOMIC_RELAXED); }

static void *module(void *arg)
{
	void (*work)(void) = (void (*)(void))need_symbol("module_work");
	(void)arg;
	while (!stopped())
		work();
	return NULL;
}

/* The stream is locked while its buffer grows. */
static void *stream(void *arg)
{
	static const char bytes[50000];
	(void)arg;
	while (!stopped()) {
		char *text = NULL;
		size_t n = 0;
		FILE *f = open_memstream(&text, &n);
		MUST(f);
		for (int i = 0; i < 300 && !stopped(); i++)
			MUST(fwrite(bytes, 1, sizeof bytes, f) == sizeof bytes);
		MUST(!fclose(f));
		free(text);
	}
	return NULL;
}

/* The stream is locked while the line grows. */
static void *lines(void *arg)
{
	static char bytes[50000];
	FILE *f = tmpfile();
	MUST(f);
	memset(bytes, 'x', sizeof bytes);
	for (size_t i = 0; i < 40; i++)
		MUST(fwrite(bytes, 1, 1000 * i, f) == 1000 * i && putc('\n', f) == '\n');
	while (!stopped()) {
		char *line = NULL;
		size_t n = 0;
		rewind(f);
		while (getline(&line, &n, f) > 0)
			;
		free(line);
	}
	MUST(!fclose(f));
	return arg;
}

/* The list is locked, and then one stream after the other. */
static void *flush(void *arg)
{
	(void)arg;
	for (; !stopped(); usleep(50))
		MUST(!fflush(NULL));
	return NULL;
}

int main(int argc, char **argv)
{
	need_library();
	watchdog(100);
	MUST(argc == 2);
	bool files = !strcmp(argv[1], "stdio");
	void *(*const users[])(void *) = {flush, stream, lines};
	pthread_t t[3];
	for (int i = 0; i < 3; i++)
		MUST(!pthread_create(&t[i], NULL, files ? users[i] : module, NULL));
	for (int i = 0; i < 200; i++) {
		int status;
		pid_t child = fork();
		MUST(child >= 0);
		if (!child) {
			/* Neither lock is left behind. */
			fclose(fopen("/dev/null", "w"));
			free(hide(malloc(1000)));
			_exit(0);
		}
		MUST(waitpid(child, &status, 0) == child);
		CHECK(WIFEXITED(status) && !WEXITSTATUS(status));
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 3; i++)
		MUST(!pthread_join(t[i], NULL));
	return test_result("limits_atfork");
}
