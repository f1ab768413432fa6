/* Row 0: no crime at all. The runner must notice that nothing was stopped. */
#include "attack.h"

int main(void)
{
	need_library();
	void *p = make(100);
	crime(p);
	free(p);
	return survived();
}
