// new T[n], written past its end, found by delete[]: overflow_new COUNT BYTES
#include "attack.h"

static NOINLINE void *make_array(size_t n) { return hide(new char[n]); }

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 100), bytes = argument(argc, argv, 2, 1);
	sow_with(make_array, n);
	int victim = chosen(n);
	crime(field[victim]);
	scribble(field[victim] + field_usable[victim], 0x41, bytes);
	bool changed = trampled(victim);
	delete[](char *) hide(field[victim]);
	return changed ? survived() : aftermath(n);
}
