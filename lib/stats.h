/*
 * stats.h: numbers for people: the table at exit, mallinfo, malloc_info, malloc_stats.
 *
 * A walk over all records. Counters of other threads are read as they are: exact when nobody allocates meanwhile.
 */
#ifndef TY_STATS_H
#define TY_STATS_H

#include "heap.h"

struct ty_totals {
	size_t live_bytes;	/* slots handed out, large objects at their requested size */
	size_t live_objects;
	size_t free_bytes;	/* slots not handed out whose pages are present */
	size_t committed;	/* bytes of pages that slabs and spans have touched */
	size_t large_bytes, large_objects; /* of live_* those above TY_SMALL_MAX */
	size_t slabs;
	u64 allocations, untyped; /* untyped: those that came without a token */
	size_t metadata;
};

/* One cache, at this moment. */
struct ty_cache_stat {
	size_t live, slabs, committed;
	u64 allocations;
};

void ty_stats_totals(struct ty_totals *out);
/* Live objects of a partition. */
size_t ty_stats_live(u64 key, u32 source);

/* The table of all caches to a file descriptor. */
void ty_stats_table(int fd);

/* When option stats asks for a table on standard error: programs close that before we print. Once, at start. */
void ty_stats_init(void);
/* At exit, when option stats asks for it. */
void ty_stats_at_exit(void);

#endif
