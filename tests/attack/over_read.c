/* An over-read of BYTES out of objects of one call site, while another's hold secrets: over_read SIZE BYTES. */
#include "attack.h"

SITE(make_secret)

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 100), bytes = argument(argc, argv, 2, 256);
	for (int i = 0; i < FIELD; i++) {
		MUST(field[i] = make(n));
		memset(field[i], SEED, n);
		memset(make_secret(n), 0xd5, n);
	}
	crime(field[0]);
	signal(SIGSEGV, on_fault);
	for (volatile int i = FIELD / 4; i < FIELD / 2; i++) {
		if (((uintptr_t)field[i] & 4095) >= 2048 || sigsetjmp(after_fault, 1))
			continue; /* the page's upper half: more of the slab may not follow */
		unsigned run = 0;
		for (size_t k = 0; k < bytes; k++) {
			run = ((volatile unsigned char *)hide(field[i]))[n + k] == 0xd5 ? run + 1 : 0;
			if (run == 8)
				return survived();
		}
	}
	return harmless();
}
