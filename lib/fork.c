/*
 * fork.c: the child finds every locked structure whole.
 *
 * The handlers take all locks, in their order (lock.h), before fork and release them after, in parent and
 * child. While they are held, the forking thread's own calls pass (ty_fork_depth), so that other libraries' handlers may
 * allocate, before or after ours, also in the child before our handler has run, and may fork themselves.
 *
 * Slabs of threads that do not exist in the child stay theirs: their records may have been copied in the middle of
 * a change, as their owners take no lock. What the child frees in them is marked and not reused. Its own are whole.
 *
 * A child made without handlers (vfork, clone, _Fork) may only call what is async-signal-safe, by POSIX.
 */
#include "heap.h"

#include <pthread.h>

static struct ty_lock *const inner[] = {&ty_index_lock, &ty_threads_lock, &ty_sites_lock, &ty_region_lock, &ty_meta_lock,
				       &ty_random_lock};
#define INNER (sizeof inner / sizeof *inner)

static void prepare(void)
{
	if (ty_fork_depth == 0) {
		for (int i = 0; i < TY_STRIPES; i++)
			ty_lock(&ty_stripes[i].lock);
		for (size_t i = 0; i < INNER; i++)
			ty_lock(inner[i]);
	}
	ty_fork_depth++;
}

static void parent(void)
{
	if (ty_fork_depth == 0 || --ty_fork_depth)
		return;
	for (size_t i = INNER; i-- > 0;)
		ty_unlock(inner[i]);
	for (int i = TY_STRIPES; i-- > 0;)
		ty_unlock(&ty_stripes[i].lock);
}

static void child(void)
{
	if (ty_fork_depth == 0 || (--ty_fork_depth && !ty_lock_is_dying()))
		return;
	/* Nobody waits here: those who did were other threads. A thread that ends the process may have forked with a lock, too. */
	for (size_t i = 0; i < INNER; i++)
		inner[i]->word = 0;
	for (int i = 0; i < TY_STRIPES; i++)
		ty_stripes[i].lock.word = 0;
	ty_random_after_fork();
	/* Those of threads that are not there, too: their caches will be given to new ones. */
	for (struct ty_tcache *tc = ty_tcache_next(NULL); tc; tc = ty_tcache_next(tc)) {
		ty_random_forget(&tc->rng);
		tc->lost |= tc != ty_mine && tc->in_use;
	}
	ty_cache_after_fork();
}

void ty_fork_init(void) { pthread_atfork(prepare, parent, child); }
