/* The attacker's operations, without its crimes, decoded from bytes: a target for libFuzzer (libfuzzer.sh), and the replay of what it
 * finds. Each number that an operation draws depends on the next byte, and on all those before.
 *
 * usage: sequence FILE...      each as one sequence, in a process of its own; `make check` runs the corpus */
#include "objects.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
	static struct verdict none;
	static struct actor *a;
	static typeof(*failure) place;
	if (!a) {
		failure = &place;
		set_up_model(1);
#ifdef WITH_LIBFUZZER
		by_form = true; /* libFuzzer brings a new and delete of its own */
#endif
		a = new_actor(0, &none);
		self = a;
	}
	a->rng = 1;
	a->tape = data;
	a->tape_end = data + n;
	for (a->op = 0; a->tape < a->tape_end; a->op++)
		step(a);
	free_all(a);
	return 0;
}

#ifndef WITH_LIBFUZZER
#include <sys/wait.h>

static bool replay(const char *path)
{
	static unsigned char data[1 << 20];
	int fd = open(path, O_RDONLY | O_CLOEXEC), status;
	ssize_t n = fd < 0 ? -1 : read(fd, data, sizeof data);
	if (n < 0) {
		say("sequence: cannot read %s: %s", path, strerror(errno));
		exit(2);
	}
	close(fd);
	pid_t pid = fork();
	MUST(pid >= 0);
	if (!pid) {
		alarm(200);
		_exit(LLVMFuzzerTestOneInput(data, (size_t)n));
	}
	MUST(waitpid(pid, &status, 0) == pid);
	if (status)
		say("sequence: %s: %s %d", path, WIFSIGNALED(status) ? "signal" : "exit", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return !status;
}

int main(int argc, char **argv)
{
	int failed = 0;
	need_library();
	if (argc < 2) {
		say("usage: sequence FILE...");
		return 2;
	}
	for (int i = 1; i < argc; i++)
		failed += !replay(argv[i]);
	say("sequence: %d of %d failed", failed, argc - 1);
	return failed != 0;
}
#endif
