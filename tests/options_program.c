/* Allocates a little, of a few kinds, and says whether the library is loaded: what options.sh runs. usage:
 * options_program [symbol] */
#include "attack/attack.h"

#ifdef WITH_SYMBOL
extern const char *typed_malloc_options;
const char *typed_malloc_options = WITH_SYMBOL;
#endif

static NOINLINE void *site_of_100(void) { return hide(malloc(100)); }
static NOINLINE void *site_of_many(size_t n) { return hide(malloc(n)); }

int main(int argc, char **argv)
{
	need_library();
	void *(*typed)(size_t, size_t) = (void *(*)(size_t, size_t))need_symbol("typed_malloc_token");
	void *(*typed_fixed)(size_t, size_t) = (void *(*)(size_t, size_t))need_symbol("typed_malloc_token_fixed");
	void *live[64];
	for (int i = 0; i < 1000; i++) {
		free(site_of_100());
		free(site_of_many((size_t)i * 40));
	}
	for (int i = 0; i < 32; i++) {
		live[i] = site_of_100();
		live[32 + i] = i % 2 ? typed(500, 0xabcd00001234) : typed_fixed(200, 0xabcd00005678);
	}
	MUST(site_of_many(100000));
	if (argc > 1 && !strcmp(argv[1], "crime"))
		free(hide((char *)live[33] + 16));
	if (argc > 1 && !strcmp(argv[1], "share")) { /* do two tokens share a slot? 1 if so */
		for (int i = 0; i < 20000; i++) {
			char *p = typed(96, 0x1000001), *q;
			free(hide(p));
			q = typed(96, 0x2000003);
			if (hide(q) == p)
				return 1;
			hide(typed(96, 0x1000001));
		}
		return 0;
	}
	return 0;
}
