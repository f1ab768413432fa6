/* What the allocator decides by after start (options, secrets, places) lies on pages nobody can write to: of the library's own
 * writable memory no word is a pointer into the heap. Every word of it is read through /proc/self/mem. */
#include "attack.h"

int main(void)
{
	begin();
	char *low = surrounded(100), *high = low;
	for (int i = 0; i < 1000; i++) {
		char *p = make(100);
		low = p < low ? p : low;
		high = p > high ? p : high;
	}
	crime(low);
	Dl_info info;
	MUST(dladdr(dlsym(RTLD_DEFAULT, "malloc"), &info));
	char *text = map_memory(1 << 20);
	size_t have = 0;
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	MUST(fd >= 0);
	for (ssize_t n; (n = read(fd, text + have, (1 << 20) - 1 - have)) > 0;)
		have += (size_t)n;
	close(fd);
	const char *name = strrchr(info.dli_fname, '/');
	name = name ? name + 1 : info.dli_fname;
	low -= MIB;
	high += MIB;
	size_t found = 0, looked = 0;
	uintptr_t touches = 0; /* its .bss has no name */
	for (char *line = text, *next; line && *line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		char *library = strstr(line, name);
		uintptr_t from = strtoul(line, &line, 16), to = strtoul(line + 1, &line, 16);
		if (line[2] != 'w' || !(library || from == touches))
			continue;
		touches = library ? to : 0;
		for (uintptr_t *at = (uintptr_t *)from; at < (uintptr_t *)to; at++) {
			looked++;
			found += *at >= (uintptr_t)low && *at <= (uintptr_t)high;
		}
	}
	MUST(looked);
	return found ? survived() : harmless();
}
