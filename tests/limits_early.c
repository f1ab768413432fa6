/* Programs that do something before their first allocation, for which the heap waits: limits_early HOW [PATH]. */
#include "attack/attack.h"
#include "refuse.h"

#include <sys/resource.h>
#include <ucontext.h>

/* Address space that is reserved, without the help of anything that allocates. */
static size_t reserved(void)
{
	char buf[16384];
	size_t have = 0, sum = 0;
	int fd = open("/proc/self/maps", O_RDONLY);
	ssize_t n;

	MUST(fd >= 0);
	while (have < sizeof buf - 1 && (n = read(fd, buf + have, sizeof buf - 1 - have)) > 0)
		have += (size_t)n;
	close(fd);
	buf[have] = 0;
	for (char *line = buf; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		char *end;
		uintptr_t from = strtoul(line, &end, 16), to = strtoul(end + 1, &end, 16);
		if (!strncmp(end, " ---p", 5))
			sum += to - from;
	}
	return sum;
}

static void works(void)
{
	static char *some[3000];

	for (size_t i = 0; i < 3000; i++) {
		MUST(some[i] = hide(malloc(i % 50 ? i : i * 100)));
		fill(some[i], i, i);
	}
	for (size_t i = 0; i < 3000; i++) {
		CHECK(filled(some[i], i, i));
		free(some[i]);
	}
}

/* Who does not allocate has no heap, and it starts with the first object. */
static void idle(void)
{
	CHECK(reserved() < (size_t)1 << 30);
	works();
	CHECK(reserved() > (size_t)1 << 30);
}

/* Parent and child start heaps of their own. */
static void forked(void)
{
	int to_parent[2], status = 1;
	void *childs = NULL;

	MUST(!pipe(to_parent));
	pid_t child = fork();
	void *own = hide(malloc(100));
	if (!child) {
		MUST(write(to_parent[1], &own, sizeof own) == sizeof own);
		works();
		_exit(failures != 0);
	}
	MUST(child > 0 && read(to_parent[0], &childs, sizeof childs) == sizeof childs);
	MUST(waitpid(child, &status, 0) == child);
	CHECK(status == 0 && own && childs);
	CHECK(((uintptr_t)own ^ (uintptr_t)childs) >> 32 != 0);
	works();
	child = fork(); /* and its handlers are there now */
	if (!child) {
		works();
		_exit(failures != 0);
	}
	MUST(child > 0 && waitpid(child, &status, 0) == child);
	CHECK(status == 0);
}

static void skip(const char *what)
{
	say("limits_early: skipped: %s: %s", what, strerror(errno));
	_exit(EXIT_SKIP);
}

/* All but what the manual says that the heap needs ends the process. */
static const int allowed[] = {SYS_mmap,	    SYS_munmap, SYS_mremap,    SYS_madvise, SYS_mprotect,  SYS_brk,
			      SYS_futex,    SYS_getrandom, SYS_write, SYS_exit_group};
enum { ALLOWED = sizeof allowed / sizeof *allowed };
static struct sock_filter code[2 * ALLOWED + 2] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
static struct sock_fprog program = {2 * ALLOWED + 2, code};

