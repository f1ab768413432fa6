/* Objects of hundreds of types, a few of each: their slabs share pages, but for options. parts CRIME SIZE, at one of them; parts apart. */
#include "attack.h"

enum { TYPES = 600, EACH = 3, VICTIM = 500 };
static char *all[TYPES][EACH];
static size_t size;

static size_t token(size_t i) { return i % 2 ? TYPE_A + i * 0x10001 : TYPE_DATA + i * 0x10001; }
static char *make_of(size_t i) { return make_typed(size, token(i), false); }

/* Types of both kinds are many, and do share pages, two of a kind, never one of each (P7); or they do not. */
static void look_at_pages(bool apart)
{
	unsigned shared = 0;

	for (size_t i = 0; i < TYPES; i++)
		for (size_t j = 0; j < i; j++)
			if (!(((uintptr_t)all[i][0] ^ (uintptr_t)all[j][0]) >> 12)) {
				MUST(i % 2 == j % 2);
				shared++;
			}
	MUST(foreign || (apart ? !shared : shared > 50));
}

/* No other type gets what was one's, nor that the type's own objects lie on the same page as others'. */
static bool spray(void)
{
	for (int k = 0; k < EACH; k++) {
		hold(all[VICTIM][k], size);
		free(all[VICTIM][k]);
	}
	for (size_t n = 0; n < 20; n++)
		for (size_t i = 0; i < 2 * TYPES; i++)
			if (i != VICTIM && taken(make_of(i), size))
				return true;
	return false;
}

int main(int argc, char **argv)
{
	begin();
	const char *what = word(argc, argv, 1, "double");
	size = argument(argc, argv, 2, 40);
	for (size_t i = 0; i < TYPES; i++)
		for (int k = 0; k < EACH; k++) {
			MUST(all[i][k] = make_of(i));
			memset(all[i][k], 0x55, size);
		}
	look_at_pages(!strcmp(what, "apart"));
	char *p = all[VICTIM][1], *last = (char *)((uintptr_t)p | 1023) - 7;
	if (!strcmp(what, "apart"))
		return harmless();
	if (!strcmp(what, "spray"))
		return spray() ? survived() : harmless();
	if (!strcmp(what, "double") || !strcmp(what, "after") || !strcmp(what, "query"))
		free(p);
	if (!strcmp(what, "interior"))
		p += 16;
	if (!strcmp(what, "behind"))
		p = last;
	if (!strcmp(what, "trim"))
		for (int k = 0; k < EACH; k++)
			free(all[VICTIM][k]);
	crime(p);
	if (!strcmp(what, "trim")) { /* no object of the part lives, some of its page do */
		((volatile char *)p)[size / 2] = 'W';
		malloc_trim(0);
	} else if (!strcmp(what, "after")) {
		((volatile char *)p)[size / 2] = 'W';
		for (int i = 0; i < 1000; i++)
			make_of(VICTIM);
	} else if (!strcmp(what, "query")) {
		malloc_usable_size(hide(p));
	} else if (!strcmp(what, "sized")) {
		free_sized(hide(p), size + 1);
	} else if (!strcmp(what, "moved")) {
		MUST(realloc(hide(p), 3000));
		free(hide(p));
	} else {
		if (!strcmp(what, "overflow"))
			((volatile char *)p)[size] = 'O';
		if (!strcmp(what, "past")) /* into the next part */
			memset(hide(p), 'P', 1500);
		if (!strcmp(what, "under"))
			((volatile char *)p)[-1] = 'U';
		free(hide(p));
	}
	return aftermath(size);
}
