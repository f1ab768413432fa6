/* The thread that allocated (and with "freed" also freed) the object has ended. */
#include "attack.h"

static size_t size;
static bool and_free;

static void *owner(void *out)
{
	void *many[50];
	for (int i = 0; i < 50; i++)
		many[i] = make(size);
	*(void **)out = many[25];
	if (and_free)
		for (int i = 0; i < 50; i++)
			free(many[i]);
	return NULL;
}

int main(int argc, char **argv)
{
	begin();
	MUST(argc >= 3);
	and_free = !strcmp(argv[1], "freed");
	size = argument(argc, argv, 2, 100);
	void *p;
	run_thread(owner, &p);
	if (!and_free)
		free(p);
	crime(p);
	free(hide(p));
	return aftermath(size);
}
