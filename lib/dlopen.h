/* dlopen.h: symbols of other libraries: behind ours in the program's scope, or not in it, as modules bring them along. */
#ifndef TY_DLOPEN_H
#define TY_DLOPEN_H

#include "conf.h"

#include <dlfcn.h>

/*
 * What a hook stands before. ours: the hook. NULL: nothing, as in a static program; or only the hook, where another library's dlsym
 * has lost who asks. Does not allocate if there is something. (Include it with _GNU_SOURCE.)
 */
TY_INLINE void *ty_next_symbol(const char *name, const void *ours)
{
	void *next = ty_conf.static_program ? NULL : dlsym(RTLD_NEXT, name);
	return next == ours ? NULL : next;
}
/*
 * The same for what may be called where dlsym may not, in a signal handler or between fork and exec: kept in *next, and looked for when
 * the heap starts, or before that when it is first called. otherwise: what takes its place if there is nothing.
 */
TY_INLINE void *ty_next_kept(void **next, const char *name, const void *ours, const void *otherwise)
{
	void *f = TY_LOAD(next);

	if (unlikely(!f)) {
		f = ty_next_symbol(name, ours);
		TY_STORE(next, f = f ? f : (void *)(uintptr_t)otherwise);
	}
	return f;
}

/* What a static program, which has no symbols to look up, has linked of the C++ runtime for itself; NULL: it has not. linked.c */
void *ty_linked_symbol(const char *name);

/* What `name` is in a library, and in what that is linked with, if it is loaded. NULL: it is not, or has none. Opens nothing new. */
void *ty_loaded_symbol(const char *library, const char *name);

#endif
