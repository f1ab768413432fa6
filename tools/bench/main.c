/* SPDX-License-Identifier: MIT */
/*
 * main.c: bench-workloads. One workload a run, one line at its end:
 *
 *     short: 1000000 operations, sum 89ab..., 0.0312 s, cpu 0.0311 s
 */
#define _GNU_SOURCE
#include "bench.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct settings set;

static const struct workload {
	const char *name;
	uint64_t (*run)(void);
	struct settings defaults; /* 0: not for this one */
	const char *what;
} workloads[] = {
	{"short", work_short, {.ops = 20000000}, "small objects that live short"},
	{"mixed", work_mixed, {.ops = 4000000, .live = 64 << 20}, "mixed sizes, most of them long-lived"},
	{"random", work_random, {.ops = 6000000}, "random sizes and lifetimes, all ways to allocate"},
	{"realloc", work_realloc, {.ops = 200000, .live = 64 << 20}, "arrays that grow by doubling and by steps"},
	{"types", work_types, {.ops = 3000000, .live = 32 << 20, .types = 1000}, "many call sites at once"},
	{"coldhot", work_coldhot, {.ops = 8000000, .types = 5000}, "a few hot call sites, thousands of cold ones"},
	{"pipe", work_pipe, {.ops = 4000000, .threads = 2}, "pairs of threads: one makes, the other frees"},
	{"churn", work_churn, {.ops = 20000, .threads = 4}, "threads that begin, allocate and end"},
	{"server", work_server, {.ops = 8000000, .threads = 4}, "threads that take over each other's objects"},
	{"start", work_start, {.ops = 500}, "start /bin/true"},
	{"fork", work_fork, {.ops = 500, .live = 32 << 20}, "fork with a heap"},
};
#define WORKLOADS (sizeof workloads / sizeof *workloads)

void fail(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "bench-workloads: %s: ", set.name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	_exit(1);
}

