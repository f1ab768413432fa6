/*
 * heap.h: policy. Which partition a call gets, what size and alignment mean, and what realloc does.
 *
 * The front hands over: where in the stack the call's return address lies (at), the token if it has one (else 0), the
 * name of the public function (fn, for messages). What every allocation returns is zero, aligned to 16 if it is of 16
 * bytes or more, and NULL with errno ENOMEM when it cannot be had. Frees keep errno.
 */
#ifndef TY_HEAP_H
#define TY_HEAP_H

#include "large.h"
#include "site.h"
#include "tcache.h"

extern int ty_heap_state; /* 0 before start, 1 starting, 2 ready, 3 no address space to be had. Atomic. */
bool ty_heap_start_slow(void);

/* The heap is ready; false: it cannot be. */
TY_INLINE bool ty_heap_start(void) { return likely(TY_LOAD_ACQ(&ty_heap_state) == 2) || ty_heap_start_slow(); }

/* A partition: the key and where it comes from. */
struct ty_part {
	u64 key;
	u32 source;
};

/* Tokens of void and its qualified forms: a cast that names no type. */
#define TY_TOKEN_VOID 0x4a2f84459ea703e6ull
#define TY_TOKEN_CONST_VOID 0x1a176e88f4090641ull
#define TY_TOKEN_VOLATILE_VOID 0x74a6ab69aa930417ull
#define TY_TOKEN_CV_VOID 0x097f97ff85edd191ull

/*
 * The token of the wrapper (xmalloc, g_malloc) that this thread is in a call of, for the next allocation without one. Set
 * and restored around the call by the caller (typed_wrap_enter). It counts only for calls made deeper in the stack
 * than `frame`, so that one left behind by a longjmp past the restoring is dropped, as a rule.
 */
struct ty_ambient {
	size_t token; /* 0: none */
	uintptr_t frame;
};
extern TY_HIDDEN __thread struct ty_ambient ty_ambient __attribute__((tls_model("initial-exec")));
/* Take it: the token, or 0. */
size_t ty_ambient_take(void);

/*
 * With option mismatch: the program has new or delete of its own, which may get their memory from malloc: then everything is
 * malloc's. Set before the first new of ours.
 */
extern TY_HIDDEN bool ty_heap_formless;
/* Nobody but `form` may be given p (not NULL), or end the process. */
void ty_check_form(const void *p, enum ty_form form, const char *fn);

/* The policy: which partition a call for a class (without source) belongs to. The heap has started. */
struct ty_part ty_part_of(const uintptr_t *at, size_t token, u32 cls);

/*
 * What ty_alloc does when the fast path has nothing. how: 0, TY_CLASS_FIXED, or the log2 of an alignment above 16 at
 * TY_CLASS_ALIGN_SHIFT; with it the form (TY_CLASS_FORM). What it needs the fast path has to keep, so it is not told
 * what can be worked out again.
 */
void *ty_alloc_miss(const uintptr_t *at, size_t token, size_t size, u32 how, const char *fn);
/*
 * ... and when it has found no magazine with something ready. For calls without a token, which may be in a wrapper
 * (site.h), and with one. what: the class without source, and `how` from bit TY_WHAT_HOW on: one argument less. m: the
 * magazine where it has looked.
 */
#define TY_WHAT_HOW 32
void *ty_alloc_second(const uintptr_t *at, u64 what, size_t size, const char *fn, struct ty_mag *m);
void *ty_alloc_second_typed(size_t token, size_t size, u32 how, const char *fn, const uintptr_t *at);
/* ... and when it has found one that is hot, but has nothing ready, or something that has been written to. */
void *ty_alloc_filled(struct ty_mag *m, size_t token, size_t size, u32 how, const char *fn, const uintptr_t *at);
/* ty_alloc_as for a call whose token turns out to be 0. */
void *ty_alloc_untyped(const uintptr_t *at, u32 cls, size_t size, u32 how, const char *fn);

/*
 * The fast path takes the token, or the site, for the key. That is wrong for a token of void, for a site in a wrapper
 * and under the policies that do not go by token or site; but no magazine that malloc may look at has such a key, so
 * those calls all end in ty_alloc_second, which knows. Whatever is called is called last, so that the fast path needs
 * no frame.
 */
TY_INLINE void *ty_alloc_as(const uintptr_t *at, size_t token, u32 cls, size_t size, u32 how, const char *fn)
{
	if (!__builtin_constant_p(token) && unlikely(!token))
		return ty_alloc_untyped(at, cls, size, how, fn);
	if (!token && unlikely(ty_ambient.token))
		return ty_alloc_miss(at, token, size, how, fn);
	u64 key = token ? token : *at;
	u32 whole = cls | TY_CLASS_SOURCE(token ? TY_SOURCE_TYPE : TY_SOURCE_SITE);
	struct ty_mag *m = ty_mag_home(ty_self, key, whole);
	if (likely(m->key == key) && likely(m->cls == whole)) {
		void *p = ty_mag_get(m, how & TY_CLASS_FIXED ? TY_NO_CANARY : size, fn);
		if (likely(p != NULL))
			return p;
		if (m->hot)
			return ty_alloc_filled(m, token, size, how, fn, at);
	}
	return token ? ty_alloc_second_typed(token, size, how, fn, at)
		     : ty_alloc_second(at, cls | (u64)how << TY_WHAT_HOW, size, fn, m);
}

