/* os.h where the kernel is older, or a filter refuses what is asked for: each function fails as its header says, or finds another way. */
#include "unit.h"

#include "conf.h"
#include "os.h"
#include "refuse.h"

#include <fcntl.h>
#include <sys/mman.h>

#define LEN ((size_t)1 << 20)
enum { ADVICE = 2, PROTECTION = 2, FLAGS = 3 };
enum { GUARD_INSTALL = 102, DONTNEED = 4, DONTNEED_LOCKED = 24, NOREPLACE = 0x100000 };

static char *memory;
static size_t page;

static void set_up(void)
{
	ty_os_init();
	page = ty_os_page_size();
	memory = ty_os_reserve(LEN);
	cr_assert(memory);
}
TestSuite(refused, .init = set_up);

/* No test of anything where there are no filters. */
static void need(bool filtered)
{
	if (!filtered)
		cr_skip("no filters here");
}

static void poke(void *p) { *(volatile char *)p = 1; }

static bool all(const char *p, size_t n, char c)
{
	while (n && p[n - 1] == c)
		n--;
	return !n;
}

/* Guards are mappings then, that many and no more. */
Test(refused, guards_within_a_budget, .timeout = 60)
{
	need(refuse_only(SYS_madvise, ADVICE, GUARD_INSTALL, false, EINVAL));
	ty_os_init();
	cr_assert(!ty_os_cheap_guards());
	char *big = ty_os_reserve((size_t)1 << 30);
	cr_assert(big && ty_os_enable(big, (size_t)1 << 30, TY_HUGE_NEVER));
	memset(big, 5, 16 * page);
	cr_assert(ty_os_guard(big + page, 2 * page));
	ASSERT_FAULTS(poke, big + page);
	ASSERT_FAULTS(poke, big + 3 * page - 1);
	cr_assert(big[0] == 5 && big[3 * page] == 5);
	cr_assert(ty_os_unguard(big + page, 2 * page, 1));
	cr_assert(all(big + page, 2 * page, 0), "what was guarded is zero");

	size_t set = 0;
	while (set < 100000 && ty_os_guard(big + 2 * page * set, page))
		set++;
	cr_assert(set > 1000 && set < 100000, "%zu guards", set);
	char *more = big + 2 * page * set;
	memset(more, 6, page);
	cr_assert(!ty_os_guard(more, page) && more[0] == 6, "refused: nothing has changed");
	cr_assert(ty_os_guard_all(more, page) == TY_GUARD_REFUSED && more[0] == 6);
	cr_assert(ty_os_unguard(big, page, 1));
	cr_assert(ty_os_guard_all(more, page) == TY_GUARD_SET, "one is free again");
	ASSERT_FAULTS(poke, more);
	cr_assert(!ty_os_guard(big, page));
}

/* The kernel's guards, refused after the start. */
Test(refused, guard_all)
{
	if (!ty_os_cheap_guards())
		cr_skip("an old kernel");
	cr_assert(ty_os_enable(memory, LEN, TY_HUGE_NEVER));
	memset(memory, 5, LEN);
	cr_assert(ty_os_guard_all(memory, page - 1) == TY_GUARD_REFUSED, "not even a page");
	need(refuse_only(SYS_madvise, ADVICE, GUARD_INSTALL, false, EPERM));
	cr_assert(ty_os_guard_all(memory, 4 * page) == TY_GUARD_REFUSED);
	cr_assert(!ty_os_guard(memory, 4 * page));
	need(refuse_only(SYS_madvise, ADVICE, GUARD_INSTALL, false, ENOMEM));
	cr_assert(ty_os_guard_all(memory, 4 * page) != TY_GUARD_SET);
	cr_assert(all(memory, LEN, 5));
}

