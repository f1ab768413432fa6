/*
 * program.h: find a command as execvp would, and tell whether a library can be preloaded into it.
 *
 * Everything here that cannot go on ends typed-run, with one line on standard error.
 */
#ifndef PROGRAM_H
#define PROGRAM_H

/* Exit codes as env(1) and timeout(1) use them. */
enum { EXIT_SELF = 125, EXIT_NOT_RUNNABLE = 126, EXIT_NOT_FOUND = 127 };

/* What a library and the program it is loaded into must have in common. */
struct machine {
	int class;	  /* ELFCLASS64... */
	unsigned machine; /* EM_X86_64... */
};

/* Say what went wrong, as printf would, and exit with `code'. */
void fail(int code, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));

/* The formatted text, from malloc. */
char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Where execvp would find `name' (from malloc). */
char *find_program(const char *name);

/* What the shared library at `path' was built for; it must be typed_malloc's. */
struct machine library_machine(const char *path);

/* Return only if a library built for `m' will be loaded into what executing `path' starts. */
void check_program(const char *path, struct machine m);

#endif
