/* The whole of it: an object with a function pointer is freed, its memory sprayed with the attacker's bytes, and the function
 * called through the dangling pointer. spray_callback [purge] */
#include "attack.h"

struct handler {
	char name[40];
	void (*call)(void);
	char rest[48];
};

SITE(make_bytes)

static void owned(void) { _exit(survived()); }
static void original(void) {}

int main(int argc, char **argv)
{
	begin();
	struct handler *all[100];
	for (int i = 0; i < 100; i++) {
		MUST(all[i] = make(sizeof **all));
		all[i]->call = original;
	}
	for (int i = 0; i < 100; i++)
		free(hide(all[i]));
	if (!strcmp(word(argc, argv, 1, ""), "purge"))
		malloc_trim(0);
	for (int i = 0; i < 5000; i++) {
		struct handler *p = make_bytes(sizeof *p);
		MUST(p);
		memset(p, 'A', sizeof *p);
		p->call = owned;
	}
	crime(all[50]);
	struct handler *stale = hide(all[50]);
	if (!stale->call || stale->call == original)
		return harmless();
	stale->call();
	return survived();
}
