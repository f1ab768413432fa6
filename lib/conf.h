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

enum ty_policy { TY_POLICY_TYPED, TY_POLICY_RANDOM, TY_POLICY_NONE, TY_POLICY_CALLSITE };

/* Number of shared partitions of the policy "random", as in the kernel (RANDOM_KMALLOC_CACHES). */
#define TY_RANDOM_PARTITIONS 16

/* Invariant: written by ty_conf_init and ty_region_init only, before any second thread; read-only from then on. */
struct ty_frozen {
	/* Address space; region.h explains. */
	uintptr_t base;	    /* first byte of the heap reservation */
	size_t size;	    /* its bytes */
	u32 *map;	    /* granule map: one entry a granule */
	bool roomy;	    /* address space is plentiful: objects may have room to grow */
	char *slabs;	    /* slab metadata: TY_META_STEP * id */
	char *meta;	    /* other metadata: TY_META_STEP * id */
	u64 secret;	    /* mixed into call-site partitions */
	u64 canary[2];	    /* canary.h; the second is odd */
	u64 canary_ends;    /* what makes a canary's first and last byte differ from 0 */
	u8 partition;	    /* enum ty_policy: typed, random, none */
	u8 untyped;	    /* enum ty_policy: callsite, random, none; what calls without a token get */
	bool use_tokens;    /* partition == typed */
	bool avx2;	    /* the machine has it */
	bool stats;	    /* print the table at exit */
	u32 decay_ms;	    /* age at which unused memory goes back to the system */
	u32 max_keys;	    /* past this many keys, untyped and pointer-free ones share the random partitions */
	char stats_path[256]; /* empty: standard error */
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

/* Read the options. Once, at start. */
void ty_conf_init(void);
/* Apply "key=value" of n bytes from the named source; false, after a line on standard error, when it is bad. */
bool ty_conf_option(const char *text, size_t n);
const char *ty_policy_name(unsigned policy);

#endif
