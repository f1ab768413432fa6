/* double_free_forked WHEN SIZE: freed before fork and again in the child (child) or the parent (parent), or freed
 * twice in the child (both), there also of an object that belongs to a thread the child does not have (others). */
#include "attack.h"

static size_t size;
static pthread_barrier_t made;
static void *theirs;

/* Hot enough to own its slabs; lives on in the parent only. */
static void *other_thread(void *arg)
{
	for (int i = 0; i < 100; i++)
		free(make(size));
	theirs = make(size);
	pthread_barrier_wait(&made);
	for (;;)
		pause();
	return arg;
}

int main(int argc, char **argv)
{
	begin();
	MUST(argc >= 3);
	size = argument(argc, argv, 2, 100);
	void *p = make(size);
	bool parent = !strcmp(argv[1], "parent"), others = !strcmp(argv[1], "others");
	bool in_child = others || !strcmp(argv[1], "both");
	if (others) {
		pthread_t t;
		pthread_barrier_init(&made, NULL, 2);
		MUST(!pthread_create(&t, NULL, other_thread, NULL));
		pthread_barrier_wait(&made);
		p = theirs;
	}
	if (!in_child)
		free(p);
	pid_t child = fork();
	if (!child) {
		if (parent)
			_exit(0);
		if (in_child)
			free(hide(p));
		crime(p);
		free(hide(p));
		_exit(aftermath(size));
	}
	if (!parent)
		die_like(child);
	waitpid(child, NULL, 0);
	crime(p);
	free(hide(p));
	return aftermath(size);
}
