/* write_after_free VICTIM SIZE OFFSET: a byte is written into a free slot; the next owner must not get it like that.
 * VICTIM: malloc, calloc, new_thread (written by another thread), freed_there (freed by another thread),
 * owner_exited, purged (after its memory was given back), then_purged (before that), moved (realloc has moved it
 * away), forked (in a child). */
#include "attack.h"

enum { COUNT = 64, TRIES = 300000 };
static size_t size, offset;
static void *made;

/* Same chain of call sites for the victim and for all that come after it. */
static NOINLINE void *make_victim(bool zeroed) { return hide(zeroed ? calloc(1, size) : malloc(size)); }

static void *write_it(void *p)
{
	((volatile char *)p)[offset] = 'W';
	return NULL;
}

static void *make_in_thread(void *zeroed)
{
	made = make_victim(zeroed != NULL);
	return NULL;
}

int main(int argc, char **argv)
{
	begin();
	MUST(argc >= 4);
	const char *how = argv[1];
	size = argument(argc, argv, 2, 100);
	offset = argument(argc, argv, 3, 0);
	bool zeroed = !strcmp(how, "calloc");
	char *victim = NULL;
	static void *others[COUNT];
	for (int i = 0; i < TRIES; i++) {
		char *p;
		if (i == COUNT / 2 && !strcmp(how, "owner_exited")) {
			run_thread(make_in_thread, NULL);
			p = made;
		} else if (i > COUNT && i % 64 == 0) { /* threads that have only just begun may be served otherwise */
			run_thread(make_in_thread, zeroed ? &made : NULL);
			p = made;
		} else
			p = make_victim(zeroed);
		MUST(p);
		if (i < COUNT)
			others[i] = p;
		if (victim && (p == victim || (p < victim + size && victim < p + size)))
			return survived();
		if (i != COUNT)
			continue;
		victim = others[COUNT / 2];
		if (!strcmp(how, "forked")) {
			pid_t child = fork();
			if (child)
				die_like(child);
		}
		if (!strcmp(how, "freed_there"))
			run_thread(free_it, victim);
		else if (!strcmp(how, "moved"))
			MUST(realloc(victim, size * 8 + 64) != hide(victim));
		else
			free(victim);
		if (!strcmp(how, "then_purged")) { /* the write must not vanish with the memory */
			crime(victim);
			write_it(victim);
		}
		if (strstr(how, "purged")) {
			for (int k = 0; k <= COUNT; k++)
				if (k < COUNT && others[k] != victim)
					free(others[k]);
			free(p);
			malloc_trim(0);
			sleep_ms(30);
			malloc_trim(0);
		}
		if (!strcmp(how, "then_purged"))
			continue;
		crime(victim);
		if (!strcmp(how, "new_thread"))
			run_thread(write_it, victim);
		else
			write_it(victim);
	}
	say("the slot never came back in %d allocations", TRIES);
	return 3;
}
