/*
 * os.h: everything we ask of the operating system. os_linux.c (memory) and os_process.c (all else) are the only files
 * that make system calls.
 *
 * After start only mmap, munmap, mremap, madvise, mprotect, mseal, futex and getrandom are used, each may be refused
 * (a seccomp filter), and no file is opened; the clock is the vDSO's coarse one. errno is never changed.
 * The end of the process (report.c) uses a few more, and none before the sentence is out that abort(3) does not need, but for
 * fstat and getpid.
 *
 * Memory goes through three states:
 *
 *     reserved (PROT_NONE) --enable--> usable, zero --purge--> usable, zero, no page behind it
 *                                           |  ^
 *                                      guard|  |unguard
 *                                           v  |
 *                                   guarded: every access faults, no page behind it
 *
 * Enabled memory is sealed where the kernel can (mseal, Linux 6.10): nobody can unmap, remap or protect it again.
 * Guards are MADV_GUARD_INSTALL (Linux 6.13), which costs no mapping; where the kernel has none, memory is left
 * unsealed and guards are PROT_NONE, up to a budget of mappings.
 */
#ifndef TY_OS_H
#define TY_OS_H

#include "compiler.h"

/* Learn about the kernel. Called once, before anything else here. */
void ty_os_init(void);
/* True when guards cost no mapping. */
bool ty_os_cheap_guards(void);
/* The operating system's page in bytes: 4096, 16384 or 65536. */
size_t ty_os_page_size(void);

/* Bytes of address space the process may still map (RLIMIT_AS less what is mapped); SIZE_MAX: no limit. */
size_t ty_os_space_left(void);
/* Reserve len bytes without access at a random address; NULL when refused. len: multiple of 64 KiB. */
void *ty_os_reserve(size_t len);
/* Give (a part of) a reservation back that has never been enabled. False when refused: it is ours still. */
bool ty_os_release(void *p, size_t len);
/* Reserve it again, where nobody else has come to lie. */
bool ty_os_reserve_at(void *p, size_t len);
/* Is the kernel to back memory with huge pages: never, or if it has some for who asks. */
enum ty_huge { TY_HUGE_NEVER, TY_HUGE_NEVER_UNSEALED, TY_HUGE_WANTED };
/*
 * Make reserved memory usable that has never been so (what were there would be dropped) and, with TY_HUGE_NEVER, seal
 * it. False when refused. Rounds outward to operating-system pages.
 */
bool ty_os_enable(void *p, size_t len, enum ty_huge huge);
/*
 * A filter of system calls that may end who tries to seal is about to be set, perhaps, and has been, or not. Nothing is sealed from
 * the first on, and if it has been set, ever again.
 */
void ty_os_filter_comes(void);
void ty_os_filter_came(bool set);
/* None is known to have been set. */
bool ty_os_sealing(void);
/*
 * Unsealed memory: make every access fault and keep what is behind it; undo. False when refused; a part may have changed.
 * A protected range costs two mappings at most, until it is open again. len: a multiple of the system's page.
 */
bool ty_os_protect(void *p, size_t len);
bool ty_os_unprotect(void *p, size_t len);
/*
 * The same for memory that is to be given back whole: not sealed, and closed again by ty_os_close, after which every access
 * faults, nothing is behind it and nothing is accounted for it. Each costs a mapping while it is open.
 */
bool ty_os_open(void *p, size_t len);
/* Would so much be refused, as it is more than the system has or the process may have? */
bool ty_os_too_much(size_t len);
bool ty_os_close(void *p, size_t len);
/* Move the pages behind len open bytes to open, untouched memory at to; from stays open, and is zero. False: not moved. */
bool ty_os_move(void *from, void *to, size_t len);

/* From now on memory may be locked as it is mapped (mlockall). */
void ty_os_may_lock(void);
/* Memory enabled of late has been locked: all of it is present. */
bool ty_os_locked(void);

