/* os_process.c: time, chance, files, threads, signals and the end, of os.h, on Linux. errno is kept by every function. */
#define _GNU_SOURCE
#include "os.h"
#include "bits.h"
#include "os_linux.h"
#include "report.h"
#include "track.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

extern char __libc_single_threaded __attribute__((weak)); /* of glibc */

TY_START enum ty_threads ty_os_threads(void)
{
	if (!&__libc_single_threaded)
		return TY_THREADS_UNKNOWN;
	return __libc_single_threaded ? TY_THREADS_ONE : TY_THREADS_SOME;
}

/*
 * Libc's clock_gettime may be another library's (libfaketime), which is none that is called with a lock. So it is the kernel's,
 * which libc's calls itself, where that is to be had.
 */
static struct timespec clock_of(clockid_t clock)
{
	struct timespec t = {0, 0};
	int (*kernels)(clockid_t, struct timespec *) = ty_conf.clock;

	KEEP_ERRNO(kernels ? kernels(clock, &t) : (int)ty_syscall(SYS_clock_gettime, clock, &t));
	return t;
}

TY_START void *ty_os_clock(void)
{
#if defined(__aarch64__)
	return ty_vdso_symbol("__kernel_clock_gettime");
#else
	return ty_vdso_symbol("__vdso_clock_gettime");
#endif
}

u64 ty_os_now_ms(void)
{
	struct timespec t = clock_of(CLOCK_MONOTONIC_COARSE);
	return (u64)t.tv_sec * 1000 + (u64)t.tv_nsec / 1000000;
}

#if defined(__x86_64__)
/*
 * What the dynamic linker found out (sys/platform/x86.h of glibc 2.33 and later). To ask the processor again costs a
 * good part of a program's start in a virtual machine, where CPUID is a matter for the host; so does compiler-rt's or
 * libgcc's __builtin_cpu_supports, at each start.
 */
struct cpuid_feature {
	u32 present[4], active[4]; /* eax, ebx, ecx, edx */
};
extern const struct cpuid_feature *__x86_get_cpuid_feature_leaf(unsigned leaf) __attribute__((weak));
enum { LEAF_7 = 1, EBX = 1, AVX2 = 1 << 5 };

TY_START bool ty_os_avx2(void)
{
	const struct cpuid_feature *f = &__x86_get_cpuid_feature_leaf ? __x86_get_cpuid_feature_leaf(LEAF_7) : NULL;
	if (f)
		return f->active[EBX] & AVX2;
	/* Intel's manual, volume 1, 14.3: OSXSAVE and AVX, the registers saved, AVX2. */
	u32 a, b, c, d, low, high;
	if (!__get_cpuid(1, &a, &b, &c, &d) || (c & (bit_OSXSAVE | bit_AVX)) != (bit_OSXSAVE | bit_AVX))
		return false;
	__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (low & 6) == 6 && __get_cpuid_count(7, 0, &a, &b, &c, &d) && b & AVX2;
}
#else
bool ty_os_avx2(void) { return false; }
#endif

#ifdef TY_SYSTEM_CALL
long ty_call(long number, long a, long b, long c, long d, long e, long f)
{
	long r = ty_system_call(number, a, b, c, d, e, f);

	if (r >= 0 || r < -4095)
		return r;
	errno = (int)-r;
	return -1;
}
#endif

TY_START bool ty_os_random(void *buf, size_t n)
{
	long got = KEEP_ERRNO(ty_syscall(SYS_getrandom, buf, n, 1 /* GRND_NONBLOCK */));
	if (got == (long)n)
		return true;
	/* Early boot or a filter: the 16 bytes the kernel gave the process, stretched, and the clock. */
	static u64 counter;
	u64 seed[2] = {0, 0};
	void *aux = (void *)getauxval(AT_RANDOM);
	if (aux)
		memcpy(seed, aux, sizeof seed);
	struct timespec t = clock_of(CLOCK_MONOTONIC);
	u64 x = seed[0] ^ ty_mix((u64)t.tv_nsec) ^ ty_mix((u64)(uintptr_t)buf);
	for (size_t i = 0; i < n; i++)
		((u8 *)buf)[i] = (u8)ty_mix(seed[1] ^ (x += ++counter * 0x9e3779b97f4a7c15ull));
	return false;
}

