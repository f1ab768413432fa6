/*
 * dlopen.c: what is opened with RTLD_DEEPBIND (PHP does that with its extensions) finds libc's malloc before ours,
 * while the program and libc itself have ours: sooner or later an object of the one comes to the other's free. So the
 * flag is left out.
 */
#define _GNU_SOURCE
#include "dlopen.h"
#include "conf.h"

#include <dlfcn.h>

void *ty_loaded_symbol(const char *library, const char *name)
{
	void *lib = dlopen(library, RTLD_LAZY | RTLD_NOLOAD), *p = NULL;

	if (lib) {
		p = dlsym(lib, name);
		dlclose(lib);
	}
	return p;
}

#ifdef RTLD_DEEPBIND
/* libc goes by the address it returns to for the caller's search path and namespace: it must be the caller's. */
TY_HOOK void *dlopen(const char *file, int mode)
{
	void *(*next)(const char *, int) = (void *(*)(const char *, int))ty_next_symbol("dlopen", (void *)dlopen);

	if (!next) /* a static program */
		return NULL;
	if (!ty_conf.deepbind && !ty_conf.forward)
		mode &= ~RTLD_DEEPBIND;
	TY_TAIL_CALL return next(file, mode);
}
#endif