/* For a page in the middle only, as it is locked: those before it are guarded then. */
Test(refused, guard_of_a_part)
{
	if (!ty_os_cheap_guards())
		cr_skip("an old kernel");
	cr_assert(ty_os_enable(memory, LEN, TY_HUGE_NEVER));
	memset(memory, 5, LEN);
	if (mlock(memory + 4 * page, page))
		cr_skip("no memory may be locked");
	errno = 42;
	cr_assert(ty_os_guard_all(memory, 8 * page) == TY_GUARD_FAILED && errno == 42);
	cr_assert(memory[4 * page] == 5 && ty_os_unguard(memory, 8 * page, 0));
	cr_assert(all(memory, 4 * page, 0) && all(memory + 4 * page, 4 * page, 5), "open again");
}

/* What tells locked memory apart, is refused for it, and only for it. */
Test(refused, locked_memory_is_noticed)
{
	cr_assert(ty_os_enable(memory, page, TY_HUGE_NEVER) && !ty_os_locked());
	if (!ty_os_cheap_guards())
		cr_skip("an old kernel");
	need(refuse_only(SYS_madvise, ADVICE, DONTNEED, false, EINVAL));
	cr_assert(ty_os_enable(memory + LEN / 4, page, TY_HUGE_NEVER) && !ty_os_locked(), "nobody has called mlockall");
	ty_os_may_lock();
	cr_assert(ty_os_enable(memory + LEN / 2, page, TY_HUGE_NEVER) && ty_os_locked());
}

/* It was so before we came: the first memory tells, and what follows is looked at, too. */
Test(refused, memory_locked_before)
{
	if (!ty_os_cheap_guards())
		cr_skip("an old kernel");
	need(refuse_only(SYS_madvise, ADVICE, DONTNEED, false, EINVAL));
	cr_assert(ty_os_enable(memory, page, TY_HUGE_NEVER) && ty_os_locked());
	cr_assert(ty_os_enable(memory + LEN / 2, page, TY_HUGE_NEVER) && ty_os_locked());
}

Test(refused, purge)
{
	cr_assert(ty_os_enable(memory, LEN, TY_HUGE_NEVER));
	memset(memory, 5, LEN);
	cr_assert(!ty_os_purge(memory + 1, page), "not a whole page");
	need(refuse_only(SYS_madvise, ADVICE, MADV_DONTNEED, false, EINVAL));
	if (ty_os_purge(memory, page)) /* by the advice for locked memory, which newer kernels have */
		cr_assert(all(memory, page, 0));
	need(refuse_only(SYS_madvise, ADVICE, DONTNEED_LOCKED, false, EINVAL));
	errno = 42;
	cr_assert(!ty_os_purge(memory + page, page) && errno == 42);
	cr_assert(all(memory + page, LEN - page, 5), "contents unchanged");
}

Test(refused, protection)
{
	char *open = memory + LEN / 2;
	cr_assert(ty_os_enable(open, LEN / 2, TY_HUGE_WANTED));
	open[0] = 5;
	need(refuse(SYS_mprotect, ENOMEM));
	errno = 42;
	cr_assert(!ty_os_enable(memory, page, TY_HUGE_NEVER));
	cr_assert(!ty_os_open(memory, page));
	cr_assert(!ty_os_protect(open, page) && !ty_os_unprotect(open, page));
	cr_assert(errno == 42 && open[0] == 5);
	ASSERT_FAULTS(poke, memory);
	ty_os_freeze(open, page);
	open[0] = 6;
	cr_assert(open[0] == 6, "not frozen, but usable");
}

Test(refused, places)
{
	need(refuse_only(SYS_mmap, FLAGS, NOREPLACE, true, EOPNOTSUPP));
	char *p = ty_os_reserve(LEN);
	cr_assert(p && p != memory, "anywhere, then");
	ASSERT_FAULTS(poke, p);
	need(refuse(SYS_mmap, ENOMEM));
	errno = 42;
	cr_assert(!ty_os_reserve(LEN) && errno == 42);
	cr_assert(!ty_os_close(memory, LEN));
}

