/* os_linux.c: memory and address space, of os.h, on Linux. errno is kept by every function: they run inside free. */
#define _GNU_SOURCE
#include "os.h"
#include "bits.h"
#include "chars.h"
#include "os_linux.h"
#include "report.h"
#include "track.h"

#include <sched.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24 /* Linux 5.18 */
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#define MADV_GUARD_REMOVE 103
#endif
#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18 /* Linux 4.14 */
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
static char *spare; /* a page; NULL: none to be had */
static bool locked;	 /* atomic */
/*
 * Atomic: may mlockall have been called? We see it (rlimit.c; with another libc not), but when it comes before we are loaded, which the
 * first memory that is enabled tells.
 */
static enum { UNSEEN, NOT, MAYBE } mlockall_called;
static int guard_budget; /* PROT_NONE guards still allowed; each costs two mappings */

/*
 * System calls directly: another preloaded library may have wrapped libc's functions in ones that allocate, and we are in
 * the middle of malloc, often with a lock.
 */
static void *map(void *at, size_t len, int prot, int flags)
{
	long p = KEEP_ERRNO(ty_syscall(SYS_mmap, at, len, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0l));
	return p == -1 ? NULL : (void *)p;
}

static bool unmap(void *p, size_t len) { return KEEP_ERRNO(ty_syscall(SYS_munmap, p, len)) == 0; }
static bool protect(void *p, size_t len, int prot) { return KEEP_ERRNO(ty_syscall(SYS_mprotect, p, len, prot)) == 0; }
static bool advise(void *p, size_t len, int advice) { return KEEP_ERRNO(ty_syscall(SYS_madvise, p, len, advice)) == 0; }

/* What stands in for the kernel (gVisor, qemu) may take any advice and do nothing: is a page's content gone? */
static bool guards_work(char *page)
{
	if (!page)
		return false;
	TY_STORE(page, 1);
	/* (A read would map the page of zeros first, for the write to come.) */
	return advise(page, page_size, MADV_GUARD_INSTALL) && advise(page, page_size, MADV_GUARD_REMOVE) &&
	       !__atomic_exchange_n(page, 0, __ATOMIC_RELAXED);
}

TY_START void ty_os_init(void)
{
	char buf[32];
	unsigned long psz = getauxval(AT_PAGESZ);

	if (ty_is_pow2(psz) && psz >= 4096)
		page_size = psz;
	spare = map(NULL, page_size, PROT_READ | PROT_WRITE, 0);
	have_guards = guards_work(spare);
	if (have_guards)
		return;
	int count = DEFAULT_MAP_COUNT;
	size_t n = ty_os_read_file("/proc/sys/vm/max_map_count", buf, sizeof buf - 1);
	if (n) {
		buf[n] = 0;
		count = (int)ty_number(buf, 10);
	}
	guard_budget = count / 8;
}

bool ty_os_cheap_guards(void) { return have_guards; }
size_t ty_os_page_size(void) { return page_size; }

size_t ty_os_space_left(void)
{
	u64 lim[2]; /* soft, hard */
	char buf[64];

	if (KEEP_ERRNO(ty_syscall(SYS_prlimit64, 0, RLIMIT_AS, NULL, lim)) != 0 || lim[0] == RLIM64_INFINITY)
		return SIZE_MAX;
	size_t used = (size_t)64 << 20; /* without /proc: a guess on the safe side */
	size_t n = ty_os_read_file("/proc/self/statm", buf, sizeof buf - 1);
	if (n) {
		buf[n] = 0;
		used = (size_t)ty_number(buf, 10) * page_size;
	}
	return lim[0] > used ? lim[0] - used : 0;
}

/*
 * Whatever the system's default, huge pages are for who asks: small objects would have 2 MiB for 4 KiB of use. What is enabled is
 * like what it was cut from.
 */
