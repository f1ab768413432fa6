/*
 * A module that is opened with RTLD_DEEPBIND has the library's malloc, like the program and libc; with deepbind=1 it has libc's. It is found
 * by the program's own search path, whoever stands between it and libc's dlopen.
 * usage: conform_deepbind ours|libc, with deepbind=0 or 1
 */
#include "attack/attack.h"

int main(int argc, char **argv)
{
	need_library();
	watchdog(30);
	MUST(argc == 2);
	bool ours = !strcmp(argv[1], "ours");
	size_t (*room)(const void *) = (size_t (*)(const void *))need_symbol("typed_malloc_room");
	MUST(!dlopen("no_such_module.so", RTLD_NOW | RTLD_DEEPBIND));
	const char *error = dlerror();
	CHECK(error && strstr(error, "no_such_module.so"));
	void *module = dlopen("deep_module.so", RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
	if (!module) {
		say("%s", dlerror());
		return 99;
	}
	void *(*make)(size_t) = (void *(*)(size_t))dlsym(module, "deep_make");
	char *(*copy)(const char *) = (char *(*)(const char *))dlsym(module, "deep_copy");
	void (*give_back)(void *) = (void (*)(void *))dlsym(module, "deep_free");
	MUST(make && copy && give_back);

	void *p = make(100);
	CHECK(room(p) == (ours ? 100 : SIZE_MAX));
	give_back(p);
	if (ours) {
		free(make(100));
		give_back(hide(malloc(100)));
		give_back(copy("a string of libc's")); /* which calls malloc for whoever calls it */
		CHECK(room(p) == 0);
	}
	CHECK(!dlclose(module));
	return test_result("conform_deepbind");
}
