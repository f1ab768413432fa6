/* The object has been merged with its free neighbour before it is freed again, and both are handed out ("house of
 * botcake"). double_free_merged SIZE */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 0x100);
	void *fill[7], *before, *p;
	for (int i = 0; i < 7; i++)
		fill[i] = make(n);
	before = make(n);
	p = make(n);
	hide(make(16));
	for (int i = 0; i < 7; i++)
		free(fill[i]);
	free(hide(p));
	free(hide(before));
	hide(make(n)); /* one place in the list of seven */
	crime(p);
	free(hide(p));
	return aftermath(n);
}
