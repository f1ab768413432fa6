/* os_linux.c: os.h on Linux. errno is kept by every function: they run inside free. */
#define _GNU_SOURCE
#include "os.h"
#include "bits.h"
#include "report.h"
#include "track.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24 /* Linux 5.18 */
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#define MADV_GUARD_REMOVE 103
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4 /* Linux 5.7 */
#endif
#ifndef SYS_mseal
#define SYS_mseal 462 /* Linux 6.10, the same number everywhere */
#endif
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000 /* Linux 4.17 */
#endif

#define DEFAULT_MAP_COUNT 65530 /* the kernel's DEFAULT_MAX_MAP_COUNT, for a process without /proc */

static size_t page_size = 4096;
static bool have_guards;
static bool locked;	 /* atomic */
static int guard_budget; /* PROT_NONE guards still allowed; each costs two mappings */

/* errno belongs to the program. */
#define KEEP_ERRNO(expr)                                                                                     \
	({                                                                                                   \
		int saved_ = errno;                                                                          \
		__typeof__(expr) r_ = (expr);                                                                \
		errno = saved_;                                                                              \
		r_;                                                                                          \
	})

/*
 * System calls directly: another preloaded library may have wrapped libc's functions in ones that allocate, and we are in
 * the middle of malloc, often with a lock.
 */
static void *map(void *at, size_t len, int prot, int flags)
{
	long p = KEEP_ERRNO(syscall(SYS_mmap, at, len, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0l));
	return p == -1 ? NULL : (void *)p;
}

static bool unmap(void *p, size_t len) { return KEEP_ERRNO(syscall(SYS_munmap, p, len)) == 0; }
static bool protect(void *p, size_t len, int prot) { return KEEP_ERRNO(syscall(SYS_mprotect, p, len, prot)) == 0; }
static bool advise(void *p, size_t len, int advice) { return KEEP_ERRNO(syscall(SYS_madvise, p, len, advice)) == 0; }

void ty_os_init(void)
{
	char buf[32];
	unsigned long psz = getauxval(AT_PAGESZ);

	if (ty_is_pow2(psz) && psz >= 4096)
		page_size = psz;
	/* Of no bytes: the kernel says whether it knows the advice. */
	have_guards = advise(NULL, 0, MADV_GUARD_INSTALL);
	if (have_guards)
		return;
	int count = DEFAULT_MAP_COUNT;
	size_t n = ty_os_read_file("/proc/sys/vm/max_map_count", buf, sizeof buf - 1);
	if (n) {
		buf[n] = 0;
		count = atoi(buf);
	}
	guard_budget = count / 8;
}

bool ty_os_cheap_guards(void) { return have_guards; }
size_t ty_os_page_size(void) { return page_size; }

size_t ty_os_space_left(void)
{
	struct rlimit lim;
	char buf[64];

	if (KEEP_ERRNO(getrlimit(RLIMIT_AS, &lim)) != 0 || lim.rlim_cur == RLIM_INFINITY)
		return SIZE_MAX;
	size_t used = (size_t)64 << 20; /* without /proc: a guess on the safe side */
	size_t n = ty_os_read_file("/proc/self/statm", buf, sizeof buf - 1);
	if (n) {
		buf[n] = 0;
		used = (size_t)strtoul(buf, NULL, 10) * page_size;
	}
	return lim.rlim_cur > used ? lim.rlim_cur - used : 0;
}

/* Where nothing is mapped, or nothing. */
static bool map_at(void *p, size_t len, int prot)
{
	void *got = map(p, len, prot, MAP_FIXED_NOREPLACE);
	if (got && got != p)
		unmap(got, len); /* a kernel that took the address as a hint */
	return got == p;
}

/*
 * The kernel places mappings next to each other, which would make the heap's distance from libc a constant. A
 * random place is asked for first: below 2^46, so that it also fits beside 16 TiB in a 47-bit space.
 */
