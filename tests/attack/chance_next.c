/* By chance: where will the next object lie? Guessed from the addresses so far: the last one and the commonest step.
 * chance_next SIZE WARM: after WARM objects of the size. */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 100), warm = argument(argc, argv, 2, 200);
	static intptr_t at[10000];
	MUST(warm > 2 && warm < 10000);
	for (size_t i = 0; i < warm; i++)
		at[i] = (intptr_t)make(n);
	intptr_t step = 0;
	size_t most = 0;
	for (size_t a = 1; a < warm; a++) {
		size_t same = 0;
		for (size_t b = 1; b < warm; b++)
			same += at[b] - at[b - 1] == at[a] - at[a - 1];
		if (same > most) {
			most = same;
			step = at[a] - at[a - 1];
		}
	}
	intptr_t guess = at[warm - 1] + step;
	crime((void *)guess);
	return (intptr_t)make(n) == guess ? survived() : harmless();
}
