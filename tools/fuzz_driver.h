/* SPDX-License-Identifier: MIT */
/*
 * libtyped_fuzz: the target's side of typed-fuzz(1), linked with a harness that defines LLVMFuzzerTestOneInput.
 *
 *   typed-fuzz --- pipe: one byte a batch ---> server (main) -- fork --> child: runs the batch's inputs
 *        |    <--- pipe: how it ended --------    |                        |
 *        +---------- shared memory: words below, inputs, results, features seen
 *
 * The child writes each input into the shared memory before it runs it, and its number and start: whatever happens to the
 * child, the input is known. Under valgrind the server runs the batch itself.
 *
 * fuzz_driver.c   main: files given once, or batches
 * fuzz_cover.c    features: what the heap, comparisons and instrumentation tell of a run
 * fuzz_hooks.c    the heap's functions, on their way to the library
 * fuzz_compare.c  libc's comparisons
 * fuzz_mutate.c   inputs out of inputs
 * fuzz_frames.c   the stack of a crash, on standard error
 * fuzz_exact.c    each object in pages of its own: the first error of an input
 */
#ifndef TY_FUZZ_DRIVER_H
#define TY_FUZZ_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The words at the start of the shared memory; tools/fuzz/target.py has the same. */
enum {
	/* written by typed-fuzz */
	FZ_MAGIC,
	FZ_MAX_LEN,    /* bytes of an input */
	FZ_COMMAND,    /* FZ_GIVEN or FZ_MUTATE */
	FZ_FLAGS,      /* FZ_LEAKS, ... */
	FZ_SEED,       /* of the batch */
	FZ_FIRST,      /* number of the first input */
	FZ_COUNT,      /* number past the last */
	FZ_TIMEOUT_MS, /* for one input */
	FZ_RSS_KIB,    /* 0: no limit */
	FZ_NBASE,      /* inputs in the `in' area */
	FZ_NDICT,      /* entries behind them */
	/* written by the driver */
	FZ_CURRENT = 16, /* number of the input that runs */
	FZ_DONE,	 /* inputs of this batch that ran */
	FZ_STARTED,	 /* ns, when the current one began; 0: none runs */
	FZ_LEN,		 /* bytes of it */
	FZ_NOUT,	 /* records in the `out' area */
	FZ_OUT_USED,	 /* bytes of them */
	FZ_STOPPED,	 /* FZ_ALL, FZ_OUT_FULL, FZ_ERROR */
	FZ_FEATURES,	 /* features seen so far, by this server */
	FZ_INFO,	 /* FZ_VALGRIND, FZ_COUNTERS */
	FZ_NTOKENS,	 /* words found in comparisons, for the next batches */
	FZ_LEAK_BYTES,	 /* of the current input, the largest group of equal objects */
	FZ_LEAK_COUNT,
	FZ_LEAK_TOKEN,
	FZ_LEAK_SITE, /* from the executable's start */
	FZ_WORDS = 64,
};
#define FZ_MAGIC_VALUE 0x7a66646570797431ull
enum { FZ_GIVEN = 1, FZ_MUTATE = 2 };		   /* commands */
enum { FZ_LEAKS = 1, FZ_KEEP_ALL = 2, FZ_SWEEP = 4, FZ_STRICT = 8, FZ_FORK = 16, FZ_EXACT = 32, FZ_ALIGNED = 64 };
/* flags; FZ_FORK: a child, under valgrind too; FZ_ALIGNED: with FZ_EXACT, to find, not to explain */
enum { FZ_ALL, FZ_OUT_FULL, FZ_ERROR };		   /* why a batch stopped */
enum { FZ_VALGRIND = 1, FZ_COUNTERS = 2 };	   /* what there is */
enum { FZ_NEW = 1, FZ_LEAK = 2, FZ_VG_ERROR = 4 }; /* flags of a record */

/* Bytes of the areas behind the words. */
#define FZ_TOKEN_BYTES 32 /* a length, then the word */
#define FZ_TOKENS 256
#define FZ_AT_TOKENS (FZ_WORDS * 8)
#define FZ_AT_CURRENT (FZ_AT_TOKENS + FZ_TOKENS * FZ_TOKEN_BYTES)
#define FZ_CURRENT_BYTES (1u << 20)
#define FZ_AT_IN (FZ_AT_CURRENT + FZ_CURRENT_BYTES)
#define FZ_AREA_BYTES (4u << 20)
#define FZ_AT_OUT (FZ_AT_IN + FZ_AREA_BYTES)
#define FZ_SHARED_BYTES (FZ_AT_OUT + FZ_AREA_BYTES)
/* The features seen, a memory of its own, which servers share. */
#define FZ_MAP (1u << 16)
#define FZ_COUNTER_BYTES (1u << 20)
#define FZ_SEEN_BYTES (FZ_MAP + FZ_COUNTER_BYTES)

/* A record of the `out' area; the input follows, padded to 8 bytes. */
struct fz_record {
	uint32_t number, size, flags, features;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);
__attribute__((weak)) size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);
__attribute__((weak)) size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t n, const uint8_t *two, size_t m,
						       uint8_t *out, size_t max, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

extern uint64_t *fz_words; /* the shared memory; NULL: files are run */

/* fuzz_cover.c */
extern __thread int fz_on; /* this thread runs an input */
extern uint8_t *fz_seen;
/* Something that is worth telling apart happened at pc. */
void fz_feature(uint64_t what);
/* A step in the heap's life; it counts together with the step before. */
void fz_step(uint64_t what);
void fz_cover_begin(void);
/* How much of this run was new; from now on it is not. */
unsigned fz_cover_end(void);
bool fz_cover_counters(void);
uint64_t fz_mix(uint64_t x);

/* fuzz_hooks.c */
extern long fz_balance; /* allocations less frees of this input */
extern int fz_recording;
extern bool fz_plain; /* valgrind's malloc serves the typed functions */
uint64_t fz_from_start(const void *pc);
/* Forget the objects that were recorded. */
void fz_record_clear(void);
/* Look at each recorded object that is live, so that the library finds its overflow; tells the largest leak. */
size_t fz_record_check(void);
/* fuzz_compare.c */
void fz_hooks_input(const uint8_t *data, size_t size);

/* fuzz_mutate.c */
void fz_random_seed(uint64_t seed);
uint64_t fz_random(void);
/* An entry of the `in' area. */
const uint8_t *fz_entry(unsigned i, size_t *size);
/* The next input of a batch, out of the `in' area. */
size_t fz_make(uint8_t *out, size_t max);

/* fuzz_frames.c: for a process that is about to end */
void fz_frames_start(void);
void fz_put(const char *s);
void fz_put_hex(uintptr_t n);
void fz_frames_put(void *const *pc, int n);
/* The stack of the caller, once. */
void fz_frames_tell(void);

/* fuzz_exact.c */
extern bool fz_exact; /* it serves what this input allocates */
void fz_exact_start(bool align);
/* NULL: the library is to serve it. align 0: what the size says. */
void *fz_exact_alloc(size_t align, size_t size, size_t token);
void *fz_exact_resize(void *p, size_t size, size_t token);
/* False: p is none of its objects. */
bool fz_exact_size(const void *p, size_t *size);
bool fz_exact_free(void *p);
/* Tell what happened at this address, if it is one of its own. */
void fz_exact_fault(const void *address);

#endif
