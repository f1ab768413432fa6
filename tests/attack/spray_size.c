/* Confusion of sizes: freed objects of one size, then many of others from the same call site, so that one lies over several of
 * the old, or within one. spray_size SIZE */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 200);
	dig(n);
	bury(n);
	const size_t others[] = {1,	     16,	  n / 4 + 1,	 n / 3,		n * 2 + 64,
				 n * 5 + 64, n * 17 + 64, 20000 + n * 3, 300000 + n * 3};
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (others[i] * 2 > n && others[i] < n * 2)
			continue; /* may be served alike */
		else if (spray_with(make, others[i]))
			return survived();
	return harmless();
}