void *ty_os_reserve(size_t len)
{
	if (unlikely(ty_conf.checker)) { /* no chance: TSan has rules about places */
		void *p = ty_track_may_reserve(len) ? ty_track_reserve(len) : NULL;
		return p || !ty_track_may_reserve(len) ? p : map(NULL, len, PROT_NONE, 0);
	}
	for (int i = 0; i < 8; i++) {
		u64 r = 0;
		ty_os_random(&r, sizeof r);
		uintptr_t at = (uintptr_t)(r & ((1ull << 46) - 1)) + (1ull << 36);
		at = ty_round_down(at, (size_t)1 << 21);
		if (map_at((void *)at, len, PROT_NONE))
			return (void *)at;
	}
	return map(NULL, len, PROT_NONE, 0);
}

void ty_os_release(void *p, size_t len) { unmap(p, len); }

static bool limited;
bool ty_os_limit(void) { return !__atomic_exchange_n(&limited, true, __ATOMIC_RELAXED); }
bool ty_os_tight(void) { return TY_LOAD(&locked) || TY_LOAD(&limited); }

bool ty_os_keep(void *p, size_t len) { return !TY_LOAD(&limited) || map_at(p, len, PROT_NONE); }

bool ty_os_enable(void *p, size_t len, enum ty_huge huge)
{
	uintptr_t start = ty_round_down((uintptr_t)p, page_size);
	uintptr_t end = ty_round_up((uintptr_t)p + len, page_size);

	int access = PROT_READ | PROT_WRITE;
	if (!protect((void *)start, end - start, access) &&
	    (!TY_LOAD(&limited) || !map_at((void *)start, end - start, access)))
		return false;
	/*
	 * Whatever the system's default: small objects would have 2 MiB for 4 KiB of use, and big ones a page fault for
	 * every 4 KiB.
	 */
	advise((void *)start, end - start, huge == TY_HUGE_WANTED ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	/* Refused for locked memory and harmless for all other, as nothing is there yet. (MADV_COLD takes five times as long.) */
	int saved = errno;
	bool now_locked = syscall(SYS_madvise, start, page_size, MADV_DONTNEED) != 0 && errno == EINVAL;
	errno = saved;
	if (now_locked != TY_LOAD(&locked))
		TY_STORE(&locked, now_locked && have_guards);
	/* Without cheap guards a PROT_NONE one must stay possible, and free huge spans are protected (large.h). */
	if (have_guards && huge == TY_HUGE_NEVER && !ty_conf.checker && !ty_conf.unsealed) /* valgrind does not know the call */
		KEEP_ERRNO(syscall(SYS_mseal, start, end - start, 0ul));
	return true;
}

bool ty_os_protect(void *p, size_t len) { return protect(p, len, PROT_NONE); }
bool ty_os_unprotect(void *p, size_t len) { return protect(p, len, PROT_READ | PROT_WRITE); }

bool ty_os_open(void *p, size_t len)
{
	if (!protect(p, len, PROT_READ | PROT_WRITE))
		return false;
	advise(p, len, MADV_HUGEPAGE);
	return true;
}

bool ty_os_close(void *p, size_t len) { return map(p, len, PROT_NONE, MAP_FIXED) == p; }

/*
 * The old range stays mapped, so that nobody else's mapping can ever come to lie there (P1). A failing mremap may have
 * unmapped the new one already (the limit on address space, a range of several mappings): it is closed again at once,
 * and if somebody was faster the process must end.
 */
bool ty_os_move(void *from, void *to, size_t len)
{
	void *room = map(NULL, len, PROT_READ | PROT_WRITE, MAP_NORESERVE); /* within RLIMIT_AS and RLIMIT_DATA? */
	if (!room)
		return false;
	unmap(room, len);
	long p = KEEP_ERRNO(syscall(SYS_mremap, from, len, len, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to));
	if (p == (long)to)
		return true;
	if (advise(to, len, MADV_HUGEPAGE)) /* ENOMEM where nothing is mapped */
		return false;
	if (map(to, len, PROT_READ | PROT_WRITE, MAP_FIXED_NOREPLACE) != to)
		ty_die("realloc", "lost its address space at", to, NULL);
	return false;
}

extern char __libc_single_threaded __attribute__((weak)); /* of glibc */

enum ty_threads ty_os_threads(void)
{
	if (!&__libc_single_threaded)
		return TY_THREADS_UNKNOWN;
	return __libc_single_threaded ? TY_THREADS_ONE : TY_THREADS_SOME;
}

bool ty_os_locked(void) { return TY_LOAD(&locked); }

static bool inward(void *p, size_t len, uintptr_t *start, size_t *n)
{
	uintptr_t end = ty_round_down((uintptr_t)p + len, page_size);
	*start = ty_round_up((uintptr_t)p, page_size);
	*n = end > *start ? end - *start : 0;
	return *n != 0;
}

bool ty_os_purge(void *p, size_t len)
{
	uintptr_t start;
	size_t n;
	if (!inward(p, len, &start, &n))
		return false;
	return advise((void *)start, n, MADV_DONTNEED) || advise((void *)start, n, MADV_DONTNEED_LOCKED);
}

bool ty_os_guard(void *p, size_t len)
{
	uintptr_t start;
	size_t n;
	if (!inward(p, len, &start, &n))
		return false;
	if (have_guards)
		return advise((void *)start, n, MADV_GUARD_INSTALL);
	if (__atomic_sub_fetch(&guard_budget, 1, __ATOMIC_RELAXED) >= 0) {
		advise((void *)start, n, MADV_DONTNEED);
		if (protect((void *)start, n, PROT_NONE))
			return true;
	}
	__atomic_add_fetch(&guard_budget, 1, __ATOMIC_RELAXED);
	return false;
}

enum ty_guard ty_os_guard_all(void *p, size_t len)
{
	int saved = errno;

	errno = 0;
	uintptr_t start;
	size_t n;
	bool set = false, refused = true; /* without guards of the kernel's the budget refuses, or all is done */
	if (inward(p, len, &start, &n)) {
		if (have_guards) {
			set = syscall(SYS_madvise, start, n, MADV_GUARD_INSTALL) == 0;
			refused = errno == EPERM || errno == ENOSYS;
		} else {
			set = ty_os_guard(p, len);
		}
	}
	errno = saved;
	return set ? TY_GUARD_SET : refused ? TY_GUARD_REFUSED : TY_GUARD_FAILED;
}

bool ty_os_unguard(void *p, size_t len, int guards)
{
	uintptr_t start;
	size_t n;
	if (!inward(p, len, &start, &n))
		return false;
	if (have_guards)
		return advise((void *)start, n, MADV_GUARD_REMOVE);
	if (!protect((void *)start, n, PROT_READ | PROT_WRITE))
		return false;
	__atomic_add_fetch(&guard_budget, guards, __ATOMIC_RELAXED);
	return true;
}

void ty_os_freeze(void *p, size_t len)
{
	if (protect(p, len, PROT_READ) && !ty_conf.checker && !ty_conf.unsealed)
		KEEP_ERRNO(syscall(SYS_mseal, (uintptr_t)p, len, 0ul));
}

void ty_os_no_dump(void *p, size_t len) { advise(p, len, MADV_DONTDUMP); }

u64 ty_os_now_ms(void)
{
	struct timespec t = {0, 0};
	KEEP_ERRNO(clock_gettime(CLOCK_MONOTONIC_COARSE, &t));
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

bool ty_os_avx2(void)
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

bool ty_os_random(void *buf, size_t n)
{
	long got = KEEP_ERRNO(syscall(SYS_getrandom, buf, n, 1 /* GRND_NONBLOCK */));
	if (got == (long)n)
		return true;
	/* Early boot or a filter: the 16 bytes the kernel gave the process, stretched, and the clock. */
	static u64 counter;
	struct timespec t = {0, 0};
	u64 seed[2] = {0, 0};
	void *aux = (void *)getauxval(AT_RANDOM);
	if (aux)
		memcpy(seed, aux, sizeof seed);
	KEEP_ERRNO(clock_gettime(CLOCK_MONOTONIC, &t));
	u64 x = seed[0] ^ ty_mix((u64)t.tv_nsec) ^ ty_mix((u64)(uintptr_t)buf);
	for (size_t i = 0; i < n; i++)
		((u8 *)buf)[i] = (u8)ty_mix(seed[1] ^ (x += ++counter * 0x9e3779b97f4a7c15ull));
	return false;
}

void ty_os_futex_wait(u32 *word, u32 value)
{
	KEEP_ERRNO(syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0));
}

void ty_os_futex_wake(u32 *word) { KEEP_ERRNO(syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0)); }

