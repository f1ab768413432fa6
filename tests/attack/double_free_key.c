/* The second free after what the first has left in the object is written over, as a mark against double frees may be.
 * double_free_key SIZE */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 100);
	char *p = surrounded(n);
	free(hide(p));
	crime(p);
	scribble(p, 0x41, n < 16 ? n : 16);
	free(hide(p));
	return aftermath(n);
}