void ty_os_futex_wait(u32 *word, u32 value)
{
	KEEP_ERRNO(ty_syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0));
}

void ty_os_futex_wake(u32 *word) { KEEP_ERRNO(ty_syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0)); }

void ty_os_write(int fd, const char *s, size_t n)
{
	int saved = errno;
	while (n) {
		ssize_t w = ty_syscall(SYS_write, fd, s, n);
		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			break;
		s += w;
		n -= (size_t)w;
	}
	errno = saved;
}

/* fstat, nobody's own, by the call that libc makes: filters know that one. */
TY_EVERY_START static int look(int fd, struct stat *st)
{
#if defined(TY_SYSTEM_CALL) && defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
	/* (The empty path lies where it costs no page of its own.) */
	return (int)ty_syscall(SYS_newfstatat, fd, ty_conf.variable + sizeof ty_conf.variable - 1, st, AT_EMPTY_PATH);
#else
	return fstat(fd, st);
#endif
}

/*
 * A pipe, socket or terminal may be full, and its reader asleep. Refused: nobody knows, so write.
 */
bool ty_os_may_write(int fd, unsigned ms)
{
	struct stat st;
	struct pollfd poll = {.fd = fd, .events = POLLOUT};
	struct timespec limit = {ms / 1000, (long)(ms % 1000) * 1000000};

	if (KEEP_ERRNO(look(fd, &st)) == 0 && !S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode) && !S_ISCHR(st.st_mode))
		return true;
	return KEEP_ERRNO(ty_syscall(SYS_ppoll, &poll, 1, &limit, NULL, 0)) != 0;
}

static int open_file(const char *path, int flags)
{
	return (int)KEEP_ERRNO(ty_syscall(SYS_openat, AT_FDCWD, path, flags, 0644));
}

TY_EVERY_START bool ty_os_may_exist(const char *path)
{
	int saved = errno;
	long fd = ty_syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC); /* the dynamic linker does the like: filters know it */
	bool none = fd < 0 && errno == ENOENT;

	if (fd >= 0)
		ty_syscall(SYS_close, fd);
	errno = saved;
	return !none;
}

TY_START size_t ty_os_read_file(const char *path, char *buf, size_t n)
{
	int saved = errno;
	size_t have = 0;
	int fd = open_file(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		while (have < n) {
			ssize_t r = ty_syscall(SYS_read, fd, buf + have, n - have);
			if (r < 0 && errno == EINTR)
				continue;
			if (r <= 0)
				break;
			have += (size_t)r;
		}
		ty_syscall(SYS_close, fd);
	}
	errno = saved;
	return have;
}

int ty_os_open_append(const char *path)
{
	return open_file(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC);
}

#define HIGH_FD 200

int ty_os_dup_high(int fd) { return (int)KEEP_ERRNO(ty_syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, HIGH_FD)); }

static u64 file_id(const struct stat *st) { return ty_mix(ty_mix(st->st_dev) ^ st->st_ino) | 1; }

TY_EVERY_START u64 ty_os_file_id(int fd)
{
	struct stat st;
	return KEEP_ERRNO(look(fd, &st)) == 0 ? file_id(&st) : 0;
}

void ty_os_close_file(int fd) { KEEP_ERRNO(ty_syscall(SYS_close, fd)); }
int ty_os_pid(void) { return (int)ty_syscall(SYS_getpid); }
int ty_os_tid(void) { return (int)ty_syscall(SYS_gettid); }

/* pthread_self, which lies on a page that the child of a fork has no other use for. */
TY_INLINE pthread_t self(void)
{
#if defined(__x86_64__) && defined(__GLIBC__)
	return (pthread_t)__builtin_thread_pointer(); /* both are the address of libc's record of the thread */
#else
	return pthread_self();
#endif
}

/* The number of a thread's clock is made of the thread's (the kernel's interface), which libc has at hand. */
TY_START int ty_os_thread(void)
{
	clockid_t clock;

	return pthread_getcpuclockid(self(), &clock) == 0 ? ~(clock >> 3) : 0;
}

