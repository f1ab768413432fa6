/* SPDX-License-Identifier: MIT */
/*
 * bench.h: what the workloads share. They call malloc, free and their like and nothing else of any allocator, so that
 * whatever is preloaded is what is measured. Each object has marks at its start and its end, checked before it goes.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SITES_MAX 10000

struct settings {
	const char *name;	      /* of the workload */
	uint64_t ops, threads, types; /* 0: the workload has no such thing */
	uint64_t live;		      /* bytes */
	uint64_t seed;
};
extern struct settings set;

struct rng {
	uint64_t state;
};

struct rng rng_make(uint64_t stream); /* another sequence for each stream */
uint64_t rng_next(struct rng *r);
static inline uint64_t rng_below(struct rng *r, uint64_t n) { return (rng_next(r) >> 32) * n >> 32; }
uint64_t mix(uint64_t x);

/* An object and what is known of it. p is NULL: none. */
struct held {
	unsigned char *p;
	uint32_t size, tag;
};

void hold(struct held *h, void *p, size_t size, uint32_t tag); /* marks it; ends the program if p is NULL */
uint64_t check(const struct held *h);			       /* the tag; ends the program if the marks are gone */
uint64_t let_go(struct held *h);			       /* checks and frees; nothing if there is none */

/* Sizes as programs have them: mostly small. 300 bytes in the mean. */
size_t mixed_size(struct rng *r);
#define MIXED_MEAN 300

void *need(void *p); /* ends the program if p is NULL */
_Noreturn void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void timed(void);     /* what is measured begins here, not at the start */
void timed_end(void); /* and ends here */

/* Each returns a sum of what it has checked, the same whatever the allocator. */
uint64_t work_short(void);
uint64_t work_mixed(void);
uint64_t work_random(void);
uint64_t work_realloc(void);
uint64_t work_pipe(void);
uint64_t work_churn(void);
uint64_t work_server(void);
uint64_t work_types(void);
uint64_t work_coldhot(void);
uint64_t work_start(void);
uint64_t work_fork(void);

/* Call site number i, below SITES_MAX: malloc with a return address of its own. */
typedef void *site(size_t);
extern site *const sites[SITES_MAX];

/* process.c: run a command, tell its use of the machine on a descriptor, and never return. */
_Noreturn void measure(int fd, const char *preload, char **command);

#endif
