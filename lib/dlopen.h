/* dlopen.h: symbols of libraries that may not be in the program's scope, as modules bring them along. */
#ifndef TY_DLOPEN_H
#define TY_DLOPEN_H

/* What `name` is in a library, and in what that is linked with, if it is loaded. NULL: it is not, or has none. Opens nothing new. */
void *ty_loaded_symbol(const char *library, const char *name);

#endif
