/* program.c: see program.h. */
#define _GNU_SOURCE
#include "program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define SCRIPT_DEPTH 5		     /* how many interpreters of interpreters Linux follows */
#define SCRIPT_LINE 256		     /* how much of a #! line it reads */
#define PATH_DEFAULT "/bin:/usr/bin" /* what execvp uses when PATH is not set */

void fail(int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("typed-run: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(code);
}

char *text(const char *format, ...)
{
	va_list args;
	char *s;

	va_start(args, format);
	if (vasprintf(&s, format, args) < 0)
		fail(EXIT_SELF, "out of memory");
	va_end(args);
	return s;
}

static bool is_executable(const char *path, bool *denied)
{
	struct stat st;

	if (stat(path, &st)) {
		*denied |= errno == EACCES;
		return false;
	}
	if (S_ISREG(st.st_mode) && !access(path, X_OK))
		return true;
	*denied = true;
	return false;
}

char *find_program(const char *name)
{
	const char *path = getenv("PATH");
	bool denied = false;

	if (strchr(name, '/')) {
		if (is_executable(name, &denied))
			return text("%s", name);
		path = NULL;
	} else if (!path) {
		path = PATH_DEFAULT;
	}
	while (path && *name) {
		int len = (int)strcspn(path, ":");
		/* An empty item of PATH is the current directory. */
		char *full = text("%.*s/%s", len ? len : 1, len ? path : ".", name);
		if (is_executable(full, &denied))
			return full;
		free(full);
		path = path[len] ? path + len + 1 : NULL;
	}
	if (denied)
		fail(EXIT_NOT_RUNNABLE, "%s: not an executable file, or no permission", name);
	fail(EXIT_NOT_FOUND, "%s: command not found", name);
}

/* A program that is dynamically linked names its dynamic linker; a library has none. */
static bool has_linker(Elf *elf)
{
	GElf_Phdr segment;
	size_t n = 0;

	elf_getphdrnum(elf, &n);
	for (size_t i = 0; i < n; i++)
		if (gelf_getphdr(elf, (int)i, &segment) && segment.p_type == PT_INTERP)
			return true;
	return false;
}

static bool exports(Elf *elf, const char *name)
{
	GElf_Shdr h;
	GElf_Sym symbol;

	for (Elf_Scn *s = NULL; (s = elf_nextscn(elf, s)) != NULL;) {
		if (!gelf_getshdr(s, &h) || h.sh_type != SHT_DYNSYM)
			continue;
		Elf_Data *d = elf_getdata(s, NULL);
		for (int i = 0; d && gelf_getsym(d, i, &symbol); i++) {
			const char *have = elf_strptr(elf, h.sh_link, symbol.st_name);
			if (symbol.st_shndx != SHN_UNDEF && have && !strcmp(have, name))
				return true;
		}
	}
	return false;
}

struct machine library_machine(const char *path)
{
	GElf_Ehdr header;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail(EXIT_SELF, "%s: %s", path, strerror(errno));
	elf_version(EV_CURRENT);
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!elf || !gelf_getehdr(elf, &header) || header.e_type != ET_DYN || has_linker(elf))
		fail(EXIT_SELF, "%s: not a shared library", path);
	if (!exports(elf, "typed_malloc_token"))
		fail(EXIT_SELF, "%s: not typed_malloc's library", path);
	struct machine m = {gelf_getclass(elf), header.e_machine};
	elf_end(elf);
	close(fd);
	return m;
}

static const char *command; /* what check_program was asked about */

/* How a message names `path': a script's user does not think of its interpreter. */
static const char *where(const char *path) { return strcmp(path, command) ? text("%s runs %s", command, path) : path; }

static void check_privileges(const char *path, mode_t mode)
{
	const char *what = NULL;

	if (mode & S_ISUID)
		what = "is set-user-ID";
	else if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		what = "is set-group-ID";
	else if (getxattr(path, "security.capability", NULL, 0) > 0)
		what = "has file capabilities";
	if (what)
		fail(EXIT_SELF, "%s: %s, so Linux ignores LD_PRELOAD for it", where(path), what);
}

