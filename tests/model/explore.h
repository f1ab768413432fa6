/*
 * explore.h: runs a few threads of the real code through all their interleavings.
 *
 * The library is compiled with -fsanitize=thread, so that every access to memory is announced; the functions that it announces
 * them to are ours (explore.c), not those of ThreadSanitizer. Threads are coroutines. Before each access to shared state (records of
 * slabs, pending stacks, locks; an object's memory, once in a row) a coroutine stops, and the search goes on from there with each of the
 * coroutines. A state is the memory that has changed since the start, with stacks and registers: what has been seen is not gone
 * into again, so the search ends, and has been everywhere.
 *
 * Store buffers: an atomic store that is not sequentially consistent waits in its thread's buffer, in order, until any
 * later moment of the search, or until its thread does a read-modify-write, a fence, or a plain store to shared state; its own loads
 * see it. (So on x86; the plain stores are the owner's own.)
 *
 * When no coroutine is left, or when the library ends the process (ty_die), the scenario judges.
 */
#ifndef MODEL_EXPLORE_H
#define MODEL_EXPLORE_H

#include "remote.h"
#include "stock.h"
#include "large.h"
#include "heap.h"

enum { THREADS_MAX = 3, CRIME_MAX = 32, OBJECTS = 64 };

/* What the coroutines and the judge know; part of the state. */
struct world {
	void *object[OBJECTS];
	int holder[OBJECTS]; /* thread + 1; 0: nobody */
	void *got[8];
	char crime[CRIME_MAX]; /* the sentence, if the library has ended the process; empty: it has not */
	bool seen; /* what must not be */
};

struct scenario {
	const char *name;
	int threads;
	bool buffers; /* with store buffers */
	bool fine;    /* stop at plain accesses to records, too */
	size_t size;
	void (*set_up)(void);		/* at first, alone */
	void (*run[THREADS_MAX])(void); /* what the threads do */
	/* At the end of every interleaving, alone; false: something is wrong, and said by wrong(). */
	bool (*judge)(void);
};

extern struct world *world;
extern const struct scenario *now;

/* Run f as thread t, alone, to its end (setting up and judging). False: the library has ended the process; world->crime. */
bool alone_as(int t, void (*f)(void));
/* What ends thread t's life in the library. */
void end_thread(void);
bool wrong(const char *what);
/* All interleavings. False: one was judged wrong, and its schedule has been printed. */
bool explore(const struct scenario *s, unsigned long *states, unsigned long *ends);

#endif