TY_START bool ty_os_is_cloned(void)
{
	int known = ty_os_thread();

	/* A filter that is there already may end who asks for more than it has to. */
	return known && KEEP_ERRNO(ty_syscall(SYS_prctl, PR_GET_SECCOMP, 0ul, 0ul, 0ul, 0ul)) == 0 && known != ty_os_tid();
}

bool ty_os_is_log(int fd, u64 id)
{
	struct stat st;
	int saved = errno;
	bool yes;

	if (look(fd, &st) != 0) {
		yes = errno != EBADF; /* a filter: nobody knows */
	} else if (file_id(&st) == id) {
		yes = true;
	} else if (S_ISREG(st.st_mode)) {
		long flags = ty_syscall(SYS_fcntl, fd, F_GETFL);
		yes = flags >= 0 && (flags & O_APPEND || (flags & O_ACCMODE) == O_WRONLY);
	} else if (S_ISCHR(st.st_mode)) {
		char termios[128]; /* the kernel's is shorter than libc's */
		yes = ty_syscall(SYS_ioctl, fd, TCGETS, termios) == 0;
	} else {
		yes = S_ISFIFO(st.st_mode);
	}
	errno = saved;
	return yes;
}

u64 ty_os_time(void)
{
	return (u64)clock_of(CLOCK_REALTIME).tv_sec;
}

void ty_os_wait_ms(unsigned ms)
{
	static u32 never; /* the one sleep that a filter lets pass */
	struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};
	KEEP_ERRNO(ty_syscall(SYS_futex, &never, FUTEX_WAIT_PRIVATE, 0, &t, NULL, 0));
}

/* Masks as the kernel has them: 64 signals. */
#define SIG_BIT(n) ((u64)1 << ((n)-1))
_Static_assert(TY_MASK_SIGPIPE == SIG_BIT(SIGPIPE), "os.h knows the number");

static void set_mask(int how, const u64 *mask, u64 *old)
{
	KEEP_ERRNO(ty_syscall(SYS_rt_sigprocmask, how, mask, old, sizeof *mask));
}

u64 ty_os_block_signals(void)
{
	u64 all = ~(SIG_BIT(SIGSEGV) | SIG_BIT(SIGBUS) | SIG_BIT(SIGILL) | SIG_BIT(SIGFPE) | SIG_BIT(SIGTRAP) | SIG_BIT(SIGSYS));
	u64 old = 0;
	set_mask(SIG_SETMASK, &all, &old);
	return old;
}

void ty_os_set_signals(u64 mask)
{
	if (!(mask & TY_MASK_SIGPIPE)) {
		u64 pipe = TY_MASK_SIGPIPE;
		struct timespec now = {0, 0};
		KEEP_ERRNO(ty_syscall(SYS_rt_sigtimedwait, &pipe, NULL, &now, sizeof pipe));
	}
	set_mask(SIG_SETMASK, &mask, NULL);
}

bool ty_os_on_signal_stack(void)
{
	stack_t s = {.ss_flags = 0};
	return KEEP_ERRNO(ty_syscall(SYS_sigaltstack, NULL, &s)) == 0 && s.ss_flags & SS_ONSTACK;
}

/* The kernel compares the word there with a number that it is not, as a rule, and else waits for no time. (Filters know this call.) */
bool ty_os_readable(const void *p)
{
	static const struct timespec none;
	int saved = errno;
	long r = ty_syscall(SYS_futex, (uintptr_t)p & ~(uintptr_t)3, FUTEX_WAIT_PRIVATE, 0x7e57ab1el, &none, NULL, 0l);
	bool ok = r == 0 || errno == EAGAIN || errno == ETIMEDOUT || errno == EINTR;

	errno = saved;
	return ok;
}

