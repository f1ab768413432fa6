/* Services filter system calls after start. limits_syscalls CALL: that one fails with EPERM from now on and the heap
 * works on; limits_syscalls only: everything but the few calls the library may use after start kills the process; sealless: mseal does,
 * too, as in filters older than it; children: getpid does, and the program forks and sets another filter; stacks: of futex's
 * operations all but those that wait for and wake others of the process. */
#include "attack/attack.h"
#include "refuse.h"

#include <linux/futex.h>

static const struct {
	const char *name;
	int number;
} calls[] = {{"madvise", SYS_madvise}, {"mprotect", SYS_mprotect}, {"mseal", SYS_mseal},
	     {"futex", SYS_futex},     {"mremap", SYS_mremap},	   {"getrandom", SYS_getrandom},
	     {"munmap", SYS_munmap},   {"brk", SYS_brk},	   {"prctl", SYS_prctl},
	     {"mmap", SYS_mmap}};

static void must(bool filtered)
{
	if (!filtered) {
		say("limits_syscalls: skipped: no seccomp here: %s", strerror(errno));
		_exit(EXIT_SKIP);
	}
}

static void allow_only(bool seals)
{
	const int allowed[] = {
		SYS_mmap,      SYS_munmap, SYS_mremap, SYS_madvise,   SYS_mprotect,
		seals ? SYS_mseal : SYS_mmap, SYS_brk,	   SYS_futex,  SYS_getrandom, /* the test's own: */ SYS_write,
		SYS_exit_group};
	enum { N = sizeof allowed / sizeof *allowed };
	struct sock_filter code[2 * N + 2] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
	for (int i = 0; i < N; i++) {
		code[1 + 2 * i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)allowed[i], 0, 1);
		code[2 + 2 * i] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	code[2 * N + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	must(install_filter(code, 2 * N + 2));
}

static void work(unsigned rounds);
static void children(void)
{
	must(answer(SYS_getpid, SECCOMP_RET_KILL_PROCESS));
	int status = 1;
	pid_t child = fork();
	if (!child) {
		work(1000);
		_exit(failures ? 1 : 0);
	}
	MUST(child > 0 && waitpid(child, &status, 0) == child);
	CHECK(status == 0);
	must(answer(SYS_mkdir, SECCOMP_RET_ERRNO | EPERM));
	work(1000);
}

static NOINLINE char *from_depth(int n)
{
	volatile char page[3000];
	page[0] = (char)n;
	hide((void *)(uintptr_t)page);
	char *p = n ? from_depth(n - 1) : malloc(100);
	page[1] = 0;
	return p;
}

static void stacks(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_futex, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])), /* low half */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FUTEX_WAIT_PRIVATE, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FUTEX_WAKE_PRIVATE, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	must(install_filter(code, sizeof code / sizeof *code));
	for (int i = 0; i < 100000; i++)
		free(hide(from_depth(i % 4)));
}

static void work(unsigned rounds)
{
	uint64_t seed = 42;
	char **live = map_memory(2000 * sizeof *live);
	size_t *size = map_memory(2000 * sizeof *size);
	for (unsigned i = 0; i < rounds; i++) {
		size_t k = next_random(&seed) % 2000, n = random_size(&seed, i % 50 ? 12 : 20);
		if (live[k])
			MUST(filled(live[k], size[k], k));
		if (next_random(&seed) % 4 == 0)
			MUST(live[k] = hide(realloc(live[k], n)));
		else {
			free(live[k]);
			MUST(live[k] = hide(next_random(&seed) % 2 ? malloc(n) : aligned_alloc(64, n)));
			MUST(all_zero(live[k], n));
		}
		size[k] = n;
		fill(live[k], n, k);
		if (i % 10000 == 0)
			malloc_trim(0);
	}
	for (int k = 0; k < 2000; k++)
		free(live[k]);
}

static int ended;

static void *in_thread(void *p)
{
	work(50000);
	__atomic_add_fetch(&ended, 1, __ATOMIC_RELEASE);
	for (;;)
		pause();
	return p;
}

/* Threads contend for the same caches. Not joined: that takes a futex. */
static void in_threads(void)
{
	enum { THREADS = 4 };
	pthread_t t;
	for (int i = 0; i < THREADS; i++)
		MUST(!pthread_create(&t, NULL, in_thread, NULL));
	while (__atomic_load_n(&ended, __ATOMIC_ACQUIRE) < THREADS)
		sleep_ms(1);
}

int main(int argc, char **argv)
{
	need_library();
	watchdog(60);
	MUST(argc == 2);
	(void)sysconf(_SC_PAGESIZE);
	free(hide(malloc(100)));
	if (!strcmp(argv[1], "only") || !strcmp(argv[1], "sealless")) {
		allow_only(!strcmp(argv[1], "only"));
		work(100000);
		int rc = failures ? 1 : 0;
		say("limits_syscalls %s: passed", argv[1]);
		_exit(rc);
	}
	if (!strcmp(argv[1], "children")) {
		children();
		return test_result("limits_syscalls children");
	}
	if (!strcmp(argv[1], "stacks")) {
		stacks();
		return test_result("limits_syscalls stacks");
	}
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		if (!strcmp(argv[1], calls[i].name)) {
			if (!strcmp(argv[1], "mmap") ||
			    !strcmp(argv[1], "mprotect")) { /* room is not required, an answer is */
				static char *live[2000];
				for (int k = 0; k < 2000; k++)
					MUST(live[k] = malloc(100));
				must(refuse(calls[i].number, EPERM));
				for (int round = 0; round < 100; round++)
					for (int k = 0; k < 2000; k++) {
						free(live[k]);
						live[k] = hide(malloc(100));
						MUST(live[k]);
					}
				errno = 0;
				for (int k = 0; k < 2000; k++) {
					char *p = hide(malloc((size_t)k * 500));
					MUST(p || errno == ENOMEM);
					if (p && k)
						p[0] = 1;
					free(p);
				}
				return test_result(calls[i].name);
			}
			work(20000);
			must(refuse(calls[i].number, EPERM));
			work(100000);
			in_threads();
			return test_result(calls[i].name);
		}
	say("no such call: %s", argv[1]);
	return 2;
}