void ty_os_write(int fd, const char *s, size_t n)
{
	int saved = errno;
	while (n) {
		ssize_t w = syscall(SYS_write, fd, s, n);
		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			break;
		s += w;
		n -= (size_t)w;
	}
	errno = saved;
}

/*
 * A pipe, socket or terminal may be full, and its reader asleep. Refused: nobody knows, so write.
 */
bool ty_os_may_write(int fd, unsigned ms)
{
	struct stat st;
	struct pollfd poll = {.fd = fd, .events = POLLOUT};
	struct timespec limit = {ms / 1000, (long)(ms % 1000) * 1000000};

	if (KEEP_ERRNO(fstat(fd, &st)) == 0 && !S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode) && !S_ISCHR(st.st_mode))
		return true;
	return KEEP_ERRNO(syscall(SYS_ppoll, &poll, 1, &limit, NULL, 0)) != 0;
}

static int open_file(const char *path, int flags)
{
	return (int)KEEP_ERRNO(syscall(SYS_openat, AT_FDCWD, path, flags, 0644));
}

size_t ty_os_read_file(const char *path, char *buf, size_t n)
{
	int saved = errno;
	size_t have = 0;
	int fd = open_file(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		while (have < n) {
			ssize_t r = syscall(SYS_read, fd, buf + have, n - have);
			if (r < 0 && errno == EINTR)
				continue;
			if (r <= 0)
				break;
			have += (size_t)r;
		}
		syscall(SYS_close, fd);
	}
	errno = saved;
	return have;
}