bool ty_os_send(const char *path, const char *s, size_t n)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	static const int types[] = {SOCK_DGRAM, SOCK_STREAM};
	int saved = errno;
	bool sent = false;

	for (size_t i = 0; path[i] && i < sizeof to.sun_path - 1; i++)
		to.sun_path[i] = path[i];
	for (int i = 0; i < 2 && !sent; i++) {
		long fd = ty_syscall(SYS_socket, AF_UNIX, types[i] | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (fd < 0)
			break;
		/* In a stream a zero byte ends the message. */
		if (ty_syscall(SYS_connect, fd, &to, sizeof to) == 0)
			sent = ty_syscall(SYS_sendto, fd, s, n + (size_t)i, MSG_NOSIGNAL, NULL, 0) > 0;
		bool other = errno == EPROTOTYPE;
		ty_syscall(SYS_close, fd);
		if (!other)
			break;
	}
	errno = saved;
	return sent;
}

void ty_os_raise_core_limit(void)
{
	u64 lim[2]; /* soft, hard */
	if (KEEP_ERRNO(ty_syscall(SYS_prlimit64, 0, RLIMIT_CORE, NULL, lim)) == 0 && lim[0] != lim[1]) {
		lim[0] = lim[1];
		KEEP_ERRNO(ty_syscall(SYS_prlimit64, 0, RLIMIT_CORE, lim, NULL));
	}
}

void ty_os_abort(bool handlers)
{
	static const char by_default[64]; /* a struct sigaction of any kernel: SIG_DFL and nothing else */
	u64 mask = SIG_BIT(SIGABRT), all = ~(u64)0;

	for (int k = 0; ty_conf.valgrind && k < 2; k++) /* as deep as it may be */
		ty_track_end();
	for (int round = handlers ? 0 : 1; round < 2; round++) {
		if (round)
			ty_syscall(SYS_rt_sigaction, SIGABRT, by_default, NULL, sizeof(u64));
		set_mask(SIG_UNBLOCK, &mask, NULL);
		ty_syscall(SYS_tgkill, ty_os_pid(), ty_os_tid(), SIGABRT);
	}
	/*
	 * The first process of a container ignores signals without a handler, and a filter may refuse them: a blocked
	 * fault kills.
	 */
	set_mask(SIG_SETMASK, &all, NULL);
	__builtin_trap();
}

static uintptr_t pc_of(const ucontext_t *u)
{
#if defined(__x86_64__)
	return (uintptr_t)u->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
	return u->uc_mcontext.pc;
#else
	(void)u;
	return 0;
#endif
}

/*
 * The kernel has restored the default before it calls this (SA_RESETHAND), so the fault ends the process when it comes
 * again. Where another handler stands in our place, which calls us for what it does not know, it is for that one to
 * restore its memory of us to the default likewise and do what it would have done without us (Java does); if it calls
 * again all the same, the default is due. A signal that somebody has sent does not come again by itself.
 */
static void on_fault(int sig, siginfo_t *info, void *context)
{
	static const char by_default[64]; /* as in ty_os_abort */
	static bool called;
	uintptr_t is[8] = {0}; /* the handler, first */
	int saved = errno;

	if (info->si_code > 0 && &ty_os_fault)
		ty_os_fault((uintptr_t)info->si_addr, pc_of(context));
	bool replaced = ty_syscall(SYS_rt_sigaction, sig, NULL, is, sizeof(u64)) != 0 || is[0];
	if (replaced && __atomic_exchange_n(&called, true, __ATOMIC_RELAXED) &&
	    ty_syscall(SYS_rt_sigaction, sig, by_default, NULL, sizeof(u64)) != 0)
		*(u64 *)(void *)&((ucontext_t *)context)->uc_sigmask |= SIG_BIT(sig); /* a blocked fault kills */
	if (info->si_code <= 0)
		ty_syscall(SYS_tgkill, ty_os_pid(), ty_os_tid(), sig);
	errno = saved;
}

/* (There is no handler, as a rule, so it takes one call.) */
TY_EVERY_START void ty_os_on_fault(void)
{
	struct sigaction is, ours = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESETHAND};
	int saved = errno;

	if (sigaction(SIGSEGV, &ours, &is) == 0 && is.sa_handler != SIG_DFL)
		sigaction(SIGSEGV, &is, NULL);
	errno = saved;
}
