/* Both pointers of a free object of medium size lead to memory of the attacker's choice ("unsorted bin attack"): the
 * allocator writes there, or hands it out. bin_forgery SIZE */
#include "attack.h"

static _Alignas(64) uint64_t target[64];

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 0x800);
	uintptr_t *victim = surrounded(n);
	forge_chunk(target, 0x40);
	uint64_t before[64];
	memcpy(before, target, sizeof before);
	hold(target, sizeof target);
	free(hide(victim));
	crime(victim);
	((volatile uintptr_t *)hide(victim))[0] = (uintptr_t)target;
	((volatile uintptr_t *)hide(victim))[1] = (uintptr_t)target;
	for (int i = 0; i < 20000; i++) {
		void *p = make(i % 2 ? n : n - 64);
		if (taken(p, n - 64) || memcmp(before, hide(target), sizeof before))
			return survived();
	}
	return harmless();
}