static void make_filter(void)
{
	for (int i = 0; i < ALLOWED; i++) {
		code[1 + 2 * i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)allowed[i], 0, 1);
		code[2 + 2 * i] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	code[2 * ALLOWED + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	MUST(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

static void filter_by_prctl(void)
{
	make_filter();
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		skip("prctl");
	works();
}

static void filter_by_call(void)
{
	make_filter();
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program))
		skip("seccomp");
	works();
}

static void filter_by_prctl_call(void)
{
	make_filter();
	if (syscall(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0))
		skip("prctl");
	works();
}

/* Calls with all their arguments, results and errors come through. */
static void calls(void)
{
	for (int started = 0; started < 2; started++) {
		errno = 0;
		CHECK(syscall(SYS_getpid) == getpid() && errno == 0);
		char *page = (char *)syscall(SYS_mmap, NULL, (size_t)65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);
		MUST(page != MAP_FAILED);
		page[65535] = 1;
		CHECK(syscall(SYS_munmap, page, (size_t)65536) == 0);
		CHECK(syscall(SYS_close, -1) == -1 && errno == EBADF);
		errno = 0;
		int fd = open("/proc/self/exe", O_RDONLY), other = open("/proc/self/exe", O_RDONLY); /* the sixth: an offset into it */
		MUST(fd >= 0 && other >= 0);
		unsigned char *second = (unsigned char *)syscall(SYS_mmap, NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, (long)PAGE), there;
		MUST(second != MAP_FAILED && pread(other, &there, 1, (off_t)PAGE) == 1);
		CHECK(*second == there);
		munmap(second, PAGE);
		close(fd);
		close(other);
		works();
	}
}

/* The limit is lifted again. */
static void limited_once(void)
{
	struct rlimit was, now;
	static char *some[200];

	MUST(!getrlimit(RLIMIT_AS, &was));
	now = was;
	now.rlim_cur = 64 * MIB;
	MUST(!setrlimit(RLIMIT_AS, &now));
	works();
	MUST(!setrlimit(RLIMIT_AS, &was));
	for (int i = 0; i < 200; i++) {
		CHECK(some[i] = hide(malloc(MIB)));
		if (some[i])
			memset(some[i], 1, MIB);
	}
	for (int i = 0; i < 200; i++)
		free(some[i]);
	works();
}
static void too_limited_once(void)
{
	struct rlimit was, now;

	MUST(!getrlimit(RLIMIT_AS, &was));
	now = was;
	now.rlim_cur = 1 * MIB; /* less than there is */
	MUST(!setrlimit(RLIMIT_AS, &now));
	MUST(!setrlimit(RLIMIT_AS, &was));
	works();
}

/* Each way to set a limit gives the reservation back; what sets none, or another's, does not. */
static struct rlimit gib = {(rlim_t)2 << 30, RLIM_INFINITY};
static int by_setrlimit(void) { return setrlimit(RLIMIT_AS, &gib); }
static int by_setrlimit64(void) { return setrlimit64(RLIMIT_AS, (struct rlimit64 *)&gib); }
static int by_prlimit(void) { return prlimit(0, RLIMIT_AS, &gib, NULL); }
static int by_prlimit64(void) { return prlimit64(getpid(), RLIMIT_AS, (struct rlimit64 *)&gib, NULL); }
static int by_prlimit_over(void)
{
	int r = prlimit(0, RLIMIT_AS, &gib, &gib);
	CHECK(gib.rlim_cur == RLIM_INFINITY);
	return r;
}
static int by_call(void) { return (int)syscall(SYS_prlimit64, 0, RLIMIT_AS, &gib, NULL); }
static int by_call_over(void)
{
	int r = (int)syscall(SYS_prlimit64, getpid(), RLIMIT_AS, &gib, &gib);
	CHECK(gib.rlim_cur == RLIM_INFINITY);
	return r;
}
#ifdef SYS_setrlimit
static int by_old_call(void) { return (int)syscall(SYS_setrlimit, RLIMIT_AS, &gib); }
#endif
static int of_another(void)
{
	pid_t child = fork();
	int status;

	if (!child)
		for (;;)
			pause();
	int r = child > 0 ? prlimit(child, RLIMIT_AS, &gib, NULL) : -1;
	kill(child, SIGKILL);
	MUST(waitpid(child, &status, 0) == child);
	return r;
}
static int of_another_kind(void) { return setrlimit(RLIMIT_FSIZE, &gib); }
static int refused(void)
{
	gib.rlim_max = 1;
	CHECK(setrlimit(RLIMIT_AS, &gib) == -1 && errno == EINVAL);
	CHECK(prlimit(0, RLIMIT_AS, &gib, NULL) == -1 && errno == EINVAL);
	CHECK(syscall(SYS_prlimit64, 0, RLIMIT_AS, &gib, NULL) == -1 && errno == EINVAL);
	return 0;
}
static int (*volatile set_nothing)(__rlimit_resource_t, const struct rlimit *) = setrlimit;
static int of_nothing(void) { return set_nothing(RLIMIT_AS, NULL); }
static int (*way)(void);
static bool gives_back;
static void one_way(void)
{
	works();
	CHECK(reserved() > (size_t)8 << 30);
	MUST(way() == 0);
	CHECK((reserved() < (size_t)8 << 30) == gives_back);
	works();
}
static void heard(void)
{
	static int (*const heard[])(void) = {
		by_setrlimit, by_setrlimit64, by_prlimit, by_prlimit64, by_prlimit_over, by_call, by_call_over,
#ifdef SYS_setrlimit
		by_old_call,
#endif
	}, (*const others[])(void) = {of_another, of_another_kind, refused, of_nothing};

	gives_back = true;
	for (size_t i = 0; i < sizeof heard / sizeof *heard; i++) {
		way = heard[i];
		APART(one_way);
	}
	gives_back = false;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		way = others[i];
		APART(one_way);
	}
}

/* A child of vfork that limits itself leaves the parent as it is, heap or none. */
static void limit_in_vfork(void)
{
	int status = 1;
	pid_t child = vfork();

	if (!child)
		_exit(by_setrlimit() != 0);
	MUST(child > 0 && waitpid(child, &status, 0) == child);
	CHECK(status == 0);
	works();
	CHECK(reserved() > (size_t)8 << 30);
}

/* More handlers than libc has room for at first. */
static int handled;
static void handler(void) { handled++; }
static void handlers(void)
{
	int status = 1;

	for (int i = 0; i < 200; i++)
		MUST(!pthread_atfork(handler, NULL, NULL));
	pid_t child = fork();
	if (!child) {
		works();
		_exit(failures != 0);
	}
	MUST(child > 0 && waitpid(child, &status, 0) == child);
	CHECK(status == 0 && handled == 200);
	works();
}

