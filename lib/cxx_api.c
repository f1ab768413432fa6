/*
 * cxx_api.c: operator new and delete (C++23 17.6.3), under their Itanium names, in C, so that the library needs no
 * libstdc++. A failing throwing form calls the program's new-handler until it gives up, then throws std::bad_alloc with
 * the C++ runtime that the program has loaded; a program without one cannot catch anything, and is ended.
 * This file is compiled with -fexceptions: the exception passes through it.
 */
#define _GNU_SOURCE
#include "config.h"
#include "dlopen.h"
#include "heap.h"

#include <dlfcn.h>
#include <errno.h>

typedef void (*handler_fn)(void);

/* A symbol of the C++ runtime, which may have been loaded with dlopen and not be in the global scope. */
static void *cxx_symbol(const char *name)
{
	static const char *const libs[] = {"libstdc++.so.6", "libc++abi.so.1", "libc++.so.1"};
	void *p = dlsym(RTLD_DEFAULT, name);

	if (ty_conf.static_program)
		return p ? p : ty_linked_symbol(name);
	for (size_t i = 0; !p && i < sizeof libs / sizeof *libs; i++)
		p = ty_loaded_symbol(libs[i], name);
	return p;
}

TY_NORETURN TY_COLD static void throw_bad_alloc(const char *fn)
{
	void (*thrower)(void) = (void (*)(void))cxx_symbol("_ZSt17__throw_bad_allocv");
	if (thrower)
		thrower(); /* libstdc++ */
	/* Any Itanium runtime: an object that is only its vtable pointer. */
	void *(*allocate)(size_t) = (void *(*)(size_t))cxx_symbol("__cxa_allocate_exception");
	void (*raise)(void *, void *, void (*)(void *)) =
		(void (*)(void *, void *, void (*)(void *)))cxx_symbol("__cxa_throw");
	void *type = cxx_symbol("_ZTISt9bad_alloc");
	void **vtable = cxx_symbol("_ZTVSt9bad_alloc");
	void (*destroy)(void *) = (void (*)(void *))cxx_symbol("_ZNSt9bad_allocD1Ev");
	if (allocate && raise && type && vtable) {
		void **e = allocate(sizeof(void *));
		*e = vtable + 2;
		raise(e, type, destroy);
	}
	ty_die(fn, "out of memory and nothing to throw std::bad_alloc with, at", (void *)__builtin_return_address(0),
	       NULL);
}

/*
 * A nothrow form turns a handler's exception into NULL, and catching one takes C++. The runtime's own nothrow forms do
 * that around the throwing forms, which are ours: let them. The object is to be of our caller's type (token) all the same.
 */
static __thread size_t nothrow_token __attribute__((tls_model("initial-exec")));

static void *nothrow_by_runtime(size_t size, size_t align, bool array, size_t token, bool *done)
{
	void *f = dlsym(RTLD_NEXT, align ? (array ? "_ZnamSt11align_val_tRKSt9nothrow_t" : "_ZnwmSt11align_val_tRKSt9nothrow_t")
					 : (array ? "_ZnamRKSt9nothrow_t" : "_ZnwmRKSt9nothrow_t"));
	struct ty_ambient outer = ty_ambient;
	size_t outer_token = nothrow_token;

	*done = f != NULL;
	if (!f)
		return NULL;
	if (token)
		ty_ambient = (struct ty_ambient){token, (uintptr_t)__builtin_frame_address(0)};
	nothrow_token = token;
	void *p = align ? ((void *(*)(size_t, size_t, const void *))f)(size, align, "") : ((void *(*)(size_t, const void *))f)(size, "");
	nothrow_token = outer_token;
	ty_ambient = outer;
	return p;
}

/* The new-handler loop of [new.delete.single]; NULL only when nothrow. */
TY_COLD static void *new_slow(const uintptr_t *at, size_t token, enum ty_form form, size_t size, size_t align, bool nothrow)
{
	static const char fn[] = "operator new";
	handler_fn (*get)(void) = (handler_fn(*)(void))cxx_symbol("_ZSt15get_new_handlerv");
	bool array = form == TY_FORM_NEW_ARRAY || form == TY_FORM_NEW_ARRAY_ALIGNED;
	size_t type = token ? token : nothrow_token;

	for (;;) {
		handler_fn handler = get ? get() : NULL;
		if (!handler) {
			if (nothrow)
				return NULL;
			throw_bad_alloc(fn);
		}
		if (nothrow) {
			bool done;
			void *p = nothrow_by_runtime(size, align, array, type, &done);
			if (done)
				return p;
		}
		size_t kept = nothrow_token;
		nothrow_token = 0; /* what the handler makes is not of this type */
		handler();	   /* frees something, throws, or ends the program */
		nothrow_token = kept;
		void *p = align ? ty_alloc_aligned_form(at, type, align, size, form, fn) : ty_alloc_form(at, type, size, form, fn);
		if (p)
			return p;
	}
}

