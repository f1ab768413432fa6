/*
 * report.h: sentences for people, made without malloc and stdio.
 *
 * ty_die is the only place where the library ends the process. Every sentence it prints stands in
 * typed_malloc(7), DIAGNOSTICS, and in an attack test.
 */
#ifndef TY_REPORT_H
#define TY_REPORT_H

#include "compiler.h"

/* A line under construction. Too long a line is cut, never overrun. */
struct ty_text {
	char *buf;
	size_t len, cap;
};

void ty_text_str(struct ty_text *t, const char *s);
void ty_text_dec(struct ty_text *t, u64 n);
void ty_text_hex(struct ty_text *t, u64 n);
/* Right-aligned (width > 0) or left-aligned (width < 0) in a column. */
void ty_text_col(struct ty_text *t, const char *s, int width);
void ty_text_dec_col(struct ty_text *t, u64 n, int width);

/* "libfoo.so+0x1234"; false, and nothing, when the address lies in no loaded module. Async-signal-safe. */
bool ty_text_object(struct ty_text *t, uintptr_t at);

/* Remember the program's name, once libc knows it and the options are there. */
void ty_report_init(void);
const char *ty_program_name(void);

/* "PROG[PID]", "typed_malloc: PROG[PID] " */
void ty_text_who(struct ty_text *t);
void ty_text_prefix(struct ty_text *t);

/* Print "typed_malloc: PROG[PID] " and the text and a newline where the options say: to standard error. */
void ty_warn(const char *a, const char *b, const char *c, const char *d);

/*
 * A line "  WHAT 0xADDR prog+0x12 < libfoo.so+0x34 < ... (thread TID)" of n return addresses: what a sentence just said
 * has to do with.
 */
void ty_report_stack(const char *what, const uintptr_t *site, unsigned n, u32 tid);

/*
 * End the process: "typed_malloc: PROG[PID] fn(): crime 0xADDR (detail)" where the options say, the program's hook, abort.
 * detail may be NULL. fn is the public function that the program called.
 *
 * For any thread in any state: no lock is taken, signals are blocked until the line is out, under 2 KiB of stack are used.
 * Of several threads the first prints its line. A second crime of that thread, in the hook or in a handler, prints its own
 * and ends the process without them.
 */
#define TY_DOUBLE_FREE "double free of"
#define TY_USE_AFTER_FREE "use after free of" /* a query about a free object */
TY_NORETURN TY_COLD void ty_die(const char *fn, const char *crime, const void *p, const char *detail);

#endif
