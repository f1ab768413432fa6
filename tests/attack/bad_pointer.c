/* Every function that takes a pointer, given every kind of pointer that is not the start of a live object:
 * bad_pointer FUNCTION KIND [SIZE]. */
#include "attack.h"

static char in_data[4096] = "x";
static char in_bss[4096];
static size_t told;

static void *pointer(const char *kind, size_t n)
{
	static _Alignas(64) char on_stack_too[64];
	char *p = surrounded(n);
	if (strstr(kind, "freed") == NULL && strcmp(kind, "purged") && strcmp(kind, "moved"))
		hold(p, n);
	if (!strcmp(kind, "freed"))
		return free(p), p;
	if (!strcmp(kind, "purged")) {
		void *more[2000];
		for (int i = 0; i < 2000; i++)
			more[i] = make(n);
		free(p);
		for (int i = 0; i < 2000; i++)
			free(more[i]);
		malloc_trim(0);
		sleep_ms(30);
		malloc_trim(0);
		return p;
	}
	if (!strcmp(kind, "moved")) {
		char *q = p;
		for (size_t size = n; q == p;)
			MUST(q = hide(realloc(hide(q), size = size * 2 + 64)));
		return p;
	}
	if (!strcmp(kind, "interior"))
		return p + (n >= 32 ? n / 2 & ~(size_t)15 : 8);
	if (!strcmp(kind, "misaligned"))
		return p + 1;
	if (!strcmp(kind, "last_byte"))
		return p + n - 1;
	if (!strcmp(kind, "interior_freed"))
		return free(p), p + (n >= 32 ? 16 : 8);
	if (!strcmp(kind, "data"))
		return in_data + 64;
	if (!strcmp(kind, "bss"))
		return in_bss + 64;
	if (!strcmp(kind, "text"))
		return (void *)((uintptr_t)&pointer & ~(uintptr_t)15);
	if (!strcmp(kind, "libc"))
		return (void *)environ;
	if (!strcmp(kind, "local_static"))
		return on_stack_too;
	if (!strcmp(kind, "mmap"))
		return map_memory(1 << 20);
	if (!strcmp(kind, "mmap_unmapped")) {
		void *q = map_memory(1 << 20);
		munmap(q, 1 << 20);
		return q;
	}
	if (!strcmp(kind, "library")) /* the library's own image */
		return (void *)((uintptr_t)dlsym(RTLD_DEFAULT, "malloc") & ~(uintptr_t)15);
	if (!strcmp(kind, "far")) /* inside the reservation, or right outside, where nothing ever was */
		return p + ((size_t)3 << 30);
	if (!strncmp(kind, "0x", 2))
		return (void *)(uintptr_t)strtoul(kind, NULL, 16);
	say("no such kind: %s", kind);
	_exit(2);
}

static void call(const char *function, void *p, size_t n)
{
	if (!strcmp(function, "free"))
		free(p);
	else if (!strcmp(function, "cfree"))
		cfree(p);
	else if (!strcmp(function, "realloc"))
		hide(realloc(p, n + 100));
	else if (!strcmp(function, "realloc_same"))
		hide(realloc(p, n));
	else if (!strcmp(function, "realloc_zero"))
		hide(realloc(p, 0));
	else if (!strcmp(function, "reallocarray"))
		hide(reallocarray(p, n, 3));
	else if (!strcmp(function, "free_sized"))
		free_sized(p, n);
	else if (!strcmp(function, "free_aligned_sized"))
		free_aligned_sized(p, 16, n);
	else if (!strcmp(function, "malloc_usable_size"))
		told = malloc_usable_size(p);
	else {
		say("no such function: %s", function);
		_exit(2);
	}
}

int main(int argc, char **argv)
{
	begin();
	MUST(argc >= 3);
	size_t n = argument(argc, argv, 3, 100);
	char local[256];
	void *p = strcmp(argv[2], "stack") ? pointer(argv[2], n) : hide(local + 64);
	p = hide(p);
	crime(p);
	hold(in_data, sizeof in_data);
	hold(in_bss, sizeof in_bss);
	hold(local, sizeof local);
	call(argv[1], p, n);
	return told ? survived() : aftermath(n);
}