int ty_os_open_append(const char *path)
{
	return open_file(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC);
}

#define HIGH_FD 200

int ty_os_dup_high(int fd) { return KEEP_ERRNO(fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD)); }

static u64 file_id(const struct stat *st) { return ty_mix(ty_mix(st->st_dev) ^ st->st_ino) | 1; }

u64 ty_os_file_id(int fd)
{
	struct stat st;
	return KEEP_ERRNO(fstat(fd, &st)) == 0 ? file_id(&st) : 0;
}

void ty_os_close_file(int fd) { KEEP_ERRNO(syscall(SYS_close, fd)); }
int ty_os_pid(void) { return (int)syscall(SYS_getpid); }
int ty_os_tid(void) { return (int)syscall(SYS_gettid); }

/* The number of a thread's clock is made of the thread's (the kernel's interface), which libc has at hand. */
int ty_os_thread(void)
{
	clockid_t clock;

	return pthread_getcpuclockid(pthread_self(), &clock) == 0 ? ~(clock >> 3) : 0;
}

bool ty_os_is_log(int fd, u64 id)
{
	struct stat st;
	int saved = errno;
	bool yes;

	if (fstat(fd, &st) != 0) {
		yes = errno != EBADF; /* a filter: nobody knows */
	} else if (file_id(&st) == id) {
		yes = true;
	} else if (S_ISREG(st.st_mode)) {
		long flags = syscall(SYS_fcntl, fd, F_GETFL);
		yes = flags >= 0 && (flags & O_APPEND || (flags & O_ACCMODE) == O_WRONLY);
	} else if (S_ISCHR(st.st_mode)) {
		char termios[128]; /* the kernel's is shorter than libc's */
		yes = syscall(SYS_ioctl, fd, TCGETS, termios) == 0;
	} else {
		yes = S_ISFIFO(st.st_mode);
	}
	errno = saved;
	return yes;
}

u64 ty_os_time(void)
{
	struct timespec t = {0, 0};
	KEEP_ERRNO(clock_gettime(CLOCK_REALTIME, &t));
	return (u64)t.tv_sec;
}

