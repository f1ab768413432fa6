/*
 * mag.h: the table of magazines of a thread cache (struct ty_mag is in tcache.h, for the fast path).
 *
 * Open addressing: a magazine is at one of the TY_PROBE places from the one its hash names. Only its own thread looks
 * and changes; reports read, under the threads lock, which growing takes too.
 *
 *   unused   own == 0, nothing ready
 *   cold     hot == 0, the same: may be replaced
 *   hot      stays, and may move to another place when the table grows or ty_mag_move_home moves it: a pointer to a
 *            magazine is good until the next ty_mag_add or ty_mag_move_home of its thread
 */
#ifndef TY_MAG_H
#define TY_MAG_H

#include "tcache.h"

#define TY_MAG_TABLE_BITS 6 /* 64 magazines at first, a page */

/* 1 << bits unused magazines; NULL: out of memory. */
struct ty_mag *ty_mag_table_new(u32 bits);
u32 ty_mag_table_size(const struct ty_tcache *tc);
/* The magazine of (key, class); NULL: none. */
struct ty_mag *ty_mag_find(struct ty_tcache *tc, u64 key, u32 cls);
/* Move a hot magazine to the place its hash names, where malloc looks first, unless a hot one is there. */
struct ty_mag *ty_mag_move_home(struct ty_tcache *tc, struct ty_mag *m);
/* A new cold magazine; NULL: no place for it. */
struct ty_mag *ty_mag_add(struct ty_tcache *tc, u64 key, u32 cls);

#endif
