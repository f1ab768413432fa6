/*
 * valgrind_run.h: a command under valgrind, with the options that the library needs there. lib/track.h tells what happens then.
 */
#ifndef VALGRIND_RUN_H
#define VALGRIND_RUN_H

#include <stdbool.h>

/* Exit code when the tool has found errors. */
enum { EXIT_ERRORS = 99 };

struct valgrind {
	const char *tool; /* NULL: not asked for */
	bool theirs;	  /* valgrind's malloc, not the library's */
	const char **more; /* options for valgrind, as they are; ends with NULL */
	const char *suppressions;
};

/* One more option for valgrind. */
void valgrind_option(struct valgrind *v, const char *option);

/* Does not return. program: what argv[0] was found to be. */
void valgrind_run(const struct valgrind *v, const char *program, char **argv) __attribute__((noreturn));

#endif
