/* fork while other threads allocate, from atfork handlers that allocate, in atfork handlers; vfork; posix_spawn. A
 * child allocates freely and ends; a hang is a failure.
 *
 * usage: limits_fork loop|atfork|spawn [--forks N] [--threads N]; limits_fork chance: two children and their parent, of one thread, are
 * served in different orders; limits_fork types: threads make objects of thousands of types, whose pages come and go */
#include "attack/attack.h"

#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>

static atomic_bool stop;

static void *busy(void *arg)
{
	uint64_t seed = (uintptr_t)arg;
	static _Atomic(char *) shared[256];
	char *live[64] = {0};
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		size_t n = random_size(&seed, next_random(&seed) % 64 ? 12 : 18), k = next_random(&seed) % 64;
		if (next_random(&seed) % 4 == 0) {
			live[k] = hide(realloc(live[k], n));
			MUST(live[k]);
		} else {
			free(live[k]);
			MUST(live[k] = hide(malloc(n)));
		}
		live[k][0] = 1;
		live[k] = atomic_exchange(&shared[next_random(&seed) % 256], live[k]);
		if (next_random(&seed) % 20000 == 0)
			malloc_trim(0);
	}
	for (int k = 0; k < 64; k++)
		free(live[k]);
	return NULL;
}

static void *small_work(void *arg)
{
	uint64_t seed = (uintptr_t)arg;
	void *live[50];
	for (int i = 0; i < 50; i++) {
		size_t n = random_size(&seed, i % 10 ? 11 : 18);
		MUST(live[i] = hide(malloc(n)));
		MUST(all_zero(live[i], n));
		memset(live[i], 3, n);
	}
	for (int i = 0; i < 50; i++)
		free(live[i]);
	return NULL;
}

/* Objects of before the fork are the child's own copies: verified, freed, replaced; new threads work; it forks
 * itself. */
static void child_work(char **inherited, int count, bool deep)
{
	alarm(60);
	for (int i = 0; i < count; i++) {
		MUST(filled(inherited[i], (size_t)i * 50, (uint64_t)i));
		free(inherited[i]);
	}
	small_work((void *)1);
	if (deep) {
		run_thread(small_work, (void *)2);
		pid_t child = fork();
		if (!child) {
			small_work((void *)3);
			_exit(0);
		}
		int status;
		MUST(waitpid(child, &status, 0) == child && !status);
	}
	malloc_trim(0);
	small_work((void *)4);
}

static void fork_and_wait(char **inherited, int count, bool deep)
{
	pid_t child = fork();
	MUST(child >= 0);
	if (!child) {
		child_work(inherited, count, deep);
		_exit(0);
	}
	int status;
	MUST(waitpid(child, &status, 0) == child);
	if (status) {
		say("limits_fork: a child ended with status 0x%x%s", status,
		    WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? " (it hung)" : "");
		_exit(1);
	}
}

static char *kept;

static void handler_works(void)
{
	free(kept);
	kept = hide(malloc(333));
	small_work((void *)9);
}

static void handler_forks(void)
{
	static bool inside;
	small_work((void *)10);
	if (inside)
		return;
	inside = true;
	pid_t child = fork();
	if (!child) {
		small_work((void *)11);
		_exit(0);
	}
	int status;
	MUST(waitpid(child, &status, 0) == child && !status);
	inside = false;
}

/* More than what was ready at the fork. */
enum { ROW = 200 };
NOINLINE static char *warm(void) { return hide(malloc(100)); }
static void row(char **out)
{
	for (int i = 0; i < ROW; i++)
		MUST(out[i] = warm());
}

static void chance(void)
{
	static char *got[3][ROW];

	for (int i = 0; i < 3000; i++)
		free(warm());
	for (int c = 0; c < 2; c++) {
		int fd[2], status = 1;
		MUST(!pipe(fd));
		pid_t child = fork();
		if (!child) {
			row(got[c]);
			_exit(write(fd[1], got[c], sizeof got[c]) != sizeof got[c]);
		}
		MUST(child > 0 && read(fd[0], got[c], sizeof got[c]) == sizeof got[c]);
		MUST(waitpid(child, &status, 0) == child && status == 0);
	}
	row(got[2]);
	CHECK(memcmp(got[0], got[1], sizeof got[0]));
	CHECK(memcmp(got[0], got[2], sizeof got[0]));
	CHECK(memcmp(got[1], got[2], sizeof got[0]));
}

static void few_of_many_types(size_t from, size_t step)
{
	enum { FEW = 40 };
	void *p[FEW];

	for (size_t i = 0; i < FEW; i++)
		MUST(p[i] = make_typed(40, TYPE_A + (from + i * step) % 9000 * 977, false));
	for (size_t i = 0; i < FEW; i++)
		free(p[i]);
	malloc_trim(0);
}

static void *types_thread(void *arg)
{
	for (size_t n = (size_t)arg * 3000; !atomic_load(&stop); n += 40)
		few_of_many_types(n, 1);
	return NULL;
}

static void types(void)
{
	pthread_t t[3];

	for (size_t i = 0; i < 3; i++)
		MUST(!pthread_create(&t[i], NULL, types_thread, (void *)i));
	for (size_t k = 0; k < 300; k++) {
		int status;
		pid_t child = fork();
		if (!child) {
			alarm(20); /* a lock that one of the threads had would be nobody's here */
			few_of_many_types(k, 199);
			_exit(0);
		}
		MUST(child > 0 && waitpid(child, &status, 0) == child && status == 0);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
}

int main(int argc, char **argv)
{
	need_library();
	MUST(argc >= 2);
	if (!strcmp(argv[1], "types")) {
		watchdog(120);
		types();
		return test_result("limits_fork types");
	}
	if (!strcmp(argv[1], "chance")) {
		chance();
		return test_result("limits_fork chance");
	}
	long forks = option_number(argc, argv, "--forks", 200), threads = option_number(argc, argv, "--threads", 8);
	watchdog((unsigned)(120 + forks / 2));
	if (!strcmp(argv[1], "atfork")) {
		MUST(!pthread_atfork(handler_works, handler_works, handler_works));
		MUST(!pthread_atfork(handler_forks, handler_works, handler_works));
	}
	enum { INHERITED = 100 };
	char *inherited[INHERITED];
	for (int i = 0; i < INHERITED; i++)
		fill(inherited[i] = hide(malloc((size_t)i * 50)), (size_t)i * 50, (uint64_t)i);
	pthread_t t[64];
	MUST(threads <= 64);
	for (long i = 0; i < threads; i++)
		MUST(!pthread_create(&t[i], NULL, busy, (void *)(i + 1)));
	for (long i = 0; i < forks; i++)
		if (!strcmp(argv[1], "spawn")) {
			int status;
			pid_t child = vfork();
			if (!child)
				_exit(7); /* nothing else is allowed */
			MUST(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 7);
			char name[] = "true", *const command[] = {name, NULL};
			MUST(!posix_spawnp(&child, "true", NULL, NULL, command, environ));
			MUST(waitpid(child, &status, 0) == child && !status);
			if (i % 10 == 0)
				MUST(system("exit 0") == 0);
		} else
			fork_and_wait(inherited, INHERITED, i % 8 == 0);
	atomic_store(&stop, true);
	for (long i = 0; i < threads; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < INHERITED; i++) {
		MUST(filled(inherited[i], (size_t)i * 50, (uint64_t)i));
		free(inherited[i]);
	}
	return test_result("limits_fork");
}
