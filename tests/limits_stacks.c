/* A function that allocates, with a frame of no constant size, learnt as a wrapper where its frames are large, is then called near the end of
 * small stacks: of threads, and of coroutines with nothing behind their stack. Where its caller's address would be there is no memory. */
#define _GNU_SOURCE
#include "util.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>

enum { LEARNT = 20000, STACK = 64 << 10 };

/* Quotes a text in an array as long as it needs. */
static NOINLINE char *quoted(const char *s, size_t n)
{
	char work[n * 2 + 1];
	size_t k = 0;
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '"')
			work[k++] = '\\';
		work[k++] = s[i];
	}
	char *p = hide(malloc(200));
	MUST(p);
	memcpy(p, work, k < 200 ? k : 200);
	return p;
}

static NOINLINE char *from_file(const char *s, size_t n)
{
	char *p = quoted(s, n);
	*p = 'f';
	return p;
}

static NOINLINE char *from_net(const char *s, size_t n)
{
	char *p = quoted(s, n);
	*p = 'n';
	return p;
}

static void *answer(void *arg)
{
	for (int i = 0; i < 300; i++)
		free(i % 2 ? from_net("GET /", 5) : from_file("GET /", 5));
	return arg;
}

static ucontext_t main_context, coroutine;

static void run(void)
{
	answer(NULL);
	swapcontext(&coroutine, &main_context);
}

static void run_on(char *stack)
{
	MUST(!getcontext(&coroutine));
	coroutine.uc_stack.ss_sp = stack;
	coroutine.uc_stack.ss_size = STACK;
	coroutine.uc_link = &main_context;
	makecontext(&coroutine, run, 0);
	MUST(!swapcontext(&main_context, &coroutine));
}

int main(void)
{
	need_library();
	/* Frames of 1.6 and of 6 KB: the one reaches past the end of a coroutine's stack, the other of a thread's. */
	static const size_t lengths[] = {800, 3000};
	static char text[3000];
	static char *kept[LEARNT];
	memset(text, 'x', sizeof text);
	for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
		pid_t child = fork();
		MUST(child >= 0);
		if (child) {
			int status;
			MUST(waitpid(child, &status, 0) == child);
			CHECK(status == 0, " (ended by a signal, or exit status, of its own)");
			continue;
		}
		for (int i = 0; i < LEARNT; i++)
			kept[i] = i % 2 ? from_file(text, lengths[k]) : from_net(text, lengths[k]);
		pthread_t t;
		for (int i = 0; i < 8; i++)
			MUST(!pthread_create(&t, NULL, answer, NULL) && !pthread_join(t, NULL));
		char *mapped = map_memory(3 * STACK);
		MUST(!mprotect(mapped, STACK, PROT_NONE) && !mprotect(mapped + 2 * STACK, STACK, PROT_NONE));
		for (int i = 0; i < 8; i++) {
			run_on(mapped + STACK);
			char *own = malloc(STACK); /* ends at a guard of the heap */
			MUST(own);
			run_on(own);
			free(own);
		}
		for (int i = 0; i < LEARNT; i++)
			CHECK(kept[i][0] == (i % 2 ? 'f' : 'n') && kept[i][199] == 'x');
		_exit(failures != 0);
	}
	return test_result("limits_stacks");
}
