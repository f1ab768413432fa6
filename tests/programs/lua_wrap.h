/*
 * Lua 5.4's allocation functions, for -include with -fsanitize=alloc-token -fsanitize-alloc-token-extended.
 *
 * luaC_newobj() knows the type of an object only by its caller; inside, the object is a GCObject. So its callers are typed,
 * and lgc.c, which calls luaM_malloc_() for them, is compiled with LUA_WRAP_OBJECTS. (It links the object into a list, so
 * that it cannot be marked malloc.)
 */
#include <stddef.h>
#include <typed_malloc.h>

struct lua_State;
struct GCObject;

#ifndef LUA_WRAP_OBJECTS
TYPED_MALLOC_WRAPPER(void *, luaM_malloc_, (struct lua_State *L, size_t n, int tag), (L, n, tag), __alloc_size__(2))
#endif
TYPED_MALLOC_WRAPPER(struct GCObject *, luaC_newobj, (struct lua_State *L, int tag, size_t n), (L, tag, n),
		     __alloc_size__(3))
TYPED_MALLOC_WRAPPER(void *, luaM_realloc_, (struct lua_State *L, void *p, size_t old, size_t n), (L, p, old, n),
		     __alloc_size__(4))
TYPED_MALLOC_WRAPPER(void *, luaM_saferealloc_, (struct lua_State *L, void *p, size_t old, size_t n), (L, p, old, n),
		     __alloc_size__(4))
TYPED_MALLOC_WRAPPER(void *, luaM_growaux_,
		     (struct lua_State *L, void *p, int used, int *n, int each, int limit, const char *what),
		     (L, p, used, n, each, limit, what), __malloc__)