TY_INLINE void *plain_new(const uintptr_t *at, size_t token, enum ty_form form, size_t size, bool nothrow)
{
	void *p = ty_alloc_form(at, token, size, form, "operator new");
	return likely(p != NULL) ? p : new_slow(at, token, form, size, 0, nothrow);
}

TY_INLINE void *aligned_new(const uintptr_t *at, size_t token, enum ty_form form, size_t size, size_t align, bool nothrow)
{
	if (unlikely(!ty_is_pow2(align))) { /* undefined; refuse it as out of memory */
		if (nothrow)
			return NULL;
		throw_bad_alloc("operator new");
	}
	void *p = ty_alloc_aligned_form(at, token, align, size, form, "operator new");
	return likely(p != NULL) ? p : new_slow(at, token, form, size, align, nothrow);
}

/*
 * A program may replace some of the forms with its own and leave the others to the runtime, whose forms are defined by the
 * ones they call ([new.delete.single], [new.delete.array]): array new by plain new, sized delete by plain delete.
 * Ours stand before the runtime's, so they must do the same. Where the program has replaced none of the eight forms that
 * others are defined by, everything is ours.
 */
enum { NEW_, NEW_ARRAY, NEW_ALIGNED, NEW_ARRAY_ALIGNED, DELETE_, DELETE_ARRAY, DELETE_ALIGNED, DELETE_ARRAY_ALIGNED, FORMS };

static void *replaced[FORMS]; /* the program's; NULL: the form is ours */
static int replaced_state;    /* 0 not looked yet, 1 none, 2 some, or option mismatch. Atomic. */

/* Is this function in the object that this code is in? */
static bool is_ours(void *f)
{
	Dl_info here, there;
	return dladdr((void *)replaced, &here) && dladdr(f, &there) && here.dli_fbase == there.dli_fbase;
}

TY_COLD static bool look_for_replaced(void)
{
	static const char *const names[FORMS] = {
		"_Znwm", "_Znam", "_ZnwmSt11align_val_t", "_ZnamSt11align_val_t",
		"_ZdlPv", "_ZdaPv", "_ZdlPvSt11align_val_t", "_ZdaPvSt11align_val_t",
	};
	int state = ty_heap_start() && ty_conf.mismatch ? 2 : 1;
	for (int i = 0; i < FORMS; i++) {
		void *f = dlsym(RTLD_DEFAULT, names[i]);
		if (f && !is_ours(f)) {
			TY_STORE(&replaced[i], f);
			state = 2;
			ty_heap_formless = true;
		}
	}
	TY_STORE_REL(&replaced_state, state);
	return state == 2;
}

TY_INLINE bool some_replaced(void)
{
	int state = TY_LOAD_ACQ(&replaced_state);
	return unlikely(state != 1) && (state == 2 || look_for_replaced());
}

#define FN(form) ((form) == DELETE_ARRAY || (form) == DELETE_ARRAY_ALIGNED ? "operator delete[]" : "operator delete")

/* What a form of new gives out. */
#define MADE_BY(form) ((enum ty_form)(TY_FORM_NEW + (form)))
_Static_assert(MADE_BY(NEW_ARRAY_ALIGNED) == TY_FORM_NEW_ARRAY_ALIGNED && MADE_BY(NEW_ALIGNED) == TY_FORM_NEW_ALIGNED &&
		       MADE_BY(NEW_ARRAY) == TY_FORM_NEW_ARRAY, "in the same order");

/* The program's form that a form of ours is defined by, or NULL. */
static void *definer(int first, int then)
{
	return replaced[first] ? replaced[first] : then >= 0 ? replaced[then] : NULL;
}