void ty_os_wait_ms(unsigned ms)
{
	static u32 never; /* the one sleep that a filter lets pass */
	struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};
	KEEP_ERRNO(syscall(SYS_futex, &never, FUTEX_WAIT_PRIVATE, 0, &t, NULL, 0));
}

/* Masks as the kernel has them: 64 signals. */
#define SIG_BIT(n) ((u64)1 << ((n)-1))
_Static_assert(TY_MASK_SIGPIPE == SIG_BIT(SIGPIPE), "os.h knows the number");

static void set_mask(int how, const u64 *mask, u64 *old)
{
	KEEP_ERRNO(syscall(SYS_rt_sigprocmask, how, mask, old, sizeof *mask));
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
		KEEP_ERRNO(syscall(SYS_rt_sigtimedwait, &pipe, NULL, &now, sizeof pipe));
	}
	set_mask(SIG_SETMASK, &mask, NULL);
}

bool ty_os_on_signal_stack(void)
{
	stack_t s = {.ss_flags = 0};
	return KEEP_ERRNO(syscall(SYS_sigaltstack, NULL, &s)) == 0 && s.ss_flags & SS_ONSTACK;
}

/* The kernel reads the mask before it finds that there is no such way to apply it. */
bool ty_os_readable(const void *p)
{
	int saved = errno;
	errno = 0;
	syscall(SYS_rt_sigprocmask, -1, (uintptr_t)p & ~(uintptr_t)7, NULL, sizeof(u64));
	bool ok = errno == EINVAL;
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
		long fd = syscall(SYS_socket, AF_UNIX, types[i] | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (fd < 0)
			break;
		/* In a stream a zero byte ends the message. */
		if (syscall(SYS_connect, fd, &to, sizeof to) == 0)
			sent = syscall(SYS_sendto, fd, s, n + (size_t)i, MSG_NOSIGNAL, NULL, 0) > 0;
		bool other = errno == EPROTOTYPE;
		syscall(SYS_close, fd);
		if (!other)
			break;
	}
	errno = saved;
	return sent;
}

void ty_os_raise_core_limit(void)
{
	u64 lim[2]; /* soft, hard */
	if (KEEP_ERRNO(syscall(SYS_prlimit64, 0, RLIMIT_CORE, NULL, lim)) == 0 && lim[0] != lim[1]) {
		lim[0] = lim[1];
		KEEP_ERRNO(syscall(SYS_prlimit64, 0, RLIMIT_CORE, lim, NULL));
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
			syscall(SYS_rt_sigaction, SIGABRT, by_default, NULL, sizeof(u64));
		set_mask(SIG_UNBLOCK, &mask, NULL);
		syscall(SYS_tgkill, ty_os_pid(), ty_os_tid(), SIGABRT);
	}
	/*
	 * The first process of a container ignores signals without a handler, and a filter may refuse them: a blocked
	 * fault kills.
	 */
	set_mask(SIG_SETMASK, &all, NULL);
	__builtin_trap();
}

static void (*tell_fault)(uintptr_t address, uintptr_t pc); /* constant */

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

	if (info->si_code > 0)
		tell_fault((uintptr_t)info->si_addr, pc_of(context));
	bool replaced = syscall(SYS_rt_sigaction, sig, NULL, is, sizeof(u64)) != 0 || is[0];
	if (replaced && __atomic_exchange_n(&called, true, __ATOMIC_RELAXED) &&
	    syscall(SYS_rt_sigaction, sig, by_default, NULL, sizeof(u64)) != 0)
		sigaddset(&((ucontext_t *)context)->uc_sigmask, sig); /* a blocked fault kills */
	if (info->si_code <= 0)
		syscall(SYS_tgkill, ty_os_pid(), ty_os_tid(), sig);
	errno = saved;
}

void ty_os_on_fault(void (*tell)(uintptr_t address, uintptr_t pc))
{
	struct sigaction is, ours = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESETHAND};
	int saved = errno;

	tell_fault = tell;
	if (sigaction(SIGSEGV, NULL, &is) == 0 && is.sa_handler == SIG_DFL)
		sigaction(SIGSEGV, &ours, NULL);
	errno = saved;
}