/* Two open ranges of half the memory each. */
static char *two_ranges(void)
{
	cr_assert(ty_os_open(memory, LEN / 2) && ty_os_open(memory + LEN / 2, LEN / 2));
	memset(memory, 5, LEN / 2);
	return memory + LEN / 2;
}

Test(refused, move)
{
	char *to = two_ranges();
	if (ty_os_move(memory, to, LEN / 2)) {
		cr_assert(all(to, LEN / 2, 5) && all(memory, LEN / 2, 0));
		memset(memory, 5, LEN / 2);
		memset(to, 0, LEN / 2);
	}
	need(refuse(SYS_mremap, EINVAL));
	errno = 42;
	cr_assert(!ty_os_move(memory, to, LEN / 2) && errno == 42);
	cr_assert(all(memory, LEN / 2, 5) && all(to, LEN / 2, 0), "not moved");
	/* The kernel has taken the new place away and then failed: it is ours again at once. */
	cr_assert(!munmap(to, LEN / 2) && !ty_os_move(memory, to, LEN / 2));
	cr_assert(all(memory, LEN / 2, 5) && all(to, LEN / 2, 0));
	need(refuse(SYS_mmap, ENOMEM));
	cr_assert(!ty_os_move(memory, to, LEN / 2) && all(memory, LEN / 2, 5), "no room to try");
}

/* Pages of address space. */
static size_t space(void)
{
	char text[64] = "";

	cr_assert(ty_os_read_file("/proc/self/statm", text, sizeof text - 1));
	return strtoul(text, NULL, 10);
}

/* Address space is neither lost nor taken. */
Test(refused, move_leaves_nothing)
{
	char *to = two_ranges();
	size_t before = space();
	for (int i = 0; i < 8; i++)
		ty_os_move(i % 2 ? to : memory, i % 2 ? memory : to, LEN / 2);
	cr_assert(space() == before, "%zu, then %zu", before, space());
	need(refuse(SYS_mremap, EINVAL));
	for (int i = 0; i < 8; i++)
		cr_assert(!ty_os_move(memory, to, LEN / 2));
	cr_assert(space() == before, "%zu, then %zu", before, space());
}

static void move(void *to) { ty_os_move(memory, to, LEN / 2); }

/* Somebody else may own the place now: P1 can no longer be kept. */
Test(refused, lost_place)
{
	char *to = two_ranges();
	need(refuse(SYS_mremap, EINVAL) && refuse_only(SYS_mmap, FLAGS, NOREPLACE, true, EEXIST));
	cr_assert(!munmap(to, LEN / 2));
	ASSERT_DIES(move, to, "realloc(): lost its address space at 0x");
}

/* Only that there is no memory says that there is too little of it. */
Test(refused, too_much)
{
	errno = 42;
	cr_assert(!ty_os_too_much(LEN) && ty_os_too_much((size_t)1 << 60));
	need(refuse(SYS_mmap, EPERM));
	cr_assert(!ty_os_too_much(LEN) && !ty_os_too_much((size_t)1 << 60), "who knows");
	need(refuse(SYS_mmap, ENOMEM));
	cr_assert(ty_os_too_much(LEN) && errno == 42);
}

Test(refused, random)
{
	u64 a[4] = {0}, b[4] = {0};
	need(refuse(SYS_getrandom, ENOSYS));
	errno = 42;
	cr_assert(!ty_os_random(a, sizeof a) && !ty_os_random(b, sizeof b) && errno == 42);
	for (int i = 0; i < 4; i++)
		for (int k = 0; k < 4; k++)
			cr_assert(a[i] != b[k] && (i == k || (a[i] != a[k] && b[i] != b[k])), "no number comes twice");
}

static int open_in(int dir, const char *name, int flags)
{
	int fd = openat(dir, name, flags, 0600);
	cr_assert(fd >= 0, "%s", name);
	return fd;
}