static void *reserved(void *p, size_t len)
{
	if (p)
		advise(p, len, MADV_NOHUGEPAGE);
	return p;
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
TY_START void *ty_os_reserve(size_t len)
{
	if (unlikely(ty_conf.checker)) { /* no chance: TSan has rules about places */
		void *p = ty_track_may_reserve(len) ? ty_track_reserve(len) : NULL;
		return p || !ty_track_may_reserve(len) ? p : reserved(map(NULL, len, PROT_NONE, 0), len);
	}
	for (int i = 0; i < 8; i++) {
		u64 r = 0;
		ty_os_random(&r, sizeof r);
		uintptr_t at = (uintptr_t)(r & ((1ull << 46) - 1)) + (1ull << 36);
		at = ty_round_down(at, (size_t)1 << 21);
		if (map_at((void *)at, len, PROT_NONE))
			return reserved((void *)at, len);
	}
	return reserved(map(NULL, len, PROT_NONE, 0), len);
}

bool ty_os_release(void *p, size_t len) { return unmap(p, len); }

static bool limited;
bool ty_os_limit(void) { return !__atomic_exchange_n(&limited, true, __ATOMIC_RELAXED); }
bool ty_os_tight(void) { return TY_LOAD(&locked) || TY_LOAD(&limited); }

bool ty_os_reserve_at(void *p, size_t len) { return map_at(p, len, PROT_NONE) && reserved(p, len); }

/*
 * A child, on this very stack and in this memory while we wait, calls mseal and ends; its id, or negative: refused. It sends
 * no signal when it ends. (What it does is all in registers: a call would write over our return addresses.)
 */
static long try_seal(void)
{
#if defined(__x86_64__)
	long r = SYS_clone;
	register unsigned long none4 __asm__("r10") = 0;
	register unsigned long none5 __asm__("r8") = 0;
	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "mov %[mseal], %%eax\n\t"
			 "xor %%edi, %%edi\n\t"
			 "syscall\n\t"
			 "mov %[end], %%eax\n\t"
			 "xor %%edi, %%edi\n\t"
			 "syscall\n\t"
			 "hlt\n"
			 "1:"
			 : "+a"(r)
			 : "D"(CLONE_VM | CLONE_VFORK), "S"(0ul), "d"(0ul), "r"(none4), "r"(none5), [mseal] "i"(SYS_mseal),
			   [end] "i"(SYS_exit_group)
			 : "rcx", "r11", "cc", "memory");
	return r;
#else
	long r = ty_syscall(SYS_clone, 0ul, 0ul, 0ul, 0ul, 0ul);
	if (r == 0) {
		ty_syscall(SYS_mseal, 0ul, 0ul, 0ul);
		for (;;)
			ty_syscall(SYS_exit_group, 0);
	}
	return r;
#endif
}

/*
 * A filter of system calls that was there before the program, as service managers set them, may be older than mseal and
 * end who makes a call that it does not know. So where there is one a child tries it. A core of it would be one of us, and
 * older kernels end all who share the memory for that: none is written meanwhile.
 */
static bool seal_is_deadly(void)
{
	int saved = errno, status = 0;
	long child = -1, got = 0;

	if (ty_syscall(SYS_prctl, PR_GET_SECCOMP, 0ul, 0ul, 0ul, 0ul) != 2) { /* SECCOMP_MODE_FILTER */
		errno = saved;
		return false;
	}
	bool dumps = ty_syscall(SYS_prctl, PR_GET_DUMPABLE, 0ul, 0ul, 0ul, 0ul) == 1;
	if (!dumps || ty_syscall(SYS_prctl, PR_SET_DUMPABLE, 0ul, 0ul, 0ul, 0ul) == 0)
		child = try_seal();
	if (dumps)
		ty_syscall(SYS_prctl, PR_SET_DUMPABLE, 1ul, 0ul, 0ul, 0ul);
	if (child > 0)
		while ((got = ty_syscall(SYS_wait4, child, &status, __WCLONE, NULL)) < 0 && errno == EINTR)
			;
	errno = saved;
	return child < 0 || got != child || !WIFEXITED(status);
}

/* Bits, and how many filters may be about to come, in units of COMING. Atomic; MAY or MUST_NOT is known when the heap has started. */
enum { MAY = 1, MUST_NOT = 2, COMING = 4 };
static u32 sealing;

bool ty_os_sealing(void) { return !(TY_LOAD(&sealing) & MUST_NOT); }
void ty_os_filter_comes(void) { __atomic_add_fetch(&sealing, COMING, __ATOMIC_SEQ_CST); }
void ty_os_filter_came(bool set)
{
	if (set)
		__atomic_or_fetch(&sealing, MUST_NOT, __ATOMIC_SEQ_CST);
	__atomic_sub_fetch(&sealing, COMING, __ATOMIC_SEQ_CST);
}

