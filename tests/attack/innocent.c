/* Row 0: no crime at all. The runner must notice that nothing was stopped. */
#include "attack.h"

int main(void)
{
	begin();
	void *p = make(100);
	crime(p);
	free(p);
	return harmless();
}
