/*
 * sample.h: now and then a small object is served as a large one is, by itself between guards, so that every use after free and
 * every access past its end faults at once; who made it and who freed it is recorded.
 *
 *   ... guards | zeros |           object |tail| guards ...      its pages: those of a slot of its class
 *
 * When: a thread counts the bytes of the slots it takes, in its slow paths (tcache.c take_sample). After a random
 * number of them, of mean `sample` KiB, its next small allocation is sampled. One sample costs about what a hundred
 * allocations cost, so a thread has no two within TY_SAMPLE_MS; nothing at all is done on the fast path.
 *
 * Where: the spans of a class are a cache of their own, of the same key (ty_class_sampled: the small class and a mark), so an
 * address stays with its key and class (P1), and whoever asks for type, size or class gets the answer of an object in a slot.
 * A free one is guarded. It comes back as late as possible: a new span is preferred as long as there may be more, then the one
 * that was freed first. At most TY_SAMPLE_LIVE objects are live and TY_SAMPLE_SPANS spans exist, a sixteenth of those still
 * to be had for any one cache; past that the slab serves. The fuller of live ones, the rarer the samples, so that the objects a
 * program makes first and keeps do not take all places.
 *
 * The record of a span is metadata (P2). It is written by the thread that makes the span live or frees it, and read without a
 * lock by who reports.
 *
 * Faults (option faults): a handler of SIGSEGV, where the program had none at the start, says what happened at an address of
 * ours (spans, and objects of no bytes), then restores the default and returns, so that the fault comes again and ends the
 * process as it would have. It changes nothing else about faults, takes no lock and allocates nothing.
 */
#ifndef TY_SAMPLE_H
#define TY_SAMPLE_H

#include "cache.h"
#include "random.h"

/* The class of the sampled objects of a small class: with an alignment that no class has. */
#define TY_CLASS_SAMPLED (63u << TY_CLASS_ALIGN_SHIFT)
TY_INLINE bool ty_class_sampled(u32 cls) { return (cls & (TY_CLASS_SAMPLED | TY_CLASS_LARGE)) == TY_CLASS_SAMPLED; }

#define TY_SAMPLE_MS 8
#define TY_SAMPLE_OFTEN 64 /* who asks for more samples than one in so many KiB wants them, whatever they cost */
#define TY_SAMPLE_LIVE 256
#define TY_SAMPLE_SPANS 4096
#define TY_SAMPLE_STACK 16

/* What is known of the object that a sampled span holds, or held last. */
struct ty_sampled {
	uintptr_t made[TY_SAMPLE_STACK], freed[TY_SAMPLE_STACK]; /* return addresses, inner first */
	u8 nmade, nfreed; /* nfreed: 0 while it is live */
	u32 made_by, freed_by; /* threads */
};

struct ty_span;
struct ty_tcache;

struct ty_sampler {
	int learn, next; /* bytes to the next sample of call sites, of objects */
	int set;	 /* what tc->sample was when they were set */
	u32 when;	 /* low 32 bits of the time of the last sample, ms */
	u8 align;	 /* log2 of what the call under way asks for; 0: nothing special */
	bool ready, due; /* due: the next small allocation is to be sampled */
	bool draw; /* `next` is to be drawn */
};
extern TY_HIDDEN __thread struct ty_sampler ty_sampler __attribute__((tls_model("initial-exec")));

/* Once, after the fork handlers of the heap. */
void ty_sample_init(void);
/* In the child, at the end of its handler. */
void ty_sample_after_fork(void);

/*
 * tc->sample has run out. True: call sites are to be learnt from; learn: bytes to the next time. Sets it anew.
 */
bool ty_sample_spent(struct ty_tcache *tc, int learn);

/* The object of a call that is due; NULL: the slabs serve it. */
void *ty_sample_alloc(u64 key, u32 cls, size_t size, const char *fn, struct ty_cache **from);

/* Who made, and who freed, the sampled object that p lies in, if it does. */
void ty_sample_say(const void *p);

/* For large.c. May a cache with n spans have one more, and count it. */
bool ty_sample_more(u32 n);
void ty_sample_undo(void);
/* A record for a new span; 0: out of memory. Undo: the span came to nothing (0: nor did the record). */
u32 ty_sample_record(void);
void ty_sample_record_undo(u32 record);
/* The live object of a record is freed. */
void ty_sample_freed(struct ty_sampled *r);

#endif
