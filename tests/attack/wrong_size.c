/* wrong_size HOW SIZE TOLD [ALIGNMENT]: free_sized and free_aligned_sized with a size or an alignment that is not
 * the object's. */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	MUST(argc >= 4);
	size_t n = argument(argc, argv, 2, 100), told = argument(argc, argv, 3, 100),
	       align = argument(argc, argv, 4, 64);
	void *p;
	if (!strcmp(argv[1], "free_sized")) {
		p = make(n);
		crime(p);
		free_sized(hide(p), told);
	} else if (!strcmp(argv[1], "free_aligned_sized")) {
		p = hide(aligned_alloc(align, n));
		crime(p);
		free_aligned_sized(hide(p), align, told);
	} else { /* wrong alignment: the object does not lie on such a boundary */
		do
			p = make(n);
		while (!((uintptr_t)p & (align - 1)));
		crime(p);
		free_aligned_sized(hide(p), align, told);
	}
	return aftermath(n);
}
