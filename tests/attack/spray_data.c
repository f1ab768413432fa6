/* P7: bytes of the attacker's (a type without pointers) and objects with pointers: never on one page, nor on pages that touch,
 * whichever comes first. spray_data SIZE */
#include "attack.h"

enum { COUNT = 3000 };
static uintptr_t pages[2][COUNT];

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 96);
	for (int i = 0; i < COUNT; i++) {
		/* of many types, few of each: first slabs, packed close */
		size_t type = (size_t)i % 100 * 0x1000001;
		pages[0][i] = (uintptr_t)make_typed(n, TYPE_A + type, true) / PAGE;
		pages[1][i] = (uintptr_t)make_typed(n, TYPE_DATA + type, true) / PAGE;
	}
	crime((void *)(pages[0][0] * PAGE));
	for (int a = 0; a < COUNT; a++)
		for (int b = 0; b < COUNT; b++)
			if (pages[0][a] - pages[1][b] + 1 <= 2)
				return survived();
	return harmless();
}
