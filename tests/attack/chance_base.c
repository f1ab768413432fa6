/* By chance: where is the heap, for an attacker who knows where libc (or nothing) is? Prints the first object's distance from it;
 * rate counts how often the commonest comes. chance_base libc|absolute SIZE */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	bool libc = strcmp(word(argc, argv, 1, "libc"), "absolute") != 0;
	uintptr_t p = (uintptr_t)make(argument(argc, argv, 2, 100));
	if (libc)
		p -= (uintptr_t)dlsym(RTLD_DEFAULT, "qsort");
	char line[64];
	int n = snprintf(line, sizeof line, "value 0x%lx\n", (unsigned long)p);
	MUST(write(1, line, (size_t)n) == n);
	return harmless();
}
