/* The first words of an object's page, and of the 64 KiB and 4 MiB it lies in, where some allocators keep what they know of
 * it, are overwritten as far as they can be written and are no object of ours. Nothing of the allocator's may be there. */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 100);
	sow(n);
	signal(SIGSEGV, on_fault);
	for (int i = 0; i < FIELD; i++)
		hold(field[i], field_usable[i] + 16); /* its own tail is another crime */
	/* Objects of libc's are no part of the allocator either. */
	size_t (*room)(const void *) = (size_t(*)(const void *))dlsym(RTLD_DEFAULT, "typed_malloc_room");
	const uintptr_t units[] = {4096, 65536, 1 << 20, 4 << 20, 32 << 20};
	volatile bool wrote = false;
	uint64_t *at = NULL;
	for (volatile int i = 0; i < 5; i++) {
		at = (uint64_t *)((uintptr_t)field[FIELD / 2] & ~(units[i] - 1));
		for (volatile int k = 0; k < 64; k++) {
			if (taken(at + k, 8) || (room && room(at + k) + 1 > 1) || sigsetjmp(after_fault, 1))
				continue;
			/* What is zero may be a free object or never used; only what holds something is worth it. */
			if (*(volatile uint64_t *)hide(at + k)) {
				*(volatile uint64_t *)hide(at + k) = 0x4141414141414141;
				wrote = true;
			}
		}
	}
	crime(at);
	if (!wrote)
		return harmless();
	return reap(FIELD / 2, n);
}
