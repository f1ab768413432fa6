/* Uses MIB of memory of one kind, every byte written and verified, under whatever limit it was started: limits_use
 * KIND MIB, or limits_use exhaust SIZE. With KIND "after" the limit RLIMIT_AS is set here, after start, to MIB more
 * than the process has in use, as services do. "after_huge", "after_clone", "after_vfork" and "after_hint" go on from there. */
#include "attack/attack.h"

#include <sys/resource.h>
#include <sys/syscall.h>

static void *other_thread(void *arg)
{
	for (size_t n = 16; n < 100000; n *= 3)
		free(hide(malloc(n)));
	return arg;
}

static void use(size_t size, size_t total)
{
	size_t count = total / size;
	char **all = hide(malloc(count * sizeof *all));
	MUST(all);
	for (size_t i = 0; i < count; i++) {
		all[i] = hide(malloc(size));
		if (!all[i]) {
			say("limits_use: no memory after %zu of %zu MiB in objects of %zu", i * size / MIB, total / MIB,
			    size);
			_exit(1);
		}
		fill(all[i], size, i);
	}
	for (size_t i = 0; i < count; i++) {
		MUST(filled(all[i], size, i));
		free(all[i]);
	}
	free(all);
}

static NOINLINE void *site(size_t n) { return hide(malloc(n)); }

/* To the end of the limit: NULL and ENOMEM, no crash, and what was freed serves its own call site again. Another one
 * may find nothing left: addresses never change their owner. */
static void exhaust(size_t size)
{
	void **list = NULL;
	size_t n = 0;
	for (void **p; errno = 0, p = site(size); n++) {
		memset(p, 1, size);
		*p = list;
		list = p;
	}
	CHECK(errno == ENOMEM);
	errno = 0;
	CHECK(!hide(malloc(2048 * MIB)) && errno == ENOMEM);
	for (void *p; (p = list); free(p))
		list = *list;
	say("limits_use: %zu objects of %zu, then ENOMEM", n, size);
	CHECK(n * size > 8 * MIB);
	for (int i = 0; i < 100; i++) {
		void *p = site(size);
		CHECK(p);
		free(p);
	}
}

static void limit_to(size_t bytes)
{
	MUST(!setrlimit(RLIMIT_AS, &(struct rlimit){bytes, bytes}));
}

/* Of these sizes the last span of the zone ends in a huge page that is not all the zone's, if it were not for its end. */
static void after_huge(size_t bytes)
{
	limit_to(bytes);
	for (size_t n = 4300000; n < 9000000; n += 900000)
		for (int i = 0; i < 10; i++) {
			char *p = hide(malloc(n));
			MUST(p);
			fill(p, n, (size_t)i);
			MUST(filled(p, n, (size_t)i));
			free(p);
		}
}

/* The limit is a child's, which runs in this process's memory. */
static void after_vfork(size_t bytes)
{
	static struct rlimit limit;
	static char *const line[] = {"/bin/true", NULL}, *const environment[] = {NULL};
	size_t before = status_kib("VmSize");

	limit = (struct rlimit){bytes, bytes};
	pid_t pid = vfork();
	if (pid == 0) {
		if (!setrlimit(RLIMIT_AS, &limit))
			execve(line[0], line, environment);
		_exit(1);
	}
	int status;
	MUST(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status));
	CHECK(status_kib("VmSize") + 65536 > before);
}

