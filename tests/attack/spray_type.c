/* Confusion of types: freed objects of one type, then many of another of the same size from the same call site.
 * spray_type SIZE [variable] */
#include "attack.h"

static bool fixed;
static NOINLINE void *make_a(size_t n) { return make_typed(n, TYPE_A, fixed); }
static NOINLINE void *make_b(size_t n) { return make_typed(n, TYPE_B, fixed); }
static NOINLINE void *make_data(size_t n) { return make_typed(n, TYPE_DATA, fixed); }

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 96);
	fixed = argc <= 2;
	dig_with(make_a, n);
	bury(n);
	return spray_with(make_b, n) || spray_with(make_data, n) || spray_with(make, n) ? survived() : harmless();
}