/* From now on address space is limited (RLIMIT_AS has been set). False: it has been so before. */
bool ty_os_limit(void);
/* Memory is dear as soon as it is enabled: locked, or limited. */
bool ty_os_tight(void);
/* Drop the pages behind memory so that it reads as zero. False when refused: contents unchanged. Rounds inward. */
bool ty_os_purge(void *p, size_t len);
/* Make every access to memory fault and drop its pages. False when no guard could be set. Rounds inward. */
bool ty_os_guard(void *p, size_t len);
/* ty_os_guard for memory of which a part may be unlike the rest (mlock). If not SET, part of it may be guarded, but if REFUSED. */
enum ty_guard { TY_GUARD_SET, TY_GUARD_FAILED, TY_GUARD_REFUSED };
enum ty_guard ty_os_guard_all(void *p, size_t len);
/* Undo ty_os_guard, of so many guards in the range; the memory is zero. False when refused. */
bool ty_os_unguard(void *p, size_t len, int guards);
/* Make memory of start-up data read-only for good. */
void ty_os_freeze(void *p, size_t len);
/* A zero page, zero too in a child with memory of its own, however it was made; NULL: none to be had (before Linux 4.14). Once. */
void *ty_os_zero_in_child(void);
/* Leave memory out of core dumps. */
void ty_os_no_dump(void *p, size_t len);

/* May AVX2 be used? */
bool ty_os_avx2(void);

/* Has this process had more than one thread? (libc knows; an old one does not say.) */
enum ty_threads { TY_THREADS_UNKNOWN, TY_THREADS_ONE, TY_THREADS_SOME };
enum ty_threads ty_os_threads(void);

/* What ty_conf.clock is to be. */
void *ty_os_clock(void);
/* Milliseconds of a clock that only moves forward. */
u64 ty_os_now_ms(void);
/* n random bytes from the kernel. False: none to be had, buf holds the best substitute. */
bool ty_os_random(void *buf, size_t n);
void ty_os_futex_wait(u32 *word, u32 value);
void ty_os_futex_wake(u32 *word);
/* Write to a file descriptor, restarting; errors are ignored. */
void ty_os_write(int fd, const char *s, size_t n);
/* False: there is no such file. */
bool ty_os_may_exist(const char *path);
/* Read a small file whole; the bytes read, or 0. Start-up and reports only. */
size_t ty_os_read_file(const char *path, char *buf, size_t n);
/* Open a file for appending (reports); -1 when refused. */
int ty_os_open_append(const char *path);
/* A close-on-exec copy of a file descriptor, out of the way of the program's; -1 when refused. */
int ty_os_dup_high(int fd);
/* A number that two descriptors share when they lead to the same file; 0: closed. */
u64 ty_os_file_id(int fd);
void ty_os_close_file(int fd);
/*
 * May a sentence be written to fd? Yes if it leads to the file `id`, as it did at start. If the program has put something else
 * there: a terminal, a pipe, a file opened for appending or only for writing is a log; a socket or a database is not.
 */
bool ty_os_is_log(int fd, u64 id);
int ty_os_pid(void);
int ty_os_tid(void);
/* The same without a system call; 0 where that cannot be had. */
int ty_os_thread(void);
/* Is this thread one that libc knows nothing of, as a child made by vfork or clone? False: no, or a filter may forbid to ask. */
bool ty_os_is_cloned(void);
/*
 * When the process faults (SIGSEGV), and nobody had a handler by now: tell ty_os_fault the address and, if it is known, the
 * instruction's; then the fault has the effect that it has by default. Once, at start.
 */
void ty_os_on_fault(void);
void ty_os_fault(uintptr_t address, uintptr_t pc) __attribute__((weak)); /* not ours: sample.c's, where that is linked */

/* What only the end of the process needs (report.c). */

/* Seconds since 1970. */
u64 ty_os_time(void);
/* Sleep. */
void ty_os_wait_ms(unsigned ms);
/* A write would not wait, or not after that time. */
bool ty_os_may_write(int fd, unsigned ms);
/* Block every signal that the thread itself does not raise by a fault; the mask there was. */
u64 ty_os_block_signals(void);
/* Set the mask. A SIGPIPE that came meanwhile is forgotten, but where the mask blocks it. */
#define TY_MASK_SIGPIPE ((u64)1 << 12)
void ty_os_set_signals(u64 mask);
/* The thread runs on its alternate signal stack. */
bool ty_os_on_signal_stack(void);
/* May the 8 bytes around p be read? */
bool ty_os_readable(const void *p);
/* Send n bytes to the local socket at path, of datagrams if it takes them; it must not wait. False: refused. */
bool ty_os_send(const char *path, const char *s, size_t n);
/* Let core dumps be as large as the hard limit allows. */
void ty_os_raise_core_limit(void);
/* abort(3), whatever another library has made of it: handlers, if they may run, and if they return the end all the same. */
TY_NORETURN void ty_os_abort(bool handlers);

TY_INLINE void ty_os_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

#endif
