/* A pointer into each mapping of the process, the allocator's own among them, as /proc/self/maps shows them: begin,
 * middle and end of each, in a child, the last of all in the process itself. What a pointer into the heap is called depends
 * on what lies there. */
#include "attack.h"

#include <regex.h>

static char *candidates[3000];
static int count;

static void read_maps(void)
{
	char *text = map_memory(1 << 20);
	size_t have = 0;
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	MUST(fd >= 0);
	for (ssize_t n; (n = read(fd, text + have, (1 << 20) - 1 - have)) > 0;)
		have += (size_t)n;
	close(fd);
	for (char *line = text; line && *line && count < 2990;
	     line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		uintptr_t from = strtoul(line, &line, 16), to = strtoul(line + 1, &line, 16);
		uintptr_t step = to - from > (uintptr_t)1 << 30 ? (to - from) / 16 : (to - from) / 2;
		for (uintptr_t at = from; at < to; at += step & ~(uintptr_t)15)
			candidates[count++] = (char *)(at + 16);
		candidates[count++] = (char *)(to - 16);
	}
	munmap(text, 1 << 20);
}

/* A child frees p. Was it stopped, and by the right sentence? */
static bool stopped(char *p)
{
	int out[2];
	MUST(!pipe(out));
	pid_t child = fork();
	MUST(child >= 0);
	if (!child) {
		dup2(out[1], 2);
		free(hide(p));
		_exit(0);
	}
	close(out[1]);
	char line[1024], want[128];
	ssize_t n = 0, more;
	while ((more = read(out[0], line + n, sizeof line - 1 - (size_t)n)) > 0)
		n += more;
	line[n] = 0;
	close(out[0]);
	int status;
	MUST(waitpid(child, &status, 0) == child);
	if (foreign)
		return WIFSIGNALED(status);
	regex_t r;
	snprintf(want, sizeof want,
		 "^typed_malloc: .*free\\(\\): (foreign|unallocated|interior) pointer %p( |$)|double free of %p ",
		 (void *)p, (void *)p);
	MUST(!regcomp(&r, want, REG_EXTENDED | REG_NOSUB | REG_NEWLINE));
	bool good = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && !regexec(&r, line, 0, NULL, 0);
	regfree(&r);
	if (!good)
		say("%p: status 0x%x, %s", (void *)p, (unsigned)status, line);
	return good;
}

int main(void)
{
	begin();
	char *keep = surrounded(100), *large = surrounded(100000);
	MUST(keep && large);
	read_maps();
	MUST(count > 20);
	for (int i = 0; i < count; i++)
		if (!stopped(candidates[i]))
			return survived();
	crime(candidates[count - 1]);
	free(hide(candidates[count - 1]));
	return survived();
}