static void check_elf(const char *path, int fd, struct machine m)
{
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	GElf_Ehdr header;

	if (!elf || !gelf_getehdr(elf, &header))
		fail(EXIT_NOT_RUNNABLE, "%s: damaged ELF file: %s", where(path), elf_errmsg(-1));
	if (gelf_getclass(elf) != m.class || header.e_machine != m.machine)
		fail(EXIT_SELF, "%s: built for another architecture than the library", where(path));
	if (!has_linker(elf))
		fail(EXIT_SELF, "%s: statically linked, so nothing can be preloaded into it", where(path));
	elf_end(elf);
}

/* The program that the line `env ARGUMENTS' of a script starts, or NULL where that is not clear. */
static char *env_target(const char *path, char *arguments)
{
	char *word, *rest = arguments;

	/* Linux passes all behind the interpreter as one argument; with -S env splits it itself. */
	if (!strncmp(rest, "-S", 2))
		rest += 2;
	else if (!strncmp(rest, "--split-string=", 15))
		rest += 15;
	while ((word = strsep(&rest, " \t"))) {
		if (!strcmp(word, "-") || !strcmp(word, "-i") || !strcmp(word, "--ignore-environment"))
			fail(EXIT_SELF, "%s: its first line has env remove LD_PRELOAD (%s)", where(path), word);
		if (*word == '-')
			return NULL;
		if (*word && !strchr(word, '='))
			return word;
	}
	return NULL;
}

static void check_file(const char *path, struct machine m, int depth);

/* `line' is the script's first line behind "#!". */
static void check_script(const char *path, char *line, struct machine m, int depth)
{
	static const char blank[] = " \t";

	line[strcspn(line, "\n")] = 0;
	char *interpreter = line + strspn(line, blank);
	char *arguments = interpreter + strcspn(interpreter, blank);
	if (*arguments)
		*arguments++ = 0;
	arguments += strspn(arguments, blank);
	for (size_t n = strlen(arguments); n && strchr(blank, arguments[n - 1]); n--)
		arguments[n - 1] = 0;

	if (access(interpreter, X_OK))
		fail(EXIT_NOT_RUNNABLE, "%s: its interpreter \"%s\" cannot be executed", where(path), interpreter);
	check_file(interpreter, m, depth + 1);
	if (!strcmp(basename(interpreter), "env") && *arguments) {
		char *target = env_target(path, arguments);
		if (target)
			check_file(find_program(target), m, depth + 1);
	}
}

static void check_file(const char *path, struct machine m, int depth)
{
	char start[SCRIPT_LINE + 1];
	struct stat st;
	ssize_t n;

	if (depth > SCRIPT_DEPTH)
		fail(EXIT_NOT_RUNNABLE, "%s: too many interpreters of interpreters", where(path));
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		int why = errno;
		/* Often such a program may be executed, but not read. */
		if (!stat(path, &st))
			check_privileges(path, st.st_mode);
		fail(EXIT_NOT_RUNNABLE, "%s: cannot be examined: %s", where(path), strerror(why));
	}
	if (fstat(fd, &st) || (n = pread(fd, start, SCRIPT_LINE, 0)) < 0)
		fail(EXIT_NOT_RUNNABLE, "%s: cannot be examined: %s", where(path), strerror(errno));
	start[n] = 0;

	if (n >= SELFMAG && !memcmp(start, ELFMAG, SELFMAG)) {
		check_privileges(path, st.st_mode);
		check_elf(path, fd, m);
		close(fd);
		return;
	}
	close(fd);
	if (!strncmp(start, "#!", 2))
		check_script(path, start + 2, m, depth);
	else /* execvp gives what Linux does not know to the shell */
		check_file("/bin/sh", m, depth + 1);
}

void check_program(const char *path, struct machine m)
{
	command = path;
	check_file(path, m, 0);
}