/* A child made without handlers has the heap for itself: its limit leaves room for its mappings, as vsftpd's children need. */
static void after_clone(size_t bytes)
{
	long pid = syscall(SYS_clone, (long)SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid == 0) {
		free(hide(malloc(100)));
		limit_to(bytes);
		_exit(mmap(NULL, 16 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
	}
	int status;
	MUST(pid > 0 && waitpid((pid_t)pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && !WEXITSTATUS(status));
}

/* The program asks for a place where the heap would grow to, and gets it. It is never the heap's then. */
static void after_hint(size_t bytes)
{
	size_t n = 64 * MIB;
	char line[512], *x = hide(malloc(100));
	uintptr_t from, to, end = 0;

	limit_to(bytes);
	FILE *maps = fopen("/proc/self/maps", "r");
	MUST(maps);
	setvbuf(maps, NULL, _IONBF, 0);
	while (fgets(line, sizeof line, maps))
		if (sscanf(line, "%lx-%lx", &from, &to) == 2 && ((uintptr_t)x - from < to - from || end == from))
			end = to;
	fclose(maps);
	char *hint = (char *)end;
	char *there = mmap(hint, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(there == hint);
	memset(there, 0x55, n);
	for (size_t got = 0; got < 2 * n; got += 200) {
		char *p = hide(malloc(200));
		if (!p)
			break;
		CHECK((size_t)(p - there) >= n);
		*p = 1;
	}
	for (size_t i = 0; i < n; i++)
		MUST(there[i] == 0x55);
}

int main(int argc, char **argv)
{
	need_library();
	watchdog(60);
	MUST(argc == 3);
	const char *kind = argv[1];
	size_t total = strtoul(argv[2], NULL, 0) * MIB;
	if (!strcmp(kind, "small"))
		use(100, total / 112 * 100); /* slots of 112 bytes */
	else if (!strcmp(kind, "tiny"))
		use(8, total / 2); /* slots of 16 bytes, whose records are the longest for what they describe, and as many pointers to them */
	else if (!strcmp(kind, "medium"))
		use(4000, total);
	else if (!strcmp(kind, "large"))
		use(200000, total);
	else if (!strcmp(kind, "huge"))
		use(100 * MIB, total);
	else if (!strcmp(kind, "exhaust"))
		exhaust(total / MIB);
	else if (!strcmp(kind, "after_huge"))
		after_huge(total);
	else if (!strcmp(kind, "after_clone"))
		after_clone(total);
	else if (!strcmp(kind, "after_vfork")) {
		after_vfork(total);
		pid_t child = fork(); /* which has drawn nothing yet */
		int status;
		if (child == 0) {
			after_vfork(total);
			_exit(failures != 0);
		}
		CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
	} else if (!strcmp(kind, "after_hint"))
		after_hint(total);
	else if (!strcmp(kind, "after")) {
		free(hide(malloc(100)));
		size_t in_use;
		struct rlimit limit, first;
		MUST(!getrlimit(RLIMIT_AS, &first));
		char *big = hide(malloc(70 * MIB)), *small = hide(malloc(1000)); /* live on */
		fill(big, 70 * MIB, 1);
		fill(small, 1000, 2);
		in_use = (status_kib("VmRSS") + 16 * 1024) * KIB;
		limit = (struct rlimit){in_use + total, in_use + total};
		MUST(!setrlimit(RLIMIT_AS, &limit));
		/* Threads, mappings and the heap all have room, as they have without the library... */
		char *mapping = map_memory(total / 32);
		for (int i = 0; i < 3; i++) {
			/* Again, and what has been mapped meanwhile stays. */
			fill(mapping, total / 32, 3);
			MUST(!setrlimit(RLIMIT_AS, &limit));
			MUST(filled(mapping, total / 32, 3));
			run_thread(other_thread, NULL);
			munmap(map_memory(total / 8), total / 8);
			use(100, total / 16);
			use(4000, total / 16);
			use(100000, total / 16);
			use(70 * MIB, 70 * MIB);
		}
		char *late = hide(malloc(total < 512 * MIB ? 1 * MIB : 70 * MIB)); /* made under the limit */
		MUST(late);
		free(late);
		MUST(filled(big, 70 * MIB, 1));
		/* ... and no more; what has been free for long is nobody else's. */
		free(big);
		/* Where address space was plentiful at the start a free one is out of reach at once, under the limit as without. */
		char *middle = hide(malloc(1 * MIB));
		int io[2];
		MUST(middle && !pipe(io) && write(io[1], middle, 1) == 1);
		free(middle);
		if (first.rlim_cur == RLIM_INFINITY && !madvise(NULL, 0, 102)) /* MADV_GUARD_INSTALL: the kernel knows it */
			CHECK(write(io[1], middle, 1) == -1 && errno == EFAULT);
		for (void **p = (void *[]){big, late, NULL}; *p; p++) {
			void *there = (void *)((uintptr_t)*p & -(uintptr_t)4096);
			CHECK(mmap(there, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED);
			CHECK(errno == EEXIST);
		}
		errno = 0;
		CHECK(!hide(malloc(total * 2)) && errno == ENOMEM);
		struct rlimit now;
		CHECK(!prlimit(0, RLIMIT_AS, NULL, &now) && now.rlim_cur == limit.rlim_cur);
		size_t got = 0;
		for (void *p; got < total * 2 && (p = hide(malloc(20000))); got += 20000)
			*(char *)p = 1;
		CHECK(got < total);
		MUST(filled(small, 1000, 2));
		free(small);
	} else
		return 2;
	return test_result("limits_use");
}
