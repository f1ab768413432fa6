/*
 * typed-run: run a command with the library preloaded.
 *
 * LD_PRELOAD is ignored, often without a word, in static programs, in set-user-ID ones and in those
 * of another architecture. A user would believe himself protected, so program.c first looks at
 * everything that is going to be executed: the command, and if it is a script, its interpreter, and
 * what an `env' there would start.
 */
#define _GNU_SOURCE
#include "config.h"

#include "program.h"
#include "valgrind_run.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBRARY "libtyped_malloc.so"
#define CHECKED_MEMORY "libtyped_malloc_mem.so"
#define OPTIONS "TYPED_MALLOC_OPTIONS"

#define ITEM_MAX 511	   /* bytes in one key=value (lib/conf.c) */
#define STATS_PATH_MAX 255 /* likewise */

/* ---- Options for the library ---- */

/* What lib/conf.c takes: one of the words, or a number. */
static const struct known {
	const char *key, *words[5];
	unsigned long min, max;
} known[] = {
	{"partition", {"typed", "random", "none"}, 0, 0},
	{"untyped", {"callsite", "random", "none"}, 0, 0},
	{"guard", {"large", "slab"}, 0, 0},
	{"report", {"stderr", "syslog", "both", "none"}, 0, 0},
	{"decay_ms", {NULL}, 0, 86400000},
	{"site_levels", {NULL}, 1, 12},
	{"max_keys", {NULL}, 0, 1ul << 22},
	{"report_fd", {NULL}, 0, INT_MAX},
	{"sweep", {NULL}, 0, 1},
	{"never_reuse", {NULL}, 0, 1},
	{"mismatch", {NULL}, 0, 1},
	{"quarantine", {NULL}, 0, 1ul << 20},
	{"sample", {NULL}, 0, 1ul << 20},
	{"faults", {NULL}, 0, 1},
	{"core", {NULL}, 0, 1},
	{"deepbind", {NULL}, 0, 1},
	{"sized", {NULL}, 0, 1},
	{"seal", {NULL}, 0, 1},
	{"valgrind", {NULL}, 0, 1},
	{"valgrind_zero", {NULL}, 0, 2},
};

static bool is_number(const char *s, unsigned long min, unsigned long max)
{
	char *end;

	if (*s < '0' || *s > '9')
		return false;
	errno = 0;
	unsigned long n = strtoul(s, &end, 10);
	return !errno && !*end && n >= min && n <= max;
}

static bool is_one_of(const char *s, const char *const *words)
{
	for (; *words; words++)
		if (!strcmp(s, *words))
			return true;
	return false;
}

static bool is_good(const char *key, const char *value)
{
	if (!strcmp(key, "stats"))
		return !strcmp(value, "0") || !strcmp(value, "1") || !strcmp(value, "stderr") ||
		       (*value == '/' && !strchr(value, ':') && strlen(value) <= STATS_PATH_MAX);
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (!strcmp(key, known[i].key))
			return *known[i].words ? is_one_of(value, known[i].words) : is_number(value, known[i].min, known[i].max);
	fail(EXIT_SELF, "unknown option \"%s\"", key);
}

/* The command may change its directory before it ends: a file is named from the root. Words that are no file's (lib/conf.c) stay. */
static char *stats_place(const char *value)
{
	static const char *const words[] = {"stderr", "yes", "no", "true", "false", "on", "off", "stdout", NULL};
	char cwd[PATH_MAX];

	if (*value == '/' || strspn(value, "0123456789") == strlen(value) || is_one_of(value, words))
		return text("%s", value);
	if (!getcwd(cwd, sizeof cwd))
		fail(EXIT_SELF, "cannot tell the current directory: %s", strerror(errno));
	return text("%s/%s", cwd, value);
}

/* `options' without its items that set `key'. */
static char *without(const char *options, const char *key)
{
	size_t n = strlen(key);
	char *result = text("%s", "");

	for (const char *s = options; *s;) {
		int len = (int)strcspn(s, ":");
		if (len && !(!strncmp(s, key, n) && s[n] == '=')) {
			char *longer = text("%s%s%.*s", result, *result ? ":" : "", len, s);
			free(result);
			result = longer;
		}
		s += len + (s[len] == ':');
	}
	return result;
}

