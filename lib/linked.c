/* linked.c: see ty_linked_symbol in dlopen.h. In the shared library there is nothing to know: each symbol here would be one to look up. */
#define _GNU_SOURCE
#include "config.h"

#include "chars.h"
#include "dlopen.h"

#if defined(PIC) && !defined(TY_PIC_IN_ARCHIVES)
void *ty_linked_symbol(const char *name)
{
	(void)name;
	return NULL;
}
#else
extern char _ZSt17__throw_bad_allocv[] __attribute__((weak));
extern char _ZSt15get_new_handlerv[] __attribute__((weak));
extern char __cxa_allocate_exception[] __attribute__((weak));
extern char __cxa_throw[] __attribute__((weak));
extern char _ZTISt9bad_alloc[] __attribute__((weak));
extern char _ZTVSt9bad_alloc[] __attribute__((weak));
extern char _ZNSt9bad_allocD1Ev[] __attribute__((weak));

void *ty_linked_symbol(const char *name)
{
	const struct {
		const char *name;
		void *p;
	} all[] = {{"_ZSt17__throw_bad_allocv", _ZSt17__throw_bad_allocv},
		   {"_ZSt15get_new_handlerv", _ZSt15get_new_handlerv},
		   {"__cxa_allocate_exception", __cxa_allocate_exception},
		   {"__cxa_throw", __cxa_throw},
		   {"_ZTISt9bad_alloc", _ZTISt9bad_alloc},
		   {"_ZTVSt9bad_alloc", _ZTVSt9bad_alloc},
		   {"_ZNSt9bad_allocD1Ev", _ZNSt9bad_allocD1Ev}};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (ty_same(all[i].name, name))
			return all[i].p;
	return NULL;
}
#endif
