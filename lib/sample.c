/* sample.c: see sample.h. */
#define _GNU_SOURCE
#include "sample.h"
#include "large.h"
#include "tcache.h"
#include "trace.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>

/* Where guards cost mappings. */
#define LIVE_DEAR 16
#define SPANS_DEAR 32

#define OWN_FRAMES 8 /* of ours there may be so many below the program's */

__thread struct ty_sampler ty_sampler __attribute__((tls_model("initial-exec")));

/* Atomic. */
static u32 nlive, nspans;

static u32 live_max(void) { return ty_os_cheap_guards() ? TY_SAMPLE_LIVE : LIVE_DEAR; }
static u32 spans_max(void)
{
	size_t share = ty_conf.size >> 20; /* in a small reservation fewer: a span takes some 10 pages of it */
	u32 most = ty_os_cheap_guards() ? TY_SAMPLE_SPANS : SPANS_DEAR;

	return share < most ? (u32)share : most;
}

/* Any number of bytes up to twice the mean is as likely as another. */
static int draw(struct ty_tcache *tc)
{
	u32 fuller = TY_LOAD(&nlive) * 8 / live_max();
	u64 twice = (u64)ty_conf.sample << (11 + fuller);

	return twice ? (int)ty_random_of(&tc->rng, twice > INT32_MAX ? INT32_MAX : (u32)twice) + 1 : INT32_MAX;
}

bool ty_sample_spent(struct ty_tcache *tc, int learn)
{
	struct ty_sampler *s = &ty_sampler;
	int spent = s->ready ? s->set - tc->sample : 0;

	if (!s->ready) {
		s->ready = true;
		s->draw = true;
	}
	if (s->draw) /* counted from here: what was spent before a fork is the parent's, too */
		s->next = draw(tc);
	else if (ty_conf.sample)
		s->next -= spent;
	s->draw = false;
	s->learn -= spent;
	if (s->next <= 0) {
		s->next = draw(tc);
		s->due = true;
	}
	bool now = s->learn <= 0;
	if (now)
		s->learn = learn;
	tc->sample = s->set = s->learn < s->next ? s->learn : s->next;
	return now;
}

/* How many of the n return addresses, from the first on, lie in this library, if it is one by itself. */
static unsigned own_frames(const uintptr_t *all, unsigned n)
{
	unsigned own = 0;
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 35)
	struct dl_find_object us;

	/* (In a static program it is none, and libc may not be ready to tell.) */
	if (ty_conf.static_program || _dl_find_object((void *)(uintptr_t)own_frames, &us) != 0 || !us.dlfo_link_map ||
	    !us.dlfo_link_map->l_name || !*us.dlfo_link_map->l_name)
		return 0;
	uintptr_t start = (uintptr_t)us.dlfo_map_start, bytes = (uintptr_t)us.dlfo_map_end - start;
	while (own < n && all[own] - start < bytes)
		own++;
#endif
	return own;
}

/* The program's part of the stack. */
static TY_NOINLINE unsigned trace(uintptr_t *out)
{
	uintptr_t all[TY_SAMPLE_STACK + OWN_FRAMES];
	unsigned n = ty_trace(TY_CALL(), all, TY_SAMPLE_STACK + OWN_FRAMES), own = own_frames(all, n);

	n -= own;
	if (n > TY_SAMPLE_STACK)
		n = TY_SAMPLE_STACK;
	memcpy(out, all + own, n * sizeof *out);
	return n;
}

static bool too_soon(struct ty_sampler *s)
{
	u32 now = (u32)ty_os_now_ms();

	if (ty_conf.sample >= TY_SAMPLE_OFTEN && now - s->when < TY_SAMPLE_MS)
		return true;
	s->when = now;
	return false;
}

/* A call that says no alignment has 16; objects of a fixed size may be of a type that needs more, which divides its size. */
static size_t align_for(u32 cls, u8 asked)
{
	size_t size = ty_class_bytes(cls);

	if (asked)
		return (size_t)1 << asked;
	return cls & TY_CLASS_FIXED ? size & -size : 16;
}

void *ty_sample_alloc(u64 key, u32 cls, size_t size, const char *fn, struct ty_cache **from)
{
	struct ty_sampler *s = &ty_sampler;

	s->due = false;
	if (ty_class_nil(cls) || ty_os_locked() || too_soon(s))
		return NULL;
	size_t align = align_for(cls, s->align);
	cls &= ~TY_CLASS_SAMPLED;
	if (__atomic_add_fetch(&nlive, 1, __ATOMIC_RELAXED) <= live_max()) {
		struct ty_sampled *r;
		void *p = ty_large_sample(key, cls | TY_CLASS_SAMPLED, cls & TY_CLASS_FIXED ? ty_class_bytes(cls) : size,
					  align, fn, from, &r);
		if (p) {
			r->nmade = (u8)trace(r->made);
			r->made_by = (u32)ty_os_thread();
			return p;
		}
	}
	__atomic_sub_fetch(&nlive, 1, __ATOMIC_RELAXED);
	return NULL;
}