TY_COLD static bool new_by_program(int form, size_t size, size_t align, bool nothrow, void **out)
{
	bool array = form == NEW_ARRAY || form == NEW_ARRAY_ALIGNED;
	void *f = definer(form, array ? (form == NEW_ARRAY ? NEW_ : NEW_ALIGNED) : -1);
	if (!f)
		return false;
	if (nothrow) {
		bool done;
		*out = nothrow_by_runtime(size, align, array, 0, &done);
		if (done)
			return true;
	}
	*out = align ? ((void *(*)(size_t, size_t))f)(size, align) : ((void *(*)(size_t))f)(size);
	return true;
}

TY_COLD static bool delete_by_program(int form, void *p, size_t align)
{
	bool array = form == DELETE_ARRAY || form == DELETE_ARRAY_ALIGNED;
	void *f = definer(form, array ? (form == DELETE_ARRAY ? DELETE_ : DELETE_ALIGNED) : -1);
	if (!f) {
		if (ty_conf.mismatch && p)
			ty_check_form(p, MADE_BY(form - DELETE_), FN(form));
		return false;
	}
	if (align)
		((void (*)(void *, size_t))f)(p, align);
	else
		((void (*)(void *))f)(p);
	return true;
}

TY_INLINE void *any_new(const uintptr_t *at, size_t token, int form, size_t size, size_t align, bool nothrow)
{
	void *p;
	if (some_replaced() && new_by_program(form, size, align, nothrow, &p))
		return p;
	return form == NEW_ALIGNED || form == NEW_ARRAY_ALIGNED ? aligned_new(at, token, MADE_BY(form), size, align, nothrow)
								: plain_new(at, token, MADE_BY(form), size, nothrow);
}

TY_INLINE void any_delete(int form, void *p, size_t align)
{
	if (some_replaced() && delete_by_program(form, p, align))
		return;
	if (form == DELETE_ALIGNED || form == DELETE_ARRAY_ALIGNED)
		ty_free_aligned(p, align, FN(form));
	else
		ty_free(p, FN(form));
}

TY_INLINE void any_delete_sized(int form, void *p, size_t size, size_t align)
{
	if (some_replaced() && delete_by_program(form, p, align))
		return;
	ty_free_sized(p, size, align, FN(form));
}

#define NEW(name, args, ...)                                                                                 \
	TY_EXPORT void *name args;                                                                           \
	TY_EXPORT void *name args { return any_new(TY_CALL(), 0, __VA_ARGS__); }
#define DELETE(name, args, call)                                                                             \
	TY_EXPORT void name args;                                                                            \
	TY_EXPORT void name args { call; }
#define TAG const void *tag __attribute__((unused))

NEW(_Znwm, (size_t n), NEW_, n, 0, false)
NEW(_Znam, (size_t n), NEW_ARRAY, n, 0, false)
NEW(_ZnwmRKSt9nothrow_t, (size_t n, TAG), NEW_, n, 0, true)
NEW(_ZnamRKSt9nothrow_t, (size_t n, TAG), NEW_ARRAY, n, 0, true)
NEW(_ZnwmSt11align_val_t, (size_t n, size_t a), NEW_ALIGNED, n, a, false)
NEW(_ZnamSt11align_val_t, (size_t n, size_t a), NEW_ARRAY_ALIGNED, n, a, false)
NEW(_ZnwmSt11align_val_tRKSt9nothrow_t, (size_t n, size_t a, TAG), NEW_ALIGNED, n, a, true)
NEW(_ZnamSt11align_val_tRKSt9nothrow_t, (size_t n, size_t a, TAG), NEW_ARRAY_ALIGNED, n, a, true)

DELETE(_ZdlPv, (void *p), any_delete(DELETE_, p, 0))
DELETE(_ZdaPv, (void *p), any_delete(DELETE_ARRAY, p, 0))
DELETE(_ZdlPvRKSt9nothrow_t, (void *p, TAG), any_delete(DELETE_, p, 0))
DELETE(_ZdaPvRKSt9nothrow_t, (void *p, TAG), any_delete(DELETE_ARRAY, p, 0))
DELETE(_ZdlPvm, (void *p, size_t n), any_delete_sized(DELETE_, p, n, 0))
DELETE(_ZdaPvm, (void *p, size_t n), any_delete_sized(DELETE_ARRAY, p, n, 0))
DELETE(_ZdlPvSt11align_val_t, (void *p, size_t a), any_delete(DELETE_ALIGNED, p, a))
DELETE(_ZdaPvSt11align_val_t, (void *p, size_t a), any_delete(DELETE_ARRAY_ALIGNED, p, a))
DELETE(_ZdlPvmSt11align_val_t, (void *p, size_t n, size_t a), any_delete_sized(DELETE_ALIGNED, p, n, a))
DELETE(_ZdaPvmSt11align_val_t, (void *p, size_t n, size_t a), any_delete_sized(DELETE_ARRAY_ALIGNED, p, n, a))
DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t, (void *p, size_t a, TAG), any_delete(DELETE_ALIGNED, p, a))
DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t, (void *p, size_t a, TAG), any_delete(DELETE_ARRAY_ALIGNED, p, a))