static _Noreturn void __attribute__((format(printf, 1, 2))) usage(const char *fmt, ...)
{
	va_list ap;

	fputs("bench-workloads: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs("; see bench-workloads --help\n", stderr);
	exit(2);
}

static void help(void)
{
	puts("usage: bench-workloads WORKLOAD [--ops N] [--threads N] [--types N] [--live BYTES] [--seed N]\n"
	     "       bench-workloads --measure FD [--preload LIBRARY] -- COMMAND [ARGUMENT]...\n"
	     "       bench-workloads --maps | --list\n");
	for (size_t i = 0; i < WORKLOADS; i++)
		printf("  %-8s %s\n", workloads[i].name, workloads[i].what);
	puts("\nBYTES may end with K, M or G. pipe: N pairs of threads. Exit status: 0 done, 1 an object was not as it "
	     "was left,\n"
	     "or no memory, 2 bad usage.");
}

static void list(void)
{
	for (size_t i = 0; i < WORKLOADS; i++) {
		const struct settings *d = &workloads[i].defaults;
		printf("%s ops=%llu threads=%llu types=%llu live=%llu %s\n", workloads[i].name,
		       (unsigned long long)d->ops, (unsigned long long)d->threads, (unsigned long long)d->types,
		       (unsigned long long)d->live, workloads[i].what);
	}
}

static uint64_t number(const char *option, const char *text, uint64_t min, uint64_t max, bool bytes)
{
	static const char units[] = "KMG";
	char *end;

	errno = 0;
	unsigned long long n = strtoull(text, &end, 10);
	bool good = *text >= '0' && *text <= '9' && !errno;
	const char *unit = bytes && *end ? strchr(units, *end) : NULL;
	if (good && unit) {
		unsigned shift = 10 * (unsigned)(unit - units + 1);
		good = n <= UINT64_MAX >> shift;
		n <<= shift;
		end++;
	}
	if (!good || *end || n < min || n > max)
		usage("--%s: \"%s\" is no number from %llu to %llu", option, text, (unsigned long long)min,
		      (unsigned long long)max);
	return n;
}

/* The options that were given replace the defaults; one that means nothing to the workload is refused. */
static void replace(uint64_t *to, uint64_t given, const char *option)
{
	if (!given)
		return;
	if (!*to)
		usage("%s has no --%s", set.name, option);
	*to = given;
}

static const struct workload *choose(const char *name, const struct settings *given)
{
	for (size_t i = 0; i < WORKLOADS; i++) {
		const struct workload *w = &workloads[i];
		if (strcmp(w->name, name))
			continue;
		set = w->defaults;
		set.name = w->name;
		set.seed = given->seed;
		replace(&set.ops, given->ops, "ops");
		replace(&set.threads, given->threads, "threads");
		replace(&set.types, given->types, "types");
		replace(&set.live, given->live, "live");
		return w;
	}
	usage("no workload \"%s\"", name);
}

/* What is mapped: whether a preloaded library is there. */
static void show_maps(void)
{
	char line[4096];
	FILE *f = fopen("/proc/self/maps", "re");

	if (!f)
		fail("/proc/self/maps: %s", strerror(errno));
	while (fgets(line, sizeof line, f))
		fputs(line, stdout);
	fclose(f);
}

static double seconds(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct {
	double wall, cpu;
} begin, end;

void timed(void)
{
	begin.wall = seconds(CLOCK_MONOTONIC);
	begin.cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
}

void timed_end(void)
{
	end.cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	end.wall = seconds(CLOCK_MONOTONIC);
}

static int run(const struct workload *w)
{
	timed();
	uint64_t sum = w->run();
	if (!end.wall)
		timed_end();

	printf("%s: %llu operations, sum %016llx, %.6f s, cpu %.6f s\n", w->name, (unsigned long long)set.ops,
	       (unsigned long long)sum, end.wall - begin.wall, end.cpu - begin.cpu);
	return fflush(stdout) ? 1 : 0;
}

int main(int argc, char **argv)
{
	enum { OPS = 1, THREADS, TYPES, LIVE, SEED, MEASURE, PRELOAD, MAPS, LIST, HELP };
	static const struct option options[] = {{"ops", required_argument, NULL, OPS},
						{"threads", required_argument, NULL, THREADS},
						{"types", required_argument, NULL, TYPES},
						{"live", required_argument, NULL, LIVE},
						{"seed", required_argument, NULL, SEED},
						{"measure", required_argument, NULL, MEASURE},
						{"preload", required_argument, NULL, PRELOAD},
						{"maps", no_argument, NULL, MAPS},
						{"list", no_argument, NULL, LIST},
						{"help", no_argument, NULL, HELP},
						{NULL, 0, NULL, 0}};
	struct settings given = {.seed = 1};
	const char *preload = NULL;
	int fd = -1;

	set.name = "start-up";
	opterr = 0;
	for (int c; (c = getopt_long(argc, argv, ":", options, NULL)) != -1;) {
		switch (c) {
		case OPS:
			given.ops = number("ops", optarg, 1, 1ull << 40, false);
			break;
		case THREADS:
			given.threads = number("threads", optarg, 1, 1024, false);
			break;
		case TYPES:
			given.types = number("types", optarg, 1, SITES_MAX, false);
			break;
		case LIVE:
			given.live = number("live", optarg, 4096, 1ull << 40, true);
			break;
		case SEED:
			given.seed = number("seed", optarg, 0, UINT64_MAX, false);
			break;
		case MEASURE:
			fd = (int)number("measure", optarg, 0, 1 << 20, false);
			break;
		case PRELOAD:
			preload = optarg;
			break;
		case MAPS:
			show_maps();
			return 0;
		case LIST:
			list();
			return 0;
		case HELP:
			help();
			return 0;
		case ':':
			usage("%s: its value is missing", argv[optind - 1]);
		default:
			usage("no option \"%s\"", argv[optind - 1]);
		}
	}
	if (fd >= 0 && optind < argc)
		measure(fd, preload, argv + optind);
	if (fd >= 0 || preload)
		usage("--measure and --preload are for a command");
	if (optind == argc)
		usage("no workload");
	if (optind + 1 < argc)
		usage("one workload, not \"%s\" too", argv[optind + 1]);
	return run(choose(argv[optind], &given));
}
