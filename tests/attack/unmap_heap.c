/* Sealing: a page of the heap is unmapped, made inaccessible, or replaced by the attacker's through a system call that he can
 * steer: unmap_heap munmap|mprotect|mmap|mremap SIZE. Refused where the kernel can seal. */
#include "attack.h"

#include <sys/syscall.h>

int main(int argc, char **argv)
{
	begin();
	const char *how = word(argc, argv, 1, "munmap");
	size_t n = argument(argc, argv, 2, 100);
#ifndef SYS_mseal
#define SYS_mseal 462
#endif
	if (syscall(SYS_mseal, NULL, 0, 0) && errno == ENOSYS)
		_exit(EXIT_SKIP);
	void *p = surrounded(n);
	void *page = (void *)((uintptr_t)p & ~(PAGE - 1));
	crime(p);
	bool done = !strcmp(how, "munmap")     ? !munmap(page, PAGE)
		    : !strcmp(how, "mprotect") ? !mprotect(page, PAGE, PROT_READ)
		    : !strcmp(how, "mremap")
			    ? mremap(page, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, map_memory(PAGE)) != MAP_FAILED
			    : mmap(page, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
				   0) != MAP_FAILED;
	return done ? survived() : harmless();
}
