/* Where objects were before realloc moved them: spray_realloc SIZE TO */
#include "attack.h"

SITE(make_b)

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 100), to = argument(argc, argv, 2, 2000);
	for (int i = 0; i < GRAVES; i++) {
		MUST(graves[i] = make(n));
		void *q = hide(realloc(graves[i], to));
		MUST(q);
		if (q != graves[i])
			hold(graves[i], n);
	}
	crime(graves[0]);
	return spray_with(make_b, n) || spray_with(make_b, to) ? survived() : harmless();
}
