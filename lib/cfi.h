/*
 * cfi.h: from a function's frame to its caller's, by unwind tables (call frame information: DWARF 5, 6.4; Linux Standard Base 5.0,
 * 10.6), on x86-64.
 *
 * The unwinder of the compiler's support library believes the tables, and what is in the registers. But a coroutine's first return
 * address may be a function's first byte, which the table of the function before it is taken to cover; assembly may have
 * something of its own in the frame pointer; and at an address without a table it looks at the bytes of the code. It reads where that
 * leads, and malloc would die of it; it takes a lock, within which it allocates. So tables are found (with glibc before 2.35 by it) and
 * read here. Invariants: memory of the stack is read only on a page that is in use, has been read before, or is there as the system
 * says; that of a table only in the object file's.
 *
 * Followed is what calls of malloc are made from: the frame is at an offset from the stack pointer or the frame pointer, which
 * is saved at an offset from it, or as expressions of one register say. Anything else is the end.
 */
#ifndef TY_CFI_H
#define TY_CFI_H

#include "bits.h"

struct ty_frame {
	uintptr_t pc; /* where it goes on */
	uintptr_t sp, bp;
	const uintptr_t *place; /* where pc was, in the stack */
	uintptr_t page;		/* the one of the stack that was read last, or that is in use */
	bool exact;		/* pc is the next instruction, not a return address */
	bool has_bp;
};

#if defined(__x86_64__)
/* The frame of whoever calls it. */
#define TY_FRAME_HERE(f)                                                                                     \
	do {                                                                                                 \
		*(f) = (struct ty_frame){.exact = true, .has_bp = true};                                       \
		__asm__ volatile("lea 0f(%%rip), %0\n0:\n\tmov %%rsp, %1\n\tmov %%rbp, %2"                      \
				 : "=&r"((f)->pc), "=&r"((f)->sp), "=&r"((f)->bp));                             \
		(f)->page = ty_round_down((f)->sp, TY_PAGE);                                                      \
	} while (0)

/* To the caller's frame. False: it is not known, or there is none. Takes no lock with glibc 2.35 and newer. */
bool ty_frame_up(struct ty_frame *f);
#endif

#endif