/*
 * What clang makes of them under -fsanitize=alloc-token: the type's token is the last argument. hot_cold is a hint of the
 * profile (LLVM's __hot_cold_t) that we have no use for.
 */
#define HINT unsigned char hot_cold __attribute__((unused))
#define TOKEN_NEW(name, args, ...)                                                                           \
	TY_EXPORT_OWN void *__alloc_token_##name args;                                                       \
	TY_EXPORT_OWN void *__alloc_token_##name args { return any_new(TY_CALL(), token, __VA_ARGS__); }

TOKEN_NEW(_Znwm, (size_t n, size_t token), NEW_, n, 0, false)
TOKEN_NEW(_Znam, (size_t n, size_t token), NEW_ARRAY, n, 0, false)
TOKEN_NEW(_ZnwmRKSt9nothrow_t, (size_t n, TAG, size_t token), NEW_, n, 0, true)
TOKEN_NEW(_ZnamRKSt9nothrow_t, (size_t n, TAG, size_t token), NEW_ARRAY, n, 0, true)
TOKEN_NEW(_ZnwmSt11align_val_t, (size_t n, size_t a, size_t token), NEW_ALIGNED, n, a, false)
TOKEN_NEW(_ZnamSt11align_val_t, (size_t n, size_t a, size_t token), NEW_ARRAY_ALIGNED, n, a, false)
TOKEN_NEW(_ZnwmSt11align_val_tRKSt9nothrow_t, (size_t n, size_t a, TAG, size_t token), NEW_ALIGNED, n, a, true)
TOKEN_NEW(_ZnamSt11align_val_tRKSt9nothrow_t, (size_t n, size_t a, TAG, size_t token), NEW_ARRAY_ALIGNED, n, a, true)
TOKEN_NEW(_Znwm12__hot_cold_t, (size_t n, HINT, size_t token), NEW_, n, 0, false)
TOKEN_NEW(_Znam12__hot_cold_t, (size_t n, HINT, size_t token), NEW_ARRAY, n, 0, false)
TOKEN_NEW(_ZnwmRKSt9nothrow_t12__hot_cold_t, (size_t n, TAG, HINT, size_t token), NEW_, n, 0, true)
TOKEN_NEW(_ZnamRKSt9nothrow_t12__hot_cold_t, (size_t n, TAG, HINT, size_t token), NEW_ARRAY, n, 0, true)
TOKEN_NEW(_ZnwmSt11align_val_t12__hot_cold_t, (size_t n, size_t a, HINT, size_t token), NEW_ALIGNED, n, a, false)
TOKEN_NEW(_ZnamSt11align_val_t12__hot_cold_t, (size_t n, size_t a, HINT, size_t token), NEW_ARRAY_ALIGNED, n, a, false)
TOKEN_NEW(_ZnwmSt11align_val_tRKSt9nothrow_t12__hot_cold_t, (size_t n, size_t a, TAG, HINT, size_t token), NEW_ALIGNED, n,
	  a, true)
TOKEN_NEW(_ZnamSt11align_val_tRKSt9nothrow_t12__hot_cold_t, (size_t n, size_t a, TAG, HINT, size_t token),
	  NEW_ARRAY_ALIGNED, n, a, true)

/* P0901 as LLVM and tcmalloc have it: new that says how much it gave. */
struct sized_ptr {
	void *p;
	size_t n;
};

TY_INLINE struct sized_ptr sized_new(const uintptr_t *at, size_t token, int form, size_t n, size_t a)
{
	void *p = any_new(at, token, form, n, a, false);
	size_t usable = some_replaced() ? n : ty_usable_size(p, "operator new");
	return (struct sized_ptr){p, usable};
}