bool ty_sample_more(u32 n)
{
	u32 have = TY_LOAD(&nspans), most = spans_max();

	do {
		if (have >= most || n > (most - have) / 16)
			return false;
	} while (!__atomic_compare_exchange_n(&nspans, &have, have + 1, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return true;
}

void ty_sample_undo(void) { __atomic_sub_fetch(&nspans, 1, __ATOMIC_RELAXED); }

/* Metadata is not given back, so one that is not needed waits for the next. Atomic. */
static u32 spare;

u32 ty_sample_record(void)
{
	u32 id = __atomic_exchange_n(&spare, 0, __ATOMIC_ACQ_REL);

	if (!id) {
		struct ty_sampled *r = ty_meta_alloc(sizeof *r);
		id = r ? ty_meta_id(r) : 0;
	}
	return id;
}

void ty_sample_record_undo(u32 record)
{
	if (record)
		__atomic_store_n(&spare, record, __ATOMIC_RELEASE);
}

void ty_sample_freed(struct ty_sampled *r)
{
	r->freed_by = (u32)ty_os_thread();
	r->nfreed = (u8)trace(r->freed);
	__atomic_sub_fetch(&nlive, 1, __ATOMIC_RELAXED);
}

static void say_record(const struct ty_sampled *r)
{
	ty_report_stack("allocated by", r->made, r->nmade, r->made_by);
	if (r->nfreed)
		ty_report_stack("freed by", r->freed, r->nfreed, r->freed_by);
}

void ty_sample_say(const void *p)
{
	const struct ty_span *s = ty_large_around((uintptr_t)p, false);

	if (s && s->record)
		say_record(ty_meta_ptr(s->record));
}

/* "48 bytes at 0x7f..., type token 0x..., 48-byte cache)" */
static void text_object(struct ty_text *t, const struct ty_span *s)
{
	ty_text_dec(t, s->req);
	ty_text_str(t, " bytes at ");
	ty_text_hex(t, (uintptr_t)ty_large_object(s));
	ty_text_str(t, "; ");
	ty_cache_describe(t, ty_cache_ptr(s->cache));
	ty_text_str(t, ")");
}

static TY_NOINLINE void say_fault(const struct ty_span *s, uintptr_t at, uintptr_t pc)
{
	char buf[384];
	struct ty_text t = {buf, 0, sizeof buf - 1};
	uintptr_t start = (uintptr_t)ty_large_object(s), end = start + s->req;

	if (at < start || at >= end) {
		ty_text_str(&t, at < start ? "access before " : "access behind ");
		ty_text_hex(&t, start);
		ty_text_str(&t, " (");
		ty_text_hex(&t, at);
		ty_text_str(&t, " is ");
		ty_text_dec(&t, at < start ? start - at : at - end);
		ty_text_str(&t, at < start ? " bytes before " : " bytes behind the end of ");
	} else {
		ty_text_str(&t, "use after free at ");
		ty_text_hex(&t, at);
		ty_text_str(&t, " (");
		ty_text_dec(&t, at - start);
		ty_text_str(&t, " bytes into ");
	}
	text_object(&t, s);
	buf[t.len] = 0;
	ty_warn(buf, "", "", "");
	if (pc)
		ty_report_stack("accessed by", &pc, 1, (u32)ty_os_tid());
	if (s->record)
		say_record(ty_meta_ptr(s->record));
}

/* The slab that the page at an offset belongs to; NULL: none. */
static const struct ty_slab *slab_at(size_t off)
{
	const struct ty_slab *s = off < TY_LOAD(&ty_frontier.small_end) ? ty_slab_at(off) : NULL;
	return s && s->nslots ? s : NULL;
}

/* An access in the slabs' part of the heap. */
static TY_NOINLINE void say_slab(uintptr_t at, uintptr_t pc)
{
	size_t off = at - ty_conf.base;
	const struct ty_slab *s = slab_at(off), *below = slab_at(off - TY_PAGE), *above = slab_at(off + TY_PAGE);
	char buf[384];
	struct ty_text t = {buf, 0, sizeof buf - 1};

	if (s ? !s->nil : !below && !above)
		return;
	ty_text_str(&t, s ? "access to an object of no bytes at " : "access between slabs at ");
	ty_text_hex(&t, at);
	if (!s) {
		ty_text_str(&t, below ? " (behind those of " : " (before those of ");
		ty_cache_describe(&t, ty_cache_ptr((below ? below : above)->cache));
		ty_text_str(&t, ")");
	}
	buf[t.len] = 0;
	ty_warn(buf, "", "", "");
	if (pc)
		ty_report_stack("accessed by", &pc, 1, (u32)ty_os_tid());
}

void ty_os_fault(uintptr_t at, uintptr_t pc)
{
	size_t off = at - ty_conf.base;

	if (off >= ty_conf.size)
		return;
	if (off < TY_LOAD(&ty_frontier.small_end)) {
		say_slab(at, pc);
		return;
	}
	const struct ty_span *s = ty_large_around(at, true);
	if (s)
		say_fault(s, at, pc);
}

/* Else parent and child would sample the same. */
TY_START void ty_sample_after_fork(void)
{
	ty_sampler.draw = true;
	ty_sampler.due = false;
	if (ty_mine && !ty_conf.slow) /* what is due takes the slow path */
		ty_self = ty_mine;
}

TY_EVERY_START void ty_sample_init(void)
{
	if (ty_conf.faults)
		ty_os_on_fault();
}
