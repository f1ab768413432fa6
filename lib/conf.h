/*
 * conf.h: the options, and everything else that never changes after start, on one page that is then read-only.
 *
 * Options come from the environment (TYPED_MALLOC_OPTIONS="key=value:key=value"), from /etc/typed_malloc.conf (a
 * key=value a line), and from a symbol of the program (const char *typed_malloc_options), in that order of strength.
 * A set-user-ID program (AT_SECURE) listens to the file only. A bad option is one line on standard error.
 */
#ifndef TY_CONF_H
#define TY_CONF_H

#include "compiler.h"

#include <time.h>

enum ty_policy { TY_POLICY_TYPED, TY_POLICY_RANDOM, TY_POLICY_NONE, TY_POLICY_CALLSITE };

/* Number of shared partitions of the policy "random", as in the kernel (RANDOM_KMALLOC_CACHES). */
#define TY_RANDOM_PARTITIONS 16

#define TY_SAMPLE_KIB 1024 /* option sample, unless set */
#define TY_SAMPLE_MAX ((u32)1 << 20)

/* Bits of option report. */
#define TY_REPORT_STDERR 1
#define TY_REPORT_SYSLOG 2

/* Invariant: written by ty_conf_init and ty_region_init only, before any second thread; read-only from then on. */
struct ty_frozen {
	/* Address space; region.h explains. */
	uintptr_t base;	    /* first byte of the heap reservation */
	size_t size;	    /* its bytes */
	u32 *map;	    /* granule map: one entry a granule */
	bool roomy;	    /* address space is plentiful: objects may have room to grow */
	char *slabs;	    /* slab metadata: TY_META_STEP * id */
	char *meta;	    /* other metadata: TY_META_STEP * id */
	u32 *mark;	    /* random.h */
	int (*clock)(clockid_t, struct timespec *); /* os_process.c; NULL: libc's */
	u64 secret;	    /* mixed into call-site partitions */
	u64 canary[4];	    /* canary.h; the factors, 1 and 3, are odd */
	u8 partition;	    /* enum ty_policy: typed, random, none */
	u8 untyped;	    /* enum ty_policy: callsite, random, none; what calls without a token get */
	bool use_tokens;    /* partition == typed */
	bool avx2;	    /* the machine has it */
	u64 flip;	    /* bits.h: ty_lzcnt of 1 */
	bool stats;	    /* print the table at exit */
	bool sweep;	    /* look at all free memory at exit and in malloc_trim */
	bool never_reuse;   /* no address is handed out twice */
	bool mismatch;	    /* free, delete and delete[] must fit the allocation */
	u32 quarantine;	    /* KiB of freed slots that a thread holds back */
	char variable[22];  /* of the environment: "NAME=". (Here, as another page would cost time.) */
	char file[23];	    /* of options */
	char program[64];   /* report.c; empty: it is not here */
	bool begun;	    /* ty_conf_init has been called */
	bool late;	    /* the heap starts after our constructor has run */
	bool slow;	    /* one of these (not sweep): every call takes the slow path */
	bool hold;	    /* never_reuse or quarantine: what is freed is held (slab.h) */
	u8 checker;	    /* valgrind or a sanitizer is there: track.h */
	bool valgrind;	    /* it is valgrind */
	bool forward;	    /* malloc is not ours: typed calls go where it goes */
	u8 red;		    /* bytes behind every object that are nobody's (TY_RED), under Memcheck */
	bool unwatched;	    /* valgrind=0: as if valgrind were not there, unless malloc is its own */
	u32 zero_defined;   /* the option valgrind_zero */
	u32 decay_ms;	    /* age at which unused memory goes back to the system */
	u32 max_keys;	    /* past this many keys, untyped and pointer-free ones share the random partitions */
	char stats_path[256]; /* empty: standard error */
	struct ty_wrapper *wrappers; /* site.h */
	struct ty_linked *links;	    /* site.h */
	u64 chain;	    /* site.h; odd */
	uintptr_t stack_end; /* site.h: of the first thread */
	bool guard_slabs;   /* a guard page before every slab, not only long ones */
	bool parts;	    /* caches may share a page (slab.h) */
	bool static_program; /* no unwinding: its unwinder allocates, and has no tables at first */
	u32 site_levels;    /* at most so many return addresses make a call site's key */
	u8 report;	    /* TY_REPORT_*: where sentences go */
	u32 sample;	    /* sample.h: KiB; 0: none */
	bool faults;	    /* sample.h: report faults */
	bool deepbind;	    /* dlopen may bind deeply */
	bool unsized;	    /* sized=0: sizes and alignments that a free tells do not count */
	bool unsealed;	    /* seal=0 */
	bool core;	    /* dump core with the allocator's records */
	u32 report_fd;	    /* the option; UINT32_MAX: none */
	int report_out;	    /* a descriptor that sentences go to besides; 0: none */
	u64 report_file;    /* what it leads to (ty_os_file_id) */
	u64 stderr_file;    /* what standard error led to at start */
	void (*abort_hook)(const char *line, size_t n); /* of the program; NULL: none */
};

#if defined(__x86_64__) || defined(__i386__)
#define TY_MAX_PAGE 4096
#else
#define TY_MAX_PAGE 65536 /* the largest page a kernel may be built with */
#endif

union ty_frozen_page {
	struct ty_frozen f;
	char page[TY_MAX_PAGE];
};

extern TY_HIDDEN union ty_frozen_page ty_frozen_page __attribute__((aligned(TY_MAX_PAGE)));
#define ty_conf (ty_frozen_page.f)

/*
 * Are there options, or may there be, or has ty_conf_init been called? Remembers what standard error leads to: the program may
 * change that. Once, early.
 */
bool ty_conf_given(void);
/* Read the options. Once, at start. */
void ty_conf_init(void);
/* Apply "key=value" of n bytes from the named source; false, after a line on standard error, when it is bad. */
bool ty_conf_option(const char *text, size_t n);
const char *ty_policy_name(unsigned policy);

#endif
