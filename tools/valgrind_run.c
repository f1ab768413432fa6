/* valgrind_run.c: see valgrind_run.h. */
#define _GNU_SOURCE
#include "config.h"

#include "program.h"
#include "valgrind_run.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DWARF_READ 4	  /* what valgrind up to 3.19 reads in full */
#define FIRST_TO_READ_5 3020 /* major * 1000 + minor */

void valgrind_option(struct valgrind *v, const char *option)
{
	size_t n = 0;

	while (v->more && v->more[n])
		n++;
	v->more = realloc((void *)v->more, (n + 2) * sizeof *v->more);
	if (!v->more)
		fail(EXIT_SELF, "out of memory");
	v->more[n] = option;
	v->more[n + 1] = NULL;
}

/* The version in the first unit of .debug_info; 0: there is none. */
static unsigned version_in(Elf *elf)
{
	size_t names;
	Elf_Scn *s = NULL;

	if (elf_getshdrstrndx(elf, &names))
		return 0;
	while ((s = elf_nextscn(elf, s)) != NULL) {
		GElf_Shdr h;
		const char *name = gelf_getshdr(s, &h) ? elf_strptr(elf, names, h.sh_name) : NULL;
		if (!name || strcmp(name, ".debug_info"))
			continue;
		if (h.sh_flags & SHF_COMPRESSED && elf_compress(s, 0, 0) < 0)
			return 0;
		Elf_Data *d = elf_rawdata(s, NULL);
		const unsigned char *b = d ? d->d_buf : NULL;
		size_t at = b && d->d_size > 16 ? (b[0] == 0xff && b[1] == 0xff && b[2] == 0xff && b[3] == 0xff ? 12 : 4) : 0;
		return at ? b[at] | (unsigned)b[at + 1] << 8 : 0;
	}
	return 0;
}

static unsigned dwarf_version(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned version = 0;

	elf_version(EV_CURRENT);
	Elf *elf = fd < 0 ? NULL : elf_begin(fd, ELF_C_READ_MMAP_PRIVATE, NULL);
	if (elf) {
		version = elf_kind(elf) == ELF_K_ELF ? version_in(elf) : 0;
		elf_end(elf);
	}
	if (fd >= 0)
		close(fd);
	return version;
}

/* major * 1000 + minor; 0: nobody knows. */
static int valgrind_version(const char *valgrind)
{
	char *command = text("'%s' --version", valgrind);
	int major = 0, minor = 0;
	char *preload = getenv("LD_PRELOAD");
	char *old = preload ? text("%s", preload) : NULL;

	unsetenv("LD_PRELOAD");
	FILE *f = popen(command, "r");
	if (f && fscanf(f, "valgrind-%d.%d", &major, &minor) != 2)
		major = minor = 0;
	if (f)
		pclose(f);
	if (old)
		setenv("LD_PRELOAD", old, 1);
	free(old);
	free(command);
	return major * 1000 + minor;
}

/* Without its own tool valgrind says so and exits with 1, which could be the command's. */
static void check_tool(const char *valgrind, const char *tool)
{
	static const char *const its[] = {"memcheck", "cachegrind", "callgrind", "helgrind", "drd", "massif", "dhat", "lackey", "none"};
	char *preload = getenv("LD_PRELOAD"), *old = preload ? text("%s", preload) : NULL;

	for (size_t i = 0; i < sizeof its / sizeof *its; i++)
		if (!strcmp(tool, its[i]))
			return;
	char *command = text("'%s' --tool=%s --help >/dev/null 2>&1", valgrind, tool);
	unsetenv("LD_PRELOAD");
	void (*before)(int) = signal(SIGCHLD, SIG_DFL); /* ignored, it would take the exit status along */
	int status = system(command);
	signal(SIGCHLD, before);
	if (status != 0)
		fail(EXIT_SELF, "--valgrind: valgrind has no tool \"%s\"", tool);
	if (old)
		setenv("LD_PRELOAD", old, 1);
	free(old);
	free(command);
}

static bool finds_errors(const char *tool)
{
	return !strcmp(tool, "memcheck") || !strcmp(tool, "helgrind") || !strcmp(tool, "drd");
}

void valgrind_run(const struct valgrind *v, const char *program, char **argv)
{
	char *valgrind = find_program("valgrind");
	struct valgrind all = {0};
	unsigned dwarf = dwarf_version(program);

	if (dwarf > DWARF_READ && valgrind_version(valgrind) < FIRST_TO_READ_5)
		fprintf(stderr, "typed-run: %s: has debug information of DWARF %u, of which this valgrind makes wrong lines: "
				"compile with -gdwarf-4\n", program, dwarf);
	check_tool(valgrind, v->tool);
	valgrind_option(&all, valgrind);
	valgrind_option(&all, text("--tool=%s", v->tool));
	if (!v->theirs)
		valgrind_option(&all, "--soname-synonyms=somalloc=nouserintercepts");
	valgrind_option(&all, "--trace-children=yes");
	valgrind_option(&all, "--num-callers=30");
	if (finds_errors(v->tool)) {
		valgrind_option(&all, text("--error-exitcode=%d", EXIT_ERRORS));
		if (v->suppressions)
			valgrind_option(&all, text("--suppressions=%s", v->suppressions));
	}
	if (!strcmp(v->tool, "memcheck"))
		valgrind_option(&all, "--leak-check=full");
	for (const char **o = v->more; o && *o; o++)
		valgrind_option(&all, *o);
	valgrind_option(&all, "--");
	for (char **a = argv; *a; a++)
		valgrind_option(&all, *a);
	execv(valgrind, (char **)(void *)all.more);
	fail(EXIT_NOT_RUNNABLE, "%s: %s", valgrind, strerror(errno));
}
