/* Confusion of objects made at two call sites: freed objects of one, then many of the same size of the other.
 * spray_site SIZE */
#include "attack.h"

SITE(make_b)

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 100);
	dig(n);
	bury(n);
	return spray_with(make_b, n) ? survived() : harmless();
}
