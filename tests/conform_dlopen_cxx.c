/* A C program that loads C++ late: operator new of the preloaded library must find libstdc++ then, to throw with it.
 * usage: conform_dlopen_cxx MODULE */
#include "attack/attack.h"

int main(int argc, char **argv)
{
	need_library();
	watchdog(30);
	MUST(argc == 2);
	CHECK(!dlsym(RTLD_DEFAULT, "__cxa_throw"), " (this program must not be linked with libstdc++)");
	void *(*operator_new)(size_t) = (void *(*)(size_t))need_symbol("_Znwm");
	void (*operator_delete)(void *) = (void (*)(void *))need_symbol("_ZdlPv");
	operator_delete(operator_new(100)); /* works without */
	void *module = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
	if (!module) {
		say("%s", dlerror());
		return 99;
	}
	int (*catches)(size_t) = (int (*)(size_t))dlsym(module, "catches_bad_alloc");
	int (*calls)(size_t) = (int (*)(size_t))dlsym(module, "calls_handler");
	MUST(catches && calls);
	CHECK(catches(100) == 0);
	CHECK(catches(SIZE_MAX / 2) == 1);
	CHECK(calls(SIZE_MAX / 2) == 2);
	return test_result("conform_dlopen_cxx");
}