/* Put key=value into TYPED_MALLOC_OPTIONS, in place of what is said there of key. */
static void set_option(const char *key, const char *value)
{
	const char *old = getenv(OPTIONS);
	char *item = text("%s=%s", key, strcmp(key, "stats") ? value : stats_place(value));
	char *rest = without(old ? old : "", key);

	if (!is_good(key, item + strlen(key) + 1))
		fail(EXIT_SELF, "bad value \"%s\" for option \"%s\"", value, key);
	char *all = text("%s%s%s", rest, *rest ? ":" : "", item);
	if (strlen(item) > ITEM_MAX || setenv(OPTIONS, all, 1))
		fail(EXIT_SELF, "cannot set option \"%s\"", key);
	free(item);
	free(rest);
	free(all);
}

static void set_pair(char *pair)
{
	char *value = strchr(pair, '=');

	if (!value)
		fail(EXIT_SELF, "an option is key=value, not \"%s\"", pair);
	*value++ = 0;
	set_option(pair, value);
}

/* ---- The library ---- */

/* Beside this program's own bin directory, wherever that was moved to; else where it was installed. */
static char *find_library(void)
{
	const char *given = getenv("TYPED_MALLOC_LIB");
	char self[PATH_MAX], *path;

	if (given && *given) {
		if (!(path = realpath(given, NULL)))
			fail(EXIT_SELF, "TYPED_MALLOC_LIB: %s: %s", given, strerror(errno));
		return path;
	}
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	if (n > 0) {
		self[n] = 0;
		*strrchr(self, '/') = 0;
		if ((path = realpath(text("%s/../lib/" LIBRARY, self), NULL)))
			return path;
	}
	if ((path = realpath(TY_LIBDIR "/" LIBRARY, NULL)))
		return path;
	fail(EXIT_SELF, "%s: %s", TY_LIBDIR "/" LIBRARY, strerror(errno));
}

/* The library of checked memory functions lies beside the other. */
static char *find_checked_memory(const char *library)
{
	char *given = text("%.*s/" CHECKED_MEMORY, (int)(strrchr(library, '/') - library), library);
	char *path = realpath(given, NULL);

	if (!path)
		fail(EXIT_SELF, "%s: %s", given, strerror(errno));
	free(given);
	return path;
}

static void preload(const char *library)
{
	const char *old = getenv("LD_PRELOAD");

	if (strpbrk(library, " :"))
		fail(EXIT_SELF, "%s: LD_PRELOAD takes no path with a blank or a colon", library);
	if (setenv("LD_PRELOAD", old && *old ? text("%s:%s", library, old) : library, 1))
		fail(EXIT_SELF, "cannot set LD_PRELOAD: %s", strerror(errno));
}

/* ---- Valgrind ---- */

static void set_heap(struct valgrind *v, const char *value)
{
	static const char *const heaps[] = {"ours", "valgrind", NULL};

	if (!is_one_of(value, heaps))
		fail(EXIT_SELF, "--valgrind-heap takes ours or valgrind, not \"%s\"", value);
	v->theirs = !strcmp(value, "valgrind");
}

static void set_tool(struct valgrind *v, const char *value)
{
	if (!*value || strspn(value, "abcdefghijklmnopqrstuvwxyz-0123456789") != strlen(value))
		fail(EXIT_SELF, "--valgrind takes the name of a tool, not \"%s\"", value);
	v->tool = value;
}

/* Does the tool measure the code that runs? Then the library is to run as if nobody watched. */
static bool measures_code(const char *tool) { return !strcmp(tool, "callgrind") || !strcmp(tool, "cachegrind"); }

static bool is_set(const char *key)
{
	const char *options = getenv(OPTIONS);
	char *rest = without(options ? options : "", key);
	bool found = options && strlen(rest) < strlen(options);

	free(rest);
	return found;
}

/* Beside the library's directory, or where it was installed; NULL: nowhere. */
static const char *find_suppressions(const char *library)
{
	static const char name[] = "typed_malloc.supp";
	char *near = text("%.*s/../share/typed_malloc/%s", (int)(strrchr(library, '/') - library), library, name);
	char *path = realpath(near, NULL);

	free(near);
	return path ? path : realpath(text("%s/%s", TY_DATADIR, name), NULL);
}

/* ---- */

