/* P2: in the pages around live objects lies nothing but those objects, their canaries (8 bytes right behind each) and zeros: no
 * header, list, bitmap or pointer that a linear overflow or over-read could reach. The pages are read through /proc/self/mem, so that guards do not
 * fault. Exit 0. */
#include "attack.h"

enum { COUNT = 3000, CANARY = 8 };
static struct object {
	unsigned char *p;
	size_t usable;
} all[COUNT];

static int by_address(const void *a, const void *b)
{
	const struct object *x = a, *y = b;
	return x->p < y->p ? -1 : x->p > y->p;
}

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 48), page = PAGE;
	for (int i = 0; i < COUNT; i++) {
		void *p = make(n);
		MUST(p);
		all[i].p = p;
		all[i].usable = malloc_usable_size(p);
		memset(p, 0xee, all[i].usable);
	}
	size_t canary = dlsym(RTLD_DEFAULT, "typed_malloc_token") ? CANARY : 0;
	int live = 0;
	for (int i = 0; i < COUNT; i++) /* every third is free again */
		if (i % 3 == 2)
			free(all[i].p);
		else
			all[live++] = all[i];
	qsort(all, (size_t)live, sizeof *all, by_address);
	int mem = open("/proc/self/mem", O_RDONLY);
	MUST(mem >= 0);
	static unsigned char text[1 << 16];
	size_t pages = 0;
	uintptr_t done = 0;
	for (int i = 0; i < live; i++) {
		/* the object's pages and one to either side */
		uintptr_t first = ((uintptr_t)all[i].p & ~(page - 1)) - page;
		uintptr_t last = (((uintptr_t)all[i].p + all[i].usable) & ~(page - 1)) + page;
		for (uintptr_t at = first > done ? first : done; at <= last; at += page) {
			done = at + page;
			if (pread(mem, text, page, (off_t)at) != (ssize_t)page)
				continue; /* a guard, or nothing there */
			pages++;
			for (int k = 0; k < live; k++) { /* take the objects out */
				uintptr_t from = (uintptr_t)all[k].p, to = from + all[k].usable + canary;
				if (to <= at || from >= at + page)
					continue;
				from = from < at ? at : from;
				to = to > at + page ? at + page : to;
				memset(text + (from - at), 0, to - from);
			}
			if (!all_zero(text, page)) {
				for (size_t b = 0; b < page; b++)
					if (text[b]) {
						say("0x%lx holds 0x%02x and is no live object's",
						    (unsigned long)(at + b), text[b]);
						return survived();
					}
			}
		}
	}
	MUST(pages > 10);
	return harmless();
}
