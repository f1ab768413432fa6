/*
 * fork.c: the child finds every locked structure whole.
 *
 * The handlers take all locks, in their order (lock.h), before fork and release them after, in parent and
 * child. While they are held, the forking thread's own calls pass (ty_fork_depth), so that other libraries' handlers may
 * allocate, before or after ours, also in the child before our handler has run, and may fork themselves.
 *
 * A lock that others hold while they allocate must be taken before ours, as libc takes its own malloc's locks last. So our
 * handlers are registered before anybody else's, even those of libraries that are initialised before us, hence run last
 * before fork; and stdio's list of files, which libc locks after all handlers and whose holder may wait for a file that
 * an allocating thread has, is locked here already. (The lock is recursive. libc makes it new in the child.)
 *
 * A process with one thread has nobody to wait for: no lock is taken, and its calls in handlers take theirs as ever (a handler may make a
 * thread). Parent and child share their pages at first, and each that one of them writes to is copied, which costs more than all
 * else here; so nothing is written that need not be, for the sake of who forks only to start another program. For the same reason
 * all of this lies together.
 *
 * Slabs of threads that do not exist in the child stay theirs: their records may have been copied in the middle of
 * a change, as their owners take no lock. What the child frees in them is marked and not reused. Its own are whole.
 *
 * A child made without handlers (vfork, clone, _Fork) may only call what is async-signal-safe, by POSIX. Of a process with one
 * thread it may do more, as vsftpd does: random.h knows it.
 */
#define _GNU_SOURCE
#include "dlopen.h"
#include "heap.h"
#include "sample.h"
#include "tracked.h"

#include <errno.h>

static struct ty_lock *const inner[] = {&ty_index_lock, &ty_threads_lock, &ty_sites_lock, &ty_tracked_lock, &ty_parts_lock,
				       &ty_region_lock, &ty_meta_lock, &ty_random_lock};
#define INNER (sizeof inner / sizeof *inner)

/* Of glibc. */
void _IO_list_lock(void) __attribute__((weak));
void _IO_list_unlock(void) __attribute__((weak));
static bool files; /* locked. By whoever has the locks. */

static bool wants_files(void)
{
	return &_IO_list_lock && &_IO_list_unlock && ty_os_threads() == TY_THREADS_SOME;
}

TY_START static void prepare(void)
{
	if (ty_fork_depth == 0) {
		if (ty_os_threads() == TY_THREADS_ONE)
			return;
		bool list = wants_files();
		if (list)
			_IO_list_lock();
		for (int i = 0; i < TY_STRIPES; i++)
			ty_lock(&ty_stripes[i].lock);
		for (size_t i = 0; i < INNER; i++)
			ty_lock(inner[i]);
		files = list;
	}
	ty_fork_depth++;
}

TY_START static void parent(void)
{
	if (ty_fork_depth == 0 || --ty_fork_depth)
		return;
	bool list = files;
	for (size_t i = INNER; i-- > 0;)
		ty_unlock(inner[i]);
	for (int i = TY_STRIPES; i-- > 0;)
		ty_unlock(&ty_stripes[i].lock);
	if (list)
		_IO_list_unlock();
}

TY_START static void child(void)
{
	if (ty_fork_depth && --ty_fork_depth && !ty_lock_is_dying())
		return;
	/*
	 * Nobody waits here: those who did were other threads. A thread that ends the process may have forked with a lock, too, and so may a
	 * signal's handler that came in the middle of a call.
	 */
	for (size_t i = 0; i < INNER; i++)
		if (inner[i]->word)
			inner[i]->word = 0;
	for (int i = 0; i < TY_STRIPES; i++)
		if (ty_stripes[i].lock.word)
			ty_stripes[i].lock.word = 0;
	bool forget = ty_random_after_fork();
	/* Those of threads that are not there, too. Their caches stay in use, as their slabs are theirs. */
	for (struct ty_tcache *tc = ty_tcache_next(NULL); tc; tc = ty_tcache_next(tc)) {
		if (forget)
			ty_random_forget(&tc->rng);
		if (tc != ty_mine && tc->in_use && !tc->lost)
			tc->lost = true;
	}
	ty_cache_after_fork();
	ty_sample_after_fork();
}

typedef int registers(void (*)(void), void (*)(void), void (*)(void), void *);
/* As in crtbegin.o, without which the library is linked. */
TY_HIDDEN __attribute__((weak)) void *__dso_handle;

TY_HOOK registers __register_atfork;
static registers between;

static registers *libcs(void)
{
	static bool registered;
	registers *f = (registers *)ty_next_symbol("__register_atfork", (void *)between);

	/* A static program that forks has libc's, and ours has given way. */
	if (!f && __register_atfork != between)
		f = __register_atfork;
	if (f && !__atomic_exchange_n(&registered, true, __ATOMIC_RELAXED))
		f(prepare, parent, child, &__dso_handle);
	return f;
}

TY_START void ty_fork_init(void) { libcs(); }

static int between(void (*before)(void), void (*in_parent)(void), void (*in_child)(void), void *dso)
{
	ty_heap_start(); /* which registers handlers, too, and libc may allocate while it does */
	registers *f = libcs();

	if (!f) /* a static program without fork */
		return 0;
	return f(before, in_parent, in_child, dso);
}

/* What pthread_atfork is in glibc. */
TY_HOOK registers __register_atfork __attribute__((alias("between")));
