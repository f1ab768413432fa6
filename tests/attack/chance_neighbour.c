/* By chance: two objects made one after the other: does the second lie right behind the first, where an overflow of the first
 * reaches it? chance_neighbour SIZE WARM */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 100), warm = argument(argc, argv, 2, 200);
	for (size_t i = 0; i < warm; i++)
		make(n);
	char *a = make(n), *b = make(n);
	MUST(a && b);
	crime(a);
	return b > a && (size_t)(b - a) <= n + n / 4 + 48 ? survived() : harmless();
}
