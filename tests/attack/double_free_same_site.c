/* The slot lies free among many of its own cache: double_free_same_site SIZE COUNT frees COUNT neighbours after it. */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 100), count = argument(argc, argv, 2, 10000);
	void **all = map_memory(count * sizeof *all);
	for (size_t i = 0; i < count; i++)
		MUST(all[i] = make(n));
	for (size_t i = 0; i < count; i++)
		free(all[i]);
	crime(all[count / 3]);
	free(hide(all[count / 3]));
	return aftermath(n);
}
