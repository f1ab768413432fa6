/* SPDX-License-Identifier: MIT */
/*
 * fuzz_frames.c: the stack of a crash as lines on standard error, a module's path and an offset in it each, for typed-fuzz to
 * name. Afterwards the signal has the effect it would have had: the library explains faults itself.
 */
#define _GNU_SOURCE
#include "fuzz_driver.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <link.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define DEPTH 48

static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
static struct sigaction before[sizeof signals / sizeof *signals];
static volatile sig_atomic_t told;

void fz_put(const char *s)
{
	if (write(2, s, strlen(s)) < 0)
		return;
}

void fz_put_hex(uintptr_t n)
{
	char text[20], *p = text + sizeof text - 1;

	*p = 0;
	do
		*--p = "0123456789abcdef"[n % 16];
	while (n /= 16);
	*--p = 'x';
	*--p = '0';
	fz_put(p);
}

void fz_frames_put(void *const *pc, int n)
{
	for (int i = 0; i < n; i++) {
		Dl_info info;
		fz_put("typed_fuzz: frame ");
		if (dladdr(pc[i], &info) && info.dli_fname) {
			fz_put(info.dli_fname);
			fz_put("+");
			fz_put_hex((uintptr_t)pc[i] - (uintptr_t)info.dli_fbase);
		} else {
			fz_put_hex((uintptr_t)pc[i]);
		}
		fz_put("\n");
	}
}

void fz_frames_tell(void)
{
	void *pc[DEPTH];

	if (told)
		return;
	told = 1;
	fz_frames_put(pc, backtrace(pc, DEPTH));
}

/* The library calls this before it ends the process. */
static void on_misuse(const char *line, size_t n)
{
	(void)line, (void)n;
	fz_frames_tell();
}

extern __attribute__((weak, visibility("default"))) void (*const typed_malloc_abort_hook)(const char *, size_t);
__attribute__((weak, visibility("default"))) void (*const typed_malloc_abort_hook)(const char *, size_t) = on_misuse;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (sig == SIGSEGV)
		fz_exact_fault(info->si_addr);
	fz_frames_tell();
	for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) {
		if (signals[i] == sig)
			sigaction(sig, &before[i], NULL);
	}
	if (sig == SIGABRT)
		raise(sig);
}

void fz_frames_start(void)
{
	static char room[65536];
	stack_t stack = {.ss_sp = room, .ss_size = sizeof room}, had;
	struct sigaction act = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
	void *pc[2];

	backtrace(pc, 2); /* loads what it needs */
	if (sigaltstack(NULL, &had) == 0 && (had.ss_flags & SS_DISABLE))
		sigaltstack(&stack, NULL);
	for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++)
		sigaction(signals[i], &act, &before[i]);
}