TY_INLINE void *ty_alloc_form(const uintptr_t *at, size_t token, size_t size, enum ty_form form, const char *fn)
{
	if (unlikely(size - 1 >= TY_VARIABLE_MAX)) /* 0 too */
		return ty_alloc_miss(at, token, size, TY_CLASS_FORM(form), fn);
	/* (Before the start no magazine is found, whatever the class; ty_alloc_miss starts the heap and looks again.) */
	return ty_alloc_as(at, token, ty_bucket_fast(size + TY_TAIL), size, TY_CLASS_FORM(form), fn);
}

TY_INLINE void *ty_alloc(const uintptr_t *at, size_t token, size_t size, const char *fn)
{
	return ty_alloc_form(at, token, size, TY_FORM_MALLOC, fn);
}

/* The size is known at the call site: a cache of just that size. */
TY_INLINE void *ty_alloc_fixed(const uintptr_t *at, size_t token, size_t size, const char *fn)
{
	if (unlikely(size - 1 >= TY_SMALL_MAX))
		return ty_alloc_miss(at, token, size, TY_CLASS_FIXED, fn);
	return ty_alloc_as(at, token, ty_bucket_fixed(size), size, TY_CLASS_FIXED, fn);
}

/* align: a power of two. */
TY_INLINE void *ty_alloc_aligned_form(const uintptr_t *at, size_t token, size_t align, size_t size, enum ty_form form,
				      const char *fn)
{
	if (align <= 16)
		return ty_alloc_form(at, token, size, form, fn);
	u32 how = ty_log2(align) << TY_CLASS_ALIGN_SHIFT | TY_CLASS_FORM(form);
	if (align > TY_PAGE || size - 1 >= TY_VARIABLE_MAX)
		return ty_alloc_miss(at, token, size, how, fn);
	return ty_alloc_as(at, token, ty_bucket_aligned(size + TY_TAIL, align), size, how, fn);
}

TY_INLINE void *ty_alloc_aligned(const uintptr_t *at, size_t token, size_t align, size_t size, const char *fn)
{
	return ty_alloc_aligned_form(at, token, align, size, TY_FORM_MALLOC, fn);
}

/* memalign's rule: an alignment that is no power of two is rounded up to one; 0 when that is impossible. */
TY_INLINE size_t ty_memalign_rule(size_t align)
{
	if (likely(ty_is_pow2(align)))
		return align;
	if (align > (SIZE_MAX >> 1) + 1)
		return 0;
	return align ? (size_t)1 << (ty_log2(align) + 1) : 16;
}

/* Not in the slabs' part of the heap: a span, or nothing of ours. */
TY_COLD void ty_free_other(void *p, const char *fn);

/* ty_free_other where nobody watches (tracked.h). */
void ty_free_plain(void *p, const char *fn);

TY_INLINE void ty_free(void *p, const char *fn)
{
	size_t off = (uintptr_t)p - ty_conf.base;

	__builtin_prefetch(p, 1); /* in a large heap it takes as long as what leads to the slab's record */
	if (likely(off < TY_LOAD(&ty_frontier.small_end)))
		ty_free_small(p, off, fn);
	else if (p)
		ty_free_other(p, fn);
}

/* free with an alignment that must be the object's. */
void ty_free_aligned(void *p, size_t align, const char *fn);

/* free with a size, an alignment (0: none given) that must be the object's. */
void ty_free_sized(void *p, size_t size, size_t align, const char *fn);

/*
 * token 0: the object keeps its partition. site and token stand for a new object (p NULL).
 * size 0 frees p and returns NULL. On failure p is as it was.
 */
void *ty_realloc(void *p, size_t size, const uintptr_t *at, size_t token, bool fixed, const char *fn);

/* size bytes (more than TY_SMALL_MAX, or aligned to more than a page) at a multiple of align. NULL and ENOMEM. */
void *ty_alloc_large(struct ty_part part, size_t size, size_t align, const char *fn);

/* The cache of the live object that starts at p; anything else ends the process. */
struct ty_cache *ty_cache_of_object(const void *p, const char *fn);

/* Bytes that the program may use at p; 0 for NULL; anything but a live object ends the process. */
size_t ty_usable_size(const void *p, const char *fn);

/* fork.c: register the fork handlers. Once. */
void ty_fork_init(void);
/* seccomp.c and rlimit.c, where they are linked: find what is behind the hooks (hooks.h). */
void ty_hooks_init(void) __attribute__((weak));

#endif
