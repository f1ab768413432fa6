/* Freed before fork, sprayed in the child: spray_fork SIZE [child]: with "child" freed there too. */
#include "attack.h"

SITE(make_b)

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 100);
	dig(n);
	if (argc <= 2)
		bury(n);
	pid_t child = fork();
	if (child)
		die_like(child);
	if (argc > 2)
		bury(n);
	_exit(spray_with(make_b, n) || spray_with(make_b, n * 3 + 100) ? survived() : harmless());
}
