/* By chance: an object is freed; is its slot the next to be handed out at the same call site, or the LATERth? chance_reuse SIZE
 * LATER */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 100), later = argument(argc, argv, 2, 1);
	sow(n);
	void *p = field[chosen(n)];
	free(hide(p));
	crime(p);
	void *q = NULL;
	for (size_t i = 0; i < later; i++)
		q = make(n);
	return p == q ? survived() : harmless();
}
