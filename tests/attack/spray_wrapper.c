/* Confusion of objects made by two callers of one allocating function, in a program whose memory is mostly larger objects, of others:
 * freed objects of one, then many of the same size of the other. deep: they call it through a second one, as others do not.
 * spray_wrapper SIZE [deep] */
#include "attack.h"

enum { LARGE = 5000, NLARGE = 300, VICTIMS = 100, SPRAYED = 5000, BYTES_BEFORE = 400000 };

static NOINLINE void *xmake(size_t n)
{
	void *p = malloc(n);
	MUST(p);
	return p;
}

static bool deep;

static NOINLINE void *xmake_more(size_t n)
{
	void *p = xmake(n);
	__asm__ volatile("# xmake_more" : "+r"(p) : : "memory");
	return p;
}

#define CALLER(name)                                                                                                   \
	static NOINLINE void *name(size_t n)                                                                           \
	{                                                                                                              \
		void *p = deep ? xmake_more(n) : xmake(n);                                                             \
		__asm__ volatile("# " #name : "+r"(p) : : "memory");                                                   \
		return p;                                                                                              \
	}
CALLER(first) CALLER(second) CALLER(third)

int main(int argc, char **argv)
{
	static void *victim[VICTIMS];
	begin();
	size_t n = argument(argc, argv, 1, 100);
	deep = !strcmp(word(argc, argv, 2, ""), "deep");
	for (int i = 0; i < NLARGE; i++)
		MUST(make(LARGE));
	for (size_t bytes = 0; bytes < BYTES_BEFORE; bytes += 4 * n) {
		free(first(n));
		free(second(n));
		free(third(n));
		free(xmake(n));
	}
	for (int i = 0; i < VICTIMS; i++)
		hold(victim[i] = first(n), n);
	for (int i = 0; i < VICTIMS; i++)
		free(victim[i]);
	crime(victim[0]);
	for (int i = 0; i < SPRAYED; i++)
		if (taken(second(n), n))
			return survived();
	return harmless();
}
