/*
 * cxx_api.c: operator new and delete (C++23 17.6.3), under their Itanium names, in C, so that the library needs no
 * libstdc++. A failing throwing form calls the program's new-handler until it gives up, then throws std::bad_alloc with
 * the C++ runtime that the program has loaded; a program without one cannot catch anything, and is ended.
 * This file is compiled with -fexceptions: the exception passes through it.
 */
#define _GNU_SOURCE
#include "heap.h"

#include <dlfcn.h>
#include <errno.h>

typedef void (*handler_fn)(void);

/* A symbol of the C++ runtime, which may have been loaded with dlopen and not be in the global scope. */
static void *cxx_symbol(const char *name)
{
	static const char *const libs[] = {"libstdc++.so.6", "libc++abi.so.1", "libc++.so.1"};
	void *p = dlsym(RTLD_DEFAULT, name);

	for (size_t i = 0; !p && i < sizeof libs / sizeof *libs; i++) {
		void *lib = dlopen(libs[i], RTLD_LAZY | RTLD_NOLOAD);
		if (lib) {
			p = dlsym(lib, name);
			dlclose(lib);
		}
	}
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
	ty_die(fn, "out of memory and nothing to throw std::bad_alloc with, at", TY_SITE() ? (void *)TY_SITE() : NULL,
	       NULL);
}

/*
 * A nothrow form turns a handler's exception into NULL, and catching one takes C++. The runtime's own nothrow forms do
 * that around the throwing forms, which are ours: let them.
 */
static void *nothrow_by_runtime(size_t size, size_t align, bool *done)
{
	*done = true;
	if (align) {
		void *(*f)(size_t, size_t, const void *) = (void *(*)(size_t, size_t, const void *))dlsym(
			RTLD_NEXT, "_ZnwmSt11align_val_tRKSt9nothrow_t");
		if (f)
			return f(size, align, "");
	} else {
		void *(*f)(size_t, const void *) =
			(void *(*)(size_t, const void *))dlsym(RTLD_NEXT, "_ZnwmRKSt9nothrow_t");
		if (f)
			return f(size, "");
	}
	*done = false;
	return NULL;
}

/* The new-handler loop of [new.delete.single]; NULL only when nothrow. */
TY_COLD static void *new_slow(struct ty_part part, size_t size, size_t align, bool nothrow)
{
	static const char fn[] = "operator new";
	handler_fn (*get)(void) = (handler_fn(*)(void))cxx_symbol("_ZSt15get_new_handlerv");

	for (;;) {
		handler_fn handler = get ? get() : NULL;
		if (!handler) {
			if (nothrow)
				return NULL;
			throw_bad_alloc(fn);
		}
		if (nothrow) {
			bool done;
			void *p = nothrow_by_runtime(size, align, &done);
			if (done)
				return p;
		}
		handler(); /* frees something, throws, or ends the program */
		void *p = align ? ty_alloc_aligned(part, align, size, fn) : ty_alloc(part, size, fn);
		if (p)
			return p;
	}
}

TY_INLINE void *plain_new(uintptr_t site, size_t size, bool nothrow)
{
	struct ty_part part = ty_part_of(site, 0);
	void *p = ty_alloc(part, size, "operator new");
	return likely(p != NULL) ? p : new_slow(part, size, 0, nothrow);
}

TY_INLINE void *aligned_new(uintptr_t site, size_t size, size_t align, bool nothrow)
{
	struct ty_part part = ty_part_of(site, 0);
	if (unlikely(!ty_is_pow2(align))) { /* undefined; refuse it as out of memory */
		if (nothrow)
			return NULL;
		throw_bad_alloc("operator new");
	}
	void *p = ty_alloc_aligned(part, align, size, "operator new");
	return likely(p != NULL) ? p : new_slow(part, size, align, nothrow);
}

#define NEW(name, args, ...)                                                                                 \
	TY_EXPORT void *name args;                                                                           \
	TY_EXPORT void *name args { return __VA_ARGS__; }
#define DELETE(name, args, ...)                                                                              \
	TY_EXPORT void name args;                                                                            \
	TY_EXPORT void name args { __VA_ARGS__; }

static const char del[] = "operator delete", del_array[] = "operator delete[]";

NEW(_Znwm, (size_t n), plain_new(TY_SITE(), n, false))
NEW(_Znam, (size_t n), plain_new(TY_SITE(), n, false))
NEW(_ZnwmRKSt9nothrow_t, (size_t n, const void *t), ((void)t, plain_new(TY_SITE(), n, true)))
NEW(_ZnamRKSt9nothrow_t, (size_t n, const void *t), ((void)t, plain_new(TY_SITE(), n, true)))
NEW(_ZnwmSt11align_val_t, (size_t n, size_t a), aligned_new(TY_SITE(), n, a, false))
NEW(_ZnamSt11align_val_t, (size_t n, size_t a), aligned_new(TY_SITE(), n, a, false))
NEW(_ZnwmSt11align_val_tRKSt9nothrow_t, (size_t n, size_t a, const void *t),
    ((void)t, aligned_new(TY_SITE(), n, a, true)))
NEW(_ZnamSt11align_val_tRKSt9nothrow_t, (size_t n, size_t a, const void *t),
    ((void)t, aligned_new(TY_SITE(), n, a, true)))

DELETE(_ZdlPv, (void *p), ty_free(p, del))
DELETE(_ZdaPv, (void *p), ty_free(p, del_array))
DELETE(_ZdlPvRKSt9nothrow_t, (void *p, const void *t), (void)t; ty_free(p, del))
DELETE(_ZdaPvRKSt9nothrow_t, (void *p, const void *t), (void)t; ty_free(p, del_array))
DELETE(_ZdlPvm, (void *p, size_t n), ty_free_sized(p, n, 0, del))
DELETE(_ZdaPvm, (void *p, size_t n), ty_free_sized(p, n, 0, del_array))
DELETE(_ZdlPvSt11align_val_t, (void *p, size_t a), ty_free_aligned(p, a, del))
DELETE(_ZdaPvSt11align_val_t, (void *p, size_t a), ty_free_aligned(p, a, del_array))
DELETE(_ZdlPvmSt11align_val_t, (void *p, size_t n, size_t a), ty_free_sized(p, n, a, del))
DELETE(_ZdaPvmSt11align_val_t, (void *p, size_t n, size_t a), ty_free_sized(p, n, a, del_array))
DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t, (void *p, size_t a, const void *t), (void)t; ty_free_aligned(p, a, del))
DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t, (void *p, size_t a, const void *t),
       (void)t; ty_free_aligned(p, a, del_array))
