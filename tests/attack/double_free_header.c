/* The second free after the 16 bytes before the object, where some allocators keep its state, are put back as they were when it
 * was live. double_free_header SIZE */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 100);
	char *p = surrounded(n);
	uint64_t header[2];
	volatile uint64_t *at = (volatile uint64_t *)hide(p - 16);
	header[0] = at[0];
	header[1] = at[1];
	free(hide(p));
	crime(p);
	if (at[0] != header[0] || at[1] != header[1]) {
		at[0] = header[0];
		at[1] = header[1];
	}
	free(hide(p));
	return aftermath(n);
}
