/* dlopen.h: symbols of other libraries: behind ours in the program's scope, or not in it, as modules bring them along. */
#ifndef TY_DLOPEN_H
#define TY_DLOPEN_H

#include "compiler.h"

#include <dlfcn.h>

/*
 * What a hook stands before. ours: the hook. NULL: nothing, as in a static program; or only the hook, where another library's dlsym
 * has lost who asks. Does not allocate if there is something. (Include it with _GNU_SOURCE.)
 */
TY_INLINE void *ty_next_symbol(const char *name, const void *ours)
{
	void *next = dlsym(RTLD_NEXT, name);
	return next == ours ? NULL : next;
}

/* What `name` is in a library, and in what that is linked with, if it is loaded. NULL: it is not, or has none. Opens nothing new. */
void *ty_loaded_symbol(const char *library, const char *name);

#endif
