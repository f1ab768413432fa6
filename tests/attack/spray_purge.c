/* After all freed memory has gone back to the system: spray_purge SIZE */
#include "attack.h"

SITE(make_b)

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 100);
	dig(n);
	bury(n);
	malloc_trim(0);
	sleep_ms(60);
	malloc_trim(0);
	return spray_with(make_b, n) || spray_with(make_b, n * 3 + 100) || spray_with(make_b, 300000) ? survived()
												      : harmless();
}
