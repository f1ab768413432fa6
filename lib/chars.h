/*
 * chars.h: the little that we ask of strings. Not libc's: the dynamic linker would look each of its functions up whenever a program
 * starts, which all together costs a small one a hundredth of its start. (What is called often, or with the program's own strings,
 * is libc's.)
 */
#ifndef TY_CHARS_H
#define TY_CHARS_H

#include "compiler.h"

/* In a loop: it stays one, and does not become a call of libc's function. */
#define TY_LOOP(x) __asm__("" : "+r"(x))

static inline bool ty_same(const char *a, const char *b)
{
	for (; *a && *a == *b; a++, b++)
		TY_LOOP(a);
	return *a == *b;
}

/* What of s comes from its first c on; NULL: there is none. c: not 0. */
static inline const char *ty_find(const char *s, char c)
{
	for (; *s; s++) {
		if (*s == c)
			return s;
		TY_LOOP(s);
	}
	return NULL;
}

static inline bool ty_begins(const char *s, const char *with)
{
	for (; *with && *s == *with; s++, with++)
		TY_LOOP(s);
	return !*with;
}

static inline bool ty_contains(const char *s, const char *what)
{
	for (; *s; s++)
		if (ty_begins(s, what))
			return true;
	return !*what;
}

/* The number that s begins with, in base 10 or 16. */
static inline u64 ty_number(const char *s, unsigned base)
{
	for (u64 n = 0;; s++) {
		unsigned digit = (unsigned)(*s - '0'), letter = (unsigned)((*s | 0x20) - 'a');
		if (letter < 6)
			digit = letter + 10;
		if (digit >= base)
			return n;
		n = n * base + digit;
	}
}

#endif
