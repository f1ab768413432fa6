/*
 * track.h: what a checker is told, and how it is found out that one is there. track.c alone knows valgrind and the sanitizers.
 *
 * Three ways to run (ty_conf, set once at start by ty_track_init):
 *
 *   checker 0    nobody watches
 *   valgrind     the heap is ours, under a tool of valgrind. Every call takes the slow path (ty_conf.slow), where the requests
 *                below are made: nothing of this is on the fast path. Under Memcheck every object has `red` bytes behind it
 *                that are nobody's, so that a small overrun is told by Memcheck and harmless to the heap; freed slots are held back
 *                (option quarantine), so that a use after free is told as one.
 *   forward      malloc is not ours: valgrind has replaced it, or a sanitizer has. Then what only we have (typed_malloc, caches,
 *                __alloc_token_*) gets its memory there, or a free would not match. tracked.c.
 *
 * Our own reads of canaries and free slots are no errors of the program: between ty_track_begin and ty_track_end Memcheck is
 * silent about this thread. The two nest.
 */
#ifndef TY_TRACK_H
#define TY_TRACK_H

#include "conf.h"

#define TY_RED 32 /* bytes of red zone: Memcheck takes an address for a block's within 16 bytes of it */

/* Is a checker there? */
bool ty_track_present(void);
/* At the end of ty_conf_init. */
void ty_track_init(void);

/* A new object, to the byte. zero: the program may rely on that. */
void ty_track_alloc(void *p, size_t n, bool zero);
/* The program gives p back; Memcheck complains unless it is a block's start. Not between begin and end. */
void ty_track_free(const void *p);
/* n bytes at p hold nothing that the program has written. */
void ty_track_undefined(void *p, size_t n);
/* What we have worked out from memory that is nobody's is sound. */
void ty_track_defined(void *p, size_t n);
void ty_track_begin(void);
void ty_track_end(void);

/* For os_linux.c. May a reservation be this long? Tools take long over terabytes. */
bool ty_track_may_reserve(size_t len);
/*
 * Under Memcheck with the heap ours: memory of valgrind's own heap. The leak check does not look for pointers in it,
 * but for those in objects, as it does with malloc's: else everything that a lost object points to would be reachable.
 * NULL: none to be had, or with --track-origins=yes.
 */
void *ty_track_reserve(size_t len);
/* Of that, what is ours to read and write. */
void ty_track_metadata(void *p, size_t len);

#endif
