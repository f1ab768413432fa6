/* Runs a program many times and counts its ends: rate RUNS PROGRAM ARGUMENT... ATTACK_PRELOAD is what to preload into it.
 * Prints "rate RUNS hits H stopped S missed M other O common C": C is how often the commonest "value" line came. */
#include "../util.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	MUST(argc > 2);
	long runs = strtol(argv[1], NULL, 0), hits = 0, stopped = 0, missed = 0, other = 0, common = 0;
	const char *preload = getenv("ATTACK_PRELOAD");
	MUST(runs > 0);
	if (preload && *preload)
		MUST(!setenv("LD_PRELOAD", preload, 1));
	uint64_t *values = calloc((size_t)runs, sizeof *values);
	size_t nvalues = 0;
	MUST(values);
	for (long i = 0; i < runs; i++) {
		int out[2];
		MUST(!pipe2(out, O_CLOEXEC));
		posix_spawn_file_actions_t acts;
		posix_spawn_file_actions_init(&acts);
		posix_spawn_file_actions_adddup2(&acts, out[1], 1);
		posix_spawn_file_actions_addopen(&acts, 2, "/dev/null", O_WRONLY, 0);
		pid_t child;
		MUST(!posix_spawn(&child, argv[2], &acts, NULL, argv + 2, environ));
		posix_spawn_file_actions_destroy(&acts);
		close(out[1]);
		char text[4096];
		size_t n = 0;
		ssize_t more;
		while ((more = read(out[0], text + n, sizeof text - 1 - n)) > 0)
			if ((n += (size_t)more) > sizeof text / 2) { /* the end is what counts */
				memmove(text, text + sizeof text / 4, n -= sizeof text / 4);
			}
		text[n] = 0;
		close(out[0]);
		int status;
		MUST(waitpid(child, &status, 0) == child);
		const char *value = strstr(text, "value ");
		if (value)
			values[nvalues++] = strtoul(value + 6, NULL, 16);
		if (WIFSIGNALED(status))
			stopped++;
		else if (strstr(text, "survived"))
			hits++;
		else if (strstr(text, "harmless"))
			missed++;
		else
			other++;
	}
	qsort(values, nvalues, sizeof *values, by_value);
	for (size_t i = 0, first = 0; i < nvalues; i++) {
		if (values[i] != values[first])
			first = i;
		if ((long)(i - first) + 1 > common)
			common = (long)(i - first) + 1;
	}
	printf("rate %ld hits %ld stopped %ld missed %ld other %ld common %ld\n", runs, hits, stopped, missed, other,
	       common);
	return 0;
}
