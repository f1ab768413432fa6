/* Everything is freed, the heap's size many times over is sprayed and freed again in many sizes: no pressure makes an address
 * change hands. spray_exhaust SIZE */
#include "attack.h"

SITE(make_b)

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 100);
	dig(n);
	bury(n);
	static void *live[5000];
	for (size_t m = 16; m < 40000; m = m * 3 / 2 & ~(size_t)7) {
		for (int i = 0; i < 5000; i++) {
			live[i] = make_b(m);
			if (!live[i])
				return harmless();
			if (taken(live[i], m))
				return survived();
		}
		for (int i = 0; i < 5000; i++)
			free(live[i]);
	}
	return harmless();
}
