/* P2 over whole mappings: in the writable memory that holds objects, as far as 4 MiB from them, and in writable mappings that
 * touch it, there is nothing but live objects, their canaries and zeros: no word that points into the heap. A third of the
 * objects is free. metadata_adjacent SIZE */
#include "attack.h"

enum { MAX_MAPS = 4000, TOLERATED = 64 };
static struct {
	uintptr_t from, to;
} maps[MAX_MAPS];
static int nmaps;

static void read_maps(void)
{
	char *text = map_memory(4 << 20);
	size_t have = 0;
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	MUST(fd >= 0);
	for (ssize_t n; (n = read(fd, text + have, (4 << 20) - 1 - have)) > 0;)
		have += (size_t)n;
	close(fd);
	for (char *line = text; line && *line && nmaps < MAX_MAPS;
	     line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		uintptr_t from = strtoul(line, &line, 16), to = strtoul(line + 1, &line, 16);
		if (line[2] != 'w')
			continue;
		maps[nmaps].from = from;
		maps[nmaps++].to = to;
	}
	munmap(text, 4 << 20);
}

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 100);
	/* Of a live object that is not ours (libc's) the library says so. */
	size_t (*room)(const void *) = (size_t(*)(const void *))dlsym(RTLD_DEFAULT, "typed_malloc_room");
	MUST(room || foreign);
	uintptr_t low = UINTPTR_MAX, high = 0;
	for (int i = 0; i < 3000; i++) {
		char *p = make(n);
		MUST(p);
		memset(p, 0xee, malloc_usable_size(p));
		low = (uintptr_t)p < low ? (uintptr_t)p : low;
		high = (uintptr_t)p > high ? (uintptr_t)p : high;
		if (i % 3 == 2)
			free(hide(p));
	}
	crime((void *)low);
	read_maps();
	int mem = open("/proc/self/mem", O_RDONLY);
	MUST(mem >= 0);
	static uint64_t words[512];
	size_t pointers = 0, pages = 0;
	uintptr_t touches = 0;
	for (int m = 0; m < nmaps; m++) {
		bool holds = maps[m].from <= high && low < maps[m].to;
		if (!holds && !(touches && maps[m].from == touches))
			continue;
		touches = maps[m].to;
		uintptr_t from = maps[m].from + 4 * MIB < low ? (low - 4 * MIB) & ~(uintptr_t)4095 : maps[m].from;
		uintptr_t to = maps[m].to > high + 4 * MIB ? (high + 4 * MIB) & ~(uintptr_t)4095 : maps[m].to;
		for (uintptr_t at = from; at < to; at += sizeof words) {
			if (pread(mem, words, sizeof words, (off_t)at) != (ssize_t)sizeof words)
				continue;
			pages++;
			for (int k = 0; k < 512; k++) {
				const void *where = (void *)(at + (uintptr_t)k * 8);
				if (words[k] < low - 4 * MIB || words[k] > high + 4 * MIB || (room && room(where)))
					continue;
				if (pointers++ < 3)
					say("%p holds %p", where, (void *)words[k]);
			}
		}
	}
	MUST(pages > 3);
	/* Other allocators do not say what is libc's. */
	return pointers > (room ? 0 : TOLERATED) ? survived() : harmless();
}
