/* A chunk that says it is a mapping of its own: freeing it would unmap the caller's memory. */
#include "attack.h"

int main(void)
{
	begin();
	uint64_t *memory = map_memory(1 << 20);
	hide(make(100));
	memory[1024] = 0;
	memory[1025] = 0x10000 | 2; /* glibc's IS_MMAPPED */
	void *p = hide(memory + 1026);
	crime(p);
	free(p);
	signal(SIGSEGV, on_fault);
	if (sigsetjmp(after_fault, 1))
		return survived(); /* unmapped under its owner */
	*(volatile uint64_t *)(memory + 2048) = 1;
	return harmless();
}