/* Under a filter that was there before and ends who makes a call: limits_early under NUMBER. */
static void under(char **argv)
{
	if (!answer(atoi(argv[2]), SECCOMP_RET_KILL_PROCESS))
		skip("prctl");
	execl("/proc/self/exe", argv[0], "works", (char *)NULL);
	_exit(1);
}

/* A child that libc knows nothing of is a process of its own: its limit gives address space back. */
static void cloned(void)
{
	int status = 1;
	pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	MUST(child >= 0);
	if (!child) {
		struct rlimit l;
		works();
		MUST(!getrlimit(RLIMIT_AS, &l));
		l.rlim_cur = (rlim_t)1 << 30;
		MUST(!setrlimit(RLIMIT_AS, &l));
		CHECK(mmap(NULL, 16 * MIB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
		works();
		_exit(failures != 0);
	}
	MUST(waitpid(child, &status, 0) == child);
	CHECK(status == 0);
	works();
}

/* On a stack of 4 KiB. */
static ucontext_t here, there;
static void first(void)
{
	free(hide(malloc(100)));
	setcontext(&here);
}
static void short_stack(void)
{
	static bool back;
	char *stack = mmap(NULL, 3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	MUST(stack != MAP_FAILED && !mprotect(stack + PAGE, PAGE, PROT_READ | PROT_WRITE));
	MUST(!getcontext(&there));
	there.uc_stack.ss_sp = stack + PAGE;
	there.uc_stack.ss_size = PAGE;
	makecontext(&there, first, 0);
	MUST(!getcontext(&here));
	if (!back) {
		back = true;
		setcontext(&there);
	}
	works();
}

/* Options that come into the environment later are not for us: it may be a client's. */
static void environment(void)
{
	static char option[] = "TYPED_MALLOC_OPTIONS=nonsense=1", *other[] = {option, NULL};

	environ = other;
	works();
}

/* What the program is called does not change with its title. */
static void renamed(char *title)
{
	memset(title, 'X', strlen(title));
	char *p = hide(malloc(100));
	free(p);
	free(hide(p));
}

/* Little may be locked, and everything that comes is to be. */
static bool lock_by_call;
static void locked(void)
{
	struct rlimit little = {65536, 65536};

	MUST(!setrlimit(RLIMIT_MEMLOCK, &little));
	if (!geteuid() && setresuid(65534, 65534, 65534))
		skip("setresuid");
	if (lock_by_call ? syscall(SYS_mlockall, MCL_FUTURE) : mlockall(MCL_FUTURE))
		skip("mlockall");
	works();
}
static void locked_by_call(void)
{
	lock_by_call = true;
	locked();
}

/* The file of options in there is not the system's. (The script looks for a word about it.) */
static void confined(const char *path)
{
	if (chroot(path))
		skip("chroot");
	works();
}

/* What is standard error now was not when the program started. */
static void other_file(const char *path)
{
	close(2); /* if it was open */
	MUST(open(path, O_RDWR | O_CREAT, 0600) == 2);
	char *p = hide(malloc(100));
	free(p);
	free(hide(p));
}

/* The first thing that the heap hears of. */
static void foreign_first(void)
{
	char on_stack[64];

	free(hide(on_stack));
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*part)(void);
	} parts[] = {{"idle", idle},
		     {"forked", forked},
		     {"prctl", filter_by_prctl},
		     {"call", filter_by_call},
		     {"prctl_call", filter_by_prctl_call},
		     {"calls", calls},
		     {"locked", locked},
		     {"locked_by_call", locked_by_call},
		     {"limited_once", limited_once},
		     {"too_limited_once", too_limited_once},
		     {"cloned", cloned},
		     {"heard", heard},
		     {"limit_in_vfork", limit_in_vfork},
		     {"handlers", handlers},
		     {"works", works},
		     {"short_stack", short_stack},
		     {"environment", environment},
		     {"foreign", foreign_first}};

	need_library();
	alarm(60);
	MUST(argc >= 2);
	if (argc == 3 && !strcmp(argv[1], "confined"))
		confined(argv[2]);
	else if (argc == 3 && !strcmp(argv[1], "other_file"))
		other_file(argv[2]);
	else if (argc == 3 && !strcmp(argv[1], "under"))
		under(argv);
	else if (!strcmp(argv[1], "renamed"))
		renamed(argv[0]);
	else {
		size_t i = 0;
		while (i < sizeof parts / sizeof *parts && strcmp(argv[1], parts[i].name))
			i++;
		MUST(i < sizeof parts / sizeof *parts);
		parts[i].part();
	}
	int rc = failures ? 1 : 0;
	say("limits_early %s: %s", argv[1], rc ? "FAILED" : "passed");
	_exit(rc);
}
