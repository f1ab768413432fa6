/* Large objects of one call site, freed, then large and small ones of another: spray_large SIZE */
#include "attack.h"

SITE(make_b)

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 300000);
	dig(n);
	bury(n);
	return spray_with(make_b, n) || spray_with(make_b, n / 2) || spray_with(make_b, n * 2) ||
			       spray_with(make_b, 1000)
		       ? survived()
		       : harmless();
}
