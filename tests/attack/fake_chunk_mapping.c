/* A chunk fabricated in a mapping of its own, as glibc's would look, and freed: who gets it next? fake_chunk_mapping SIZE */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 0x40);
	MUST(n % 16 == 0 && n <= 0x400);
	uint64_t *memory = map_memory(1 << 20);
	hide(make(n));
	hold(memory, 4096);
	void *p = forge_chunk(memory + 8, n);
	crime(p);
	free(p);
	return aftermath(n - 8);
}