static void help(void)
{
	puts("Usage: typed-run [OPTION]... [--] COMMAND [ARGUMENT]...\n"
	     "Run COMMAND with typed_malloc as its allocator.\n"
	     "\n"
	     "  --partition=typed|random|none    keep apart each type, 16 random groups, or nothing\n"
	     "                    (" TY_DEFAULT_PARTITION ")\n"
	     "  --untyped=callsite|random|none   the same where no type is known (" TY_DEFAULT_UNTYPED ")\n"
	     "  --stats[=FILE]    write a table of the caches at exit, to standard error or FILE;\n"
	     "                    %p in FILE becomes the process's number\n"
	     "  --decay-ms=N      return unused memory to the system after N milliseconds (100)\n"
	     "  --checked-memory  end COMMAND when memcpy and its like would leave an object\n"
	     "  --max-keys=N      give at most N types and call sites memory of their own (65536)\n"
	     "  --valgrind[=TOOL] run COMMAND under valgrind: memcheck, or another of its tools\n"
	     "  --valgrind-heap=ours|valgrind   with this library's heap (ours) or with valgrind's malloc\n"
	     "  --valgrind-option=OPTION        give valgrind one more option\n"
	     "  -o, --option KEY=VALUE  set any option of the library\n"
	     "  -h, --help        show this text\n"
	     "  -V, --version     show the version\n"
	     "\n"
	     "Exit status: that of COMMAND, or 125 if typed-run itself fails, 126 if COMMAND cannot be\n"
	     "executed, 127 if it cannot be found. Under valgrind 99 if its tool has found errors.");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"partition", required_argument, NULL, 'p'},
		{"untyped", required_argument, NULL, 'u'},
		{"decay-ms", required_argument, NULL, 'd'},
		{"max-keys", required_argument, NULL, 'k'},
		{"stats", optional_argument, NULL, 's'},
		{"checked-memory", no_argument, NULL, 'm'},
		{"valgrind", optional_argument, NULL, 'v'},
		{"valgrind-heap", required_argument, NULL, 'H'},
		{"valgrind-option", required_argument, NULL, 'O'},
		{"option", required_argument, NULL, 'o'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	bool checked_memory = false, for_valgrind = false, heap_given = false;
	struct valgrind valgrind = {0};
	int c;

	/* "+": the command's own options are not ours. */
	while ((c = getopt_long(argc, argv, "+o:hV", options, NULL)) != -1) {
		switch (c) {
		case 'p':
			set_option("partition", optarg);
			break;
		case 'u':
			set_option("untyped", optarg);
			break;
		case 'd':
			set_option("decay_ms", optarg);
			break;
		case 'k':
			set_option("max_keys", optarg);
			break;
		case 's':
			set_option("stats", optarg ? optarg : "1");
			break;
		case 'm':
			checked_memory = true;
			break;
		case 'v':
			set_tool(&valgrind, optarg ? optarg : "memcheck");
			break;
		case 'H':
			for_valgrind = heap_given = true;
			set_heap(&valgrind, optarg);
			break;
		case 'O':
			for_valgrind = true;
			valgrind_option(&valgrind, optarg);
			break;
		case 'o':
			set_pair(optarg);
			break;
		case 'h':
			help();
			return 0;
		case 'V':
			puts("typed-run (typed_malloc) " PACKAGE_VERSION);
			return 0;
		default: /* getopt_long has said what is wrong */
			return EXIT_SELF;
		}
	}
	if (optind == argc)
		fail(EXIT_SELF, "no command given; see typed-run --help");
	if (for_valgrind && !valgrind.tool)
		fail(EXIT_SELF, "--valgrind-heap and --valgrind-option go with --valgrind");
	if (checked_memory && valgrind.tool)
		fail(EXIT_SELF, "--checked-memory does not go with --valgrind, whose Memcheck checks more");

	char *library = find_library();
	char *program = find_program(argv[optind]);
	check_program(program, library_machine(library));
	if (checked_memory)
		preload(find_checked_memory(library));
	preload(library);
	if (valgrind.tool) {
		/* DHAT follows malloc only. */
		if (!heap_given && !strcmp(valgrind.tool, "dhat"))
			valgrind.theirs = true;
		if (measures_code(valgrind.tool) && !is_set("valgrind"))
			set_option("valgrind", "0");
		valgrind.suppressions = find_suppressions(library);
		valgrind_run(&valgrind, program, argv + optind);
	}
	execvp(program, argv + optind);
	fail(EXIT_NOT_RUNNABLE, "%s: %s", program, strerror(errno));
}