/* What a descriptor leads to, before a sentence is written to it. */
Test(refused, descriptors)
{
	char name[] = "/tmp/unit_refused.XXXXXX";
	cr_assert(mkdtemp(name));
	int dir = open(name, O_DIRECTORY), fd[2];
	int log = open_in(dir, "log", O_CREAT | O_WRONLY | O_APPEND), data = open_in(dir, "log", O_RDWR), null = open("/dev/null", O_WRONLY);
	cr_assert(!pipe(fd));
	cr_assert(ty_os_is_log(log, 0) && ty_os_is_log(fd[1], 0));
	cr_assert(!ty_os_is_log(data, 0) && !ty_os_is_log(null, 0), "another file stands there now");
	cr_assert(ty_os_is_log(data, ty_os_file_id(data)) && ty_os_file_id(data) == ty_os_file_id(log));
	cr_assert(!ty_os_is_log(-1, 0) && !ty_os_file_id(-1));

	cr_assert(ty_os_may_write(log, 0) && ty_os_may_write(fd[1], 10));
	fcntl(fd[1], F_SETFL, O_NONBLOCK);
	while (write(fd[1], name, sizeof name) > 0)
		;
	cr_assert(!ty_os_may_write(fd[1], 10), "it is full, and nobody reads");

	int high = ty_os_dup_high(log);
	cr_assert(high >= 200 && ty_os_file_id(high) == ty_os_file_id(log));
	ty_os_write(high, "once", 4);
	char path[64], text[8] = "";
	snprintf(path, sizeof path, "%s/log", name);
	cr_assert(ty_os_read_file(path, text, sizeof text) == 4 && !memcmp(text, "once", 4));
	int again = ty_os_open_append(path);
	ty_os_write(again, "more", 4);
	ty_os_close_file(again);
	cr_assert(fcntl(again, F_GETFD) == -1 && ty_os_read_file(path, text, sizeof text) == 8);
	cr_assert(!unlink(path) && !rmdir(name));

	need(refuse(SYS_newfstatat, EPERM) && refuse(SYS_fstat, EPERM) && refuse(SYS_ppoll, EPERM));
	cr_assert(ty_os_is_log(null, 0) && ty_os_may_write(fd[1], 10), "nobody knows: write");
}

static void end_process(void *handlers) { ty_os_abort(handlers != NULL); }

static void do_nothing(int sig) { (void)sig; }

static void end_with_handler(void *arg)
{
	signal(SIGABRT, arg ? do_nothing : SIG_IGN);
	ty_os_abort(true);
}

/* Whatever is refused or ignored, the process ends. */
Test(refused, abort)
{
	char text[64];
	cr_assert(death_of(end_process, NULL, text, sizeof text) == SIGABRT);
	cr_assert(death_of(end_with_handler, NULL, text, sizeof text) == SIGABRT);
	cr_assert(death_of(end_with_handler, memory, text, sizeof text) == SIGABRT);
	need(refuse(SYS_tgkill, EPERM));
	int sig = death_of(end_process, memory, text, sizeof text);
	cr_assert(sig == SIGILL || sig == SIGTRAP, "signal %d", sig);
}

/* A SIGPIPE of our own writing is not the program's. */
Test(refused, signals)
{
	int fd[2];
	sigset_t pending;
	cr_assert(!pipe(fd) && !close(fd[0]));
	u64 mask = ty_os_block_signals();
	ty_os_write(fd[1], "x", 1);
	sigpending(&pending);
	cr_assert(sigismember(&pending, SIGPIPE));
	ty_os_set_signals(mask);
	sigpending(&pending);
	cr_assert(!sigismember(&pending, SIGPIPE));
	cr_assert(!ty_os_on_signal_stack());
}

Test(refused, readable)
{
	cr_assert(ty_os_enable(memory, page, TY_HUGE_NEVER));
	errno = 42;
	cr_assert(ty_os_readable(memory) && ty_os_readable(&errno));
	cr_assert(!ty_os_readable(memory + LEN / 2) && !ty_os_readable(NULL) && errno == 42);
}