/* [start, end) can be given no other protection from now on, and not be unmapped, where the kernel knows how. */
static void seal(uintptr_t start, size_t len)
{
	if (ty_conf.checker || ty_conf.unsealed) /* valgrind does not know the call */
		return;
	if (!TY_LOAD(&sealing))
		__atomic_or_fetch(&sealing, seal_is_deadly() ? MUST_NOT : MAY, __ATOMIC_SEQ_CST);
	if (TY_LOAD(&sealing) == MAY)
		KEEP_ERRNO(ty_syscall(SYS_mseal, start, len, 0ul));
}

/*
 * Is the page there, of which nothing has been used, locked? The advice is refused for it then, and harmless if not. (MADV_COLD takes five
 * times as long.)
 */
static bool is_locked(uintptr_t page)
{
	int saved = errno;
	bool yes = ty_syscall(SYS_madvise, page, page_size, MADV_DONTNEED) != 0 && errno == EINVAL;

	errno = saved;
	return yes;
}

bool ty_os_enable(void *p, size_t len, enum ty_huge huge)
{
	uintptr_t start = ty_round_down((uintptr_t)p, page_size);
	uintptr_t end = ty_round_up((uintptr_t)p + len, page_size);

	if (!protect((void *)start, end - start, PROT_READ | PROT_WRITE))
		return false;
	/* Big objects would have a page fault for every 4 KiB. */
	if (huge == TY_HUGE_WANTED)
		advise((void *)start, end - start, MADV_HUGEPAGE);
	bool now_locked = TY_LOAD(&mlockall_called) != NOT && is_locked(start);
#ifdef __GLIBC__
	if (TY_LOAD(&mlockall_called) == UNSEEN)
		TY_STORE(&mlockall_called, now_locked ? MAYBE : NOT);
#endif
	if (now_locked != TY_LOAD(&locked))
		TY_STORE(&locked, now_locked && have_guards);
	/* Without cheap guards a PROT_NONE one must stay possible, and free huge spans are protected (large.h). */
	if (have_guards && huge == TY_HUGE_NEVER)
		seal(start, end - start);
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

/* Could so much be mapped to be written to, within all limits? 0, or the error. (In locked memory it would be filled at once.) */
static int try_map(size_t len, int flags)
{
	int saved = errno, error = 0;
	long p = ty_syscall(SYS_mmap, NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0l);

	if (p == -1 || (!(TY_LOAD(&mlockall_called) != NOT && is_locked((uintptr_t)p)) && ty_syscall(SYS_mprotect, p, len, PROT_READ | PROT_WRITE) != 0))
		error = errno;
	if (p != -1)
		ty_syscall(SYS_munmap, p, len);
	errno = saved;
	return error;
}

bool ty_os_too_much(size_t len) { return try_map(len, 0) == ENOMEM; } /* a filter says other things */

bool ty_os_close(void *p, size_t len) { return map(p, len, PROT_NONE, MAP_FIXED) == p; }

/*
 * The old range stays mapped, so that nobody else's mapping can ever come to lie there (P1). A failing mremap may have
 * unmapped the new one already (the limit on address space, a range of several mappings): it is closed again at once,
 * and if somebody was faster the process must end.
 */
bool ty_os_move(void *from, void *to, size_t len)
{
	if (try_map(len, MAP_NORESERVE))
		return false;
	long p = KEEP_ERRNO(ty_syscall(SYS_mremap, from, len, len, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to));
	if (p == (long)to)
		return true;
	int saved = errno;
	bool there = ty_syscall(SYS_madvise, to, len, MADV_HUGEPAGE) == 0, gone = !there && errno == ENOMEM;
	errno = saved;
	if (there || map_at(to, len, PROT_READ | PROT_WRITE))
		return false;
	if (gone) /* otherwise the advice was refused, and it is still ours */
		ty_die("realloc", "lost its address space at", to, NULL);
	return false;
}

void ty_os_may_lock(void) { TY_STORE(&mlockall_called, MAYBE); }
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
			set = ty_syscall(SYS_madvise, start, n, MADV_GUARD_INSTALL) == 0;
			/* Refused outright, not for a part: then it is for no bytes as well. */
			refused = !set && ty_syscall(SYS_madvise, start, 0ul, MADV_GUARD_INSTALL) != 0;
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
	if (protect(p, len, PROT_READ))
		seal((uintptr_t)p, len);
}

void *ty_os_zero_in_child(void)
{
	return spare && advise(spare, page_size, MADV_WIPEONFORK) ? spare : NULL;
}

void ty_os_no_dump(void *p, size_t len) { advise(p, len, MADV_DONTDUMP); }