#define TOKEN_SIZED(name, args, ...)                                                                         \
	TY_EXPORT_OWN struct sized_ptr __alloc_token_##name args;                                            \
	TY_EXPORT_OWN struct sized_ptr __alloc_token_##name args { return sized_new(TY_CALL(), token, __VA_ARGS__); }

TOKEN_SIZED(__size_returning_new, (size_t n, size_t token), NEW_, n, 0)
TOKEN_SIZED(__size_returning_new_aligned, (size_t n, size_t a, size_t token), NEW_ALIGNED, n, a)
TOKEN_SIZED(__size_returning_new_hot_cold, (size_t n, HINT, size_t token), NEW_, n, 0)
TOKEN_SIZED(__size_returning_new_aligned_hot_cold, (size_t n, size_t a, HINT, size_t token), NEW_ALIGNED, n, a)

/*
 * The fast ABI: the token is part of the name. TY_FAST_TOKENS(X) is X(0) X(1) ... for the configured number of ids. What
 * they call in their tail finds their caller's return address, for token 0.
 */
#define ALIAS_NEW(id, name, params, ...)                                                                     \
	TY_EXPORT void *__alloc_token_##id##_##name params;                                                  \
	TY_EXPORT void *__alloc_token_##id##_##name params { return __alloc_token_##name(__VA_ARGS__, id); }
#define ALIAS_SIZED(id, name, params, ...)                                                                   \
	TY_EXPORT struct sized_ptr __alloc_token_##id##_##name params;                                       \
	TY_EXPORT struct sized_ptr __alloc_token_##id##_##name params { return __alloc_token_##name(__VA_ARGS__, id); }
#define NT const void *t
#define HC unsigned char h
#define FAST(id)                                                                                             \
	ALIAS_NEW(id, _Znwm, (size_t n), n)                                                                  \
	ALIAS_NEW(id, _Znam, (size_t n), n)                                                                  \
	ALIAS_NEW(id, _ZnwmRKSt9nothrow_t, (size_t n, NT), n, t)                                             \
	ALIAS_NEW(id, _ZnamRKSt9nothrow_t, (size_t n, NT), n, t)                                             \
	ALIAS_NEW(id, _ZnwmSt11align_val_t, (size_t n, size_t a), n, a)                                      \
	ALIAS_NEW(id, _ZnamSt11align_val_t, (size_t n, size_t a), n, a)                                      \
	ALIAS_NEW(id, _ZnwmSt11align_val_tRKSt9nothrow_t, (size_t n, size_t a, NT), n, a, t)                 \
	ALIAS_NEW(id, _ZnamSt11align_val_tRKSt9nothrow_t, (size_t n, size_t a, NT), n, a, t)                 \
	ALIAS_NEW(id, _Znwm12__hot_cold_t, (size_t n, HC), n, h)                                             \
	ALIAS_NEW(id, _Znam12__hot_cold_t, (size_t n, HC), n, h)                                             \
	ALIAS_NEW(id, _ZnwmRKSt9nothrow_t12__hot_cold_t, (size_t n, NT, HC), n, t, h)                        \
	ALIAS_NEW(id, _ZnamRKSt9nothrow_t12__hot_cold_t, (size_t n, NT, HC), n, t, h)                        \
	ALIAS_NEW(id, _ZnwmSt11align_val_t12__hot_cold_t, (size_t n, size_t a, HC), n, a, h)                 \
	ALIAS_NEW(id, _ZnamSt11align_val_t12__hot_cold_t, (size_t n, size_t a, HC), n, a, h)                 \
	ALIAS_NEW(id, _ZnwmSt11align_val_tRKSt9nothrow_t12__hot_cold_t, (size_t n, size_t a, NT, HC), n, a, t, h) \
	ALIAS_NEW(id, _ZnamSt11align_val_tRKSt9nothrow_t12__hot_cold_t, (size_t n, size_t a, NT, HC), n, a, t, h) \
	ALIAS_SIZED(id, __size_returning_new, (size_t n), n)                                                 \
	ALIAS_SIZED(id, __size_returning_new_aligned, (size_t n, size_t a), n, a)                            \
	ALIAS_SIZED(id, __size_returning_new_hot_cold, (size_t n, HC), n, h)                                 \
	ALIAS_SIZED(id, __size_returning_new_aligned_hot_cold, (size_t n, size_t a, HC), n, a, h)

TY_FAST_TOKENS(FAST)
