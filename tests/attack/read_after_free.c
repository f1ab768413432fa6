/* P2 and P4: what a freed object held cannot be read through the dangling pointer: zeros, a canary of 8 bytes at the
 * end of the slot, or a fault (large ones). read_after_free SIZE; ends with exit 0. */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 100);
	signal(SIGSEGV, on_fault);
	unsigned char *many[32];
	for (int i = 0; i < 32; i++)
		memset(many[i] = make(n), 0xc3, n);
	for (int i = 0; i < 32; i++)
		free(many[i]);
	for (int i = 0; i < 32; i++) {
		if (sigsetjmp(after_fault, 1))
			continue;
		volatile unsigned char *p = hide(many[i]);
		for (size_t k = 0; k < n; k++)
			if (p[k]) {
				say("byte %zu of a freed object of %zu is 0x%02x", k, n, p[k]);
				return survived();
			}
	}
	return harmless();
}
